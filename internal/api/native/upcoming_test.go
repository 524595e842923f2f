package native_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/scene"
	"errand/internal/core"
)

// TestUpcoming merges what the server and what nodes carry out.
func TestUpcoming(t *testing.T) {
	t.Parallel()
	s := scene.New(t) // at 05:41:40
	s.Node("n")
	url := serve(t, s).URL + "/api/v1/"
	cmd, err := s.Service.CreateCommand(t.Context(), s.Caller, core.CommandSpec{Definition: core.Definition{Name: "c", Type: core.Shell, Content: []byte("true"), Timeout: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	code, sched := call(t, url+"schedules", http.MethodPost, `{"name":"sched","command":"`+cmd.ID.String()+`","crontab":"0 * * * *","targets":["n"]}`, key)
	if code != http.StatusOK {
		t.Fatalf("%d %v", code, sched)
	}
	code, standing := call(t, url+"invocations", http.MethodPost, `{"content":"true","targets":["n"],"frequency":"0 30 7 * * ?","name":"stand"}`, key)
	if code != http.StatusOK {
		t.Fatalf("%d %v", code, standing)
	}
	call(t, url+"invocations", http.MethodPost, `{"content":"true","targets":["n"],"repeat":"each_reboot"}`, key)
	item := func(at, kind, id, name string) map[string]any {
		m := map[string]any{"at": at, "kind": kind, "id": id, "name": name, "by": "root", "nodes": 1.0}
		if kind == "standing" {
			m["local_zone"] = true
		}
		return m
	}
	a, b := sched["id"].(string), standing["id"].(string)
	want := []any{
		item("2026-11-22T06:00:00Z", "schedule", a, "sched"), item("2026-11-22T07:00:00Z", "schedule", a, "sched"),
		item("2026-11-22T07:30:00Z", "standing", b, "stand"), item("2026-11-22T08:00:00Z", "schedule", a, "sched"),
	}
	code, page := call(t, url+"upcoming?until=2026-11-22T08:15:00Z", http.MethodGet, "", key)
	if diff := cmp.Diff(want, page["upcoming"]); code != http.StatusOK || diff != "" {
		t.Errorf("%d %s", code, diff)
	}
	_, page = call(t, url+"upcoming?limit=3", http.MethodGet, "", key)
	if diff := cmp.Diff(want[:3], page["upcoming"]); diff != "" {
		t.Error(diff)
	}
	if _, page = call(t, url+"upcoming", http.MethodGet, "", key); len(page["upcoming"].([]any)) != 100 {
		t.Errorf("%d", len(page["upcoming"].([]any)))
	}
	for _, query := range []string{"until=soon", "limit=1001", "limit=-1"} {
		if code, answer := call(t, url+"upcoming?"+query, http.MethodGet, "", key); code != http.StatusBadRequest {
			t.Errorf("%s: %d %v", query, code, answer)
		}
	}
}

// TestRevise changes what repeats, and nothing that does not.
func TestRevise(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Node("n")
	s.Node("m")
	url := serve(t, s).URL + "/api/v1/invocations"
	_, made := call(t, url, http.MethodPost, `{"content":"echo {{x}}","params":{"x":"1"},"targets":["n"],"frequency":"rate(600s)"}`, key)
	one := url + "/" + made["id"].(string)
	code, v := call(t, one+"/revise", http.MethodPost, `{"frequency":"rate(1200s)","targets":["m"]}`, key)
	if code != http.StatusOK || v["schedule"].(map[string]any)["frequency"] != "rate(1200s)" || v["tasks"] != 2.0 || v["params"].(map[string]any)["x"] != "1" {
		t.Errorf("%d %v", code, v)
	}
	if next := v["schedule"].(map[string]any)["next"].([]any); len(next) != 5 || next[0] != s.Now().Add(20*time.Minute).Format(time.RFC3339Nano) {
		t.Errorf("%v", next)
	}
	code, v = call(t, one+"/revise", http.MethodPost, `{"content":"echo {{x}}{{y}}","params":{"x":"1","y":"2"}}`, key)
	if code != http.StatusOK || v["content"] != "echo {{x}}{{y}}" {
		t.Errorf("%d %v", code, v)
	}
	if code, v = call(t, one+"/revise", http.MethodPost, `{"content":"echo {{z}}"}`, key); code != http.StatusBadRequest {
		t.Errorf("a parameter without a value: %d %v", code, v)
	}
	if code, v = call(t, one+"/revise", http.MethodPost, `{"frequency":"never"}`, key); code != http.StatusBadRequest {
		t.Errorf("%d %v", code, v)
	}
	_, once := call(t, url, http.MethodPost, `{"content":"true","targets":["n"]}`, key)
	if code, v = call(t, url+"/"+once["id"].(string)+"/revise", http.MethodPost, `{"content":"false"}`, key); code != http.StatusConflict {
		t.Errorf("%d %v", code, v)
	}
}
