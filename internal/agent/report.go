package agent

import (
	"container/heap"
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"errand/internal/agent/executor"
	"errand/internal/agent/journal"
	"errand/internal/agent/logs"
	"errand/internal/protocol"
)

// maxWait is how long report sleeps when nothing is due.
const maxWait = time.Hour

// report tells the server about tasks until it knows how they ended. It alone reads outputs, one piece at a time, so
// that the memory it takes depends neither on how much there is to tell nor on how many tasks.
func (a *Agent) report(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		a.pass(loopReport)
		due, wait := a.nextDue(time.Now())
		a.save(due)
		for _, t := range due {
			a.pass(loopReport)
			a.tell(t)
		}
		if len(due) > 0 {
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-a.called(loopReport):
		case <-a.agendaUp:
		case <-timer.C:
		}
	}
	return nil
}

// save writes down the results that no executor record holds, and the names of the tasks whose results the server has.
func (a *Agent) save(due []*task) {
	var records []journal.Record
	var saving []*task
	var marks []journal.Record
	write := a.journal.Note
	wishes := map[*task]wish{}
	now := a.cfg.Clock()
	a.mu.Lock()
	for _, t := range due {
		r := journal.Record{Task: t.id, At: now}
		switch {
		case t.phase != ended:
			continue
		case t.final:
			r.State = journal.Done
			marks = append(marks, a.forgotten(t)...)
			if t.wish != goOn {
				write, wishes[t] = a.journal.Append, t.wish
			}
		case !t.saved:
			r.State = journal.Ended
			write = a.journal.Append
		default:
			continue
		}
		result := t.result
		if t.lean {
			result.Detail = joined(result.Detail, outputDropped)
		}
		r.Result = result.Append(nil)
		records, saving = append(records, r), append(saving, t)
	}
	a.mu.Unlock()
	if len(records) == 0 {
		return
	}
	err := write(append(records, marks...)...)
	if err != nil {
		a.log.Error("results not written down yet", "count", len(records), "error", err)
	} else {
		defer a.fulfil(wishes)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, t := range saving {
		switch {
		case err == nil && records[i].State == journal.Done:
			t.gone = true
			delete(a.tasks, t.id)
		case err == nil:
			t.saved, t.known = true, true
		}
	}
}

// tell does what is due for a task. Whatever happens to it happens to this task alone.
func (a *Agent) tell(t *task) {
	defer func() {
		if p := recover(); p != nil {
			a.log.Error("panic", "task", nameOf(t.id), "panic", logs.Panic(p), "stack", string(debug.Stack()))
			t.mute = fmt.Sprintf("output not readable: %v", p)
			a.later(t, a.cfg.tempo.maxResend)
		}
	}()
	a.mu.Lock()
	s := state{phase: t.phase, known: t.known, gone: t.gone, final: t.final, lean: t.lean && t.saved, tellable: (t.saved || !t.known) && !a.cut}
	if p := a.plans[t.id]; p != nil {
		s.planned, s.plan = !p.resting, protocol.Planned{Task: t.id, Revision: p.rule.revision, Skipped: p.mark.Skipped, Missed: p.mark.Missed}
	}
	a.mu.Unlock()
	if s.lean && t.mute == "" {
		t.mute = outputDropped
		a.clear(t)
	}
	switch {
	case s.gone:
		a.clear(t)
	case s.final, s.phase == ended && !s.tellable:
		a.retry(t) // could not be written down, or nobody hears it, and thousands may have to wait for days
	case s.phase == ended:
		a.tellEnd(t)
	case s.phase == running:
		a.tellProgress(t)
	case s.planned:
		_ = a.publish(s.plan.Append(nil)) // if it gets lost, the Run comes again
	case s.phase == planned, t.id.Due != 0: // nothing to tell yet
	case s.known:
		m := protocol.Received{Task: t.id}
		_ = a.publish(m.Append(nil)) // if it gets lost, the Run comes again
	}
}

// state is what tell decides by.
type state struct {
	phase                              phase
	known, gone, final, lean, tellable bool

	planned bool // there is a plan, which goes on
	plan    protocol.Planned
}

// clear removes the folder of a task that has ended, and what else it left.
func (a *Agent) clear(t *task) {
	if t.lane == transferLane {
		a.sweep(t.id)
	}
	if err := executor.Remove(a.dirOf(t.id)); err != nil {
		a.log.Warn("folder of a finished task not removed", "task", nameOf(t.id), "error", err)
	}
}

// agenda orders tasks by the time at which there is something to tell.
type agenda []*task

// schedule has report look at t at a time, or earlier if that was agreed before. It is called with the lock held.
func (a *Agent) schedule(t *task, at time.Time) {
	switch {
	case t.place == 0:
		t.due = at
		heap.Push(&a.agenda, t)
	case at.Before(t.due):
		t.due = at
		heap.Fix(&a.agenda, t.place-1)
	}
	if a.agenda[0] == t {
		nudge(a.agendaUp)
	}
}

// later is schedule for report itself.
func (a *Agent) later(t *task, after time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.schedule(t, time.Now().Add(after))
}

// nextDue takes the tasks off the agenda that are due, or returns how long there will be none.
func (a *Agent) nextDue(now time.Time) (due []*task, wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.agenda) > 0 && !a.agenda[0].due.After(now) {
		due = append(due, heap.Pop(&a.agenda).(*task))
	}
	if len(a.agenda) > 0 {
		return due, a.agenda[0].due.Sub(now)
	}
	return due, maxWait
}

// Len, Less, Swap, Push and Pop are for package heap.
func (g agenda) Len() int           { return len(g) }
func (g agenda) Less(i, j int) bool { return g[i].due.Before(g[j].due) }

func (g agenda) Swap(i, j int) {
	g[i], g[j] = g[j], g[i]
	g[i].place, g[j].place = i+1, j+1
}

// Push appends a task.
func (g *agenda) Push(x any) {
	t := x.(*task)
	*g = append(*g, t)
	t.place = len(*g)
}

// Pop removes the last task.
func (g *agenda) Pop() any {
	last := len(*g) - 1
	t := (*g)[last]
	(*g)[last] = nil
	*g = (*g)[:last]
	t.place = 0
	return t
}
