package apitest_test

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"errand/internal/api"
	"errand/internal/api/apitest"
	"errand/internal/api/ecs"
	"errand/internal/api/eflo"
	"errand/internal/api/scene"
	"errand/internal/api/tat"
	"errand/internal/api/zos"
	"errand/internal/core"
)

// serve serves all dialects on a scene whose clock begins now, because SDKs sign with their own.
func serve(t *testing.T) (*scene.Scene, apitest.Target) {
	t.Helper()
	s := scene.New(t)
	s.At(time.Now().UTC())
	env := s.Env()
	server := httptest.NewServer(&api.Server{
		Dialects: []api.Dialect{zos.New(env), tat.New(env), eflo.New(env), ecs.New(env)}, Now: s.Now, Log: slog.New(slog.DiscardHandler),
	})
	t.Cleanup(server.Close)
	return s, apitest.Target{HostPort: strings.TrimPrefix(server.URL, "http://"), KeyID: scene.Key, Secret: scene.Secret}
}

// puppet is a machine that does what a test wants.
type puppet struct {
	*scene.Scene
	node core.Node
}

func (p *puppet) Ready(_ *testing.T, fate string) {
	p.Online(p.node)
	if fate == apitest.StoppedBefore {
		p.Service.Gone(p.node.Key) // heard of just now, but not to be reached
	}
}

func (p *puppet) Lead(t *testing.T, fate, invocation string) {
	t.Helper()
	id, ok := api.InvocationID(invocation)
	if !ok {
		t.Fatalf("id %q", invocation)
	}
	started := func() { p.Report(id, p.node, core.Report{Kind: core.ReportStarted, At: p.Now()}) }
	ended := func(state core.State, cause core.Cause, signal uint8) {
		r := core.Report{Kind: core.ReportEnded, State: state, Cause: cause, Signal: signal, Ended: p.Now()}
		if state != core.StartFailed {
			r.Started = p.Now()
		}
		p.Report(id, p.node, r)
	}
	stop := func() {
		if err := p.Service.Stop(t.Context(), p.Caller, id, nil); err != nil {
			t.Fatal(err)
		}
	}
	switch fate {
	case apitest.Succeeds:
		p.Exit(id, p.node, 0, "out", "")
	case apitest.Exits:
		p.Exit(id, p.node, 3, "out", "err")
	case apitest.RunsOutOfTime:
		ended(core.TimedOut, core.CauseExecTimeout, 9)
	case apitest.CannotStart:
		ended(core.StartFailed, core.CauseUserNotFound, 0)
	case apitest.StoppedBefore:
		stop()
	case apitest.StoppedWhile:
		started()
		stop()
		ended(core.Terminated, core.CauseInterrupted, 15)
	case apitest.Undeliverable:
		p.expire(t, id, 61*time.Second)
	case apitest.GetsLost:
		started()
		p.expire(t, id, 121*time.Second)
	case apitest.LosesNode:
		started()
		if _, err := p.Service.RemoveNode(t.Context(), p.Caller, p.node.ID); err != nil {
			t.Fatal(err)
		}
	default:
		t.Fatalf("no such fate: %q", fate)
	}
}

// expire lets time pass and has the server give the task up.
func (p *puppet) expire(t *testing.T, id core.ID, after time.Duration) {
	t.Helper()
	p.Advance(after)
	v, err := p.Service.Invocation(t.Context(), p.Caller, id)
	if err != nil {
		t.Fatal(err)
	}
	if changed, err := p.Service.Expire(t.Context(), &v, []core.TaskID{p.Task(id, p.node)}); err != nil || len(changed) != 1 {
		t.Fatalf("expired %v, %v", changed, err)
	}
}

// TestMatrix makes invocations through each dialect and reads them through each, fate by fate.
func TestMatrix(t *testing.T) {
	t.Parallel()
	for _, through := range []string{"ecs", "eflo", "tat", "zos"} {
		t.Run(through, func(t *testing.T) {
			t.Parallel()
			s, target := serve(t)
			p := &puppet{s, s.Node("web-1")}
			target.Nodes = []string{p.node.ID}
			apitest.Matrix(t, target, through, p)
		})
	}
}
