package core

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// A node that is cordoned gets no new runs: expressions leave it out unless they ask for cordoned, and the native API refuses to run something on
// it by its id. What waits for it or runs on it goes on, and the vendors' APIs know nothing of it.

// maxCordonReason is how long a reason may be, in bytes.
const maxCordonReason = 512

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

// NodeChange is what shall be different about a node.
type NodeChange struct {
	Name     *string
	Tags     []Tag    // added, or with another value
	Untag    []string // keys of tags to take away; one that is not there is passed over
	Cordoned *bool
	Reason   string // of the cordon
}

// ModifyNode changes several things about a node, or none of them: each needs the right that it needs alone.
func (s *Service) ModifyNode(ctx context.Context, c Caller, id string, change NodeChange) (Node, error) {
	ids := []string{id}
	untag := make([]Tag, len(change.Untag))
	for i, key := range change.Untag {
		untag[i].Key = key
	}
	for _, right := range []struct {
		needed bool
		verb   string
		tags   []Tag
	}{
		{change.Name != nil, "node.modify", nil},
		{len(change.Tags) > 0, "tag.add", change.Tags},
		{len(untag) > 0, "tag.remove", untag},
		{change.Cordoned != nil, "node.cordon", nil},
	} {
		if right.needed {
			if err := s.allowObjects(ctx, &c, right.verb, right.tags, KindNode, ids); err != nil {
				return Node{}, err
			}
		}
	}
	switch {
	case change.Name == nil && len(change.Tags) == 0 && len(untag) == 0 && change.Cordoned == nil:
		if err := s.allowObjects(ctx, &c, "node.modify", nil, KindNode, ids); err != nil {
			return Node{}, err
		}
		return Node{}, invalid(ReasonMissing, "name", "nothing to change: name, tags or cordoned")
	case change.Reason != "" && (change.Cordoned == nil || !*change.Cordoned):
		return Node{}, invalid(ReasonInvalidValue, "reason", "only a cordon has one")
	}
	if err := change.check(); err != nil {
		return Node{}, err
	}
	n, err := s.tryChangeNode(ctx, c, id, func(n *Node) error {
		if change.Name != nil {
			n.Name = *change.Name
		}
		n.Tags = slices.DeleteFunc(slices.Clone(n.Tags), func(t Tag) bool { return slices.Contains(change.Untag, t.Key) })
		var err error
		if n.Tags, err = addTags(n.Tags, change.Tags); err != nil {
			return err
		}
		if change.Cordoned != nil {
			n.setCordon(*change.Cordoned, c.Principal, change.Reason, s.Now())
		}
		return nil
	})
	one := []Node{n}
	s.overlay(one)
	return one[0], err
}

func (change *NodeChange) check() error {
	if change.Name != nil {
		if err := checkNodeName(*change.Name); err != nil {
			return err
		}
	}
	if len(change.Reason) > maxCordonReason || !printable(change.Reason) {
		return invalid(ReasonInvalidValue, "reason", "more than %d bytes, or control characters", maxCordonReason)
	}
	for _, key := range change.Untag {
		if slices.ContainsFunc(change.Tags, func(t Tag) bool { return t.Key == key }) {
			return invalid(ReasonTagDuplicate, "tags", "key %q is added and taken away", key)
		}
	}
	return checkTags(change.Tags, MaxTags, MaxTagKey)
}

// setCordon begins or ends a cordon.
func (n *Node) setCordon(on bool, by, reason string, now time.Time) {
	if !on {
		n.CordonedAt, n.CordonedBy, n.CordonReason = time.Time{}, "", ""
		return
	}
	if n.CordonedAt.IsZero() {
		n.CordonedAt = now
	}
	n.CordonedBy, n.CordonReason = by, reason
}
