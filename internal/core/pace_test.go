package core

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestBounds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		steps []Share
		total int
		want  []int
	}{
		{nil, 7, []int{7}},
		{nil, 0, []int{0}},
		{[]Share{{Count: 1}, {Percent: 10}, {Percent: 100}}, 50, []int{1, 5, 50}},
		{[]Share{{Count: 1}, {Percent: 10}, {Percent: 100}}, 5, []int{1, 5}},
		{[]Share{{Count: 1}, {Percent: 10}}, 50, []int{1, 5, 50}},
		{[]Share{{Count: 80}}, 50, []int{50}},
	} {
		p := Pace{Steps: tt.steps}
		if diff := cmp.Diff(tt.want, p.Bounds(tt.total)); diff != "" {
			t.Errorf("%v of %d: %s", tt.steps, tt.total, diff)
		}
		if err := p.check(max(tt.total, 1)); err != nil {
			t.Errorf("%v of %d: %v", tt.steps, tt.total, err)
		}
	}
}

func TestPaceRefusals(t *testing.T) {
	t.Parallel()
	for _, p := range []Pace{
		{Steps: []Share{{Count: 5}, {Count: 3}}},
		{Steps: []Share{{Percent: 50}, {Percent: 10}}},
		{Steps: []Share{{}}},
		{Steps: slices.Repeat([]Share{{Count: 1}}, 101)},
		{ProbeTimeout: time.Second},
		{Probe: "true", ProbeTimeout: -1},
		{Probe: "true", ProbeTimeout: 25 * time.Hour},
	} {
		if err := p.check(100); AsError(err).Code != CodeInvalid {
			t.Errorf("%+v: %v", p, err)
		}
	}
	p := Pace{Probe: "true"}
	if err := p.check(1); err != nil || p.ProbeTimeout != time.Minute {
		t.Errorf("%v %v", err, p.ProbeTimeout)
	}
}

// TestPaceDecisions plays runs with random paces against nodes that end as they like, and people who pause, resume and abort, and holds every
// decision against what was promised.
func TestPaceDecisions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := newPaceModel(rt)
		for range rapid.IntRange(1, 120).Draw(rt, "events") {
			rapid.SampledFrom([]func(*rapid.T){m.decide, m.decide, m.decide, m.end, m.end, m.end, m.late, m.pause, m.resume, m.judge, m.cancel}).Draw(rt, "event")(rt)
		}
		// Left alone and in good health, every run comes to its end.
		for range 10 * len(m.tasks) {
			m.resume(rt)
			m.decide(rt)
			for i := range m.tasks {
				if m.tasks[i] == Running {
					m.tasks[i] = Succeeded
				}
			}
			if m.pacing.State == PaceProbing {
				m.pacing.probed(&m.pace, len(m.pace.Bounds(len(m.tasks))), "", m.now)
			}
			if m.pacing.over() {
				break
			}
		}
		if m.pacing.State != PaceFinished || !m.pacing.Done || slices.Contains(m.tasks, Queued) {
			rt.Fatalf("it never ends: %+v %v", m.pacing, m.tasks)
		}
	})
}

// paceModel is a run whose tasks are Queued while they are held, and Running while they are out.
type paceModel struct {
	pace   Pace
	pacing Pacing
	tasks  []State
	now    time.Time
	probes map[time.Time]bool
}

func newPaceModel(rt *rapid.T) *paceModel {
	share := func(what string) Share {
		if rapid.Bool().Draw(rt, what+" in percent") {
			return Share{Percent: float64(rapid.IntRange(1, 100).Draw(rt, what))}
		}
		return Share{Count: rapid.IntRange(1, 12).Draw(rt, what)}
	}
	m := &paceModel{
		tasks: make([]State, rapid.IntRange(1, 12).Draw(rt, "tasks")), now: time.Unix(1e9, 0), pacing: Pacing{State: PaceRunning}, probes: map[time.Time]bool{},
	}
	if rapid.Bool().Draw(rt, "concurrency") {
		m.pace.Concurrency = share("concurrency")
	}
	for range rapid.IntRange(0, 3).Draw(rt, "steps") {
		m.pace.Steps = append(m.pace.Steps, share("step"))
	}
	if m.pace.check(len(m.tasks)) != nil {
		slices.SortFunc(m.pace.Steps, func(a, b Share) int { return a.Of(len(m.tasks)) - b.Of(len(m.tasks)) })
	}
	if rapid.Bool().Draw(rt, "budget") {
		m.pace.MaxFailures = &Share{Count: rapid.IntRange(0, 3).Draw(rt, "failures")}
	}
	if rapid.Bool().Draw(rt, "probe") {
		m.pace.Probe = "true"
	}
	m.pace.PauseAfterStep = rapid.Bool().Draw(rt, "pauses")
	return m
}

