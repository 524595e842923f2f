package dispatch

import (
	"context"
	"time"

	"errand/internal/core"
	"errand/internal/protocol"
)

// deliver hands freshly committed tasks to the bus, and stops too.
func (d *Dispatcher) deliver(ctx context.Context) error {
	for {
		events := d.events.take(ctx, 64)
		if events == nil {
			return nil
		}
		for _, e := range events {
			switch {
			case e.Revised:
				d.revised(ctx, e.New, e.Tasks)
			case e.New != nil:
				d.begin(ctx, e.New, e.Tasks)
			}
			d.stopped(e.Stops)
			if e.Removed != 0 {
				d.forget(e.Tasks)
			}
			if e.Rotate != 0 {
				d.rotate(ctx, e.Rotate)
			}
			if e.Watched != (core.TaskID{}) {
				d.watched(e.Watched)
			}
		}
	}
}

// begin takes up an invocation that was just accepted.
func (d *Dispatcher) begin(ctx context.Context, v *core.Invocation, tasks []core.Task) {
	added, err := d.add(ctx, v, tasks)
	if err != nil {
		// The next start takes it up; until then its tasks wait for their deadline.
		d.log.Error("take up invocation", "invocation", v.ID, "error", err)
	}
	for _, t := range added {
		if t.State == core.Delivering {
			d.sendRun(t)
		}
	}
}

// revised takes up a standing invocation that was changed, and tells its nodes.
func (d *Dispatcher) revised(ctx context.Context, v *core.Invocation, tasks []core.Task) {
	d.mu.Lock()
	if old := d.open[v.ID]; old != nil {
		if old.Revision > v.Revision {
			d.mu.Unlock()
			return // there is a later event
		}
		for id := range old.tasks {
			d.drop(id)
		}
	}
	d.mu.Unlock()
	added, err := d.add(ctx, v, tasks)
	if err != nil {
		d.log.Error("take up revised invocation", "invocation", v.ID, "error", err)
	}
	for _, t := range added {
		if t.State == core.Delivering || t.State == core.Scheduled {
			d.sendRun(t)
		}
	}
}

// stopped tells nodes to stop what they may have, and forgets what was cancelled before it left.
func (d *Dispatcher) stopped(tasks []core.Task) {
	for i := range tasks {
		d.mu.Lock()
		t := d.find(tasks[i].ID)
		switch {
		case t == nil:
		case tasks[i].State.Ended():
			d.drop(t.ID)
			t = nil
		default:
			t.State, t.StopAskedAt = tasks[i].State, tasks[i].StopAskedAt
		}
		d.mu.Unlock()
		if t != nil {
			d.sendStop(t)
		}
	}
}

// forget drops tasks that were given up elsewhere.
func (d *Dispatcher) forget(tasks []core.Task) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range tasks {
		d.drop(tasks[i].ID)
	}
}

func (d *Dispatcher) sendRun(t *task) {
	now := d.now()
	d.mu.Lock()
	state, after, ttl := t.State, t.LatestDue, t.inv.TTL(&t.Task, now)
	d.mu.Unlock()
	switch {
	case t.inv.Kind == core.KindOccurrence:
		return // its node began it by itself
	case state == core.Scheduled:
		ttl = 0 // the node has it, or lost it: there is no hurry
	case ttl <= 0:
		return // tend gives it up
	}
	d.mu.Lock()
	t.sent = now
	d.mu.Unlock()
	d.metrics.Delivered.Inc()
	m := protocol.AppendRun(nil, wireTask(t.ID), t.spec(), uint64(ttl/time.Millisecond))
	d.send(t.Node, protocol.AppendAfter(m, micros(after)))
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func (d *Dispatcher) sendStop(t *task) {
	d.mu.Lock()
	t.sent = d.now()
	d.mu.Unlock()
	m := protocol.Stop{Task: t.wire()}
	d.send(t.Node, m.Append(nil))
}

// send hands a message to the bus. A failure is only logged: everything sent here is repeated until it is answered.
func (d *Dispatcher) send(node core.NodeKey, msg []byte) {
	if err := d.bus.Send(int64(node), msg); err != nil {
		d.log.Warn("send", "node", node, "error", err)
	}
}

// wire is the task's name as its node knows it.
func (t *task) wire() protocol.Task {
	if t.inv.Kind != core.KindOccurrence {
		return wireTask(t.ID)
	}
	return wireName(core.Name{Task: core.TaskID{Invocation: t.inv.Schedule, Index: t.ID.Index}, Due: t.inv.Due})
}

func wireName(n core.Name) protocol.Task {
	w := wireTask(n.Task)
	w.Due = micros(n.Due)
	return w
}

func wireTask(id core.TaskID) protocol.Task {
	return protocol.Task{Invocation: uint64(id.Invocation), Index: id.Index}
}
