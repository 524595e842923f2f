package session

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"errand/internal/core"
	"errand/internal/protocol"
)

// room is where a caller meets the nodes of a session.
type room struct {
	relay *Relay
	id    core.ID
	was   core.Session // when the room was made
	start time.Time
	legs  []*leg
	ended chan struct{} // closed when the session was ended elsewhere
	once  sync.Once

	mu     sync.Mutex
	client *client   // nil while nobody is there
	left   time.Time // when the last one left
	framed time.Time // when the last frame came
}

func newRoom(r *Relay, s *core.Session) *room {
	now := time.Now()
	room := &room{relay: r, id: s.ID, was: *s, start: now, ended: make(chan struct{}), left: now, framed: now}
	if age := r.service.Now().Sub(s.CreatedAt); age > 0 && s.Connections[0].Status != core.ConnectionConnecting {
		room.start = now.Add(-age) // it is taken up, not begun
	}
	for i := range s.Connections {
		room.legs = append(room.legs, newLeg(room, s, &s.Connections[i]))
	}
	return room
}

// kick ends the session on behalf of somebody else. It does not wait.
func (r *room) kick() { r.once.Do(func() { close(r.ended) }) }

// run looks after the session until it is over, or the process goes.
func (r *room) run() {
	defer func() {
		for _, l := range r.legs {
			l.stop()
		}
	}()
	for i, l := range r.legs {
		l.start(r.was.Connections[i].Status)
	}
	ticker := time.NewTicker(r.relay.limits.Tick)
	defer ticker.Stop()
	ended := r.ended
	for n := 0; !r.isOver(); n++ {
		select {
		case <-r.relay.ctx.Done():
			r.dismiss(errClosing)
			return
		case <-ended:
			r.finish(core.ConnectionTerminated, core.ClosedByClient, reasonExit)
			ended = nil
		case <-ticker.C:
			r.look()
			for _, l := range r.legs {
				l.tick(n%protocol.SessionKeepalive == 0)
			}
		}
	}
}

func (r *room) isOver() bool {
	for _, l := range r.legs {
		if !l.isOver() {
			return false
		}
	}
	return true
}

// look ends the session when one of its limits is reached.
func (r *room) look() {
	limits := &r.relay.limits
	r.mu.Lock()
	away, idle := r.client == nil && time.Since(r.left) > limits.Rejoin, time.Since(r.framed)
	r.mu.Unlock()
	if r.was.Mode == core.SessionPort {
		idle = min(idle, r.legs[0].idle())
	}
	switch {
	case away:
		r.finish(core.ConnectionDisconnected, core.ClosedByClient, reasonTimeout)
	case idle > limits.Idle, time.Since(r.start) > limits.Hard:
		r.finish(core.ConnectionTerminated, core.ClosedByClient, reasonTimeout)
	}
}

func (r *room) finish(status core.ConnectionStatus, why core.CloseReason, reason string) {
	for _, l := range r.legs {
		l.finish(status, why, reason, "")
	}
}

// Why a client is let go.
var (
	errReplaced = errors.New("another connection took over")
	errClosing  = errors.New("the server stops")
	errLeft     = errors.New("the client left")
)

// dismiss lets go of the client, if one is there.
func (r *room) dismiss(why error) {
	r.mu.Lock()
	c := r.client
	r.mu.Unlock()
	if c != nil {
		c.leave(why)
	}
}

// client is a caller's connection.
type client struct {
	room  *room
	conn  *websocket.Conn
	name  string // of the session, in frames
	ctx   context.Context
	leave context.CancelCauseFunc
	drop  context.CancelFunc // ends the connection as it is
	quiet chan struct{}      // closed when nothing more is taken from the legs
	seq   atomic.Int64
}

// serve connects a caller with the session. Whoever was there before makes room; what was not written to that one is written to the new one.
func (r *room) serve(ctx context.Context, conn *websocket.Conn, name string) {
	c := &client{room: r, conn: conn, name: name, quiet: make(chan struct{})}
	c.ctx, c.leave = context.WithCancelCause(ctx)
	defer c.leave(errLeft)
	ctx, c.drop = context.WithCancel(ctx)
	defer c.drop()
	r.mu.Lock()
	before := r.client
	r.client, r.framed = c, time.Now()
	r.mu.Unlock()
	if r.relay.ctx.Err() != nil { // run may have looked for clients before this one came
		c.leave(errClosing)
	}
	if before != nil {
		before.leave(errReplaced)
		<-before.quiet
	}
	var bye sync.WaitGroup
	bye.Go(c.write)
	c.read(ctx)
	c.leave(errLeft)
	<-c.quiet
	r.mu.Lock()
	if r.client == c {
		r.client, r.left = nil, time.Now()
	}
	r.mu.Unlock()
	bye.Wait()
}

