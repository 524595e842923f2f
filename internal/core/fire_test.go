package core_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/scene"
	"errand/internal/core"
)

// fragile is a store that can lose its connection between two steps.
type fragile struct {
	core.Store
	mu   sync.Mutex
	lost func(step string) bool
}

func (f *fragile) fails(step string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lost != nil && f.lost(step) {
		return errors.New("connection lost")
	}
	return nil
}

func (f *fragile) InsertInvocation(ctx context.Context, v *core.Invocation, tasks []core.Task) error {
	if err := f.fails("run"); err != nil {
		return err
	}
	return f.Store.InsertInvocation(ctx, v, tasks)
}

func (f *fragile) InsertFiring(ctx context.Context, r core.Firing, most int, move func(*core.Schedule)) error {
	if err := f.fails("note"); err != nil {
		return err
	}
	return f.Store.InsertFiring(ctx, r, most, move)
}

// timetable is some replicas on one store, whose schedules the test fires by hand.
type timetable struct {
	*scene.Scene
	t        *testing.T
	store    *fragile
	replicas []*core.Service
	command  core.ID
}

func newTimetable(t *testing.T, replicas int) *timetable {
	t.Helper()
	tt := &timetable{t: t}
	var config core.Config
	tt.Scene = scene.New(t, func(c *core.Config) {
		tt.store = &fragile{Store: c.Store}
		c.Store = tt.store
		config = *c
	})
	tt.replicas = []*core.Service{tt.Service}
	for i := range replicas - 1 {
		config.IDs, config.Feed = core.NewIDs(uint64(i+2)), &core.Feed{}
		tt.replicas = append(tt.replicas, core.NewService(config))
	}
	tt.command = script(t, tt.Service, tt.Caller, core.Definition{})
	return tt
}

// add makes a schedule on node "n".
func (tt *timetable) add(trigger core.Trigger) core.Schedule {
	tt.t.Helper()
	sc, err := tt.Service.CreateSchedule(tt.t.Context(), tt.Caller, core.ScheduleSpec{
		Origin: core.OriginTAT, Name: "x", Command: tt.command, Trigger: trigger, Targets: []string{"n"}, DeliverWithin: time.Minute,
	})
	if err != nil {
		tt.t.Fatal(err)
	}
	return sc
}

// fire lets a replica fire what is due and returns what became of it.
func (tt *timetable) fire(s *core.Service) (fired []core.Firing, errs []error) {
	tt.t.Helper()
	due, err := s.ClaimSchedules(tt.t.Context(), 100)
	if err != nil {
		tt.t.Fatal(err)
	}
	for i := range due {
		f, err := s.Fire(tt.t.Context(), &due[i])
		if err != nil {
			errs = append(errs, err)
		} else if f.ID != 0 {
			fired = append(fired, f)
		}
	}
	return fired, errs
}

// history is what became of the moments of a schedule, oldest first: the time of day, then what is wrong or that it ran.
func (tt *timetable) history(sc core.Schedule) (lines []string) {
	tt.t.Helper()
	rows, _, err := tt.Service.Firings(tt.t.Context(), tt.Caller, core.FiringFilter{Schedules: []core.ID{sc.ID}}, core.PageSpec{Limit: 100})
	if err != nil {
		tt.t.Fatal(err)
	}
	for _, f := range slices.Backward(rows) {
		what := f.Problem
		if f.Invocation != 0 {
			what = "ran"
			v, err := tt.Service.Invocation(tt.t.Context(), tt.Caller, f.Invocation)
			if err != nil || v.Schedule != sc.ID || !v.Due.Equal(f.Due) || v.Kind != core.KindOnce || v.Origin != core.OriginTAT {
				tt.t.Errorf("%+v ran %+v, %v", f, v, err)
			}
		}
		lines = append(lines, f.Due.Format("15:04:05 ")+what)
	}
	return lines
}

// runs is how many invocations there are.
func (tt *timetable) runs() int {
	tt.t.Helper()
	_, info, err := tt.Service.Invocations(tt.t.Context(), tt.Caller, core.InvocationFilter{}, core.PageSpec{Limit: 1, Count: true})
	if err != nil {
		tt.t.Fatal(err)
	}
	return info.Total
}

