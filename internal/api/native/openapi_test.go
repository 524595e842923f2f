package native

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"

	verbs "errand/internal/policy"
)

var update = flag.Bool("update", false, "write openapi.json anew")

// TestOpenAPI compares openapi.json with the code, and holds it against the specification of OpenAPI 3.1.
//
//	go test -run TestOpenAPI ./internal/api/native -update
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	var want bytes.Buffer
	enc := json.NewEncoder(&want)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(describe(t)); err != nil {
		t.Fatal(err)
	}
	if t.Failed() {
		return
	}
	if *update {
		if err := os.WriteFile("openapi.json", want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(want.Bytes(), description) {
		t.Fatal("openapi.json is not what the code says: go test -run TestOpenAPI ./internal/api/native -update")
	}
	checker := jsonschema.NewCompiler()
	spec, err := checker.Compile("testdata/openapi-3.1-schema.json") // the initiative's own: https://spec.openapis.org/oas/3.1/schema/2022-10-07
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(&want)
	if err != nil {
		t.Fatal(err)
	}
	if err := spec.Validate(doc); err != nil {
		t.Error(err)
	}
	// The specification leaves schemas to JSON Schema, so each is compiled as well.
	if err := checker.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	for name := range doc.(object)["components"].(object)["schemas"].(object) {
		if _, err := checker.Compile("openapi.json#/components/schemas/" + name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// object is a JSON object; encoding sorts its members.
type object = map[string]any

// describer makes the description.
type describer struct {
	t       *testing.T
	schemas object
	types   map[string]reflect.Type // by name of the schema
	comment map[string]string       // of types, and of fields as Type.Field
}

func describe(t *testing.T) object {
	d := &describer{t: t, schemas: object{}, types: map[string]reflect.Type{}, comment: comments(t)}
	table, handlers, paths := (&Dialect{}).table(), handlerNames(t), object{}
	said := summaries()
	for i := range table {
		rt := &table[i]
		if rt.keyed != nil {
			rt.Action = rt.keyed(nil)
		}
		pattern := rt.method + " " + strings.Join(rt.shape, "/")
		what, ok := said[pattern]
		if !ok || handlers[pattern] == "" {
			t.Errorf("summaries say nothing of %s", pattern)
		}
		delete(said, pattern)
		path := "/" + strings.Join(rt.shape, "/")
		if paths[path] == nil {
			paths[path] = object{}
		}
		paths[path].(object)[strings.ToLower(rt.method)] = d.operation(rt, handlers[pattern], what)
	}
	for pattern := range said {
		t.Errorf("summaries describe %s, which is no route", pattern)
	}
	problem := d.schema(reflect.TypeFor[Problem](), false)
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Errand", "version": "1", "summary": "Runs commands on every machine you own.",
			"description": "Times are RFC 3339 in UTC, ids are text. Answers may gain members; requests with members that are not described here are refused.",
			"license":     object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"servers":  []any{object{"url": strings.TrimSuffix(prefix, "/")}},
		"security": []any{object{"key": []any{}}, object{"key": []any{}, "securityToken": []any{}}, object{"bearer": []any{}}, object{"login": []any{}}},
		"paths":    paths,
		"components": object{
			"schemas": d.schemas,
			"responses": object{"Problem": object{
				"description": "A problem (RFC 9457)", "headers": object{"X-Request-Id": object{"schema": object{"type": "string"}}},
				"content": object{"application/problem+json": object{"schema": problem}},
			}},
			"parameters": object{"IdempotencyKey": object{
				"name": keyHeader, "in": "header", "description": "Names this order: repeated within a day, it is not carried out again but gets the first answer.",
				"schema": object{"type": "string", "minLength": 1, "maxLength": maxKey},
			}},
			"securitySchemes": object{
				"key":           object{"type": "http", "scheme": "basic", "description": "Id and secret of an access key"},
				"securityToken": object{"type": "apiKey", "in": "header", "name": tokenHeader, "description": "Of a temporary key, beside its id and secret"},
				"bearer":        object{"type": "http", "scheme": "bearer", "description": "A bearer token, or the token of a login"},
				"login":         object{"type": "apiKey", "in": "cookie", "name": "__Host-errand", "description": "The login of a browser; it is called errand without TLS"},
			},
		},
	}
}

func (d *describer) operation(rt *route, handler string, what about) object {
	op := object{"operationId": handler, "summary": what.summary, "tags": []any{rt.shape[0]}}
	for _, verb := range strings.Fields(what.rights) {
		if !slices.ContainsFunc(verbs.Verbs(), func(v verbs.Verb) bool { return v.Name == verb }) {
			d.t.Errorf("%s: %s is no verb", rt.Name, verb)
		}
	}
	if what.rights != "" {
		op["x-rights"] = strings.Fields(what.rights)
		op["description"] = "Takes the right to " + strings.Join(strings.Fields(what.rights), " or ") + "."
	}
	if rt.open {
		op["security"] = []any{}
	}
	params, body := d.request(rt.Parameters)
	if rt.keyed != nil {
		params = append(params, object{"$ref": "#/components/parameters/IdempotencyKey"})
	}
	if len(params) > 0 {
		op["parameters"] = params
	}
	if body != nil {
		op["requestBody"] = body
	}
	kind, ok := media()[rt.Fields.Name()]
	content := object{}
	switch {
	case !ok:
		content["application/json"] = object{"schema": d.schema(rt.Fields, false)}
	case kind == "application/json":
		content[kind] = object{"schema": object{"type": "object"}}
	default:
		content[kind] = object{}
	}
	good := object{"description": cmp.Or(d.comment[rt.Fields.Name()], "Done"), "content": content}
	if rt.Fields == reflect.TypeFor[empty]() {
		good["description"] = "Done"
	}
	responses, problem := object{"200": good}, object{"$ref": "#/components/responses/Problem"}
	codes := []string{"400", "404", "429", "500"} // a listing may name what is not there
	if !rt.open {
		codes = append(codes, "401", "403", "409", "422")
	}
	if body != nil {
		codes = append(codes, "413")
	}
	for _, code := range codes {
		responses[code] = problem
	}
	op["responses"] = responses
	return op
}

// request takes a request structure apart into parameters and body.
func (d *describer) request(t reflect.Type) (params []any, body object) {
	inBody := false
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous || !f.IsExported() {
			continue
		}
		owner := ownerOf(t, f)
		path, query := f.Tag.Get("path"), f.Tag.Get("query")
		switch {
		case f.Tag.Get("body") == "raw":
			return params, object{"required": true, "content": object{"application/octet-stream": object{}}}
		case path != "":
			params = append(params, object{"name": path, "in": "path", "required": true, "schema": object{"type": "string"}})
		case query != "":
			p := object{"name": query, "in": "query", "schema": d.schema(f.Type, true)}
			if text := d.comment[owner+"."+f.Name]; text != "" {
				p["description"] = text
			}
			params = append(params, p)
		case f.Tag.Get("json") != "-" && f.Tag.Get("header") == "":
			inBody = true
		}
	}
	if !inBody {
		return params, nil
	}
	return params, object{"content": object{"application/json": object{"schema": d.schema(t, true)}}}
}

// ownerOf is the name of the structure that a field, possibly of an embedded structure, is written in.
func ownerOf(t reflect.Type, f reflect.StructField) string {
	for _, i := range f.Index[:len(f.Index)-1] {
		t = t.Field(i).Type
	}
	return t.Name()
}

// schema describes a type; named structures become components.
func (d *describer) schema(t reflect.Type, request bool) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[json.RawMessage]():
		return object{}
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return object{"type": "string", "contentEncoding": "base64"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return d.schema(t.Elem(), request)
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return object{"type": "integer", "minimum": 0}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.Interface:
		return object{}
	case reflect.Slice:
		return object{"type": "array", "items": d.schema(t.Elem(), request)}
	case reflect.Map:
		member := d.schema(t.Elem(), request)
		if t.Elem().Kind() == reflect.Pointer { // null takes one away
			member = orNull(member)
		}
		return object{"type": "object", "additionalProperties": member}
	case reflect.Struct:
		return d.component(t, request)
	}
	d.t.Errorf("nothing describes %s", t)
	return object{}
}

func (d *describer) component(t reflect.Type, request bool) object {
	name := t.Name()
	if name == "" {
		return d.structure(t, request)
	}
	name = string(unicode.ToUpper(rune(name[0]))) + name[1:]
	if request && unicode.IsUpper(rune(t.Name()[0])) {
		name += "Given" // of a type that answers have as well: requests need not have all of its members
	}
	ref := object{"$ref": "#/components/schemas/" + name}
	switch known := d.types[name]; {
	case known == nil:
		d.types[name] = t
		d.schemas[name] = object{} // of a type that contains itself
		d.schemas[name] = d.structure(t, request)
	case known != t:
		d.t.Errorf("%s and %s have the same name in the description", known, t)
	}
	return ref
}

func (d *describer) structure(t reflect.Type, request bool) object {
	s := object{"type": "object"}
	if text := d.comment[t.Name()]; text != "" {
		s["description"] = text
	}
	properties, required := object{}, []string{}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || !f.IsExported() || name == "-" || f.Tag.Get("path")+f.Tag.Get("query")+f.Tag.Get("header") != "" {
			continue
		}
		if name == "" {
			d.t.Errorf("%s.%s has no name in JSON", t, f.Name)
			continue
		}
		p := d.schema(f.Type, request)
		optional := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		if !request && !optional {
			required = append(required, name)
			if f.Type.Kind() == reflect.Pointer {
				p = orNull(p)
			}
		}
		if text := d.comment[ownerOf(t, f)+"."+f.Name]; text != "" {
			p["description"] = text
		}
		properties[name] = p
	}
	if len(properties) > 0 {
		s["properties"] = properties
	}
	if len(required) > 0 {
		slices.Sort(required)
		s["required"] = required
	}
	if request {
		s["additionalProperties"] = false
	}
	return s
}

