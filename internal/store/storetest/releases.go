package storetest

import (
	"errors"
	"testing"
	"time"

	"errand/internal/core"
)

func testReleaseKeys(t *testing.T, f *fixture) {
	ctx := t.Context()
	is(t, "insert", f.InsertKeyList(ctx, 2, []byte("two")), nil)
	is(t, "insert", f.InsertKeyList(ctx, 1, []byte{0, 0xff}), nil)
	is(t, "insert again", f.InsertKeyList(ctx, 1, []byte("other")), core.ErrTaken)
	f.reopen(t)
	lists, err := f.KeyLists(ctx)
	is(t, "list", err, nil)
	same(t, "lists", [][]byte{{0, 0xff}, []byte("two")}, lists)
}

func testReleases(t *testing.T, f *fixture) {
	ctx := t.Context()
	old := core.Release{Version: "1.0.0", Digest: "d1", Manifest: []byte{1, 0}, Complete: true, CreatedAt: at(1)}
	fresh := core.Release{Version: "1.1.0", Digest: "d2", Manifest: []byte{2}, CreatedAt: at(2)}
	filled(t, old)
	for _, r := range []core.Release{old, fresh} {
		is(t, "insert", f.InsertRelease(ctx, r), nil)
	}
	is(t, "insert again", f.InsertRelease(ctx, core.Release{Version: "1.0.0", Digest: "d3", Manifest: []byte{1}, CreatedAt: at(3)}), core.ErrTaken)
	rows, err := f.ListReleases(ctx)
	is(t, "list", err, nil)
	same(t, "releases", []core.Release{fresh, old}, rows)

	refusal := errors.New("refused")
	is(t, "refused", f.ChangeRelease(ctx, "1.1.0", func(r *core.Release, _ []core.Rollout) (bool, error) {
		r.Complete = true
		return false, refusal
	}), refusal)
	one := core.Rollout{ID: f.id(), Version: "1.1.0", State: core.RolloutAborted, CreatedAt: epoch, UpdatedAt: epoch}
	is(t, "insert rollout", f.InsertRollout(ctx, one, func([]core.Rollout) error { return nil }), nil)
	is(t, "change", f.ChangeRelease(ctx, "1.1.0", func(r *core.Release, rollouts []core.Rollout) (bool, error) {
		same(t, "release", fresh, *r)
		same(t, "its rollouts", []core.Rollout{one}, rollouts)
		r.Complete = true
		return true, nil
	}), nil)
	fresh.Complete = true
	got, err := f.Release(ctx, "1.1.0")
	is(t, "read", err, nil)
	same(t, "release", fresh, got)
	got, err = f.ReleaseByDigest(ctx, "d1")
	is(t, "read by digest", err, nil)
	same(t, "release", old, got)

	is(t, "delete", f.ChangeRelease(ctx, "1.0.0", func(_ *core.Release, rollouts []core.Rollout) (bool, error) {
		same(t, "rollouts", 0, len(rollouts))
		return false, nil
	}), nil)
	for _, err := range []error{
		second(f.Release(ctx, "1.0.0")), second(f.ReleaseByDigest(ctx, "d1")),
		f.ChangeRelease(ctx, "1.0.0", func(*core.Release, []core.Rollout) (bool, error) { return true, nil }),
	} {
		is(t, "deleted", err, core.ErrNotFound)
	}
}

func second[T any](_ T, err error) error { return err }

