package dispatch

import (
	"context"
	"time"

	"errand/internal/core"
)

const (
	tendEvery  = 500 * time.Millisecond
	flushEvery = 5 * time.Second
	// repeatAfter is how long a node may leave a Run unanswered before it is sent again, stopAfter the same for a Stop.
	repeatAfter = 5 * time.Second
	stopAfter   = 2 * time.Second
	// deferAfter is how long a task waits for a node that is away before it is shown as deferred.
	deferAfter = 2 * time.Second
)

// tend repeats what was not answered and gives up what is over its time.
func (d *Dispatcher) tend(ctx context.Context) error {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			d.round(ctx)
		}
	}
}

// round looks at every open task once.
func (d *Dispatcher) round(ctx context.Context) {
	now := d.now()
	overdue := map[*invocation][]core.TaskID{}
	var first, away []core.TaskID
	var again, stops []*task
	d.mu.Lock()
	for _, v := range d.open {
		for id, t := range v.tasks {
			deadline := v.Deadline(&t.Task)
			quiet := now.Sub(t.sent)
			connected := d.svc.Connected(t.Node)
			switch {
			case !deadline.IsZero() && !now.Before(deadline):
				overdue[v] = append(overdue[v], id)
			case t.State == core.Stopping && connected && quiet >= stopAfter:
				stops = append(stops, t)
			case t.State == core.Delivering && connected && t.ReceivedAt.IsZero() && quiet >= repeatAfter:
				again = append(again, t)
			case v.Kind == core.KindOccurrence: // its node began it by itself, so there is nothing to hand over
			case (t.State == core.Queued || t.State == core.Deferred) && connected:
				first = append(first, id)
			case (t.State == core.Queued || t.State == core.Delivering) && !connected && t.ReceivedAt.IsZero() && now.Sub(v.CreatedAt) >= deferAfter:
				away = append(away, id)
			}
		}
	}
	d.mu.Unlock()
	for v, ids := range overdue {
		d.expire(ctx, v, ids)
	}
	for _, t := range stops {
		d.sendStop(t)
	}
	for _, t := range again {
		d.sendRun(t)
	}
	d.handOver(ctx, first)
	d.postpone(ctx, away)
}

// expire gives up tasks. A node that may still have one is told never to start it.
func (d *Dispatcher) expire(ctx context.Context, v *invocation, ids []core.TaskID) {
	changed, err := d.svc.Expire(ctx, &v.Invocation, ids)
	if err != nil {
		if ctx.Err() == nil {
			d.log.Error("expire tasks", "invocation", v.ID, "error", err)
		}
		return
	}
	for i := range changed {
		t := &changed[i]
		d.log.Info("task given up", "invocation", v.ID, "task", t.ID, "node", t.Node, "state", t.State, "cause", t.Cause)
		d.metrics.Ended.WithLabelValues(t.State.String()).Inc()
		d.mu.Lock()
		known := d.find(t.ID)
		d.drop(t.ID)
		d.mu.Unlock()
		if known != nil && t.Tries > 0 && d.svc.Connected(t.Node) {
			d.sendStop(known)
		}
	}
	d.refresh(ctx, v, ids)
}

// refresh replaces what memory knows about tasks that the store did not find overdue after all.
func (d *Dispatcher) refresh(ctx context.Context, v *invocation, ids []core.TaskID) {
	left := map[core.TaskID]bool{}
	d.mu.Lock()
	for _, id := range ids {
		if d.find(id) != nil {
			left[id] = true
		}
	}
	d.mu.Unlock()
	if len(left) == 0 {
		return
	}
	tasks, err := d.svc.OpenTasks(ctx, v.ID)
	if err != nil {
		d.log.Error("read open tasks", "invocation", v.ID, "error", err)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range tasks {
		if t := d.find(tasks[i].ID); t != nil && left[t.ID] {
			t.Task = tasks[i]
			t.Output = core.Output{}
			delete(left, t.ID)
		}
	}
	for id := range left {
		d.drop(id)
	}
}

func (d *Dispatcher) postpone(ctx context.Context, ids []core.TaskID) {
	if len(ids) == 0 {
		return
	}
	if err := d.svc.Defer(ctx, ids); err != nil {
		if ctx.Err() == nil {
			d.log.Error("defer tasks", "count", len(ids), "error", err)
		}
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range ids {
		if t := d.find(id); t != nil && t.State.CanBecome(core.Deferred) {
			t.State = core.Deferred
		}
	}
}

// flush writes signs of life down, many nodes at a time.
func (d *Dispatcher) flush(ctx context.Context) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushEvery)
			defer cancel()
			return d.svc.FlushSeen(ctx)
		case <-tick.C:
			if err := d.svc.FlushSeen(ctx); err != nil && ctx.Err() == nil {
				d.log.Error("write signs of life", "error", err)
			}
			if err := d.svc.NotePresence(ctx); err != nil && ctx.Err() == nil {
				d.log.Error("write who came and went", "error", err)
			}
		}
	}
}
