package dispatch

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/core"
	"errand/internal/store/sqlite"
	"errand/internal/telemetry"
)

// grouped is more than the store waits for writes that may share a transaction.
const grouped = 100 * time.Millisecond

// later is the clock of a bubble, which shows the year 2000, where ids begin in 2025. It begins at midnight as well.
func later() time.Time { return time.Now().AddDate(30, 0, 0) }

// replicas are some servers on one store, each a service and a dispatcher whose only loop is repeat, on the clock of a bubble.
type replicas struct {
	t           *testing.T
	caller      core.Caller
	services    []*core.Service
	dispatchers []*Dispatcher
	ran         atomic.Int64 // invocations that were announced
}

func newReplicas(t *testing.T, n int) *replicas {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "errand.db"), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	sealer, err := core.NewSealer(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	c := &replicas{t: t, caller: core.Caller{Account: core.RootAccount, Principal: core.RootUser, Root: true}}
	for i := range n {
		feed := &core.Feed{}
		feed.Listen(func(e core.Event) {
			if e.New != nil {
				c.ran.Add(1)
			}
		})
		svc := core.NewService(core.Config{
			Store: store, Sealer: sealer, IDs: core.NewIDs(uint64(i)), Now: later, Log: log, Feed: feed, PageKey: make([]byte, 32),
		})
		c.services = append(c.services, svc)
		c.dispatchers = append(c.dispatchers, New(Config{
			Service: svc, Feed: feed, Bus: &wire{}, Now: later, Log: log, Metrics: telemetry.NewMetrics(nil),
		}))
	}
	if _, err := c.services[0].CreateAccount(t.Context(), core.RootAccount, "test"); err != nil {
		t.Fatal(err)
	}
	code, secret, err := c.services[0].CreateRegistration(t.Context(), c.caller, core.RegistrationSpec{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.services[0].Register(t.Context(), core.Enrolment{
		Code: code.ID, Secret: secret, PublicKey: "k", NodeID: "n", Facts: core.Facts{Platform: core.Linux},
	}); err != nil {
		t.Fatal(err)
	}
	return c
}

// start starts the loop of a replica.
func (c *replicas) start(replica int) {
	done := make(chan error, 1)
	go func() { done <- c.dispatchers[replica].repeat(c.t.Context()) }()
	c.t.Cleanup(func() {
		if err := <-done; err != nil { // the test's context ends before this
			c.t.Error(err)
		}
	})
}

func (c *replicas) command() core.ID {
	c.t.Helper()
	cmd, err := c.services[0].CreateCommand(c.t.Context(), c.caller, core.CommandSpec{Definition: core.Definition{
		Name: "c", Type: core.Shell, Content: []byte("x"), Timeout: time.Second,
	}})
	if err != nil {
		c.t.Fatal(err)
	}
	return cmd.ID
}

// add makes a schedule through a replica.
func (c *replicas) add(replica int, command core.ID, trigger core.Trigger) core.Schedule {
	c.t.Helper()
	s, err := c.services[replica].CreateSchedule(c.t.Context(), c.caller, core.ScheduleSpec{
		Name: "s", Command: command, Trigger: trigger, Targets: []string{"n"}, DeliverWithin: time.Minute,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

// history is when a schedule was due and what is wrong, oldest first.
func (c *replicas) history(s core.Schedule) (lines []string) {
	c.t.Helper()
	rows, _, err := c.services[0].Firings(c.t.Context(), c.caller, core.FiringFilter{Schedules: []core.ID{s.ID}}, core.PageSpec{Limit: 1000})
	if err != nil {
		c.t.Fatal(err)
	}
	for _, f := range slices.Backward(rows) {
		lines = append(lines, f.Due.Format(time.TimeOnly)+f.Problem)
	}
	return lines
}

// until sleeps until some time after midnight.
func until(d time.Duration) { time.Sleep(d - time.Duration(later().UnixNano())%(24*time.Hour)) }

// TestRepeat lets two replicas live through some minutes: each moment comes once, at once, and changes are heard.
func TestRepeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newReplicas(t, 2)
		c.start(0)
		c.start(1)
		synctest.Wait()
		command := c.command()
		minutely := c.add(0, command, core.Trigger{Crontab: "* * * * *"})
		once := c.add(1, command, core.Trigger{At: later().Truncate(time.Second).Add(3 * time.Second)})
		expect := func(at time.Duration, s core.Schedule, want ...string) {
			t.Helper()
			until(at)
			synctest.Wait()
			if got := c.history(s); !slices.Equal(got, want) {
				t.Errorf("after %v: %v, want %v", at, got, want)
			}
		}
		enable := func(on bool) {
			t.Helper()
			if err := c.services[1].EnableSchedule(t.Context(), c.caller, minutely.ID, on); err != nil {
				t.Fatal(err)
			}
		}
		expect(10*time.Second, once, once.Next.Format(time.TimeOnly))
		expect(time.Minute-time.Nanosecond, minutely)
		expect(time.Minute+grouped, minutely, "00:01:00")
		expect(3*time.Minute+grouped, minutely, "00:01:00", "00:02:00", "00:03:00")
		enable(false)
		expect(5*time.Minute+30*time.Second, minutely, "00:01:00", "00:02:00", "00:03:00")
		enable(true)
		expect(6*time.Minute+grouped, minutely, "00:01:00", "00:02:00", "00:03:00", "00:06:00")
		if got := c.ran.Load(); got != 5 {
			t.Errorf("%d invocations", got)
		}
	})
}

// TestRepeatForOther makes a schedule through a replica that then does nothing: another one finds it by itself.
func TestRepeatForOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newReplicas(t, 2)
		c.start(0)
		synctest.Wait()
		s := c.add(1, c.command(), core.Trigger{At: later().Truncate(time.Second).Add(11 * time.Second)})
		time.Sleep(11*time.Second + grouped)
		synctest.Wait()
		if got := c.history(s); !slices.Equal(got, []string{s.Next.Format(time.TimeOnly)}) {
			t.Errorf("%v", got)
		}
	})
}

// TestRepeatMany fires more schedules at one moment than are claimed at a time.
func TestRepeatMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newReplicas(t, 2)
		command := c.command()
		var all []core.Schedule
		for i := range fireBatch + 1 {
			all = append(all, c.add(i%2, command, core.Trigger{Crontab: "*/2 * * * *"}))
		}
		c.start(0)
		c.start(1)
		until(2*time.Minute + 10*time.Second)
		synctest.Wait()
		for _, s := range all {
			if got := c.history(s); !slices.Equal(got, []string{"00:02:00"}) {
				t.Fatalf("%v", got)
			}
		}
		if got := fmt.Sprint(c.ran.Load()); got != fmt.Sprint(len(all)) {
			t.Errorf("%s invocations of %d schedules", got, len(all))
		}
	})
}
