package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"errand/internal/core"
)

// allow lets in as many subscriptions as come.
func allow(int) error { return nil }

// subscribe inserts an enabled subscription of an account and returns it.
func (f *fixture) subscribe(tb reporter, account core.AccountID) core.Subscription {
	tb.Helper()
	s := core.Subscription{ID: f.id(), Account: account, URL: "https://example.com/", Sealed: []byte{1}, Batch: 1, Enabled: true, CreatedAt: epoch}
	is(tb, "insert subscription", f.InsertSubscription(context.Background(), &s, allow), nil)
	return s
}

// events returns the account's events after a number.
func (f *fixture) events(tb reporter, account core.AccountID, after int64) []core.StateEvent {
	tb.Helper()
	rows, err := f.ListEvents(context.Background(), core.EventFilter{Account: account, After: after}, 1000)
	is(tb, "list events", err, nil)
	return rows
}

// told is what events are about, in short.
func told(events []core.StateEvent) (list []string) {
	for i := range events {
		e := &events[i]
		text := e.Type()[len("errand."):]
		if e.Kind == core.EventTask {
			text += fmt.Sprintf(" %d", e.Index)
		} else {
			text += fmt.Sprintf(" %d/%d", e.Counts.Open(), e.Counts.Total())
		}
		list = append(list, text)
	}
	return list
}

func testSubscriptionRoundTrip(t *testing.T, f *fixture) {
	ctx := t.Context()
	f.subscribe(t, other)
	f.invocation(t, other) // so that there is an event
	want := core.Subscription{
		ID: f.id(), Account: mine, Name: "ä\"", URL: "https://example.com/", Sealed: []byte{0, 0xff}, OldSealed: []byte{2}, OldUntil: at(9),
		Types: []string{"errand.task.*", "*"}, Commands: []core.ID{1 << 60, 7}, Batch: 3, Enabled: true, CreatedAt: at(1), UpdatedAt: at(2),
		DeliveredAt: at(3), FailingSince: at(4), Tries: 5, NextTry: at(6), LastError: "status 500", ClaimedUntil: at(7),
		Dead: []core.DeadLetter{{Seq: 1, At: at(8), Tries: 2, Error: "x", Again: true}, {Seq: 1 << 60, At: at(8), Tries: 1, Error: "y"}},
	}
	is(t, "insert", f.InsertSubscription(ctx, &want, allow), nil)
	filled(t, want)
	same(t, "cursor of a new subscription", f.events(t, other, 0)[0].Seq, want.Cursor)
	read := func(want core.Subscription) {
		t.Helper()
		got, err := f.Subscription(ctx, mine, want.ID)
		is(t, "read", err, nil)
		same(t, "subscription", want, got)
	}
	read(want)
	is(t, "insert again", f.InsertSubscription(ctx, &want, allow), core.ErrTaken)
	_, err := f.Subscription(ctx, other, want.ID)
	is(t, "read another account's", err, core.ErrNotFound)

	bare := core.Subscription{ID: f.id(), Account: mine, Sealed: []byte{}}
	refusal := errors.New("refused")
	is(t, "refused", f.InsertSubscription(ctx, &bare, func(have int) error {
		same(t, "subscriptions of the account", 1, have)
		return refusal
	}), refusal)
	is(t, "insert bare", f.InsertSubscription(ctx, &bare, allow), nil)
	read(bare)
	list, err := f.ListSubscriptions(ctx, mine)
	is(t, "list", err, nil)
	same(t, "list", []core.Subscription{want, bare}, list)

	change := func(account core.AccountID, keep bool, refusal error) error {
		return f.ChangeSubscription(ctx, account, want.ID, func(s *core.Subscription) (bool, error) {
			same(t, "before the change", want, *s)
			s.Name, s.Dead, s.Cursor = "changed", nil, 99
			return keep, refusal
		})
	}
	is(t, "change another account's", change(other, true, nil), core.ErrNotFound)
	is(t, "change refused", change(mine, true, refusal), refusal)
	read(want)
	is(t, "change", change(mine, true, nil), nil)
	want.Name, want.Dead, want.Cursor = "changed", nil, 99
	read(want)
	is(t, "delete", change(mine, false, nil), nil)
	is(t, "delete again", change(mine, false, nil), core.ErrNotFound)
}

