package core

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"errand/internal/release"
)

// FeatureUpgrade is the word in Node.Features of nodes whose program can be replaced.
const FeatureUpgrade = "upgrade"

const (
	// backAfter is how long a node may be silent after its trial ought to have been over, before it counts as lost.
	backAfter = 2 * time.Minute
	// answerAfter is how long a node that is connected may take to fetch a release.
	answerAfter = 2 * time.Hour
	// wordAfter is how long after its last word a node that is away may be in the middle of its change.
	wordAfter = time.Minute
	// forgetAfter is how long after its end a rollout may have nodes that are still in the middle of it.
	forgetAfter = 24 * time.Hour
	// maxUpgradeDetail bounds what a node may say about its upgrade, in bytes.
	maxUpgradeDetail = 1 << 10
)

// UpgradeOrder is what a node is to be told. Without a Manifest it is told to give up.
type UpgradeOrder struct {
	Node     NodeKey
	Rollout  ID
	Attempt  uint64
	Manifest []byte
	Keys     [][]byte
	Trial    time.Duration
	Again    bool
}

// AdvanceRollouts moves every rollout as far as it can go, and returns what nodes that are connected are to be told: the same as before, until
// they answer. busy says that time alone moves a rollout; otherwise nothing changes before an Event with RolledOut, or a node comes. Only one
// process may call it at a time.
func (s *Service) AdvanceRollouts(ctx context.Context) (orders []UpgradeOrder, busy bool, err error) {
	rollouts, err := s.store.ListRollouts(ctx)
	if err != nil {
		return nil, true, err
	}
	for i := range rollouts {
		r := &rollouts[i]
		if !r.State.Open() && r.State != RolloutFinished && s.Now().Sub(r.UpdatedAt) > forgetAfter {
			continue
		}
		more, working, err := s.advance(ctx, r)
		if err != nil {
			return orders, true, fmt.Errorf("rollout %s: %w", r.ID, err)
		}
		orders, busy = append(orders, more...), busy || working
	}
	return orders, busy, nil
}

// advance moves one rollout.
func (s *Service) advance(ctx context.Context, r *Rollout) (orders []UpgradeOrder, busy bool, err error) {
	rows, err := s.store.NodeUpgrades(ctx, r.ID)
	if err != nil {
		return nil, true, err
	}
	st := &standing{Rollout: r, rows: rows, now: s.Now(), connected: s.Connected}
	busy = r.State == RolloutRunning || slices.ContainsFunc(rows, func(n NodeUpgrade) bool { return n.State < UpgradeDone })
	if lost := st.lost(); len(lost) > 0 {
		if err := s.store.PutNodeUpgrades(ctx, lost); err != nil {
			return nil, true, err
		}
	}
	if r.State.Offering() {
		orders, err = s.offer(ctx, st)
	} else {
		orders, err = s.withdraw(ctx, st)
	}
	return orders, busy || len(orders) > 0, err
}

// offer hands the release of a rollout to the nodes whose turn it is.
func (s *Service) offer(ctx context.Context, st *standing) ([]UpgradeOrder, error) {
	r := st.Rollout
	if st.tooMany() {
		return nil, s.freeze(ctx, r, st.reason())
	}
	rel, err := s.store.Release(ctx, r.Version)
	if err != nil {
		return nil, err
	}
	m, err := s.manifest(ctx, &rel)
	if err == nil && !st.now.Before(m.Expires) {
		err = release.ErrExpired
	}
	if err != nil { // nodes would refuse it one by one
		return nil, s.freeze(ctx, r, err.Error())
	}
	pool, err := s.pool(ctx, r, st.rows)
	if err != nil {
		return nil, err
	}
	chosen, over := st.choose(pool)
	if len(chosen) > 0 {
		if err := s.store.PutNodeUpgrades(ctx, chosen); err != nil {
			return nil, err
		}
		st.rows = append(st.rows, chosen...)
	}
	if err := s.step(ctx, st, over); err != nil {
		return nil, err
	}
	return s.orders(ctx, st, rel.Manifest)
}

// standing is a rollout with what became of its nodes.
type standing struct {
	*Rollout
	rows      []NodeUpgrade
	now       time.Time
	connected func(NodeKey) bool
}

