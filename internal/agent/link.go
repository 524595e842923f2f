package agent

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"errand/internal/agent/identity"
)

// Link is the connection to the server. Its methods may be called from several goroutines.
type Link interface {
	// Publish sends a message to the server and does not keep it. An error only means: try again later.
	Publish(msg []byte) error
	Close()
}

// Dial connects to the server of id and goes on connecting by itself until the link is closed. It calls message for each
// message for this node, one after another, and connected after each connection and reconnection. A message is the
// callee's to keep.
type Dial func(ctx context.Context, id identity.Identity, message func([]byte), connected func()) (Link, error)

var errOffline = errors.New("not connected")

// maxRedial bounds the time between attempts to dial; the link itself looks after connections that were dialled.
const maxRedial = 30 * time.Second

// connect keeps the link.
func (a *Agent) connect(ctx context.Context) error {
	receive := func(msg []byte) {
		select {
		case a.inbox <- msg:
		case <-ctx.Done():
		}
	}
	for pause := 400 * time.Millisecond; ; pause = min(2*pause, maxRedial) {
		link, err := a.cfg.Dial(ctx, a.id, receive, a.connected)
		if err == nil {
			a.setLink(link)
			<-ctx.Done()
			a.setLink(nil)
			link.Close()
			return nil
		}
		if ctx.Err() != nil {
			return nil
		}
		a.log.Warn("no link", "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200*time.Millisecond + rand.N(pause)): //nolint:gosec // to spread a fleet, not to keep a secret
		}
	}
}

func (a *Agent) setLink(l Link) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.link = l
	if l != nil && a.early {
		nudge(a.greet)
	}
}

// connected may be called before its link is known.
func (a *Agent) connected() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.early = a.link == nil
	if !a.early {
		nudge(a.greet)
	}
}

// publish must not be called with the lock held.
func (a *Agent) publish(msg []byte) error {
	a.mu.Lock()
	l := a.link
	a.mu.Unlock()
	if l == nil {
		return errOffline
	}
	err := l.Publish(msg)
	a.mu.Lock()
	a.cut = err != nil
	a.mu.Unlock()
	return err
}
