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
			if e.New != nil {
				d.begin(ctx, e.New, e.Tasks)
			}
			d.stopped(e.Stops)
			if e.Removed != 0 {
				d.forget(e.Tasks)
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
	ttl := t.inv.TTL(now)
	if ttl <= 0 {
		return // tend gives it up
	}
	d.mu.Lock()
	t.sent = now
	d.mu.Unlock()
	d.metrics.Delivered.Inc()
	d.send(t.Node, protocol.AppendRun(nil, wireTask(t.ID), t.spec(), uint64(ttl/time.Millisecond)))
}

func (d *Dispatcher) sendStop(t *task) {
	d.mu.Lock()
	t.sent = d.now()
	d.mu.Unlock()
	m := protocol.Stop{Task: wireTask(t.ID)}
	d.send(t.Node, m.Append(nil))
}

// send hands a message to the bus. A failure is only logged: everything sent here is repeated until it is answered.
func (d *Dispatcher) send(node core.NodeKey, msg []byte) {
	if err := d.bus.Send(int64(node), msg); err != nil {
		d.log.Warn("send", "node", node, "error", err)
	}
}

func wireTask(id core.TaskID) protocol.Task {
	return protocol.Task{Invocation: uint64(id.Invocation), Index: id.Index}
}