func (tt *timetable) expect(what string, sc core.Schedule, lines ...string) {
	tt.t.Helper()
	if diff := cmp.Diff(lines, tt.history(sc)); diff != "" {
		tt.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func (tt *timetable) next(sc core.Schedule) string {
	tt.t.Helper()
	rows, _, err := tt.Service.Schedules(tt.t.Context(), tt.Caller, core.ScheduleFilter{IDs: []core.ID{sc.ID}}, core.PageSpec{Limit: 1})
	if err != nil || len(rows) != 1 {
		tt.t.Fatalf("%v, %d rows", err, len(rows))
	}
	if rows[0].Next.IsZero() {
		return "never"
	}
	return rows[0].Next.Format(time.TimeOnly)
}

// TestFire fires what is due, once for each moment, whichever replica comes first. It begins at 05:41:40.
func TestFire(t *testing.T) {
	t.Parallel()
	tt := newTimetable(t, 3)
	tt.Node("n")
	minutely, once := tt.add(core.Trigger{Crontab: "* * * * *"}), tt.add(core.Trigger{At: tt.Now().Add(50 * time.Second)})
	if fired, errs := tt.fire(tt.Service); len(fired)+len(errs) != 0 {
		t.Errorf("before its time: %v, %v", fired, errs)
	}
	if next, err := tt.Service.NextSchedule(t.Context()); err != nil || next.Format(time.TimeOnly) != "05:42:00" {
		t.Errorf("next is %v, %v", next, err)
	}
	for range 4 {
		tt.Advance(20 * time.Second)
		var all sync.WaitGroup
		for _, s := range tt.replicas {
			all.Go(func() {
				if _, errs := tt.fire(s); errs != nil {
					t.Error(errs)
				}
			})
		}
		all.Wait()
	}
	tt.expect("every minute", minutely, "05:42:00 ran", "05:43:00 ran")
	tt.expect("once", once, "05:42:30 ran")
	if got := tt.runs(); got != 3 {
		t.Errorf("%d invocations", got)
	}
	if a, b := tt.next(minutely), tt.next(once); a != "05:44:00" || b != "never" {
		t.Errorf("next are %s and %s", a, b)
	}
}

// TestFireInterrupted loses the store between any two steps; whoever comes next does what is left.
func TestFireInterrupted(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"run", "note"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			tt := newTimetable(t, 2)
			tt.Node("n")
			sc := tt.add(core.Trigger{Crontab: "* * * * *"})
			tt.Advance(20 * time.Second)
			tt.store.lost = func(s string) bool { return s == step }
			if fired, errs := tt.fire(tt.replicas[0]); len(fired) != 0 || len(errs) != 1 {
				t.Fatalf("%v, %v", fired, errs)
			}
			tt.store.lost = nil
			tt.Advance(19 * time.Second)
			if fired, errs := tt.fire(tt.replicas[1]); len(fired)+len(errs) != 0 {
				t.Errorf("the first may still be at it: %v, %v", fired, errs)
			}
			tt.Advance(time.Second)
			if fired, errs := tt.fire(tt.replicas[1]); len(fired) != 1 || len(errs) != 0 {
				t.Errorf("%v, %v", fired, errs)
			}
			tt.expect("after the interruption", sc, "05:42:00 ran")
			if got := tt.runs(); got != 1 {
				t.Errorf("%d invocations", got)
			}
		})
	}
}

// TestFireTooSlow lets a claim end while its owner is still at work.
func TestFireTooSlow(t *testing.T) {
	t.Parallel()
	tt := newTimetable(t, 2)
	tt.Node("n")
	sc := tt.add(core.Trigger{Crontab: "* * * * *"})
	tt.Advance(20 * time.Second)
	slow, err := tt.replicas[0].ClaimSchedules(t.Context(), 1)
	if err != nil || len(slow) != 1 {
		t.Fatalf("%v, %v", slow, err)
	}
	entered := make(chan struct{})
	tt.store.lost = func(step string) bool {
		if step == "note" && entered != nil {
			close(entered)
			entered = nil
			tt.Advance(25 * time.Second)
			tt.store.mu.Unlock()
			defer tt.store.mu.Lock()
			if fired, errs := tt.fire(tt.replicas[1]); len(fired) != 1 || len(errs) != 0 {
				t.Errorf("%v, %v", fired, errs)
			}
		}
		return false
	}
	if _, err := tt.replicas[0].Fire(t.Context(), &slow[0]); err != nil {
		t.Error(err)
	}
	tt.expect("both", sc, "05:42:00 ran")
	if got := tt.runs(); got != 1 || tt.next(sc) != "05:43:00" {
		t.Errorf("%d invocations, next at %s", got, tt.next(sc))
	}
}

