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

// nodesOf lists the nodes of an invocation's tasks, in order.
func nodesOf(t *testing.T, url, id string) (nodes []string) {
	t.Helper()
	_, page := call(t, url+"/"+id+"/tasks", http.MethodGet, "", key)
	for _, task := range page["tasks"].([]any) {
		nodes = append(nodes, task.(map[string]any)["node"].(string))
	}
	return nodes
}

// TestRetry repeats a run on those of its nodes where it went wrong, one of which is gone and one of which is cordoned.
func TestRetry(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	url := serve(t, s).URL + "/api/v1/invocations"
	var nodes []core.Node
	for _, id := range []string{"good", "bad", "lost", "never", "gone", "closed", "stopped"} {
		nodes = append(nodes, s.Node(id))
	}
	_, made := call(t, url, http.MethodPost, `{"content":"echo {{tat-hidden:x}}","params":{"x":"1"},"name":"job","timeout_seconds":77,
		"queue_seconds":900,"user":"root","targets":["good","bad","lost","never","gone","closed","stopped"],"pace":{"concurrency":"50%"},"reason":"why"}`, key)
	id, _ := api.InvocationID(made["id"].(string))
	one := url + "/" + id.String()
	refused := func(body string, status int, words string) {
		t.Helper()
		code, answer := call(t, one+"/retry", http.MethodPost, body, key)
		if detail, _ := answer["detail"].(string); code != status || !strings.Contains(detail, words) {
			t.Errorf("%s: %d %v", body, code, answer)
		}
	}
	refused(`{}`, http.StatusConflict, "nothing to repeat")
	refused(`{"only":["bad"]}`, http.StatusConflict, "not come to an end")
	refused(`{"only":["nobody"]}`, http.StatusNotFound, "")
	refused(`{"states":["running"]}`, http.StatusBadRequest, "no end")
	refused(`{"states":["strange"]}`, http.StatusBadRequest, "states")

	end := func(n core.Node, state core.State) {
		s.Report(id, n, core.Report{Kind: core.ReportEnded, State: state, Exited: true, Started: s.Now(), Ended: s.Now()})
	}
	for i, state := range []core.State{core.Succeeded, core.Failed, core.TimedOut, core.StartFailed, core.Failed, core.Failed} {
		end(nodes[i], state)
	}
	if code, v := call(t, one+"/cancel", http.MethodPost, `{"nodes":["stopped"]}`, key); code != http.StatusOK || v["open"] != 0.0 {
		t.Fatalf("%d %v", code, v)
	}
	if _, err := s.Service.RemoveNode(t.Context(), s.Caller, "gone"); err != nil {
		t.Fatal(err)
	}
	if code, answer := call(t, strings.TrimSuffix(url, "invocations")+"nodes/closed", http.MethodPatch, `{"cordoned":true}`, key); code != http.StatusOK {
		t.Fatalf("%d %v", code, answer)
	}

	code, again := call(t, one+"/retry", http.MethodPost, "", key)
	if code != http.StatusOK || again["retry_of"] != id.String() || again["name"] != "job" || again["timeout_seconds"] != 77.0 ||
		again["queue_seconds"] != 900.0 || again["user"] != "root" || again["reason"] != "why" || again["pace"].(map[string]any)["concurrency"] != "50%" {
		t.Fatalf("%d %v", code, again)
	}
	if diff := cmp.Diff([]string{"bad", "lost", "never", "stopped"}, nodesOf(t, url, again["id"].(string))); diff != "" {
		t.Error(diff)
	}
	var skipped []string
	for _, n := range again["skipped"].([]any) {
		skipped = append(skipped, fmt.Sprint(n.(map[string]any)["node"], ": ", n.(map[string]any)["why"]))
	}
	if all := strings.Join(skipped, ", "); !strings.Contains(all, "gone: removed since") || !strings.Contains(all, "closed: cordoned by root") {
		t.Errorf("%v", skipped)
	}
	repeated, _ := api.InvocationID(again["id"].(string))
	if v, err := s.Service.Invocation(t.Context(), s.Caller, repeated); err != nil || string(v.Script) != "echo 1" || !v.Hidden || again["params"] != nil {
		t.Errorf("%q %v %v", v.Script, again["params"], err)
	}
	_, v := call(t, one, http.MethodGet, "", key)
	if diff := cmp.Diff([]any{again["id"]}, v["retried_by"]); diff != "" {
		t.Error(diff)
	}
	if _, page := call(t, url+"?retry_of="+id.String(), http.MethodGet, "", key); len(page["invocations"].([]any)) != 1 {
		t.Errorf("%v", page)
	}

	// Narrowed by ends or by nodes, of which those that are named need not have failed.
	for body, want := range map[string][]string{
		`{"states":["timed_out","start_failed"]}`:     {"lost", "never"},
		`{"states":["cancelled"]}`:                    {"stopped"},
		`{"only":["good","bad"]}`:                     {"good", "bad"},
		`{"only":["good","bad"],"states":["failed"]}`: {"bad"},
	} {
		code, again := call(t, one+"/retry", http.MethodPost, body, key)
		if code != http.StatusOK {
			t.Errorf("%s: %d %v", body, code, again)
			continue
		}
		if diff := cmp.Diff(want, nodesOf(t, url, again["id"].(string))); diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
	}
	refused(`{"only":["gone"]}`, http.StatusConflict, "gone: removed since")
	_, standing := call(t, url, http.MethodPost, `{"content":"true","targets":["bad"],"frequency":"rate(60s)"}`, key)
	if code, answer := call(t, url+"/"+standing["id"].(string)+"/retry", http.MethodPost, "", key); code != http.StatusConflict {
		t.Errorf("%d %v", code, answer)
	}
}

