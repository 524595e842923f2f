package storetest

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"errand/internal/core"
)

// testKinds lists and counts invocations of some kinds among those of others.
func testKinds(t *testing.T, f *fixture) {
	ctx := t.Context()
	made := make(map[core.InvocationKind][]core.ID)
	for i := range 12 {
		kind := core.InvocationKind(i % 4)
		v := f.insert(t, core.Invocation{Account: mine, Kind: kind, Command: 5}, keys(2)...)
		made[kind] = append(made[kind], v.ID)
	}
	f.insert(t, core.Invocation{Account: other, Kind: core.KindStanding}, keys(1)...)
	f.set(t, made[core.KindStanding][1], core.Scheduled, at(1), 0, 1)
	for _, kinds := range [][]core.InvocationKind{
		nil, core.Orders, core.Runs, {core.KindFile}, {core.KindStanding}, {core.KindOccurrence, core.KindOnce, core.KindStanding},
	} {
		var want []core.ID
		for kind, ids := range made {
			if len(kinds) == 0 || slices.Contains(kinds, kind) {
				want = append(want, ids...)
			}
		}
		slices.SortFunc(want, func(a, b core.ID) int { return int(int64(b) - int64(a)) })
		rows, total, err := f.ListInvocations(ctx, core.InvocationFilter{Account: mine, Kinds: kinds}, core.Page{Limit: 100, Count: true})
		is(t, "list invocations", err, nil)
		var got []core.ID
		for i := range rows {
			got = append(got, rows[i].ID)
		}
		same(t, "invocations", want, got)
		same(t, "count of invocations", len(want), total)
		tasks, total, err := f.ListTasks(ctx, core.TaskFilter{Account: mine, Kinds: kinds}, core.Page{Limit: 100, Count: true})
		is(t, "list tasks", err, nil)
		same(t, "tasks", 2*len(want), len(tasks))
		same(t, "count of tasks", 2*len(want), total)
		tasks, total, err = f.ListTasks(ctx, core.TaskFilter{Account: mine, Kinds: kinds, Nodes: keys(1)}, core.Page{Limit: 100, Count: true})
		is(t, "list tasks by node", err, nil)
		same(t, "tasks by node", len(want), len(tasks))
		same(t, "count of tasks by node", len(want), total)
	}
	_, total, err := f.ListTasks(ctx, core.TaskFilter{Account: mine, Kinds: core.Orders, States: []core.State{core.Scheduled}},
		core.Page{Limit: 1, Count: true})
	is(t, "list scheduled tasks", err, nil)
	same(t, "scheduled tasks", 2, total)

	// What is deleted is no longer counted, kind by kind.
	f.set(t, made[core.KindFile][0], core.Succeeded, at(2), 0, 1)
	_, err = f.DeleteInvocations(ctx, mine, f.id(), 1000)
	is(t, "delete", err, nil)
	_, total, err = f.ListTasks(ctx, core.TaskFilter{Account: mine, Kinds: []core.InvocationKind{core.KindFile}}, core.Page{Limit: 1, Count: true})
	is(t, "list files", err, nil)
	same(t, "tasks of files that are left", 4, total)
}

