package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"errand/internal/core"
)

func fullTask(id core.TaskID) core.Task {
	return core.Task{
		ID: id, Node: 5, State: core.Failed, Cause: core.CauseExitNonzero, Detail: "détail", Exited: true, ExitCode: -3, Signal: 9, Tries: 2,
		SentAt: at(-1), ReceivedAt: at(0), StartedAt: at(1), EndedAt: at(2), StopAskedAt: at(3), UpdatedAt: at(4), Stdout: 1 << 40, Stderr: 7,
		Held: true, ReleasedAt: at(6), FirstByteAt: at(7), DrainCut: true, Late: true, Runs: 3, Latest: 1 << 50, LatestDue: at(5), Skipped: 4, Missed: 5, Output: core.Output{
			Segments: []core.Segment{
				{Off: 0, Len: 70000, Stderr: 3, Lines: [core.NumStreams]uint32{7, 6, 1}},
				{Off: 80000, Len: 5, Stderr: 5, Lines: [core.NumStreams]uint32{2, 1, 2}},
			},
			Seal: core.Seal{Hashes: hashStates(), Mark: core.LineMark{Open: [core.NumStreams]bool{true, false, true}, Last: core.Stderr}},
			Recent: core.Chunk{
				Off: 80005, Spans: []core.Span{{Stream: core.Stdout, Len: 3}, {Stream: core.Stderr, Len: 2}}, Data: []byte("a\x00b\xffd"),
			},
		},
	}
}

func taskCursor(t *core.Task) core.Cursor {
	return core.Cursor{A: int64(t.ID.Invocation), B: int64(t.ID.Index)}
}

func testTaskRoundTrip(t *testing.T, f *fixture) {
	ctx := t.Context()
	v := core.Invocation{ID: f.id(), Account: mine}
	name := func(index uint32) core.TaskID { return core.TaskID{Invocation: v.ID, Index: index} }
	long := fullTask(name(2))
	long.Output.Recent.Data = slices.Repeat([]byte{0, 1, 2, 0xff}, 2<<10)
	long.Output.Recent.Spans = []core.Span{{Stream: core.Stderr, Len: 8 << 10}}
	early := core.Task{ID: name(3), StartedAt: time.Unix(0, 0).UTC(), EndedAt: time.Date(2100, 1, 1, 0, 0, 0, 1000, time.UTC)}
	want := []core.Task{fullTask(name(0)), {ID: name(1)}, long, early, {ID: name(core.MaxTargets - 1), Node: 9}}
	task := want[0]
	task.ID.Index = 1
	filled(t, task, "Task.Output.Recent.Gap")

	is(t, "insert", f.InsertInvocation(ctx, &v, want), nil)
	same(t, "inserted tasks", want, f.tasks(t, v.ID))

	// The same through a change.
	w := f.invocation(t, mine, keys(5)...)
	next := 0
	var names []core.TaskID
	for i := range want {
		names = append(names, core.TaskID{Invocation: w.ID, Index: uint32(i)})
	}
	is(t, "change", f.ChangeTasks(ctx, names, func(task *core.Task) bool {
		key := task.Node
		*task = want[task.ID.Index]
		task.ID, task.Node = core.TaskID{Invocation: w.ID, Index: uint32(next)}, key
		next++
		return true
	}), nil)
	for i := range want {
		want[i].ID, want[i].Node = names[i], keys(5)[i]
	}
	same(t, "changed tasks", want, f.tasks(t, w.ID))

	rows, _, err := f.ListTasks(ctx, core.TaskFilter{Invocations: []core.ID{w.ID}}, everything)
	is(t, "list", err, nil)
	for i := range want {
		want[i].Output, want[i].FirstByteAt = core.Output{}, time.Time{}
	}
	same(t, "tasks without their output", want, rows)
}

