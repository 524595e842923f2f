package native_test

import (
	"net/http"
	"strings"
	"testing"

	"errand/internal/api/scene"
)

// TestSessions is the life of a terminal as its rows tell it; what goes on in it is told elsewhere.
func TestSessions(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Online(s.Node("n"))
	s.Node("away")
	root := serve(t, s).URL
	url := root + "/api/v1/"
	post := func(path, body string) (int, map[string]any) {
		return call(t, url+path, http.MethodPost, body, key)
	}
	code, v := post("sessions", `{"node":"n","command":"top","user":"me","rows":40,"cols":132,"idle_seconds":60,"record_input":true,"record":true}`)
	id, _ := v["id"].(string)
	if code != http.StatusOK || len(v["token"].(string)) != 64 || v["url"] != "ws"+strings.TrimPrefix(root, "http")+"/session?sessionId="+id {
		t.Fatalf("%d %v", code, v)
	}
	code, v = call(t, url+"sessions/"+id, http.MethodGet, "", key)
	if code != http.StatusOK || v["node"] != "n" || v["state"] != "connecting" || v["mode"] != "command" || v["by"] != "root" ||
		v["recorded"] != true || v["input_recorded"] != true || v["idle_seconds"] != 60.0 || v["limit_seconds"] != 43200.0 || v["ended_at"] != nil {
		t.Errorf("%d %v", code, v)
	}
	if code, v := post("sessions", `{"node":"away"}`); code != http.StatusOK { // whoever joins hears why there is no terminal
		t.Errorf("a node that is away: %d %v", code, v)
	}
	for _, path := range []string{"watch", "take"} {
		if code, v := post("sessions/"+id+"/"+path, ""); code != http.StatusOK || len(v["token"].(string)) < 40 {
			t.Errorf("%s: %d %v", path, code, v)
		}
	}
	for query, want := range map[string]int{"": 2, "?state=open": 1, "?state=ended": 1, "?node=n": 1, "?node=away&state=open": 0, "?node=nobody": 0} {
		code, v := call(t, url+"sessions"+query, http.MethodGet, "", key)
		if list, _ := v["sessions"].([]any); code != http.StatusOK || len(list) != want {
			t.Errorf("%s: %d, %d sessions", query, code, len(list))
		}
	}
	if code, v := call(t, url+"sessions/"+id, http.MethodDelete, "", key); code != http.StatusOK {
		t.Errorf("%d %v", code, v)
	}
	_, v = call(t, url+"sessions/"+id, http.MethodGet, "", key)
	if v["state"] != "terminated" || v["ended_at"] == nil || v["nodes"].([]any)[0].(map[string]any)["reason"] != "by_client" {
		t.Errorf("%v", v)
	}
	for _, tt := range []struct {
		method, path, body string
		want               int
		says               string
	}{
		{"POST", "sessions", `{}`, 400, "none named"},
		{"POST", "sessions", `{"node":"nobody"}`, 404, "no such node"},
		{"POST", "sessions", `{"node":"n","port":0}`, 400, "not a TCP port"},
		{"POST", "sessions", `{"node":"n","host":"db"}`, 400, "needed with a target"},
		{"POST", "sessions", `{"node":"n","port":22,"command":"x"}`, 400, "besides a port"},
		{"POST", "sessions", `{"node":"n","port":22,"record":true}`, 400, "not recorded"},
		{"POST", "sessions", `{"node":"n","record":false,"record_input":true}`, 400, "with the output"},
		{"POST", "sessions", `{"node":"n","rows":-1}`, 400, "no terminal"},
		{"POST", "sessions", `{"node":"n","cols":40000}`, 400, "no terminal"},
		{"POST", "sessions", `{"node":"n","idle_seconds":3601}`, 400, "1 to 3600"},
		{"POST", "sessions", `{"node":"n","limit_seconds":0}`, 400, "1 to 43200"},
		{"POST", "sessions", `{"node":"n","limit_seconds":9223372036854775807}`, 400, "1 to 43200"},
		{"POST", "sessions", `{"node":"n","user":"a\nb"}`, 400, "control"},
		{"GET", "sessions?state=new", "", 400, "open or ended"},
		{"GET", "sessions/x", "", 404, "no such session"},
		{"DELETE", "sessions/0000000000000000", "", 404, "no"},
		{"POST", "sessions/" + id + "/watch", "", 409, "is over"},
		{"POST", "sessions/" + id + "/take", "", 409, "is over"},
	} {
		code, v := call(t, url+tt.path, tt.method, tt.body, key)
		if detail, _ := v["detail"].(string); code != tt.want || !strings.Contains(detail, tt.says) {
			t.Errorf("%s %s %s: %d %v", tt.method, tt.path, tt.body, code, v)
		}
	}
}