// testEvents follows an invocation from its beginning to its end.
func testEvents(t *testing.T, f *fixture) {
	ctx := t.Context()
	quiet := f.invocation(t, mine, keys(1)...)
	f.set(t, quiet.ID, core.Succeeded, at(1), 0)
	same(t, "events without a subscription", []string{
		"invocation.accepted 1/1", "task.succeeded 0", "invocation.ended 0/1",
	}, told(f.events(t, mine, 0)))

	sub := f.subscribe(t, mine)
	n := f.node(t, mine, "n")
	is(t, "name it", f.ChangeNode(ctx, n.Key, func(n *core.Node) error { n.Name = "name"; return nil }), nil)
	v := f.insert(t, core.Invocation{
		Account: mine, Command: 5, Definition: core.Definition{Name: "command"}, Kind: core.KindOccurrence, Schedule: quiet.ID, Due: at(0),
	}, n.Key, keys(1)[0], keys(2)[1])
	f.invocation(t, other, keys(1)...)
	f.set(t, v.ID, core.Delivering, at(1), 0, 1)
	started := at(2)
	is(t, "start", f.ChangeTasks(ctx, []core.TaskID{{Invocation: v.ID}}, func(t *core.Task) bool {
		t.State, t.StartedAt, t.UpdatedAt = core.Running, started, at(3)
		return true
	}), nil)
	is(t, "print", f.ChangeTasks(ctx, []core.TaskID{{Invocation: v.ID}}, func(t *core.Task) bool {
		t.Stdout, t.UpdatedAt = 5, at(4)
		return true
	}), nil)
	is(t, "no change", f.ChangeTasks(ctx, []core.TaskID{{Invocation: v.ID}}, func(t *core.Task) bool {
		t.State = core.Failed
		return false
	}), nil)
	end := func(index uint32, s core.State) error {
		return f.ChangeTasks(ctx, []core.TaskID{{Invocation: v.ID, Index: index}}, func(t *core.Task) bool {
			t.State, t.Cause, t.Exited, t.ExitCode, t.Signal, t.UpdatedAt = s, core.CauseExitNonzero, true, -3, 9, at(6)
			t.StartedAt, t.EndedAt, t.Late = started, at(5), true
			return true
		})
	}
	is(t, "end", end(0, core.Failed), nil)
	f.set(t, v.ID, core.Lost, at(7), 1, 2)
	is(t, "end late", end(2, core.Succeeded), nil)

	got := f.events(t, mine, sub.Cursor)
	same(t, "events", []string{
		"invocation.accepted 3/3", "task.delivering 0", "task.delivering 1", "invocation.started 3/3", "task.running 0", "task.failed 0",
		"task.lost 1", "task.lost 2", "invocation.ended 0/3", "task.succeeded 2",
	}, told(got))
	for i := 1; i < len(got); i++ {
		if got[i].Seq <= got[i-1].Seq {
			t.Errorf("event %d follows %d", got[i].Seq, got[i-1].Seq)
		}
	}
	want := core.StateEvent{
		Seq: got[5].Seq, Account: mine, At: at(6), Kind: core.EventTask, StartedAt: started, EndedAt: at(5), Invocation: v.ID,
		InvocationKind: core.KindOccurrence, Command: 5, Node: n.Key, State: core.Failed, Cause: core.CauseExitNonzero, Exited: true,
		ExitCode: -3, Signal: 9, Late: true, CommandName: "command", Schedule: quiet.ID, Due: at(0), NodeID: "n", NodeName: "name",
	}
	same(t, "event of a task", want, got[5])
	want.Index, want.Counts, want.OutFrom, want.OutTo, want.Change = 1, core.Counts{1}, 1, 2, core.NodeJoined
	filled(t, want)
	same(t, "event of an invocation", core.StateEvent{
		Seq: got[8].Seq, Account: mine, At: at(7), Kind: core.EventEnded, StartedAt: started, EndedAt: at(7), Invocation: v.ID,
		InvocationKind: core.KindOccurrence, Command: 5, Counts: func() (c core.Counts) { c[core.Failed], c[core.Lost] = 1, 2; return c }(),
		CommandName: "command", Schedule: quiet.ID, Due: at(0),
	}, got[8])

	// One page at a time, single ones, and those of others.
	page, err := f.ListEvents(ctx, core.EventFilter{Account: mine, After: got[0].Seq}, 2)
	is(t, "page", err, nil)
	same(t, "page", got[1:3], page)
	page, err = f.ListEvents(ctx, core.EventFilter{Account: mine, Seqs: []int64{got[8].Seq, got[5].Seq, 1 << 50}}, 9)
	is(t, "by number", err, nil)
	same(t, "by number", []core.StateEvent{got[5], got[8]}, page)
	page, err = f.ListEvents(ctx, core.EventFilter{Account: other, Seqs: []int64{got[5].Seq}}, 9)
	is(t, "another account's", err, nil)
	same(t, "another account's", 0, len(page))
	same(t, "events of an account without subscription", []string{"invocation.accepted 1/1"}, told(f.events(t, other, 0)))

	// What is removed leaves its events.
	_, err = f.DeleteInvocations(ctx, mine, v.ID+1, 1000)
	is(t, "delete", err, nil)
	want = got[5]
	want.CommandName, want.Schedule, want.Due = "", 0, time.Time{}
	same(t, "event of an invocation that is gone", want, f.events(t, mine, got[4].Seq)[0])
}

