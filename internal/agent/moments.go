package agent

import (
	"time"

	"errand/internal/agent/journal"
	"errand/internal/protocol"
	"errand/internal/schedule"
)

const (
	// missed is how late a moment may be noticed. What came before, while the machine slept or was off or the clock was wrong, was missed. It
	// is longer than maxNap, so that nothing is missed because of a nap.
	missed = maxNap + 15*time.Second
	// maxCounted is how many missed moments of a plan are looked at one by one. A clock that was years ahead must not keep all plans waiting.
	maxCounted = 100_000
	// maxLive is how many runs of a plan may live at once where its policy allows that: half the commands of a node.
	maxLive = DefaultMaxRunning / 2
)

// fallDue handles the moments of a plan that have come by now, and has those begin that are to run. A plan whose runs are put off goes by a
// clock that is so much behind. It is called with the lock held.
func (a *Agent) fallDue(p *plan, now journal.Moment, begin func(due int64)) {
	switch {
	case p.resting || p.mark.Stopped || p.verdict != nil:
		return
	case p.rule.boot != protocol.BootNone:
		if due, ok := a.dueAtBoot(p, now); ok {
			begin(due)
		}
		return
	}
	at, before := now.Wall.Add(-p.rule.delay), p.mark
	if !p.armed {
		a.arm(p, now)
	}
	a.hasten(p, at)
	for !p.over && at.Sub(p.next) > missed {
		if due := p.next.UnixMicro(); !a.fired(p, due) {
			p.miss(due)
		}
		a.advance(p, p.next)
	}
	a.settle(p, begin)
	for !p.over && !p.next.After(at) {
		due := p.next.UnixMicro()
		known := a.fired(p, due) // it may have been stopped since it was worked out
		a.advance(p, p.next)
		if !known {
			p.meet(due, begin)
		}
	}
	if at.After(p.seen) {
		p.seen = at
	}
	if skipped, missed := p.mark.Skipped-before.Skipped, p.mark.Missed-before.Missed; skipped+missed > 0 {
		a.log.Info("moments without a run", "task", nameOf(p.task.id), "skipped", skipped, "missed", missed)
		a.schedule(p.task, time.Now().Add(a.cfg.tempo.output))
	}
}

// arm works out when the plan is due next. It does not go by what fired last: clocks are set back, and a clock that was
// far ahead once must not silence a plan for years.
func (a *Agent) arm(p *plan, now journal.Moment) {
	p.armed = true
	if p.seen.After(now.Wall) {
		p.seen = now.Wall
	}
	a.advance(p, p.seen)
}

// advance finds the plan's first moment after another one that had no run.
func (a *Agent) advance(p *plan, from time.Time) {
	if p.rule.after.After(from) {
		from = p.rule.after
	}
	p.next = from
	for ok := true; ok; {
		p.next, ok = p.rule.calendar.Next(p.next, p.rule.created, a.local)
		if ok && !a.fired(p, p.next.UnixMicro()) {
			p.over = false
			return
		}
	}
	p.over, p.next = true, time.Time{}
}

// hasten passes over what was missed so long ago that it is not even counted.
func (a *Agent) hasten(p *plan, at time.Time) {
	if !p.over && p.rule.gap <= at.Sub(p.next)/maxCounted {
		a.advance(p, at.Add(-maxCounted*p.rule.gap))
	}
}

// fired reports whether there was a run for a moment.
func (a *Agent) fired(p *plan, due int64) bool {
	id := p.runOf(due)
	if due == p.mark.Due || a.tasks[id] != nil {
		return true
	}
	_, ok := a.journal.Find(id)
	return ok
}

// miss notes a moment that was missed, as something to make up for if it is among the latest that the policy wants.
func (p *plan) miss(due int64) {
	p.changed = true
	if p.rule.policy.Missed == schedule.SkipMissed {
		p.mark.Missed++
		return
	}
	p.mark.Owed = append(p.mark.Owed, due)
	if len(p.mark.Owed) > int(p.rule.policy.Missed) {
		p.mark.Owed = p.mark.Owed[1:]
		p.mark.Missed++
	}
}

// meet decides about a moment that has just come.
func (p *plan) meet(due int64, begin func(due int64)) {
	p.changed = true
	switch {
	case len(p.mark.Owed) == 0 && p.hasRoom():
		begin(due)
	case len(p.mark.Owed) == 0 && p.rule.policy.Overlap == schedule.QueueOverlap:
		p.mark.Owed = []int64{due}
	default:
		p.mark.Skipped++
	}
}

// settle has runs begin that are owed.
func (a *Agent) settle(p *plan, begin func(due int64)) {
	for len(p.mark.Owed) > 0 && p.hasRoom() {
		due := p.mark.Owed[0]
		p.mark.Owed, p.changed = p.mark.Owed[1:], true
		if !a.fired(p, due) { // nor was it stopped before it began
			begin(due)
		}
	}
}

// hasRoom reports whether the policy lets another run begin now.
func (p *plan) hasRoom() bool {
	return len(p.live) == 0 || p.rule.policy.Overlap == schedule.AllowOverlap && len(p.live) < maxLive
}

// drop gives up the runs that are owed, because the plan that owed them was replaced.
func (p *plan) drop() {
	if len(p.mark.Owed) > 0 {
		p.mark.Skipped += uint64(len(p.mark.Owed))
		p.mark.Owed, p.changed = nil, true
	}
}

// dueAtBoot returns the moment for which a plan fires that goes by starts of the machine.
func (a *Agent) dueAtBoot(p *plan, now journal.Moment) (due int64, ok bool) {
	p.armed, p.next = true, time.Time{}
	p.over = p.rule.boot == protocol.BootNext && p.mark.Boot != "" && p.mark.Cause == p.rule.revision
	if p.over || now.Boot == p.mark.Boot || now.Boot == p.rule.accepted || len(p.live) > 0 {
		return 0, false
	}
	if now.Uptime < p.rule.delay {
		p.next = now.Wall.Add(-now.Uptime) // when the machine began, from which on the delay counts
		return 0, false
	}
	due = max(1, now.Wall.UnixMicro(), p.rule.after.UnixMicro()+1)
	for a.fired(p, due) {
		due++ // the clock starts anew with the machine
	}
	return due, true
}

// fire makes a run, which ends at once if it has no place and may not wait for one.
func (a *Agent) fire(p *plan, due int64, now journal.Moment) *task {
	run := &task{id: p.runOf(due), arrived: now, lane: p.rule.lane, tree: p.rule.tree}
	a.tasks[run.id] = run
	p.live, p.mark.Due = append(p.live, run), due
	if p.rule.boot != protocol.BootNone {
		p.mark.Boot, p.mark.Cause = now.Boot, p.rule.revision
		p.over = p.rule.boot == protocol.BootNext
	}
	a.seat(run)
	return run
}
