package native_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"errand/internal/api"
	"errand/internal/api/scene"
	"errand/internal/core"
)

// started runs something on the nodes and has the first one say that it runs.
func started(t *testing.T, s *scene.Scene, nodes ...core.Node) core.Invocation {
	t.Helper()
	ids := make([]string, len(nodes))
	for i, n := range nodes {
		ids[i] = n.ID
	}
	v, err := s.Service.Run(t.Context(), s.Caller, core.RunSpec{
		Origin: core.OriginNative, Targets: ids, Definition: core.Definition{Type: core.Shell, Content: []byte("x"), Timeout: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Report(v.ID, nodes[0], core.Report{Kind: core.ReportStarted, At: s.Now()})
	return v
}

func TestTasks(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	a, b, c := s.Node("a"), s.Node("b"), s.Node("c")
	v := started(t, s, a, b, c)
	s.Exit(v.ID, b, 3, "out", "error")
	url := serve(t, s).URL + "/api/v1/invocations/" + v.ID.String() + "/tasks"
	code, page := call(t, url+"?limit=2", http.MethodGet, "", key)
	if code != http.StatusOK || len(page["tasks"].([]any)) != 2 {
		t.Fatalf("%d %v", code, page)
	}
	one, two := page["tasks"].([]any)[0].(map[string]any), page["tasks"].([]any)[1].(map[string]any)
	if one["node"] != "a" || one["state"] != "running" || one["started_at"] == nil || one["ended_at"] != nil || one["exit_code"] != nil {
		t.Errorf("%v", one)
	}
	if two["node"] != "b" || two["state"] != "failed" || two["exit_code"] != 3.0 || two["stdout_bytes"] != 3.0 || two["stderr_bytes"] != 5.0 {
		t.Errorf("%v", two)
	}
	if id, ok := api.TaskID(two["id"].(string)); !ok || id != s.Task(v.ID, b) {
		t.Errorf("id %v", two["id"])
	}
	code, page = call(t, url+"?limit=2&cursor="+page["next"].(string), http.MethodGet, "", key)
	if code != http.StatusOK || len(page["tasks"].([]any)) != 1 || page["next"] != nil {
		t.Errorf("%d %v", code, page)
	}
	for path, want := range map[string]int{
		url + "?limit=1001":                                         http.StatusBadRequest,
		url + "?limit=-1":                                           http.StatusBadRequest,
		strings.Replace(url, v.ID.String(), "x", 1):                 http.StatusNotFound,
		strings.Replace(url, v.ID.String(), core.ID(7).String(), 1): http.StatusNotFound,
	} {
		if code, answer := call(t, path, http.MethodGet, "", key); code != want {
			t.Errorf("%s: %d %v", path, code, answer)
		}
	}
}

func TestOutput(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	n := s.Node("n")
	v := started(t, s, n)
	id := s.Task(v.ID, n)
	url := serve(t, s).URL + "/api/v1/tasks/" + id.String() + "/output"
	code, out := call(t, url, http.MethodGet, "", key)
	if code != http.StatusOK || out["open"] != true || len(out["pieces"].([]any)) != 0 || out["next"] != 0.0 {
		t.Errorf("%d %v", code, out)
	}
	long := strings.Repeat("0123456789", 10_000) // beyond what a row takes
	say := func(off uint64, stream core.Stream, text string) {
		s.Report(v.ID, n, core.Report{Kind: core.ReportOutput, Chunk: core.Chunk{
			Off: off, Spans: []core.Span{{Stream: stream, Len: uint32(len(text))}}, Data: []byte(text),
		}})
	}
	say(0, core.Stdout, long)
	say(uint64(len(long)), core.Stderr, "oh")
	read := func(from int) string {
		t.Helper()
		code, out := call(t, fmt.Sprintf("%s?from=%d&wait=30", url, from), http.MethodGet, "", key)
		if code != http.StatusOK || out["next"] != float64(len(long)+2) {
			t.Fatalf("%d %v", code, out["next"])
		}
		var text strings.Builder
		for _, p := range out["pieces"].([]any) {
			piece := p.(map[string]any)
			data, err := base64.StdEncoding.DecodeString(piece["data"].(string))
			if err != nil || piece["offset"] != float64(from+text.Len()) {
				t.Errorf("at %v: %v", piece["offset"], err)
			}
			if want := map[bool]string{true: "stderr", false: "stdout"}[from+text.Len() >= len(long)]; piece["stream"] != want {
				t.Errorf("%d bytes of %v", len(data), piece["stream"])
			}
			text.Write(data)
		}
		return text.String()
	}
	for _, from := range []int{0, 1, 99_999, 100_000, 100_001} {
		if got := read(from); got != (long + "oh")[from:] {
			t.Errorf("from %d: %d bytes", from, len(got))
		}
	}
	for query, want := range map[string]int{
		"?from=-1": http.StatusBadRequest, "?wait=61": http.StatusBadRequest, "?wait=-1": http.StatusBadRequest, "?from=x": http.StatusBadRequest,
	} {
		if code, answer := call(t, url+query, http.MethodGet, "", key); code != want {
			t.Errorf("%s: %d %v", query, code, answer)
		}
	}
	for _, other := range []string{"x", core.TaskID{Invocation: v.ID, Index: 9}.String()} {
		if code, answer := call(t, strings.Replace(url, id.String(), other, 1), http.MethodGet, "", key); code != http.StatusNotFound {
			t.Errorf("%s: %d %v", other, code, answer)
		}
	}
}

// A call that waits is answered by the next piece of output, and by the end.
func TestOutputWaits(t *testing.T) {
	t.Parallel()
	watched := make(chan core.TaskID, 100)
	s := scene.New(t)
	s.Feed.Listen(func(e core.Event) {
		if e.Watched != (core.TaskID{}) {
			watched <- e.Watched
		}
	})
	n := s.Node("n")
	v := started(t, s, n)
	id := s.Task(v.ID, n)
	url := serve(t, s).URL + "/api/v1/tasks/" + id.String() + "/output?wait=60&from="
	answer := make(chan map[string]any)
	wait := func(from string) {
		_, out := call(t, url+from, http.MethodGet, "", key)
		answer <- out
	}
	go wait("0")
	if got := <-watched; got != id {
		t.Errorf("watched %v", got)
	}
	s.Report(v.ID, n, core.Report{Kind: core.ReportOutput, Chunk: core.Chunk{Spans: []core.Span{{Stream: core.Stdout, Len: 1}}, Data: []byte("x")}})
	if out := <-answer; out["next"] != 1.0 || out["open"] != true {
		t.Errorf("%v", out)
	}
	go wait("1")
	<-watched
	s.Report(v.ID, n, core.Report{
		Kind: core.ReportEnded, State: core.Succeeded, Exited: true, Stdout: 1, End: 1, Started: s.Now(), Ended: s.Now(),
	})
	if out := <-answer; out["next"] != 1.0 || out["open"] != false || out["state"] != "succeeded" {
		t.Errorf("%v", out)
	}
}

// Secrets reach the store sealed and are shown by nobody; names and sizes that cannot be are refused.
func TestSecrets(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	n := s.Node("n")
	url := serve(t, s).URL + "/api/v1/invocations"
	run := func(secrets string) (int, map[string]any) {
		t.Helper()
		return call(t, url, http.MethodPost, `{"content":"true","targets":["n"],"secrets":`+secrets+`}`, key)
	}
	code, v := run(`{"DB_PASSWORD":"pass-word","_x9":""}`)
	if code != http.StatusOK {
		t.Fatalf("%d %v", code, v)
	}
	id, _ := api.InvocationID(v["id"].(string))
	got, err := s.Service.Invocation(t.Context(), s.Caller, id)
	if err != nil || got.Secrets["DB_PASSWORD"] != "pass-word" || !got.Hidden {
		t.Errorf("%v, %v", got.Secrets, err)
	}
	for _, path := range []string{"", "/tasks"} {
		if _, v := call(t, url+"/"+id.String()+path, http.MethodGet, "", key); strings.Contains(fmt.Sprint(v), "pass-word") {
			t.Errorf("%s shows the secret: %v", path, v)
		}
	}
	s.Exit(id, n, 0, "", "")
	for _, secrets := range []string{
		`{"":"x"}`, `{"A B":"x"}`, `{"9":"x"}`, `{"ERRAND_TASK_ID":"x"}`, `{"A":"\u0000"}`, `{"A":1}`, `["A"]`, `"A"`,
		`{"A":"` + strings.Repeat("x", 32<<10+1) + `"}`,
	} {
		if code, answer := run(secrets); code != http.StatusBadRequest && code != http.StatusUnprocessableEntity {
			t.Errorf("%.40s: %d %v", secrets, code, answer)
		}
	}
}
