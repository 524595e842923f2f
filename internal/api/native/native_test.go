package native_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api"
	"errand/internal/api/native"
	"errand/internal/api/scene"
)

func serve(t *testing.T, s *scene.Scene) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(described(t, &api.Server{
		Dialects: []api.Dialect{native.New(s.Env())}, Now: s.Now, Log: slog.New(slog.DiscardHandler),
	}))
	t.Cleanup(server.Close)
	return server
}

// call sends a request and decodes the answer, whatever it is.
func call(t *testing.T, url, method, body string, auth func(*http.Request)) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	auth(req)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if kind := resp.Header.Get("Content-Type"); (resp.StatusCode == http.StatusOK) != (kind == "application/json") || resp.Header.Get("X-Request-Id") == "" {
		t.Errorf("%d is %s", resp.StatusCode, kind)
	}
	return resp.StatusCode, answer
}

func key(req *http.Request)    { req.SetBasicAuth(scene.Key, scene.Secret) }
func nobody(req *http.Request) {}

func TestInvocation(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	n := s.Node("n")
	url := serve(t, s).URL + "/api/v1/"
	code, v := call(t, url+"invocations", http.MethodPost, `{"content":"true","targets":["n"],"timeout_seconds":5,"user":"root","work_dir":"/"}`, key)
	if code != http.StatusOK || v["open"] != 1.0 || v["states"].(map[string]any)["queued"] != 1.0 {
		t.Fatalf("%d %v", code, v)
	}
	id, ok := api.InvocationID(v["id"].(string))
	if !ok {
		t.Fatalf("id %v", v["id"])
	}
	s.Exit(id, n, 0, "", "")
	code, v = call(t, url+"invocations/"+id.String(), http.MethodGet, "", key)
	if code != http.StatusOK || v["open"] != 0.0 || v["states"].(map[string]any)["succeeded"] != 1.0 || v["ended_at"] == nil {
		t.Errorf("%d %v", code, v)
	}
}

func TestRegistrationCode(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	url := serve(t, s).URL + "/api/v1/registration-codes"
	code, r := call(t, url, http.MethodPost, `{"limit":3,"description":"lab","name_prefix":"web","valid_seconds":90,
		"networks":["10.1.2.3/8","192.0.2.1"],"tags":{"role":"web","zone":"a"}}`, key)
	if code != http.StatusOK || len(r["code"].(string)) != 40 {
		t.Fatalf("%d %v", code, r)
	}
	id, now := r["id"].(string), s.Now().UTC()
	want := map[string]any{
		"id": id, "description": "lab", "name_prefix": "web", "limit": 3.0, "registered": 0.0, "deregistered": 0.0,
		"networks": []any{"10.0.0.0/8", "192.0.2.1/32"}, "tags": map[string]any{"role": "web", "zone": "a"}, "disabled": false, "usable": true,
		"created_at": now.Format(time.RFC3339Nano), "expires_at": now.Add(90 * time.Second).Format(time.RFC3339Nano),
	}
	delete(r, "code")
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
	if code, r = call(t, url, http.MethodPost, ``, key); code != http.StatusOK || r["limit"] != 1.0 ||
		r["expires_at"] != now.Add(4*time.Hour).Format(time.RFC3339Nano) {
		t.Errorf("%d %v", code, r)
	}

	_, page := call(t, url+"?limit=1", http.MethodGet, "", key)
	if codes := page["registration_codes"].([]any); len(codes) != 1 || codes[0].(map[string]any)["id"] != r["id"] {
		t.Errorf("%v", page)
	}
	_, page = call(t, url+"?limit=1&cursor="+page["next"].(string), http.MethodGet, "", key)
	if diff := cmp.Diff([]any{want}, page["registration_codes"]); diff != "" || page["next"] != nil {
		t.Errorf("%v %s", page["next"], diff)
	}

	want["disabled"], want["usable"] = true, false
	code, r = call(t, url+"/"+id+"/revoke", http.MethodPost, "", key)
	if diff := cmp.Diff(want, r); code != http.StatusOK || diff != "" {
		t.Errorf("%d %s", code, diff)
	}
}

