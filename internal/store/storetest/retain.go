package storetest

import (
	"slices"
	"testing"

	"errand/internal/core"
)

func testListAccounts(t *testing.T, f *fixture) {
	ctx := t.Context()
	want := []core.Account{{ID: other, Name: "b", CreatedAt: at(2)}, {ID: mine, Name: "a", CreatedAt: at(1)}}
	is(t, "insert", f.InsertAccount(ctx, want[1]), nil)
	is(t, "insert", f.InsertAccount(ctx, want[0]), nil)
	got, err := f.ListAccounts(ctx)
	is(t, "list", err, nil)
	same(t, "accounts", want, got)
}

func testNthInvocation(t *testing.T, f *fixture) {
	ctx := t.Context()
	var want []core.ID
	for range 4 {
		f.invocation(t, other)
		want = append(want, f.invocation(t, mine).ID)
	}
	for n := 1; n <= len(want); n++ {
		got, err := f.NthInvocation(ctx, mine, n)
		is(t, "nth", err, nil)
		same(t, "nth", want[len(want)-n], got)
	}
	_, err := f.NthInvocation(ctx, mine, len(want)+1)
	is(t, "after the last", err, core.ErrNotFound)
}

// testDeleteInvocations deletes the older half of what has ended and looks for traces of it everywhere.
func testDeleteInvocations(t *testing.T, f *fixture) {
	ctx := t.Context()
	a, b := f.node(t, mine, "a").Key, f.node(t, mine, "b").Key
	cmd := core.Command{ID: f.id(), Account: mine}
	is(t, "insert", f.InsertCommand(ctx, cmd, false), nil)
	var ids, theirs []core.ID
	states := []core.State{core.Succeeded, core.Failed, core.Lost}
	for i := range 12 {
		v := f.insert(t, core.Invocation{Account: other}, 500)
		f.set(t, v.ID, core.Succeeded, at(1), 0)
		theirs = append(theirs, v.ID)
		v = f.insert(t, core.Invocation{Account: mine, Command: cmd.ID, ClientToken: string(rune('a' + i))}, a, b)
		ids = append(ids, v.ID)
		f.set(t, v.ID, states[i%3], at(i), 0)
		if i != 2 { // which stays open
			f.set(t, v.ID, core.Succeeded, at(i), 1)
		}
	}
	page, _, err := f.ListInvocations(ctx, core.InvocationFilter{Account: mine}, core.Page{Limit: 5})
	is(t, "list", err, nil)
	cursor := invocationCursor(&page[4])

	gone := []core.ID{ids[0], ids[1], ids[3], ids[4], ids[5]}
	for _, step := range []struct {
		most int
		want []core.ID
	}{{1, gone[:1]}, {4, gone[1:3]}, {100, gone[3:]}, {100, nil}} {
		got, err := f.DeleteInvocations(ctx, mine, ids[6], step.most) // each is a row with two tasks
		is(t, "delete", err, nil)
		same(t, "deleted", step.want, got)
	}
	listed, err := f.RemovedInvocations(ctx)
	is(t, "removed", err, nil)
	same(t, "removed", gone, listed)
	is(t, "forget", f.ForgetInvocations(ctx, gone[1:]), nil)
	listed, err = f.RemovedInvocations(ctx)
	is(t, "removed", err, nil)
	same(t, "removed and not forgotten", gone[:1], listed)

	for _, id := range gone {
		_, err := f.Invocation(ctx, mine, id)
		is(t, "deleted invocation", err, core.ErrNotFound)
		same(t, "its tasks", 0, len(f.tasks(t, id)))
		is(t, "late change", f.ChangeTasks(ctx, []core.TaskID{{Invocation: id}}, func(*core.Task) bool {
			t.Error("change of a deleted task")
			return true
		}), nil)
	}
	_, err = f.InvocationByToken(ctx, mine, "a")
	is(t, "by the token of a deleted one", err, core.ErrNotFound)

	left := slices.DeleteFunc(slices.Clone(ids), func(id core.ID) bool { return slices.Contains(gone, id) })
	slices.Reverse(left)
	invocations := func(filter core.InvocationFilter, p core.Page) (ids []core.ID, total int) {
		t.Helper()
		rows, total, err := f.ListInvocations(ctx, filter, p)
		is(t, "list", err, nil)
		for i := range rows {
			ids = append(ids, rows[i].ID)
		}
		return ids, total
	}
	for name, filter := range map[string]core.InvocationFilter{
		"account": {Account: mine}, "command": {Account: mine, Commands: []core.ID{cmd.ID}}, "node": {Account: mine, Nodes: []core.NodeKey{b}},
	} {
		got, total := invocations(filter, everything)
		same(t, "left by "+name, left, got)
		same(t, "counted by "+name, len(left), total)
	}
	rest, _ := invocations(core.InvocationFilter{Account: mine}, core.Page{After: &cursor, Limit: 100})
	same(t, "left after a page read before", left[5:], rest)
	_, total := invocations(core.InvocationFilter{Account: other}, everything)
	same(t, "of the other account", len(theirs), total)

	for name, filter := range map[string]core.TaskFilter{
		"account": {Account: mine}, "nodes": {Account: mine, Nodes: []core.NodeKey{a, b}}, "command": {Account: mine, Commands: []core.ID{cmd.ID}},
	} {
		rows, total, err := f.ListTasks(ctx, filter, everything)
		is(t, "list", err, nil)
		same(t, "tasks listed by "+name, 2*len(left), len(rows))
		same(t, "tasks counted by "+name, 2*len(left), total)
	}
	for s := range core.State(core.NumStates) {
		rows, total, err := f.ListTasks(ctx, core.TaskFilter{Account: mine, States: []core.State{s}}, everything)
		is(t, "list", err, nil)
		same(t, "tasks counted as "+s.String(), len(rows), total)
	}
	loads, err := f.NodeLoads(ctx, []core.NodeKey{a, b})
	is(t, "loads", err, nil)
	same(t, "load of a", core.NodeLoad{Finished: len(left), LastInvoked: epoch}, loads[a])
	same(t, "load of b", core.NodeLoad{Active: 1, Finished: len(left) - 1, LastInvoked: epoch}, loads[b])
	cmd, err = f.Command(ctx, mine, cmd.ID)
	is(t, "command", err, nil)
	same(t, "how often it was run", len(ids), cmd.Invocations)
}
