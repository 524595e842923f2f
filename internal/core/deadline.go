package core

import (
	"context"
	"time"
)

const (
	// defaultDelivery is how long a task waits for its node when the caller does not say; the vendors that say allow one minute.
	defaultDelivery = time.Minute
	// SilenceGrace is how long after a task's own time limit, or after a stop, its node may stay silent before it counts as lost.
	SilenceGrace = time.Minute
)

// Deadline is when the server has to do something about a task by itself; zero means never.
func (v *Invocation) Deadline(t *Task) time.Time {
	switch {
	case t.Held:
		return time.Time{} // its time begins with its turn
	case v.Kind == KindStanding && t.State == Stopping && !t.ReceivedAt.IsZero():
		return time.Time{} // its node has the plan and must hear of this, whenever it comes back
	case v.Kind == KindOccurrence && t.State.Waiting():
		return time.Time{} // its node has it and starts it when there is room
	case t.State == Stopping:
		at := t.StopAskedAt.Add(SilenceGrace)
		if end := t.runsSince().Add(v.Timeout + SilenceGrace); !t.StartedAt.IsZero() && end.After(at) {
			at = end
		}
		return at
	case t.State == Running && v.Timeout > 0:
		return t.runsSince().Add(v.Timeout + SilenceGrace)
	case t.State.Waiting() && !t.ReceivedAt.IsZero():
		return v.deliverBy(t).Add(SilenceGrace) // the node gives up by itself first
	case t.State.Waiting():
		return v.deliverBy(t)
	default:
		return time.Time{}
	}
}

// runsSince is when its node first said that the task runs. StartedAt is when that was so by the node's clock, which may be days off: a
// command that runs would be given up, and stopped, or one that is lost never missed.
func (t *Task) runsSince() time.Time {
	if t.ReceivedAt.IsZero() {
		return t.StartedAt
	}
	return t.ReceivedAt
}

// TTL is how long from now a node may still start a task of this invocation.
func (v *Invocation) TTL(t *Task, now time.Time) time.Duration { return v.deliverBy(t).Sub(now) }

// NoWaiting is the DeliverWithin of an invocation that waits for no node: tasks of nodes that are not online are over when they would be handed over.
// The others have the usual time.
const NoWaiting = -time.Second // stores keep microseconds

// MaxDeliver is the longest DeliverWithin.
const MaxDeliver = 90 * 24 * time.Hour

// Queue is how long a task waits for its node.
func (v *Invocation) Queue() time.Duration {
	switch {
	case v.DeliverWithin < 0:
		return 0
	case v.DeliverWithin == 0:
		return defaultDelivery
	}
	return v.DeliverWithin
}

// deliverBy is until when a task may be handed over.
func (v *Invocation) deliverBy(t *Task) time.Time {
	from, within := v.CreatedAt, max(v.DeliverWithin, 0)
	if !v.RevisedAt.IsZero() {
		from = v.RevisedAt // nodes may have joined then
	}
	if !t.ReleasedAt.IsZero() {
		from = t.ReleasedAt
	}
	if within == 0 {
		within = defaultDelivery
	}
	return from.Add(within)
}

// Expire gives up the named tasks of an invocation whose deadline has passed and returns those that it changed.
func (s *Service) Expire(ctx context.Context, v *Invocation, ids []TaskID) ([]Task, error) {
	now := s.Now()
	var changed []Task
	err := s.store.ChangeTasks(ctx, ids, func(t *Task) bool {
		if at := v.Deadline(t); at.IsZero() || now.Before(at) {
			return false
		}
		state, cause := s.presume(t, now)
		if !t.become(state, cause, now) {
			return false
		}
		changed = append(changed, *t)
		return true
	})
	for i := range changed {
		s.settled(changed[i].ID)
	}
	return changed, err
}

// presume decides what silence means.
func (s *Service) presume(t *Task, now time.Time) (State, Cause) {
	switch {
	case t.State == Running || t.State == Stopping:
		return Lost, CauseAgentUnresponsive
	case !s.online(t.Node, now):
		return DeliveryFailed, CauseAgentOffline
	default:
		return DeliveryFailed, CauseDeliveryTimeout
	}
}

func (s *Service) online(key NodeKey, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.live[key]
	return ok && now.Sub(at) < OnlineWindow
}

// Sent notes that tasks are being handed to the bus; Deferred ones go back to Delivering. It returns those that may be sent.
func (s *Service) Sent(ctx context.Context, ids []TaskID) ([]Task, error) {
	now := s.Now()
	sent := make(map[TaskID]Task, len(ids))
	err := s.store.ChangeTasks(ctx, ids, func(t *Task) bool {
		delete(sent, t.ID)
		if t.Held || t.State != Delivering && !t.become(Delivering, NoCause, now) {
			return false
		}
		t.Tries++
		t.SentAt = now
		sent[t.ID] = *t
		return true
	})
	if err != nil {
		return nil, err
	}
	out := make([]Task, 0, len(sent))
	for _, id := range ids {
		if t, ok := sent[id]; ok {
			out = append(out, t)
		}
	}
	return out, nil
}

// Defer notes that the nodes of waiting tasks are away.
func (s *Service) Defer(ctx context.Context, ids []TaskID) error {
	now := s.Now()
	return s.store.ChangeTasks(ctx, ids, func(t *Task) bool {
		return !t.Held && t.ReceivedAt.IsZero() && t.become(Deferred, CauseAgentOffline, now)
	})
}

// Open returns all invocations that are not over, with their open tasks: what dispatch has to take up after a start.
func (s *Service) Open(ctx context.Context, visit func(Invocation, []Task) error) error {
	open, err := s.store.OpenInvocations(ctx)
	if err != nil {
		return err
	}
	for _, v := range open {
		tasks, err := s.store.OpenTasks(ctx, v.ID)
		if err != nil {
			return err
		}
		if err := visit(v, tasks); err != nil {
			return err
		}
	}
	return nil
}

// OpenTasks returns the tasks of an invocation that have not ended.
func (s *Service) OpenTasks(ctx context.Context, id ID) ([]Task, error) {
	return s.store.OpenTasks(ctx, id)
}
