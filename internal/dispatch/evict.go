package dispatch

import (
	"context"
	"time"
)

// evict disconnects nodes that send more than they may. They come back, more and more slowly if they are agents.
func (d *Dispatcher) evict(ctx context.Context) error {
	tick := time.NewTicker(forgetAfter)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			d.meter.forget(d.now())
		case e := <-d.excesses:
			d.log.Error("node disconnected", "node", e.node, "reason", e.what, "messages_dropped", e.dropped)
			if err := d.kick(int64(e.node)); err != nil {
				d.log.Error("disconnect node", "node", e.node, "error", err)
			}
		}
	}
}

// over has a node disconnected, if there is something to hold against it.
func (d *Dispatcher) over(e *excess) {
	d.metrics.Dropped.Inc()
	if e == nil {
		return
	}
	select {
	case d.excesses <- *e:
	default: // it is still at it when there is room
	}
}
