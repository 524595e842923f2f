package native_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api"
	"errand/internal/api/scene"
	"errand/internal/core"
)

// TestRunOfEverything orders what there is to order and reads it back.
func TestRunOfEverything(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Node("n")
	url := serve(t, s).URL + "/api/v1/"
	code, made := call(t, url+"invocations", http.MethodPost, `{"content":"echo {{who}}","params":{"who":"me"},"targets":["n"],
		"name":"greet","reason":"ticket 7","tags":{"team":"a"},"launcher":"python3 -u","user":"root","work_dir":"/tmp",
		"timeout_seconds":30,"queue_seconds":3600}`, key)
	if code != http.StatusOK {
		t.Fatalf("%d %v", code, made)
	}
	want := map[string]any{
		"id": made["id"], "name": "greet", "reason": "ticket 7", "kind": "once", "origin": "native", "by": "root", "type": "shell",
		"content": "echo {{who}}", "params": map[string]any{"who": "me"}, "launcher": "python3 -u", "user": "root", "work_dir": "/tmp",
		"tags": map[string]any{"team": "a"}, "timeout_seconds": 30.0, "queue_seconds": 3600.0, "created_at": s.Now().UTC().Format(time.RFC3339Nano),
		"tasks": 1.0, "open": 1.0, "states": map[string]any{"queued": 1.0},
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Error(diff)
	}
	id, _ := api.InvocationID(made["id"].(string))
	if code, shown := call(t, url+"invocations/"+id.String(), http.MethodGet, "", key); code != http.StatusOK || !cmp.Equal(made, shown) {
		t.Errorf("%d %s", code, cmp.Diff(made, shown))
	}
	if v, err := s.Service.Invocation(t.Context(), s.Caller, id); err != nil || string(v.Script) != "echo me" {
		t.Errorf("script %q, %v", v.Script, err)
	}
	code, task := call(t, url+"tasks/nonsense", http.MethodGet, "", key)
	if code != http.StatusNotFound {
		t.Errorf("%d %v", code, task)
	}
	name := core.TaskID{Invocation: id}.String()
	code, task = call(t, url+"tasks/"+name, http.MethodGet, "", key)
	timeline := []any{
		map[string]any{"what": "accepted", "at": made["created_at"]}, map[string]any{"what": "queued", "at": made["created_at"]},
	}
	if diff := cmp.Diff(timeline, task["timeline"]); code != http.StatusOK || task["node"] != "n" || task["invocation"] != id.String() || diff != "" {
		t.Errorf("%d %v %s", code, task, diff)
	}
}

