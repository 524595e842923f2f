package session_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/internal/agent/identity"
	"errand/internal/agent/terminal"
	"errand/internal/api/scene"
	"errand/internal/bus"
	"errand/internal/bus/broker"
	"errand/internal/core"
	"errand/internal/protocol"
	"errand/internal/session"
	"errand/internal/session/sessiontest"
)

// rig is a relay on a real bus, with a service that knows one node.
type rig struct {
	*scene.Scene
	t      *testing.T
	node   core.Node
	broker *broker.Broker
	ca     *broker.CA
	id     identity.Identity
	hub    *bus.Hub
	relay  *session.Relay
	http   *httptest.Server
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{Scene: scene.New(t), t: t}
	r.node = r.Node("i-one")
	r.Online(r.node)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	r.id, err = identity.New()
	must(err)
	r.ca, _, err = broker.NewCA(time.Now())
	must(err)
	tlsConfig, err := r.ca.ServerTLS(time.Now())
	must(err)
	r.broker, err = broker.Start(broker.Config{
		Listen: "127.0.0.1:0", TLS: tlsConfig, Log: slog.New(slog.DiscardHandler),
		Admit: func(context.Context, string) (int64, error) { return int64(r.node.Key), nil }, Gone: func(int64) {},
	})
	must(err)
	t.Cleanup(r.broker.Stop)
	nc, err := r.broker.Connect()
	must(err)
	r.hub = bus.NewHub(nc)
	t.Cleanup(r.hub.Close)
	return r
}

