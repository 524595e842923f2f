package agent

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"errand/internal/agent/executor"
	"errand/internal/protocol"
)

type lockedWriter struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *lockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(b)
}

// A panic about what a task was given tells where it happened, not what about.
func TestPanicsTellNoSecrets(t *testing.T) {
	t.Parallel()
	const secret = "planted-in-a-script"
	s := newServer(t)
	n := newNode(t, s)
	var log lockedWriter
	n.config = func(c *Config) {
		c.tempo = quick()
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.start = func(_ context.Context, spec executor.Spec, _, _ string) (*executor.Task, error) {
			panic(fmt.Errorf("cannot understand %s", spec.Script))
		}
	}
	n.start()
	s.run(script(1, "echo "+secret))
	if f := s.result(id(1)).finished; f.Outcome != protocol.OutcomeAgentFault {
		t.Errorf("finished %+v", f)
	}
	n.stop()
	if l := log.b.String(); !strings.Contains(l, "msg=panic") || !strings.Contains(l, "a *errors.errorString") && !strings.Contains(l, "a *fmt.fmtError") || strings.Contains(l, secret) {
		t.Errorf("log:\n%s", l)
	}
}
