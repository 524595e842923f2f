package core

import (
	"context"
	"errors"
	"slices"
	"time"

	"errand/internal/release"
)

// DefaultRolloutPlan is how a release reaches the nodes when the operator does not say otherwise.
func DefaultRolloutPlan() RolloutPlan {
	return RolloutPlan{
		Stages: []int{1, 10, 100}, Pause: time.Hour, Parallel: 100, Failures: 10, Percent: 5, Trial: 90 * time.Second,
	}
}

// Bounds of a plan.
const (
	maxStages   = 20
	maxPause    = 30 * 24 * time.Hour
	maxParallel = 10_000
	minTrial    = 5 * time.Second
	maxTrial    = time.Hour
)

func (p *RolloutPlan) check() error {
	if len(p.Stages) == 0 || len(p.Stages) > maxStages || p.Stages[len(p.Stages)-1] != 100 {
		return invalid(ReasonInvalidValue, "stages", "1 to %d, of which the last is 100 percent", maxStages)
	}
	for i, percent := range p.Stages {
		if percent < 1 || i > 0 && percent <= p.Stages[i-1] {
			return invalid(ReasonInvalidValue, "stages", "they grow, from 1 percent or more")
		}
	}
	switch {
	case p.Pause < 0 || p.Pause > maxPause:
		return invalid(ReasonInvalidValue, "pause", "at most %s", maxPause)
	case p.Parallel < 1 || p.Parallel > maxParallel:
		return invalid(ReasonInvalidValue, "parallel", "1 to %d", maxParallel)
	case p.Failures < 0:
		return invalid(ReasonInvalidValue, "max_failures", "0 or more")
	case p.Percent < 0 || p.Percent > 100:
		return invalid(ReasonInvalidValue, "max_failed_percent", "0 to 100")
	case p.Trial < minTrial || p.Trial > maxTrial:
		return invalid(ReasonInvalidValue, "trial", "%s to %s", minTrial, maxTrial)
	}
	return nil
}

func noRollout(id ID) error { return notFound(ReasonAccessNotFound, "no rollout %s", id) }

// overlaps reports whether two rollouts may concern the same node.
func (r *Rollout) overlaps(other *Rollout) bool {
	return r.Account == 0 || other.Account == 0 || r.Account == other.Account
}

// StartRollout begins to change nodes to a release: those of an account, or with 0 all. It takes the place of a finished rollout that concerns any of
// the same nodes; one that is not over has to be aborted first.
func (s *Service) StartRollout(ctx context.Context, c Caller, account AccountID, version string, plan RolloutPlan) (Rollout, error) {
	if err := c.operate("upgrade.start", resource("release", version, nil)); err != nil {
		return Rollout{}, err
	}
	if err := plan.check(); err != nil {
		return Rollout{}, err
	}
	if account != 0 {
		if _, err := s.store.Account(ctx, account); errors.Is(err, ErrNotFound) {
			return Rollout{}, noAccount(account)
		} else if err != nil {
			return Rollout{}, err
		}
	}
	rel, err := s.release(ctx, version)
	if err != nil {
		return Rollout{}, err
	}
	m, err := s.manifest(ctx, &rel)
	now := s.Now()
	switch {
	case err != nil:
		return Rollout{}, badRelease(err)
	case !rel.Complete:
		return Rollout{}, &Error{Code: CodeConflict, Reason: ReasonInvalidValue, Field: "version", Detail: "programs of the release are missing"}
	case !now.Before(m.Expires):
		return Rollout{}, badRelease(release.ErrExpired)
	}
	r := Rollout{
		ID: s.ids.Next(now), Account: account, Version: version, Plan: plan, State: RolloutRunning, Attempt: 1, CreatedAt: now, UpdatedAt: now,
	}
	err = s.store.InsertRollout(ctx, r, func(others []Rollout) error {
		for i := range others {
			o := &others[i]
			if !r.overlaps(o) {
				continue
			}
			if o.State.Open() {
				return &Error{
					Code: CodeConflict, Reason: ReasonInvalidValue, Field: "rollout",
					Detail: "rollout " + o.ID.String() + " of " + o.Version + " is " + string(o.State) + "; abort it first",
				}
			}
			o.State, o.UpdatedAt = RolloutReplaced, now
		}
		return nil
	})
	if err == nil {
		c.Trail.note("rollout/" + r.ID.String())
		s.feed.tell(Event{RolledOut: true})
	}
	return r, err
}

// manifest reads a release as the keys that are trusted now allow.
func (s *Service) manifest(ctx context.Context, r *Release) (release.Manifest, error) {
	keys, ok, err := s.releaseKeys(ctx)
	if err != nil {
		return release.Manifest{}, err
	}
	if !ok {
		return release.Manifest{}, release.ErrSignature
	}
	return release.ReadManifest(r.Manifest, &keys)
}

// RolloutAction is something to do with a rollout.
type RolloutAction string

// The actions.
const (
	PauseRollout  RolloutAction = "pause"
	ResumeRollout RolloutAction = "resume" // also one that froze; what failed until now counts no more
	AbortRollout  RolloutAction = "abort"
	RetryRollout  RolloutAction = "retry" // resume, and ask failed nodes again
)

