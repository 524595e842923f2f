package tat

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"errand/internal/core"
)

// The vendor's limits on parameters.
// https://www.tencentcloud.com/document/product/1147/46690
const (
	maxParams    = 20
	maxParamName = 64
)

// style is how the vendor writes parameters into content.
var style = core.ParamStyle{Required: true, Exact: true, Hidden: "tat-hidden:"}

var paramName = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

// parseParameters reads parameters from their JSON text. No text is no parameters.
func parseParameters(field string, text *string) (map[string]string, error) {
	if text == nil || *text == "" {
		return nil, nil
	}
	malformed := refuse(codeParameterJSON, field, "want a JSON object of strings")
	if !json.Valid([]byte(*text)) {
		return nil, malformed
	}
	d := json.NewDecoder(strings.NewReader(*text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, malformed
	}
	values := map[string]string{}
	for d.More() {
		var value any
		key, err := d.Token()
		if err == nil {
			err = d.Decode(&value)
		}
		name, named := key.(string)
		if err != nil || !named {
			return nil, malformed
		}
		s, ok := value.(string)
		if !ok {
			return nil, refuse(codeValueNotString, field, "%.64q", name)
		}
		if _, twice := values[name]; twice {
			return nil, refuse(codeKeyDuplicated, field, "%.64q", name)
		}
		values[name] = s
	}
	return values, checkParameters(field, values)
}

// checkParameters applies the limits. The core has the same for what is passed to a run, but not for defaults that come with one.
func checkParameters(field string, values map[string]string) error {
	if len(values) > maxParams {
		return refuse(codeParameterNumber, field, "more than %d", maxParams)
	}
	for name := range values {
		switch {
		case name == "" || len(name) > maxParamName:
			return refuse(codeKeyLength, field, "%.80q does not have 1 to %d characters", name, maxParamName)
		case !paramName.MatchString(name):
			return refuse(codeKeyChar, field, "%.64q has other characters than letters, digits, - and _", name)
		}
	}
	return nil
}

// defaults reads the default values of parameters and their descriptions from whichever carrier was used. ok is false if none was.
func (f *commandFields) defaults() (values, descriptions map[string]string, ok bool, err error) {
	const text, list = "DefaultParameters", "DefaultParameterConfs"
	if f.DefaultParameters != nil && *f.DefaultParameters != "" && len(f.DefaultParameterConfs) > 0 {
		return nil, nil, false, refuse(codeConflict, text, "not together with %s", list)
	}
	if len(f.DefaultParameterConfs) == 0 {
		values, err = parseParameters(text, f.DefaultParameters)
		return values, nil, f.DefaultParameters != nil || f.DefaultParameterConfs != nil, err
	}
	values, descriptions = map[string]string{}, map[string]string{}
	for _, c := range f.DefaultParameterConfs {
		switch {
		case c.ParameterName == nil:
			return nil, nil, false, missing(list + ".ParameterName")
		case c.ParameterValue == nil:
			return nil, nil, false, missing(list + ".ParameterValue")
		}
		if _, twice := values[*c.ParameterName]; twice {
			return nil, nil, false, refuse(codeConfDuplicated, list, "%.64q", *c.ParameterName)
		}
		values[*c.ParameterName] = *c.ParameterValue
		if c.ParameterDescription != nil && *c.ParameterDescription != "" {
			descriptions[*c.ParameterName] = *c.ParameterDescription
		}
	}
	return values, descriptions, true, checkParameters(list, values)
}

// describedBy is where the descriptions of parameters are kept with a command, as JSON; no other vendor has them.
const describedBy = "tat.parameter_descriptions"

// extra is what is kept with a command for this dialect alone.
func extra(descriptions map[string]string) map[string]string {
	if len(descriptions) == 0 {
		return nil
	}
	return map[string]string{describedBy: showParameters(descriptions)}
}

// showConfs lists default values with their descriptions, by name.
func showConfs(values, kept map[string]string) []shownParameterConf {
	var descriptions map[string]string
	if text := kept[describedBy]; text != "" {
		_ = json.Unmarshal([]byte(text), &descriptions) // extra wrote it; without it the values still are worth showing
	}
	confs := make([]shownParameterConf, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		confs = append(confs, shownParameterConf{name, values[name], descriptions[name]})
	}
	return confs
}

// showParameters renders parameters as JSON text; no parameters are no text.
func showParameters(values map[string]string) string {
	if len(values) == 0 {
		return ""
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // values are scripts' business: keep < and > as they came
	_ = enc.Encode(values)   // a map of strings always encodes
	return strings.TrimSuffix(b.String(), "\n")
}

// mask hides the values of the parameters that content marks as hidden.
func mask(content []byte, values map[string]string) map[string]string {
	return hide(style.HiddenNames(content), values)
}

func hide(hidden map[string]bool, values map[string]string) map[string]string {
	if len(hidden) == 0 {
		return values
	}
	shown := maps.Clone(values)
	for name := range shown {
		if hidden[name] {
			shown[name] = "******"
		}
	}
	return shown
}

// preview fills values into content and leaves placeholders without a value as they are.
func preview(content []byte, values map[string]string) []byte {
	var pairs []string
	for name, value := range values {
		pairs = append(pairs, "{{"+name+"}}", value, "{{"+style.Hidden+name+"}}", value)
	}
	return []byte(strings.NewReplacer(pairs...).Replace(string(content)))
}
