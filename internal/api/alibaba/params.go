package alibaba

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"unicode/utf8"

	"errand/internal/core"
)

// extraParameters keeps the text of Parameters that a map of strings cannot give back: numbers and booleans.
const extraParameters = "alibaba.Parameters"

// parameters is a decoded Parameters field.
type parameters struct {
	values map[string]string
	plain  bool // all values were strings
}

// ParseParameters reads the JSON object of a Parameters field that changes an invocation. extra is how to echo it.
func ParseParameters(text string) (values, extra map[string]string, err error) {
	p, err := parseParameters(text)
	if err != nil {
		return nil, nil, err
	}
	echo := text
	if p.plain {
		echo = "" // the values themselves tell it all
	}
	return p.values, map[string]string{extraParameters: echo}, nil
}

// parseParameters reads the JSON object of a Parameters field. It walks the tokens itself, because a map would hide a name that
// occurs twice; names are the same in any case.
func parseParameters(text string) (parameters, error) {
	p := parameters{values: map[string]string{}, plain: true}
	if text == "" {
		return p, nil
	}
	if !utf8.ValidString(text) {
		return p, Refuse(charset)
	}
	broken := func(err error) error {
		return &core.Error{Code: core.CodeInvalid, Reason: core.ReasonParamsMalformed, Field: "Parameters", Detail: "not a JSON object", Err: err}
	}
	if !json.Valid([]byte(text)) {
		return p, broken(errors.New("not JSON"))
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return p, broken(err)
	}
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return p, broken(err)
		}
		value, err := d.Token()
		if err != nil {
			return p, broken(err)
		}
		key, _ := name.(string) // JSON has no other keys
		fold := strings.ToLower(key)
		if seen[fold] {
			return p, Invalid(core.ReasonParamDuplicate, key, "twice")
		}
		seen[fold] = true
		if err := p.set(key, value); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (p *parameters) set(name string, value json.Token) error {
	switch v := value.(type) {
	case string:
		p.values[name] = v
		return nil
	case json.Number:
		p.values[name] = v.String()
	case bool:
		p.values[name] = "false"
		if v {
			p.values[name] = "true"
		}
	default:
		return Invalid(core.ReasonParamValueType, name, "neither string nor number nor boolean")
	}
	p.plain = false
	return nil
}

// Parameters renders the parameters of an invocation as the JSON text that the vendor's clients insist on. Values that another
// dialect marked as secret stay secret.
func Parameters(v *core.Invocation) string {
	if text := v.Extra[extraParameters]; text != "" {
		return text
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(Masked(v.Content, v.Params)) // strings always encode
	return strings.TrimSpace(b.String())
}

// Masked hides the values of parameters that content marks as secret, in the one notation there is for that, Tencent's.
func Masked(content []byte, values map[string]string) map[string]string {
	secret := core.ParamStyle{Hidden: "tat-hidden:"}.HiddenNames(content)
	shown := make(map[string]string, len(values))
	for name, value := range values {
		if secret[name] {
			value = "******"
		}
		shown[name] = value
	}
	return shown
}

// Answers about parameters that the content itself defines; those about passed ones are each product's own.
var (
	ParamNameEmpty   = BadRequest("CmdParam.EmptyKey", "You must specify the parameter names.")
	ParamNameInvalid = BadRequest(
		"CmdParam.InvalidParamName", "Invalid parameter name. The name can contain only lowercase letters (a to z), uppercase letters (A to Z), "+
			"numbers (0 to 9), hyphens (-), and underscores (_).",
	)
	paramNames      = Forbidden("CmdParamCount.ExceedLimit", "The maximum number of custom parameters is exceeded.")
	paramNameLength = Forbidden("CmdParamName.ExceedLimit", "The maximum length of a parameter name is exceeded.")
	paramStore      = Forbidden("ParameterStore.NotSupported", "Parameter Store is not supported in this region.")
	charset         = Forbidden("InvalidParameterCharset.Parameters", "The parameter Parameters contains illegal charset.")
)

var (
	placeholder = regexp.MustCompile(`\{\{([^{}]*)\}\}`)
	paramName   = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	stored      = regexp.MustCompile(`^oos(-secret)?:\s*[\w.-]+$`)
)

// checkPlaceholders applies the rules for the parameters that content defines. Built-in parameters are filled in on the machine; the vendor's
// parameter store does not exist here.
func checkPlaceholders(content []byte) error {
	for _, m := range placeholder.FindAllSubmatch(content, -1) {
		switch name := strings.TrimSpace(string(m[1])); {
		case name == "":
			return Refuse(ParamNameEmpty)
		case stored.MatchString(name):
			return Refuse(paramStore)
		case builtInUse.Match(m[0]):
			if !builtInNames[string(builtInUse.FindSubmatch(m[0])[1])] {
				return Refuse(ParamNameInvalid)
			}
		case !paramName.MatchString(name):
			return Refuse(ParamNameInvalid)
		case len(name) > maxParamLength:
			return Refuse(paramNameLength)
		}
	}
	if len(Style().ParamNames(content)) > maxParamNames {
		return Refuse(paramNames)
	}
	return nil
}