// write brings the output of all nodes to the client and, when there is no more or the client has to go, says goodbye.
func (c *client) write() {
	var legs sync.WaitGroup
	for _, l := range c.room.legs {
		legs.Go(func() {
			if err := c.pump(l); err != nil {
				c.leave(errLeft)
			}
		})
	}
	go c.ping()
	legs.Wait()
	close(c.quiet)
	code, text := websocket.StatusNormalClosure, "the session is over"
	switch why := context.Cause(c.ctx); {
	case errors.Is(why, errReplaced):
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), time.Second)
		defer cancel()
		_ = c.frame(ctx, frameStatus, "", append([]byte{byte(statusClosed)}, reasonDuplicate...)) // a courtesy
		code, text = websocket.StatusPolicyViolation, why.Error()
	case errors.Is(why, errClosing):
		code, text = websocket.StatusGoingAway, why.Error()
	}
	timer := time.AfterFunc(goodbye, c.drop)
	defer timer.Stop()
	_ = c.conn.Close(code, text) // or it is closed already
}

// goodbye is how long a client may take to agree that the connection is over; five seconds if it was just being read from.
const goodbye = time.Second

// pingInterval keeps what stands between client and server from taking the connection for dead.
const pingInterval = 30 * time.Second

func (c *client) ping() {
	ticker := time.NewTicker(pingInterval)
	defer ticker.Stop()
	for {
		select {
		case <-c.quiet:
			return
		case <-ticker.C:
			_ = c.conn.Ping(c.ctx) // which of the two sides is still there, others find out
		}
	}
}

// pump brings the output of one node to the client, and then how it ended. An error means that the client is gone.
func (c *client) pump(l *leg) error {
	select {
	case <-l.begun:
	case <-l.gone:
		return c.frame(c.ctx, frameStatus, l.name, l.status())
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
	ctx, cancel := l.within(c.ctx)
	defer cancel()
	for {
		data, err := l.out.Next(ctx, maxOutput)
		switch {
		case errors.Is(err, io.EOF):
			l.drained()
			return c.frame(c.ctx, frameStatus, l.name, l.status())
		case c.ctx.Err() != nil:
			return context.Cause(c.ctx)
		case err != nil: // the leg is over
			return c.frame(c.ctx, frameStatus, l.name, l.status())
		}
		if err := c.frame(c.ctx, frameOutput, l.name, data); err != nil {
			return err
		}
		l.out.Done(len(data))
	}
}

func (c *client) frame(ctx context.Context, kind frameType, instance string, payload []byte) error {
	f := frame{kind: kind, session: c.name, instance: instance, created: time.Now(), sequence: c.seq.Add(1), payload: payload}
	return c.conn.Write(ctx, websocket.MessageBinary, f.append(make([]byte, 0, 256+len(payload))))
}

// read takes the client's frames until there are no more. A client that does not keep to the framing is let go; the session stays for
// a while, for it may come back.
func (c *client) read(ctx context.Context) {
	for {
		kind, message, err := c.conn.Read(ctx)
		if err != nil {
			return
		}
		f, err := parseFrame(message)
		if err != nil || kind != websocket.MessageBinary {
			_ = c.conn.Close(websocket.StatusUnsupportedData, reasonBadData)
			return
		}
		c.take(&f)
	}
}

// take does what a frame asks for, unless the client has to go: then what it still sends is only read until it hears so.
func (c *client) take(f *frame) {
	if c.ctx.Err() != nil {
		return
	}
	c.room.mu.Lock()
	c.room.framed = time.Now()
	c.room.mu.Unlock()
	for _, l := range c.room.choose(f.instance) {
		switch f.kind {
		case frameInput:
			if len(f.payload) == 0 {
				continue
			}
			if l.input(c.ctx, f.payload) != nil {
				return
			}
		case frameSize:
			if rows, columns, ok := f.size(); ok {
				l.resize(rows, columns)
			}
		case frameClose:
			if string(f.payload) == "1" {
				l.finish(core.ConnectionTerminated, core.ClosedByClient, reasonExit, "")
			}
		case frameOutput, frameStatus: // the server's
		}
	}
}

// choose returns the legs that a frame is for: that of the instance it names, or all.
func (r *room) choose(instance string) []*leg {
	if instance == "" || len(r.legs) == 1 {
		return r.legs
	}
	for i, l := range r.legs {
		if l.name == instance || l.id == instance {
			return r.legs[i : i+1]
		}
	}
	return nil
}