// testOccur makes runs of standing tasks.
func testOccur(t *testing.T, f *fixture) {
	ctx := t.Context()
	standing := f.insert(t, core.Invocation{Account: mine, Kind: core.KindStanding, Command: 5, Repeat: core.Period}, keys(3)...)
	occur := func(index uint32, due time.Time) (core.Task, bool, error) {
		var run core.Task
		made := false
		err := f.Occur(ctx, core.TaskID{Invocation: standing.ID, Index: index}, due,
			func(v *core.Invocation, own *core.Task, there *core.Invocation) (core.Invocation, core.Task, error) {
				made = true
				same(t, "standing invocation", standing.ID, v.ID)
				same(t, "standing task", index, own.ID.Index)
				o := *v
				if o.ID, o.Kind, o.Schedule, o.Due = f.id(), core.KindOccurrence, v.ID, due; there != nil {
					o = *there
				}
				own.Runs++
				own.Latest, own.LatestDue = o.ID, due
				return o, core.Task{ID: core.TaskID{Invocation: o.ID, Index: index}, Node: own.Node, State: core.Delivering, UpdatedAt: at(1)}, nil
			}, &run)
		return run, made, err
	}
	first, made, err := occur(1, at(60))
	is(t, "first run", err, nil)
	same(t, "made", true, made)
	again, made, err := occur(1, at(60))
	is(t, "first run again", err, nil)
	same(t, "made again", false, made)
	same(t, "the same run", first, again)
	second, _, err := occur(2, at(60))
	is(t, "another node at the same moment", err, nil)
	same(t, "invocation of both", first.ID.Invocation, second.ID.Invocation)
	later, _, err := occur(1, at(120))
	is(t, "a later run", err, nil)
	if later.ID.Invocation == first.ID.Invocation {
		t.Error("two moments share an invocation")
	}

	got, err := f.InvocationByDue(ctx, standing.ID, at(60))
	is(t, "by due", err, nil)
	var counts core.Counts
	counts[core.Delivering] = 2
	same(t, "counts of an occurrence", counts, got.Counts)
	_, err = f.InvocationByDue(ctx, standing.ID, at(61))
	is(t, "by another moment", err, core.ErrNotFound)
	same(t, "runs", uint32(2), f.tasks(t, standing.ID)[1].Runs)
	same(t, "latest", later.ID.Invocation, f.tasks(t, standing.ID)[1].Latest)

	rows, total, err := f.ListTasks(ctx, core.TaskFilter{Account: mine, Schedules: []core.ID{standing.ID}}, core.Page{Limit: 10, Count: true})
	is(t, "history", err, nil)
	same(t, "length of the history", 3, total)
	same(t, "newest first", later.ID, rows[0].ID)
	_, total, err = f.ListTasks(ctx, core.TaskFilter{Account: mine, Kinds: core.Runs}, core.Page{Limit: 1, Count: true})
	is(t, "runs", err, nil)
	same(t, "count of runs", 3, total)

	var run core.Task
	refuse := errors.New("no")
	err = f.Occur(ctx, core.TaskID{Invocation: standing.ID}, at(60),
		func(*core.Invocation, *core.Task, *core.Invocation) (core.Invocation, core.Task, error) {
			return core.Invocation{}, core.Task{}, refuse
		}, &run)
	is(t, "a refused run", err, refuse)
	same(t, "runs of it", uint32(0), f.tasks(t, standing.ID)[0].Runs)
	_, _, err = occur(9, at(60))
	is(t, "a run of no task", err, core.ErrNotFound)
	same(t, "a schedule fires once for a moment", true,
		errors.Is(f.InsertInvocation(ctx, &core.Invocation{ID: f.id(), Account: mine, Schedule: standing.ID, Due: at(60)}, nil), core.ErrTaken))

	// Many nodes report one moment at once.
	var wg sync.WaitGroup
	wide := f.insert(t, core.Invocation{Account: mine, Kind: core.KindStanding}, keys(40)...)
	standing = wide
	for i := range uint32(40) {
		wg.Go(func() {
			if _, _, err := occur(i, at(60)); err != nil {
				t.Errorf("run on node %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	got, err = f.InvocationByDue(ctx, wide.ID, at(60))
	is(t, "by due", err, nil)
	same(t, "tasks of one moment", 40, got.Counts.Total())
}

// testRevise changes a standing invocation and adds tasks to it.
func testRevise(t *testing.T, f *fixture) {
	ctx := t.Context()
	full := fullInvocation(f.id())
	full.Kind, full.Schedule, full.Due = core.KindStanding, 0, time.Time{}
	is(t, "insert", f.InsertInvocation(ctx, &full, nil), nil)
	var want core.Invocation
	is(t, "revise", f.ReviseInvocation(ctx, mine, full.ID, func(v *core.Invocation) ([]core.Task, error) {
		same(t, "before", full, *v)
		v.Command, v.Content, v.Script, v.Frequency, v.Params = 123, []byte("new"), nil, "rate(5m)", map[string]string{"y": "1"}
		v.ParamsEnabled, v.Timeout, v.Extra = !v.ParamsEnabled, time.Hour, nil
		v.Revision, v.RevisedAt = 4, at(9)
		want = *v
		return []core.Task{{ID: core.TaskID{Invocation: v.ID}, Node: 1, State: core.Delivering, UpdatedAt: at(9)}}, nil
	}), nil)
	got, err := f.Invocation(ctx, mine, full.ID)
	is(t, "read", err, nil)
	want.Counts[core.Delivering]++
	want.UpdatedAt, want.EndedAt = at(9), time.Time{}
	same(t, "after", want, got)
	same(t, "tasks", 1, len(f.tasks(t, full.ID)))
	refuse := errors.New("no")
	is(t, "refused", f.ReviseInvocation(ctx, mine, full.ID, func(v *core.Invocation) ([]core.Task, error) {
		v.Frequency = "never"
		return nil, refuse
	}), refuse)
	is(t, "of another account", f.ReviseInvocation(ctx, other, full.ID, nil), core.ErrNotFound)
	got, err = f.Invocation(ctx, mine, full.ID)
	is(t, "read", err, nil)
	same(t, "after a refusal", want, got)
}
