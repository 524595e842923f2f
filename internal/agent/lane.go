package agent

import (
	"fmt"
	"slices"
	"time"

	"errand/internal/protocol"
)

// The lanes. Their numbers stand in journals.
const (
	commandLane uint8 = iota
	fileLane
	transferLane
	lanes // is their number
)

// maxWrites is how many files are written at a time.
const maxWrites = 4

// lane is where tasks of one kind wait for a place, so that slow commands do not hold up files, nor a slow disk commands.
// Guarded by the agent's lock.
type lane struct {
	places int     // at most taken at a time
	taken  int     // more than there are after a restart with a lower limit
	queue  []*task // waiting, in order of arrival
	ready  []*task // that have a place already
}

// laneOf returns the lane of what a message asks for.
func laneOf(s *protocol.Spec) uint8 {
	switch {
	case s.Transfer != nil:
		return transferLane
	case s.File != nil:
		return fileLane
	}
	return commandLane
}

func (a *Agent) laneOf(t *task) *lane { return &a.lanes[t.lane] }

// seat gives a new task a place if there is one, and otherwise leaves it waiting; it reports false and ends the task when
// too many wait already. The place may have to be given back when the journal refuses. It is called with the lock held.
func (a *Agent) seat(t *task) bool {
	l := a.laneOf(t)
	switch {
	case l.taken < l.places && len(l.queue) == 0:
		l.taken++
		t.phase, t.begun = starting, true
	case len(l.queue) >= a.cfg.MaxWaiting:
		result := protocol.Finished{Task: t.id, Outcome: protocol.OutcomeTooMany, Detail: fmt.Sprintf("%d tasks are waiting", len(l.queue))}
		a.endLocked(t, result, false)
		return false
	}
	return true
}

// enqueue is called with the lock held.
func (a *Agent) enqueue(t *task) {
	l := a.laneOf(t)
	l.queue = append(l.queue, t)
	if by := time.Now().Add(t.ttl); t.ttl > 0 && by.Before(a.expiry) {
		a.expiry = by
	}
}

// dequeue is called with the lock held.
func (a *Agent) dequeue(t *task) {
	l := a.laneOf(t)
	l.queue = slices.DeleteFunc(l.queue, func(q *task) bool { return q == t })
}

// next returns the tasks whose turn it is. It is called with the lock held.
func (l *lane) next() []*task {
	start := l.ready
	l.ready = nil
	for l.taken < l.places && len(l.queue) > 0 {
		t := l.queue[0]
		l.queue = slices.Delete(l.queue, 0, 1)
		l.taken++
		t.phase = starting
		start = append(start, t)
	}
	return start
}

// leave gives a task's place back.
func (a *Agent) leave(t *task) {
	a.mu.Lock()
	a.laneOf(t).taken--
	a.mu.Unlock()
	nudge(a.room)
}
