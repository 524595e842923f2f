package storetest

import (
	"sync"
	"testing"
	"time"

	"errand/internal/core"
)

// delivery reads the delivery of a task; the zero value if there is none.
func (f *fixture) delivery(t *testing.T, id core.TaskID) core.TaskDelivery {
	t.Helper()
	found, err := f.DeliveriesOf(t.Context(), []core.TaskID{id})
	is(t, "deliveries", err, nil)
	return found[id]
}

// end ends tasks of an invocation that have run.
func (f *fixture) end(t *testing.T, id core.ID, s core.State, when time.Time, indexes ...uint32) {
	t.Helper()
	for _, index := range indexes {
		is(t, "end", f.ChangeTasks(t.Context(), []core.TaskID{{Invocation: id, Index: index}}, func(t *core.Task) bool {
			t.State, t.StartedAt, t.UpdatedAt = s, epoch, when
			return true
		}), nil)
	}
}

// testDeliveries begins deliveries with the ends of tasks.
func testDeliveries(t *testing.T, f *fixture) {
	v := f.insert(t, core.Invocation{Account: mine, Outlet: core.SinkOutlet}, keys(5)...)
	task := func(index uint32) core.TaskID { return core.TaskID{Invocation: v.ID, Index: index} }
	same(t, "of an open task", core.TaskDelivery{}, f.delivery(t, task(0)))
	f.end(t, v.ID, core.Running, at(0), 0, 1, 2)
	same(t, "of a running task", core.TaskDelivery{}, f.delivery(t, task(0)))

	f.end(t, v.ID, core.Failed, at(1), 0)
	want := core.TaskDelivery{Task: task(0), Account: mine, Since: at(1), NextTry: at(1), UpdatedAt: at(1)}
	same(t, "of an ended task", want, f.delivery(t, task(0)))
	f.end(t, v.ID, core.Failed, at(9), 0)
	same(t, "of a task that was ended before", want, f.delivery(t, task(0)))

	// Without a start there is nothing to deliver.
	f.set(t, v.ID, core.Cancelled, at(2), 3)
	want = core.TaskDelivery{
		Task: task(3), Account: mine, State: core.OutputUndelivered, Fault: core.FaultNotRun, Since: at(2), UpdatedAt: at(2),
	}
	same(t, "of a task that never ran", want, f.delivery(t, task(3)))

	// A late result is delivered in the place of what was known before.
	f.end(t, v.ID, core.Lost, at(3), 1)
	rows, err := f.ClaimDeliveries(t.Context(), at(4), at(30), 9)
	is(t, "claim", err, nil)
	same(t, "claimed", 2, len(rows))
	f.end(t, v.ID, core.Succeeded, at(5), 1)
	want = core.TaskDelivery{Task: task(1), Account: mine, Since: at(5), NextTry: at(5), UpdatedAt: at(5)}
	same(t, "of a late result", want, f.delivery(t, task(1)))
	for _, d := range rows {
		if d.Task == task(1) {
			is(t, "what was claimed before", f.ChangeDelivery(t.Context(), core.TaskDelivery{Task: d.Task}, d.NextTry), core.ErrNotFound)
		}
	}

	found, err := f.DeliveriesOf(t.Context(), []core.TaskID{task(2), task(3), task(0), {Invocation: f.id()}, task(0)})
	is(t, "deliveries of several", err, nil)
	same(t, "of several", 2, len(found))
	same(t, "of the second", task(3), found[task(3)].Task)
	found, err = f.DeliveriesOf(t.Context(), nil)
	is(t, "deliveries of none", err, nil)
	same(t, "of none", 0, len(found))

	// Some invocations deliver nothing, others at once.
	for _, quiet := range []core.Invocation{{Account: mine}, {Account: mine, Outlet: core.SinkOutlet, Kind: core.KindStanding}} {
		quiet = f.insert(t, quiet, keys(1)...)
		f.end(t, quiet.ID, core.Succeeded, at(1), 0)
		same(t, "without an outlet", core.TaskDelivery{}, f.delivery(t, core.TaskID{Invocation: quiet.ID}))
	}
	early := core.Invocation{ID: f.id(), Account: mine, Outlet: core.AccountOutlet}
	is(t, "insert", f.InsertInvocation(t.Context(), &early, []core.Task{
		{ID: core.TaskID{Invocation: early.ID}, State: core.DeliveryFailed, UpdatedAt: at(1)},
		{ID: core.TaskID{Invocation: early.ID, Index: 1}, UpdatedAt: at(1)},
	}), nil)
	same(t, "of a task that ended at once", core.FaultNotRun, f.delivery(t, core.TaskID{Invocation: early.ID}).Fault)
	same(t, "of the other", core.TaskDelivery{}, f.delivery(t, core.TaskID{Invocation: early.ID, Index: 1}))

	// The runs of a standing invocation deliver.
	standing := f.insert(t, core.Invocation{Account: mine, Kind: core.KindStanding, Outlet: core.SinkOutlet}, keys(1)...)
	var run core.Task
	is(t, "occur", f.Occur(t.Context(), core.TaskID{Invocation: standing.ID}, at(60),
		func(v *core.Invocation, own *core.Task, _ *core.Invocation) (core.Invocation, core.Task, error) {
			o := *v
			o.ID, o.Kind, o.Schedule, o.Due = f.id(), core.KindOccurrence, v.ID, at(60)
			return o, core.Task{ID: core.TaskID{Invocation: o.ID}, Node: own.Node, State: core.Delivering}, nil
		}, &run), nil)
	f.end(t, run.ID.Invocation, core.Succeeded, at(61), 0)
	same(t, "of a run", at(61), f.delivery(t, run.ID).NextTry)
}

