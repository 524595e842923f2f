package stacktest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

// native orders a run through the native API and returns the invocation's id.
func (s *Stack) native(t *testing.T, order map[string]any) string {
	t.Helper()
	body, err := json.Marshal(order)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/v1/invocations", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(s.KeyID, s.Secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ ID, Detail string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %+v, %v", resp.StatusCode, answer, err)
	}
	return answer.ID
}

// TestResources takes limits from the API to the kernel and back.
func TestResources(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.AddNode(t, "n")
	order := func(script string, resources map[string]any) string {
		return s.native(t, map[string]any{"content": script, "targets": []string{"n"}, "resources": resources, "login": true})
	}
	got := s.Client().Await(t, order("nice; ionice; ulimit -n", map[string]any{
		"nice": 4, "io_class": "idle", "cpu_millicores": 500, "pids": 50, "open_files": 99, "file_bytes": 4 << 20, "core_bytes": 0,
	}), 30*time.Second)[0]
	if got.Output != "4\nidle\n99\n" || got.ExitCode != 0 {
		t.Errorf("%+v: %q", got, got.Output)
	}
	hog := order("head -c 100000000 /dev/zero | tail -c 100000000", map[string]any{"memory_bytes": 32 << 20})
	if got := s.Client().Await(t, hog, 30*time.Second)[0]; got.ExitCode != 137 || got.ErrorCode != "ExecutionException" {
		t.Errorf("%+v", got)
	}
	impossible := order("true", map[string]any{"open_files": int64(1) << 40})
	if got := s.Client().Await(t, impossible, 30*time.Second)[0]; got.InvocationStatus != "Error" || got.ErrorCode != "ExecutionException" {
		t.Errorf("%+v", got)
	}
}

// show reads from the native API.
func (s *Stack) show(t *testing.T, path string, answer any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/v1/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(s.KeyID, s.Secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v", path, resp.StatusCode, err)
	}
}

// TestOverlap takes a policy from the API to the node, and what it came to back.
func TestOverlap(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.AddNode(t, "n")
	order := func(overlap string) string {
		return s.native(t, map[string]any{
			"content": "sleep 45", "targets": []string{"n"}, "frequency": "*/10 * * * * ?", "timeout_seconds": 60, "overlap": overlap,
		})
	}
	skip, allow := order("skip"), order("allow")
	deadline := time.Now().Add(time.Minute)
	for done := false; !done; time.Sleep(250 * time.Millisecond) {
		var skipped struct{ Tasks []struct{ Runs, Skipped int } }
		var allowed struct{ Runs []struct{ State string } }
		s.show(t, "invocations/"+skip+"/tasks", &skipped)
		s.show(t, "invocations/"+allow+"/runs", &allowed)
		alive := 0
		for _, r := range allowed.Runs {
			if r.State == "running" {
				alive++
			}
		}
		one := skipped.Tasks[0]
		if done = one.Runs == 1 && one.Skipped > 0 && alive > 1; !done && time.Now().After(deadline) {
			t.Fatalf("%+v and %+v", skipped, allowed)
		}
	}
}
