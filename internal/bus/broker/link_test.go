package broker_test

import (
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"errand/internal/bus"
	"errand/internal/bus/broker"
)

// process is one run of an agent, on its machine or on a copy of it.
type process struct {
	*bus.Node
	connected chan struct{}
	refused   chan struct{}
	probed    atomic.Int32
}

// begin starts a process that answers probes unless it is mute.
func (r *rig) begin(t *testing.T, m *machine, start, fingerprint string, mute bool) *process {
	t.Helper()
	p := &process{connected: make(chan struct{}, 100), refused: make(chan struct{}, 100)}
	self := make(chan *bus.Node, 1)
	n, err := bus.Dial(bus.NodeConfig{
		URLs: []string{"tls://" + r.Addr().String()}, CA: r.ca.PEM, Key: m.key, PublicKey: m.public, Sign: m.pair.Sign,
		Introduce: bus.Introduction{Start: start, Machine: fingerprint}, Log: slog.New(slog.DiscardHandler),
		Message: func([]byte) {
			p.probed.Add(1)
			if n := <-self; !mute {
				_ = n.Publish([]byte(start + " lives"))
				self <- n
			}
		},
		Connected: func() { p.connected <- struct{}{} },
		Refused:   func() { p.refused <- struct{}{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	p.Node = n
	self <- n
	return p
}

func await[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(wait):
		t.Fatalf("%s: nothing happened", what)
	}
	return v
}

// suspects is a broker that asks nodes for signs of life, and notes whom it refused as copies.
func suspects(t *testing.T, silence time.Duration, m *machine) (*rig, chan broker.Clone) {
	t.Helper()
	clones := make(chan broker.Clone, 100)
	var r *rig
	r = startWith(t, func(c *broker.Config) {
		c.Silence = silence
		c.Probe = func(key int64) error { return r.hub.Send(key, []byte("are you there")) }
		c.Cloned = func(c broker.Clone) { clones <- c }
	}, m)
	return r, clones
}

// TestCloneIsRefused runs a machine and its copies at once. The machine keeps its connection, the copies get none, however often they try,
// and whatever they claim to be.
func TestCloneIsRefused(t *testing.T) {
	t.Parallel()
	for name, fingerprint := range map[string]string{"other machine": "b.b", "copied machine id": "a.", "same machine": "a.a", "unknown": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, 1)
			r, clones := suspects(t, time.Minute, m)
			original := r.begin(t, m, "one", "a.a", false)
			await(t, original.connected, "the machine connects")
			clone := r.begin(t, m, "two", fingerprint, false)
			for range 2 {
				c := await(t, clones, "a copy is noticed")
				if c.Key != 1 || c.Newcomer.Start != "two" || c.Newcomer.Machine != fingerprint || c.Incumbent.Start != "one" ||
					!strings.HasPrefix(c.Source, "127.0.0.1:") || c.PublicKey != m.public {
					t.Errorf("%+v", c)
				}
			}
			await(t, clone.refused, "the copy is told")
			if len(clone.connected) > 0 || len(original.connected) > 0 || len(r.gone) > 0 {
				t.Errorf("connections changed hands: copy %d, machine again %d, gone %d", len(clone.connected), len(original.connected), len(r.gone))
			}
			if err := original.Publish([]byte("still here")); err != nil {
				t.Error(err)
			}
			for got := ""; got != "errand.out.1 still here"; {
				got = await(t, r.heard, "the machine is heard")
				if strings.Contains(got, "two") {
					t.Errorf("the copy was heard: %q", got)
				}
			}
		})
	}
}

// TestSameProcessReturns takes the place of its own connection, which may be broken without the broker knowing.
func TestSameProcessReturns(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	r, clones := suspects(t, time.Minute, m)
	await(t, r.begin(t, m, "one", "a", true).connected, "connect")
	await(t, r.begin(t, m, "one", "a", true).connected, "connect again")
	if len(clones) > 0 {
		t.Error("taken for a copy of itself")
	}
}

// TestRestartBehindBrokenConnection gives the place of an agent that does not answer to its successor on the same machine, also when that
// booted again, and never to another machine.
func TestRestartBehindBrokenConnection(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	r, clones := suspects(t, 200*time.Millisecond, m)
	dead := r.begin(t, m, "one", "a.a", true)
	await(t, dead.connected, "connect")
	other := r.begin(t, m, "two", "b.a", false)
	await(t, other.refused, "another machine is refused")
	other.Close()
	if dead.probed.Load() == 0 {
		t.Error("nobody asked the connected one")
	}
	await(t, r.begin(t, m, "three", "a.a", false).connected, "the successor connects")
	if len(clones) > 0 || len(r.gone) > 0 {
		t.Errorf("%d copies, %d gone", len(clones), len(r.gone))
	}
}

// TestMovedDisk lets the same key connect from other hardware once the old connection has ended.
func TestMovedDisk(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	r, clones := suspects(t, time.Minute, m)
	old := r.begin(t, m, "one", "a.a", false)
	await(t, old.connected, "connect")
	old.Close()
	await(t, r.begin(t, m, "two", "b.b", false).connected, "connect on other hardware")
	if len(clones) > 0 {
		t.Error("taken for a copy")
	}
}
