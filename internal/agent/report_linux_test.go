package agent

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/agent/identity"
	"errand/internal/agent/journal"
	"errand/internal/protocol"
)

// Over a link that loses, repeats and reorders, everything arrives exactly once all the same.
func TestFaultyLink(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.mu.Lock()
			s.rand, s.faults = rand.New(rand.NewPCG(seed, 7)), faults{lose: 25, repeat: 25, reorder: 25}
			s.mu.Unlock()
			n := newNode(t, s)
			n.config = func(c *Config) { c.tempo = quick() }
			n.start()
			const count = 20
			for i := range count {
				s.run(script(i, fmt.Sprintf("seq %d; seq %d >&2; exit %d", i*6000, i*1000, i)))
			}
			for i := range count {
				got := s.result(id(i))
				if !bytes.Equal(got.out, seq(i*6000)) || !bytes.Equal(got.err, seq(i*1000)) || got.finished.ExitCode != int64(i) || got.gaps != 0 {
					t.Errorf("task %d: %d and %d bytes, %+v", i, len(got.out), len(got.err), got.finished)
				}
				if f := got.finished; f.Stdout != uint64(len(got.out)) || f.Stderr != uint64(len(got.err)) || f.End != f.Stdout+f.Stderr {
					t.Errorf("task %d: totals %+v", i, f)
				}
			}
		})
	}
}

func TestOutputWhileRunning(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.config = func(c *Config) { c.tempo = quick() }
	n.start()
	s.run(script(1, "echo one; sleep 0.2; echo two; sleep 300"))
	s.await("the first line", func() bool { return string(s.job(id(1)).out) == "one\n" })
	s.await("the second line", func() bool { return string(s.job(id(1)).out) == "one\ntwo\n" })
	s.stop(id(1))
	s.result(id(1))
}

// Output that grows quickly is not reported more often than agreed.
func TestOutputIsPaced(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.mu.Lock()
	s.patient = true // what is asked for again is told at once
	s.mu.Unlock()
	n := newNode(t, s)
	n.config = func(c *Config) {
		c.tempo = &tempo{received: time.Hour, started: time.Millisecond, output: 200 * time.Millisecond, resend: time.Hour, maxResend: time.Hour}
	}
	n.start()
	s.await("hello", func() bool { return len(s.hellos) > 0 })
	begin := time.Now()
	s.run(script(1, "while :; do echo x; sleep 0.01; done"))
	s.await("some output", func() bool { return s.messages[protocol.KindOutput] >= 5 })
	if took := time.Since(begin); took < 4*200*time.Millisecond {
		t.Errorf("5 reports in %v", took)
	}
	s.stop(id(1))
	s.result(id(1))
}

// Of more output than is kept, the first and the last half arrive, and the totals are exact.
func TestHugeOutput(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.start()
	const line, lines = 16, 9 << 19
	s.run(script(1, fmt.Sprintf("seq -f %%015.0f %d", lines)))
	got := s.result(id(1))
	const total = line * lines
	if f := got.finished; f.Stdout != total || f.End != total || got.gaps != total-64<<20 || len(got.out) != 64<<20 {
		t.Fatalf("%d bytes, %d left out, %+v", len(got.out), got.gaps, f)
	}
	for i := range len(got.out) / line {
		n := i
		if i >= len(got.out)/line/2 {
			n += int(got.gaps) / line
		}
		if want := fmt.Sprintf("%015d\n", n+1); string(got.out[i*line:(i+1)*line]) != want {
			t.Fatalf("line %d is %q, want %q", i, got.out[i*line:(i+1)*line], want)
		}
	}
}

func TestResultIsRepeatedUntilAcknowledged(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.config = func(c *Config) { c.tempo = quick() }
	s.mu.Lock()
	s.noAcks = true
	s.mu.Unlock()
	n.start()
	s.run(script(1, "seq 100000"))
	s.await("repeats", func() bool { return s.messages[protocol.KindFinished]+s.messages[protocol.KindOutput] >= 5 })
	n.stop()
	n.start()
	s.mu.Lock()
	s.messages = [256]int{}
	s.mu.Unlock()
	s.await("repeats of the second agent", func() bool { return s.messages[protocol.KindFinished]+s.messages[protocol.KindOutput] >= 3 })
	s.mu.Lock()
	s.noAcks = false
	s.mu.Unlock()
	if got := s.result(id(1)); !bytes.Equal(got.out, seq(100000)) {
		t.Errorf("%d bytes, %+v", len(got.out), got.finished)
	}
	n.await("the agent to forget", func() bool { return len(n.agent.tasks) == 0 })
}

// After an outage everything is told at once, not when the next repeat would be due.
func TestOutage(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.config = func(c *Config) {
		c.tempo = &tempo{received: time.Hour, started: time.Millisecond, output: time.Hour, resend: time.Hour, maxResend: time.Hour}
	}
	n.start()
	gate := filepath.Join(t.TempDir(), "gate")
	s.run(script(1, "until test -e "+gate+"; do sleep 0.01; done; echo late"))
	s.run(script(2, "sleep 300"))
	s.await("both to run", func() bool { return s.job(id(1)).started > 0 && s.job(id(2)).started > 0 })
	s.mu.Lock()
	s.deaf = true
	s.job(id(2)).started = 0
	s.mu.Unlock()
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n.await("the end", func() bool { return n.agent.tasks[id(1)].phase == ended && n.agent.tasks[id(1)].pause > 0 })
	s.hearAgain(n.agent)
	if got := s.result(id(1)); string(got.out) != "late\n" {
		t.Errorf("%q, %+v", got.out, got.finished)
	}
	s.await("the start, again", func() bool { return s.job(id(2)).started > 0 })
	s.stop(id(2))
	s.result(id(2))
}

