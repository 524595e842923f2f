package agent

import (
	"context"
	"testing"
	"time"
)

// The watch over the clock lasts as long as it is asked for. That somebody sets the clock cannot be tried here.
func TestWatchClock(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		watchClock(ctx, func() {})
	}()
	select {
	case <-over:
		t.Error("it ended by itself")
	case <-time.After(50 * time.Millisecond):
	}
	cancel()
	<-over
}
