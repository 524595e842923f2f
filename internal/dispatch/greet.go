package dispatch

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"

	"errand/internal/core"
	"errand/internal/protocol"
)

// hello is a node that has just connected.
type hello struct {
	node core.NodeKey
	protocol.Hello
}

// greet notes what nodes say about themselves and gives them what waits for them.
func (d *Dispatcher) greet(ctx context.Context) error {
	for {
		batch := d.hellos.take(ctx, 256)
		if batch == nil {
			return nil
		}
		for _, h := range batch {
			err := d.svc.Introduce(ctx, h.node, facts(&h.Hello))
			if err != nil && !errors.Is(err, core.ErrNotFound) && ctx.Err() == nil {
				d.log.Error("introduce node", "node", h.node, "error", err)
			}
			if h.Crash != "" {
				d.log.Warn("the agent crashed and was started again", "node", h.node, "crash", h.Crash)
			}
			if err == nil {
				d.welcome(&h)
			}
			d.resume(ctx, h.node)
			d.rotate(ctx, h.node)
		}
	}
}

// resume repeats everything that is open for a node.
func (d *Dispatcher) resume(ctx context.Context, node core.NodeKey) {
	var runs []core.TaskID
	var stops, plans []*task
	d.mu.Lock()
	for id, t := range d.byNode[node] {
		switch {
		case t.State == core.Stopping:
			stops = append(stops, t)
		case t.State == core.Scheduled:
			plans = append(plans, t)
		case t.State.Waiting() && t.inv.Kind != core.KindOccurrence:
			runs = append(runs, id)
		}
	}
	d.mu.Unlock()
	for _, t := range plans {
		d.sendRun(t) // in case the node lost it, or was away when it changed
	}
	for _, t := range stops {
		d.sendStop(t)
	}
	d.handOver(ctx, runs)
}

// handOver marks waiting tasks as sent, in order, and sends them.
func (d *Dispatcher) handOver(ctx context.Context, ids []core.TaskID) {
	if len(ids) == 0 {
		return
	}
	slices.SortFunc(ids, func(a, b core.TaskID) int {
		return cmp.Or(cmp.Compare(a.Invocation, b.Invocation), cmp.Compare(a.Index, b.Index))
	})
	tasks, err := d.svc.Sent(ctx, ids)
	if err != nil {
		if ctx.Err() == nil {
			d.log.Error("hand over tasks", "count", len(ids), "error", err)
		}
		return // tend tries again
	}
	for i := range tasks {
		d.mu.Lock()
		t := d.find(tasks[i].ID)
		if t != nil {
			t.State, t.Tries, t.SentAt = tasks[i].State, tasks[i].Tries, tasks[i].SentAt
		}
		d.mu.Unlock()
		if t != nil {
			d.sendRun(t)
		}
	}
}

// outdated sends a plan again to a node that holds an older one.
func (d *Dispatcher) outdated(node core.NodeKey, m *protocol.Planned) {
	d.mu.Lock()
	t := d.find(taskID(m.Task))
	old := t != nil && t.Node == node && t.State == core.Scheduled && m.Revision < t.inv.Revision
	d.mu.Unlock()
	if old {
		d.sendRun(t)
	}
}

func facts(h *protocol.Hello) core.Facts {
	f := core.Facts{
		Hostname: h.Hostname, OSName: h.OSName, Kernel: h.Kernel, Arch: h.Arch, BootID: h.BootID, Zone: h.Zone, Agent: h.Agent,
		Platform: core.Platform(h.OS), Features: h.Features,
		CPUs: int(min(h.CPUs, math.MaxInt32)), Memory: int64(min(h.Memory, math.MaxInt64)), GPUs: h.GPUs,
	}
	if len(h.IPs) > 0 {
		f.PrivateIP = h.IPs[0]
	}
	return f
}