// lost marks nodes that ought to have answered by now, and returns them.
func (st *standing) lost() (lost []NodeUpgrade) {
	for i := range st.rows {
		n, silent := &st.rows[i], st.now.Sub(st.rows[i].UpdatedAt)
		switch {
		case n.State == UpgradeTrying && silent > st.Plan.Trial+backAfter:
			n.Detail = "it did not come back from its change to " + st.Version
		case (n.State == UpgradeOffered || n.State == UpgradeFetching) && silent > answerAfter && st.connected(n.Node):
			n.Detail = "no answer in " + answerAfter.String()
		default:
			continue
		}
		n.State, n.UpdatedAt = UpgradeLost, st.now
		lost = append(lost, *n)
	}
	return lost
}

// failures is how many nodes failed since the rollout was started or resumed.
func (st *standing) failures() int { return countFailed(st.rows) - st.Forgiven }

func (st *standing) tooMany() bool {
	n := st.failures()
	return n > 0 && (n > st.Plan.Failures || n*100 > st.Plan.Percent*len(st.rows))
}

func (st *standing) reason() string {
	text := fmt.Sprintf("%d of %d nodes failed", countFailed(st.rows), len(st.rows))
	for i := range st.rows {
		if st.rows[i].State.Failed() && st.rows[i].Detail != "" {
			return text + ", one of them because: " + st.rows[i].Detail
		}
	}
	return text
}

// freeze stops a rollout by itself.
func (s *Service) freeze(ctx context.Context, r *Rollout, reason string) error {
	s.log.Error("rollout frozen", "rollout", r.ID, "version", r.Version, "reason", reason)
	return s.store.ChangeRollout(ctx, r.ID, func(row *Rollout) error {
		if row.State.Offering() {
			row.State, row.Reason, row.UpdatedAt = RolloutFrozen, reason, s.Now()
		}
		return nil
	})
}

// withdraw takes orders back from nodes that have not begun to start the new version.
func (s *Service) withdraw(ctx context.Context, st *standing) (orders []UpgradeOrder, err error) {
	if !slices.ContainsFunc(st.rows, func(n NodeUpgrade) bool { return n.State == UpgradeOffered || n.State == UpgradeFetching }) {
		return nil, nil
	}
	nodes, err := s.store.DeleteNodeUpgrades(ctx, st.ID, UpgradeOffered, UpgradeFetching)
	for _, n := range nodes {
		orders = append(orders, UpgradeOrder{Node: n, Rollout: st.ID, Attempt: st.Attempt})
	}
	return orders, err
}

// pool returns the nodes that a rollout concerns: those that were asked, and those that can change and do not run the version.
func (s *Service) pool(ctx context.Context, r *Rollout, rows []NodeUpgrade) ([]Node, error) {
	asked := make(map[NodeKey]bool, len(rows))
	for i := range rows {
		asked[rows[i].Node] = true
	}
	rel, err := s.store.Release(ctx, r.Version)
	if err != nil {
		return nil, err
	}
	e, err := release.Open(rel.Manifest)
	if err != nil {
		return nil, err
	}
	m, err := e.Manifest()
	if err != nil {
		return nil, err
	}
	var pool []Node
	err = s.eachNode(ctx, NodeFilter{Account: r.Account}, func(n *Node) {
		_, fits := m.Platform(string(n.Platform), n.Arch)
		if asked[n.Key] || n.Agent != r.Version && fits && slices.Contains(n.Features, FeatureUpgrade) {
			pool = append(pool, *n)
		}
	})
	return pool, err
}

// rank places a node in the order in which a rollout reaches nodes. It is the same whenever it is asked for.
func (r *Rollout) rank(n NodeKey) []byte {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(r.ID))
	binary.BigEndian.PutUint64(b[8:], uint64(n))
	sum := sha256.Sum256(b[:])
	return sum[:]
}

// choose returns the nodes that are to be asked next, and whether those of the stage are all done. Nodes that are away are passed over: they
// are asked when they come back.
func (st *standing) choose(pool []Node) (chosen []NodeUpgrade, over bool) {
	asked := make(map[NodeKey]bool, len(st.rows))
	working := 0
	for i := range st.rows {
		n := &st.rows[i]
		asked[n.Node] = true
		// A node that has just gone may be starting the new version, and its word about that still be on the way.
		if n.State == UpgradeTrying || n.State < UpgradeTrying && (st.connected(n.Node) || st.now.Sub(n.UpdatedAt) < wordAfter) {
			working++
		}
	}
	wanted := (len(pool)*st.Plan.Stages[st.Stage] + 99) / 100 // one at least
	fresh := slices.DeleteFunc(slices.Clone(pool), func(n Node) bool { return asked[n.Key] || !st.connected(n.Key) })
	slices.SortFunc(fresh, func(a, b Node) int {
		return cmp.Or(bytes.Compare(st.rank(a.Key), st.rank(b.Key)), cmp.Compare(a.Key, b.Key))
	})
	left := min(max(0, wanted-len(st.rows)), len(fresh))
	for i := range fresh[:min(left, max(0, st.Plan.Parallel-working))] {
		chosen = append(chosen, NodeUpgrade{
			Rollout: st.ID, Node: fresh[i].Key, State: UpgradeOffered, Attempt: st.Attempt, From: fresh[i].Agent, OfferedAt: st.now, UpdatedAt: st.now,
		})
	}
	return chosen, left == 0 && working == 0 && (len(st.rows) > 0 || len(pool) == 0)
}

