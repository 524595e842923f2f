package core

import (
	"fmt"
	"time"
)

// Pace is how a run reaches its nodes when not all of them may have it at once. The zero Pace lets everything go.
type Pace struct {
	// Concurrency is how many tasks may be out at a time: released and not ended, presumed ends included. Zero is any number.
	Concurrency Share
	// Steps are shares of all targets, each counted from the first: 1, then 10%, then all. What is left after the last is one more step.
	Steps []Share
	// MaxFailures is how many tasks may end badly before the run is paused; nil is any number, and the zero Share none.
	MaxFailures *Share
	// Probe is a command that runs between steps on the nodes of the finished step where the run ended well. The next step begins if it succeeds on all.
	Probe        string
	ProbeTimeout time.Duration
	// PauseAfterStep leaves it to somebody to begin each step but the first.
	PauseAfterStep bool
}

// Bounds of a Pace.
const (
	maxSteps            = 100
	maxProbe            = 64 << 10
	maxProbeTimeout     = 24 * time.Hour
	defaultProbeTimeout = time.Minute
)

// check refuses what is out of bounds for a run on so many nodes, and fills in what was left out.
func (p *Pace) check(total int) error {
	switch {
	case len(p.Steps) > maxSteps:
		return invalid(ReasonInvalidValue, "steps", "more than %d", maxSteps)
	case len(p.Probe) > maxProbe:
		return invalid(ReasonInvalidValue, "probe", "more than %d bytes", maxProbe)
	case p.Probe == "" && p.ProbeTimeout != 0:
		return invalid(ReasonInvalidValue, "probe_timeout_seconds", "there is no probe")
	case p.ProbeTimeout != 0 && (p.ProbeTimeout < time.Second || p.ProbeTimeout > maxProbeTimeout):
		return invalid(ReasonInvalidValue, "probe_timeout_seconds", "1 to %d", maxProbeTimeout/time.Second)
	}
	if p.Probe != "" && p.ProbeTimeout == 0 {
		p.ProbeTimeout = defaultProbeTimeout
	}
	last := 0
	for _, step := range p.Steps {
		n := step.Of(total)
		if n < 1 || n < last {
			return invalid(ReasonInvalidValue, "steps", "each is at least as many as the one before: %s comes to %d after %d", step, n, last)
		}
		last = n
	}
	return nil
}

// Bounds returns where the steps of a run on so many nodes end, by number of targets: each is more than the one before, and the last is all.
// Steps that come to nothing are left out.
func (p *Pace) Bounds(total int) []int {
	bounds := make([]int, 0, len(p.Steps)+1)
	last := 0
	for _, step := range p.Steps {
		if n := step.Of(total); n > last {
			bounds, last = append(bounds, n), n
		}
	}
	if last < total || len(bounds) == 0 {
		bounds = append(bounds, total)
	}
	return bounds
}

// PaceState is where a run with a Pace is.
type PaceState string

// The states of a pace.
const (
	PaceRunning  PaceState = "running"
	PacePaused   PaceState = "paused"   // nothing is released before somebody resumes it
	PaceProbing  PaceState = "probing"  // a step is over, and its probe is not
	PaceFinished PaceState = "finished" // everything was released and has ended
	PaceAborted  PaceState = "aborted"  // what had not started never will
)

// Pacing is how far a run with a Pace has come.
type Pacing struct {
	State    PaceState // never PacePaused, which Paused is for: a run that is paused is still somewhere
	Paused   bool
	Why      string    // it is paused or aborted, for people
	Step     int       // position among Bounds, from 0
	Released int       // tasks whose turn has come
	Forgiven int       // failures from before somebody resumed it
	Probe    ID        // the latest probe
	ProbeDue time.Time // under which that is found
	Done     bool      // it does not move by itself any more
	Since    time.Time // of the last change but of numbers
}

// Shown is the state that callers are told.
func (g *Pacing) Shown() PaceState {
	if g.Paused && !g.over() {
		return PacePaused
	}
	return g.State
}

// Moves reports whether it moves by itself; without a Pacing nothing does.
func (g *Pacing) Moves() bool { return g != nil && !g.Done }

func (g *Pacing) over() bool { return g.State == PaceFinished || g.State == PaceAborted }

// paceView is what a decision goes by, all of it counted in the transaction that carries the decision out.
type paceView struct {
	total  int                  // tasks
	out    int                  // released and not ended
	failed int                  // ended badly
	held   func(before int) int // waiting for their turn, among so many first ones
}

// advance moves a pace as far as it goes by itself and returns how many tasks may be released, those first that come first among the targets.
// However often and by whomever it is asked, with the numbers of the moment it never lets more out than Concurrency, nothing of a step before
// the one before it is over, and nothing after more failures than MaxFailures.
func (g *Pacing) advance(p *Pace, v *paceView, now time.Time) (release int) {
	if g.over() {
		return 0
	}
	held := v.held(v.total)
	if held == 0 && v.out == 0 {
		g.State, g.Paused, g.Why, g.Done, g.Since = PaceFinished, false, "", true, now
		return 0
	}
	if g.State == PaceProbing {
		return 0
	}
	g.Forgiven = min(g.Forgiven, v.failed) // what was presumed may turn out well
	if failures := v.failed - g.Forgiven; held > 0 && !g.Paused && p.MaxFailures != nil && failures > p.MaxFailures.Of(v.total) {
		g.pause(fmt.Sprintf("%d of %d nodes failed", v.failed, v.total), now)
	}
	bounds := p.Bounds(v.total)
	for !g.Paused && held > 0 {
		due := v.held(bounds[min(g.Step, len(bounds)-1)])
		switch {
		case due > 0 && p.Concurrency.IsZero():
			return due
		case due > 0:
			return max(0, min(due, p.Concurrency.Of(v.total)-v.out))
		case v.out > 0:
			return 0
		case p.Probe != "":
			// Two probes of a run are never due at the same time, which is what tells them apart.
			g.State, g.Probe, g.Since = PaceProbing, 0, now
			if !now.After(g.ProbeDue) {
				now = g.ProbeDue.Add(time.Microsecond)
			}
			g.ProbeDue = now
			return 0
		}
		g.step(p, len(bounds), now)
	}
	return 0
}

// step ends a step.
func (g *Pacing) step(p *Pace, steps int, now time.Time) {
	g.Step++
	g.State, g.Since = PaceRunning, now
	if p.PauseAfterStep {
		g.pause(fmt.Sprintf("step %d of %d is over", g.Step, steps), now)
	}
}

func (g *Pacing) pause(why string, now time.Time) {
	if !g.Paused {
		g.Paused, g.Why, g.Since = true, why, now
	}
}

// probed ends a step whose probe is over. why is empty if it went well.
func (g *Pacing) probed(p *Pace, steps int, why string, now time.Time) {
	if why != "" {
		g.pause(why, now)
	}
	g.step(p, steps, now)
}
