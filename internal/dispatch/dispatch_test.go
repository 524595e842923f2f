package dispatch

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/internal/api/scene"
	"errand/internal/core"
	"errand/internal/protocol"
	"errand/internal/telemetry"
)

// wire is the far side: it keeps what nodes are sent.
type wire struct {
	mu   sync.Mutex
	sent []string
	down bool
}

func (w *wire) Send(node int64, msg []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		return errors.New("bus is down")
	}
	text := ""
	switch kind, _ := protocol.KindOf(msg); kind {
	case protocol.KindRun:
		m, err := protocol.DecodeRun(msg)
		if err != nil {
			return err
		}
		text = fmt.Sprintf("run %s ttl %ds", m.Spec.Content, m.TTL/1000)
	case protocol.KindStop:
		text = "stop"
	case protocol.KindAck:
		m, err := protocol.DecodeAck(msg)
		if err != nil {
			return err
		}
		text = fmt.Sprintf("ack have %d final %v", m.Have, m.Final)
	case protocol.KindWatch:
		m, err := protocol.DecodeWatch(msg)
		if err != nil {
			return err
		}
		text = fmt.Sprintf("watch for %ds", m.For/1000)
	case protocol.KindRotate:
		m, err := protocol.DecodeRotate(msg)
		if err != nil {
			return err
		}
		text = fmt.Sprintf("rotate in %ds", m.After)
	case protocol.KindHello, protocol.KindBeat, protocol.KindReceived, protocol.KindStarted, protocol.KindOutput, protocol.KindFinished:
		return errors.New("not the server's to send")
	}
	w.sent = append(w.sent, fmt.Sprintf("%d: %s", node, text))
	return nil
}

func (w *wire) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := strings.Join(w.sent, "\n")
	w.sent = nil
	return s
}

// rig is a dispatcher whose loops the test turns by hand, except those that only react.
type rig struct {
	*Dispatcher
	t     *testing.T
	scene *scene.Scene
	wire  *wire
}

func newRig(t *testing.T, options ...func(*core.Config)) *rig {
	t.Helper()
	s := scene.New(t, options...)
	w := &wire{}
	d := New(Config{
		Service: s.Service, Feed: s.Feed, Bus: w, Now: s.Now, Log: slog.New(slog.DiscardHandler), Metrics: telemetry.NewMetrics(nil),
	})
	return &rig{d, t, s, w}
}

func (r *rig) start() {
	r.t.Helper()
	if err := r.Start(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			r.t.Error(err)
		}
	})
}

