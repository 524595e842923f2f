package native_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// description is openapi.json, ready to hold calls against.
type description struct {
	mu       sync.Mutex
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
	doc      map[string]any
}

var theDescription = sync.OnceValues(func() (*description, error) {
	text, err := os.ReadFile("openapi.json")
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	d := &description{compiler: jsonschema.NewCompiler(), compiled: map[string]*jsonschema.Schema{}, doc: doc.(map[string]any)}
	d.compiler.AssertFormat()
	return d, d.compiler.AddResource("openapi.json", doc)
})

// described holds every call that a test makes against the API's description: what was sent, if it was taken, and what was answered.
func described(t *testing.T, next http.Handler) http.Handler {
	t.Helper()
	d, err := theDescription()
	if err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(sent))
		kept := &keeper{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(kept, r)
		if err := d.check(r, sent, kept); err != nil {
			t.Errorf("%s %s answers %d otherwise than openapi.json says: %v", r.Method, r.URL, kept.status, err)
		}
	})
}

// keeper keeps a copy of an answer that is JSON.
type keeper struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (k *keeper) Unwrap() http.ResponseWriter { return k.ResponseWriter }

func (k *keeper) WriteHeader(status int) {
	k.status = status
	k.ResponseWriter.WriteHeader(status)
}

func (k *keeper) Write(b []byte) (int, error) {
	if strings.HasSuffix(k.kind(), "json") {
		k.body.Write(b)
	}
	return k.ResponseWriter.Write(b)
}

func (k *keeper) kind() string {
	kind, _, _ := strings.Cut(k.Header().Get("Content-Type"), ";")
	return kind
}

// check compares a call with what is described.
func (d *description) check(r *http.Request, sent []byte, got *keeper) error {
	method := strings.ToLower(r.Method)
	if method == "head" {
		return nil
	}
	path, op := d.operation(method, strings.TrimPrefix(r.URL.EscapedPath(), "/api/v1"))
	if op == nil {
		if got.status == http.StatusOK {
			return fmt.Errorf("no such operation")
		}
		return d.schema("/components/schemas/Problem", got.body.Bytes())
	}
	here := "/paths/" + strings.ReplaceAll(path, "/", "~1") + "/" + method
	if got.status == http.StatusOK {
		known := map[string]bool{}
		list, _ := op["parameters"].([]any)
		for _, p := range list {
			if p := p.(map[string]any); p["in"] == "query" {
				known[p["name"].(string)] = true
			}
		}
		for name := range r.URL.Query() {
			if !known[name] {
				return fmt.Errorf("takes the parameter %s", name)
			}
		}
		body, _ := op["requestBody"].(map[string]any)
		switch {
		case len(sent) == 0:
		case body == nil && strings.TrimSpace(string(sent)) != "{}":
			return fmt.Errorf("takes a body")
		case body != nil && body["content"].(map[string]any)["application/json"] != nil:
			if err := d.schema(here+"/requestBody/content/application~1json/schema", sent); err != nil {
				return fmt.Errorf("takes another body: %w", err)
			}
		}
	}
	status := fmt.Sprint(got.status)
	responses := op["responses"].(map[string]any)
	response, ok := responses[status].(map[string]any)
	if !ok {
		return fmt.Errorf("this status is not described")
	}
	at := here + "/responses/" + status
	if ref, ok := response["$ref"].(string); ok {
		at = strings.TrimPrefix(ref, "#")
		response = d.doc["components"].(map[string]any)["responses"].(map[string]any)[at[strings.LastIndex(at, "/")+1:]].(map[string]any)
	}
	content, ok := response["content"].(map[string]any)[got.kind()].(map[string]any)
	if !ok {
		return fmt.Errorf("%q is not described", got.kind())
	}
	if content["schema"] == nil {
		return nil
	}
	return d.schema(at+"/content/"+strings.ReplaceAll(got.kind(), "/", "~1")+"/schema", got.body.Bytes())
}

// operation finds what is described of a method and a path. Fixed parts go before those in braces.
func (d *description) operation(method, path string) (string, map[string]any) {
	best, found := "", map[string]any(nil)
	for shape, item := range d.doc["paths"].(map[string]any) {
		want, have := strings.Split(shape, "/"), strings.Split(path, "/")
		fits := len(want) == len(have)
		for i := 0; fits && i < len(want); i++ {
			fits = want[i] == have[i] || strings.HasPrefix(want[i], "{") && have[i] != ""
		}
		op, ok := item.(map[string]any)[method].(map[string]any)
		if fits && ok && (found == nil || strings.Count(shape, "{") < strings.Count(best, "{")) {
			best, found = shape, op
		}
	}
	return best, found
}

// schema holds JSON against the schema at a place of the description.
func (d *description) schema(at string, text []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.compiled[at]
	if s == nil {
		var err error
		if s, err = d.compiler.Compile("openapi.json#" + strings.NewReplacer("{", "%7B", "}", "%7D").Replace(at)); err != nil {
			return err
		}
		d.compiled[at] = s
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(v)
}
