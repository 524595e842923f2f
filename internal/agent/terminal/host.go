// Package terminal is the node's end of interactive sessions: a login shell or one command in a pseudo-terminal, or a TCP connection from this
// node. Sessions live in the agent's own process and end with it; package protocol has the contract that they keep with the server.
package terminal

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"errand/internal/protocol"
)

// MaxSessions is how many sessions a node has at a time.
const MaxSessions = 20

// maxRemembered is how many sessions that are over a host knows by number, so that none is started a second time.
const maxRemembered = 4096

// Config is what a Host is made of; zero values have defaults.
type Config struct {
	Log     *slog.Logger
	Silence time.Duration // after which a session without a word from the server is given up
	Grace   time.Duration // between asking the processes of a session to end and forcing them
	Tick    time.Duration // of everything that is repeated
}

// Send publishes a message of a session and does not wait. An error means that it is lost, which the protocol makes good.
type Send func(session uint64, msg []byte) error

// Host has a node's sessions.
type Host struct {
	cfg  Config
	log  *slog.Logger
	stop chan struct{}
	work sync.WaitGroup

	mu       sync.Mutex
	sessions map[uint64]*session
	over     []uint64 // sessions that are no more, the oldest first
	closed   bool
}

// NewHost starts a host.
func NewHost(c Config) *Host {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Silence == 0 {
		c.Silence = protocol.SessionSilence * time.Second
	}
	if c.Grace == 0 {
		c.Grace = 2 * time.Second
	}
	if c.Tick == 0 {
		c.Tick = time.Second
	}
	h := &Host{cfg: c, log: c.Log, stop: make(chan struct{}), sessions: map[uint64]*session{}}
	h.work.Go(h.tick)
	return h
}

// Close ends all sessions and returns when their processes have ended.
func (h *Host) Close() {
	h.mu.Lock()
	h.closed = true
	all := h.list()
	h.mu.Unlock()
	for _, s := range all {
		s.finish(protocol.SessionAbandoned, "the agent stops")
		h.forget(s)
	}
	close(h.stop)
	h.work.Wait()
}

// list returns the sessions. The caller holds the lock.
func (h *Host) list() []*session {
	all := make([]*session, 0, len(h.sessions))
	for _, s := range h.sessions {
		all = append(all, s)
	}
	return all
}

// Receive takes a message to a session. It does not wait.
func (h *Host) Receive(send Send, id uint64, msg []byte) {
	kind, err := protocol.SessionKindOf(msg)
	if err != nil {
		h.log.Warn("message to a session not understood", "session", id, "error", err)
		return
	}
	h.mu.Lock()
	s := h.sessions[id]
	h.mu.Unlock()
	switch {
	case s != nil:
		err = s.receive(kind, msg)
	case kind == protocol.KindSessionOpen:
		err = h.open(send, id, msg)
	default:
		unknown := protocol.SessionState{Phase: protocol.SessionEnded, Cause: protocol.SessionUnknown}
		err = send(id, unknown.Append(nil))
	}
	if err != nil {
		h.log.Warn("message to a session", "session", id, "kind", kind, "error", err)
	}
}

// open begins a session.
func (h *Host) open(send Send, id uint64, msg []byte) error {
	m, err := protocol.DecodeSessionOpen(msg)
	if err != nil {
		return err
	}
	refuse := func(cause protocol.SessionCause, detail string) error {
		refusal := protocol.SessionState{Phase: protocol.SessionEnded, Cause: cause, Detail: detail}
		return send(id, refusal.Append(nil))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil
	case slices.Contains(h.over, id):
		return refuse(protocol.SessionUnknown, "it was here before and is over")
	case h.active() >= MaxSessions:
		return refuse(protocol.SessionTooMany, "the node has as many sessions as it may")
	}
	s := newSession(h, id, func(b []byte) { _ = send(id, b) }, m)
	h.sessions[id] = s
	h.work.Go(s.run)
	return nil
}

// active counts the sessions that have not ended. The caller holds the lock.
func (h *Host) active() int {
	n := 0
	for _, s := range h.sessions {
		if !s.hasEnded() {
			n++
		}
	}
	return n
}

// forget takes a session that has ended off the list.
func (h *Host) forget(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sessions[s.id] != s {
		return
	}
	delete(h.sessions, s.id)
	if len(h.over) == maxRemembered {
		h.over = slices.Delete(h.over, 0, maxRemembered/2)
	}
	h.over = append(h.over, s.id)
}

// tick repeats what was not answered, and gives up what the server does not ask for any more.
func (h *Host) tick() {
	ticker := time.NewTicker(h.cfg.Tick)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-h.stop:
			return
		case <-ticker.C:
		}
		h.mu.Lock()
		all := h.list()
		h.mu.Unlock()
		for _, s := range all {
			if s.silent() > h.cfg.Silence {
				s.finish(protocol.SessionAbandoned, "the server was not heard of")
				h.forget(s)
				continue
			}
			s.repeat(n%protocol.SessionKeepalive == 0)
		}
	}
}