// testEventsOfAdded gives invocations tasks that have ended when they come.
func testEventsOfAdded(t *testing.T, f *fixture) {
	ctx := t.Context()
	f.subscribe(t, mine)
	v := core.Invocation{ID: f.id(), Account: mine, Kind: core.KindStanding, CreatedAt: epoch}
	tasks := []core.Task{
		{ID: core.TaskID{Invocation: v.ID}, Node: 1, State: core.DeliveryFailed, UpdatedAt: epoch},
		{ID: core.TaskID{Invocation: v.ID, Index: 1}, Node: 2, State: core.Invalid, UpdatedAt: epoch},
	}
	is(t, "insert", f.InsertInvocation(ctx, &v, tasks), nil)
	same(t, "events", []string{
		"invocation.accepted 0/2", "task.delivery_failed 0", "task.invalid 1", "invocation.ended 0/2",
	}, told(f.events(t, mine, 0)))
	last := f.events(t, mine, 0)[3].Seq

	due := at(60)
	for index, s := range []core.State{core.Delivering, core.Succeeded} {
		var run core.Task
		err := f.Occur(ctx, core.TaskID{Invocation: v.ID, Index: uint32(index)}, due,
			func(v *core.Invocation, own *core.Task, there *core.Invocation) (core.Invocation, core.Task, error) {
				o := *v
				if o.ID, o.Kind, o.Schedule, o.Due = f.id(), core.KindOccurrence, v.ID, due; there != nil {
					o = *there
				}
				return o, core.Task{ID: core.TaskID{Invocation: o.ID, Index: own.ID.Index}, Node: own.Node, State: s, UpdatedAt: epoch}, nil
			}, &run)
		is(t, "occur", err, nil)
	}
	got := f.events(t, mine, last)
	same(t, "events of an occurrence", []string{"invocation.accepted 1/1", "task.succeeded 1"}, told(got))
	same(t, "schedule", v.ID, got[0].Schedule)
}

// testEventsUndone lets changes fail, alone and among others.
func testEventsUndone(t *testing.T, f *fixture) {
	ctx := t.Context()
	sub := f.subscribe(t, mine)
	v := f.invocation(t, mine, keys(1)...)
	is(t, "insert again", f.InsertInvocation(ctx, &v, nil), core.ErrTaken)
	same(t, "events", []string{"invocation.accepted 1/1"}, told(f.events(t, mine, 0)))

	// A subscription that was refused, or is gone, changes nothing for those that stay.
	refusal := errors.New("refused")
	twin := core.Subscription{ID: f.id(), Account: other}
	is(t, "refused", f.InsertSubscription(ctx, &twin, func(int) error { return refusal }), refusal)
	second := f.subscribe(t, mine)
	is(t, "unsubscribe", f.ChangeSubscription(ctx, mine, sub.ID, func(*core.Subscription) (bool, error) { return false, nil }), nil)
	f.set(t, v.ID, core.Delivering, at(1), 0)
	f.invocation(t, other, keys(1)...)
	same(t, "events", []string{"task.delivering 0"}, told(f.events(t, mine, second.Cursor)))
	same(t, "events of the other account", 1, len(f.events(t, other, 0)))

	f.reopen(t)
	f.set(t, v.ID, core.Running, at(2), 0)
	same(t, "events after a restart", []string{"task.delivering 0", "task.running 0"}, told(f.events(t, mine, second.Cursor)))
}

