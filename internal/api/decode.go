package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"errand/internal/api/sign"
)

// ParamError says which parameter could not be decoded.
type ParamError struct {
	Name    string // dotted path, as the caller would write it; empty if the whole body is malformed
	Unknown bool   // there is no such parameter; otherwise it has the wrong type
	Err     error
}

func (e *ParamError) Error() string {
	what := "has the wrong type"
	if e.Unknown {
		what = "is unknown"
	}
	s := fmt.Sprintf("parameter %q %s", e.Name, what)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *ParamError) Unwrap() error { return e.Err }

// Limits on what one request may contain, before anyone knows who sent it.
const (
	maxParams = 2000
	maxDepth  = 8
)

// DecodeFlat fills dst, a pointer to a struct, from flattened parameters. Both vendors' forms are understood: Name.1, Name.1.Key (Alibaba,
// from one) and Name.0, Name.0.Values.0 (Tencent, from zero); indices may have gaps and order the list. A list or struct that comes as
// one JSON text is understood as well. Parameters without a field are ignored.
//
// Fields are matched by name or by their `json` tag. Optional scalars are pointers: nil means that the parameter was not sent.
func DecodeFlat(params sign.Values, dst any) error {
	return decodeFlat(params, dst, options{text: true})
}

// DecodeFlatStrict is DecodeFlat for vendors that refuse parameters without a field.
func DecodeFlatStrict(params sign.Values, dst any) error {
	return decodeFlat(params, dst, options{text: true, strict: true})
}

func decodeFlat(params sign.Values, dst any, o options) error {
	if len(params) > maxParams {
		return &ParamError{Err: fmt.Errorf("more than %d parameters", maxParams)}
	}
	root := map[string]any{}
	for name, value := range params {
		if strings.Count(name, ".") >= maxDepth { // no parameter is that deep, so it is an unknown one
			if o.strict {
				return &ParamError{Name: name, Unknown: true}
			}
			continue
		}
		if err := plant(root, name, value); err != nil {
			return err
		}
	}
	return fill(reflect.ValueOf(dst).Elem(), root, "", o)
}

// plant puts a value at its dotted place in the tree.
func plant(tree map[string]any, name, value string) error {
	parts := strings.Split(name, ".")
	for _, part := range parts[:len(parts)-1] {
		child, ok := tree[part].(map[string]any)
		if !ok {
			if tree[part] != nil {
				return &ParamError{Name: name, Err: errors.New("both a value and a list")}
			}
			child = map[string]any{}
			tree[part] = child
		}
		tree = child
	}
	last := parts[len(parts)-1]
	if tree[last] != nil {
		return &ParamError{Name: name, Err: errors.New("both a value and a list")}
	}
	tree[last] = value
	return nil
}

// DecodeJSON fills dst, a pointer to a struct, from a JSON object. strict refuses members without a field.
func DecodeJSON(body []byte, dst any, strict bool) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var root map[string]any
	if err := d.Decode(&root); err != nil {
		return &ParamError{Err: err}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return &ParamError{Err: errors.New("text after the JSON object")}
	}
	return fill(reflect.ValueOf(dst).Elem(), root, "", options{strict: strict})
}

type options struct {
	text   bool // scalars arrive as text, lists as trees with numeric keys
	strict bool // unknown members are refused
}

// fill sets v from a node of the tree; nil leaves it alone, so absent and null are the same.
func fill(v reflect.Value, node any, path string, o options) error {
	if node == nil {
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		fresh := reflect.New(v.Type().Elem())
		if err := fill(fresh.Elem(), node, path, o); err != nil {
			return err
		}
		v.Set(fresh)
		return nil
	case reflect.Struct:
		return fillStruct(v, node, path, o)
	case reflect.Slice:
		return fillSlice(v, node, path, o)
	case reflect.Map:
		return fillTexts(v, node, path)
	case reflect.Interface:
		v.Set(reflect.ValueOf(node))
		return nil
	default:
		return fillScalar(v, node, path, o)
	}
}

func fillStruct(v reflect.Value, node any, path string, o options) error {
	if text, ok := node.(string); ok && o.text {
		var parsed map[string]any
		if err := unmarshal(text, &parsed); err != nil {
			return &ParamError{Name: path, Err: err}
		}
		return fillStruct(v, parsed, path, options{})
	}
	tree, ok := node.(map[string]any)
	if !ok {
		return &ParamError{Name: path}
	}
	fields := make(map[string]bool, v.NumField())
	if err := fillFields(v, tree, path, o, fields); err != nil {
		return err
	}
	if !o.strict {
		return nil
	}
	for name := range tree {
		if !fields[name] {
			return &ParamError{Name: join(path, name), Unknown: true}
		}
	}
	return nil
}