// start starts a relay and an HTTP server for it; again replaces both, as a server that starts again does.
func (r *rig) start(l session.Limits) {
	r.t.Helper()
	if r.relay != nil {
		r.relay.Close()
	}
	if l.Tick == 0 {
		l.Tick = 20 * time.Millisecond
	}
	var err error
	r.relay, err = session.Start(r.t.Context(), session.Config{
		Service: r.Service, Feed: r.Feed, Bus: r.hub, Limits: l, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(r.relay.Close)
	r.http = httptest.NewServer(r.relay)
	r.t.Cleanup(r.http.Close)
}

// connect connects a node whose sessions fn looks after.
func (r *rig) connect(fn func(n *bus.Node, id uint64, msg []byte)) *bus.Node {
	r.t.Helper()
	public, err := r.id.PublicKey()
	if err != nil {
		r.t.Fatal(err)
	}
	up := make(chan struct{}, 10)
	n, err := bus.Dial(bus.NodeConfig{
		URLs: []string{"tls://" + r.broker.Addr().String()}, CA: r.ca.PEM, Key: int64(r.node.Key), PublicKey: public, Sign: r.id.Sign,
		Log: slog.New(slog.DiscardHandler), Message: func([]byte) {}, Connected: func() { up <- struct{}{} }, Session: fn,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(n.Close)
	<-up
	return n
}

func (r *rig) session(spec core.SessionSpec) (core.Session, string) {
	r.t.Helper()
	spec.Nodes, spec.Origin = []string{r.node.ID}, core.OriginECS
	s, token, err := r.Service.StartSession(r.t.Context(), r.Caller, spec)
	if err != nil {
		r.t.Fatal(err)
	}
	return s, token
}

func (r *rig) dial(s core.Session, token string) *sessiontest.Client {
	r.t.Helper()
	c, status := sessiontest.Dial(r.t, strings.Replace(r.http.URL, "http", "ws", 1)+"/?sessionId=s-"+s.ID.String()+"&token="+token, nil)
	if c == nil {
		r.t.Fatalf("refused with %d", status)
	}
	return c
}

// connection waits until the connection of a session is over and returns it.
func (r *rig) connection(s core.Session) core.Connection {
	r.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		rows, _, err := r.Service.Sessions(r.t.Context(), r.Caller, core.SessionFilter{IDs: []core.ID{s.ID}}, core.PageSpec{Limit: 1})
		if err != nil || len(rows) != 1 {
			r.t.Fatalf("%d sessions, %v", len(rows), err)
		}
		if c := rows[0].Connections[0]; c.Status.Over() {
			return c
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("connection is not over: %+v", rows[0].Connections)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestRestart replaces the relay under a terminal that is in use: the shell, what it printed meanwhile and what was typed are still there.
func TestRestart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	host := terminal.NewHost(terminal.Config{Tick: 50 * time.Millisecond})
	t.Cleanup(host.Close)
	r.connect(func(n *bus.Node, id uint64, msg []byte) { host.Receive(n.PublishSession, id, msg) })
	r.start(session.Limits{})
	s, token := r.session(core.SessionSpec{Command: "stty -echo; while read x; do echo got $x; done"})
	c := r.dial(s, token)
	c.Type("one\n")
	c.Until("got one\r\n")
	c.Type("two\n") // whose answer may go to nobody for now
	for _, word := range []string{"three", "four"} {
		before := c
		go func() {
			for {
				if _, err := before.Next(); err != nil {
					return // it was told to come back later
				}
			}
		}()
		r.start(session.Limits{})
		c = r.dial(s, token)
		c.Type(word + "\n")
		c.Until("got " + word + "\r\n")
	}
	c.Type("\x04")
	if _, statuses := c.End(); !slices.Equal(statuses, []string{"5 Exit"}) {
		t.Errorf("ends with %q", statuses)
	}
	if conn := r.connection(s); conn.Status != core.ConnectionTerminated {
		t.Errorf("connection: %+v", conn)
	}
}

// TestNodeAway ends what cannot go on because of the node, each with its own reason.
func TestNodeAway(t *testing.T) {
	t.Parallel()
	runs := protocol.SessionState{Phase: protocol.SessionRuns}
	for name, tt := range map[string]struct {
		limits session.Limits
		answer [][]byte // to the first Open
		status core.ConnectionStatus
		reason core.CloseReason
		said   string
	}{
		"does not answer": {
			session.Limits{Open: 100 * time.Millisecond}, nil, core.ConnectionFailed, core.ClosedDeliveryTimeout, "2 the agent did not answer",
		},
		"falls silent": {
			session.Limits{Silence: 100 * time.Millisecond}, [][]byte{runs.Append(nil)}, core.ConnectionDisconnected, core.ClosedByAgent, "5 AgentTimeout",
		},
		"is full": {
			session.Limits{},
			[][]byte{(&protocol.SessionState{Phase: protocol.SessionEnded, Cause: protocol.SessionTooMany, Detail: "full"}).Append(nil)},
			core.ConnectionFailed, core.ClosedByAgent, "2 full",
		},
		"forgot it": {
			session.Limits{},
			[][]byte{runs.Append(nil), (&protocol.SessionState{Phase: protocol.SessionEnded, Cause: protocol.SessionUnknown}).Append(nil)},
			core.ConnectionDisconnected, core.ClosedByAgent, "5 AgentTimeout",
		},
		"writes nonsense": {
			session.Limits{},
			[][]byte{runs.Append(nil), {byte(protocol.KindSessionOutput), 0xff}},
			core.ConnectionDisconnected, core.ClosedMalformed, "5 ProcessDataError",
		},
		"speaks for the server": {
			session.Limits{},
			[][]byte{runs.Append(nil), protocol.AppendSessionClose(nil)},
			core.ConnectionDisconnected, core.ClosedMalformed, "5 ProcessDataError",
		},
		"sends pieces that are too large": {
			session.Limits{},
			[][]byte{
				runs.Append(nil), (&protocol.SessionData{Data: make([]byte, protocol.SessionChunk+1)}).Append(nil, protocol.KindSessionOutput),
			},
			core.ConnectionDisconnected, core.ClosedMalformed, "5 ProcessDataError",
		},
		"ends before its own output": {
			session.Limits{},
			[][]byte{
				runs.Append(nil), (&protocol.SessionData{Data: []byte("hello")}).Append(nil, protocol.KindSessionOutput),
				(&protocol.SessionState{Phase: protocol.SessionEnded, Cause: protocol.SessionExited, End: 3}).Append(nil),
			},
			core.ConnectionDisconnected, core.ClosedMalformed, "5 ProcessDataError",
		},
		"exits at once": {
			session.Limits{},
			[][]byte{(&protocol.SessionState{Phase: protocol.SessionEnded, Cause: protocol.SessionExited}).Append(nil)},
			core.ConnectionTerminated, core.ClosedByAgent, "5 Exit",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			var once sync.Once
			r.connect(func(n *bus.Node, id uint64, _ []byte) {
				once.Do(func() {
					for _, msg := range tt.answer {
						if err := n.PublishSession(id, msg); err != nil {
							t.Error(err)
						}
					}
				})
			})
			r.start(tt.limits)
			s, token := r.session(core.SessionSpec{})
			if _, statuses := r.dial(s, token).End(); !slices.Equal(statuses, []string{tt.said}) {
				t.Errorf("ends with %q, want %q", statuses, tt.said)
			}
			if conn := r.connection(s); conn.Status != tt.status || conn.Closed != tt.reason {
				t.Errorf("connection: %+v", conn)
			}
		})
	}
}

// TestFlood has a node send without regard for what it may: the relay keeps a window of it and no more, and the client gets what it has asked
// for.
func TestFlood(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var once sync.Once
	flooded := make(chan struct{})
	stream := bytes.Repeat([]byte("0123456789abcdef"), protocol.SessionWindow/8) // twice a window
	r.connect(func(n *bus.Node, id uint64, msg []byte) {
		send := func(b []byte) {
			if err := n.PublishSession(id, b); err != nil && !errors.Is(err, bus.ErrOffline) {
				t.Error(err)
			}
		}
		once.Do(func() {
			send((&protocol.SessionState{Phase: protocol.SessionRuns}).Append(nil))
			for pos := 0; pos < len(stream); pos += protocol.SessionChunk {
				piece := protocol.SessionData{Pos: uint64(pos), Data: stream[pos : pos+protocol.SessionChunk]}
				for range 20 {
					send(piece.Append(nil, protocol.KindSessionOutput))
				}
			}
			close(flooded)
		})
		if m, err := protocol.DecodeSessionAck(msg, protocol.KindSessionWant); err == nil && m.Have < uint64(len(stream)) {
			piece := protocol.SessionData{Pos: m.Have, Data: stream[m.Have:min(m.Have+protocol.SessionChunk, uint64(len(stream)))]}
			send(piece.Append(nil, protocol.KindSessionOutput))
		} else if err == nil {
			send((&protocol.SessionState{Phase: protocol.SessionEnded, Cause: protocol.SessionExited, End: m.Have}).Append(nil))
		}
	})
	r.start(session.Limits{})
	s, token := r.session(core.SessionSpec{})
	c := r.dial(s, token)
	<-flooded
	if got, _ := c.End(); !bytes.Equal(got, stream) {
		t.Errorf("%d bytes of %d", len(got), len(stream))
	}
}

// TestRemoved ends a terminal with its node.
func TestRemoved(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connect(func(n *bus.Node, id uint64, _ []byte) {
		_ = n.PublishSession(id, (&protocol.SessionState{Phase: protocol.SessionRuns}).Append(nil))
	})
	r.start(session.Limits{})
	s, token := r.session(core.SessionSpec{})
	c := r.dial(s, token)
	deadline := time.Now().Add(20 * time.Second)
	for {
		rows, _, err := r.Service.Sessions(t.Context(), r.Caller, core.SessionFilter{IDs: []core.ID{s.ID}}, core.PageSpec{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if rows[0].Connections[0].Status == core.ConnectionConnected {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("not connected")
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := r.Service.RemoveNode(t.Context(), r.Caller, r.node.ID); err != nil {
		t.Fatal(err)
	}
	if _, statuses := c.End(); !slices.Equal(statuses, []string{"5 Exit"}) {
		t.Errorf("ends with %q", statuses)
	}
	if conn := r.connection(s); conn.Status != core.ConnectionTerminated || conn.Closed != core.ClosedNodeNotFound {
		t.Errorf("connection: %+v", conn)
	}
}