// ChangeRollout pauses, resumes, retries or aborts a rollout. What nodes are in the middle of, they give up, unless they are starting the new version
// already.
func (s *Service) ChangeRollout(ctx context.Context, c Caller, id ID, action RolloutAction) (r Rollout, err error) {
	if err := c.operate("upgrade.modify", resource("rollout", id.String(), nil)); err != nil {
		return r, err
	}
	rows, err := s.store.NodeUpgrades(ctx, id)
	if err != nil {
		return r, err
	}
	err = s.store.ChangeRollout(ctx, id, func(row *Rollout) error {
		if !action.fits(row.State) {
			return &Error{
				Code: CodeConflict, Reason: ReasonAlreadyEnded, Field: "rollout", Detail: "a rollout that is " + string(row.State) + " cannot " + string(action),
			}
		}
		row.UpdatedAt = s.Now()
		switch action {
		case PauseRollout:
			row.State = RolloutPaused
		case AbortRollout:
			row.State = RolloutAborted
		case RetryRollout:
			row.State, row.Reason, row.Forgiven, row.StageDone = RolloutRunning, "", 0, time.Time{}
			row.Attempt++
		case ResumeRollout:
			row.State, row.Reason, row.Forgiven = RolloutRunning, "", countFailed(rows)
		}
		r = *row
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		err = noRollout(id)
	}
	if err == nil && action == RetryRollout {
		_, err = s.store.DeleteNodeUpgrades(ctx, id, UpgradeRefused, UpgradeRolledBack, UpgradeLost)
	}
	if err == nil {
		s.feed.tell(Event{RolledOut: true})
	}
	return r, err
}

// fits reports whether an action makes sense for a rollout in a state.
func (a RolloutAction) fits(s RolloutState) bool {
	switch a {
	case PauseRollout:
		return s == RolloutRunning
	case ResumeRollout:
		return s == RolloutPaused || s == RolloutFrozen
	case RetryRollout:
		return s.Open() || s == RolloutFinished
	case AbortRollout:
		return s.Open() || s == RolloutFinished
	}
	return false
}

func countFailed(rows []NodeUpgrade) (n int) {
	for i := range rows {
		if rows[i].State.Failed() {
			n++
		}
	}
	return n
}

// RolloutView is a rollout with how far it is.
type RolloutView struct {
	Rollout
	Nodes int // that it concerns as far as is known: those that it was offered to, and those that could be
	Count map[UpgradeState]int
}

// Rollouts lists rollouts, the latest first.
func (s *Service) Rollouts(ctx context.Context, c Caller) ([]RolloutView, error) {
	if err := c.operate("upgrade.list", resource("rollout", "", nil)); err != nil {
		return nil, err
	}
	all, err := s.store.ListRollouts(ctx)
	if err != nil {
		return nil, err
	}
	views := make([]RolloutView, len(all))
	for i := range all {
		if views[i], err = s.rolloutView(ctx, &all[i]); err != nil {
			return nil, err
		}
	}
	return views, nil
}

// Rollout returns one rollout.
func (s *Service) Rollout(ctx context.Context, c Caller, id ID) (RolloutView, error) {
	if err := c.operate("upgrade.list", resource("rollout", id.String(), nil)); err != nil {
		return RolloutView{}, err
	}
	r, err := s.store.Rollout(ctx, id)
	if errors.Is(err, ErrNotFound) {
		err = noRollout(id)
	}
	if err != nil {
		return RolloutView{}, err
	}
	return s.rolloutView(ctx, &r)
}

func (s *Service) rolloutView(ctx context.Context, r *Rollout) (RolloutView, error) {
	v := RolloutView{Rollout: *r, Count: make(map[UpgradeState]int)}
	rows, err := s.store.NodeUpgrades(ctx, r.ID)
	if err != nil {
		return v, err
	}
	for i := range rows {
		v.Count[rows[i].State]++
	}
	v.Nodes = len(rows)
	if !r.State.Open() {
		return v, nil
	}
	pool, err := s.pool(ctx, r, rows)
	v.Nodes = len(pool)
	return v, err
}

// NodeUpgradeView is what became of a node, with the name that callers know it by.
type NodeUpgradeView struct {
	NodeUpgrade
	NodeID  string
	Account AccountID
}

// RolloutNodes returns what became of each node that a rollout was offered to, failures first.
func (s *Service) RolloutNodes(ctx context.Context, c Caller, id ID) ([]NodeUpgradeView, error) {
	if err := c.operate("upgrade.list", resource("rollout", id.String(), nil)); err != nil {
		return nil, err
	}
	if _, err := s.store.Rollout(ctx, id); errors.Is(err, ErrNotFound) {
		return nil, noRollout(id)
	} else if err != nil {
		return nil, err
	}
	rows, err := s.store.NodeUpgrades(ctx, id)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(rows, func(a, b NodeUpgrade) int { return int(b.State) - int(a.State) })
	views := make([]NodeUpgradeView, len(rows))
	for i := range rows {
		n, err := s.store.Node(ctx, rows[i].Node)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		views[i] = NodeUpgradeView{NodeUpgrade: rows[i], NodeID: n.ID, Account: n.Account}
	}
	return views, nil
}
