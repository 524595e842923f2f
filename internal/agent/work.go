package agent

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"errand/internal/agent/executor"
	"errand/internal/agent/journal"
	"errand/internal/protocol"
)

const (
	// startPatience is how long a supervisor may take to start a command. It does not depend on the agent's end: a command
	// that is being started shall not be torn up by it.
	startPatience = time.Minute

	// maxNap is how long work sleeps at most while tasks wait that may expire, because timers do not count the time asleep.
	maxNap = 30 * time.Second
)

// work starts commands while there is room, and waits for their ends.
func (a *Agent) work(ctx context.Context) error {
	var commands sync.WaitGroup
	defer commands.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		start, nap := a.turn()
		for _, t := range start {
			commands.Go(func() {
				defer a.leave(t)
				a.guard(t, func() { a.carryOut(ctx, t) })
			})
		}
		timer.Reset(nap)
		a.pass(loopWork)
		select {
		case <-ctx.Done():
			return nil
		case <-a.called(loopWork):
		case <-a.room:
		case <-timer.C:
		}
	}
}

// turn ends the tasks that waited too long and returns those whose turn it is, and for how long to sleep at most.
func (a *Agent) turn() (start []*task, nap time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !time.Now().Before(a.expiry) {
		a.expire()
	}
	for i := range a.lanes {
		start = append(start, a.lanes[i].next()...)
	}
	return start, time.Until(a.expiry)
}

// expire ends the waiting tasks that may not be started any more. It is called with the lock held.
func (a *Agent) expire() {
	now, next := a.cfg.Clock(), maxNap
	for i := range a.lanes {
		l := &a.lanes[i]
		l.queue = slices.DeleteFunc(l.queue, func(t *task) bool {
			if t.expired(now) {
				a.endLocked(t, protocol.Finished{Task: t.id, Outcome: protocol.OutcomeExpired}, false)
				return true
			}
			if t.ttl > 0 {
				next = min(next, t.ttl-now.Since(t.arrived))
			}
			return false
		})
	}
	a.expiry = time.Now().Add(next)
}

// carryOut does what a task asks for, unless its command runs already, and waits for its end or for the agent's.
func (a *Agent) carryOut(ctx context.Context, t *task) {
	process := a.processOf(t)
	if process == nil {
		var here *protocol.Run
		process, here = a.set(ctx, t)
		switch {
		case here == nil:
		case here.Spec.Transfer != nil:
			a.carryFiles(ctx, t, here)
		default:
			a.runInContainer(ctx, t, here)
		}
		if process == nil {
			return
		}
	}
	exit, err := process.Wait(ctx)
	switch {
	case err == nil:
		a.over(t, process, exit)
	case ctx.Err() == nil:
		a.log.Error("end of a command not found out", "task", nameOf(t.id), "error", err)
		a.end(t, protocol.Finished{Task: t.id, Outcome: protocol.OutcomeAgentFault, Detail: clip(err.Error())}, false)
	}
}

// set does all that a task needs before it runs by itself, or all of it. It returns the command's process, or what takes its time in this
// process, in a container or with large files, or nothing if the task is over.
func (a *Agent) set(ctx context.Context, t *task) (process *executor.Task, here *protocol.Run) {
	m, failed := a.begin(t)
	defer a.hands.take(beginning, t.id)() // after that it is begun once, whatever happens
	switch {
	case failed != nil:
	case m.Spec.File != nil:
		a.writeFile(ctx, t, &m)
	case m.Spec.Transfer != nil, inContainer(&m.Spec):
		return nil, &m
	case m.Spec.DryRun:
		failed = a.check(ctx, t, &m)
	default:
		process, failed = a.launch(ctx, t, &m)
	}
	if failed != nil {
		a.end(t, *failed, false)
	}
	return process, nil
}

// over notes how a command ended.
func (a *Agent) over(t *task, process *executor.Task, exit executor.Exit) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t.wish = t.wishOf(process, exit)
	a.endLocked(t, finishedBy(t.id, exit), true)
}

