package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"errand/internal/agent/identity"
	"errand/internal/protocol"
)

// faults is what a link does to messages, each in so many of a hundred cases.
type faults struct{ lose, repeat, reorder int }

// server is the far side of an agent: it asks for tasks until it hears of them, puts outputs together, and acknowledges
// what it has, over a link with faults. It notes whatever an agent must not say.
type server struct {
	t testing.TB

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced with every message that arrives
	rand     *rand.Rand
	faults   faults
	patient  bool // repeats nothing before the next Hello
	deaf     bool // hears nothing and cannot be heard
	noAcks   bool
	link     *pipe // nil while no agent is connected
	tasks    map[protocol.Task]*job
	hellos   []protocol.Hello
	beats    int
	messages [256]int // by kind
}

// job is what the server knows of a task.
type job struct {
	run, stop []byte // until answered
	revision  uint64 // wanted

	received bool
	planned  []uint64 // the revisions that were confirmed
	counts   protocol.Planned
	started  int64
	out, err []byte
	have     uint64
	gaps     uint64 // bytes that were never sent
	finished *protocol.Finished
	final    bool
}

func newServer(t testing.TB) *server {
	s := &server{
		t: t, changed: make(chan struct{}), rand: rand.New(rand.NewPCG(1, 2)),
		tasks: map[protocol.Task]*job{},
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.insist(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return s
}

// insist repeats what is open.
func (s *server) insist(ctx context.Context) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.mu.Lock()
			if !s.patient {
				s.repeatOpen()
			}
			s.mu.Unlock()
		}
	}
}

func (s *server) repeatOpen() {
	for _, j := range s.tasks {
		if j.run != nil {
			s.send(j.run)
		}
		if j.stop != nil {
			s.send(j.stop)
		}
	}
}

func (s *server) run(m protocol.Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.job(m.Task)
	j.run = m.Append(nil)
	if m.Spec.Plan != nil {
		j.revision = m.Spec.Plan.Revision
	}
	s.send(j.run)
}

func (s *server) stop(task protocol.Task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := protocol.Stop{Task: task}
	j := s.job(task)
	j.stop, j.run = m.Append(nil), nil
	s.send(j.stop)
}

func (s *server) job(task protocol.Task) *job {
	if s.tasks[task] == nil {
		s.tasks[task] = &job{}
	}
	return s.tasks[task]
}

// send passes a message to the agent, with faults.
func (s *server) send(msg []byte) {
	if s.link != nil && !s.deaf {
		s.link.in.put(msg, s.faults, s.rand)
	}
}

func (s *server) ack(m protocol.Ack) {
	if !s.noAcks {
		s.send(m.Append(nil))
	}
}

// hear takes a message of the agent.
func (s *server) hear(msg []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deaf {
		return
	}
	defer func() {
		close(s.changed)
		s.changed = make(chan struct{})
	}()
	kind, err := protocol.KindOf(msg)
	s.messages[kind]++
	switch kind {
	case protocol.KindHello:
		var m protocol.Hello
		if m, err = protocol.DecodeHello(msg); err == nil {
			s.hellos = append(s.hellos, m)
			s.repeatOpen()
		}
	case protocol.KindBeat:
		s.beats++
	case protocol.KindReceived:
		var m protocol.Received
		if m, err = protocol.DecodeReceived(msg); err == nil {
			j := s.job(m.Task)
			j.received, j.run = true, nil
		}
	case protocol.KindPlanned:
		var m protocol.Planned
		if m, err = protocol.DecodePlanned(msg); err == nil {
			j := s.job(m.Task)
			j.planned, j.counts = append(j.planned, m.Revision), m
			if j.revision <= m.Revision {
				j.run = nil
			}
		}
	case protocol.KindStarted:
		var m protocol.Started
		if m, err = protocol.DecodeStarted(msg); err == nil {
			j := s.job(m.Task)
			j.started, j.run = m.At, nil
		}
	case protocol.KindOutput:
		var m protocol.Output
		if m, err = protocol.DecodeOutput(msg); err == nil {
			j := s.job(m.Task)
			j.run = nil
			j.take(m.Chunk)
			s.ack(protocol.Ack{Task: m.Task, Have: j.have, Final: j.final})
		}
	case protocol.KindFinished:
		var m protocol.Finished
		if m, err = protocol.DecodeFinished(msg); err == nil {
			s.finish(m)
		}
	case protocol.KindRun, protocol.KindStop, protocol.KindAck:
		err = errors.New("a message of servers")
	default:
		err = fmt.Errorf("kind %d", kind)
	}
	if err != nil {
		s.t.Errorf("the agent sent %x: %v", msg[:min(len(msg), 40)], err)
	}
}

func (s *server) finish(m protocol.Finished) {
	j := s.job(m.Task)
	j.run, j.stop = nil, nil
	j.take(m.Last)
	if j.finished != nil && (j.finished.Outcome != m.Outcome || j.finished.ExitCode != m.ExitCode || j.finished.Ended != m.Ended ||
		j.finished.Stdout != m.Stdout || j.finished.Stderr != m.Stderr) {
		s.t.Errorf("task %v ended twice: %+v and %+v", m.Task, *j.finished, m)
	}
	if m.End > j.have {
		s.ack(protocol.Ack{Task: m.Task, Have: j.have})
		return
	}
	m.Last.Data, m.Last.Spans = nil, nil
	j.finished, j.final = &m, true
	s.ack(protocol.Ack{Task: m.Task, Have: j.have, Final: true})
}

