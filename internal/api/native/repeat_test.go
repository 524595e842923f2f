package native_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api"
	"errand/internal/api/scene"
	"errand/internal/core"
)

// TestRepeating orders a schedule with a policy, and shows how it went on the node.
func TestRepeating(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	n := s.Node("n")
	url := serve(t, s).URL + "/api/v1/invocations"
	code, made := call(t, url, http.MethodPost, `{"content":"true","targets":["n"],"frequency":"rate(60s)","timeout_seconds":3600,
		"overlap":"queue","missed":"catch-up:5","jitter_seconds":30}`, key)
	var due []any
	for i := range 5 {
		due = append(due, s.Now().Add(time.Duration(i+1)*time.Minute).Format(time.RFC3339Nano))
	}
	want := map[string]any{
		"repeat": "period", "frequency": "rate(60s)", "overlap": "queue", "missed": "catch-up:5", "jitter_seconds": 30.0, "next": due,
	}
	if diff := cmp.Diff(want, made["schedule"]); code != http.StatusOK || diff != "" {
		t.Fatalf("%d %v\n%s", code, made, diff)
	}
	id, _ := api.InvocationID(made["id"].(string))
	one := url + "/" + id.String()
	if _, shown := call(t, one, http.MethodGet, "", key); !cmp.Equal(made, shown) {
		t.Errorf("made and shown (-made +shown):\n%s", cmp.Diff(made, shown))
	}

	standing := core.TaskID{Invocation: id}
	s.Report(id, n, core.Report{Task: standing, Kind: core.ReportPlanned, Skipped: 3, Missed: 4})
	s.Report(id, n, core.Report{Task: standing, Kind: core.ReportPlanned, Skipped: 2, Missed: 5}) // of reports out of order, the larger numbers count
	for i := range 2 {
		s.Report(id, n, core.Report{
			Task: standing, Kind: core.ReportEnded, Due: s.Now().Add(time.Duration(i) * time.Minute), State: core.Failed,
			Cause: core.CauseExitNonzero, Exited: true, ExitCode: 7,
		})
	}
	_, tasks := call(t, one+"/tasks", http.MethodGet, "", key)
	task := tasks["tasks"].([]any)[0].(map[string]any)
	for member, value := range map[string]any{"node": "n", "state": "scheduled", "runs": 2.0, "skipped": 3.0, "missed": 5.0, "exit_code": 7.0} {
		if task[member] != value {
			t.Errorf("%s: %v, want %v", member, task[member], value)
		}
	}
	next := ""
	for i := range 2 {
		_, page := call(t, fmt.Sprintf("%s/runs?limit=1&cursor=%s", one, next), http.MethodGet, "", key)
		runs := page["runs"].([]any)
		run := runs[0].(map[string]any)
		due, err := time.Parse(time.RFC3339Nano, run["due"].(string))
		if want := s.Now().Add(time.Duration(1-i) * time.Minute); len(runs) != 1 || err != nil || !due.Equal(want) || run["state"] != "failed" || run["exit_code"] != 7.0 {
			t.Errorf("run %d: %v", i, page)
		}
		next, _ = page["next"].(string)
	}
	if next != "" {
		t.Errorf("a page follows the last one: %s", next)
	}
}

func TestRepeatRefusals(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Node("n")
	url := serve(t, s).URL + "/api/v1/invocations"
	for _, members := range []string{
		`"repeat":"period"`,
		`"repeat":"sometimes"`,
		`"repeat":"once","overlap":"queue"`,
		`"overlap":"queue"`,
		`"jitter_seconds":5`,
		`"repeat":"each_reboot","overlap":"allow"`,
		`"repeat":"next_reboot","missed":"once"`,
		`"frequency":"0 0 9-7 * * ?"`,
		`"frequency":"0 0 12 30 2 ?"`,
		`"frequency":"0 0 9, * * ?"`,
		`"frequency":"rate(59s)"`,
		`"frequency":"at(2020-01-01 00:00:00)"`,
		`"frequency":"rate(60s)","overlap":"both"`,
		`"frequency":"rate(60s)","missed":"5"`,
		`"frequency":"rate(60s)","missed":"catch-up:101"`,
		`"frequency":"rate(60s)","jitter_seconds":-1`,
		`"frequency":"rate(60s)","jitter_seconds":86401`,
		`"frequency":"rate(60s)","jitter_seconds":9223372036854775807`,
	} {
		code, answer := call(t, url, http.MethodPost, `{"content":"true","targets":["n"],`+members+`}`, key)
		if code != http.StatusBadRequest || answer["detail"] == "" {
			t.Errorf("%s: %d %v", members, code, answer)
		}
	}
	_, made := call(t, url, http.MethodPost, `{"content":"true","targets":["n"],"repeat":"each_reboot","jitter_seconds":600}`, key)
	if made["schedule"].(map[string]any)["repeat"] != "each_reboot" {
		t.Errorf("%v", made)
	}
	for path, want := range map[string]int{"/x/tasks": 404, "/x/runs": 404, "/" + core.ID(1<<40).String() + "/runs": 404, "/" + made["id"].(string) + "/runs?limit=1001": 400} {
		if code, answer := call(t, url+path, http.MethodGet, "", key); code != want {
			t.Errorf("%s: %d %v", path, code, answer)
		}
	}
}
