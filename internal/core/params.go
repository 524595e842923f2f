package core

import (
	"regexp"
	"strings"
)

// ParamStyle is how a dialect writes parameters into content. The placeholder is {{name}} in all of them.
type ParamStyle struct {
	FoldCase bool   // names are the same in any case (Alibaba)
	Required bool   // a parameter without a value is refused; otherwise it becomes empty (Alibaba)
	Exact    bool   // no blanks between the braces and the name (Tencent)
	Hidden   string // prefix inside the braces that marks a value as secret (Tencent)
}

var (
	placeholder = regexp.MustCompile(`\{\{([^{}]+)\}\}`)
	paramName   = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
)

// name returns the parameter that the inside of a pair of braces speaks of; ok is false for anything else, such as a built-in.
func (st ParamStyle) name(inside string) (name string, ok bool) {
	if !st.Exact {
		inside = strings.TrimSpace(inside)
	}
	if st.Hidden != "" {
		inside = strings.TrimPrefix(inside, st.Hidden)
	}
	return inside, paramName.MatchString(inside)
}

func (st ParamStyle) fold(name string) string {
	if st.FoldCase {
		return strings.ToLower(name)
	}
	return name
}

// ParamNames lists the parameters that content defines, in order of appearance, each once and as first written.
func (st ParamStyle) ParamNames(content []byte) []string {
	var names []string
	seen := map[string]bool{}
	for _, m := range placeholder.FindAllSubmatch(content, -1) {
		name, ok := st.name(string(m[1]))
		if ok && !seen[st.fold(name)] {
			seen[st.fold(name)] = true
			names = append(names, name)
		}
	}
	return names
}

// HiddenNames lists the parameters whose values must not be shown.
func (st ParamStyle) HiddenNames(content []byte) map[string]bool {
	hidden := map[string]bool{}
	if st.Hidden == "" {
		return hidden
	}
	for _, m := range placeholder.FindAllSubmatch(content, -1) {
		if name, isHidden := strings.CutPrefix(string(m[1]), st.Hidden); isHidden {
			hidden[name] = true
		}
	}
	return hidden
}

// checkNames applies the limits to the parameters that content defines.
func (st ParamStyle) checkNames(content []byte, l *Limits) error {
	names := st.ParamNames(content)
	if l.ParamNames > 0 && len(names) > l.ParamNames {
		return limited(ReasonParamCount, "content", "more than %d parameters", l.ParamNames)
	}
	for _, n := range names {
		if l.ParamName > 0 && len(n) > l.ParamName {
			return limited(ReasonParamNameTooLong, n, "more than %d bytes", l.ParamName)
		}
	}
	return nil
}

// checkValues applies the limits to parameters that were passed.
func checkValues(values map[string]string, l *Limits) error {
	if l.Params > 0 && len(values) > l.Params {
		return limited(ReasonParamCount, "params", "more than %d parameters", l.Params)
	}
	for name := range values {
		switch {
		case name == "":
			return invalid(ReasonParamNameEmpty, "params", "empty name")
		case l.ParamName > 0 && len(name) > l.ParamName:
			return limited(ReasonParamNameTooLong, name, "more than %d bytes", l.ParamName)
		case !paramName.MatchString(name):
			return invalid(ReasonParamNameInvalid, name, "only letters, digits, - and _")
		}
	}
	return nil
}

// render fills values and defaults into content, in one pass: what a value contains is never looked at again.
func (st ParamStyle) render(content []byte, values, defaults map[string]string) ([]byte, error) {
	known := map[string]string{}
	for k, v := range defaults {
		known[st.fold(k)] = v
	}
	defined := map[string]bool{}
	for _, n := range st.ParamNames(content) {
		defined[st.fold(n)] = true
	}
	for k, v := range values {
		if !defined[st.fold(k)] && !st.Required {
			return nil, invalid(ReasonParamUndefined, k, "the command has no such parameter")
		}
		known[st.fold(k)] = v
	}
	var missing error
	out := placeholder.ReplaceAllFunc(content, func(match []byte) []byte {
		name, ok := st.name(string(match[2 : len(match)-2]))
		if !ok {
			return match
		}
		v, ok := known[st.fold(name)]
		if !ok && st.Required && missing == nil {
			missing = invalid(ReasonParamMissing, name, "no value")
		}
		return []byte(v)
	})
	return out, missing
}