func TestRegistrationCodeRefusals(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	url := serve(t, s).URL + "/api/v1/registration-codes"
	long := strings.Repeat("x", 257)
	for body, field := range map[string]string{
		`{"limit":-1}`:                  "limit",
		`{"limit":1000001}`:             "limit",
		`{"hours":-1}`:                  "hours",
		`{"hours":8761}`:                "hours",
		`{"hours":1,"valid_seconds":1}`: "hours",
		`{"valid_seconds":-1}`:          "valid_seconds",
		`{"valid_seconds":31536001}`:    "valid_seconds",
		`{"networks":["10.0.0.0/33"]}`:  "networks",
		`{"name_prefix":"a\nb"}`:        "name_prefix",
		`{"tags":{"acs:reserved":"x"}}`: "acs:",
		`{"networks":[` + strings.Repeat(`"192.0.2.1",`, 100) + `"192.0.2.1"]}`: "networks",
		`{"tags":["x"]}`:                 "tags",
		`{"tags":{"n":1}}`:               "tags",
		`{"description":"` + long + `"}`: "description",
		`{"name_prefix":"` + long + `"}`: "name_prefix",
		`{"tags":{"` + long + `":"x"}}`:  "tag",
	} {
		if code, r := call(t, url, http.MethodPost, body, key); code != http.StatusBadRequest || !strings.Contains(r["detail"].(string), field) {
			t.Errorf("%.60s: %d %v", body, code, r)
		}
	}
	for _, id := range []string{"nonsense", "0000000000000000"} {
		if code, r := call(t, url+"/"+id+"/revoke", http.MethodPost, "", key); code != http.StatusNotFound {
			t.Errorf("%s: %d %v", id, code, r)
		}
	}
	if code, r := call(t, url+"?limit=1001", http.MethodGet, "", key); code != http.StatusBadRequest {
		t.Errorf("%d %v", code, r)
	}
}

func TestBearer(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Node("n")
	token, err := s.Service.CreateBearer(t.Context(), scene.Account, "root")
	if err != nil {
		t.Fatal(err)
	}
	bearer := func(req *http.Request) { req.Header.Set("Authorization", "Bearer "+token) }
	if code, v := call(t, serve(t, s).URL+"/api/v1/invocations", http.MethodPost, `{"content":"true","targets":["n"]}`, bearer); code != http.StatusOK {
		t.Errorf("%d %v", code, v)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Node("n")
	url := serve(t, s).URL + "/api/v1/"
	wrong := func(req *http.Request) { req.SetBasicAuth(scene.Key, "wrong") }
	unknown := func(req *http.Request) { req.SetBasicAuth("nobody", scene.Secret) }
	token := func(req *http.Request) { req.Header.Set("Authorization", "Bearer nothing") }
	const good = `{"content":"true","targets":["n"]}`
	tests := []struct {
		name, method, path, body string
		auth                     func(*http.Request)
		want                     int
	}{
		{"no key", http.MethodPost, "invocations", good, nobody, 401},
		{"wrong secret", http.MethodPost, "invocations", good, wrong, 401},
		{"unknown key", http.MethodPost, "invocations", good, unknown, 401},
		{"unknown token", http.MethodPost, "invocations", good, token, 401},
		{"unknown noun", http.MethodGet, "nonsense", "", key, 404},
		{"wrong method", http.MethodDelete, "invocations", "", key, 405},
		{"unknown id", http.MethodGet, "invocations/zzz", "", key, 404},
		{"malformed", http.MethodPost, "invocations", `{"content":`, key, 400},
		{"unknown member", http.MethodPost, "invocations", `{"contents":"x"}`, key, 400},
		{"wrong type", http.MethodPost, "invocations", `{"content":1}`, key, 400},
		{"no content", http.MethodPost, "invocations", `{"targets":["n"]}`, key, 400},
		{"no targets", http.MethodPost, "invocations", `{"content":"true"}`, key, 400},
		{"bad limit", http.MethodPost, "invocations", `{"content":"true","targets":["n"],"resources":{"cpu_millicores":5}}`, key, 400},
		{"unknown limit", http.MethodPost, "invocations", `{"content":"true","targets":["n"],"resources":{"gpu":5}}`, key, 400},
		{"unknown target", http.MethodPost, "invocations", `{"content":"true","targets":["n","m"]}`, key, 404},
		{"negative timeout", http.MethodPost, "invocations", `{"content":"true","targets":["n"],"timeout_seconds":-1}`, key, 400},
		{"too large", http.MethodPost, "invocations", string(bytes.Repeat([]byte(" "), 8<<20+1)), key, 413},
		{"too large for anything else", http.MethodPost, "policies/explain", string(bytes.Repeat([]byte(" "), api.MaxBody+1)), key, 413},
		{"too large from nobody", http.MethodPost, "invocations", string(bytes.Repeat([]byte(" "), api.MaxBody+1)), nobody, 413},
	}
	for _, tt := range tests {
		if code, answer := call(t, url+tt.path, tt.method, tt.body, tt.auth); code != tt.want || answer["status"] != float64(tt.want) {
			t.Errorf("%s: %d %v", tt.name, code, answer)
		}
	}
}