// take adds what is new in a chunk.
func (j *job) take(c protocol.Chunk) {
	if j.final || len(c.Data) == 0 || c.End() <= j.have || c.Off > j.have && !c.Gap {
		return
	}
	if c.Off > j.have {
		j.gaps += c.Off - j.have
		j.have = c.Off
	}
	skip, at := j.have-c.Off, uint64(0)
	for _, span := range c.Spans {
		end := at + uint64(span.Len)
		if end > skip {
			piece := c.Data[max(at, skip):end]
			if span.Stream == protocol.Stderr {
				j.err = append(j.err, piece...)
			} else {
				j.out = append(j.out, piece...)
			}
		}
		at = end
	}
	j.have = c.End()
}

// await waits until the server's state is as wanted.
func (s *server) await(what string, ok func() bool) {
	s.t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		s.mu.Lock()
		done, changed := ok(), s.changed
		s.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			s.t.Fatalf("gave up waiting for: %s", what)
		}
	}
}

// result waits for the end of a task.
func (s *server) result(task protocol.Task) job {
	s.t.Helper()
	s.await(fmt.Sprintf("result of %v", task), func() bool { return s.job(task).final })
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.tasks[task]
}

// dial is the agent's way to the server.
func (s *server) dial(_ context.Context, _ identity.Identity, l Line) (Link, error) {
	p := &pipe{server: s, in: newCourier(l.Message), out: newCourier(s.hear)}
	s.mu.Lock()
	s.link = p
	s.mu.Unlock()
	l.Connected()
	return p, nil
}

// reconnect ends an outage.
func (s *server) hearAgain(a *Agent) {
	s.mu.Lock()
	s.deaf = false
	s.mu.Unlock()
	nudge(a.greet)
}

// pipe is a link.
type pipe struct {
	server  *server
	in, out *courier // as the agent sees it
}

func (p *pipe) Publish(msg []byte) error {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	if p.server.deaf {
		return errors.New("cut")
	}
	p.out.put(bytes.Clone(msg), p.server.faults, p.server.rand)
	return nil
}

func (p *pipe) Close() {
	p.server.mu.Lock()
	if p.server.link == p {
		p.server.link = nil
	}
	p.server.mu.Unlock()
	p.in.close()
	p.out.close()
}

// courier hands messages over one after another, in a goroutine of its own.
type courier struct {
	mu     sync.Mutex
	more   *sync.Cond
	queue  [][]byte
	closed bool
	done   chan struct{}
}

func newCourier(handle func([]byte)) *courier {
	l := &courier{done: make(chan struct{})}
	l.more = sync.NewCond(&l.mu)
	go func() {
		defer close(l.done)
		for {
			l.mu.Lock()
			for len(l.queue) == 0 && !l.closed {
				l.more.Wait()
			}
			if l.closed {
				l.mu.Unlock()
				return
			}
			msg := l.queue[0]
			l.queue = l.queue[1:]
			l.mu.Unlock()
			handle(msg)
		}
	}()
	return l
}

func (l *courier) put(msg []byte, f faults, r *rand.Rand) {
	hit := func(percent int) bool { return r.IntN(100) < percent }
	l.mu.Lock()
	defer l.mu.Unlock()
	for first := true; first || hit(f.repeat); first = false {
		if hit(f.lose) {
			continue
		}
		l.queue = append(l.queue, msg)
		if n := len(l.queue); n > 1 && hit(f.reorder) {
			i := r.IntN(n)
			l.queue[i], l.queue[n-1] = l.queue[n-1], l.queue[i]
		}
	}
	l.more.Signal()
}

func (l *courier) close() {
	l.mu.Lock()
	l.closed = true
	l.more.Signal()
	l.mu.Unlock()
	<-l.done
}

// node is a machine with a data folder, on which one agent after another runs.
type node struct {
	t      testing.TB
	dir    string
	server *server
	config func(*Config)

	agent  *Agent
	cancel context.CancelFunc
	done   chan error
}

func newNode(t testing.TB, s *server) *node {
	n := &node{t: t, dir: t.TempDir(), server: s, config: func(*Config) {}}
	enrol(t, n.dir)
	t.Cleanup(n.stop)
	return n
}

// enrol gives a data folder an identity.
func enrol(t testing.TB, dir string) {
	t.Helper()
	id, err := identity.New()
	if err != nil {
		t.Fatal(err)
	}
	id.NodeID, id.NodeKey, id.BusURLs = "web-1", 7, []string{"tls://127.0.0.1:1"}
	if err := id.Save(dir); err != nil {
		t.Fatal(err)
	}
}

func (n *node) start() {
	n.t.Helper()
	c := Config{Dir: n.dir, Version: "1.2.3", SelfExe: testProgram(n.t), Dial: n.server.dial, Log: slog.New(slog.NewTextHandler(n.t.Output(), nil))}
	n.config(&c)
	a, err := New(c)
	if err != nil {
		n.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.agent, n.cancel, n.done = a, cancel, make(chan error, 1)
	go func() { n.done <- a.Run(ctx) }()
}

// stop ends the agent, which is no different from what a restart of its service does.
func (n *node) stop() {
	n.t.Helper()
	if n.cancel == nil {
		return
	}
	n.cancel()
	n.cancel = nil
	select {
	case err := <-n.done:
		if err != nil {
			n.t.Error(err)
		}
	case <-time.After(30 * time.Second):
		n.t.Error("the agent does not stop")
	}
}
