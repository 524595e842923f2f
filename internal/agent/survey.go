package agent

import (
	"context"
	"sync/atomic"
	"time"
)

// The loops that are surveyed. The link is not among them: how long it has been away says nothing about this process.
const (
	loopIntake = iota
	loopWake
	loopWork
	loopReport
	loopBeat
	surveyed // is their number
)

func loopNames() [surveyed]string {
	return [surveyed]string{"intake", "wake", "work", "report", "beat"}
}

// usualDeadline is within what time a loop that is called passes, unless Config says otherwise. Even a slow disk is faster.
const usualDeadline = time.Minute

// calls is how often a loop is called within its deadline.
const calls = 4

// pulse shows whether a loop still goes round.
type pulse struct {
	call   chan struct{} // wakes the loop
	passed atomic.Uint64 // how often it went round
	stuck  atomic.Bool
}

// pass is called by a loop each time it goes round, before it waits for anything, which includes called.
func (a *Agent) pass(loop int) { a.pulses[loop].passed.Add(1) }

// called wakes a loop that has nothing to do, to show that it could.
func (a *Agent) called(loop int) <-chan struct{} { return a.pulses[loop].call }

// survey calls every loop again and again, and tells whoever looks after this process that it is alive as long as all of them pass. It goes by its
// own ticks rather than by a clock: while the process is stopped or the machine sleeps, nobody can pass.
func (a *Agent) survey(ctx context.Context) error {
	ticker := time.NewTicker(max(a.cfg.Deadline/calls, time.Millisecond))
	defer ticker.Stop()
	var passed [surveyed]uint64
	var missed [surveyed]int
	for {
		healthy := true
		for i := range a.pulses {
			p := &a.pulses[i]
			if n := p.passed.Load(); n != passed[i] {
				passed[i], missed[i] = n, 0
			} else {
				missed[i]++
			}
			a.judge(i, missed[i] > calls)
			healthy = healthy && missed[i] <= calls
			nudge(p.call)
		}
		if healthy {
			a.cfg.Alive()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// judge notes whether a loop is stuck, and says so when that changes.
func (a *Agent) judge(loop int, stuck bool) {
	if a.pulses[loop].stuck.Swap(stuck) == stuck {
		return
	}
	if stuck {
		a.log.Error("a loop is stuck", "loop", loopNames()[loop], "for", a.cfg.Deadline)
	} else {
		a.log.Warn("a loop that was stuck goes on", "loop", loopNames()[loop])
	}
}

// stuck names the loops that are stuck.
func (a *Agent) stuck() (names []string) {
	for i := range a.pulses {
		if a.pulses[i].stuck.Load() {
			names = append(names, loopNames()[i])
		}
	}
	return names
}
