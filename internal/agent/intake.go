package agent

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"errand/internal/agent/journal"
	"errand/internal/agent/logs"
	"errand/internal/protocol"
)

// maxIntake is how many messages are written down with one sync of the journal.
const maxIntake = 256

// intake writes down what the server asks for, and answers what it asks again.
func (a *Agent) intake(ctx context.Context) error {
	for {
		a.pass(loopIntake)
		select {
		case <-ctx.Done():
			return nil
		case <-a.called(loopIntake):
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

// arrivals is what is new with a number of messages.
type arrivals struct {
	tasks []*task
	plans []*proposal
}

// take handles messages in their order. New tasks are started or queued only after all of them are on disk.
func (a *Agent) take(msgs [][]byte) {
	var fresh arrivals
	for _, msg := range msgs {
		if err := a.handle(msg, &fresh); err != nil {
			a.log.Warn("message not understood", "error", err)
		}
	}
	if len(fresh.tasks) == 0 && len(fresh.plans) == 0 {
		return
	}
	var records []journal.Record
	for _, t := range fresh.tasks {
		records = append(records, t.records()...)
	}
	for _, p := range fresh.plans {
		records = append(records, p.record())
	}
	err := a.journal.Append(records...)
	if err != nil {
		a.log.Error("tasks refused", "count", len(fresh.tasks)+len(fresh.plans), "error", err)
	}
	a.admit(fresh.tasks, err)
	a.adopt(fresh.plans, err)
}

// records returns what is to be written down about a new task.
func (t *task) records() []journal.Record {
	records := []journal.Record{{Task: t.id, State: journal.Accepted, At: t.arrived, TTL: t.ttl, Lane: t.lane, Run: t.run, Secret: t.secret}}
	if t.begun {
		records = append(records, journal.Record{Task: t.id, State: journal.Starting, At: t.arrived})
	}
	return records
}

// handle takes one message and adds to fresh what is new with it.
func (a *Agent) handle(msg []byte, fresh *arrivals) (err error) {
	defer func() {
		if p := recover(); p != nil {
			a.log.Error("panic", "panic", logs.Panic(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %s", logs.Panic(p))
		}
	}()
	kind, err := protocol.KindOf(msg)
	if err != nil {
		return err
	}
	switch kind {
	case protocol.KindRun:
		m, err := protocol.DecodeRun(msg)
		if err != nil {
			return err
		}
		return a.asked(&m, msg, fresh)
	case protocol.KindStop:
		m, err := protocol.DecodeStop(msg)
		if err != nil {
			return err
		}
		a.stop(m.Task)
	case protocol.KindAck:
		m, err := protocol.DecodeAck(msg)
		if err != nil {
			return err
		}
		a.acknowledged(m)
	case protocol.KindWatch:
		m, err := protocol.DecodeWatch(msg)
		if err != nil {
			return err
		}
		a.watch(m)
	case protocol.KindProbe:
		nudge(a.probe)
	case protocol.KindWelcome, protocol.KindUpgrade:
		return a.upgraded(kind, msg)
	case protocol.KindRotate:
		m, err := protocol.DecodeRotate(msg)
		if err != nil {
			return err
		}
		a.asksForKey(m)
	case protocol.KindHello, protocol.KindBeat, protocol.KindReceived, protocol.KindPlanned, protocol.KindStarted, protocol.KindOutput,
		protocol.KindFinished, protocol.KindUpgraded, protocol.KindProgress:
		return fmt.Errorf("%w: kind %d is a node's", protocol.ErrMalformed, kind)
	default: // of a newer server, which knows from our Hello that we may not understand it
	}
	return nil
}

// asked handles a Run. A task that is known is not started again: what is known is told again.
func (a *Agent) asked(m *protocol.Run, msg []byte, fresh *arrivals) error {
	if m.Task.Due != 0 {
		return fmt.Errorf("%w: asked for a run that only a plan can make", protocol.ErrMalformed)
	}
	if a.guilty[m.Task] != "" {
		a.refuse(m.Task)
		return nil
	}
	defer a.hands.take(receiving, m.Task)()
	switch {
	case m.Spec.Plan != nil:
		if p := a.planned(m, msg); p != nil {
			fresh.plans = append(fresh.plans, p)
		}
		return nil
	case !a.unknown(m.Task):
		return nil
	}
	t := &task{
		id: m.Task, arrived: a.cfg.Clock(), ttl: duration(m.TTL, time.Millisecond), run: msg, lane: laneOf(&m.Spec), tree: m.Spec.KillTree, secret: m.Spec.Hidden,
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tasks[t.id] = t
	if a.seat(t) {
		fresh.tasks = append(fresh.tasks, t)
	}
	return nil
}

// refuse answers for a task in quarantine.
func (a *Agent) refuse(id protocol.Task) {
	if !a.unknown(id) {
		return
	}
	t := &task{id: id, known: true}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tasks[id] = t
	a.endLocked(t, a.verdict(id), false)
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
				a.laneOf(t).taken--
			}
			a.endLocked(t, unwritten(t.id, err), false)
			continue
		}
		switch t.phase {
		case waiting:
			t.run = nil // thousands may wait: they are read again when their turn comes
			a.enqueue(t)
		case starting:
			l := a.laneOf(t)
			l.ready = append(l.ready, t)
		case running, ended, planned: // stopped meanwhile
		}
		if t.phase != ended {
			a.schedule(t, time.Now().Add(a.cfg.tempo.received))
		}
	}
	nudge(a.room)
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
	process, tree, abort, phase := t.process, t.tree, t.abort, t.phase
	switch phase {
	case waiting:
		a.dequeue(t)
		a.endLocked(t, protocol.Finished{Task: t.id, Outcome: protocol.OutcomeNeverStarted}, false)
	case ended:
		t.again()
		a.schedule(t, time.Now())
	case starting, running: // whoever starts it looks for the wish to stop
	case planned:
	}
	a.mu.Unlock()
	switch {
	case phase == planned:
		a.halt(t)
	case process != nil:
		a.terminate(t, process, tree)
	case abort != nil:
		abort()
	}
}
