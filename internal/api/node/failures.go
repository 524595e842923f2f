package node

import (
	"net/netip"
	"sync"
	"time"
)

const (
	maxFailures   = 10 // of one address
	failureWindow = time.Minute
	maxAddresses  = 4096 // remembered at a time
)

// failures counts failed attempts by address within a minute of the first of them. It remembers a bounded number of addresses: a code's
// secret cannot be guessed anyway, this only keeps knocking cheap. The zero value is ready.
type failures struct {
	mu   sync.Mutex
	seen map[netip.Prefix]tally
}

type tally struct {
	count int
	until time.Time
}

// wait is how long an address has to stay away; zero if it may try.
func (f *failures) wait(a netip.Addr, now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.seen[network(a)]
	if t.count < maxFailures {
		return 0
	}
	return max(t.until.Sub(now), 0)
}

// note remembers a failed attempt.
func (f *failures) note(a netip.Addr, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen == nil {
		f.seen = map[netip.Prefix]tally{}
	}
	key := network(a)
	t, known := f.seen[key]
	if !known && len(f.seen) >= maxAddresses {
		f.forget(now)
	}
	if !t.until.After(now) {
		t = tally{until: now.Add(failureWindow)}
	}
	t.count++
	f.seen[key] = t
}

// forget makes room: by what is over, or else by any one.
func (f *failures) forget(now time.Time) {
	for key, t := range f.seen {
		if !t.until.After(now) {
			delete(f.seen, key)
		}
	}
	for key := range f.seen {
		if len(f.seen) < maxAddresses {
			return
		}
		delete(f.seen, key)
	}
}

// network is what one machine can take addresses from: its own address, or a /64 of IPv6.
func network(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