// fillFields sets the fields of v, those of embedded structs included, and adds their names to known. Unexported fields are no parameters.
func fillFields(v reflect.Value, tree map[string]any, path string, o options, known map[string]bool) error {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			if err := fillFields(v.Field(i), tree, path, o, known); err != nil {
				return err
			}
			continue
		}
		if !f.IsExported() {
			continue
		}
		name := f.Name
		if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag != "" {
			name = tag
		}
		known[name] = true
		if err := fill(v.Field(i), tree[name], join(path, name), o); err != nil {
			return err
		}
	}
	return nil
}

func fillSlice(v reflect.Value, node any, path string, o options) error {
	var items []any
	switch n := node.(type) {
	case []any:
		items = n
	case map[string]any:
		if !o.text {
			return &ParamError{Name: path}
		}
		var err error
		if items, err = ordered(n, path); err != nil {
			return err
		}
	case string:
		if !o.text {
			return &ParamError{Name: path}
		}
		if err := unmarshal(n, &items); err != nil {
			return &ParamError{Name: path, Err: err}
		}
		o = options{}
	default:
		return &ParamError{Name: path}
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		if item == nil {
			return &ParamError{Name: join(path, strconv.Itoa(i))}
		}
		if err := fill(out.Index(i), item, join(path, strconv.Itoa(i)), o); err != nil {
			return err
		}
	}
	v.Set(out)
	return nil
}

// ordered turns a tree with numeric keys into a list.
func ordered(tree map[string]any, path string) ([]any, error) {
	keys := make([]int, 0, len(tree))
	for k := range tree {
		n, err := strconv.Atoi(k)
		if err != nil || n < 0 || strconv.Itoa(n) != k {
			return nil, &ParamError{Name: join(path, k), Err: errors.New("not a list index")}
		}
		keys = append(keys, n)
	}
	slices.Sort(keys)
	items := make([]any, len(keys))
	for i, k := range keys {
		items[i] = tree[strconv.Itoa(k)]
	}
	return items, nil
}

// fillTexts fills a map from names to texts.
func fillTexts(v reflect.Value, node any, path string) error {
	members, ok := node.(map[string]any)
	if v.Type() == reflect.TypeFor[map[string]*string]() && ok {
		return fillMaybeTexts(v, members, path)
	}
	texts := make(map[string]string, len(members))
	for name, member := range members {
		text, isText := member.(string)
		if !isText {
			return &ParamError{Name: path + "." + name}
		}
		texts[name] = text
	}
	if !ok || v.Type() != reflect.TypeOf(texts) {
		return &ParamError{Name: path}
	}
	v.Set(reflect.ValueOf(texts))
	return nil
}

// fillMaybeTexts is fillTexts where null is a value of its own.
func fillMaybeTexts(v reflect.Value, members map[string]any, path string) error {
	texts := make(map[string]*string, len(members))
	for name, member := range members {
		switch member := member.(type) {
		case nil:
			texts[name] = nil
		case string:
			texts[name] = &member
		default:
			return &ParamError{Name: path + "." + name}
		}
	}
	v.Set(reflect.ValueOf(texts))
	return nil
}

func fillScalar(v reflect.Value, node any, path string, o options) error {
	wrong := &ParamError{Name: path}
	switch v.Kind() {
	case reflect.String:
		s, ok := node.(string)
		if !ok {
			return wrong
		}
		v.SetString(s)
	case reflect.Bool:
		b, ok := node.(bool)
		if s, text := node.(string); text && o.text {
			// Python clients send False and True.
			b, ok = strings.EqualFold(s, "true"), strings.EqualFold(s, "true") || strings.EqualFold(s, "false")
		}
		if !ok {
			return wrong
		}
		v.SetBool(b)
	case reflect.Int64, reflect.Int:
		n, err := strconv.ParseInt(number(node, o), 10, 64)
		if err != nil {
			return wrong
		}
		v.SetInt(n)
	case reflect.Uint64:
		n, err := strconv.ParseUint(number(node, o), 10, 64)
		if err != nil {
			return wrong
		}
		v.SetUint(n)
	default:
		return fmt.Errorf("field %s has a type that no parameter can have: %s", path, v.Type())
	}
	return nil
}

// number is the decimal text of a number, or text that is none.
func number(node any, o options) string {
	switch n := node.(type) {
	case json.Number:
		return n.String()
	case string:
		if o.text {
			return n
		}
	}
	return ""
}

func unmarshal(text string, dst any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(dst); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("text after the JSON value")
	}
	return nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
