package agent

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"errand/internal/agent/journal"
)

// hanging is a journal on a disk that does not answer while the gate is shut.
type hanging struct {
	memory
	gate chan struct{}
}

func (h hanging) Append(records ...journal.Record) error {
	<-h.gate
	return h.memory.Append(records...)
}

// A loop that hangs ends the signs of life, however well the others are; when it goes on, so do they.
func TestStuckLoopEndsSignsOfLife(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	gate := make(chan struct{})
	var alive, ready atomic.Int32
	n.config = func(c *Config) {
		c.tempo = quick()
		c.Deadline = 2 * time.Second
		c.Alive, c.Ready = func() { alive.Add(1) }, func() { ready.Add(1) }
		c.store = func(dir string) (memory, error) {
			j, err := journal.Open(dir, time.Now, discard())
			return hanging{j, gate}, err
		}
	}
	n.start()
	until := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s does not happen", what)
			}
		}
	}
	until("sign of life", func() bool { return alive.Load() > 2 && ready.Load() == 1 })
	s.run(script(1, "exit 0"))
	until("getting stuck", func() bool { return slices.Equal(n.agent.stuck(), []string{"intake"}) })
	before := alive.Load()
	time.Sleep(3 * time.Second / calls * 2)
	if after := alive.Load(); after != before {
		t.Errorf("%d signs of life of an agent that is stuck", after-before)
	}
	if got := n.agent.Status().Stuck; !slices.Equal(got, []string{"intake"}) || !strings.Contains(string(n.agent.metrics()), `errand_agent_loop_stuck{loop="intake"} 1`) {
		t.Errorf("status: stuck %v", got)
	}
	close(gate)
	until("going on", func() bool { return alive.Load() > before && len(n.agent.stuck()) == 0 })
	if f := s.result(id(1)).finished; f.ExitCode != 0 {
		t.Errorf("finished %+v", f)
	}
	if m := string(n.agent.metrics()); !strings.Contains(m, "errand_agent_ended_total{outcome=\"1\"} 1") {
		t.Errorf("metrics:\n%s", m)
	}
}