// testDeliveryClaims hands each delivery that is due to one replica.
func testDeliveryClaims(t *testing.T, f *fixture) {
	ctx := t.Context()
	const n = 40
	v := f.insert(t, core.Invocation{Account: mine, Outlet: core.SinkOutlet}, keys(n)...)
	for i := range uint32(n) {
		f.end(t, v.ID, core.Succeeded, at(int(i)), i)
	}
	rows, err := f.ClaimDeliveries(ctx, at(0).Add(-time.Microsecond), at(100), n)
	is(t, "claim too early", err, nil)
	same(t, "claimed too early", 0, len(rows))

	var mu sync.Mutex
	claims := map[core.TaskID]int{}
	var replicas sync.WaitGroup
	for range 4 {
		replicas.Go(func() {
			for {
				rows, err := f.ClaimDeliveries(ctx, at(n), at(100), 3)
				is(t, "claim", err, nil)
				if len(rows) == 0 {
					return
				}
				mu.Lock()
				for _, d := range rows {
					claims[d.Task]++
				}
				mu.Unlock()
			}
		})
	}
	replicas.Wait()
	for id, times := range claims {
		same(t, "claims of "+id.String(), 1, times)
	}
	same(t, "claimed", n, len(claims))

	// Claims that were not settled come again when they are over, the oldest first.
	rows, err = f.ClaimDeliveries(ctx, at(100), at(200), 1)
	is(t, "claim again", err, nil)
	if len(rows) != 1 {
		t.Fatalf("claimed %d", len(rows))
	}
	d := rows[0]
	same(t, "tries", 2, d.Tries)
	same(t, "claimed until", at(200), d.NextTry)
	same(t, "as stored", d, f.delivery(t, d.Task))

	d = core.TaskDelivery{
		Task: d.Task, Account: mine, State: core.OutputUndelivered, Fault: core.FaultDenied, URI: "oss://b/k", Tries: 3,
		Since: at(1), NextTry: at(300), UpdatedAt: at(3),
	}
	filled(t, d, "TaskDelivery.Task.Index")
	is(t, "with another claim", f.ChangeDelivery(ctx, d, at(199)), core.ErrNotFound)
	is(t, "change", f.ChangeDelivery(ctx, d, at(200)), nil)
	same(t, "changed", d, f.delivery(t, d.Task))
	is(t, "change again", f.ChangeDelivery(ctx, d, at(200)), core.ErrNotFound)

	done := d
	done.NextTry = time.Time{}
	is(t, "settle", f.ChangeDelivery(ctx, done, at(300)), nil)
	rows, err = f.ClaimDeliveries(ctx, at(1000), at(2000), 2*n)
	is(t, "claim the rest", err, nil)
	same(t, "the rest", n-1, len(rows))
	is(t, "change what is settled", f.ChangeDelivery(ctx, d, time.Time{}), core.ErrNotFound)

	// They go with their invocation.
	ids, err := f.DeleteInvocations(ctx, mine, f.id(), 1000)
	is(t, "delete", err, nil)
	same(t, "deleted", []core.ID{v.ID}, ids)
	same(t, "of a deleted invocation", core.TaskDelivery{}, f.delivery(t, d.Task))
	is(t, "change what is deleted", f.ChangeDelivery(ctx, rows[0], rows[0].NextTry), core.ErrNotFound)
}
