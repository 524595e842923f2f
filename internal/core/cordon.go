package core

import (
	"context"
	"fmt"
	"time"
)

// maxCordonReason is how long a reason may be, in bytes.
const maxCordonReason = 512

// Cordon keeps new runs off a node: expressions leave it out unless they ask for cordoned, and the native API refuses to run something on it by its
// id. What waits for it or runs on it goes on, and the vendors' APIs know nothing of it. A node that is cordoned already gets the new reason.
func (s *Service) Cordon(ctx context.Context, c Caller, id, reason string) (Node, error) {
	if err := s.allowObjects(ctx, &c, "node.cordon", nil, KindNode, []string{id}); err != nil {
		return Node{}, err
	}
	if len(reason) > maxCordonReason || !printable(reason) {
		return Node{}, invalid(ReasonInvalidValue, "reason", "more than %d bytes, or control characters", maxCordonReason)
	}
	return s.changeNode(ctx, c, id, func(n *Node) {
		if n.CordonedAt.IsZero() {
			n.CordonedAt = s.Now()
		}
		n.CordonedBy, n.CordonReason = c.Principal, reason
	})
}

// Uncordon lets runs come to a node again.
func (s *Service) Uncordon(ctx context.Context, c Caller, id string) (Node, error) {
	if err := s.allowObjects(ctx, &c, "node.cordon", nil, KindNode, []string{id}); err != nil {
		return Node{}, err
	}
	return s.changeNode(ctx, c, id, func(n *Node) { n.CordonedAt, n.CordonedBy, n.CordonReason = time.Time{}, "", "" })
}

// cordonedText says that a node is cordoned, since when, by whom and why.
func (n *Node) cordonedText() string {
	text := fmt.Sprintf("cordoned by %s since %s", n.CordonedBy, n.CordonedAt.Format(time.RFC3339))
	if n.CordonReason != "" {
		text += ": " + n.CordonReason
	}
	return text
}

func (n *Node) refuseCordoned() error {
	return &Error{Code: CodeUnavailable, Reason: ReasonTargetOffline, Field: n.ID, Detail: n.cordonedText() + "; uncordon it, or ask for cordoned"}
}