func testTaskChange(t *testing.T, f *fixture) {
	ctx := t.Context()
	a, b := f.invocation(t, mine, keys(4)...), f.invocation(t, other, keys(2)...)
	before := f.tasks(t, a.ID)
	ids := []core.TaskID{
		{Invocation: b.ID, Index: 1},
		{Invocation: a.ID, Index: 3},
		{Invocation: a.ID, Index: 99},
		{Invocation: f.id()},
		{Invocation: a.ID, Index: 0},
		{Invocation: a.ID, Index: 3},
	}
	calls := map[core.TaskID]int{}
	asked := slices.Clone(ids)
	is(t, "change", f.ChangeTasks(ctx, ids, func(task *core.Task) bool {
		calls[task.ID]++
		taken := task.ID != ids[4]
		// What a task is called and where it runs stays.
		task.Detail, task.ID, task.Node = "seen", core.TaskID{}, 0
		return taken
	}), nil)
	same(t, "names passed in", asked, ids)
	same(t, "calls", map[core.TaskID]int{ids[0]: 1, ids[1]: 1, ids[4]: 1}, calls)
	before[3].Detail = "seen"
	same(t, "tasks", before, f.tasks(t, a.ID))
	same(t, "task of another account", "seen", f.tasks(t, b.ID)[1].Detail)
	v, err := f.Invocation(ctx, mine, a.ID)
	is(t, "read", err, nil)
	same(t, "invocation whose tasks kept their states", a, v)

	is(t, "change of none", f.ChangeTasks(ctx, nil, nil), nil)
	is(t, "change of unknown ones", f.ChangeTasks(ctx, ids[2:4], func(*core.Task) bool {
		t.Error("change was called without a task")
		return true
	}), nil)
}

func testTaskCounts(t *testing.T, f *fixture) {
	ctx := t.Context()
	want := f.invocation(t, mine, keys(3)...)
	step := func(what string, ids []uint32, s core.State, when, started time.Time) {
		t.Helper()
		var names []core.TaskID
		for _, i := range ids {
			names = append(names, core.TaskID{Invocation: want.ID, Index: i})
		}
		is(t, what, f.ChangeTasks(ctx, names, func(task *core.Task) bool {
			if task.State != s {
				want.Count(task.State, s, when)
			}
			want.Start(started)
			task.State, task.UpdatedAt, task.StartedAt = s, when, started
			return true
		}), nil)
		got, err := f.Invocation(ctx, mine, want.ID)
		is(t, what, err, nil)
		same(t, what, want, got)
	}
	step("first runs", []uint32{0}, core.Running, at(1), at(0))
	step("another started earlier", []uint32{1}, core.Running, at(2), at(-1))
	step("start without a change of state", []uint32{2}, core.Queued, at(2), at(-5))
	step("two end", []uint32{0, 1}, core.Succeeded, at(3), at(0))
	step("last is lost", []uint32{2}, core.Lost, at(4), at(2))
	if want.EndedAt != at(4) || want.StartedAt != at(-5) {
		t.Fatalf("the test's own times are wrong: %v, %v", want.StartedAt, want.EndedAt)
	}
	step("late result", []uint32{2}, core.Failed, at(9), at(2))
	if want.EndedAt != at(4) {
		t.Fatalf("the test's own end is wrong: %v", want.EndedAt)
	}
}

// taskRows fills a store for listings of tasks and returns the tasks of one account in order, each with its invocation.
func taskRows(t *testing.T, f *fixture) (rows []core.Task, of map[core.ID]core.Invocation) {
	nodes := keys(7)
	of = map[core.ID]core.Invocation{}
	for i := range 10 {
		v := core.Invocation{Account: mine, Command: core.ID(50 + i%4), ResourceGroup: fmt.Sprint("rg", i%3)}
		if i%2 == 0 {
			v.Tags = []core.Tag{{Key: "n", Value: fmt.Sprint(i % 4)}}
		}
		theirs := v
		theirs.Account = other
		f.insert(t, theirs, nodes...)
		targets := nodes[i%4 : 4+i%4]
		if i == 6 {
			targets = nil
		}
		v = f.insert(t, v, targets...)
		of[v.ID] = v
		for j := range targets {
			f.set(t, v.ID, core.State((i*3+j*5)%core.NumStates), at(j), uint32(j))
		}
		f.set(t, v.ID, core.Succeeded, at(9), uint32(i%4))
		rows = append(f.tasks(t, v.ID), rows...)
	}
	return rows, of
}

