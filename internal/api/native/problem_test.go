package native_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/scene"
	"errand/internal/core"
)

// TestProblems looks at refusals member by member.
func TestProblems(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Node("n")
	url := serve(t, s).URL + "/api/v1/"
	problem := func(status float64, code, detail string, errs ...any) map[string]any {
		title := strings.ReplaceAll(code, "_", " ")
		p := map[string]any{
			"type": "/api/v1/problems/" + code, "title": strings.ToUpper(title[:1]) + title[1:], "status": status, "code": code, "detail": detail,
		}
		if len(errs) > 0 {
			p["errors"] = errs
		}
		return p
	}
	field := func(name, detail, code string) any {
		return map[string]any{"field": name, "detail": detail, "code": code}
	}
	for _, tt := range []struct {
		name, method, path, body string
		want                     map[string]any
	}{
		{"unknown member", http.MethodPost, "invocations", `{"contents":"x"}`, problem(400, "parameter_unknown", `parameter "contents" is unknown`,
			field("contents", "no such parameter", "parameter_unknown"))},
		{"wrong type deep inside", http.MethodPost, "invocations", `{"content":"x","targets":["n"],"resources":{"nice":"x"}}`, problem(400, "parameter_invalid",
			`parameter "resources.nice" has the wrong type`, field("resources.nice", "has the wrong type", "parameter_invalid"))},
		{"bad parameter", http.MethodGet, "audit?limit=x", "", problem(400, "parameter_invalid", `parameter "limit" has the wrong type: want a number`,
			field("limit", "want a number", "parameter_invalid"))},
		{"bad page", http.MethodGet, "audit?limit=0&cursor=nonsense", "", problem(400, "cursor_invalid",
			"cursor: not a cursor of this listing with these parameters",
			field("cursor", "not a cursor of this listing with these parameters", "cursor_invalid"))},
		{"no JSON", http.MethodPost, "users", `{`, problem(400, "malformed", "the body is not a JSON object: unexpected EOF")},
		{"not there", http.MethodGet, "users/ann", "", problem(404, "access_object_not_found", "no user ann")},
		{"no such resource", http.MethodGet, "nonsense/x", "", problem(404, "no_such_resource", "no such resource")},
		{"no such method", http.MethodPut, "users/ann", "{}", problem(405, "method_not_allowed", "this resource has other methods: GET, PATCH, DELETE, HEAD")},
	} {
		code, got := call(t, url+tt.path, tt.method, tt.body, key)
		id, _ := got["request"].(string)
		if got["instance"] != "urn:uuid:"+id || len(id) != 36 {
			t.Errorf("%s: %v", tt.name, got)
		}
		delete(got, "instance")
		delete(got, "request")
		if diff := cmp.Diff(tt.want, got); diff != "" || float64(code) != tt.want["status"] {
			t.Errorf("%s: %d %s", tt.name, code, diff)
		}
	}
}

// TestMethods asks what methods a resource has.
func TestMethods(t *testing.T) {
	t.Parallel()
	url := serve(t, scene.New(t)).URL + "/api/v1/"
	for _, tt := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{http.MethodOptions, "users", http.StatusMethodNotAllowed, "GET, POST, HEAD"},
		{http.MethodDelete, "keys/x/rotate", http.StatusMethodNotAllowed, "POST"},
		{http.MethodHead, "users", http.StatusOK, ""},
		{http.MethodGet, "problems/throttled", http.StatusOK, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, url+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		key(req)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != tt.status || resp.Header.Get("Allow") != tt.allow {
			t.Errorf("%s %s: %d %q", tt.method, tt.path, resp.StatusCode, resp.Header.Get("Allow"))
		}
	}
	// Kinds of problems are explained to everybody, and to nobody that there are others.
	if code, kind := call(t, url+"problems/target_offline", http.MethodGet, "", nobody); code != http.StatusOK || kind["title"] != "Target offline" {
		t.Errorf("%d %v", code, kind)
	}
	if code, kind := call(t, url+"problems/nonsense", http.MethodGet, "", nobody); code != http.StatusNotFound {
		t.Errorf("%d %v", code, kind)
	}
	code, list := call(t, url+"problems", http.MethodGet, "", nobody)
	if kinds, _ := list["problems"].([]any); code != http.StatusOK || len(kinds) < core.NumReasons {
		t.Errorf("%d, %d kinds", code, len(kinds))
	}
}
