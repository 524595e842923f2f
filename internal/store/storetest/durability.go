package storetest

import (
	"testing"

	"errand/internal/core"
)

// testReopen checks that everything is still there after the store was closed and opened again.
func testReopen(t *testing.T, f *fixture) {
	ctx := t.Context()
	n := f.node(t, mine, "a")
	cmd := fullCommand(f.id())
	is(t, "insert", f.InsertCommand(ctx, cmd, false), nil)
	v := fullInvocation(f.id())
	v.Command = cmd.ID
	task := fullTask(core.TaskID{Invocation: v.ID})
	task.Node = n.Key
	v.Counts[task.State]++
	is(t, "insert", f.InsertInvocation(ctx, &v, []core.Task{task}), nil)
	open := f.invocation(t, mine, n.Key, n.Key+1)
	f.set(t, open.ID, core.Failed, at(1), 1)
	open, err := f.Invocation(ctx, mine, open.ID)
	is(t, "read", err, nil)
	_, err = f.SetSetting(ctx, "s", []byte("value"))
	is(t, "set", err, nil)
	cmd.Invocations, cmd.LastInvokedAt = 1, v.CreatedAt

	for range 2 {
		f.reopen(t)
		node, err := f.Node(ctx, n.Key)
		is(t, "node", err, nil)
		same(t, "node", n, node)
		commands, _, err := f.ListCommands(ctx, core.CommandFilter{Account: mine}, everything)
		is(t, "commands", err, nil)
		same(t, "commands", []core.Command{cmd}, commands)
		invocations, total, err := f.ListInvocations(ctx, core.InvocationFilter{Account: mine}, everything)
		is(t, "invocations", err, nil)
		same(t, "invocations", []core.Invocation{open, v}, invocations)
		same(t, "number of invocations", 2, total)
		same(t, "tasks", []core.Task{task}, f.tasks(t, v.ID))
		loads, err := f.NodeLoads(ctx, []core.NodeKey{n.Key})
		is(t, "loads", err, nil)
		same(t, "load", core.NodeLoad{Active: 1, Finished: 1, LastInvoked: epoch}, loads[n.Key])
		value, err := f.Setting(ctx, "s")
		is(t, "setting", err, nil)
		same(t, "setting", "value", string(value))
	}
	another := f.node(t, mine, "b")
	if another.Key <= n.Key {
		t.Errorf("node key %d follows %d", another.Key, n.Key)
	}
}
