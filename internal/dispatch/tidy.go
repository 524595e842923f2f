package dispatch

import (
	"context"
	"time"
)

// TidyEvery is how often old results are looked for.
const TidyEvery = time.Minute

// tidy removes results that are too old to keep, and tokens that are too old to be repeated.
func (d *Dispatcher) tidy(ctx context.Context) error {
	next := time.NewTimer(d.tidyAfter)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
			d.retain(ctx)
			d.forgetTokens(ctx)
			next.Reset(TidyEvery)
		}
	}
}

// retain removes them once.
func (d *Dispatcher) retain(ctx context.Context) {
	removed, err := d.svc.Retain(ctx, d.keep)
	if err != nil && ctx.Err() == nil {
		d.log.Error("remove old results", "error", err)
	}
	if removed > 0 {
		d.metrics.Removed.Add(float64(removed))
		d.log.Info("old results removed", "invocations", removed)
	}
}

// forgetTokens lets callers use their tokens again for something else.
func (d *Dispatcher) forgetTokens(ctx context.Context) {
	if _, err := d.svc.ForgetOnce(ctx); err != nil && ctx.Err() == nil {
		d.log.Error("forget old tokens", "error", err)
	}
}
