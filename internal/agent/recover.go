package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"errand/internal/agent/executor"
	"errand/internal/agent/journal"
	"errand/internal/protocol"
)

// recover takes up what an earlier agent left: results not told, commands that run or have ended meanwhile, and tasks
// that wait. It runs before any loop.
func (a *Agent) recover(ctx context.Context) error {
	folders, err := a.folders()
	if err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	entries := a.journal.Entries()
	for _, e := range entries { // before their runs
		if e.State == journal.Planned {
			a.resumePlan(e)
		}
	}
	for _, e := range entries {
		if e.State == journal.Planned {
			continue
		}
		t := &task{id: e.Task, arrived: e.Arrived, ttl: e.TTL, lane: e.Lane, known: true, tree: true}
		if t.lane >= lanes {
			t.lane = commandLane // of a newer agent
		}
		a.resume(ctx, t, e, folders[e.Task])
		delete(folders, e.Task)
	}
	for id := range folders {
		if e, ok := a.journal.Find(id); ok && e.State == journal.Done {
			if err := executor.Remove(a.dirOf(id)); err != nil {
				a.log.Warn("folder of a finished task not removed", "task", nameOf(id), "error", err)
			}
			continue
		}
		// The journal lost its record, but the folder is proof enough of a start.
		a.log.Warn("task known by its folder only", "task", nameOf(id))
		a.resume(ctx, &task{id: id, known: true, tree: true}, journal.Entry{Task: id, State: journal.Starting}, true)
	}
	live := map[string]bool{}
	for id, t := range a.tasks {
		live[a.executionOf(id)] = t.phase == running
	}
	executor.SweepGroups("-"+a.mark, func(id string) bool { return live[id] })
	return a.sweepAll()
}

// folders lists the tasks that have one.
func (a *Agent) folders() (map[protocol.Task]bool, error) {
	found := map[protocol.Task]bool{}
	list, err := os.ReadDir(a.tasksDir())
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	for _, f := range list {
		if id, ok := taskNamed(f.Name()); ok && f.IsDir() {
			found[id] = true
		}
	}
	return found, err
}

// resume takes up one task.
func (a *Agent) resume(ctx context.Context, t *task, e journal.Entry, folder bool) {
	a.tasks[t.id] = t
	if p := a.plans[t.id.Planned()]; p != nil {
		t.stop = p.mark.Stopped
	}
	a.guard(t, func() {
		aside := a.setAside(t.id)
		switch {
		case e.State == journal.Ended:
			a.end(t, resultIn(e), true)
		case aside:
			a.end(t, a.verdict(t.id), false)
		case folder && a.attach(ctx, t):
		case e.State == journal.Accepted:
			a.mu.Lock()
			defer a.mu.Unlock()
			a.enqueue(t)
			a.schedule(t, time.Now().Add(a.cfg.tempo.received))
		case t.lane == transferLane:
			// What it has moved is known, and what it does last is marked: it goes on.
			t.begun, t.ttl = true, 0
			a.mu.Lock()
			defer a.mu.Unlock()
			a.enqueue(t)
			a.schedule(t, time.Now().Add(a.cfg.tempo.received))
		default:
			// Nobody knows whether it was started, so nobody shall start it.
			a.end(t, protocol.Finished{Task: t.id, Outcome: protocol.OutcomeInterrupted}, false)
		}
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	if p := a.plans[t.id.Planned()]; p != nil && t.phase != ended {
		p.live = append(p.live, t)
	}
}

// attach takes up a task that was started, and reports whether it was.
func (a *Agent) attach(ctx context.Context, t *task) bool {
	defer a.hands.take(takingUp, t.id)()
	process, err := executor.Attach(a.dirOf(t.id))
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	fault := func(err error) bool {
		a.log.Error("task not taken up", "task", nameOf(t.id), "error", err)
		a.end(t, protocol.Finished{Task: t.id, Outcome: protocol.OutcomeAgentFault, Detail: clip(err.Error())}, false)
		return true
	}
	if err != nil {
		return fault(err)
	}
	if msg, err := a.journal.Run(t.id.Planned()); err == nil {
		if m, err := protocol.DecodeRun(msg); err == nil {
			t.tree, t.power = m.Spec.KillTree, m.Spec.Power
		}
	}
	if !process.Running() {
		exit, err := process.Wait(ctx)
		if err != nil {
			return fault(err)
		}
		a.over(t, process, exit)
		return true
	}
	a.mu.Lock()
	l := a.laneOf(t)
	l.taken++
	l.ready = append(l.ready, t)
	a.mu.Unlock()
	a.runs(t, process)
	return true
}

// resultIn returns the result that the journal holds.
func resultIn(e journal.Entry) protocol.Finished {
	m, err := protocol.DecodeFinished(e.Result)
	if err != nil {
		return protocol.Finished{Task: e.Task, Outcome: protocol.OutcomeAgentFault, Detail: clip(err.Error())}
	}
	return m
}
