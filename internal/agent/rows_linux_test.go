package agent

import (
	"testing"
	"time"

	"errand/internal/agent/journal"
	"errand/internal/protocol"
)

// Row 6: one bad schedule never harms the agent. What ends another vendor's agent is refused with a reason, also when it already lies in
// the journal, and the plans beside it go on.
func TestRow6OneBadScheduleHarmsNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	bad := planned1(9, "0 0 9-7 * * ?", "true")
	r.journal(journal.Record{Task: bad.Task, State: journal.Planned, At: r.now, Run: bad.Append(nil)})
	r.started()
	if got := r.s.result(bad.Task).finished; got.Outcome != protocol.OutcomeBadSchedule || got.Detail == "" {
		t.Errorf("from the journal: %+v", got)
	}
	good := planned1(1, "rate(60s)", "true")
	r.plan(good)
	for i, expr := range []string{"0 0 9-7 * * ?", "0 0 0 30 2 ?", "0 0 9,,10 * * ?", "0 0 0 ? * 8#9", "rate(99999999999999999999d)", "at(2026-02-30 00:00:00)", "\x00"} {
		m := planned1(10+i, expr, "true")
		r.s.run(m)
		if got := r.s.result(m.Task).finished; got.Outcome != protocol.OutcomeBadSchedule || got.Detail == "" {
			t.Errorf("%q: %+v", expr, got)
		}
	}
	r.pass(time.Minute)
	r.wantRuns(good.Task, time.Minute)
	r.stop()
	r.started()
	r.pass(time.Minute)
	r.wantRuns(good.Task, time.Minute, 2*time.Minute)
}

// Row 7: a plan goes on across changes of the clocks. American zones are those in which another vendor's agent falls silent.
func TestRow7CronAcrossChangesOfTheClocks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, expr string
		from       time.Time
		want       []time.Time
	}{
		{
			"forward, a skipped time", "0 30 2 * * ? America/New_York", time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC),
			[]time.Time{time.Date(2026, 3, 8, 7, 30, 0, 0, time.UTC), time.Date(2026, 3, 9, 6, 30, 0, 0, time.UTC)},
		},
		{
			"back, a time that comes twice", "0 30 1 * * ? America/New_York", time.Date(2026, 10, 31, 12, 0, 0, 0, time.UTC),
			[]time.Time{time.Date(2026, 11, 1, 5, 30, 0, 0, time.UTC), time.Date(2026, 11, 2, 6, 30, 0, 0, time.UTC)},
		},
		{
			"back, every third hour of the clock", "0 0 1/3 * * ? Europe/Berlin", time.Date(2026, 10, 24, 22, 30, 0, 0, time.UTC),
			[]time.Time{
				time.Date(2026, 10, 24, 23, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 3, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 6, 0, 0, 0, time.UTC),
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.now.Wall = c.from
			r.started()
			m := planned1(1, c.expr, "true")
			r.plan(m)
			var want []time.Duration
			for _, at := range c.want {
				want = append(want, at.Sub(noon))
			}
			for now := c.from; !now.After(c.want[len(c.want)-1]); now = now.Add(30 * time.Minute) {
				r.pass(30 * time.Minute)
				r.idle()
			}
			r.wantRuns(m.Task, want...)
		})
	}
}

// Whatever a plan waits for, the clock and the zone are looked at every half minute.
func TestNoNapIsLong(t *testing.T) {
	t.Parallel()
	now := journal.Moment{Wall: noon}
	for _, c := range []struct {
		name string
		next time.Time
		want time.Duration
	}{
		{"a year", noon.Add(365 * 24 * time.Hour), maxNap},
		{"starts of the machine", time.Time{}, maxNap},
		{"soon", noon.Add(time.Second), time.Second},
		{"over", noon.Add(-time.Second), 0},
	} {
		if got := (&plan{next: c.next}).nap(now); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if maxNap > 30*time.Second {
		t.Errorf("a nap of %v is too long", maxNap)
	}
}