func (m *paceModel) count(in func(State) bool) (n int) {
	for _, s := range m.tasks {
		if in(s) {
			n++
		}
	}
	return n
}

func (m *paceModel) is(s State) func(State) bool { return func(t State) bool { return s == t } }

// decide releases what may be released, and looks whether that was right.
func (m *paceModel) decide(rt *rapid.T) {
	before := m.pacing
	total, out, failed := len(m.tasks), m.count(m.is(Running)), m.count(State.Bad)
	m.now = m.now.Add(time.Duration(rapid.IntRange(-1, 1).Draw(rt, "passed")) * time.Second) // clocks are set back, too
	n := m.pacing.advance(&m.pace, &paceView{total: total, out: out, failed: failed, held: func(before int) (n int) {
		for _, s := range m.tasks[:before] {
			if s == Queued {
				n++
			}
		}
		return n
	}}, m.now)
	bounds := m.pace.Bounds(total)
	for i := range m.tasks {
		if n == 0 {
			break
		}
		if m.tasks[i] != Queued {
			continue
		}
		n--
		m.tasks[i] = Running
		limit := bounds[slices.IndexFunc(bounds, func(b int) bool { return i < b })]
		for first, s := range m.tasks {
			if bounds[slices.IndexFunc(bounds, func(b int) bool { return first < b })] < limit && !s.Ended() {
				rt.Fatalf("target %d goes although %d, of a step before, is %v: %+v", i, first, s, m.pacing)
			}
		}
		switch {
		case m.pacing.Shown() != PaceRunning:
			rt.Fatalf("released while %s", m.pacing.Shown())
		case m.pace.MaxFailures != nil && failed-before.Forgiven > m.pace.MaxFailures.Of(total):
			rt.Fatalf("released after %d failures of which %d were forgiven", failed, before.Forgiven)
		case m.pacing.Step != slices.Index(bounds, limit):
			rt.Fatalf("target %d goes in step %d of %v", i, m.pacing.Step, bounds)
		}
	}
	if n != 0 {
		rt.Fatalf("%d more released than held", n)
	}
	if limit := m.pace.Concurrency.Of(total); limit > 0 && m.count(m.is(Running)) > max(limit, out) {
		rt.Fatalf("%d are out", m.count(m.is(Running)))
	}
	if m.pacing.State == PaceProbing && before.State != PaceProbing {
		if m.probes[m.pacing.ProbeDue] {
			rt.Fatal("two probes at one moment")
		}
		m.probes[m.pacing.ProbeDue] = true
	}
}

// end ends a task that is out.
func (m *paceModel) end(rt *rapid.T) {
	i := rapid.IntRange(0, len(m.tasks)-1).Draw(rt, "task")
	if m.tasks[i] == Running {
		m.tasks[i] = rapid.SampledFrom([]State{Succeeded, Succeeded, Failed, Lost, DeliveryFailed, Terminated}).Draw(rt, "end")
	}
}

// late replaces an end that was presumed.
func (m *paceModel) late(rt *rapid.T) {
	i := rapid.IntRange(0, len(m.tasks)-1).Draw(rt, "task")
	if m.tasks[i].Presumed() {
		m.tasks[i] = rapid.SampledFrom([]State{Succeeded, Failed}).Draw(rt, "end")
	}
}

// cancel takes a task back that is held.
func (m *paceModel) cancel(rt *rapid.T) {
	i := rapid.IntRange(0, len(m.tasks)-1).Draw(rt, "task")
	if m.tasks[i] == Queued {
		m.tasks[i] = Cancelled
	}
}

func (m *paceModel) pause(*rapid.T) {
	if !m.pacing.over() {
		m.pacing.pause("paused", m.now)
	}
}

func (m *paceModel) resume(*rapid.T) {
	if m.pacing.Paused {
		m.pacing.Paused, m.pacing.Forgiven = false, m.count(State.Bad)
	}
}

func (m *paceModel) judge(rt *rapid.T) {
	if m.pacing.State == PaceProbing {
		why := rapid.SampledFrom([]string{"", "bad"}).Draw(rt, "verdict")
		m.pacing.probed(&m.pace, len(m.pace.Bounds(len(m.tasks))), why, m.now)
		if why != "" && m.pacing.Shown() != PacePaused {
			rt.Fatal("goes on after a bad probe")
		}
	}
}