// testClaims is about who may send when.
func testClaims(t *testing.T, f *fixture) {
	ctx := t.Context()
	claim := func(now, until time.Time, most int, want ...core.ID) {
		t.Helper()
		rows, err := f.ClaimSubscriptions(ctx, now, until, most)
		is(t, "claim", err, nil)
		var got []core.ID
		for i := range rows {
			got = append(got, rows[i].ID)
			same(t, "claimed until", until, rows[i].ClaimedUntil)
			again, err := f.Subscription(ctx, rows[i].Account, rows[i].ID)
			is(t, "read", err, nil)
			same(t, "as claimed", again, rows[i])
		}
		same(t, "claimed", want, got)
	}
	change := func(s core.Subscription, fn func(*core.Subscription)) {
		t.Helper()
		is(t, "change", f.ChangeSubscription(ctx, s.Account, s.ID, func(s *core.Subscription) (bool, error) { fn(s); return true, nil }), nil)
	}
	a, b, c := f.subscribe(t, mine), f.subscribe(t, mine), f.subscribe(t, other)
	claim(at(0), at(10), 9)
	f.invocation(t, mine)
	newest := f.events(t, mine, 0)[0].Seq
	claim(at(0), at(10), 9, a.ID, b.ID)
	claim(at(9), at(19), 9)
	claim(at(10), at(20), 1, a.ID)
	claim(at(11), at(21), 9, b.ID)

	// What has had its turn comes last; what is done, disabled or waiting for its next try does not come at all.
	change(a, func(s *core.Subscription) { s.ClaimedUntil = at(13) })
	change(b, func(s *core.Subscription) { s.ClaimedUntil = at(12) })
	claim(at(13), at(14), 9, b.ID, a.ID)
	change(a, func(s *core.Subscription) { s.Cursor = newest })
	change(b, func(s *core.Subscription) { s.NextTry = at(31) })
	claim(at(30), at(40), 9)
	claim(at(31), at(40), 9, b.ID)
	change(b, func(s *core.Subscription) { s.Enabled = false })
	claim(at(50), at(60), 9)

	// A dead letter waits without any event.
	change(c, func(s *core.Subscription) { s.Dead = []core.DeadLetter{{Seq: 1}} })
	claim(at(50), at(60), 9)
	change(c, func(s *core.Subscription) { s.Dead[0].Again = true })
	claim(at(50), at(60), 9, c.ID)

	// Of those who race for one, one wins.
	f.invocation(t, mine)
	won := make(chan int, 8)
	for range cap(won) {
		go func() {
			rows, err := f.ClaimSubscriptions(context.WithoutCancel(ctx), at(70), at(80), 9)
			is(t, "race", err, nil)
			won <- len(rows)
		}()
	}
	sum := 0
	for range cap(won) {
		sum += <-won
	}
	same(t, "claims won", 2, sum)
}

// testOldEvents finds moments among events and deletes the old ones.
func testOldEvents(t *testing.T, f *fixture) {
	ctx := t.Context()
	last := func(before time.Time, want int64) {
		t.Helper()
		got, err := f.LastEvent(ctx, before)
		is(t, "last event", err, nil)
		same(t, fmt.Sprintf("last event before %v", before), want, got)
	}
	last(at(0), 0)
	last(time.Time{}, 0)
	f.subscribe(t, mine)
	f.subscribe(t, other)
	theirs := f.invocation(t, other, keys(1)...)
	v := f.invocation(t, mine, keys(1)...)
	states := []core.State{core.Delivering, core.Deferred}
	for i := range 9 {
		f.set(t, v.ID, states[i%2], at(1+i/3), 0) // three in each second
	}
	f.set(t, theirs.ID, core.Delivering, at(9), 0)
	all := f.events(t, mine, 0)
	newest := f.events(t, other, 0)[1].Seq
	last(epoch, 0)
	last(at(1), all[0].Seq)
	last(at(2), all[3].Seq)
	last(at(3), all[6].Seq)
	last(at(3).Add(-time.Microsecond), all[6].Seq)
	last(at(4), all[9].Seq)
	last(at(10), newest) // of the other account
	last(time.Time{}, newest)

	remove := func(before time.Time, most, want int) {
		t.Helper()
		n, err := f.DeleteEvents(ctx, before, most)
		is(t, "delete", err, nil)
		same(t, "deleted", want, n)
	}
	remove(epoch, 100, 0)
	remove(at(2), 3, 3)
	remove(at(2), 100, 2)
	remove(at(2), 100, 0)
	same(t, "what is left", told(all[4:]), told(f.events(t, mine, 0)))
	last(at(2), 0)
	remove(at(100), 100, 7)
	last(time.Time{}, newest)

	// Numbers are not used twice, whatever was deleted.
	f.reopen(t)
	f.set(t, v.ID, core.Running, at(11), 0)
	if got := f.events(t, mine, 0)[0].Seq; got <= newest {
		t.Errorf("event %d comes after %d", got, newest)
	}
}
