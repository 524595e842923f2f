package agent

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"errand/internal/agent/journal"
	"errand/internal/protocol"
)

// maxIntake is how many messages are written down with one sync of the journal.
const maxIntake = 256

// intake writes down what the server asks for, and answers what it asks again.
func (a *Agent) intake(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case msg := <-a.inbox:
			a.take(append([][]byte{msg}, a.more()...))
		}
	}
}

// more returns the messages that are there already.
func (a *Agent) more() (msgs [][]byte) {
	for len(msgs) < maxIntake {
		select {
		case msg := <-a.inbox:
			msgs = append(msgs, msg)
		default:
			return msgs
		}
	}
	return msgs
}

// take handles messages in their order. New tasks are started or queued only after all of them are on disk.
func (a *Agent) take(msgs [][]byte) {
	var fresh []*task
	for _, msg := range msgs {
		t, err := a.handle(msg)
		if err != nil {
			a.log.Warn("message not understood", "error", err)
		}
		if t != nil {
			fresh = append(fresh, t)
		}
	}
	if len(fresh) == 0 {
		return
	}
	var records []journal.Record
	for _, t := range fresh {
		records = append(records, journal.Record{Task: t.id, State: journal.Accepted, At: t.arrived, TTL: t.ttl, Run: t.run})
		if t.begun {
			records = append(records, journal.Record{Task: t.id, State: journal.Starting, At: t.arrived})
		}
	}
	err := a.journal.Append(records...)
	if err != nil {
		a.log.Error("tasks refused", "count", len(fresh), "error", err)
	}
	a.admit(fresh, err)
}

// handle takes one message and returns the task that is new with it, if any.
func (a *Agent) handle(msg []byte) (fresh *task, err error) {
	defer func() {
		if p := recover(); p != nil {
			a.log.Error("panic", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	kind, err := protocol.KindOf(msg)
	if err != nil {
		return nil, err
	}
	switch kind {
	case protocol.KindRun:
		m, err := protocol.DecodeRun(msg)
		if err != nil {
			return nil, err
		}
		return a.asked(&m, msg), nil
	case protocol.KindStop:
		m, err := protocol.DecodeStop(msg)
		if err != nil {
			return nil, err
		}
		a.stop(m.Task)
	case protocol.KindAck:
		m, err := protocol.DecodeAck(msg)
		if err != nil {
			return nil, err
		}
		a.acknowledged(m)
	case protocol.KindHello, protocol.KindBeat, protocol.KindReceived, protocol.KindStarted, protocol.KindOutput, protocol.KindFinished:
		return nil, fmt.Errorf("%w: kind %d is a node's", protocol.ErrMalformed, kind)
	default: // of a newer server, which knows from our Hello that we may not understand it
	}
	return nil, nil
}

// asked handles a Run. A task that is known is not started again: what is known is told again.
func (a *Agent) asked(m *protocol.Run, msg []byte) *task {
	if !a.unknown(m.Task) {
		return nil
	}
	now := a.cfg.Clock()
	t := &task{id: m.Task, arrived: now, ttl: duration(m.TTL, time.Millisecond), run: msg, tree: m.Spec.KillTree}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tasks[t.id] = t
	switch {
	case a.running < a.cfg.MaxRunning && len(a.queue) == 0:
		a.running++ // this place may be given back when the journal refuses
		t.phase, t.begun = starting, true
	case len(a.queue) >= a.cfg.MaxWaiting:
		result := protocol.Finished{Task: t.id, Outcome: protocol.OutcomeTooMany, Detail: fmt.Sprintf("%d tasks are waiting", len(a.queue))}
		a.endLocked(t, result, false)
		return nil
	}
	return t
}

// unknown reports whether nothing is known of a task. Otherwise it has it told to the server again.
func (a *Agent) unknown(id protocol.Task) bool {
	a.mu.Lock()
	t := a.tasks[id]
	if t != nil {
		t.again()
		a.schedule(t, time.Now())
	}
	a.mu.Unlock()
	if t != nil {
		return false
	}
	e, ok := a.journal.Find(id) // Done, or it would be among the tasks
	if ok {
		_ = a.publish(e.Result) // if it gets lost, the question comes again
	}
	return !ok
}

// admit gives new tasks their turn, or refuses them because they could not be written down.
func (a *Agent) admit(fresh []*task, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range fresh {
		t.known = err == nil
		if err != nil {
			if t.begun {
				a.running--
			}
			a.endLocked(t, unwritten(t.id, err), false)
			continue
		}
		switch t.phase {
		case waiting:
			t.run = nil // thousands may wait: they are read again when their turn comes
			a.enqueue(t)
		case starting:
			a.ready = append(a.ready, t)
		case running, ended: // stopped meanwhile
		}
		if t.phase != ended {
			a.schedule(t, time.Now().Add(a.cfg.tempo.received))
		}
	}
	nudge(a.room)
}

// enqueue is called with the lock held.
func (a *Agent) enqueue(t *task) {
	a.queue = append(a.queue, t)
	if by := time.Now().Add(t.ttl); t.ttl > 0 && by.Before(a.expiry) {
		a.expiry = by
	}
}

// stop handles a Stop.
func (a *Agent) stop(id protocol.Task) {
	a.mu.Lock()
	t := a.tasks[id]
	a.mu.Unlock()
	if t == nil {
		if !a.unknown(id) {
			return
		}
		// It may still come, and must not be started then.
		t = &task{id: id, known: true}
		a.mu.Lock()
		a.tasks[id] = t
		a.mu.Unlock()
	}
	a.stopTask(t)
}

func (a *Agent) stopTask(t *task) {
	a.mu.Lock()
	t.stop = true
	process, tree := t.process, t.tree
	switch t.phase {
	case waiting:
		a.queue = slices.DeleteFunc(a.queue, func(q *task) bool { return q == t })
		a.endLocked(t, protocol.Finished{Task: t.id, Outcome: protocol.OutcomeNeverStarted}, false)
	case ended:
		t.again()
		a.schedule(t, time.Now())
	case starting, running: // whoever starts it looks for the wish to stop
	}
	a.mu.Unlock()
	if process != nil {
		a.terminate(t, process, tree)
	}
}
