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
	rec   *recorder     // nil if nothing is recorded

	writing sync.Mutex // of whoever brings input; a client that takes over waits for the one before

	mu      sync.Mutex
	heard   time.Time
	moved   time.Time // when a byte last went either way
	in      *flow.Sender
	out     *flow.Receiver
	shown   uint64 // the client has all output before this position
	rows    uint16
	columns uint16
	away    bool // the node is not connected
	over    bool
	end     ending
	exit    *core.Exit    // how the program ended, once the node has said so
	news    chan struct{} // closed when shown, away or what the node has of the input changes
}

// ending is how a leg ends.
type ending struct {
	status  core.ConnectionStatus
	closed  core.CloseReason
	reason  string // in the vendor's frames
	word    string // in our own
	message string // for people
}

// Endings that say all there is to say.
var (
	endExited    = ending{core.ConnectionTerminated, core.ClosedByAgent, reasonExit, "exited", ""}
	endClosed    = ending{core.ConnectionTerminated, core.ClosedByClient, reasonExit, "ended", "the session was ended"}
	endRemoved   = ending{core.ConnectionTerminated, core.ClosedNodeNotFound, reasonExit, "removed", "the node was removed"}
	endIdle      = ending{core.ConnectionTerminated, core.ClosedByClient, reasonTimeout, "idle", "nothing was typed for too long"}
	endLimit     = ending{core.ConnectionTerminated, core.ClosedByClient, reasonTimeout, "limit", "the session lasted as long as it may"}
	endAway      = ending{core.ConnectionDisconnected, core.ClosedByClient, reasonTimeout, "away", "nobody was connected to the session for too long"}
	endOffline   = ending{core.ConnectionFailed, core.ClosedAgentOffline, reasonTimeout, "offline", "the agent is not connected"}
	endNoAnswer  = ending{core.ConnectionFailed, core.ClosedDeliveryTimeout, reasonTimeout, "no_answer", "the agent did not answer"}
	endSilent    = ending{core.ConnectionDisconnected, core.ClosedByAgent, reasonTimeout, "silent", "the node was away for too long"}
	endLost      = ending{core.ConnectionDisconnected, core.ClosedByAgent, reasonTimeout, "lost", "the agent ended or started again, and the session with it"}
	endMalformed = ending{core.ConnectionDisconnected, core.ClosedMalformed, reasonBadData, "malformed", "the node said what cannot be"}
)

// failed is the ending of a leg that did not come about, as the node explains it.
func failed(why string) ending {
	return ending{core.ConnectionFailed, core.ClosedByAgent, reasonOpenFailed, "failed", why}
}

