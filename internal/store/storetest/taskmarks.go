package storetest

import (
	"testing"

	"errand/internal/core"
)

// testTaskMarks compares the marks of tasks with the tasks.
func testTaskMarks(t *testing.T, f *fixture) {
	ctx := t.Context()
	v := f.invocation(t, mine, keys(3)...)
	f.invocation(t, mine, keys(2)...)
	err := f.ChangeTasks(ctx, []core.TaskID{{Invocation: v.ID, Index: 1}}, func(task *core.Task) bool {
		task.State, task.SentAt, task.ReceivedAt, task.StartedAt, task.EndedAt = core.Failed, at(1), at(2), at(3), at(4)
		return true
	})
	is(t, "change", err, nil)
	tasks, _, err := f.ListTasks(ctx, core.TaskFilter{Account: mine, Invocations: []core.ID{v.ID}}, core.Page{Limit: 10})
	is(t, "list", err, nil)
	var want []core.TaskMark
	for _, task := range tasks {
		want = append(want, core.TaskMark{
			Index: task.ID.Index, Node: task.Node, State: task.State, Held: task.Held, ReleasedAt: task.ReleasedAt, SentAt: task.SentAt,
			ReceivedAt: task.ReceivedAt, StartedAt: task.StartedAt, EndedAt: task.EndedAt,
		})
	}
	got, err := f.TaskMarks(ctx, v.ID)
	is(t, "marks", err, nil)
	same(t, "marks", want, got)
	same(t, "number of marks", 3, len(got))
	none, err := f.TaskMarks(ctx, v.ID+1<<40)
	is(t, "marks of nothing", err, nil)
	same(t, "number of them", 0, len(none))
}