func TestBacklog(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Node("away")
	s.Node("other")
	url := serve(t, s).URL + "/api/v1/"
	var ids []string
	for _, body := range []string{
		`{"content":"true","targets":["away"],"queue_seconds":7200,"name":"first"}`,
		`{"content":"true","targets":["other","away"]}`,
		`{"content":"true","targets":["other","away"],"pace":{"concurrency":"1"}}`,
	} {
		code, v := call(t, url+"invocations", http.MethodPost, body, key)
		if code != http.StatusOK {
			t.Fatalf("%d %v", code, v)
		}
		ids = append(ids, v["id"].(string))
		s.Advance(time.Second)
	}
	_, page := call(t, url+"nodes/away/backlog", http.MethodGet, "", key)
	tasks := page["tasks"].([]any)
	for i, id := range ids {
		if task := tasks[i].(map[string]any); task["invocation"] != id || task["by"] != "root" || (task["held"] == true) != (i == 2) {
			t.Errorf("%v", task)
		}
	}
	first := tasks[0].(map[string]any)
	if want := s.Now().Add(-3*time.Second + 2*time.Hour).Format(time.RFC3339Nano); first["deadline"] != want || first["name"] != "first" || len(tasks) != 3 {
		t.Errorf("deadline %v, want %s", first, want)
	}
	if last := tasks[2].(map[string]any); last["deadline"] != nil {
		t.Errorf("%v has a deadline before its turn", last)
	}
	_, page = call(t, url+"nodes/away/backlog?limit=2", http.MethodGet, "", key)
	_, page = call(t, url+"nodes/away/backlog?limit=2&cursor="+page["next"].(string), http.MethodGet, "", key)
	if rest := page["tasks"].([]any); len(rest) != 1 || rest[0].(map[string]any)["invocation"] != ids[2] {
		t.Errorf("%v", page)
	}

	code, answer := call(t, url+"nodes/away/backlog", http.MethodDelete, "", key)
	if code != http.StatusOK || answer["cancelled"] != 3.0 {
		t.Errorf("%d %v", code, answer)
	}
	if _, page = call(t, url+"nodes/away/backlog", http.MethodGet, "", key); len(page["tasks"].([]any)) != 0 {
		t.Errorf("%v", page)
	}
	if _, page = call(t, url+"nodes/other/backlog", http.MethodGet, "", key); len(page["tasks"].([]any)) != 2 {
		t.Errorf("%v", page)
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		if code, answer := call(t, url+"nodes/nobody/backlog", method, "", key); code != http.StatusNotFound {
			t.Errorf("%d %v", code, answer)
		}
	}
}