// newLeg begins a leg, or takes it up: the node's first word says which.
func newLeg(r *room, s *core.Session, c *core.Connection) *leg {
	now := time.Now()
	l := &leg{
		room: r, node: c.Node, name: c.Shown, id: c.NodeID, begun: make(chan struct{}), gone: make(chan struct{}), stop: func() {},
		news: make(chan struct{}), asked: now, heard: now, moved: now,
		open: protocol.SessionOpen{
			User: s.User, Command: s.Command, Port: uint64(s.Port), Host: s.Host, Rows: uint64(s.Rows), Columns: uint64(s.Columns),
		},
	}
	if c.Status.Over() {
		l.over, l.end = true, ending{c.Status, c.Closed, reasonTimeout, "over", "the session is over"}
		if c.Status == core.ConnectionFailed {
			l.end.word, l.end.message = "failed", c.Detail
		}
		if c.Closed == core.ClosedAgentOffline {
			l.end.word = "offline"
		}
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
		l.finish(endOffline)
		return
	}
	stop, err := l.room.relay.bus.ListenSession(int64(l.node), uint64(l.room.id), l.receive)
	if err != nil {
		l.finish(failed(err.Error()))
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
		l.finish(endMalformed)
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
		in.Acked(m.Have, m.Kept, m.Limit)
		l.tell(func() {})
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
		if m.Told {
			l.mu.Lock()
			l.exit = &core.Exit{Code: int32(m.Code), Signal: uint8(m.Signal)}
			l.mu.Unlock()
		}
		return l.out.End(m.End) // and the leg is over when the client has got everything
	case protocol.SessionNeverBegan, protocol.SessionTooMany, protocol.SessionUnsupported:
		l.finish(failed(m.Detail))
	case protocol.SessionAbandoned, protocol.SessionUnknown:
		l.finish(endLost)
	case protocol.SessionClosed:
		l.finish(endClosed)
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
	l.out = flow.NewReceiver(m.Out, protocol.SessionWindow, func(have, kept, limit uint64) {
		ack := protocol.SessionAck{Have: have, Limit: limit, Kept: kept}
		l.send(ack.Append(nil, protocol.KindSessionWant))
	})
	l.shown = m.Out
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
	return l.enter(ctx, data)
}

// enter is input for whoever holds the lock of those who write.
func (l *leg) enter(ctx context.Context, data []byte) error {
	l.move()
	l.rec.input(data)
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

// inputAt is input for a client that says where its bytes belong. What is there already is passed over.
func (l *leg) inputAt(ctx context.Context, pos uint64, data []byte) error {
	select {
	case <-l.begun:
	default:
		return errOrder // nobody knows a position before
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	next := l.in.End()
	switch end := pos + uint64(len(data)); {
	case pos > next || end < pos:
		return errOrder
	case end <= next:
		return nil
	}
	return l.enter(ctx, data[next-pos:])
}

var errOrder = errors.New("input that does not follow on what came before")

// tell changes something and tells whoever waits for that.
func (l *leg) tell(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
	close(l.news)
	l.news = make(chan struct{})
}

// delivered notes that the client has all output before a position.
func (l *leg) delivered(pos uint64) {
	l.tell(func() { l.shown = max(l.shown, pos) })
	l.settle()
}

// settle lets go of output that nobody needs any more.
func (l *leg) settle() {
	l.mu.Lock()
	out, pos := l.out, l.shown
	l.mu.Unlock()
	if out != nil {
		out.Keep(min(pos, l.rec.saved(), out.Have()))
	}
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
	l.rec.resize(int(rows), int(columns))
	m := protocol.SessionResize{Rows: uint64(rows), Columns: uint64(columns)}
	l.send(m.Append(nil))
}

// drained ends the leg after the client has got all that the program printed.
func (l *leg) drained() { l.finish(endExited) }

// finish ends the leg, tells the node and, unless this process is just going away, the service.
func (l *leg) finish(e ending) {
	l.mu.Lock()
	if l.over {
		l.mu.Unlock()
		return
	}
	l.over, l.end = true, e
	report := core.ConnectionReport{Session: l.room.id, Node: l.node, Status: e.status, Closed: e.closed, Detail: e.message}
	if e == endExited {
		report.Exit = l.exit
	}
	l.mu.Unlock()
	l.send(protocol.AppendSessionClose(nil))
	l.rec.finish()
	l.room.relay.report(report)
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
	if l.end.status == core.ConnectionFailed {
		return append([]byte{byte(statusFailed)}, l.end.message...)
	}
	return append([]byte{byte(statusClosed)}, l.end.reason...)
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
		l.finish(endNoAnswer)
	case in == nil:
		l.send(l.open.Append(nil))
	case time.Since(heard) > limits.Silence:
		l.finish(endSilent)
	default:
		if away := !l.room.relay.service.Connected(l.node); away != l.isAway() {
			l.tell(func() { l.away = away })
		}
		in.Tick()
		l.settle()
		if !keepalive {
			return
		}
		out.Tell()
		if rows > 0 {
			l.resize(rows, columns)
		}
	}
}

func (l *leg) isAway() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.away
}

// idle is how long nothing went either way.
func (l *leg) idle() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.moved)
}
