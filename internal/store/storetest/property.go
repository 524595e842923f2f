package storetest

import (
	"context"
	"testing"

	"pgregory.net/rapid"

	"errand/internal/core"
)

// testTransitions takes the tasks of some invocations through random steps of the state table, several in a call, and compares what can
// be read with a model in memory.
func testTransitions(t *testing.T, f *fixture) {
	rapid.Check(t, func(rt *rapid.T) {
		ctx := context.Background()
		account := core.AccountID(1000 + rapid.Uint32().Draw(rt, "account"))
		_, before, err := f.ListTasks(ctx, core.TaskFilter{Account: account}, core.Page{Limit: 1, Count: true})
		is(rt, "list", err, nil)
		if before > 0 {
			rt.Skip("account was drawn before")
		}
		var model []core.Task
		invocations := map[core.ID]*core.Invocation{}
		for range rapid.IntRange(1, 3).Draw(rt, "invocations") {
			v := f.invocation(rt, account, keys(rapid.IntRange(1, 5).Draw(rt, "targets"))...)
			invocations[v.ID] = &v
			model = append(model, f.tasks(rt, v.ID)...)
		}
		for step := range rapid.IntRange(1, 12).Draw(rt, "steps") {
			wanted := map[core.TaskID]core.Task{}
			var ids []core.TaskID
			for i := range model {
				task := &model[i]
				s := core.State(rapid.IntRange(0, core.NumStates-1).Draw(rt, "state"))
				if !task.State.CanBecome(s) {
					continue
				}
				v := invocations[task.ID.Invocation]
				from := task.State
				task.State, task.UpdatedAt, task.Tries = s, at(step), task.Tries+1
				if s == core.Running {
					task.StartedAt = at(rapid.IntRange(-5, 5).Draw(rt, "start"))
				}
				v.Count(from, s, task.UpdatedAt)
				v.Start(task.StartedAt)
				ids = append(ids, task.ID)
				wanted[task.ID] = *task
			}
			is(rt, "change", f.ChangeTasks(ctx, ids, func(task *core.Task) bool {
				*task = wanted[task.ID]
				return true
			}), nil)
			for id, want := range invocations {
				got, err := f.Invocation(ctx, account, id)
				is(rt, "read", err, nil)
				same(rt, "invocation", *want, got)
			}
		}
		compareWithModel(rt, f, account, invocations, model)
	})
}

func compareWithModel(
	rt *rapid.T, f *fixture, account core.AccountID, invocations map[core.ID]*core.Invocation, model []core.Task,
) {
	ctx := context.Background()
	var byState [core.NumStates]int
	tasks := map[core.ID][]core.Task{}
	for _, task := range model {
		byState[task.State]++
		tasks[task.ID.Invocation] = append(tasks[task.ID.Invocation], task)
	}
	open := 0
	for id, want := range invocations {
		same(rt, "tasks", tasks[id], f.tasks(rt, id))
		if want.Counts.Open() > 0 {
			open++
		}
	}
	_, total, err := f.ListInvocations(ctx, core.InvocationFilter{Account: account, Open: true}, core.Page{Limit: 1, Count: true})
	is(rt, "open invocations", err, nil)
	same(rt, "open invocations", open, total)
	for s := range core.State(core.NumStates) {
		rows, total, err := f.ListTasks(ctx, core.TaskFilter{Account: account, States: []core.State{s}}, everything)
		is(rt, "list", err, nil)
		same(rt, "tasks listed as "+s.String(), byState[s], len(rows))
		same(rt, "tasks counted as "+s.String(), byState[s], total)
	}
}
