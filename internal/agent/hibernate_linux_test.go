package agent

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"errand/internal/agent/identity"
)

// bouncer is a server that lets nobody in.
type bouncer struct {
	mu       sync.Mutex
	dialled  []time.Time
	standing atomic.Int64
	enrol    atomic.Bool
	unasked  atomic.Bool // it cannot be asked
}

type shut struct{}

func (shut) Publish([]byte) error { return errOffline }
func (shut) Close()               {}

func (b *bouncer) dial(_ context.Context, _ identity.Identity, l Line) (Link, error) {
	b.mu.Lock()
	b.dialled = append(b.dialled, time.Now())
	b.mu.Unlock()
	l.Refused()
	return shut{}, nil
}

func (b *bouncer) ask(_ context.Context, _ identity.Identity, startID string) (Standing, bool, error) {
	if startID == "" {
		return 0, false, errors.New("asked without a start")
	}
	if b.unasked.Load() {
		return 0, false, errors.New("no route to host")
	}
	return Standing(b.standing.Load()), b.enrol.Load(), nil
}

func (b *bouncer) dials() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.dialled)
}

// text is a log for several goroutines.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *text) count(s string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Count(t.b.String(), s)
}

// refusedNode is a node whose agent meets b, with what it logs.
func refusedNode(t *testing.T, b *bouncer, change func(*Config)) (*node, *text) {
	log := &text{}
	n := newNode(t, newServer(t))
	n.config = func(c *Config) {
		c.tempo = quick()
		c.Dial, c.Ask = b.dial, b.ask
		c.Log = slog.New(slog.NewTextHandler(log, nil))
		change(c)
	}
	return n, log
}

// TestHibernationWhenRefused sleeps longer and longer, with one line for each time, as soon as the server says that the node is gone.
func TestHibernationWhenRefused(t *testing.T) {
	t.Parallel()
	b := &bouncer{}
	b.standing.Store(int64(StandingRemoved))
	n, log := refusedNode(t, b, func(*Config) {})
	n.start()
	n.await("five attempts", func() bool { return b.dials() >= 5 })
	n.stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	least := []time.Duration{30, 60, 120, 120} // of 40, 80, 160 and 160 ms, at most a quarter is taken off
	for i, want := range least {
		if got := b.dialled[i+1].Sub(b.dialled[i]); got < want*time.Millisecond {
			t.Errorf("pause %d took %v", i, got)
		}
	}
	if lines := log.count("hibernating"); lines < 4 || lines > len(b.dialled) {
		t.Errorf("%d lines for %d attempts", lines, len(b.dialled))
	}
	if log.count("removed it") == 0 {
		t.Error("the reason is not told")
	}
}

// TestHibernationEndsByWake tries at once when somebody asks for it, and connects when it may.
func TestHibernationEndsByWake(t *testing.T) {
	t.Parallel()
	b, wake := &bouncer{}, make(chan os.Signal, 1)
	b.standing.Store(int64(StandingRemoved))
	s := newServer(t)
	var welcome atomic.Bool
	n, log := refusedNode(t, b, func(c *Config) {
		c.tempo.hibernate, c.tempo.maxHibernate, c.Wake = time.Hour, time.Hour, wake
		c.Dial = func(ctx context.Context, id identity.Identity, l Line) (Link, error) {
			if welcome.Load() {
				return s.dial(ctx, id, l)
			}
			return b.dial(ctx, id, l)
		}
	})
	n.start()
	n.await("the agent to sleep", func() bool { return log.count("hibernating") == 1 })
	welcome.Store(true)
	wake <- syscall.SIGHUP
	s.await("hello", func() bool { return len(s.hellos) > 0 })
}

// TestNoHibernationForPassingTrouble goes on as usual while the server says that nothing is wrong, or can for a while not be asked.
func TestNoHibernationForPassingTrouble(t *testing.T) {
	t.Parallel()
	b := &bouncer{}
	b.standing.Store(int64(StandingGood))
	n, log := refusedNode(t, b, func(*Config) {})
	n.start()
	n.await("attempts", func() bool { return b.dials() >= 4 })
	n.stop()
	if log.count("hibernating") > 0 {
		t.Error("sleeps although it may connect")
	}

	b = &bouncer{}
	b.unasked.Store(true)
	n, log = refusedNode(t, b, func(*Config) {})
	n.start()
	n.await("attempts", func() bool { return b.dials() >= patience })
	if log.count("hibernating") > 0 && b.dials() < patience {
		t.Error("sleeps before its patience ends")
	}
	n.await("the agent to sleep", func() bool { return log.count("hibernating") > 0 })
}

// TestCloneEndsToEnrol ends the agent of a copy for which the server allows another identity, and only then.
func TestCloneEndsToEnrol(t *testing.T) {
	t.Parallel()
	b := &bouncer{}
	b.standing.Store(int64(StandingCloned))
	n, log := refusedNode(t, b, func(*Config) {})
	n.start()
	n.await("the copy to sleep", func() bool { return log.count("another machine is connected") > 0 })
	b.enrol.Store(true)
	n.cancel = nil // it ends by itself
	select {
	case err := <-n.done:
		if !errors.Is(err, ErrCloned) {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("goes on")
	}
}
