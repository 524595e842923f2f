package core

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A node gets another key in steps that may each be the last before a crash. It makes the key and keeps it, PrepareKey lets it in with either, and
// its first connection with the new one, AdmitKey, refuses the one before from then on.

// RotateNodeKey asks a node to replace its key, at once if it is connected and otherwise when it comes.
func (s *Service) RotateNodeKey(ctx context.Context, c Caller, id string) (Node, error) {
	if err := s.allowObjects(ctx, &c, "node.modify", nil, KindNode, []string{id}); err != nil {
		return Node{}, err
	}
	n, err := s.changeNode(ctx, c, id, func(row *Node) { row.RotationAskedAt = s.Now() })
	if err == nil {
		s.feed.tell(Event{Rotate: n.Key})
	}
	return n, err
}

// KeyDue is when a node has to replace its key: now or before if somebody asked for it, and otherwise when the key is as old as keys may become. It
// is zero for never.
func (s *Service) KeyDue(ctx context.Context, key NodeKey) (time.Time, error) {
	n, err := s.store.Node(ctx, key)
	switch {
	case err != nil:
		return time.Time{}, err
	case !n.RemovedAt.IsZero():
		return time.Time{}, ErrNotFound
	case !n.RotationAskedAt.IsZero():
		return n.RotationAskedAt, nil
	case s.keyAge <= 0:
		return time.Time{}, nil
	}
	since := n.KeyedAt
	if since.IsZero() {
		since = n.RegisteredAt
	}
	return since.Add(s.keyAge), nil
}

// PrepareKey lets a node in with another key beside its own. The caller has checked that the node holds both.
func (s *Service) PrepareKey(ctx context.Context, n *Node, next string) error {
	taken := &Error{Code: CodeConflict, Reason: ReasonNodeTaken, Field: n.ID, Detail: "another machine has this key"}
	known, err := s.store.NodeByPublicKey(ctx, next)
	if err == nil && known.Key != n.Key {
		return taken
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	err = s.store.ChangeNode(ctx, n.Key, func(row *Node) error {
		switch {
		case !row.RemovedAt.IsZero():
			return ErrNotFound
		case row.PublicKey != next:
			row.NextPublicKey, row.UpdatedAt = next, s.Now()
		}
		return nil
	})
	if errors.Is(err, ErrTaken) {
		return taken
	}
	return err
}

// AdmitKey finds the node that connects with this nkey. The first connection with a node's next key makes it the node's own, and is the last
// at which the one before was good. ErrNotFound if there is no such node.
func (s *Service) AdmitKey(ctx context.Context, publicKey string) (Node, error) {
	n, err := s.NodeByPublicKey(ctx, publicKey)
	if err != nil || publicKey != n.NextPublicKey {
		return n, err
	}
	now := s.Now()
	err = s.store.ChangeNode(ctx, n.Key, func(row *Node) error {
		switch publicKey {
		case row.NextPublicKey:
			row.PublicKey, row.NextPublicKey, row.KeyedAt, row.RotationAskedAt, row.UpdatedAt = publicKey, "", now, time.Time{}, now
		case row.PublicKey: // another connection was first
		default:
			return ErrNotFound
		}
		n = *row
		return nil
	})
	if err != nil {
		return Node{}, fmt.Errorf("new key of node %s: %w", n.ID, err)
	}
	s.Audit(ctx, AuditRecord{
		Account: n.Account, At: now, Principal: "node/" + n.ID, Dialect: "agent", Action: "RotateKey", KeyID: publicKey, Resources: []string{"node/" + n.ID},
	})
	return n, nil
}
