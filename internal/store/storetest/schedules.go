package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"errand/internal/core"
)

func fullSchedule(id core.ID) core.Schedule {
	return core.Schedule{
		ID: id, Account: mine, Principal: "ada", Region: "r1", Origin: core.OriginTAT, Name: "nächtlich",
		Trigger: core.Trigger{Crontab: "0 0 1 * *", At: at(1)}, Enabled: true, Next: at(2), Command: 77, Targets: []string{"b", "a"},
		Params: map[string]string{"x": "<1>"}, User: "root",
		Style:    core.ParamStyle{FoldCase: true, Required: true, Exact: true, Hidden: "h:"},
		KillTree: true, DeliverWithin: time.Minute, Revision: 3, Tags: []core.Tag{{Key: "k", Value: "v"}},
		Extra: map[string]string{"only": "mine"}, CreatedAt: at(3), UpdatedAt: at(4),
	}
}

func (f *fixture) schedule(t *testing.T, c core.Schedule) core.Schedule {
	t.Helper()
	c.ID = f.id()
	if c.Account == 0 {
		c.Account = mine
	}
	is(t, "insert schedule", f.InsertSchedule(t.Context(), c), nil)
	return c
}

func testScheduleRoundTrip(t *testing.T, f *fixture) {
	ctx := t.Context()
	full := fullSchedule(f.id())
	filled(t, full)
	for _, want := range []core.Schedule{full, {ID: f.id(), Account: mine}} {
		is(t, "insert", f.InsertSchedule(ctx, want), nil)
		got, err := f.Schedule(ctx, mine, want.ID)
		is(t, "read", err, nil)
		same(t, "schedule", want, got)
		_, err = f.Schedule(ctx, other, want.ID)
		is(t, "schedule of another account", err, core.ErrNotFound)
	}
	is(t, "insert twice", f.InsertSchedule(ctx, core.Schedule{ID: full.ID, Account: other}), core.ErrTaken)
	_, err := f.Schedule(ctx, mine, f.id())
	is(t, "schedule that was never made", err, core.ErrNotFound)
}

func testScheduleChange(t *testing.T, f *fixture) {
	ctx := t.Context()
	before := f.schedule(t, core.Schedule{CreatedAt: at(1)})
	want := fullSchedule(before.ID)
	is(t, "change", f.ChangeSchedule(ctx, mine, want.ID, func(c *core.Schedule) (bool, error) {
		same(t, "schedule given to change", before, *c)
		*c = want
		return true, nil
	}), nil)
	refusal := errors.New("refused")
	is(t, "refused change", f.ChangeSchedule(ctx, mine, want.ID, func(c *core.Schedule) (bool, error) {
		c.Name = "changed all the same"
		return false, refusal
	}), refusal)
	never := func(*core.Schedule) (bool, error) {
		t.Error("change was called without a schedule")
		return true, nil
	}
	is(t, "change in another account", f.ChangeSchedule(ctx, other, want.ID, never), core.ErrNotFound)
	is(t, "change of no schedule", f.ChangeSchedule(ctx, mine, f.id(), never), core.ErrNotFound)
	got, err := f.Schedule(ctx, mine, want.ID)
	is(t, "read", err, nil)
	same(t, "changed schedule", want, got)

	// A schedule goes with its firings, and with no one else's.
	others := f.schedule(t, core.Schedule{})
	for _, id := range []core.ID{want.ID, others.ID} {
		f.fire(t, core.Firing{Schedule: id, Due: at(1)})
	}
	is(t, "delete", f.ChangeSchedule(ctx, mine, want.ID, func(*core.Schedule) (bool, error) { return false, nil }), nil)
	_, err = f.Schedule(ctx, mine, want.ID)
	is(t, "read a deleted one", err, core.ErrNotFound)
	rows, total, err := f.ListFirings(ctx, core.FiringFilter{Account: mine}, everything)
	is(t, "list", err, nil)
	if len(rows) != 1 || total != 1 || rows[0].Schedule != others.ID {
		t.Errorf("firings left: %+v, %d in all", rows, total)
	}
}