// step goes to the next stage when the nodes of this one are done and the pause is over.
func (s *Service) step(ctx context.Context, st *standing, over bool) error {
	last := st.Stage == len(st.Plan.Stages)-1
	change := func(row *Rollout) {}
	switch {
	case st.State != RolloutRunning || !over:
		return nil
	case last:
		change = func(row *Rollout) { row.State = RolloutFinished }
	case st.StageDone.IsZero():
		change = func(row *Rollout) { row.StageDone = st.now }
	case st.now.Sub(st.StageDone) < st.Plan.Pause:
		return nil
	default:
		change = func(row *Rollout) { row.Stage, row.StageDone = row.Stage+1, time.Time{} }
	}
	return s.store.ChangeRollout(ctx, st.ID, func(row *Rollout) error {
		if row.State == RolloutRunning && row.Stage == st.Stage {
			change(row)
			row.UpdatedAt = st.now
		}
		return nil
	})
}

// orders returns what nodes that have not begun are told.
func (s *Service) orders(ctx context.Context, st *standing, manifest []byte) ([]UpgradeOrder, error) {
	var orders []UpgradeOrder
	for i := range st.rows {
		n := &st.rows[i]
		if n.State != UpgradeOffered && n.State != UpgradeFetching || !st.connected(n.Node) {
			continue
		}
		orders = append(orders, UpgradeOrder{
			Node: n.Node, Rollout: st.ID, Attempt: n.Attempt, Manifest: manifest, Trial: st.Plan.Trial, Again: st.Plan.Again,
		})
	}
	if len(orders) == 0 {
		return nil, nil
	}
	keys, err := s.store.KeyLists(ctx)
	for i := range orders {
		orders[i].Keys = keys
	}
	return orders, err
}

// UpgradeReport is what a node says about its upgrade.
type UpgradeReport struct {
	Rollout ID
	Attempt uint64
	Version string
	State   UpgradeState
	Detail  string
}

// ReportUpgrade takes what a node says about its upgrade, as often as it says it. What does not fit a rollout that concerns the node is
// passed over.
func (s *Service) ReportUpgrade(ctx context.Context, key NodeKey, u UpgradeReport) error {
	r, err := s.store.Rollout(ctx, u.Rollout)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	n, err := s.store.Node(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil || u.Attempt > r.Attempt || r.Account != 0 && n.Account != r.Account || u.Version != r.Version && u.State != UpgradeRefused {
		return err
	}
	now := s.Now()
	changed := false
	err = s.store.ChangeNodeUpgrade(ctx, r.ID, key, func(row *NodeUpgrade) bool {
		detail := clip(u.Detail, maxUpgradeDetail)
		if !row.takes(&u) || row.State == u.State && row.Detail == detail {
			return false
		}
		if row.State == 0 { // taken back, but too late
			row.OfferedAt, row.From = now, n.Agent
		}
		row.State, row.Attempt, row.Detail, row.UpdatedAt = u.State, u.Attempt, detail, now
		changed = true
		return true
	})
	if changed {
		s.log.Info("node upgrade", "rollout", r.ID, "node", n.ID, "version", r.Version, "state", u.State, "detail", u.Detail)
		s.feed.tell(Event{RolledOut: true})
	}
	return err
}

// takes reports whether a report can be about this row as it is: nodes only get on, and one that was given up may be back after all.
func (row *NodeUpgrade) takes(u *UpgradeReport) bool {
	switch {
	case u.Attempt < row.Attempt:
		return false
	case u.Attempt > row.Attempt || row.State == UpgradeLost:
		return true
	}
	return u.State > row.State && row.State < UpgradeDone
}

// clip cuts a text that came from outside.
func clip(text string, most int) string {
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}
