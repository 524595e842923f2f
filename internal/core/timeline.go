package core

import (
	"slices"
	"time"
)

// Milestone is a kind of moment in the life of a task.
type Milestone string

// The milestones, in the order in which they come.
const (
	Accepted  Milestone = "accepted"   // the order was stored
	Enqueued  Milestone = "queued"     // its node was away, or its turn had not come
	Released  Milestone = "released"   // its turn came
	Sent      Milestone = "sent"       // it was handed to the bus, for the last time
	Received  Milestone = "received"   // its node has it written down or, where it said so first, runs it
	Started   Milestone = "started"    // the process runs
	FirstByte Milestone = "first_byte" // the first output was stored
	Ended     Milestone = "ended"      // the process is over, or the task was given up
	Stored    Milestone = "stored"     // the result was committed
)

// TaskMoment is when a task came to a milestone. Started and Ended are by the node's clock, corrected where that is off; the others are the server's.
type TaskMoment struct {
	At   time.Time
	What Milestone
}

// Timeline returns the moments of a task's life that are known, in the order of time. The invocation is the task's own.
func (t *Task) Timeline(v *Invocation) []TaskMoment {
	list := []TaskMoment{{v.CreatedAt, Accepted}}
	add := func(what Milestone, at time.Time) {
		if !at.IsZero() {
			list = append(list, TaskMoment{at, what})
		}
	}
	if !t.ReleasedAt.IsZero() || t.Held || t.SentAt.IsZero() || t.SentAt.After(v.CreatedAt) {
		add(Enqueued, v.CreatedAt)
	}
	add(Released, t.ReleasedAt)
	add(Sent, t.SentAt)
	add(Received, t.ReceivedAt)
	add(Started, t.StartedAt)
	add(FirstByte, t.FirstByteAt)
	add(Ended, t.EndedAt)
	if t.State.Ended() {
		add(Stored, t.UpdatedAt) // nothing changes a result
	}
	slices.SortStableFunc(list, func(a, b TaskMoment) int { return a.At.Compare(b.At) })
	return list
}