func testRollouts(t *testing.T, f *fixture) {
	ctx := t.Context()
	r := core.Rollout{
		ID: f.id(), Account: mine, Version: "1.0.0", State: core.RolloutFrozen, Reason: "why", Stage: 1, StageDone: at(3), Forgiven: 2, Attempt: 3,
		CreatedAt: at(1), UpdatedAt: at(2),
		Plan: core.RolloutPlan{
			Stages: []int{1, 100}, Pause: time.Hour, Parallel: 10, Failures: 3, Percent: 5, Trial: 90 * time.Second, Again: true,
		},
	}
	filled(t, r)
	none := func(others []core.Rollout) error {
		same(t, "others", 0, len(others))
		return nil
	}
	is(t, "insert", f.InsertRollout(ctx, r, none), nil)
	got, err := f.Rollout(ctx, r.ID)
	is(t, "read", err, nil)
	same(t, "rollout", r, got)
	is(t, "missing", second(f.Rollout(ctx, f.id())), core.ErrNotFound)

	refusal := errors.New("refused")
	next := core.Rollout{ID: f.id(), Version: "2.0.0", State: core.RolloutRunning, CreatedAt: at(4), UpdatedAt: at(4)}
	is(t, "refused", f.InsertRollout(ctx, next, func(others []core.Rollout) error {
		others[0].State = core.RolloutReplaced
		return refusal
	}), refusal)
	is(t, "insert", f.InsertRollout(ctx, next, func(others []core.Rollout) error {
		same(t, "others", []core.Rollout{r}, others)
		others[0].State = core.RolloutReplaced
		return nil
	}), nil)
	r.State = core.RolloutReplaced
	list := func(want []core.Rollout, states ...core.RolloutState) {
		t.Helper()
		rows, err := f.ListRollouts(ctx, states...)
		is(t, "list", err, nil)
		same(t, "rollouts", want, rows)
	}
	list([]core.Rollout{next, r})
	list([]core.Rollout{next}, core.RolloutRunning, core.RolloutPaused)
	is(t, "change", f.ChangeRollout(ctx, next.ID, func(v *core.Rollout) error {
		v.State, v.Stage, v.StageDone, v.UpdatedAt = core.RolloutPaused, 2, at(9), at(9)
		return nil
	}), nil)
	next.State, next.Stage, next.StageDone, next.UpdatedAt = core.RolloutPaused, 2, at(9), at(9)
	f.reopen(t)
	list([]core.Rollout{next}, core.RolloutRunning, core.RolloutPaused)
	is(t, "change of none", f.ChangeRollout(ctx, f.id(), func(*core.Rollout) error { return nil }), core.ErrNotFound)
}

func testNodeUpgrades(t *testing.T, f *fixture) {
	ctx := t.Context()
	id, another := f.id(), f.id()
	row := func(node core.NodeKey, state core.UpgradeState) core.NodeUpgrade {
		return core.NodeUpgrade{
			Rollout: id, Node: node, State: state, Attempt: 1, From: "1.0.0", Detail: "why", OfferedAt: at(1), UpdatedAt: at(2),
		}
	}
	filled(t, row(1, core.UpgradeDone))
	rows := []core.NodeUpgrade{row(1, core.UpgradeDone), row(2, core.UpgradeOffered), row(3, core.UpgradeLost)}
	is(t, "put", f.PutNodeUpgrades(ctx, rows), nil)
	foreign := row(2, core.UpgradeOffered)
	foreign.Rollout = another
	is(t, "put", f.PutNodeUpgrades(ctx, []core.NodeUpgrade{foreign}), nil)
	list := func(want ...core.NodeUpgrade) {
		t.Helper()
		got, err := f.NodeUpgrades(ctx, id)
		is(t, "list", err, nil)
		same(t, "rows", want, got)
	}
	list(rows...)
	change := func(node core.NodeKey, state core.UpgradeState, write bool) {
		t.Helper()
		is(t, "change", f.ChangeNodeUpgrade(ctx, id, node, func(v *core.NodeUpgrade) bool {
			v.State = state
			return write
		}), nil)
	}
	change(2, core.UpgradeFetching, true)
	rows[1].State = core.UpgradeFetching
	change(1, core.UpgradeLost, false)
	change(7, core.UpgradeDone, false)
	list(rows...)
	is(t, "change", f.ChangeNodeUpgrade(ctx, id, 4, func(v *core.NodeUpgrade) bool {
		same(t, "nothing", core.NodeUpgrade{}, *v)
		*v = row(9, core.UpgradeDone) // whose row it is does not change
		v.Rollout = another
		return true
	}), nil)
	rows = append(rows, row(4, core.UpgradeDone))
	list(rows...)

	nodes, err := f.DeleteNodeUpgrades(ctx, id, core.UpgradeLost, core.UpgradeFetching)
	is(t, "delete", err, nil)
	same(t, "deleted", []core.NodeKey{3, 2}, nodes)
	list(rows[0], rows[3])
	left, err := f.NodeUpgrades(ctx, another)
	is(t, "list", err, nil)
	same(t, "another's", []core.NodeUpgrade{foreign}, left)
}