func (r *rig) run(nodes ...string) core.Invocation {
	r.t.Helper()
	v, err := r.scene.Service.Run(r.t.Context(), r.scene.Caller, core.RunSpec{
		Targets: nodes, Definition: core.Definition{Type: core.Shell, Content: []byte("x"), Timeout: time.Minute},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return v
}

// expect waits until exactly these messages have been sent.
func (r *rig) expect(want ...string) {
	r.t.Helper()
	var got string
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		got = strings.TrimPrefix(got+"\n"+r.wire.take(), "\n")
		got = strings.TrimSuffix(got, "\n")
		if got == strings.Join(want, "\n") {
			return
		}
	}
	r.t.Fatalf("sent %q, want %q", got, want)
}

func (r *rig) state(v core.Invocation) core.State {
	r.t.Helper()
	tasks, err := r.scene.Service.TasksOf(r.t.Context(), r.scene.Caller, []core.ID{v.ID}, nil, false, core.MostShown(1))
	if err != nil || len(tasks[v.ID]) != 1 {
		r.t.Fatalf("%v, %d tasks", err, len(tasks[v.ID]))
	}
	return tasks[v.ID][0].State
}

func (r *rig) say(n core.Node, m interface{ Append([]byte) []byte }) {
	r.Receive(int64(n.Key), m.Append(nil))
}

func TestDeliverAndCollect(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	n := r.scene.Node("n")
	r.scene.Online(n)
	r.start()
	v := r.run("n")
	r.expect("1: run x ttl 60s")
	task := wireTask(core.TaskID{Invocation: v.ID})
	r.say(n, &protocol.Started{Task: task, At: r.scene.Now().UnixMicro()})
	r.say(n, &protocol.Output{Task: task, Chunk: protocol.Chunk{Spans: []protocol.Span{{Stream: 1, Len: 2}}, Data: []byte("ab")}})
	r.expect("1: ack have 2 final false")
	end := &protocol.Finished{Task: task, Outcome: protocol.OutcomeExited, Started: 1, Ended: 2, Stdout: 4, End: 4}
	r.say(n, end)
	r.expect("1: ack have 2 final false") // the rest of the output has to come first
	end.Last = protocol.Chunk{Off: 2, Spans: []protocol.Span{{Stream: 1, Len: 2}}, Data: []byte("cd")}
	r.say(n, end)
	r.expect("1: ack have 4 final true")
	r.say(n, end)
	r.expect("1: ack have 4 final true") // the answer was lost: the same again
	if got := r.state(v); got != core.Succeeded || r.Open() != 0 {
		t.Errorf("%s, %d open", got, r.Open())
	}
}

// TestRepeats leaves a node silent.
func TestRepeats(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	n := r.scene.Node("n")
	r.scene.Online(n)
	v := r.run("n")
	r.begin(t.Context(), r.events.take(t.Context(), 1)[0].New, r.tasks(v))
	r.expect("1: run x ttl 60s")
	r.round(t.Context())
	r.expect() // too early
	r.scene.Advance(5 * time.Second)
	r.round(t.Context())
	r.expect("1: run x ttl 55s")
	r.wire.down = true
	r.scene.Advance(5 * time.Second)
	r.round(t.Context()) // what the bus refuses is repeated as well
	r.wire.down = false
	r.scene.Advance(5 * time.Second)
	r.round(t.Context())
	r.expect("1: run x ttl 45s")

	if err := r.scene.Service.Stop(t.Context(), r.scene.Caller, v.ID, nil); err != nil {
		t.Fatal(err)
	}
	r.stopped(r.events.take(t.Context(), 1)[0].Stops)
	r.expect("1: stop")
	r.scene.Advance(2 * time.Second)
	r.round(t.Context())
	r.expect("1: stop")
	r.scene.Advance(time.Minute)
	r.round(t.Context())
	if got := r.state(v); got != core.Lost || r.Open() != 0 {
		t.Errorf("a node that never answers a stop: %s, %d open", got, r.Open())
	}
}

func (r *rig) tasks(v core.Invocation) []core.Task {
	r.t.Helper()
	tasks, err := r.scene.Service.OpenTasks(r.t.Context(), v.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	return tasks
}

// TestNodeAway lets a task wait, be deferred, be handed over when the node says hello, and be given up.
func TestNodeAway(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	n := r.scene.Node("n")
	v := r.run("n")
	r.begin(t.Context(), &v, r.tasks(v))
	r.expect()
	r.scene.Advance(2 * time.Second)
	r.round(t.Context())
	if got := r.state(v); got != core.Deferred {
		t.Errorf("waiting for a node that is away: %s", got)
	}
	r.scene.Online(n)
	r.resume(t.Context(), n.Key)
	r.expect("1: run x ttl 58s")
	if got := r.state(v); got != core.Delivering {
		t.Errorf("handed over: %s", got)
	}
	r.scene.Advance(58 * time.Second)
	r.round(t.Context())
	r.expect("1: stop") // whoever gets it late must not start it
	if got := r.state(v); got != core.DeliveryFailed || r.Open() != 0 {
		t.Errorf("over its time: %s, %d open", got, r.Open())
	}
}

// TestRestart takes up what another process left open.
func TestRestart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	n := r.scene.Node("n")
	v := r.run("n")
	r.events.take(t.Context(), 1) // the other process died with it
	r.start()
	if r.Open() != 1 {
		t.Fatalf("%d open after the start", r.Open())
	}
	r.say(n, &protocol.Hello{OS: "linux", Hostname: "renamed", Clock: r.scene.Now().UnixMicro()})
	r.expect("1: run x ttl 60s")
	found, err := r.scene.Service.NodesByID(t.Context(), r.scene.Caller, []string{"n"})
	if err != nil || found["n"].Hostname != "renamed" {
		t.Errorf("%+v, %v", found["n"], err)
	}
	r.say(n, &protocol.Finished{Task: wireTask(core.TaskID{Invocation: v.ID}), Outcome: protocol.OutcomeDirNotFound, Detail: "/nowhere"})
	r.expect("1: ack have 0 final true")
	if got := r.state(v); got != core.StartFailed {
		t.Errorf("%s", got)
	}
}

// TestOutcomes gives every outcome of the protocol a meaning.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	for o := protocol.Outcome(1); o.Valid(); o++ {
		if end, ok := ends[o]; !ok || !end.state.Ended() {
			t.Errorf("outcome %d means %v", o, end)
		}
	}
}

// TestFlood lets nodes together say more than there is room for: memory stays bounded, and what was dropped is taken when it is repeated.
func TestFlood(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	n := r.scene.Node("n")
	r.scene.Online(n)
	v := r.run("n")
	for i := range maxReports + 10 {
		r.say(core.Node{Key: core.NodeKey(100 + i/1000)}, &protocol.Received{Task: protocol.Task{Invocation: 1}})
	}
	end := &protocol.Finished{Task: wireTask(core.TaskID{Invocation: v.ID}), Outcome: protocol.OutcomeExited}
	r.say(n, end)
	if got := len(r.small.items); got != maxReports {
		t.Errorf("%d reports wait", got)
	}
	r.start()
	for deadline := time.Now().Add(10 * time.Second); r.Open() > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the repeated result was not taken")
		}
		r.say(n, end)
	}
}

func TestClockSkew(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	now := r.scene.Now()
	for _, tt := range []struct{ ahead, corrected time.Duration }{{time.Second, time.Second}, {time.Hour, 0}, {-time.Hour, 0}} {
		r.clock(7, now.Add(tt.ahead).UnixMicro())
		if got := r.time(7, now.Add(tt.ahead).UnixMicro()).Sub(now); got != tt.corrected {
			t.Errorf("a clock %v ahead: off by %v", tt.ahead, got)
		}
	}
	if got := r.time(7, 0); !got.IsZero() {
		t.Errorf("no time becomes %v", got)
	}
}

// FuzzReceive sends what a hostile node could.
func FuzzReceive(f *testing.F) {
	f.Add((&protocol.Beat{Clock: 1}).Append(nil))
	f.Add((&protocol.Finished{Task: protocol.Task{Invocation: 1}, Outcome: protocol.OutcomeExited}).Append(nil))
	feed := &core.Feed{}
	d := New(Config{
		Service: core.NewService(core.Config{Now: time.Now, Feed: feed}), Feed: feed, Now: time.Now,
		Log: slog.New(slog.DiscardHandler), Metrics: telemetry.NewMetrics(nil),
	})
	f.Fuzz(func(_ *testing.T, msg []byte) { d.Receive(1, msg) })
}
