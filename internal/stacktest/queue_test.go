package stacktest

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"errand/internal/api/native"
)

// TestQueueRetryAndTimeline follows a run with real agents: one node is away, so that its task waits for it in its backlog, and one fails at first.
func TestQueueRetryAndTimeline(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.startServer()
	i.startAgent()
	i.online()
	i.kill(i.agent)
	there := filepath.Join(t.TempDir(), "there")
	var v native.Invocation
	i.api(http.MethodPost, "invocations", map[string]any{
		"content": "test -e " + there + " && echo well", "targets": []string{"i-node"}, "queue_seconds": 3600, "name": "job",
	}, &v)
	var backlog native.Backlog
	i.api(http.MethodGet, "nodes/i-node/backlog", nil, &backlog)
	if len(backlog.Tasks) != 1 || backlog.Tasks[0].Of != v.ID || backlog.Tasks[0].Name != "job" || backlog.Tasks[0].Deadline == nil {
		t.Fatalf("%+v", backlog)
	}
	i.restart()
	i.startAgent()
	ended := func(id, state string) {
		t.Helper()
		Eventually(t, late, func() error {
			if now := i.run(id); now.States[state] != 1 {
				return fmt.Errorf("%v", now.States)
			}
			return nil
		})
	}
	ended(v.ID, "failed")
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var again native.Retry
	i.api(http.MethodPost, "invocations/"+v.ID+"/retry", nil, &again)
	ended(again.ID, "succeeded")
	if v = i.run(v.ID); again.RetryOf != v.ID || !slices.Equal(v.RetriedBy, []string{again.ID}) {
		t.Errorf("%s repeats %s, which is repeated by %v", again.ID, again.RetryOf, v.RetriedBy)
	}
	i.api(http.MethodGet, "nodes/i-node/backlog", nil, &backlog)
	if len(backlog.Tasks) != 0 {
		t.Errorf("%+v", backlog)
	}

	var tasks native.Tasks
	i.api(http.MethodGet, "invocations/"+v.ID+"/tasks", nil, &tasks)
	var task native.TaskDetail
	i.api(http.MethodGet, "tasks/"+tasks.Tasks[0].ID, nil, &task)
	if what := milestones(&task); !slices.Equal(what[:3], []string{"accepted", "queued", "sent"}) || what[len(what)-1] != "stored" {
		t.Errorf("%v", task.Timeline)
	}
	i.api(http.MethodGet, "invocations/"+again.ID+"/tasks", nil, &tasks)
	i.api(http.MethodGet, "tasks/"+tasks.Tasks[0].ID, nil, &task)
	what := milestones(&task)
	for _, m := range []string{"accepted", "sent", "received", "started", "first_byte", "ended", "stored"} {
		if !slices.Contains(what, m) {
			t.Errorf("%v lacks %s", what, m)
		}
	}
	for n := 1; n < len(task.Timeline); n++ {
		if task.Timeline[n].At.Before(task.Timeline[n-1].At) {
			t.Errorf("%v is out of order", task.Timeline)
		}
	}
}

func milestones(t *native.TaskDetail) (what []string) {
	for _, m := range t.Timeline {
		what = append(what, m.What)
	}
	return what
}