func testScheduleFilters(t *testing.T, f *fixture) {
	var rows []core.Schedule
	for i := range 12 {
		rows = append(rows, f.schedule(t, core.Schedule{Name: fmt.Sprint(i), Command: core.ID(i%3 + 1)}))
		f.schedule(t, core.Schedule{Account: other, Command: core.ID(i%3 + 1)})
	}
	chosen := []core.ID{rows[0].ID, rows[1].ID, 5, rows[6].ID}
	l := listing[core.ScheduleFilter, core.Schedule]{
		base: core.ScheduleFilter{Account: mine}, rows: newest(rows), list: f.ListSchedules,
		cursor: func(c *core.Schedule) core.Cursor { return core.Cursor{A: int64(c.ID)} },
		parts: []part[core.ScheduleFilter, core.Schedule]{
			{
				"ids", func(f *core.ScheduleFilter) { f.IDs = chosen },
				func(c *core.Schedule) bool { return c.ID == chosen[0] || c.ID == chosen[1] || c.ID == chosen[3] },
			},
			{
				"command", func(f *core.ScheduleFilter) { f.Commands = []core.ID{2} },
				func(c *core.Schedule) bool { return c.Command == 2 },
			},
		},
	}
	l.check(t)
}

// testScheduleClaims lets several replicas take what is due.
func testScheduleClaims(t *testing.T, f *fixture) {
	ctx := t.Context()
	next := func(now, want time.Time) {
		t.Helper()
		got, err := f.NextSchedule(ctx, now)
		is(t, "next", err, nil)
		same(t, "next", want, got)
	}
	next(at(0), time.Time{})
	f.schedule(t, core.Schedule{}) // waits for nothing
	next(at(0), time.Time{})
	var due []core.ID
	for i := range 20 {
		account := mine
		if i%2 == 0 {
			account = other
		}
		due = append(due, f.schedule(t, core.Schedule{Account: account, Next: at(10 + i)}).ID)
	}
	later := f.schedule(t, core.Schedule{Next: at(100)})
	next(at(0), at(10))
	next(at(15), at(15))

	claim := func(now, until time.Time, most int) (ids []core.ID) {
		t.Helper()
		rows, err := f.ClaimSchedules(ctx, now, until, most)
		is(t, "claim", err, nil)
		for i := range rows {
			ids = append(ids, rows[i].ID)
		}
		return ids
	}
	same(t, "before the first", []core.ID(nil), claim(at(9), at(60), 5))
	same(t, "the first ones", due[:3], claim(at(30), at(60), 3))
	var mu sync.Mutex
	taken := map[core.ID]int{}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			rows, err := f.ClaimSchedules(ctx, at(30), at(60), 4)
			is(t, "claim", err, nil)
			mu.Lock()
			defer mu.Unlock()
			for i := range rows {
				taken[rows[i].ID]++
			}
		})
	}
	all.Wait()
	want := map[core.ID]int{}
	for _, id := range due[3:] {
		want[id] = 1
	}
	same(t, "the others, each once", want, taken)
	next(at(30), at(60))
	same(t, "all are taken", []core.ID(nil), claim(at(59), at(90), 100))

	// A claim ends by time, by what it was for, and by a change.
	fired := f.fire(t, core.Firing{Schedule: due[0], Due: at(10)})
	is(t, "change", f.ChangeSchedule(ctx, mine, due[1], func(c *core.Schedule) (bool, error) { c.Next = at(40); return true, nil }), nil)
	next(at(30), at(40))
	same(t, "the changed one", due[1:2], claim(at(40), at(200), 100))
	same(t, "taken over", append(append([]core.ID(nil), due[2:]...), later.ID), claim(at(100), at(200), 100))
	got, err := f.Schedule(ctx, other, fired.Schedule)
	is(t, "read", err, nil)
	same(t, "what was fired has no next moment", time.Time{}, got.Next)
	next(at(100), at(200))
}

// fire inserts a firing after which its schedule never fires again.
func (f *fixture) fire(t *testing.T, firing core.Firing) core.Firing {
	t.Helper()
	firing.ID = f.id()
	if firing.Account == 0 {
		firing.Account = mine
	}
	is(t, "fire", f.InsertFiring(t.Context(), firing, 1000, func(c *core.Schedule) { c.Next = time.Time{} }), nil)
	return firing
}

func (f *fixture) firings(t *testing.T, schedules ...core.ID) []core.Firing {
	t.Helper()
	rows, total, err := f.ListFirings(t.Context(), core.FiringFilter{Account: mine, Schedules: schedules}, everything)
	is(t, "list firings", err, nil)
	same(t, "total", len(rows), total)
	return rows
}

