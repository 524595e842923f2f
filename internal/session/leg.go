package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"errand/internal/core"
	"errand/internal/flow"
	"errand/internal/protocol"
)

// leg is the relay's side of a session's stream to one node.
type leg struct {
	room  *room
	node  core.NodeKey
	name  string // in frames
	id    string // of the node
	open  protocol.SessionOpen
	begun chan struct{} // closed when in and out are there
	gone  chan struct{} // closed when the leg is over
	stop  func()        // listening
	asked time.Time     // when it was asked to open for the first time

	writing sync.Mutex // of whoever brings input; a client that takes over waits for the one before

	mu      sync.Mutex
	heard   time.Time
	moved   time.Time // when a byte last went either way
	in      *flow.Sender
	out     *flow.Receiver
	rows    uint16
	columns uint16
	over    bool
	failed  bool
	why     string // for the client
	message string
}

// newLeg begins a leg, or takes it up: the node's first word says which.
func newLeg(r *room, s *core.Session, c *core.Connection) *leg {
	now := time.Now()
	l := &leg{
		room: r, node: c.Node, name: c.Shown, id: c.NodeID, begun: make(chan struct{}), gone: make(chan struct{}), stop: func() {},
		asked: now, heard: now, moved: now,
		open: protocol.SessionOpen{User: s.User, Command: s.Command, Port: uint64(s.Port), Host: s.Host},
	}
	if c.Status.Over() {
		l.over, l.failed, l.message = true, c.Status == core.ConnectionFailed, c.Detail
		l.why = reasonTimeout
		close(l.gone)
	}
	return l
}

// start turns to the node. A connection that was there already is waited for even if the node cannot be reached now.
func (l *leg) start(was core.ConnectionStatus) {
	switch {
	case l.isOver():
		return
	case was == core.ConnectionConnecting && !l.room.relay.service.Connected(l.node):
		l.finish(core.ConnectionFailed, core.ClosedAgentOffline, reasonTimeout, "the agent is not connected")
		return
	}
	stop, err := l.room.relay.bus.ListenSession(int64(l.node), uint64(l.room.id), l.receive)
	if err != nil {
		l.finish(core.ConnectionFailed, core.ClosedByAgent, reasonOpenFailed, err.Error())
		return
	}
	l.stop = stop
	l.send(l.open.Append(nil))
}

// send sends a message to the node's side; what gets lost is repeated.
func (l *leg) send(msg []byte) {
	_ = l.room.relay.bus.SendSession(int64(l.node), uint64(l.room.id), msg)
}

// receive takes a message of the node. A node that does not keep to the protocol loses the session.
func (l *leg) receive(msg []byte) {
	if err := l.take(msg); err != nil {
		l.room.relay.log.Warn("session of a node set aside", "session", l.room.id, "node", l.node, "error", err)
		l.finish(core.ConnectionDisconnected, core.ClosedMalformed, reasonBadData, "")
	}
}

func (l *leg) take(msg []byte) error {
	kind, err := protocol.SessionKindOf(msg)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.heard = time.Now()
	in, out := l.in, l.out
	l.mu.Unlock()
	switch kind {
	case protocol.KindSessionState:
		m, err := protocol.DecodeSessionState(msg)
		if err != nil {
			return err
		}
		return l.state(&m)
	case protocol.KindSessionOutput:
		m, err := protocol.DecodeSessionData(msg, kind)
		if err != nil || out == nil {
			return err
		}
		l.move()
		out.Put(m.Pos, m.Data)
	case protocol.KindSessionHave:
		m, err := protocol.DecodeSessionAck(msg, kind)
		if err != nil || in == nil {
			return err
		}
		in.Acked(m.Have, m.Limit)
	case protocol.KindSessionOpen, protocol.KindSessionInput, protocol.KindSessionWant, protocol.KindSessionResize, protocol.KindSessionClose:
		return fmt.Errorf("%w: kind %d is the server's", protocol.ErrMalformed, kind)
	default: // of a newer node
	}
	return nil
}

// state takes the node's word for how far the session is.
func (l *leg) state(m *protocol.SessionState) error {
	begins := l.begin(m)
	if begins && (m.Phase == protocol.SessionRuns || m.Cause == protocol.SessionExited) {
		l.room.relay.report(core.ConnectionReport{Session: l.room.id, Node: l.node, Status: core.ConnectionConnected})
	}
	if m.Phase == protocol.SessionRuns {
		return nil
	}
	switch m.Cause {
	case protocol.SessionExited:
		return l.out.End(m.End) // and the leg is over when the client has got everything
	case protocol.SessionNeverBegan, protocol.SessionTooMany, protocol.SessionUnsupported:
		l.finish(core.ConnectionFailed, core.ClosedByAgent, reasonOpenFailed, m.Detail)
	case protocol.SessionAbandoned, protocol.SessionUnknown:
		l.finish(core.ConnectionDisconnected, core.ClosedByAgent, reasonTimeout, "")
	case protocol.SessionClosed:
		l.finish(core.ConnectionTerminated, core.ClosedByClient, reasonExit, "")
	}
	return nil
}