func testTaskFilters(t *testing.T, f *fixture) {
	ctx := t.Context()
	rows, of := taskRows(t, f)
	byAge := newest(rows)
	nodes := keys(7)
	type filter = core.TaskFilter
	parts := []part[filter, core.Task]{
		{
			"ids", func(f *filter) {
				f.IDs = []core.TaskID{byAge[2].ID, {Invocation: 5}, byAge[17].ID, byAge[30].ID, byAge[3].ID, byAge[17].ID}
			},
			func(t *core.Task) bool {
				return t.ID == byAge[2].ID || t.ID == byAge[3].ID || t.ID == byAge[17].ID || t.ID == byAge[30].ID
			},
		},
		{
			"invocations", func(f *filter) {
				f.Invocations = []core.ID{byAge[2].ID.Invocation, 5, byAge[14].ID.Invocation, byAge[26].ID.Invocation}
			},
			func(t *core.Task) bool {
				return slices.Contains([]core.ID{byAge[2].ID.Invocation, byAge[14].ID.Invocation, byAge[26].ID.Invocation}, t.ID.Invocation)
			},
		},
		{
			"nodes", func(f *filter) { f.Nodes = []core.NodeKey{nodes[1], nodes[5], -1, nodes[1]} },
			func(t *core.Task) bool { return t.Node == nodes[1] || t.Node == nodes[5] },
		},
		{
			"commands", func(f *filter) { f.Commands = []core.ID{51, 52, 49} },
			func(t *core.Task) bool { c := of[t.ID.Invocation].Command; return c == 51 || c == 52 },
		},
		{
			"states", func(f *filter) { f.States = []core.State{core.Running, core.Succeeded, core.Succeeded} },
			func(t *core.Task) bool { return t.State == core.Running || t.State == core.Succeeded },
		},
		{
			"group", func(f *filter) { f.ResourceGroup = "rg1" },
			func(t *core.Task) bool { return of[t.ID.Invocation].ResourceGroup == "rg1" },
		},
		{
			"tag", func(f *filter) { f.Tags = []core.Tag{{Key: "n", Value: "2"}} },
			func(t *core.Task) bool {
				return hasTags(of[t.ID.Invocation].Tags, []core.Tag{{Key: "n", Value: "2"}})
			},
		},
	}
	l := listing[filter, core.Task]{
		base: filter{Account: mine, Output: true}, rows: rows, parts: parts, list: f.ListTasks, cursor: taskCursor,
	}
	l.check(t)
	for _, more := range []part[filter, core.Task]{
		{"node", func(f *filter) { f.Nodes = nodes[3:4] }, func(t *core.Task) bool { return t.Node == nodes[3] }},
		{"rare node", func(f *filter) { f.Nodes = nodes[:1] }, func(t *core.Task) bool { return t.Node == nodes[0] }},
		{"open states", func(f *filter) { f.States = []core.State{core.Queued, core.Stopping} }, func(t *core.Task) bool {
			return t.State == core.Queued || t.State == core.Stopping
		}},
		{"unknown node", func(f *filter) { f.Nodes = []core.NodeKey{-1} }, func(*core.Task) bool { return false }},
	} {
		l.try(t, more.name, more)
		for _, p := range parts {
			if p.name != "nodes" && p.name != "states" {
				l.try(t, more.name+" and "+p.name, more, p)
			}
		}
	}
	_, total, err := f.ListTasks(ctx, filter{}, core.Page{Limit: 1, Count: true})
	is(t, "all accounts", err, nil)
	same(t, "tasks of all accounts", len(rows)+70, total)
}

// testTaskPages reads a listing page by page while invocations are added: what was there before comes once, and in order.
func testTaskPages(t *testing.T, f *fixture) {
	ctx := t.Context()
	rows, _ := taskRows(t, f)
	for name, filter := range map[string]core.TaskFilter{
		"of the account": {Account: mine, Output: true},
		"of a node":      {Account: mine, Output: true, Nodes: keys(7)[3:4]},
		"of nodes":       {Account: mine, Output: true, Nodes: keys(7)[2:5]},
	} {
		want := slices.DeleteFunc(slices.Clone(rows), func(t core.Task) bool {
			return len(filter.Nodes) > 0 && !slices.Contains(filter.Nodes, t.Node)
		})
		var got []core.Task
		p := core.Page{Limit: 3}
		for {
			page, _, err := f.ListTasks(ctx, filter, p)
			is(t, "list", err, nil)
			got = append(got, page...)
			if len(page) < p.Limit {
				break
			}
			c := taskCursor(&page[len(page)-1])
			p.After = &c
			rows = append(f.tasks(t, f.invocation(t, mine, keys(7)...).ID), rows...)
		}
		same(t, name, want, got)
	}
}

// testTasksOfEach reads the first tasks of each of some invocations.
func testTasksOfEach(t *testing.T, f *fixture) {
	var ids []core.ID
	var want []core.TaskID
	for _, n := range []int{3, 0, 5, 1} {
		v := f.invocation(t, mine, keys(n)...)
		ids = append(ids, v.ID)
		var first []core.TaskID
		for i := range min(n, 2) {
			first = append(first, core.TaskID{Invocation: v.ID, Index: uint32(i)})
		}
		want = append(first, want...)
	}
	rows, _, err := f.ListTasks(t.Context(), core.TaskFilter{Account: mine, Invocations: ids, Each: 2}, core.Page{Limit: 100})
	is(t, "list", err, nil)
	var got []core.TaskID
	for i := range rows {
		got = append(got, rows[i].ID)
	}
	same(t, "the first two of each", want, got)
}
