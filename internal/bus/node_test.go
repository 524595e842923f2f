package bus

import (
	"testing"
	"time"
)

// TestReconnectDelay spreads attempts over a time that grows with their number, and not for ever.
func TestReconnectDelay(t *testing.T) {
	t.Parallel()
	for attempts, most := range map[int]time.Duration{0: 600 * time.Millisecond, 3: 3400 * time.Millisecond, 7: 30200 * time.Millisecond, 1 << 40: 30200 * time.Millisecond} {
		shortest, longest := time.Hour, time.Duration(0)
		for range 2000 {
			d := reconnectDelay(attempts)
			shortest, longest = min(shortest, d), max(longest, d)
		}
		if shortest < 200*time.Millisecond || longest >= most {
			t.Errorf("after %d attempts: %s to %s, want 200ms to %s", attempts, shortest, longest, most)
		}
		if spread := most - 200*time.Millisecond; longest-shortest < spread*9/10 {
			t.Errorf("after %d attempts: only %s to %s, want a spread of %s", attempts, shortest, longest, spread)
		}
	}
}
