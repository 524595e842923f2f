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

// Line is what a link is made for.
type Line struct {
	StartID string // names this run of the agent
	Machine string // the machine's fingerprint
	// Message is called for each message for this node, one after another. A message is the callee's to keep.
	Message func(msg []byte)
	// Connected is called after each connection and reconnection.
	Connected func()
	// Refused is called when the server does not let this node in. The link tries no more and waits to be closed.
	Refused func()
}

// Dial connects to the server of id and goes on connecting by itself until the link is closed or refused.
type Dial func(ctx context.Context, id identity.Identity, l Line) (Link, error)

var (
	errOffline = errors.New("not connected")
	errRekeyed = errors.New("the key is another one")
	errRefused = errors.New("the server does not let this node in")
)

// Bounds of the time between attempts to dial; the link itself looks after connections that were dialled.
const (
	minRedial = 400 * time.Millisecond
	maxRedial = 30 * time.Second
)

// connect keeps the link.
func (a *Agent) connect(ctx context.Context) error {
	sleep := hibernation{first: a.cfg.tempo.hibernate, most: a.cfg.tempo.maxHibernate}
	for pause := minRedial; ; pause = min(2*pause, maxRedial) {
		connected, err := a.hold(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if connected {
			pause, sleep.refusals = minRedial, 0
		}
		if errors.Is(err, errRekeyed) {
			continue
		}
		if errors.Is(err, errRefused) {
			switch rest, err := a.refused(ctx, &sleep); {
			case err != nil || ctx.Err() != nil:
				return err
			case rest:
				pause = minRedial
				continue
			}
		} else {
			a.log.Warn("no link", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200*time.Millisecond + rand.N(pause)): //nolint:gosec // to spread a fleet, not to keep a secret
		}
	}
}

// hold dials and has the link in use until it is refused or ctx ends. It reports whether there was a connection.
func (a *Agent) hold(ctx context.Context) (connected bool, err error) {
	refused := make(chan struct{}, 1)
	before := a.connections.Load()
	link, err := a.cfg.Dial(ctx, a.present(), Line{
		StartID: a.startID, Machine: a.machine, Connected: a.connected, Refused: func() { nudge(refused) },
		Message: func(msg []byte) {
			select {
			case a.inbox <- msg:
			case <-ctx.Done():
			}
		},
	})
	if err != nil {
		return false, err
	}
	a.setLink(link)
	select {
	case <-ctx.Done():
	case <-refused:
		err = errRefused
	case <-a.relink:
		err = errRekeyed
	}
	a.setLink(nil)
	link.Close()
	return a.connections.Load() != before, err
}

func (a *Agent) setLink(l Link) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.link = l
	if l != nil && a.early {
		nudge(a.greet)
	}
	a.early = false
}

// connected may be called before its link is known.
func (a *Agent) connected() {
	a.connections.Add(1)
	nudge(a.greeted)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.early = a.link == nil
	a.since = time.Now()
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