func (a *Agent) processOf(t *task) *executor.Task {
	a.mu.Lock()
	defer a.mu.Unlock()
	return t.process
}

// launch starts a command, or returns why it did not.
func (a *Agent) launch(ctx context.Context, t *task, m *protocol.Run) (*executor.Task, *protocol.Finished) {
	spec, err := a.specOf(t, m)
	if err != nil {
		f := refusedBy(t.id, err)
		return nil, &f
	}
	starting, cancel := context.WithTimeout(context.WithoutCancel(ctx), startPatience)
	defer cancel()
	process, err := a.cfg.start(starting, spec, a.dirOf(t.id), a.cfg.SelfExe)
	if errors.Is(err, executor.ErrExists) {
		process, err = executor.Attach(a.dirOf(t.id)) // the folder remembers what the journal lost
	}
	if err != nil {
		f := refusedBy(t.id, err)
		return nil, &f
	}
	a.runs(t, process)
	return process, nil
}

// check finds out what would keep a command from starting, and returns that or a successful end.
func (a *Agent) check(ctx context.Context, t *task, m *protocol.Run) *protocol.Finished {
	spec, err := a.specOf(t, m)
	if err == nil {
		err = executor.Check(ctx, spec)
	}
	f := protocol.Finished{Task: t.id, Outcome: protocol.OutcomeExited}
	if err != nil {
		f = refusedBy(t.id, err)
	}
	return &f
}

func (a *Agent) specOf(t *task, m *protocol.Run) (executor.Spec, error) {
	return specOf(m, a.executionOf(t.id))
}

// executionOf is a task's name for the executor, which no other agent on the machine uses.
func (a *Agent) executionOf(t protocol.Task) string { return nameOf(t) + "-" + a.mark }

// begin makes sure that the journal knows of the start before it happens.
func (a *Agent) begin(t *task) (m protocol.Run, failed *protocol.Finished) {
	fail := func(f protocol.Finished) (protocol.Run, *protocol.Finished) { return m, &f }
	a.mu.Lock()
	msg := t.run
	t.run = nil
	a.mu.Unlock()
	var err error
	if msg == nil {
		if msg, err = a.journal.Run(t.id.Planned()); err != nil {
			return fail(unwritten(t.id, err))
		}
	}
	if m, err = protocol.DecodeRun(msg); err != nil {
		return fail(unwritten(t.id, err))
	}
	if !t.begun {
		now := a.cfg.Clock()
		if t.expired(now) {
			return fail(protocol.Finished{Task: t.id, Outcome: protocol.OutcomeExpired})
		}
		if err := a.journal.Append(journal.Record{Task: t.id, State: journal.Starting, At: now}); err != nil {
			return fail(unwritten(t.id, err))
		}
	}
	a.mu.Lock()
	t.tree, t.power = m.Spec.KillTree, m.Spec.Power
	stop := t.stop
	a.mu.Unlock()
	if stop {
		return fail(protocol.Finished{Task: t.id, Outcome: protocol.OutcomeNeverStarted})
	}
	return m, nil
}

// runs notes that a task's command runs, and stops it if that was asked for meanwhile.
func (a *Agent) runs(t *task, process *executor.Task) {
	a.mu.Lock()
	t.phase, t.process, t.started = running, process, process.StartedAt()
	stop, tree := t.stop, t.tree
	a.schedule(t, time.Now().Add(a.cfg.tempo.started))
	a.mu.Unlock()
	if stop {
		a.terminate(t, process, tree)
	}
}

// terminate asks the supervisor to end a command. Its end is waited for elsewhere.
func (a *Agent) terminate(t *task, process *executor.Task, tree bool) {
	if err := process.Stop(tree); err != nil && !errors.Is(err, executor.ErrFinished) {
		a.log.Error("command not stopped", "task", nameOf(t.id), "error", err) // the Stop is repeated
	}
}
