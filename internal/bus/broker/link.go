package broker

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"errand/internal/bus"
	"errand/internal/protocol"
)

// A node has one connection. The process that has it keeps it, and gets it back when it comes again; another process with the same key gets it
// only when the first does not answer any more. Two processes that live at once are a machine and its copy.
const (
	// DefaultSilence is much longer than a node takes to answer, and short for an agent that was started again behind a connection of which
	// the broker has not noticed yet that it is broken.
	DefaultSilence = 5 * time.Second
	admitTime      = 5 * time.Second
	lookEvery      = 50 * time.Millisecond
	probeEvery     = 10 // looks
)

// Clone is a process that was refused, because another with the same key is connected and alive.
type Clone struct {
	Key       int64
	PublicKey string
	Source    string // address
	Newcomer  bus.Introduction
	Incumbent bus.Introduction
}

var (
	errCloned   = errors.New("another process with this key is connected and alive")
	errDeciding = errors.New("it is being found out whether another process with this key is alive")
	errMoved    = errors.New("another machine with this key was connected and its connection has not ended yet")
)

// link is a node's connection.
type link struct {
	id     uint64 // as the broker numbers connections
	public string
	source string
	bus.Introduction
}

// admit decides about a connection and returns the key of its node.
func (b *Broker) admit(c server.ClientAuthentication) (int64, error) {
	opts := c.GetOpts()
	if err := verify(opts.Nkey, opts.Sig, c.GetNonce()); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), admitTime)
	defer cancel()
	key, err := b.config.Admit(ctx, opts.Nkey)
	if err != nil {
		return 0, err
	}
	l := &link{id: c.GetID(), public: opts.Nkey, Introduction: bus.ParseIntroduction(opts.Name)}
	if addr := c.RemoteAddress(); addr != nil {
		l.source = addr.String()
	}
	return key, b.seat(key, l)
}

// seat makes l the connection of a node, if its place is free or becomes so.
func (b *Broker) seat(key int64, l *link) error {
	b.mu.Lock()
	old := b.links[key]
	// A key that is good beside another one of the same node has replaced it.
	if old == nil || old.Start == l.Start && l.Start != "" || old.public != l.public {
		b.sit(key, l)
		b.mu.Unlock()
		b.end(old)
		return nil
	}
	busy := b.deciding[key]
	b.deciding[key] = true
	b.mu.Unlock()
	if busy {
		return errDeciding
	}
	err := b.supplant(key, old, l)
	b.mu.Lock()
	delete(b.deciding, key)
	b.mu.Unlock()
	if errors.Is(err, errCloned) && b.config.Cloned != nil {
		b.config.Cloned(Clone{Key: key, PublicKey: l.public, Source: l.source, Newcomer: l.Introduction, Incumbent: old.Introduction})
	}
	return err
}

// supplant gives l the place of another process, if that does not answer any more.
func (b *Broker) supplant(key int64, old, l *link) error {
	state := b.watchIncumbent(key, old)
	b.mu.Lock()
	now := b.links[key]
	switch same, _ := protocol.SameMachine(old.Machine, l.Machine); {
	case now == nil:
	case now != old: // it came again in the meantime
		b.mu.Unlock()
		return errCloned
	case state == alive:
		b.mu.Unlock()
		return errCloned
	case state == silent && !same:
		// Whoever copies a machine may not put it out by waiting for a moment in which its line is down. What moved to other hardware gets
		// its place when the pings show that nobody is there.
		b.mu.Unlock()
		return errMoved
	}
	b.sit(key, l)
	b.mu.Unlock()
	b.end(now)
	return nil
}

// incumbent is what was found out about the process that has a connection.
type incumbent int

const (
	gone incumbent = iota
	silent
	alive
)

// watchIncumbent asks a connected node for a sign of life and looks whether anything comes.
func (b *Broker) watchIncumbent(key int64, l *link) incumbent {
	before, ok := b.received(l.id)
	if !ok {
		return gone
	}
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	end := time.NewTimer(b.config.Silence)
	defer end.Stop()
	for n := 0; ; n++ {
		if n%probeEvery == 0 && b.config.Probe != nil {
			if err := b.config.Probe(key); err != nil { // which may also be lost, so it is repeated
				b.config.Log.Warn("node not probed", "node", key, "error", err)
			}
		}
		select {
		case <-end.C:
			return silent
		case <-look.C:
		}
		now, ok := b.received(l.id)
		b.mu.Lock()
		seated := b.links[key] == l
		b.mu.Unlock()
		switch {
		case !ok || !seated:
			return gone
		case now > before:
			return alive
		}
	}
}

// received is how many messages have come over a connection; ok says that it is there.
func (b *Broker) received(id uint64) (messages int64, ok bool) {
	list, err := b.ns.Connz(&server.ConnzOptions{CID: id})
	if err != nil || len(list.Conns) == 0 {
		return 0, false
	}
	return list.Conns[0].InMsgs, true
}

// end closes a connection that has lost its place.
func (b *Broker) end(l *link) {
	if l != nil {
		_ = b.ns.DisconnectClientByID(l.id) // fails when it has ended by itself
	}
}

// left takes a connection out that has ended.
func (b *Broker) left(id uint64) {
	b.mu.Lock()
	key, ok := b.nodes[id]
	delete(b.nodes, id)
	if l := b.links[key]; l != nil && l.id == id {
		delete(b.links, key)
	} else {
		ok = false // another has its place
	}
	b.mu.Unlock()
	if ok {
		b.config.Gone(key)
	}
}

// sit is called with the lock held.
func (b *Broker) sit(key int64, l *link) {
	b.links[key] = l
	b.nodes[l.id] = key
}
