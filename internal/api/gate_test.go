package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"errand/internal/core"
)

// quotas are an account's, by name.
type quotas map[string]int64

func (q quotas) limit(_ context.Context, _ core.AccountID, name string) (int64, bool, error) {
	most, ok := q[name]
	return most, ok, nil
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestGatePace(t *testing.T) {
	t.Parallel()
	q := quotas{core.QuotaRate: 6, core.QuotaRate + "/ecs:RunCommand": 2}
	g := NewGate(q.limit)
	now := noon
	enter := func(account core.AccountID, action string, want time.Duration) {
		t.Helper()
		leave, err := g.enter(t.Context(), &core.Caller{Account: account, Dialect: "ecs", Action: action}, now)
		var slow *ThrottledError
		if errors.As(err, &slow) != (want > 0) || slow != nil && (slow.After != want || !core.ReasonThrottled.Is(err)) {
			t.Errorf("%s at %v: %v, want %v", action, now.Sub(noon), err, want)
		}
		if err == nil {
			leave()
		}
	}
	enter(1, "RunCommand", 0)
	enter(1, "RunCommand", 0)
	enter(1, "RunCommand", 30*time.Second)
	enter(2, "RunCommand", 0) // another account
	for range 4 {
		enter(1, "StopInvocation", 0)
	}
	enter(1, "StopInvocation", 10*time.Second) // the account's six are used up
	now = now.Add(30 * time.Second)
	enter(1, "RunCommand", 0)
	enter(1, "RunCommand", 30*time.Second)
	q[core.QuotaRate+"/ecs:RunCommand"] = 60 // takes effect at once
	enter(1, "RunCommand", 0)
	delete(q, core.QuotaRate+"/ecs:RunCommand")
	delete(q, core.QuotaRate)
	for range 100 {
		enter(1, "RunCommand", 0)
	}
	q[core.QuotaRate] = 0
	enter(1, "RunCommand", time.Minute)
}

func TestGateConcurrency(t *testing.T) {
	t.Parallel()
	g := NewGate(quotas{}.limit)
	c := core.Caller{Account: 1}
	var leaves []func()
	for range maxConcurrent {
		leave, err := g.enter(t.Context(), &c, noon)
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leave)
	}
	if _, err := g.enter(t.Context(), &c, noon); !core.ReasonThrottled.Is(err) {
		t.Errorf("one call too many: %v", err)
	}
	if _, err := g.enter(t.Context(), &core.Caller{Account: 2}, noon); err != nil {
		t.Errorf("another account: %v", err)
	}
	leaves[0]()
	if _, err := g.enter(t.Context(), &c, noon); err != nil {
		t.Errorf("after one has left: %v", err)
	}
	for _, leave := range leaves[1:] {
		leave()
	}
	if g.busy[1] != 1 {
		t.Errorf("%d calls are left", g.busy[1])
	}
}

func TestGateFailures(t *testing.T) {
	t.Parallel()
	g := NewGate(quotas{}.limit)
	bad, good := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8:0:1::1")
	for range maxFailures {
		if err := g.stranger(bad, noon); err != nil {
			t.Fatal(err)
		}
		g.failed(bad, noon)
	}
	if err := g.stranger(netip.MustParseAddr("2001:db8::2"), noon); !core.ReasonThrottled.Is(err) {
		t.Errorf("a neighbour in the network: %v", err)
	}
	if err := g.stranger(good, noon); err != nil {
		t.Errorf("another network: %v", err)
	}
	if err := g.stranger(bad, noon.Add(time.Second)); err != nil {
		t.Errorf("a second later: %v", err)
	}
	here := netip.MustParseAddr("127.0.0.1")
	for range 2 * maxFailures {
		g.failed(here, noon)
	}
	if err := g.stranger(here, noon); err != nil {
		t.Errorf("this machine: %v", err)
	}
	for i := range maxNetworks + 10 {
		g.failed(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), noon)
	}
	if len(g.failures) > maxNetworks {
		t.Errorf("%d networks are remembered", len(g.failures))
	}
	g.failed(good, noon.Add(time.Hour)) // those that have been quiet are forgotten
	if len(g.failures) != 1 {
		t.Errorf("%d networks are remembered", len(g.failures))
	}
}

// deaf is a dialect to which nobody can prove who they are.
type deaf struct{ asked int }

func (*deaf) Name() string                    { return "deaf" }
func (*deaf) Recognise(*Request) bool         { return true }
func (*deaf) Region(*Request) string          { return "" }
func (*deaf) Action(*Request) (Action, error) { return Action{}, nil }

func (d *deaf) Identify(context.Context, *Request) (core.Caller, error) {
	d.asked++
	return core.Caller{}, &core.Error{Code: core.CodeUnauthenticated, Reason: core.ReasonKeyUnknown}
}

func (*deaf) Write(w http.ResponseWriter, _ *Request, _ any, err error) string {
	w.WriteHeader(http.StatusTeapot)
	return core.AsError(err).Detail
}

// TestStrangersAreNotHeardOut stops asking the dialect when an address has failed to prove itself too often.
func TestStrangersAreNotHeardOut(t *testing.T) {
	t.Parallel()
	d := &deaf{}
	s := Server{
		Dialects: []Dialect{d}, Now: func() time.Time { return noon }, Log: slog.New(slog.DiscardHandler), Gate: NewGate(quotas{}.limit),
	}
	var last *httptest.ResponseRecorder
	for range maxFailures + 10 {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
		r.RemoteAddr = "192.0.2.7:1234"
		last = httptest.NewRecorder()
		s.ServeHTTP(last, r)
	}
	if d.asked != maxFailures || last.Header().Get("Retry-After") != "1" {
		t.Errorf("asked %d times; the last answer has %v", d.asked, last.Header())
	}
}