func orNull(p object) object {
	if kind, ok := p["type"].(string); ok {
		p["type"] = []any{kind, "null"}
		return p
	}
	return object{"oneOf": []any{p, object{"type": "null"}}}
}

// comments are those of the package's types, and of their fields.
func comments(t *testing.T) map[string]string {
	t.Helper()
	m := map[string]string{}
	for _, file := range sources(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			decl, ok := n.(*ast.GenDecl)
			if !ok {
				return true
			}
			for _, spec := range decl.Specs {
				typ, ok := spec.(*ast.TypeSpec)
				if !ok {
					continue
				}
				m[typ.Name.Name] = sentence(decl.Doc, typ.Doc)
				fields, ok := typ.Type.(*ast.StructType)
				if !ok {
					continue
				}
				for _, f := range fields.Fields.List {
					for _, name := range f.Names {
						m[typ.Name.Name+"."+name.Name] = sentence(f.Doc, f.Comment)
					}
				}
			}
			return true
		})
	}
	return m
}

// sentence makes one text of comments.
func sentence(groups ...*ast.CommentGroup) string {
	for _, g := range groups {
		if text := strings.Join(strings.Fields(g.Text()), " "); text != "" {
			return text
		}
	}
	return ""
}

func sources(t *testing.T) []*ast.File {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var list []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, file)
	}
	return list
}

