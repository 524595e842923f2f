package session

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// vendor is a client that speaks the frames of the vendor's command line client. They have no positions: what was written to it counts as arrived.
type vendor struct {
	*client
	name string // of the session, in frames
	seq  atomic.Int64
}

func (v *vendor) open(l *leg) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shown, nil
}

func (v *vendor) output(l *leg, at uint64, data []byte) error {
	if err := v.send(v.ctx, frameOutput, l.name, data); err != nil {
		return err
	}
	l.delivered(at + uint64(len(data)))
	return nil
}

func (v *vendor) drain(*leg) error { return nil }

func (v *vendor) over(l *leg) error { return v.send(v.ctx, frameStatus, l.name, l.status()) }

func (v *vendor) replaced(ctx context.Context) {
	_ = v.send(ctx, frameStatus, "", append([]byte{byte(statusClosed)}, reasonDuplicate...))
}

func (v *vendor) send(ctx context.Context, kind frameType, instance string, payload []byte) error {
	f := frame{kind: kind, session: v.name, instance: instance, created: time.Now(), sequence: v.seq.Add(1), payload: payload}
	return v.conn.Write(ctx, websocket.MessageBinary, f.append(make([]byte, 0, 256+len(payload))))
}

func (v *vendor) take(kind websocket.MessageType, message []byte) error {
	f, err := parseFrame(message)
	if err != nil || kind != websocket.MessageBinary {
		return errFrame
	}
	v.room.alive()
	for _, l := range v.room.choose(f.instance) {
		switch f.kind {
		case frameInput:
			if len(f.payload) > 0 && l.input(v.ctx, f.payload) != nil {
				return nil // the client is gone, or has to go
			}
		case frameSize:
			if rows, columns, ok := f.size(); ok {
				l.resize(rows, columns)
			}
		case frameClose:
			if string(f.payload) == "1" {
				l.finish(endClosed)
			}
		case frameOutput, frameStatus: // the server's
		}
	}
	return nil
}
