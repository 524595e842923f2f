package core_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"errand/internal/api/scene"
	"errand/internal/core"
)

// orderOnce counts how often it is carried out.
type orderOnce struct {
	s    *scene.Scene
	t    *testing.T
	runs int
}

func (o *orderOnce) once(action, token, hash string) (string, error) {
	answer, err := o.s.Service.Once(o.t.Context(), o.s.Caller, action, token, hash, func(context.Context) ([]byte, error) {
		o.runs++
		return []byte(action + token + hash), nil
	})
	return string(answer), err
}

func TestOnce(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	o := &orderOnce{s: s, t: t}
	for i, step := range []struct {
		action, token, hash string
		wait                time.Duration
		runs                int
		reason              core.Reason // if it is refused
	}{
		{action: "a", token: "t", hash: "h", runs: 1},
		{action: "a", token: "t", hash: "h", runs: 1},
		{action: "a", token: "t", hash: "x", runs: 1, reason: core.ReasonTokenMismatch},
		{action: "a", token: "T", hash: "h", runs: 2},
		{action: "b", token: "t", hash: "h", runs: 3},
		{action: "a", runs: 4},
		{action: "a", runs: 5},
		{action: "a", token: "t", hash: "h", wait: core.OnceFor - time.Microsecond, runs: 5},
		{action: "a", token: "t", hash: "h", wait: time.Microsecond, runs: 6},
		{action: "a", token: "T", hash: "x", runs: 7},
	} {
		s.Advance(step.wait)
		got, err := o.once(step.action, step.token, step.hash)
		switch {
		case o.runs != step.runs:
			t.Errorf("step %d: carried out %d times, want %d", i, o.runs, step.runs)
		case step.reason != core.ReasonInternal && !step.reason.Is(err):
			t.Errorf("step %d: %v", i, err)
		case step.reason == core.ReasonInternal && (err != nil || got != step.action+step.token+step.hash):
			t.Errorf("step %d: %q, %v", i, got, err)
		}
	}
	// All but the two that were begun anew are older than a day now.
	s.Advance(time.Microsecond)
	for _, want := range []int{1, 0} {
		if n, err := s.Service.ForgetOnce(t.Context()); err != nil || n != want {
			t.Errorf("%d forgotten, want %d, %v", n, want, err)
		}
	}
}

// TestOnceOfAnotherAccount keeps the accounts' tokens apart.
func TestOnceOfAnotherAccount(t *testing.T) {
	t.Parallel()
	o := &orderOnce{s: scene.New(t), t: t}
	if _, err := o.once("a", "t", "h"); err != nil {
		t.Fatal(err)
	}
	o.s.Caller.Account++
	if _, err := o.once("a", "t", "other"); err != nil || o.runs != 2 {
		t.Errorf("carried out %d times, %v", o.runs, err)
	}
}

// TestOnceRefused does not remember a refusal.
func TestOnceRefused(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	refusal := errors.New("no")
	for range 2 {
		_, err := s.Service.Once(t.Context(), s.Caller, "a", "t", "h", func(context.Context) ([]byte, error) { return nil, refusal })
		if !errors.Is(err, refusal) {
			t.Errorf("%v", err)
		}
	}
	o := &orderOnce{s: s, t: t}
	if _, err := o.once("a", "t", "another"); err != nil || o.runs != 1 {
		t.Errorf("carried out %d times, %v", o.runs, err)
	}
}

// TestOnceUnderWay repeats an order while it is carried out: at once, and when the first one must be dead.
func TestOnceUnderWay(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	o := &orderOnce{s: s, t: t}
	answer, err := s.Service.Once(t.Context(), s.Caller, "a", "t", "h", func(context.Context) ([]byte, error) {
		if _, err := o.once("a", "t", "h"); !core.ReasonTokenPending.Is(err) {
			t.Errorf("too early: %v", err)
		}
		if _, err := o.once("a", "t", "x"); !core.ReasonTokenMismatch.Is(err) {
			t.Errorf("too early and another: %v", err)
		}
		s.Advance(time.Minute - time.Microsecond)
		if _, err := o.once("a", "t", "h"); !core.ReasonTokenPending.Is(err) {
			t.Errorf("just too early: %v", err)
		}
		s.Advance(time.Microsecond)
		if _, err := o.once("a", "t", "h"); err != nil || o.runs != 1 {
			t.Errorf("after a minute: carried out %d times, %v", o.runs, err)
		}
		return []byte("late"), nil
	})
	if err != nil || string(answer) != "late" {
		t.Errorf("the late one: %q, %v", answer, err)
	}
	if got, err := o.once("a", "t", "h"); err != nil || got != "ath" || o.runs != 1 {
		t.Errorf("remembered: %q after %d times, %v", got, o.runs, err)
	}
}

// TestOnceOfOneWhoLeft goes on without the caller.
func TestOnceOfOneWhoLeft(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	ctx, leave := context.WithCancel(t.Context())
	if _, err := s.Service.Once(ctx, s.Caller, "a", "t", "h", func(ctx context.Context) ([]byte, error) {
		leave()
		return []byte("done"), ctx.Err()
	}); err != nil {
		t.Fatal(err)
	}
	o := &orderOnce{s: s, t: t}
	if got, err := o.once("a", "t", "h"); err != nil || got != "done" || o.runs != 0 {
		t.Errorf("%q, %v", got, err)
	}
}