// TestFireLate comes late to some moments: by less than a minute is not too late.
func TestFireLate(t *testing.T) {
	t.Parallel()
	for name, try := range map[string]struct {
		trigger core.Trigger
		at      string // when the server comes back
		want    []string
		next    string
	}{
		"recurring, just in time": {core.Trigger{Crontab: "* * * * *"}, "05:42:59", []string{"05:42:00 ran"}, "05:43:00"},
		"recurring, too late": {
			core.Trigger{Crontab: "* * * * *"}, "05:43:00", []string{"05:42:00 missed: the server came to it 1m0s late", "05:43:00 ran"}, "05:44:00",
		},
		"recurring, hours late": {
			core.Trigger{Crontab: "* * * * *"}, "08:00:30", []string{"05:42:00 missed: the server came to it 2h18m30s late", "08:00:00 ran"}, "08:01:00",
		},
		"hourly, hours late": {
			core.Trigger{Crontab: "0 * * * *"}, "08:30:00", []string{"06:00:00 missed: the server came to it 2h30m0s late"}, "09:00:00",
		},
		"once, just in time": {
			core.Trigger{At: time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)}, "06:00:59", []string{"06:00:00 ran"}, "never",
		},
		"once, too late": {
			core.Trigger{At: time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)},
			"06:01:00",
			[]string{"06:00:00 missed: the server came to it 1m0s late"},
			"never",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt := newTimetable(t, 1)
			tt.Node("n")
			sc := tt.add(try.trigger)
			back, err := time.Parse(time.DateTime, "2026-11-22 "+try.at)
			if err != nil {
				t.Fatal(err)
			}
			tt.At(back)
			for range 3 {
				tt.fire(tt.Service)
			}
			tt.expect(name, sc, try.want...)
			if got := tt.next(sc); got != try.next {
				t.Errorf("next is %s, want %s", got, try.next)
			}
		})
	}
}

// TestFireUnnoted comes hours late to a moment that ran, although nobody could note it.
func TestFireUnnoted(t *testing.T) {
	t.Parallel()
	tt := newTimetable(t, 1)
	tt.Node("n")
	sc := tt.add(core.Trigger{At: tt.Now().Add(time.Minute)})
	tt.Advance(time.Minute)
	tt.store.lost = func(step string) bool { return step == "note" }
	tt.fire(tt.Service)
	tt.store.lost = nil
	tt.Advance(5 * time.Hour)
	tt.fire(tt.Service)
	tt.expect("noted late", sc, "05:42:40 ran")
}