// begin makes the two streams where the node says that they stand, at its first word, and reports whether this was that.
func (l *leg) begin(m *protocol.SessionState) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.in != nil {
		return false
	}
	l.in = flow.NewSender(m.In, protocol.SessionWindow, protocol.SessionChunk, func(pos uint64, data []byte) {
		piece := protocol.SessionData{Pos: pos, Data: data}
		l.send(piece.Append(nil, protocol.KindSessionInput))
	})
	l.out = flow.NewReceiver(m.Out, protocol.SessionWindow, func(have, limit uint64) {
		ack := protocol.SessionAck{Have: have, Limit: limit}
		l.send(ack.Append(nil, protocol.KindSessionWant))
	})
	close(l.begun)
	return true
}

// input brings a client's bytes on their way, at the pace of the node.
func (l *leg) input(ctx context.Context, data []byte) error {
	select {
	case <-l.begun:
	case <-l.gone:
		return nil // it is being told
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	l.move()
	l.mu.Lock()
	in := l.in
	l.mu.Unlock()
	ctx, cancel := l.within(ctx)
	defer cancel()
	if err := in.Write(ctx, data); err != nil && !l.isOver() {
		return err
	}
	return nil
}

// within is a context that ends with the leg.
func (l *leg) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-l.gone:
			cancel(errOver)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

var errOver = errors.New("the session is over")

func (l *leg) move() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moved = time.Now()
}

// resize tells the node how large the client's terminal is.
func (l *leg) resize(rows, columns uint16) {
	l.mu.Lock()
	l.rows, l.columns = rows, columns
	l.mu.Unlock()
	m := protocol.SessionResize{Rows: uint64(rows), Columns: uint64(columns)}
	l.send(m.Append(nil))
}

// drained ends the leg after the client has got all that the program printed.
func (l *leg) drained() { l.finish(core.ConnectionTerminated, core.ClosedByAgent, reasonExit, "") }

// cut ends the leg from this side.
func (l *leg) cut(status core.ConnectionStatus, why core.CloseReason) {
	go l.finish(status, why, reasonExit, "") // who asks may hold locks, and must not wait for the store
}

// finish ends the leg, tells the node and, unless this process is just going away, the service.
func (l *leg) finish(status core.ConnectionStatus, closed core.CloseReason, why, message string) {
	l.mu.Lock()
	if l.over {
		l.mu.Unlock()
		return
	}
	l.over, l.why, l.message, l.failed = true, why, message, status == core.ConnectionFailed
	l.mu.Unlock()
	l.send(protocol.AppendSessionClose(nil))
	l.room.relay.report(core.ConnectionReport{Session: l.room.id, Node: l.node, Status: status, Closed: closed, Detail: message})
	close(l.gone)
}

// isOver reports whether the leg is over.
func (l *leg) isOver() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

// status is what the client is told about the end.
func (l *leg) status() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed {
		return append([]byte{byte(statusFailed)}, l.message...)
	}
	return append([]byte{byte(statusClosed)}, l.why...)
}

// tick repeats what was not answered. It is called once in a while, keepalive now and then.
func (l *leg) tick(keepalive bool) {
	l.mu.Lock()
	in, out, heard, rows, columns := l.in, l.out, l.heard, l.rows, l.columns
	l.mu.Unlock()
	limits := &l.room.relay.limits
	switch {
	case l.isOver():
	case in == nil && time.Since(l.asked) > limits.Open:
		l.finish(core.ConnectionFailed, core.ClosedDeliveryTimeout, reasonTimeout, "the agent did not answer")
	case in == nil:
		l.send(l.open.Append(nil))
	case time.Since(heard) > limits.Silence:
		l.finish(core.ConnectionDisconnected, core.ClosedByAgent, reasonTimeout, "")
	default:
		in.Tick()
		if !keepalive {
			return
		}
		out.Tell()
		if rows > 0 {
			l.resize(rows, columns)
		}
	}
}

// idle is how long nothing went either way.
func (l *leg) idle() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.moved)
}
