package agent

import (
	"slices"
	"sync"
	"testing"
	"time"

	"errand/internal/agent/journal"
	"errand/internal/protocol"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// rig is a node with a clock that only the test turns, in a zone that it chooses.
type rig struct {
	*node
	t *testing.T
	s *server

	mu   sync.Mutex
	now  journal.Moment
	zone *time.Location
}

func newRig(t *testing.T) *rig {
	s := newServer(t)
	r := &rig{node: newNode(t, s), t: t, s: s, now: journal.Moment{Wall: noon, Boot: "boot-1", Uptime: time.Hour}, zone: time.UTC}
	r.config = func(c *Config) {
		c.tempo = quick()
		c.Clock = func() journal.Moment {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.now
		}
		c.zone = func() *time.Location {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.zone
		}
	}
	return r
}

// started starts an agent and waits until it has looked at its plans.
func (r *rig) started() {
	r.t.Helper()
	r.start()
	r.seen()
}

// seen waits until the agent has looked at its plans at the present time.
func (r *rig) seen() {
	r.t.Helper()
	r.mu.Lock()
	now := r.now.Wall
	r.mu.Unlock()
	r.node.await("the agent to look", func() bool {
		nudge(r.agent.alarm)
		return r.agent.looked.Equal(now)
	})
}

// pass lets time pass.
func (r *rig) pass(d time.Duration) {
	r.t.Helper()
	r.mu.Lock()
	r.now.Wall, r.now.Uptime = r.now.Wall.Add(d), r.now.Uptime+d
	r.mu.Unlock()
	if r.cancel != nil {
		r.seen()
	}
}

// set changes the clock.
func (r *rig) set(wall time.Time) {
	r.t.Helper()
	r.mu.Lock()
	r.now.Wall = wall
	r.mu.Unlock()
	r.seen()
}

// reboot starts the machine anew, and an agent on it.
func (r *rig) reboot(boot string) {
	r.t.Helper()
	r.stop()
	r.mu.Lock()
	r.now.Boot, r.now.Uptime, r.now.Wall = boot, time.Minute, r.now.Wall.Add(10*time.Minute)
	r.mu.Unlock()
	r.started()
}

// plan asks for a plan and waits until the agent has it.
func (r *rig) plan(m protocol.Run) {
	r.t.Helper()
	r.s.run(m)
	r.s.await("plan", func() bool { return slices.Contains(r.s.job(m.Task).planned, m.Spec.Plan.Revision) })
	r.seen()
}

// runs returns the runs of a plan that the server knows, in order.
func (r *rig) runs(plan protocol.Task) (due []time.Duration) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	for id := range r.s.tasks {
		if id.Due != 0 && id.Planned() == plan {
			due = append(due, time.UnixMicro(id.Due).Sub(noon))
		}
	}
	slices.Sort(due)
	return due
}

// idle waits until no run of a plan is under way or untold.
func (r *rig) idle() {
	r.t.Helper()
	r.node.await("the runs to end", func() bool {
		for id := range r.agent.tasks {
			if id.Due != 0 {
				return false
			}
		}
		return true
	})
}

func (r *rig) wantRuns(plan protocol.Task, want ...time.Duration) {
	r.t.Helper()
	r.idle()
	if got := r.runs(plan); !slices.Equal(got, want) {
		r.t.Errorf("runs %v after noon, want %v", got, want)
	}
}

// runAt returns the name of a run by the time after noon.
func runAt(plan protocol.Task, after time.Duration) protocol.Task {
	plan.Due = noon.Add(after).UnixMicro()
	return plan
}

func planned1(n int, expr, text string) protocol.Run {
	m := script(n, text)
	m.Spec.Plan = &protocol.Plan{Expr: expr, Created: noon.UnixMicro(), Revision: 1}
	return m
}
