package native_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/scene"
	"errand/internal/core"
)

// TestSubscriptions goes through everything there is to do with one.
func TestSubscriptions(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	n := s.Node("n")
	s.Online(n)
	var answer atomic.Int32
	answer.Store(http.StatusInternalServerError)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(answer.Load())) }))
	defer hook.Close()
	url := serve(t, s).URL + "/api/v1/"
	do := func(method, path, body string, want int) map[string]any {
		t.Helper()
		code, answer := call(t, url+path, method, body, key)
		if code != want {
			t.Fatalf("%s %s %s: %d %v", method, path, body, code, answer)
		}
		return answer
	}
	// turn does what the server's loop would.
	turn := func() {
		t.Helper()
		claimed, err := s.Service.ClaimSubscriptions(t.Context(), 9)
		if err != nil || len(claimed) != 1 {
			t.Fatalf("%d claimed, %v", len(claimed), err)
		}
		if _, err := s.Service.Notify(t.Context(), claimed[0], func(d time.Duration) time.Duration { return d }); err != nil {
			t.Fatal(err)
		}
	}

	command := core.ID(1 << 40).String()
	made := do("POST", "subscriptions", `{"name":"a","url":"`+hook.URL+`","types":["errand.task.*"],"commands":["c-`+command+`"],"disabled":true}`, 200)
	secret, id := made["secret"].(string), made["id"].(string)
	if !strings.HasPrefix(secret, "whsec_") || made["enabled"] != false {
		t.Errorf("%v", made)
	}
	delete(made, "secret")
	one := "subscriptions/" + id
	if diff := cmp.Diff(made, do("GET", one, "", 200)); diff != "" {
		t.Errorf("made and shown (-made +shown):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"subscriptions": []any{made}}, do("GET", "subscriptions", "", 200)); diff != "" {
		t.Errorf("made and listed (-made +listed):\n%s", diff)
	}
	changed := do("PATCH", one, `{"name":"b","types":["errand.invocation.ended"],"commands":[],"batch":2,"enabled":true}`, 200)
	want := map[string]any{"name": "b", "types": []any{"errand.invocation.ended"}, "commands": []any{}, "batch": 2.0, "enabled": true, "url": hook.URL}
	for member, value := range want {
		if diff := cmp.Diff(value, changed[member]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", member, diff)
		}
	}
	if rotated := do("PATCH", one, `{"rotate_secret":true}`, 200); rotated["secret"] == secret || rotated["old_secret_until"] == nil {
		t.Errorf("%v", rotated)
	}
	if pong := do("POST", one+"/ping", "", 200); pong["status"] != 500.0 {
		t.Errorf("%v", pong)
	}

	v, err := s.Service.Run(t.Context(), s.Caller, core.RunSpec{
		Targets: []string{"n"}, Definition: core.Definition{Type: core.Shell, Content: []byte("x"), Timeout: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Exit(v.ID, n, 3, "", "")
	log := do("GET", "events?limit=3", "", 200)
	if events := log["events"].([]any); len(events) != 3 || log["next"] != 4.0 || events[2].(map[string]any)["exit_code"] != 3.0 {
		t.Errorf("%v", log)
	}
	if log = do("GET", "events?after=4", "", 200); len(log["events"].([]any)) != 1 {
		t.Errorf("%v", log)
	}
	turn()
	if failing := do("GET", one, "", 200); failing["last_error"] != "status 500" || failing["tries"] != 1.0 || failing["next_try"] == nil {
		t.Errorf("%v", failing)
	}
	s.Advance(24 * time.Hour)
	turn()
	dead := do("GET", one+"/dead", "", 200)["dead"].([]any)
	letter, _ := dead[0].(map[string]any)
	if len(dead) != 1 || letter["seq"] != 5.0 || letter["type"] != "errand.invocation.ended" || letter["tries"] != 2.0 || letter["error"] != "status 500" {
		t.Errorf("%v", dead)
	}
	for _, path := range []string{"/dead/5/replay", "/dead/replay"} {
		if again := do("POST", one+path, "", 200); again["again"] != 1.0 {
			t.Errorf("%v", again)
		}
		turn()
		answer.Store(http.StatusOK)
	}
	if shown := do("GET", one, "", 200); shown["dead"] != 0.0 || shown["delivered_at"] == nil {
		t.Errorf("%v", shown)
	}
	moment, _ := json.Marshal(s.Now().Add(-48 * time.Hour))
	for body, cursor := range map[string]float64{`{"from":2}`: 1, `{"from":` + string(moment) + `}`: 0, `{}`: 5} {
		if replayed := do("POST", one+"/replay", body, 200); replayed["cursor"] != cursor {
			t.Errorf("%s: %v", body, replayed)
		}
	}

	// What is refused.
	for _, r := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "subscriptions", `{}`, 400},
		{"POST", "subscriptions", `{"url":"` + hook.URL + `","commands":["x"]}`, 400},
		{"POST", "subscriptions", `{"url":"` + hook.URL + `","secret":"mine"}`, 400},
		{"PATCH", one, `{"commands":["x"]}`, 400},
		{"PATCH", one, `{"url":"gopher://x"}`, 400},
		{"POST", one + "/replay", `{"from":"yesterday"}`, 400},
		{"POST", one + "/replay", `{"from":0}`, 400},
		{"POST", one + "/replay", `{"from":1.5}`, 400},
		{"POST", one + "/replay", `{"from":true}`, 400},
		{"POST", one + "/dead/9/replay", "", 404},
		{"POST", one + "/dead/x/replay", "", 404},
		{"GET", "events?limit=1001", "", 400},
		{"GET", "subscriptions/x", "", 404},
		{"PATCH", "subscriptions/x", `{}`, 404},
		{"DELETE", "subscriptions/x", "", 404},
		{"POST", "subscriptions/x/ping", "", 404},
		{"POST", "subscriptions/x/replay", "", 404},
		{"GET", "subscriptions/x/dead", "", 404},
		{"POST", "subscriptions/x/dead/replay", "", 404},
		{"GET", "subscriptions/" + core.ID(7).String(), "", 404},
	} {
		do(r.method, r.path, r.body, r.want)
	}
	do("DELETE", one, "", 200)
	do("DELETE", one, "", 404)
}