// TestStoredCommandAsRun runs a stored command with other values and another name.
func TestStoredCommandAsRun(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Node("n")
	cmd, err := s.Service.CreateCommand(t.Context(), s.Caller, core.CommandSpec{Definition: core.Definition{
		Name: "stored", Type: core.Shell, Content: []byte("sleep {{seconds}}; echo {{tat-hidden:word}}"), ParamsEnabled: true, Timeout: time.Minute, User: "nobody",
		Defaults: map[string]string{"seconds": "1"},
	}, Limits: core.Limits{MinTimeout: time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	url := serve(t, s).URL + "/api/v1/invocations"
	code, made := call(t, url, http.MethodPost, fmt.Sprintf(`{"command":%q,"params":{"word":"secret"},"targets":["n"],"user":"root","name":"mine"}`, cmd.ID), key)
	if code != http.StatusOK || made["command"] != cmd.ID.String() || made["user"] != "root" || made["name"] != "mine" || made["timeout_seconds"] != 60.0 || made["params"] != nil {
		t.Fatalf("%d %v", code, made)
	}
	for body, status := range map[string]int{
		fmt.Sprintf(`{"command":%q,"targets":["n"],"params":{"word":"x"},"content":"true"}`, cmd.ID): 400,
		fmt.Sprintf(`{"command":%q,"targets":["n"]}`, cmd.ID):                                        400,
		`{"command":"nonsense","targets":["n"]}`:                                                     404,
		`{"command":"0000000000000000","targets":["n"]}`:                                             404,
		`{"content":"true","targets":["n"],"type":"fish"}`:                                           400,
		`{"content":"true","targets":["n"],"type":"bat"}`:                                            400,
		`{"content":"true","targets":["n"],"queue_seconds":-1}`:                                      400,
		`{"content":"true","targets":["n"],"queue_seconds":7776001}`:                                 400,
		`{"content":"true","targets":["n"],"reason":"a\nb"}`:                                         400,
		`{"content":"true","targets":["n"],"name":"` + strings.Repeat("x", 129) + `"}`:               400,
		`{"content":"true","targets":["n"],"tags":{"a":1}}`:                                          400,
	} {
		if code, answer := call(t, url, http.MethodPost, body, key); code != status {
			t.Errorf("%.80s: %d %v", body, code, answer)
		}
	}
}

// TestNoWaiting ends tasks at once whose nodes are offline, if the caller does not want to wait.
func TestNoWaiting(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Node("away")
	s.Online(s.Node("here"))
	url := serve(t, s).URL + "/api/v1/invocations"
	code, made := call(t, url, http.MethodPost, `{"content":"true","targets":["here","away"],"queue_seconds":0}`, key)
	if diff := cmp.Diff(map[string]any{"delivering": 1.0, "delivery_failed": 1.0}, made["states"]); code != http.StatusOK || made["queue_seconds"] != 0.0 || diff != "" {
		t.Errorf("%d %v %s", code, made, diff)
	}
	if _, shown := call(t, url+"/"+made["id"].(string), http.MethodGet, "", key); shown["queue_seconds"] != 0.0 {
		t.Errorf("%v", shown)
	}
	code, page := call(t, url+"/"+made["id"].(string)+"/tasks?state=failed", http.MethodGet, "", key)
	if tasks := page["tasks"].([]any); code != http.StatusOK || len(tasks) != 1 || tasks[0].(map[string]any)["cause"] != "agent_offline" {
		t.Errorf("%d %v", code, page)
	}
	for query, want := range map[string]int{"state=open": 1, "state=delivering&state=delivery_failed": 2, "node=away": 1, "node=nowhere": 0, "state=ended&node=here": 0} {
		if _, page := call(t, url+"/"+made["id"].(string)+"/tasks?"+query, http.MethodGet, "", key); len(page["tasks"].([]any)) != want {
			t.Errorf("%s: %v", query, page)
		}
	}
	if code, answer := call(t, url+"/"+made["id"].(string)+"/tasks?state=strange", http.MethodGet, "", key); code != http.StatusBadRequest {
		t.Errorf("%d %v", code, answer)
	}
}

func TestListInvocations(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	n := s.Node("n")
	s.Node("m")
	url := serve(t, s).URL + "/api/v1/invocations"
	var ids []string
	for i, body := range []string{
		`{"content":"true","targets":["n"],"name":"first"}`,
		`{"content":"true","targets":["n","m"]}`,
		`{"content":"true","targets":["m"],"frequency":"rate(60s)","name":"first"}`,
	} {
		code, made := call(t, url, http.MethodPost, body, key)
		if code != http.StatusOK {
			t.Fatalf("%d %v", code, made)
		}
		ids = append(ids, made["id"].(string))
		if i == 0 {
			id, _ := api.InvocationID(ids[0])
			s.Exit(id, n, 1, "", "")
		}
		s.Advance(time.Minute)
	}
	since := s.Now().Add(-2 * time.Minute).Format(time.RFC3339Nano)
	for query, want := range map[string][]int{
		"":                       {2, 1, 0},
		"state=open":             {2, 1},
		"state=ended":            {0},
		"state=failed":           {0},
		"name=first":             {2, 0},
		"name=first&state=ended": {0},
		"by=root":                {2, 1, 0},
		"by=alice":               {},
		"node=n":                 {1, 0},
		"node=n&state=open":      {1},
		"node=nowhere":           {},
		"origin=native":          {2, 1, 0},
		"origin=tat":             {},
		"kind=standing":          {2},
		"kind=once&kind=file":    {1, 0},
		"since=" + since:         {2, 1},
	} {
		var got []string
		for cursor := ""; ; {
			code, page := call(t, url+"?limit=2&"+query+"&cursor="+cursor, http.MethodGet, "", key)
			if code != http.StatusOK {
				t.Fatalf("%s: %d %v", query, code, page)
			}
			for _, v := range page["invocations"].([]any) {
				got = append(got, v.(map[string]any)["id"].(string))
			}
			if cursor, _ = page["next"].(string); cursor == "" {
				break
			}
		}
		var expected []string
		for _, i := range want {
			expected = append(expected, ids[i])
		}
		if diff := cmp.Diff(expected, got); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
	for _, query := range []string{"state=strange", "kind=strange", "since=yesterday", "command=nonsense", "limit=0x", "unknown=1"} {
		if code, answer := call(t, url+"?"+query, http.MethodGet, "", key); code != http.StatusBadRequest {
			t.Errorf("%s: %d %v", query, code, answer)
		}
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Node("n")
	s.Node("m")
	url := serve(t, s).URL + "/api/v1/invocations"
	_, made := call(t, url, http.MethodPost, `{"content":"true","targets":["n","m"]}`, key)
	one := url + "/" + made["id"].(string) + "/cancel"
	code, v := call(t, one, http.MethodPost, `{"nodes":["m"]}`, key)
	if diff := cmp.Diff(map[string]any{"queued": 1.0, "cancelled": 1.0}, v["states"]); code != http.StatusOK || diff != "" {
		t.Errorf("%d %s", code, diff)
	}
	for range 2 { // the second time there is nothing left to do
		if code, v = call(t, one, http.MethodPost, "", key); code != http.StatusOK || v["open"] != 0.0 {
			t.Errorf("%d %v", code, v)
		}
	}
	if code, v = call(t, one, http.MethodPost, `{"nodes":["x"]}`, key); code != http.StatusNotFound {
		t.Errorf("%d %v", code, v)
	}
	if code, v = call(t, url+"/nonsense/cancel", http.MethodPost, "", key); code != http.StatusNotFound {
		t.Errorf("%d %v", code, v)
	}
}

// TestManyTargets names more nodes than fit into the body of any vendor's request; that one of them is unknown shows that all were read.
func TestManyTargets(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	url := serve(t, s).URL + "/api/v1/invocations"
	ids := make([]string, 50_000)
	for i := range ids {
		ids[i] = fmt.Sprintf(`"node-with-a-rather-long-name-%022d"`, i)
	}
	code, answer := call(t, url, http.MethodPost, `{"content":"true","targets":[`+strings.Join(ids, ",")+`]}`, key)
	if code != http.StatusNotFound || !strings.Contains(answer["detail"].(string), "no such node") {
		t.Errorf("%d %v", code, answer)
	}
}

// TestWait waits for a run on the server.
func TestWait(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	n := s.Node("n")
	url := serve(t, s).URL + "/api/v1/invocations"
	_, v := call(t, url, http.MethodPost, `{"content":"true","targets":["n"]}`, key)
	one := url + "/" + v["id"].(string)
	if code, v := call(t, one+"?until=all&wait=0", http.MethodGet, "", key); code != http.StatusOK || v["met"] != false || v["open"] != 1.0 {
		t.Errorf("%d %v", code, v)
	}
	answer := make(chan map[string]any, 1)
	go func() {
		_, v := call(t, one+"?until=percent:100", http.MethodGet, "", key)
		answer <- v
	}()
	id, _ := api.InvocationID(v["id"].(string))
	s.Exit(id, n, 3, "", "")
	if v := <-answer; v["met"] != true || v["open"] != 0.0 {
		t.Errorf("%v", v)
	}
	if _, v := call(t, one, http.MethodGet, "", key); v["met"] != nil {
		t.Errorf("%v", v)
	}
	for _, bad := range []string{"?until=some", "?until=percent:0", "?until=all&wait=-1", "?until=all&wait=61", "?until=all&wait=x"} {
		if code, p := call(t, one+bad, http.MethodGet, "", key); code != http.StatusBadRequest {
			t.Errorf("%s: %d %v", bad, code, p)
		}
	}
}
