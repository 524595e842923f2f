package dispatch

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"errand/internal/core"
)

const (
	// paceEvery is how often all runs with a pace are looked at, for what another replica did and what a crash left undone.
	paceEvery = time.Second
	// paceShare bounds what that may cost where runs are large: one part in so many of the time.
	paceShare   = 4
	maxPaceRest = time.Second
)

// paceable gathers runs whose pace may move.
type paceable struct {
	mu    sync.Mutex
	ids   map[core.ID]bool
	ready chan struct{}
}

func newPaceable() *paceable {
	return &paceable{ids: map[core.ID]bool{}, ready: make(chan struct{}, 1)}
}

func (p *paceable) add(id core.ID) {
	p.mu.Lock()
	p.ids[id] = true
	p.mu.Unlock()
	select {
	case p.ready <- struct{}{}:
	default:
	}
}

func (p *paceable) take() []core.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := slices.Sorted(maps.Keys(p.ids))
	clear(p.ids)
	return ids
}

// pace moves runs that reach their nodes bit by bit: at once when a task of theirs ends, and now and then anyway.
func (d *Dispatcher) pace(ctx context.Context) error {
	tick := time.NewTicker(paceEvery)
	defer tick.Stop()
	for all := true; ; {
		began := d.now()
		if all {
			if err := d.svc.AdvancePaces(ctx); err != nil && ctx.Err() == nil {
				d.log.Error("advance runs", "error", err)
			}
		}
		for _, id := range d.paces.take() {
			if err := d.svc.AdvancePace(ctx, id); err != nil && ctx.Err() == nil {
				d.log.Error("advance run", "invocation", id, "error", err)
			}
		}
		rest := time.NewTimer(max(0, min(paceShare*d.now().Sub(began), maxPaceRest)))
		select {
		case <-ctx.Done():
			rest.Stop()
			return nil
		case <-rest.C:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			all = true
		case <-d.paces.ready:
			all = false
		}
	}
}