// handlerNames are the names of the routes' functions, by pattern; where two routes share one, the second has a longer name.
func handlerNames(t *testing.T) map[string]string {
	t.Helper()
	names, taken := map[string]string{}, map[string]bool{}
	for _, file := range sources(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			maker, ok := call.Fun.(*ast.Ident)
			if !ok || maker.Name != "do" && maker.Name != "open" || len(call.Args) < 2 {
				return true
			}
			pattern, ok := call.Args[0].(*ast.BasicLit)
			if !ok {
				return true
			}
			name := ""
			switch fn := call.Args[len(call.Args)-1].(type) {
			case *ast.SelectorExpr:
				name = fn.Sel.Name
			case *ast.Ident:
				name = fn.Name
			}
			text := strings.Trim(pattern.Value, `"`)
			if taken[name] {
				_, path, _ := strings.Cut(text, " ")
				head, _, _ := strings.Cut(path, "/")
				name += "Of" + strings.ToUpper(head[:1]) + head[1:]
			}
			taken[name], names[text] = true, name
			return true
		})
	}
	return names
}

// TestAnswersAreDescribed says for each answer that writes itself what it is.
func TestAnswersAreDescribed(t *testing.T) {
	t.Parallel()
	table := (&Dialect{}).table()
	known := media()
	for i := range table {
		rt := &table[i]
		if rt.keyed != nil {
			rt.Action = rt.keyed(nil)
		}
		_, own := known[rt.Fields.Name()]
		if writes := reflect.PointerTo(rt.Fields).Implements(reflect.TypeFor[answer]()); writes != own {
			t.Errorf("%s: writes itself %v, described as that %v", rt.Fields, writes, own)
		}
	}
	if len(slices.Collect(maps.Keys(known))) < 3 {
		t.Error("nothing is described")
	}
}
