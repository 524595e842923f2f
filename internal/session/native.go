package session

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/coder/websocket"

	"errand/internal/core"
	"errand/internal/session/wire"
)

// native is a client that speaks wire.Protocol. It is about one node.
type native struct {
	*client
	leg   *leg
	have  uint64 // the client has all output before this position, as it says
	watch bool   // it only looks on
	again string
}

func (n *native) send(ctx context.Context, m *wire.Message) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return n.conn.Write(ctx, websocket.MessageText, text)
}

func (n *native) open(l *leg) (from uint64, err error) {
	if !n.watch {
		l.delivered(n.have)
	}
	l.mu.Lock()
	in, shown := l.in, l.shown
	l.mu.Unlock()
	if from = shown; n.watch {
		from = max(n.have, l.out.Start())
	}
	next := in.End()
	limits := &n.room.relay.limits
	hello := wire.Message{
		Type: "hello", Session: n.room.id.String(), Node: l.id, In: &next, Out: &from, Window: wire.Window, Watch: n.watch, Recorded: n.room.was.Record,
		Again: n.again, Rejoin: int(limits.Rejoin / time.Second),
	}
	if n.room.was.Limit > 0 {
		ends := n.room.start.Add(n.room.was.Limit).UTC().Truncate(time.Second)
		hello.Ends = &ends
	}
	if err := n.send(n.ctx, &hello); err != nil {
		return 0, err
	}
	go n.tell(in.Have)
	return from, nil
}

// tell keeps the client up to date about all but the output, until it leaves.
func (n *native) tell(have func() uint64) {
	acked, online, watchers := uint64(0), true, 0
	for {
		n.leg.mu.Lock()
		news, away := n.leg.news, n.leg.away
		n.leg.mu.Unlock()
		var err error
		if now := have(); now > acked && !n.watch {
			acked = now
			err = n.send(n.ctx, &wire.Message{Type: "ack", Have: &now})
		}
		if looking := n.room.looking(); online == away || looking != watchers {
			online, watchers = !away, looking
			shown := online
			err = errors.Join(err, n.send(n.ctx, &wire.Message{Type: "state", Online: &shown, Watchers: &looking}))
		}
		if err != nil {
			return
		}
		select {
		case <-news:
		case <-n.ctx.Done():
			return
		}
	}
}

func (n *native) output(_ *leg, at uint64, data []byte) error {
	return n.conn.Write(n.ctx, websocket.MessageBinary, wire.Data(at, data))
}

func (n *native) drain(l *leg) error {
	for !n.watch {
		l.mu.Lock()
		news, shown := l.news, l.shown
		l.mu.Unlock()
		if shown >= l.out.Have() {
			return nil
		}
		select {
		case <-news:
		case <-l.gone:
			return errOver
		case <-n.ctx.Done():
			return context.Cause(n.ctx)
		}
	}
	select { // it is not for whoever looks on to say that the session is over
	case <-l.gone:
		return errOver
	case <-n.ctx.Done():
		return context.Cause(n.ctx)
	}
}

func (n *native) over(l *leg) error {
	l.mu.Lock()
	m := wire.Message{Type: "end", Reason: l.end.word, Message: l.end.message}
	if e := l.exit; e != nil && l.end == endExited {
		if m.Signal = e.Signal; e.Signal == 0 {
			m.ExitCode = &e.Code
		}
	}
	l.mu.Unlock()
	return n.send(n.ctx, &m)
}

func (n *native) replaced(ctx context.Context) {
	_ = n.send(ctx, &wire.Message{Type: "replaced", Message: errReplaced.Error()})
}

func (n *native) take(kind websocket.MessageType, message []byte) error {
	if kind == websocket.MessageBinary {
		pos, data, ok := wire.ParseData(message)
		if n.watch || !ok {
			return errFrame
		}
		n.room.alive()
		err := n.leg.inputAt(n.ctx, pos, data)
		if errors.Is(err, errOrder) {
			return err
		}
		return nil // the client is gone, or has to go
	}
	var m wire.Message
	if json.Unmarshal(message, &m) != nil {
		return errFrame
	}
	switch {
	case n.watch:
	case m.Type == "ack" && m.Have != nil:
		n.leg.delivered(*m.Have)
	case m.Type == "resize":
		if m.Rows < 1 || m.Columns < 1 || m.Rows > core.MaxSessionSize || m.Columns > core.MaxSessionSize {
			return nil
		}
		n.room.alive()
		n.leg.resize(uint16(m.Rows), uint16(m.Columns))
	case m.Type == "end":
		n.leg.finish(endClosed)
	}
	return nil
}
