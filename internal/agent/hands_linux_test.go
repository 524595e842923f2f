package agent

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"errand/internal/protocol"
)

// TestPoisonousTask kills the agent twice and is not touched a third time. Other tasks go on.
func TestPoisonousTask(t *testing.T) {
	t.Parallel()
	for _, at := range []step{receiving, takingUp, reporting} {
		for _, how := range []string{"kill", "panic"} {
			t.Run(fmt.Sprintf("%s, %s", at, how), func(t *testing.T) {
				t.Parallel()
				s := newServer(t)
				dir := t.TempDir()
				enrol(t, dir)
				poison := fmt.Sprintf("%s=%s:%s:%s", agentPoison, at, nameOf(id(1)), how)
				gate := filepath.Join(t.TempDir(), "gate")
				m := script(1, waitFor(gate)+"; echo x")
				if at != receiving {
					first := startProcess(t, s, dir)
					s.run(m)
					s.await("start", func() bool { return s.job(id(1)).started > 0 })
					emptyHanded(t, dir)
					first.kill() // an ordinary death, which is held against nobody
				} else {
					s.run(m)
				}
				if at == reporting {
					touch(t, gate)
				}
				startProcess(t, s, dir, poison).gone()
				startProcess(t, s, dir, poison).gone()
				startProcess(t, s, dir, poison)
				s.run(script(2, "echo others go on"))
				if got := s.result(id(2)); string(got.out) != "others go on\n" {
					t.Errorf("%q, %+v", got.out, got.finished)
				}
				got := s.result(id(1)).finished
				if got.Outcome != protocol.OutcomeAgentFault || !strings.Contains(got.Detail, "quarantine") || !strings.Contains(got.Detail, string(at)) && how == "kill" {
					t.Errorf("%+v", got)
				}
				touch(t, gate)
				if at == receiving {
					return
				}
				if _, err := os.Stat(filepath.Join(dir, asideDir, nameOf(id(1)))); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// emptyHanded waits until the agent in a folder holds no task.
func emptyHanded(t *testing.T, dir string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		held, err := os.ReadFile(filepath.Join(dir, handsFile))
		if err == nil && len(bytes.Trim(held, "\x00")) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the agent holds %q, %v", held, err)
		}
	}
}

// waitFor is a piece of script that waits for a file, or until the test that would make it is over.
func waitFor(file string) string {
	return fmt.Sprintf("until test -e %s || ! test -d %s; do sleep 0.01; done", file, filepath.Dir(file))
}

func touch(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestPoisonousPlan kills the agent with each of its runs, which are tasks of their own.
func TestPoisonousPlan(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	dir := t.TempDir()
	enrol(t, dir)
	poison := fmt.Sprintf("%s=%s:%s:panic", agentPoison, beginning, nameOf(id(1)))
	m := script(1, "true")
	m.Spec.Plan = &protocol.Plan{Expr: "rate(1s)", Created: time.Now().UnixMicro()}
	s.run(m)
	startProcess(t, s, dir, poison).gone()
	startProcess(t, s, dir, poison).gone()
	startProcess(t, s, dir, poison)
	if got := s.result(id(1)).finished; got.Outcome != protocol.OutcomeAgentFault || !strings.Contains(got.Detail, "quarantine") {
		t.Errorf("%+v", got)
	}
}

// TestOrdinaryKills does not hold it against a command that its agent is killed again and again while it runs.
func TestOrdinaryKills(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	dir := t.TempDir()
	enrol(t, dir)
	gate := filepath.Join(t.TempDir(), "gate")
	s.run(script(1, waitFor(gate)+"; echo done; exit 3"))
	for round := range 4 {
		// An agent that looked for output every few milliseconds would be killed with the task in its hands now and then, which is held
		// against the task when it happens twice in a row.
		p := startProcess(t, s, dir, agentCalm+"=1")
		s.await("the agent", func() bool { return len(s.hellos) == round+1 && s.job(id(1)).started > 0 })
		emptyHanded(t, dir)
		p.kill()
	}
	touch(t, gate)
	startProcess(t, s, dir)
	if got := s.result(id(1)); string(got.out) != "done\n" || got.finished.ExitCode != 3 {
		t.Errorf("%q, %+v", got.out, got.finished)
	}
}

// TestHands goes through what one agent leaves to the next.
func TestHands(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	run := protocol.Task{Invocation: 7, Due: 99}
	next := func(dir string) (*hands, map[protocol.Task]step) {
		return openHands(dir, false, log)
	}
	t.Run("let go", func(t *testing.T) {
		dir := t.TempDir()
		for range 3 {
			h, guilty := next(dir)
			h.take(reporting, id(1))()
			h.close()
			if len(guilty) > 0 {
				t.Errorf("%v", guilty)
			}
		}
	})
	t.Run("another step", func(t *testing.T) {
		dir := t.TempDir()
		for _, s := range []step{receiving, beginning, takingUp} {
			h, guilty := next(dir)
			h.take(s, id(1))
			h.close()
			if len(guilty) > 0 {
				t.Errorf("%s: %v", s, guilty)
			}
		}
	})
	t.Run("another step, crashing", func(t *testing.T) {
		dir := t.TempDir()
		for _, s := range []step{beginning, takingUp} {
			h, _ := openHands(dir, true, log)
			h.take(s, run)
			h.close()
		}
		h, guilty := openHands(dir, true, log)
		defer h.close()
		if len(guilty) != 2 || guilty[run] != anything || guilty[run.Planned()] != anything {
			t.Errorf("%v", guilty)
		}
	})
	t.Run("a death in between", func(t *testing.T) {
		dir := t.TempDir()
		for _, task := range []protocol.Task{id(1), id(2), id(1)} {
			h, guilty := next(dir)
			h.take(reporting, task)
			h.close()
			if len(guilty) > 0 {
				t.Errorf("%v", guilty)
			}
		}
	})
	t.Run("rubbish", func(t *testing.T) {
		dir := t.TempDir()
		for _, name := range []string{handsFile, suspectsFile} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat("\xff\x00:1-0\n", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		h, guilty := next(dir)
		defer h.close()
		if len(guilty) > 0 {
			t.Errorf("%v", guilty)
		}
	})
	t.Run("more than there is room for", func(t *testing.T) {
		h, _ := next(t.TempDir())
		defer h.close()
		for i := range maxSlots + 5 {
			h.take(reporting, id(i))
		}
	})
	t.Run("nowhere to write", func(t *testing.T) {
		h, guilty := next("/no/such/folder")
		h.take(reporting, id(1))()
		h.close()
		if len(guilty) > 0 {
			t.Errorf("%v", guilty)
		}
		if _, err := os.Stat("/no/such/folder"); !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	})
}
