package bus

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"errand/internal/agent/reach/reachtest"
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

// TestBrokenConnectionIsNoticed asks a node that waits for its server how long it would take a silent connection for a good one.
func TestBrokenConnectionIsNoticed(t *testing.T) {
	t.Parallel()
	n, err := Dial(NodeConfig{
		URLs: []string{"tls://127.0.0.1:1"}, CA: reachtest.NewAuthority(t).PEM, Key: 1, PublicKey: "U",
		Sign: func(nonce []byte) ([]byte, error) { return nonce, nil },
		Log:  slog.New(slog.DiscardHandler), Message: func([]byte) {}, Connected: func() {},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	// It is given up when one more question is due than may be open.
	if longest := n.nc.Opts.PingInterval * time.Duration(n.nc.Opts.MaxPingsOut+1); longest <= 0 || longest > time.Minute {
		t.Errorf("a silent connection counts as good for %s", longest)
	}
	if err := n.Publish([]byte("x")); !errors.Is(err, ErrOffline) {
		t.Errorf("said without a connection: %v", err)
	}
}
