package session

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// dialect is how a client's messages look.
type dialect interface {
	// open says hello before the first output of a leg and returns the position from which that is wanted.
	open(l *leg) (from uint64, err error)
	// output sends bytes of a leg that begin at a position.
	output(l *leg, at uint64, data []byte) error
	// drain waits until the client has all output of a leg, whose last byte was sent.
	drain(l *leg) error
	// over tells how a leg ended.
	over(l *leg) error
	// take does what a message asks for. An error means that the client does not keep to the rules.
	take(kind websocket.MessageType, message []byte) error
	// replaced says that another client has taken over, which is a courtesy.
	replaced(ctx context.Context)
}

// client is a caller's connection.
type client struct {
	room  *room
	conn  *websocket.Conn
	wire  dialect
	legs  []*leg
	ctx   context.Context
	leave context.CancelCauseFunc
	whole context.Context    // of the connection as it is
	drop  context.CancelFunc // ends it
	quiet chan struct{}      // closed when nothing more is taken from the legs
}

func newClient(ctx context.Context, r *room, conn *websocket.Conn) *client {
	c := &client{room: r, legs: r.legs, conn: conn, quiet: make(chan struct{})}
	c.ctx, c.leave = context.WithCancelCause(ctx)
	c.whole, c.drop = context.WithCancel(ctx)
	return c
}

// serve moves bytes until either side has had enough.
func (c *client) serve() {
	var bye sync.WaitGroup
	bye.Go(c.write)
	c.read()
	c.leave(errLeft)
	<-c.quiet
	bye.Wait()
}

// write brings the output of all nodes to the client and, when there is no more or the client has to go, says goodbye.
func (c *client) write() {
	var legs sync.WaitGroup
	for _, l := range c.legs {
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
		c.wire.replaced(ctx)
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
		return c.wire.over(l)
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
	ctx, cancel := l.within(c.ctx)
	defer cancel()
	pos, err := c.wire.open(l)
	if err != nil {
		return err
	}
	for {
		at, data, err := l.out.From(ctx, pos, maxOutput)
		if errors.Is(err, io.EOF) {
			err = c.wire.drain(l)
		}
		switch {
		case c.ctx.Err() != nil:
			return context.Cause(c.ctx)
		case err != nil: // the leg is over
			return c.wire.over(l)
		case len(data) == 0:
			l.drained()
			return c.wire.over(l)
		}
		if err := c.wire.output(l, at, data); err != nil {
			return err
		}
		pos = at + uint64(len(data))
	}
}

// read takes the client's messages until there are no more. A client that does not keep to the rules is let go; the session stays for
// a while, for it may come back.
func (c *client) read() {
	for {
		kind, message, err := c.conn.Read(c.whole)
		if err != nil {
			return
		}
		if c.ctx.Err() != nil {
			continue // it has to go: what it still sends is only read until it hears so
		}
		if c.wire.take(kind, message) != nil {
			_ = c.conn.Close(websocket.StatusUnsupportedData, reasonBadData)
			return
		}
	}
}
