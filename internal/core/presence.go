package core

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// Seen notes a sign of life of a node in memory; FlushSeen writes it down. Many heartbeats thus cost one transaction.
func (s *Service) Seen(key NodeKey, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[key], s.live[key] = at, at
	s.linked[key] = true
}

// Gone notes that a node's connection to this process ended. It stays online for the rest of its OnlineWindow, as the vendors define it, but
// nothing is handed to it meanwhile.
func (s *Service) Gone(key NodeKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.linked, key)
}

// Connected reports whether a node can be reached right now.
func (s *Service) Connected(key NodeKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.linked[key]
}

// FlushSeen writes the noted signs of life.
func (s *Service) FlushSeen(ctx context.Context) error {
	s.mu.Lock()
	seen := s.seen
	s.seen = map[NodeKey]time.Time{}
	s.mu.Unlock()
	if len(seen) == 0 {
		return nil
	}
	err := s.store.SetLastSeen(ctx, seen)
	if err != nil {
		s.mu.Lock()
		maps.Copy(seen, s.seen)
		s.seen = seen
		s.mu.Unlock()
	}
	return err
}

// overlay puts signs of life that are not yet written down on top of rows.
func (s *Service) overlay(nodes []Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range nodes {
		if at := s.live[nodes[i].Key]; at.After(nodes[i].LastSeen) {
			nodes[i].LastSeen = at
		}
	}
}

// Introduce takes what a node says about itself when it connects. ErrNotFound if the node was removed meanwhile.
func (s *Service) Introduce(ctx context.Context, key NodeKey, f Facts) error {
	now := s.Now()
	s.Seen(key, now)
	known, err := s.store.Node(ctx, key)
	if err != nil {
		return err
	}
	if !known.RemovedAt.IsZero() {
		return ErrNotFound
	}
	want := known
	f.apply(&want)
	if sameFacts(&known, &want) {
		return nil
	}
	return s.store.ChangeNode(ctx, key, func(n *Node) error {
		f.apply(n)
		n.UpdatedAt = now
		return nil
	})
}

func (f *Facts) apply(n *Node) {
	n.Hostname, n.OSName, n.Kernel, n.Arch, n.BootID = f.Hostname, f.OSName, f.Kernel, f.Arch, f.BootID
	n.Zone, n.PrivateIP, n.Agent, n.Platform = f.Zone, f.PrivateIP, f.Agent, f.Platform
	n.Features, n.CPUs, n.Memory, n.GPUs = f.Features, f.CPUs, f.Memory, f.GPUs
}

func sameFacts(a, b *Node) bool {
	return slices.Equal(a.Features, b.Features) && slices.Equal(a.GPUs, b.GPUs) && a.CPUs == b.CPUs && a.Memory == b.Memory && a.Hostname == b.Hostname && a.OSName == b.OSName && a.Kernel == b.Kernel && a.Arch == b.Arch && a.BootID == b.BootID &&
		a.Zone == b.Zone && a.PrivateIP == b.PrivateIP && a.Agent == b.Agent && a.Platform == b.Platform
}

// NodeByPublicKey finds the node that may connect with this nkey; ErrNotFound if there is none.
func (s *Service) NodeByPublicKey(ctx context.Context, publicKey string) (Node, error) {
	n, err := s.store.NodeByPublicKey(ctx, publicKey)
	if err == nil && !n.RemovedAt.IsZero() {
		err = errors.Join(ErrNotFound, errors.New("node was removed"))
	}
	return n, err
}

// ConnectedNodes is how many nodes are connected to this process.
func (s *Service) ConnectedNodes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.linked)
}
