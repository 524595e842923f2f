package agent

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"errand/internal/agent/journal"
	"errand/internal/protocol"
)

// missed is how late a run may begin. What was due before, while the machine slept or the clock was wrong, is not made up
// for. It is longer than maxNap, so that nothing is missed because of a nap.
const missed = maxNap + 15*time.Second

// wake starts the runs of plans when they are due. It needs no server for that.
func (a *Agent) wake(ctx context.Context) error {
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { watchClock(ctx, func() { nudge(a.alarm) }) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(a.look())
		a.pass(loopWake)
		select {
		case <-ctx.Done():
			return nil
		case <-a.called(loopWake):
		case <-a.alarm:
		case <-timer.C:
		}
	}
}

// look starts what is due, ends the plans that are over, and returns for how long nothing else will be due. Timers do not
// follow a clock that is set, nor do they count the time asleep, so that is never very long.
func (a *Agent) look() time.Duration {
	now, local := a.cfg.Clock(), a.cfg.zone()
	now.Wall = now.Wall.Round(0) // of two clock readings only the wall clock counts here
	var records []journal.Record
	var fresh []*task
	nap := maxWait
	a.mu.Lock()
	anew := now.Wall.Before(a.looked) || local != a.local
	a.looked, a.local = now.Wall, local
	for _, p := range a.plansInOrder() {
		if anew {
			p.armed = false
		}
		t, seated := a.lookAt(p, now)
		if t != nil {
			records = append(records, p.mark.record(p.task.id)) // first, so that a torn end cannot have the run without it
		}
		if seated {
			fresh, records = append(fresh, t), append(records, t.records()...)
		}
		nap = min(nap, p.nap(now))
	}
	a.mu.Unlock()
	if len(records) > 0 {
		err := a.journal.Append(records...)
		if err != nil {
			a.log.Error("runs refused", "count", len(fresh), "error", err)
		}
		a.admit(fresh, err)
	}
	return nap
}

// plansInOrder is called with the lock held.
func (a *Agent) plansInOrder() []*plan {
	list := make([]*plan, 0, len(a.plans))
	for _, p := range a.plans {
		list = append(list, p)
	}
	slices.SortFunc(list, func(p, q *plan) int { return cmp.Compare(p.next.UnixMicro(), q.next.UnixMicro()) })
	return list
}

// nap returns how long may be slept as far as the plan is concerned.
func (p *plan) nap(now journal.Moment) time.Duration {
	if p.next.IsZero() {
		return maxNap
	}
	return min(maxNap, max(0, p.next.Sub(now.Wall)))
}

// lookAt returns the plan's run that begins now, if there is one, and whether it may begin; or it ends the plan if that is
// over. It is called with the lock held. Whatever is wrong with a plan harms that plan alone.
func (a *Agent) lookAt(p *plan, now journal.Moment) (run *task, seated bool) {
	defer func() {
		if r := recover(); r != nil {
			a.log.Error("panic", "task", nameOf(p.task.id), "panic", r, "stack", string(debug.Stack()))
			p.verdict = &protocol.Finished{Task: p.task.id, Outcome: protocol.OutcomeAgentFault, Detail: clip(fmt.Sprint(r))}
			nudge(a.alarm)
		}
	}()
	if due, ok := a.due(p, now); ok {
		run, seated = a.fire(p, due, now)
	}
	if p.live == nil && (p.over || p.mark.Stopped || p.verdict != nil) {
		a.conclude(p)
	}
	return run, seated
}

// due returns the moment for which the plan fires now, and prepares it for the next one.
func (a *Agent) due(p *plan, now journal.Moment) (due int64, ok bool) {
	if p.resting || p.mark.Stopped || p.verdict != nil {
		return 0, false
	}
	if p.rule.boot != protocol.BootNone {
		return a.dueAtBoot(p, now)
	}
	if !p.armed {
		a.arm(p, now)
	}
	if p.over || p.next.After(now.Wall) {
		return 0, false
	}
	at := p.next
	a.arm(p, now)
	why := ""
	switch {
	case now.Wall.Sub(at) > missed:
		why = "missed"
	case p.live != nil:
		why = "the run before lives"
	case a.fired(p, at.UnixMicro()):
		why = "known already"
	default:
		return at.UnixMicro(), true
	}
	a.log.Debug("run skipped", "task", nameOf(p.runOf(at.UnixMicro())), "reason", why)
	return 0, false
}

// dueAtBoot is due for a plan that goes by starts of the machine.
func (a *Agent) dueAtBoot(p *plan, now journal.Moment) (due int64, ok bool) {
	p.armed, p.next = true, time.Time{}
	p.over = p.rule.boot == protocol.BootNext && p.mark.Boot != "" && p.mark.Cause == p.rule.revision
	if p.over || now.Boot == p.mark.Boot || now.Boot == p.rule.accepted || p.live != nil {
		return 0, false
	}
	due = max(1, now.Wall.UnixMicro(), p.rule.after.UnixMicro()+1)
	for a.fired(p, due) {
		due++ // the clock starts anew with the machine
	}
	return due, true
}

// arm works out when the plan is due next. It does not go by what fired last: clocks are set back, and a clock that was
// far ahead once must not silence a plan for years.
func (a *Agent) arm(p *plan, now journal.Moment) {
	p.armed, p.next = true, now.Wall
	if !p.since.IsZero() && p.since.Before(p.next) {
		p.next = p.since // so that nothing falls between taking it up and looking at it first
	}
	p.since = time.Time{}
	if p.rule.after.After(p.next) {
		p.next = p.rule.after
	}
	for ok := true; ok; {
		p.next, ok = p.rule.calendar.Next(p.next, p.rule.created, a.local)
		if ok && !a.fired(p, p.next.UnixMicro()) {
			p.over = false
			return
		}
	}
	p.over, p.next = true, time.Time{}
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

// fire makes a run, and reports whether it has a place or may wait for one.
func (a *Agent) fire(p *plan, due int64, now journal.Moment) (run *task, seated bool) {
	run = &task{id: p.runOf(due), arrived: now, lane: p.rule.lane, tree: p.rule.tree}
	a.tasks[run.id] = run
	p.live, p.mark.Due = run, due
	if p.rule.boot != protocol.BootNone {
		p.mark.Boot, p.mark.Cause = now.Boot, p.rule.revision
		p.over = p.rule.boot == protocol.BootNext
	}
	return run, a.seat(run)
}

// conclude ends a plan for which nothing will be due any more.
func (a *Agent) conclude(p *plan) {
	id := p.task.id
	last, err := protocol.DecodeFinished(p.mark.Last)
	result := protocol.Finished{Task: id, Outcome: protocol.OutcomeScheduleOver}
	switch {
	case p.mark.Stopped && p.mark.Begun:
		result.Outcome = protocol.OutcomeStopped
	case p.mark.Stopped:
		result.Outcome = protocol.OutcomeNeverStarted
	case p.verdict != nil:
		result = *p.verdict
	case err == nil:
		result = protocol.Finished{
			Task: id, Outcome: last.Outcome, ExitCode: last.ExitCode, Signal: last.Signal, Detail: last.Detail, Started: last.Started, Ended: last.Ended,
		}
	}
	delete(a.plans, id)
	a.endLocked(p.task, result, false)
}
