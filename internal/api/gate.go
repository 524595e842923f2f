package api

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"errand/internal/core"
)

// What protects the server itself, and holds without being set.
const (
	// maxConcurrent is how many calls of one account are worked on at the same time, unless core.QuotaConcurrent says otherwise.
	maxConcurrent = 512
	// A network may fail to prove itself maxFailures times at once, and then failuresPerSecond times. Beyond, it is not even listened to. This
	// machine always is: a proxy on it speaks for everybody.
	maxFailures       = 300
	failuresPerSecond = 5
	// maxNetworks is how many networks with failures are remembered.
	maxNetworks = 10_000
)

// ThrottledError refuses a call because there were too many; it wraps a core.Error.
type ThrottledError struct {
	After   time.Duration // when to try again
	refusal core.Error
}

func (e *ThrottledError) Error() string { return e.refusal.Error() }
func (e *ThrottledError) Unwrap() error { return &e.refusal }

func throttled(after time.Duration, format string, args ...any) error {
	return &ThrottledError{after, core.Error{
		Code: core.CodeThrottled, Reason: core.ReasonThrottled, Detail: fmt.Sprintf(format, args...),
	}}
}

// Gate keeps one caller from taking what all need: calls at the same time, calls per minute, and attempts to guess. It counts in memory,
// for one process. Its methods may be called from many goroutines.
type Gate struct {
	limit func(ctx context.Context, account core.AccountID, name string) (most int64, ok bool, err error)

	mu       sync.Mutex
	busy     map[core.AccountID]int64
	rates    map[bucket]*rate.Limiter
	failures map[netip.Prefix]*rate.Limiter
}

// bucket names the calls that share a rate.
type bucket struct {
	account core.AccountID
	name    string // of the quota
}

// NewGate makes a gate. limit finds an account's quotas, as core.Service.Limit does.
func NewGate(limit func(ctx context.Context, account core.AccountID, name string) (int64, bool, error)) *Gate {
	return &Gate{
		limit: limit, busy: map[core.AccountID]int64{}, rates: map[bucket]*rate.Limiter{}, failures: map[netip.Prefix]*rate.Limiter{},
	}
}

// stranger refuses a network that has failed to prove itself too often.
func (g *Gate) stranger(from netip.Addr, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	l, known := g.failures[network(from)]
	if !known || l.TokensAt(now) >= 1 {
		return nil
	}
	return throttled(time.Second, "too many failed calls from %s", from)
}

// failed notes that somebody failed to prove who they are.
func (g *Gate) failed(from netip.Addr, now time.Time) {
	if from.IsLoopback() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	key := network(from)
	l, known := g.failures[key]
	if !known {
		if len(g.failures) >= maxNetworks {
			g.forget(now)
		}
		l = rate.NewLimiter(failuresPerSecond, maxFailures)
		g.failures[key] = l
	}
	l.AllowN(now, 1)
}

// forget makes room: by the networks that have been quiet, or else by any one.
func (g *Gate) forget(now time.Time) {
	for key, l := range g.failures {
		if l.TokensAt(now) >= maxFailures {
			delete(g.failures, key)
		}
	}
	for key := range g.failures {
		if len(g.failures) < maxNetworks {
			return
		}
		delete(g.failures, key)
	}
}

// enter admits a call, or refuses it because the account makes too many. leave has to be called when the call has ended.
func (g *Gate) enter(ctx context.Context, c *core.Caller, now time.Time) (leave func(), err error) {
	most, ok, err := g.limit(ctx, c.Account, core.QuotaConcurrent)
	if err != nil {
		return nil, err
	}
	if !ok {
		most = maxConcurrent
	}
	for _, name := range []string{core.QuotaRate + "/" + c.Dialect + ":" + c.Action, core.QuotaRate} {
		if err := g.pace(ctx, bucket{c.Account, name}, now); err != nil {
			return nil, err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.busy[c.Account] >= most {
		return nil, throttled(time.Second, "more than %d calls at the same time", most)
	}
	g.busy[c.Account]++
	return func() { g.leave(c.Account) }, nil
}

func (g *Gate) leave(account core.AccountID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.busy[account]--; g.busy[account] == 0 {
		delete(g.busy, account)
	}
}

// pace takes one call out of a bucket that fills evenly and holds a minute's worth. Without a quota there is no bucket.
func (g *Gate) pace(ctx context.Context, b bucket, now time.Time) error {
	most, ok, err := g.limit(ctx, b.account, b.name)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.rates[b]
	switch {
	case !ok:
		if l != nil {
			delete(g.rates, b)
		}
		return nil
	case l == nil || l.Burst() != int(most):
		l = rate.NewLimiter(rate.Limit(most)/60, int(most))
		g.rates[b] = l
	}
	if l.AllowN(now, 1) {
		return nil
	}
	after := time.Minute
	if most > 0 {
		after = time.Minute / time.Duration(most)
	}
	return throttled(after, "more than %d calls per minute", most)
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
