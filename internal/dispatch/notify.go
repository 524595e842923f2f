package dispatch

import (
	"context"
	"sync"
	"time"

	"errand/internal/core"
)

const (
	// notifyEvery is how often subscriptions are looked at: how late an event leaves at worst when nothing else is in the way.
	notifyEvery = 200 * time.Millisecond
	// notifyLanes is how many subscribers are called at the same time, so that slow ones hold up no others. One that does not answer at all
	// leaves its lane after a request, and comes back later and later.
	notifyLanes = 64
)

// notify sends events to subscribers. Which of the servers sends for a subscription is decided by a claim in the store; what one
// leaves undone, another takes up.
func (d *Dispatcher) notify(ctx context.Context) error {
	var lanes sync.WaitGroup
	defer lanes.Wait()
	busy := make(chan struct{}, notifyLanes)
	tick := time.NewTicker(notifyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		room := notifyLanes - len(busy)
		if room == 0 {
			continue
		}
		claimed, err := d.svc.ClaimSubscriptions(ctx, room)
		if err != nil && ctx.Err() == nil {
			d.log.Error("claim subscriptions", "error", err)
		}
		for i := range claimed {
			busy <- struct{}{}
			lanes.Go(func() {
				defer func() { <-busy }()
				d.serve(ctx, claimed[i])
			})
		}
	}
}

// serve sends what waits for one subscription. If that fails for a reason of ours, it is tried again when the claim ends.
func (d *Dispatcher) serve(ctx context.Context, s core.Subscription) {
	n, err := d.svc.Notify(ctx, s, d.shorten)
	if err != nil && ctx.Err() == nil {
		d.log.Error("send events", "account", s.Account, "subscription", s.ID, "error", err)
	}
	for outcome, n := range map[string]int{"delivered": n.Delivered, "failed": n.Failed, "dead": n.Dead} {
		d.metrics.Webhooks.WithLabelValues(outcome).Add(float64(n))
	}
}
