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
	"errand/internal/agent/logs"
	"errand/internal/protocol"
)

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
		runs := a.lookAt(p, now)
		if len(runs) > 0 || p.changed {
			p.mark.Seen, p.changed = p.seen.UnixMicro(), false
			records = append(records, p.mark.record(p.task.id)) // first, so that a torn end cannot have a run without it
		}
		for _, t := range runs {
			if t.phase != ended {
				fresh, records = append(fresh, t), append(records, t.records()...)
			}
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
	return min(maxNap, max(0, p.next.Add(p.rule.delay).Sub(now.Wall)))
}

// lookAt returns the plan's runs that begin now, or ends the plan if that is over. It is called with the lock held. Whatever
// is wrong with a plan harms that plan alone.
func (a *Agent) lookAt(p *plan, now journal.Moment) (runs []*task) {
	defer func() {
		if r := recover(); r != nil {
			a.log.Error("panic", "task", nameOf(p.task.id), "panic", logs.Panic(r), "stack", string(debug.Stack()))
			p.verdict = &protocol.Finished{Task: p.task.id, Outcome: protocol.OutcomeAgentFault, Detail: clip(fmt.Sprint(r))}
			nudge(a.alarm)
		}
	}()
	a.fallDue(p, now, func(due int64) { runs = append(runs, a.fire(p, due, now)) })
	if over := p.over && len(p.mark.Owed) == 0; len(p.live) == 0 && (over || p.mark.Stopped || p.verdict != nil) {
		a.conclude(p)
	}
	return runs
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
	result.Skipped, result.Missed = p.mark.Skipped, p.mark.Missed
	delete(a.plans, id)
	a.endLocked(p.task, result, false)
}
