package core

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Condition is something that keeps a node from taking work, or may do so.
type Condition struct {
	Code  string    // one of the Condition constants
	Text  string    // one sentence for people
	Since time.Time // zero if nobody knows
	// Blocks is whether the node takes no work at all while it lasts.
	Blocks bool
}

// The conditions.
const (
	ConditionRemoved   = "removed"
	ConditionNeverSeen = "never_seen"
	ConditionSilent    = "silent"
	ConditionUnlinked  = "disconnected"
	ConditionCordoned  = "cordoned"
	ConditionAgentOld  = "agent_old"
	ConditionKey       = "key_pending"
	ConditionClone     = "clone"
	ConditionUpgrade   = "upgrade"
)

// Why tells what keeps a node from taking work: nothing, if the list is empty. It knows removed nodes as well, by the latest that had the id.
func (s *Service) Why(ctx context.Context, c Caller, id string) (Node, []Condition, error) {
	if err := s.allowObjects(ctx, &c, "node.list", nil, KindNode, []string{id}); err != nil {
		return Node{}, nil, err
	}
	rows, _, err := s.store.ListNodes(ctx, NodeFilter{Account: c.Account, IDs: []string{id}, Removed: true}, Page{Limit: 1})
	if err != nil {
		return Node{}, nil, err
	}
	if len(rows) == 0 {
		return Node{}, nil, notFound(ReasonTargetNotFound, "no node %s", id)
	}
	s.overlay(rows)
	n := rows[0]
	now := s.Now()
	if !n.RemovedAt.IsZero() {
		return n, []Condition{{
			ConditionRemoved, fmt.Sprintf("It was removed from the account %s ago, and its key is refused.", ago(now, n.RemovedAt)), n.RemovedAt, true,
		}}, nil
	}
	list := s.presenceOf(&n, now)
	if !n.CordonedAt.IsZero() {
		list = append(list, Condition{ConditionCordoned, sentence("it is " + n.cordonedText()), n.CordonedAt, false})
	}
	if lacks := n.lacks(); n.Agent != "" && len(lacks) > 0 {
		list = append(list, Condition{
			ConditionAgentOld, fmt.Sprintf("Its agent %s takes no work that needs: %s.", n.Agent, strings.Join(lacks, ", ")), time.Time{}, false,
		})
	}
	switch {
	case n.NextPublicKey != "":
		list = append(list, Condition{ConditionKey, "It announced a new key and has not connected with it yet; both keys are good until it does.", n.UpdatedAt, false})
	case !n.RotationAskedAt.IsZero():
		list = append(list, Condition{
			ConditionKey, fmt.Sprintf("It was asked %s ago to replace its key and has not done so yet.", ago(now, n.RotationAskedAt)), n.RotationAskedAt, false,
		})
	}
	if since := s.cloned(n.Key, now); !since.IsZero() {
		list = append(list, Condition{
			ConditionClone, "Another machine came with its key and was refused: one of the two is a copy of the other.", since, false,
		})
	}
	upgrade, err := s.whyUpgrade(ctx, &n)
	return n, append(list, upgrade...), err
}

// presenceOf says what is wrong with the node's connection.
func (s *Service) presenceOf(n *Node, now time.Time) []Condition {
	switch {
	case n.LastSeen.IsZero():
		return []Condition{{
			ConditionNeverSeen, fmt.Sprintf("It enrolled %s ago and its agent has never connected.", ago(now, n.RegisteredAt)), n.RegisteredAt, true,
		}}
	case !n.Online(now):
		return []Condition{{
			ConditionSilent, fmt.Sprintf("It is offline: nothing was heard of it for %s.", ago(now, n.LastSeen)), n.LastSeen, true,
		}}
	case !s.Connected(n.Key):
		return []Condition{{
			ConditionUnlinked,
			fmt.Sprintf("Its connection ended or is not made yet; it counts as online until it has been silent for %s.", brief(OnlineWindow)), n.LastSeen, true,
		}}
	}
	return nil
}

// whyUpgrade says what became of the node in a rollout that did not go well.
func (s *Service) whyUpgrade(ctx context.Context, n *Node) ([]Condition, error) {
	rollouts, err := s.store.ListRollouts(ctx)
	if err != nil {
		return nil, err
	}
	for i := range rollouts {
		r := &rollouts[i]
		if r.Account != 0 && r.Account != n.Account || r.State == RolloutReplaced {
			continue
		}
		rows, err := s.store.NodeUpgrades(ctx, r.ID)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(rows, func(u NodeUpgrade) bool { return u.Node == n.Key })
		if at < 0 || !rows[at].State.Failed() {
			continue
		}
		u := &rows[at]
		text := fmt.Sprintf("its agent did not change to %s (%s)", r.Version, u.State)
		if u.Detail != "" {
			text += ": " + u.Detail
		}
		return []Condition{{ConditionUpgrade, sentence(text), u.UpdatedAt, false}}, nil
	}
	return nil, nil
}

// lacks are the features that agents of today have and the node's has not.
func (n *Node) lacks() (list []string) {
	known := []string{featureSchedule, featureFile, featureDryRun, featurePolicy, featureTransfer}
	if n.Platform == Linux {
		known = append(known, featureContainer, featureSecret, featureLimits, featureLogin, featurePower)
	}
	for _, f := range known {
		if !n.offers([]string{f}) {
			list = append(list, f)
		}
	}
	return list
}

// cloned is when a clone of a node was last refused; zero if none is known.
func (s *Service) cloned(key NodeKey, now time.Time) (last time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.clones[key]
	if of == nil {
		return last
	}
	of.forget(now)
	for _, r := range of.refused {
		if r.at.After(last) {
			last = r.at
		}
	}
	return last
}

func sentence(text string) string {
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// ago is how long something is past, for people.
func ago(now, at time.Time) string { return brief(now.Sub(at)) }

// brief writes a duration in its largest unit or two.
func brief(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%d seconds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
