package native_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/scene"
)

// TestCommands stores a command, changes it, lists it and deletes it.
func TestCommands(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	url := serve(t, s).URL + "/api/v1/commands"
	code, made := call(t, url, http.MethodPost, `{"name":"greet","description":"say hello","content":"echo {{who}} {{tat-hidden:pin}}","user":"root","work_dir":"/tmp",
		"timeout_seconds":30,"defaults":{"who":"me","pin":"1234"},"tags":{"team":"a"},"launcher":"sh -e"}`, key)
	now := s.Now().UTC().Format(time.RFC3339Nano)
	want := map[string]any{
		"id": made["id"], "name": "greet", "description": "say hello", "type": "shell", "content": "echo {{who}} {{tat-hidden:pin}}", "user": "root",
		"work_dir": "/tmp", "launcher": "sh -e", "timeout_seconds": 30.0, "takes_params": true, "defaults": map[string]any{"who": "me"},
		"tags": map[string]any{"team": "a"}, "created_at": now, "updated_at": now, "runs": 0.0,
	}
	if diff := cmp.Diff(want, made); code != http.StatusOK || diff != "" {
		t.Fatalf("%d %s", code, diff)
	}
	one := url + "/" + made["id"].(string)
	if code, got := call(t, one, http.MethodGet, "", key); code != http.StatusOK || !cmp.Equal(made, got) {
		t.Errorf("%d %s", code, cmp.Diff(made, got))
	}
	if code, _ := call(t, url, http.MethodPost, `{"name":"greet","content":"true"}`, key); code != http.StatusConflict {
		t.Errorf("a name that is taken: %d", code)
	}
	code, got := call(t, one, http.MethodPatch, `{"content":"echo hi","timeout_seconds":60,"description":"","defaults":{}}`, key)
	if code != http.StatusOK || got["content"] != "echo hi" || got["timeout_seconds"] != 60.0 || got["description"] != nil || got["user"] != "root" {
		t.Errorf("%d %v", code, got)
	}
	if code, got := call(t, url, http.MethodPost, `{"name":"win","type":"powershell","content":"Get-Date"}`, key); code != http.StatusOK || got["timeout_seconds"] != 60.0 {
		t.Errorf("%d %v", code, got)
	}
	for query, n := range map[string]int{"": 2, "?name=greet": 1, "?name=gree": 0, "?type=powershell": 1, "?type=shell&type=powershell": 2, "?limit=1": 1} {
		if code, got := call(t, url+query, http.MethodGet, "", key); code != http.StatusOK || len(got["commands"].([]any)) != n {
			t.Errorf("%q: %d %v", query, code, got)
		}
	}
	for body, status := range map[string]int{
		`{"content":"true"}`: 400, `{"name":"x"}`: 400, `{"name":"x","content":"true","type":"python"}`: 400, `{"name":"x","content":"true","timeout_seconds":0}`: 200,
		`{"name":"y","content":"true","timeout_seconds":-1}`: 400, `{"name":"` + strings.Repeat("n", 129) + `","content":"true"}`: 400,
		`{"name":"y","content":"true","tags":["a"]}`: 400,
	} {
		if code, got := call(t, url, http.MethodPost, body, key); code != status {
			t.Errorf("%.100s: %d %v", body, code, got)
		}
	}
	if code, got := call(t, one, http.MethodDelete, "", key); code != http.StatusOK {
		t.Errorf("%d %v", code, got)
	}
	for _, method := range []string{http.MethodGet, http.MethodPatch, http.MethodDelete} {
		for _, id := range []string{made["id"].(string), "nonsense"} {
			body := ""
			if method == http.MethodPatch {
				body = `{"user":"root"}`
			}
			if code, _ := call(t, url+"/"+id, method, body, key); code != http.StatusNotFound {
				t.Errorf("%s of what is not there: %d", method, code)
			}
		}
	}
}

