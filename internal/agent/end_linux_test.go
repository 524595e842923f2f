package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"errand/internal/protocol"
)

// Before an agent is removed, the commands that outlived it are ended, and the next agent tells how.
func TestEndCommands(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	pids := filepath.Join(t.TempDir(), "pids")
	n.start()
	s.run(script(1, "echo begin; setsid sleep 300 & echo $! $$ >"+pids+"; sleep 300"))
	s.run(script(2, "echo done"))
	s.result(id(2))
	s.await("start and output", func() bool { return s.job(id(1)).started > 0 && lines(t, pids) == 1 })
	if _, err := EndCommands(t.Context(), n.dir); !errors.Is(err, ErrInUse) {
		t.Errorf("beside a running agent: %v", err)
	}
	n.stop()
	ended, err := EndCommands(t.Context(), n.dir)
	if err != nil || ended != 1 {
		t.Errorf("%d commands ended, %v", ended, err)
	}
	text, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d: %v", pid, err)
		}
	}
	if ended, err := EndCommands(t.Context(), n.dir); ended != 0 || err != nil {
		t.Errorf("again: %d, %v", ended, err)
	}
	n.start()
	if got := s.result(id(1)); got.finished.Outcome != protocol.OutcomeStopped || string(got.out) != "begin\n" {
		t.Errorf("%q, %+v", got.out, got.finished)
	}
}

func TestEndCommandsOfNobody(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "none")} {
		if ended, err := EndCommands(context.Background(), dir); ended != 0 || err != nil {
			t.Errorf("%s: %d, %v", dir, ended, err)
		}
	}
}
