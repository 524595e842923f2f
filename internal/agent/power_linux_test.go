package agent

import (
	"path/filepath"
	"slices"
	"testing"

	"errand/internal/protocol"
)

// machine notes what is done to it.
type machine chan string

func (m machine) power(restart bool) error {
	m <- map[bool]string{true: "restarted", false: "powered off"}[restart]
	return nil
}

// newMachine is a node whose machine can be ended.
func newMachine(t *testing.T) (*server, *node, machine) {
	t.Helper()
	s := newServer(t)
	n := newNode(t, s)
	m := make(machine, 10)
	n.config = func(c *Config) { c.tempo, c.Power = quick(), m.power }
	return s, n, m
}

// powerful is a task that may end the machine.
func powerful(n int, content string) protocol.Run {
	m := script(n, content)
	m.Spec.Power = true
	return m
}

// TestPowerActions waits for the server to have the result, and asks no further.
func TestPowerActions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		run  protocol.Run
		want []string
	}{
		"power off":           {powerful(1, "exit 193"), []string{"powered off"}},
		"restart":             {powerful(1, "exit 194"), []string{"restarted"}},
		"not asked for":       {script(1, "exit 193"), nil},
		"another code":        {powerful(1, "exit 195"), nil},
		"no exit code":        {powerful(1, "kill -KILL $$"), nil},
		"written by the tree": {powerful(1, "(exit 194); true"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, n, machine := newMachine(t)
			n.start()
			s.run(test.run)
			s.result(id(1))
			n.await("the task to be forgotten", func() bool { return n.agent.tasks[id(1)] == nil })
			var got []string
			n.stop()
			n.start() // nothing is left to do it again
			s.await("the second agent", func() bool { return len(s.hellos) == 2 })
			n.stop()
			close(machine)
			for what := range machine {
				got = append(got, what)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// TestPowerActionAfterRestartOfAgent is remembered by the next agent, until the server has the result.
func TestPowerActionAfterRestartOfAgent(t *testing.T) {
	t.Parallel()
	s, n, machine := newMachine(t)
	s.noAcks = true
	n.start()
	s.run(powerful(1, "exit 194"))
	s.await("the result", func() bool { return s.job(id(1)).finished != nil })
	n.stop()
	n.start()
	s.await("the second agent", func() bool { return len(s.hellos) == 2 })
	select {
	case what := <-machine:
		t.Fatalf("%s before the server had the result", what)
	default:
	}
	s.mu.Lock()
	s.noAcks, s.job(id(1)).final = false, false
	s.mu.Unlock()
	if what := <-machine; what != "restarted" {
		t.Error(what)
	}
}

// TestPowerActionAfterRestartOfMachine does not restart a machine that was restarted already.
func TestPowerActionAfterRestartOfMachine(t *testing.T) {
	t.Parallel()
	s, n, machine := newMachine(t)
	s.noAcks = true
	n.start()
	s.run(powerful(1, "exit 194"))
	s.await("the result", func() bool { return s.job(id(1)).finished != nil })
	n.stop()
	pretendOtherBoot(t, filepath.Join(n.agent.dirOf(id(1)), "spec.json"))
	s.mu.Lock()
	s.noAcks, s.job(id(1)).final = false, false
	s.mu.Unlock()
	n.start()
	s.result(id(1))
	n.await("the task to be forgotten", func() bool { return n.agent.tasks[id(1)] == nil })
	n.stop()
	select {
	case what := <-machine:
		t.Error(what)
	default:
	}
}