// TestSchedules makes a schedule in a zone, asks when it fires, and changes, pauses and deletes it.
func TestSchedules(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Online(s.Node("a"), s.Node("b"))
	root := serve(t, s).URL + "/api/v1/"
	_, stored := call(t, root+"commands", http.MethodPost, `{"name":"greet","content":"echo {{who}} {{tat-hidden:pin}}","takes_params":true,"defaults":{"pin":"0"}}`, key)
	id := stored["id"].(string)
	body := `{"name":"daily","command":"` + id + `","crontab":"30 3 * * *","zone":"Europe/Berlin","target":"all","exclude":"b","params":{"who":"me","pin":"1"},"queue_seconds":60}`
	code, made := call(t, root+"schedules", http.MethodPost, body, key)
	now := s.Now().UTC().Format(time.RFC3339Nano)
	want := map[string]any{
		"id": made["id"], "name": "daily", "command": id, "crontab": "30 3 * * *", "zone": "Europe/Berlin", "enabled": true, "next": made["next"],
		"targets": []any{"a"}, "params": map[string]any{"who": "me", "pin": "****"}, "queue_seconds": 60.0, "origin": "native", "by": "root", "created_at": now, "updated_at": now,
	}
	if diff := cmp.Diff(want, made); code != http.StatusOK || diff != "" {
		t.Fatalf("%d %v %s", code, made, diff)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	next, err := time.Parse(time.RFC3339, made["next"].(string))
	if got := next.In(berlin); err != nil || got.Hour() != 3 || got.Minute() != 30 {
		t.Errorf("%v %v", next, err)
	}
	one := root + "schedules/" + made["id"].(string)
	code, moments := call(t, root+"schedules/preview", http.MethodPost, `{"id":"`+made["id"].(string)+`","count":3}`, key)
	if list := moments["moments"].([]any); code != http.StatusOK || len(list) != 3 || list[0] != made["next"] {
		t.Errorf("%d %v", code, moments)
	}
	if code, got := call(t, one, http.MethodPatch, `{"enabled":false}`, key); code != http.StatusOK || got["enabled"] != false || got["next"] != nil {
		t.Errorf("%d %v", code, got)
	}
	code, got := call(t, one, http.MethodPatch, `{"enabled":true,"name":"later","trigger":{"at":"2100-01-01T00:00:00Z"},"targets":["a","b"],"params":{"who":"you"}}`, key)
	if code != http.StatusOK || got["next"] != "2100-01-01T00:00:00Z" || got["at"] != "2100-01-01T00:00:00Z" || got["crontab"] != nil || len(got["targets"].([]any)) != 2 {
		t.Errorf("%d %v", code, got)
	}
	if code, got := call(t, root+"schedules?command="+id, http.MethodGet, "", key); code != http.StatusOK || len(got["schedules"].([]any)) != 1 {
		t.Errorf("%d %v", code, got)
	}
	if code, got := call(t, one+"/firings", http.MethodGet, "", key); code != http.StatusOK || len(got["firings"].([]any)) != 0 {
		t.Errorf("%d %v", code, got)
	}
	if code, _ := call(t, root+"commands/"+id, http.MethodDelete, "", key); code != http.StatusConflict {
		t.Errorf("a command that a schedule needs goes: %d", code)
	}
	for body, status := range map[string]int{
		`{"command":"` + id + `","target":"a","params":{"who":"x"}}`:                                                                 400,
		`{"command":"` + id + `","target":"a","params":{"who":"x"},"crontab":"* * * *"}`:                                             400,
		`{"command":"` + id + `","target":"a","params":{"who":"x"},"crontab":"CRON_TZ=UTC * * * * *"}`:                               400,
		`{"command":"` + id + `","target":"a","params":{"who":"x"},"crontab":"* * * * *","zone":"Nowhere"}`:                          400,
		`{"command":"` + id + `","target":"a","params":{"who":"x"},"crontab":"* * * * *","zone":"Local"}`:                            400,
		`{"command":"` + id + `","target":"a","params":{"who":"x"},"crontab":"* * * * *","at":"2100-01-01T00:00:00Z"}`:               400,
		`{"command":"` + id + `","target":"a","params":{"who":"x"},"at":"2000-01-01T00:00:00Z"}`:                                     400,
		`{"command":"` + id + `","target":"a","params":{"who":"x"},"at":"2100-01-01T00:00:00Z","zone":"UTC"}`:                        400,
		`{"command":"` + id + `","target":"nobody","params":{"who":"x"},"crontab":"* * * * *"}`:                                      404,
		`{"command":"` + id + `","target":"role=none","params":{"who":"x"},"crontab":"* * * * *"}`:                                   404,
		`{"command":"` + id + `","target":"a","targets":["b"],"params":{"who":"x"},"crontab":"* * * * *"}`:                           400,
		`{"command":"` + id + `","target":"a","crontab":"* * * * *"}`:                                                                400,
		`{"command":"nonsense","target":"a","crontab":"* * * * *"}`:                                                                  404,
		`{"command":"` + id + `","target":"a","params":{"who":"x"},"crontab":"0 0 1 1 *","name":"` + strings.Repeat("n", 129) + `"}`: 400,
	} {
		if code, got := call(t, root+"schedules", http.MethodPost, body, key); code != status {
			t.Errorf("%s: %d %v", body, code, got)
		}
	}
	for _, count := range []string{"-1", "101"} {
		if code, _ := call(t, root+"schedules/preview", http.MethodPost, `{"crontab":"* * * * *","count":`+count+`}`, key); code != http.StatusBadRequest {
			t.Errorf("%s moments: %d", count, code)
		}
	}
	if code, _ := call(t, one, http.MethodDelete, "", key); code != http.StatusOK {
		t.Errorf("%d", code)
	}
	if code, _ := call(t, one, http.MethodGet, "", key); code != http.StatusNotFound {
		t.Errorf("%d", code)
	}
}