// A result comes even if the output cannot be read any more, and says so.
func TestOutputUnreadable(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.config = func(c *Config) { c.tempo = quick() }
	n.start()
	gate := filepath.Join(t.TempDir(), "gate")
	s.run(script(1, "until test -e "+gate+"; do sleep 0.01; done; seq 1000; exit 4"))
	s.await("start", func() bool { return s.job(id(1)).started > 0 })
	s.mu.Lock()
	s.deaf = true
	s.mu.Unlock()
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n.await("the end", func() bool { return n.agent.tasks[id(1)].phase == ended })
	segments, err := filepath.Glob(filepath.Join(n.agent.dirOf(id(1)), "output.*"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("segments: %v, %v", segments, err)
	}
	for _, path := range segments {
		if err := os.WriteFile(path, bytes.Repeat([]byte("damage"), 20), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.hearAgain(n.agent)
	got := s.result(id(1))
	if f := got.finished; f.ExitCode != 4 || f.Stdout != uint64(len(seq(1000))) || f.End != 0 || !strings.Contains(f.Detail, "output not readable") {
		t.Errorf("%q, %+v", got.out, f)
	}
}

// A server that lost what it had says so, and gets it again.
func TestServerForgets(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.config = func(c *Config) { c.tempo = quick() }
	n.start()
	s.run(script(1, "seq 1000; sleep 0.5; seq 1000"))
	s.await("output", func() bool { return s.job(id(1)).have > 0 })
	s.mu.Lock()
	s.job(id(1)).have, s.job(id(1)).out = 0, nil
	s.mu.Unlock()
	if got := s.result(id(1)); !bytes.Equal(got.out, append(seq(1000), seq(1000)...)) {
		t.Errorf("%d bytes, %+v", len(got.out), got.finished)
	}
}

// A server that has given a running task up hears no more of it before its end.
func TestServerGivesUp(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.config = func(c *Config) { c.tempo = quick() }
	n.start()
	s.run(script(1, "while :; do echo x; sleep 0.01; done"))
	s.await("output", func() bool { return s.job(id(1)).have > 0 })
	s.mu.Lock()
	s.job(id(1)).final = true
	s.mu.Unlock()
	n.await("silence", func() bool { return n.agent.tasks[id(1)].quiet && n.agent.tasks[id(1)].place == 0 })
	s.mu.Lock()
	s.job(id(1)).final = false
	s.mu.Unlock()
	s.stop(id(1))
	if got := s.result(id(1)).finished; got.Outcome != protocol.OutcomeStopped {
		t.Errorf("%+v", got)
	}
}

// Messages that no server sends change nothing.
func TestNonsense(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.start()
	run := script(1, "echo fine")
	hello, ack := protocol.Hello{}, protocol.Ack{Task: id(99), Have: 1 << 63, Final: true}
	s.mu.Lock()
	for _, msg := range [][]byte{
		{}, {0}, {63}, {255, 1, 2}, hello.Append(nil), ack.Append(nil), run.Append(nil)[:9], {byte(protocol.KindStop), 0x12}, {byte(protocol.KindAck), 7},
	} {
		s.send(msg)
	}
	s.mu.Unlock()
	s.run(run)
	if got := s.result(id(1)); string(got.out) != "fine\n" {
		t.Errorf("%q, %+v", got.out, got.finished)
	}
	n.await("nothing to be left", func() bool { return len(n.agent.tasks) == 0 })
}

func TestBeat(t *testing.T) {
	t.Parallel()
	for heartbeat, want := range map[time.Duration]int{0: 10, 30 * time.Second: 20, time.Millisecond: 120, time.Hour: 1} {
		synctest.Test(t, func(t *testing.T) {
			beats := make(chan protocol.Beat, 1000)
			clock := func() journal.Moment { return journal.Moment{Wall: time.Now()} }
			a := &Agent{
				cfg: Config{Clock: clock}, id: identity.Identity{Heartbeat: heartbeat}, greet: make(chan struct{}),
				link: linkFunc(func(msg []byte) error {
					m, err := protocol.DecodeBeat(msg)
					beats <- m
					return err
				}),
				tasks: map[protocol.Task]*task{id(1): {phase: running}, id(2): {phase: ended}},
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			if err := a.beat(ctx); err != nil {
				t.Error(err)
			}
			if got := len(beats); got < want-1 || got > want+1 {
				t.Errorf("heartbeat %v: %d beats in ten minutes, want %d", heartbeat, got, want)
			}
			if m := <-beats; m.Active != 1 || m.Clock == 0 {
				t.Errorf("beat: %+v", m)
			}
		})
	}
}

type linkFunc func([]byte) error

func (f linkFunc) Publish(msg []byte) error { return f(msg) }
func (f linkFunc) Close()                   {}
