package login

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How often somebody may fail to sign in: a few times at once, then now and then. A network counts for itself, and so does each key, however many
// networks try it; this machine's own address is that of a proxy that speaks for everybody, so there only keys count.
const (
	networkTries = 10
	networkEvery = 6 * time.Second
	keyTries     = 20
	keyEvery     = 3 * time.Second
	// maxRemembered is how many networks and keys with failures are remembered.
	maxRemembered = 10_000
)

// throttle counts failed attempts in memory, for one process.
type throttle struct {
	mu   sync.Mutex
	seen map[string]*rate.Limiter
}

func newThrottle() *throttle { return &throttle{seen: map[string]*rate.Limiter{}} }

type limit struct {
	name  string
	tries int
	every time.Duration
}

func limits(from netip.Addr, key string) []limit {
	list := []limit{{"key " + key, keyTries, keyEvery}}
	if from.IsLoopback() {
		return list
	}
	bits := from.BitLen()
	if from.Is6() {
		bits = 64 // one machine has all of it
	}
	network, _ := from.Prefix(bits)
	return append(list, limit{"network " + network.String(), networkTries, networkEvery})
}

// admit reports whether an attempt is heard out.
func (t *throttle) admit(from netip.Addr, key string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range limits(from, key) {
		if seen := t.seen[l.name]; seen != nil && seen.TokensAt(now) < 1 {
			return false
		}
	}
	return true
}

// failed notes an attempt that failed.
func (t *throttle) failed(from netip.Addr, key string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range limits(from, key) {
		seen := t.seen[l.name]
		if seen == nil {
			t.forget(now)
			seen = rate.NewLimiter(rate.Every(l.every), l.tries)
			t.seen[l.name] = seen
		}
		seen.AllowN(now, 1)
	}
}

// forget makes room: by those that have been quiet, or else by any one.
func (t *throttle) forget(now time.Time) {
	if len(t.seen) < maxRemembered {
		return
	}
	for name, l := range t.seen {
		if l.TokensAt(now) >= float64(l.Burst()) {
			delete(t.seen, name)
		}
	}
	for name := range t.seen {
		if len(t.seen) < maxRemembered {
			return
		}
		delete(t.seen, name)
	}
}
