package storetest

import (
	"fmt"
	"testing"
	"time"

	"errand/internal/core"
)

// scan returns all events after a number, of which those of other accounts are passed over.
func (f *fixture) scan(t *testing.T, after int64, most int) (rows []core.StateEvent, last int64) {
	t.Helper()
	rows, last, err := f.ScanEvents(t.Context(), after, most, func(e *core.StateEvent) bool { return e.Account == mine })
	is(t, "scan", err, nil)
	return rows, last
}

// spread says what events are about, in short, and how far output went.
func spread(events []core.StateEvent) (list []string) {
	for i := range events {
		e := &events[i]
		text := e.Type()[len("errand."):]
		if e.OutTo > 0 {
			text += fmt.Sprintf(" %d-%d", e.OutFrom, e.OutTo)
		}
		list = append(list, text)
	}
	return list
}

// testOutputEvents writes down how far the output of tasks goes on, with the change of state that came with it or alone.
func testOutputEvents(t *testing.T, f *fixture) {
	ctx := t.Context()
	n := f.node(t, mine, "n")
	v := f.insert(t, core.Invocation{Account: mine, Command: 5, Definition: core.Definition{Name: "command"}}, n.Key)
	f.invocation(t, other, keys(1)...)
	id := core.TaskID{Invocation: v.ID}
	change := func(what string, change func(*core.Task)) {
		t.Helper()
		is(t, what, f.ChangeTasks(ctx, []core.TaskID{id}, func(task *core.Task) bool { change(task); return true }), nil)
	}
	printed := func(task *core.Task, text string) {
		r := &task.Output.Recent
		r.Data, r.Spans = append(r.Data, text...), append(r.Spans, core.Span{Stream: core.Stdout, Len: uint32(len(text))})
		task.UpdatedAt = at(len(r.Data))
	}
	written := f.EventsWritten()
	change("start", func(task *core.Task) { task.State, task.StartedAt = core.Running, at(1); printed(task, "ab") })
	select {
	case <-written:
	case <-time.After(10 * time.Second):
		t.Error("nobody is told of an event")
	}
	change("print", func(task *core.Task) { printed(task, "c") })
	change("nothing new", func(task *core.Task) { task.Detail = "x" })
	f.reopen(t)
	change("spill", func(task *core.Task) {
		task.Output.Segments = []core.Segment{{Len: 3}, {Off: 100, Len: 7}}
		task.Output.Recent = core.Chunk{Off: 107}
	})
	change("end", func(task *core.Task) { task.State, task.EndedAt = core.Succeeded, at(9); printed(task, "d") })

	all, last := f.scan(t, 0, 1000)
	same(t, "events", []string{
		"node.joined", "invocation.accepted", "invocation.started", "task.running 0-2", "task.output 2-3", "task.output 3-107",
		"task.succeeded 107-108", "invocation.ended",
	}, spread(all))
	same(t, "last number", all[7].Seq, last)
	same(t, "output", core.StateEvent{
		Seq: all[4].Seq, Account: mine, At: at(3), Kind: core.EventOutput, Invocation: v.ID, Command: 5, Node: n.Key, OutFrom: 2, OutTo: 3,
		CommandName: "command", NodeID: "n",
	}, all[4])
	same(t, "listing", []string{
		"invocation.accepted", "invocation.started", "task.running 0-2", "task.succeeded 107-108", "invocation.ended",
	}, spread(f.events(t, mine, 0)))

	// A scan goes on where it stopped, and says how far it looked also if it found nothing.
	some, last := f.scan(t, all[1].Seq, 2)
	same(t, "first page", 1, len(some))
	more, end := f.scan(t, last, 100)
	same(t, "second page", append(some, more...), all[2:])
	same(t, "end", all[7].Seq, end)
	none, end := f.scan(t, end, 100)
	same(t, "nothing", 0, len(none))
	same(t, "end without events", all[7].Seq, end)
}

// testNodeEvents writes down what changes about nodes.
func testNodeEvents(t *testing.T, f *fixture) {
	ctx := t.Context()
	n, theirs := f.node(t, mine, "n"), f.node(t, other, "theirs")
	change := func(what string, change func(*core.Node)) {
		t.Helper()
		is(t, what, f.ChangeNode(ctx, n.Key, func(n *core.Node) error { change(n); n.UpdatedAt = at(1); return nil }), nil)
	}
	change("nothing that shows", func(n *core.Node) { n.KeyedAt = at(1) })
	change("rename", func(n *core.Node) { n.Name = "name" })
	change("cordon", func(n *core.Node) { n.CordonedAt = at(1) })
	change("uncordon", func(n *core.Node) { n.CordonedAt, n.Hostname = time.Time{}, "host" })
	note := func(key core.NodeKey, c core.NodeEvent) core.NodeNote {
		return core.NodeNote{Node: key, Change: c, At: at(2)}
	}
	is(t, "note", f.NoteNodes(ctx, []core.NodeNote{note(n.Key, core.NodeOnline), note(theirs.Key, core.NodeOffline), note(999, core.NodeOnline)}), nil)
	change("remove", func(n *core.Node) { n.RemovedAt = at(1) })
	is(t, "note of a node that is gone", f.NoteNodes(ctx, []core.NodeNote{note(n.Key, core.NodeOffline)}), nil)
	rows, _ := f.scan(t, 0, 100)
	same(t, "events", []string{
		"node.joined", "node.changed", "node.cordoned", "node.uncordoned", "node.changed", "node.online", "node.removed",
	}, spread(rows))
	same(t, "event", core.StateEvent{
		Seq: rows[5].Seq, Account: mine, At: at(2), Kind: core.EventNode, Node: n.Key, NodeID: "n", NodeName: "name", Change: core.NodeOnline,
	}, rows[5])
	same(t, "events of invocations and tasks", 0, len(f.events(t, mine, 0)))
	listed, err := f.ListEvents(ctx, core.EventFilter{Account: mine, Nodes: true}, 100)
	is(t, "list", err, nil)
	same(t, "events of nodes", rows, listed)

	is(t, "seen", f.SetLastSeen(ctx, map[core.NodeKey]time.Time{n.Key: at(1), theirs.Key: at(5)}), nil)
	seen, err := f.SeenSince(ctx, at(1))
	is(t, "seen since", err, nil)
	same(t, "seen since", map[core.NodeKey]time.Time{theirs.Key: at(5)}, seen)
}
