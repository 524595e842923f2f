package core_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"errand/internal/api/scene"
	"errand/internal/core"
)

func TestUntil(t *testing.T) {
	t.Parallel()
	counts := func(succeeded, failed, running int32) *core.Invocation {
		var v core.Invocation
		v.Counts[core.Succeeded], v.Counts[core.Failed], v.Counts[core.Running] = succeeded, failed, running
		return &v
	}
	for _, tt := range []struct {
		text string
		v    *core.Invocation
		want bool
	}{
		{"all", counts(9, 0, 1), false},
		{"all", counts(9, 1, 0), true},
		{"any-failure", counts(9, 0, 1), false},
		{"any-failure", counts(0, 1, 9), true},
		{"any-failure", counts(10, 0, 0), true},
		{"percent:90", counts(8, 0, 2), false},
		{"percent:90", counts(8, 1, 1), true},
		{"percent:1", counts(0, 0, 10), false},
		{"percent:67", counts(2, 0, 1), false},
		{"percent:66", counts(2, 0, 1), true},
	} {
		u, err := core.ParseUntil(tt.text)
		if err != nil || u.Met(tt.v) != tt.want {
			t.Errorf("%s of %v: %v, want %v", tt.text, tt.v.Counts, err, tt.want)
		}
	}
	for _, text := range []string{"", "ALL", "percent:", "percent:0", "percent:101", "percent:+5", "percent:05", "percent:x", "failure"} {
		if _, err := core.ParseUntil(text); !core.ReasonFilter.Is(err) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestAwait waits for a run while its tasks end, and looks again for nobody's sake but the last moment's.
func TestAwait(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	nodes := []core.Node{s.Node("a"), s.Node("b")}
	s.Node("c")
	run := func() core.ID {
		v, err := s.Service.Run(t.Context(), s.Caller, core.RunSpec{
			Origin: core.OriginNative, Targets: []string{"a", "b", "c"}, KillTree: true,
			Definition: core.Definition{Type: core.Shell, Content: []byte("true"), Timeout: time.Minute},
		})
		if err != nil {
			t.Fatal(err)
		}
		return v.ID
	}
	type result struct {
		v   core.Invocation
		met bool
		err error
	}
	await := func(ctx context.Context, id core.ID, text string, wait time.Duration) <-chan result {
		until, err := core.ParseUntil(text)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan result, 1)
		go func() {
			var r result
			r.v, r.met, r.err = s.Service.Await(ctx, s.Caller, id, until, wait)
			done <- r
		}()
		return done
	}
	id := run()
	if r := <-await(t.Context(), id, "all", 0); r.err != nil || r.met || r.v.ID != id {
		t.Errorf("without patience: %+v", r)
	}
	all, half, bad := await(t.Context(), id, "all", time.Minute), await(t.Context(), id, "percent:50", time.Minute), await(t.Context(), id, "any-failure", time.Minute)
	s.Exit(id, nodes[0], 0, "", "")
	s.Exit(id, nodes[1], 1, "", "")
	if r := <-half; r.err != nil || !r.met || r.v.Counts.Open() != 1 {
		t.Errorf("half: %+v", r)
	}
	if r := <-bad; r.err != nil || !r.met || r.v.Counts.Bad() != 1 {
		t.Errorf("a failure: %+v", r)
	}
	select {
	case r := <-all:
		t.Errorf("too soon: %+v", r)
	default:
	}
	if err := s.Service.Stop(t.Context(), s.Caller, id, nil); err != nil { // the last one never began
		t.Fatal(err)
	}
	if r := <-all; r.err != nil || !r.met || r.v.Counts.Open() != 0 {
		t.Errorf("all: %+v", r)
	}

	ctx, cancel := context.WithCancel(t.Context())
	gone := await(ctx, run(), "all", time.Minute)
	cancel()
	if r := <-gone; !errors.Is(r.err, context.Canceled) {
		t.Errorf("gone: %+v", r)
	}
	if r := <-await(t.Context(), id+1<<20, "all", time.Minute); !core.ReasonInvocationNotFound.Is(r.err) {
		t.Errorf("unknown: %+v", r)
	}
}
