package dispatch

import (
	"context"
	"sync"
	"time"

	"errand/internal/core"
)

const (
	// repeatEvery is how often schedules are looked at when nothing is known to be due: another replica may have made one and died.
	repeatEvery = 10 * time.Second
	// fireBatch is how many schedules are claimed at a time, and fireLanes how many of them are fired at once: enough for their writes to
	// share transactions, and few enough to leave room for everybody else's.
	fireBatch = 64
	fireLanes = 16
)

// ring wakes repeat.
func (d *Dispatcher) ring() {
	select {
	case d.alarm <- struct{}{}:
	default:
	}
}

// repeat fires the schedules that the server keeps.
func (d *Dispatcher) repeat(ctx context.Context) error {
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.alarm:
		case <-next.C:
		}
		next.Reset(d.fireDue(ctx))
	}
}

// fireDue fires what is due and returns how long it is until there is more.
func (d *Dispatcher) fireDue(ctx context.Context) time.Duration {
	for {
		due, err := d.svc.ClaimSchedules(ctx, fireBatch)
		if err != nil {
			if ctx.Err() == nil {
				d.log.Error("claim schedules", "error", err)
			}
			return repeatEvery
		}
		d.fireAll(ctx, due)
		if len(due) < fireBatch {
			return d.untilNext(ctx)
		}
	}
}

// untilNext is how long nothing is due.
func (d *Dispatcher) untilNext(ctx context.Context) time.Duration {
	next, err := d.svc.NextSchedule(ctx)
	switch {
	case err != nil && ctx.Err() == nil:
		d.log.Error("look for the next schedule", "error", err)
		return repeatEvery
	case err != nil || next.IsZero():
		return repeatEvery
	default:
		return max(0, min(next.Sub(d.now()), repeatEvery))
	}
}

// fireAll fires schedules, some at a time, and waits for them.
func (d *Dispatcher) fireAll(ctx context.Context, due []core.Schedule) {
	lanes := make(chan struct{}, fireLanes)
	var all sync.WaitGroup
	for i := range due {
		lanes <- struct{}{}
		all.Go(func() {
			defer func() { <-lanes }()
			d.fire(ctx, &due[i])
		})
	}
	all.Wait()
}

// fire fires one schedule. If that fails, it is tried again when the claim ends.
func (d *Dispatcher) fire(ctx context.Context, s *core.Schedule) {
	f, err := d.svc.Fire(ctx, s)
	switch {
	case err != nil && ctx.Err() == nil:
		d.log.Error("fire schedule", "schedule", s.ID, "due", s.Next, "error", err)
	case err != nil || f.ID == 0:
	case f.Problem != "":
		d.log.Warn("schedule did not run", "account", f.Account, "schedule", f.Schedule, "due", f.Due, "problem", f.Problem)
	default:
		d.log.Debug("schedule ran", "account", f.Account, "schedule", f.Schedule, "due", f.Due, "invocation", f.Invocation)
	}
}
