package core

import (
	"context"
	"maps"
	"time"
)

// announced is which nodes were last said to be online, and connected.
type announced struct {
	known          bool // online was read from the store
	online, linked map[NodeKey]bool
}

// NotePresence writes down which nodes have come online or gone offline, were connected or disconnected, since it was called last. It is for
// one goroutine. A server that was away for less than the OnlineWindow says nothing of nodes that stayed.
func (s *Service) NotePresence(ctx context.Context) error {
	now := s.Now()
	a := &s.announced
	if !a.known {
		seen, err := s.store.SeenSince(ctx, now.Add(-OnlineWindow))
		if err != nil {
			return err
		}
		a.known, a.online, a.linked = true, map[NodeKey]bool{}, map[NodeKey]bool{}
		s.mu.Lock()
		for key, at := range seen {
			a.online[key] = true
			if at.After(s.live[key]) {
				s.live[key] = at
			}
		}
		s.mu.Unlock()
	}
	notes := s.presenceNews(now)
	if err := s.store.NoteNodes(ctx, notes); err != nil {
		return err
	}
	for _, n := range notes {
		switch n.Change { //nolint:exhaustive // the others are no matter of presence
		case NodeOnline:
			a.online[n.Node] = true
		case NodeOffline:
			delete(a.online, n.Node)
		case NodeConnected:
			a.linked[n.Node] = true
		case NodeDisconnected:
			delete(a.linked, n.Node)
		}
	}
	return nil
}

// presenceNews is what has to be said.
func (s *Service) presenceNews(now time.Time) (notes []NodeNote) {
	a := &s.announced
	note := func(key NodeKey, c NodeEvent) { notes = append(notes, NodeNote{Node: key, Change: c, At: now}) }
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.linked {
		if !a.linked[key] {
			note(key, NodeConnected)
		}
	}
	for key := range maps.Keys(a.linked) {
		if !s.linked[key] {
			note(key, NodeDisconnected)
		}
	}
	for key, at := range s.live {
		switch online := now.Sub(at) < OnlineWindow; {
		case online && !a.online[key]:
			note(key, NodeOnline)
		case !online && a.online[key]:
			note(key, NodeOffline)
		}
	}
	return notes
}
