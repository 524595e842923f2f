package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"time"

	"errand/internal/agent/logs"
	"errand/internal/flow"
	"errand/internal/protocol"
)

// openTimeout bounds the start of a session: looking up a user in a directory service, or connecting to another host.
const openTimeout = 30 * time.Second

// end is what a session leads to.
type end interface {
	// Read returns io.EOF when nothing will come any more.
	io.ReadWriter
	// Resize tells how large the caller's terminal is.
	Resize(rows, columns uint16)
	// Close ends whatever is there, unblocks Read and Write, and returns when it has ended. It may be called again.
	Close()
	// Exit says how the program ended, after Close; false if it was no program, or if it was ended.
	Exit() (code, signal int, ok bool)
}

// errUnsupported says that this operating system has no terminals that the agent knows how to use.
var errUnsupported = errors.New("terminals are not supported on this operating system")

// session is one stream each way between the server and an end.
type session struct {
	host   *Host
	id     uint64
	send   func([]byte)
	order  protocol.SessionOpen
	in     *flow.Receiver
	out    *flow.Sender
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	heard   time.Time
	end     end // nil until it is there
	state   protocol.SessionState
	rows    uint16
	columns uint16
}

func newSession(h *Host, id uint64, send func([]byte), m protocol.SessionOpen) *session {
	s := &session{host: h, id: id, send: send, order: m, heard: time.Now(), rows: 24, columns: 80}
	if m.Rows > 0 && m.Rows <= 1<<15 && m.Columns > 0 && m.Columns <= 1<<15 {
		s.rows, s.columns = uint16(m.Rows), uint16(m.Columns)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.in = flow.NewReceiver(0, protocol.SessionWindow, func(have, _, limit uint64) { // what is kept here is lost with the session itself
		ack := protocol.SessionAck{Have: have, Limit: limit}
		send(ack.Append(nil, protocol.KindSessionHave))
	})
	s.out = flow.NewSender(0, protocol.SessionWindow, protocol.SessionChunk, func(pos uint64, data []byte) {
		piece := protocol.SessionData{Pos: pos, Data: data}
		send(piece.Append(nil, protocol.KindSessionOutput))
	})
	return s
}

// receive takes a message that is not the first one.
func (s *session) receive(kind protocol.SessionKind, msg []byte) error {
	s.mu.Lock()
	s.heard = time.Now()
	s.mu.Unlock()
	switch kind {
	case protocol.KindSessionOpen: // again, or of a server that starts again
		s.tell()
		s.out.Rewind()
	case protocol.KindSessionInput:
		m, err := protocol.DecodeSessionData(msg, kind)
		if err != nil {
			return err
		}
		s.in.Put(m.Pos, m.Data)
	case protocol.KindSessionWant:
		m, err := protocol.DecodeSessionAck(msg, kind)
		if err != nil {
			return err
		}
		s.out.Acked(m.Have, m.Kept, m.Limit)
	case protocol.KindSessionResize:
		m, err := protocol.DecodeSessionResize(msg)
		if err != nil {
			return err
		}
		s.resize(uint16(m.Rows), uint16(m.Columns))
	case protocol.KindSessionClose:
		s.finish(protocol.SessionClosed, "")
		s.host.forget(s)
	case protocol.KindSessionState, protocol.KindSessionOutput, protocol.KindSessionHave:
		return fmt.Errorf("%w: kind %d is a node's", protocol.ErrMalformed, kind)
	default: // of a newer server
	}
	return nil
}

// resize notes the size for an end that is not there yet.
func (s *session) resize(rows, columns uint16) {
	s.mu.Lock()
	changed := s.rows != rows || s.columns != columns
	s.rows, s.columns = rows, columns
	e := s.end
	s.mu.Unlock()
	if e != nil && changed { // repeats are no reason to bother the program
		e.Resize(rows, columns)
	}
}

// run opens the end and moves bytes until either side has had enough.
func (s *session) run() {
	defer func() {
		if p := recover(); p != nil {
			s.host.log.Error("panic in a session", "session", s.id, "panic", logs.Panic(p), "stack", string(debug.Stack()))
			s.finish(protocol.SessionNeverBegan, "the agent failed")
		}
	}()
	e, err := s.open()
	if err != nil {
		cause := protocol.SessionNeverBegan
		if errors.Is(err, errUnsupported) {
			cause = protocol.SessionUnsupported
		}
		s.finish(cause, err.Error())
		return
	}
	s.host.log.Info("session began", "session", s.id, "user", s.order.User, "port", s.order.Port)
	defer s.host.log.Info("session ended", "session", s.id)
	s.tell()
	var moving sync.WaitGroup
	moving.Go(func() { s.moveIn(e) })
	moving.Go(func() { s.moveOut(e) })
	<-s.ctx.Done()
	e.Close()
	moving.Wait()
}

// open makes the end. It is the caller's to close even if the session has ended meanwhile.
func (s *session) open() (e end, err error) {
	ctx, cancel := context.WithTimeout(s.ctx, openTimeout)
	defer cancel()
	s.mu.Lock()
	rows, columns := s.rows, s.columns
	s.mu.Unlock()
	if s.order.Port > 0 {
		e, err = forward(ctx, s.order.Host, uint16(s.order.Port))
	} else {
		e, err = openTerminal(ctx, &s.order, rows, columns, s.host.cfg.Grace)
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.end = e
	changed := rows != s.rows || columns != s.columns
	rows, columns = s.rows, s.columns
	if s.state.Phase == 0 {
		s.state.Phase = protocol.SessionRuns
	}
	s.mu.Unlock()
	if changed {
		e.Resize(rows, columns)
	}
	return e, nil
}

// moveIn brings the caller's bytes to the end. When that does not take them any more, what it has printed still counts.
func (s *session) moveIn(e end) {
	for {
		data, err := s.in.Next(s.ctx, protocol.SessionChunk)
		if err != nil {
			return
		}
		n, err := e.Write(data)
		s.in.Done(n)
		if err != nil {
			return
		}
	}
}

// moveOut brings the end's bytes to the caller, and the session to its end after the last one.
func (s *session) moveOut(e end) {
	buf := make([]byte, protocol.SessionChunk)
	for {
		n, err := e.Read(buf)
		if n > 0 && s.out.Write(s.ctx, buf[:n]) != nil {
			return
		}
		if err != nil {
			s.exited(e)
			return
		}
	}
}

// exited ends the session after its program, with word of how that ended.
func (s *session) exited(e end) {
	e.Close()
	s.mu.Lock()
	if code, signal, ok := e.Exit(); ok && s.state.Phase != protocol.SessionEnded {
		s.state.Told, s.state.Code, s.state.Signal = true, uint64(code), uint64(signal)
	}
	s.mu.Unlock()
	s.finish(protocol.SessionExited, "")
}

// finish ends the session, unless it has ended, and tells the server how.
func (s *session) finish(cause protocol.SessionCause, detail string) {
	s.mu.Lock()
	if s.state.Phase != protocol.SessionEnded {
		s.state.Phase, s.state.Cause, s.state.Detail, s.state.End = protocol.SessionEnded, cause, detail, s.out.End()
	}
	s.mu.Unlock()
	s.cancel()
	s.tell()
}

// tell says how far the session is, once it is somewhere.
func (s *session) tell() {
	s.mu.Lock()
	state := s.state
	s.mu.Unlock()
	if state.Phase == 0 {
		return
	}
	state.In, state.Out = s.in.Have(), s.out.Start()
	s.send(state.Append(nil))
}

// repeat says again what was not answered, and something in any case when it is time to show that there is life.
func (s *session) repeat(keepalive bool) {
	s.out.Tick()
	switch {
	case s.hasEnded():
		s.tell()
	case keepalive:
		s.in.Tell()
	}
}

func (s *session) hasEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Phase == protocol.SessionEnded
}

func (s *session) silent() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.heard)
}