// TestFireUnfit lets the world change between the order and its moment.
func TestFireUnfit(t *testing.T) {
	t.Parallel()
	tt := newTimetable(t, 1)
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const owner = "ada"
	must(tt.Service.CreateUser(t.Context(), tt.Caller, owner, core.UserPerson, ""))
	bat := core.Bat
	cases := map[string]struct {
		change func(sc core.Schedule)
		want   string
	}{
		"nothing": {func(core.Schedule) {}, "ran"},
		"disabled": {func(sc core.Schedule) {
			must(nil, tt.Service.EnableSchedule(t.Context(), tt.Caller, sc.ID, false))
		}, ""},
		"disabled and enabled": {func(sc core.Schedule) {
			must(nil, tt.Service.EnableSchedule(t.Context(), tt.Caller, sc.ID, false))
			must(nil, tt.Service.EnableSchedule(t.Context(), tt.Caller, sc.ID, true))
		}, "ran"},
		"command deleted": {func(sc core.Schedule) {
			must(nil, tt.Service.DeleteCommands(t.Context(), tt.Caller, []core.ID{sc.Command}, false))
		}, "no command"},
		"command for others": {func(sc core.Schedule) {
			must(nil, tt.Service.ModifyCommand(t.Context(), tt.Caller, sc.Command, core.CommandChange{Type: &bat}))
		}, "n-command-for-others: platform linux cannot run bat"},
		"node removed": {func(sc core.Schedule) {
			must(tt.Service.RemoveNode(t.Context(), tt.Caller, sc.Targets[0]))
		}, "none of its nodes is there any more"},
		"owner disabled": {func(sc core.Schedule) {
			must(tt.Service.ChangeUser(t.Context(), tt.Caller, owner, core.UserChange{Disabled: ptr(true)}))
		}, "its owner ada is disabled or gone"},
		"owner disabled, changed by another since": {func(sc core.Schedule) {
			must(nil, tt.Service.ChangeSchedule(t.Context(), tt.Caller, sc.ID, core.ScheduleChange{Name: ptr("new")}))
		}, "ran"},
	}
	made := map[string]core.Schedule{}
	for name, c := range cases {
		node := tt.Node("n-" + strings.NewReplacer(" ", "-", ",", "").Replace(name))
		maker := tt.Caller
		if strings.HasPrefix(name, "owner") {
			maker.Principal = owner
		}
		sc, err := tt.Service.CreateSchedule(t.Context(), maker, core.ScheduleSpec{
			Command: script(t, tt.Service, tt.Caller, core.Definition{}), Trigger: core.Trigger{Crontab: "* * * * *"}, Targets: []string{node.ID},
			Origin: core.OriginTAT,
		})
		must(nil, err)
		made[name] = sc
		c.change(sc)
	}
	tt.Advance(30 * time.Second)
	tt.fire(tt.Service)
	ran := 0
	for name, c := range cases {
		var want []string
		if c.want != "" {
			want = []string{"05:42:00 " + c.want}
		}
		if c.want == "ran" {
			ran++
		}
		got := tt.history(made[name])
		for i := range got {
			got[i] = strings.ReplaceAll(got[i], " "+made[name].Command.String(), "")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := tt.runs(); got != ran {
		t.Errorf("%d invocations, want %d", got, ran)
	}
}

// TestFireChanged disables and deletes schedules after they were claimed.
func TestFireChanged(t *testing.T) {
	t.Parallel()
	tt := newTimetable(t, 1)
	tt.Node("n")
	off, gone := tt.add(core.Trigger{Crontab: "* * * * *"}), tt.add(core.Trigger{Crontab: "* * * * *"})
	tt.Advance(30 * time.Second)
	due, err := tt.Service.ClaimSchedules(t.Context(), 100)
	if err != nil || len(due) != 2 {
		t.Fatalf("%v, %v", due, err)
	}
	if err := errors.Join(
		tt.Service.EnableSchedule(t.Context(), tt.Caller, off.ID, false), tt.Service.DeleteSchedule(t.Context(), tt.Caller, gone.ID),
	); err != nil {
		t.Fatal(err)
	}
	for i := range due {
		if f, err := tt.Service.Fire(t.Context(), &due[i]); f != (core.Firing{}) || err != nil {
			t.Errorf("%+v, %v", f, err)
		}
	}
	if got := tt.runs(); got != 0 {
		t.Errorf("%d invocations", got)
	}
}

// TestFirePresent runs the command as it is now on the nodes that are left, online or not.
func TestFirePresent(t *testing.T) {
	t.Parallel()
	tt := newTimetable(t, 1)
	tt.Node("n")
	tt.Node("m")
	tt.Node("gone")
	sc, err := tt.Service.CreateSchedule(t.Context(), tt.Caller, core.ScheduleSpec{
		Command: tt.command, Trigger: core.Trigger{Crontab: "* * * * *"}, Targets: []string{"n", "gone", "m"}, User: "me",
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tt.Service.RemoveNode(t.Context(), tt.Caller, "gone"); err != nil {
		t.Fatal(err)
	}
	if err := tt.Service.ModifyCommand(t.Context(), tt.Caller, tt.command, core.CommandChange{Content: []byte("later")}); err != nil {
		t.Fatal(err)
	}
	tt.Advance(30 * time.Second)
	fired, errs := tt.fire(tt.Service)
	if len(fired) != 1 || errs != nil {
		t.Fatalf("%v, %v", fired, errs)
	}
	v, err := tt.Service.Invocation(t.Context(), tt.Caller, fired[0].Invocation)
	if err != nil || v.Schedule != sc.ID || string(v.Content) != "later" || v.User != "me" || v.Counts.Of(core.Queued) != 2 {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestRetainFirings removes what became of moments long ago.
func TestRetainFirings(t *testing.T) {
	t.Parallel()
	tt := newTimetable(t, 1)
	tt.Node("n")
	sc := tt.add(core.Trigger{Crontab: "* * * * *"})
	for range 3 {
		tt.Advance(time.Hour)
		tt.fire(tt.Service)
	}
	if _, err := tt.Service.Retain(t.Context(), core.Retention{}); err != nil || len(tt.history(sc)) != 3 {
		t.Errorf("%v, %v", err, tt.history(sc))
	}
	if _, err := tt.Service.Retain(t.Context(), core.Retention{Age: 90 * time.Minute}); err != nil || len(tt.history(sc)) != 2 {
		t.Errorf("%v, %v", err, tt.history(sc))
	}
}