func testFirings(t *testing.T, f *fixture) {
	ctx := t.Context()
	c := f.schedule(t, core.Schedule{Next: at(60), Revision: 1, UpdatedAt: at(1)})
	first := core.Firing{ID: f.id(), Account: mine, Schedule: c.ID, Due: at(60), Invocation: 9, Problem: "none"}
	filled(t, first)
	moved := 0
	move := func(c *core.Schedule) {
		moved++
		c.Next = c.Next.Add(time.Minute)
	}
	for range 2 { // the second one is another replica that was slower, or the same one after a crash
		is(t, "fire", f.InsertFiring(ctx, first, 3, move), nil)
		first.ID = f.id()
	}
	same(t, "moved on", 1, moved)
	c.Next = at(120)
	got, err := f.Schedule(ctx, mine, c.ID)
	is(t, "read", err, nil)
	same(t, "schedule", c, got)
	rows := f.firings(t, c.ID)
	if len(rows) != 1 {
		t.Fatalf("%d firings of one moment", len(rows))
	}
	first.ID = rows[0].ID
	same(t, "firing", first, rows[0])

	// A moment for which the schedule does not wait any more is noted, and moves nothing.
	is(t, "fire what was changed", f.InsertFiring(ctx, core.Firing{ID: f.id(), Account: mine, Schedule: c.ID, Due: at(90)}, 3, move), nil)
	same(t, "moved on", 1, moved)
	same(t, "firings", 2, len(f.firings(t)))
	is(t, "same id", f.InsertFiring(ctx, core.Firing{ID: first.ID, Account: mine, Schedule: c.ID, Due: at(120)}, 3, move), core.ErrTaken)
	is(t, "fire what is gone", f.InsertFiring(ctx, core.Firing{ID: f.id(), Account: mine, Schedule: f.id(), Due: at(60)}, 3, move), core.ErrNotFound)
	same(t, "moved on", 1, moved)

	// Only the newest stay.
	other := f.schedule(t, core.Schedule{})
	f.fire(t, core.Firing{Schedule: other.ID, Due: at(1)})
	for i := range 4 {
		is(t, "fire", f.InsertFiring(ctx, core.Firing{ID: f.id(), Account: mine, Schedule: c.ID, Due: at(120 + i)}, 3, move), nil)
	}
	var due []time.Time
	for _, row := range f.firings(t, c.ID) {
		due = append(due, row.Due)
	}
	same(t, "moments kept", []time.Time{at(123), at(122), at(121)}, due)
	same(t, "firings of others", 1, len(f.firings(t, other.ID)))
}

func testFiringFilters(t *testing.T, f *fixture) {
	var schedules []core.ID
	for range 3 {
		schedules = append(schedules, f.schedule(t, core.Schedule{}).ID)
	}
	foreign := f.schedule(t, core.Schedule{Account: other})
	var rows []core.Firing
	for i := range 12 {
		rows = append(rows, f.fire(t, core.Firing{Schedule: schedules[i%3], Due: at(i), Invocation: core.ID(i)}))
		f.fire(t, core.Firing{Account: other, Schedule: foreign.ID, Due: at(i)})
	}
	l := listing[core.FiringFilter, core.Firing]{
		base: core.FiringFilter{Account: mine}, rows: newest(rows), list: f.ListFirings,
		cursor: func(r *core.Firing) core.Cursor { return core.Cursor{A: int64(r.ID)} },
		parts: []part[core.FiringFilter, core.Firing]{
			{
				"schedule", func(f *core.FiringFilter) { f.Schedules = schedules[:1] },
				func(r *core.Firing) bool { return r.Schedule == schedules[0] },
			},
			{
				"schedules", func(f *core.FiringFilter) { f.Schedules = []core.ID{schedules[1], 5, schedules[2], foreign.ID} },
				func(r *core.Firing) bool { return r.Schedule != schedules[0] },
			},
		},
	}
	// Two parts of this filter set the same field, so each is tried alone.
	for _, p := range l.parts {
		alone := l
		alone.parts = []part[core.FiringFilter, core.Firing]{p}
		alone.check(t)
	}
}

func testDeleteFirings(t *testing.T, f *fixture) {
	ctx := t.Context()
	c, foreign := f.schedule(t, core.Schedule{}), f.schedule(t, core.Schedule{Account: other})
	var rows []core.Firing
	for i := range 4 {
		f.fire(t, core.Firing{Account: other, Schedule: foreign.ID, Due: at(i)})
		rows = append(rows, f.fire(t, core.Firing{Schedule: c.ID, Due: at(i)}))
	}
	remove := func(before core.ID, most, want int) {
		t.Helper()
		n, err := f.DeleteFirings(ctx, before, most)
		is(t, "delete", err, nil)
		same(t, "deleted", want, n)
	}
	remove(rows[1].ID, 2, 2)
	same(t, "left", newest(rows[1:]), f.firings(t))
	remove(rows[1].ID, 9, 1)
	remove(rows[1].ID, 9, 0)
	same(t, "left", newest(rows[1:]), f.firings(t))
}
