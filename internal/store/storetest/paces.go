package storetest

import (
	"errors"
	"slices"
	"testing"

	"errand/internal/core"
)

func (f *fixture) paced(t *testing.T, held int, pacing *core.Pacing) core.Invocation {
	t.Helper()
	v := core.Invocation{ID: f.id(), Account: mine, Pace: &core.Pace{Probe: "x"}, Pacing: pacing}
	tasks := make([]core.Task, 6)
	for i := range tasks {
		tasks[i] = core.Task{ID: core.TaskID{Invocation: v.ID, Index: uint32(i)}, Node: core.NodeKey(i + 1), Held: i >= len(tasks)-held}
		if !tasks[i].Held {
			tasks[i].State = core.Running
		}
	}
	is(t, "insert", f.InsertInvocation(t.Context(), &v, tasks), nil)
	return v
}

// testPaces releases held tasks, a few at a time, by numbers counted in the same transaction.
func testPaces(t *testing.T, f *fixture) {
	ctx := t.Context()
	first := f.paced(t, 4, &core.Pacing{State: core.PaceRunning})
	f.paced(t, 4, nil)
	done := f.paced(t, 4, &core.Pacing{State: core.PaceFinished, Done: true})
	last := f.paced(t, 2, &core.Pacing{State: core.PaceRunning})
	moving := func() []core.ID {
		ids, err := f.PacedInvocations(ctx)
		is(t, "paced invocations", err, nil)
		return ids
	}
	same(t, "those that move", []core.ID{first.ID, last.ID}, moving())

	// What is counted is as it is now, also for what the same commit holds.
	is(t, "cancel one", f.ChangeTasks(ctx, []core.TaskID{{Invocation: first.ID, Index: 3}}, func(task *core.Task) bool {
		task.State, task.Held, task.UpdatedAt = core.Cancelled, false, at(1)
		return true
	}), nil)
	var counts core.Counts
	var held [3]int
	let := func(id core.ID, n int) []core.Task {
		released, err := f.PaceInvocation(ctx, id, func(v *core.Invocation, before func(int) (int, error)) (int, error) {
			counts = v.Counts
			for i, most := range []int{3, 5, 6} {
				var err error
				held[i], err = before(most)
				is(t, "held", err, nil)
			}
			v.Pacing.Released += n
			v.Pacing.Why = "why"
			return n, nil
		}, func(task *core.Task) {
			task.Held, task.State, task.UpdatedAt = false, core.Delivering, at(2)
		})
		is(t, "release", err, nil)
		return released
	}
	released := let(first.ID, 2)
	same(t, "held before", [3]int{1, 2, 3}, held)
	same(t, "counts before", core.Counts{core.Queued: 3, core.Running: 2, core.Cancelled: 1}, counts)
	var indices []uint32
	for i := range released {
		indices = append(indices, released[i].ID.Index)
		same(t, "node of a released task", core.NodeKey(released[i].ID.Index+1), released[i].Node)
	}
	same(t, "released", []uint32{2, 4}, indices)
	same(t, "released beyond what is held", 1, len(let(first.ID, 9)))
	same(t, "held then", [3]int{0, 0, 1}, held)
	same(t, "counts then", core.Counts{core.Queued: 1, core.Delivering: 2, core.Running: 2, core.Cancelled: 1}, counts)
	v, err := f.Invocation(ctx, mine, first.ID)
	is(t, "read", err, nil)
	same(t, "pacing", &core.Pacing{State: core.PaceRunning, Released: 11, Why: "why"}, v.Pacing)
	same(t, "counts", core.Counts{core.Delivering: 3, core.Running: 2, core.Cancelled: 1}, v.Counts)
	same(t, "states of the tasks", []core.State{core.Running, core.Running, core.Delivering, core.Cancelled, core.Delivering, core.Delivering}, func() (states []core.State) {
		for _, task := range f.tasks(t, first.ID) {
			states = append(states, task.State)
		}
		return states
	}())

	// That it was let go is told where more than numbers changed.
	events, err := f.ListEvents(ctx, core.EventFilter{Account: mine}, 1000)
	is(t, "list events", err, nil)
	told := 0
	for i := range events {
		if events[i].Kind == core.EventPaced && events[i].Invocation == first.ID {
			told++
			same(t, "counts in the event", core.Counts{core.Queued: 1, core.Delivering: 2, core.Running: 2, core.Cancelled: 1}, events[i].Counts)
		}
	}
	same(t, "events", 1, told)

	// A refusal leaves everything as it was.
	refusal := errors.New("no")
	_, err = f.PaceInvocation(ctx, last.ID, func(v *core.Invocation, _ func(int) (int, error)) (int, error) {
		v.Pacing.Done = true
		return 2, refusal
	}, func(*core.Task) { t.Error("released all the same") })
	is(t, "refusal", err, refusal)
	same(t, "those that move still", []core.ID{first.ID, last.ID}, moving())

	_, err = f.PaceInvocation(ctx, last.ID, func(v *core.Invocation, _ func(int) (int, error)) (int, error) {
		v.Pacing.Done = true
		return 0, nil
	}, nil)
	is(t, "end", err, nil)
	same(t, "those that move now", []core.ID{first.ID}, moving())
	_, err = f.PaceInvocation(ctx, done.ID, func(v *core.Invocation, _ func(int) (int, error)) (int, error) {
		v.Pacing.Done = false
		return 0, nil
	}, nil)
	is(t, "begin again", err, nil)
	same(t, "those that move again", true, slices.Contains(moving(), done.ID))
	_, err = f.PaceInvocation(ctx, f.id(), nil, nil)
	is(t, "never made", err, core.ErrNotFound)
	_, err = f.PaceInvocation(ctx, f.invocation(t, mine, keys(1)...).ID, nil, nil)
	is(t, "without a pace", err, core.ErrNotFound)
}
