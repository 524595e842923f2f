package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

// InsertKeyList implements core.Releases.
func (s *Store) InsertKeyList(ctx context.Context, serial uint64, text []byte) error {
	err := s.write(ctx, func(t *tx) error {
		return exec(t.conn, "INSERT INTO release_keys (serial, text) VALUES (?, ?)", int64(serial), text)
	})
	return named(err, "insert release keys %d", serial)
}

// KeyLists implements core.Releases.
func (s *Store) KeyLists(ctx context.Context) (lists [][]byte, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT text FROM release_keys ORDER BY serial", func(r *row) error {
			lists = append(lists, r.bytes())
			return nil
		})
	})
	return lists, named(err, "list release keys")
}

const releaseColumns = "version, digest, manifest, complete, created_at"

func scanRelease(r *row) core.Release {
	return core.Release{Version: r.text(), Digest: r.text(), Manifest: r.bytes(), Complete: r.bool(), CreatedAt: r.time()}
}

// InsertRelease implements core.Releases.
func (s *Store) InsertRelease(ctx context.Context, r core.Release) error {
	err := s.write(ctx, func(t *tx) error {
		return exec(t.conn, "INSERT INTO releases ("+releaseColumns+") VALUES (?, ?, ?, ?, ?)",
			r.Version, r.Digest, r.Manifest, r.Complete, r.CreatedAt)
	})
	return named(err, "insert release %s", r.Version)
}

func readRelease(conn *sqlite.Conn, where string, key string) (v core.Release, err error) {
	err = queryOne(conn, "SELECT "+releaseColumns+" FROM releases WHERE "+where+" = ?", func(r *row) error {
		v = scanRelease(r)
		return nil
	}, key)
	return v, err
}

// Release implements core.Releases.
func (s *Store) Release(ctx context.Context, version string) (v core.Release, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		v, err = readRelease(conn, "version", version)
		return err
	})
	return v, named(err, "release %s", version)
}

// ReleaseByDigest implements core.Releases.
func (s *Store) ReleaseByDigest(ctx context.Context, digest string) (v core.Release, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		v, err = readRelease(conn, "digest", digest)
		return err
	})
	return v, named(err, "release %s", digest)
}

// ListReleases implements core.Releases.
func (s *Store) ListReleases(ctx context.Context) (rows []core.Release, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT "+releaseColumns+" FROM releases ORDER BY created_at DESC, version DESC", func(r *row) error {
			rows = append(rows, scanRelease(r))
			return nil
		})
	})
	return rows, named(err, "list releases")
}

// ChangeRelease implements core.Releases.
func (s *Store) ChangeRelease(ctx context.Context, version string, change func(*core.Release, []core.Rollout) (bool, error)) error {
	err := s.write(ctx, func(t *tx) error {
		v, err := readRelease(t.conn, "version", version)
		if err != nil {
			return err
		}
		rollouts, err := readRollouts(t.conn, "WHERE version = ?", version)
		if err != nil {
			return err
		}
		keep, err := change(&v, rollouts)
		switch {
		case err != nil:
			return err
		case !keep:
			return exec(t.conn, "DELETE FROM releases WHERE version = ?", version)
		}
		return exec(t.conn, "UPDATE releases SET complete = ? WHERE version = ?", v.Complete, version)
	})
	return named(err, "change release %s", version)
}

const rolloutColumns = "id, account, version, plan, state, reason, stage, stage_done, forgiven, attempt, created_at, updated_at"

func readRollouts(conn *sqlite.Conn, where string, args ...any) (rows []core.Rollout, err error) {
	err = query(conn, "SELECT "+rolloutColumns+" FROM rollouts "+where+" ORDER BY id DESC", func(r *row) error {
		v := core.Rollout{ID: r.id(), Account: core.AccountID(r.int()), Version: r.text()}
		r.json(&v.Plan)
		v.State, v.Reason, v.Stage, v.StageDone = core.RolloutState(r.text()), r.text(), int(r.int()), r.time()
		v.Forgiven, v.Attempt, v.CreatedAt, v.UpdatedAt = int(r.int()), uint64(r.int()), r.time(), r.time()
		rows = append(rows, v)
		return nil
	}, args...)
	return rows, err
}

func readRollout(conn *sqlite.Conn, id core.ID) (core.Rollout, error) {
	rows, err := readRollouts(conn, "WHERE id = ?", id)
	if err == nil && len(rows) == 0 {
		err = core.ErrNotFound
	}
	if err != nil {
		return core.Rollout{}, err
	}
	return rows[0], nil
}

func writeRollout(conn *sqlite.Conn, verb string, v *core.Rollout) error {
	plan, err := json.Marshal(&v.Plan)
	if err != nil {
		return err
	}
	return exec(conn, verb+" INTO rollouts ("+rolloutColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		v.ID, v.Account, v.Version, string(plan), string(v.State), v.Reason, v.Stage, v.StageDone, v.Forgiven, int64(v.Attempt),
		v.CreatedAt, v.UpdatedAt)
}

// InsertRollout implements core.Releases.
func (s *Store) InsertRollout(ctx context.Context, v core.Rollout, check func([]core.Rollout) error) error {
	err := s.write(ctx, func(t *tx) error {
		others, err := readRollouts(t.conn, "WHERE state IN (?, ?, ?, ?)",
			string(core.RolloutRunning), string(core.RolloutPaused), string(core.RolloutFrozen), string(core.RolloutFinished))
		if err != nil {
			return err
		}
		if err := check(others); err != nil {
			return err
		}
		for i := range others {
			if err := writeRollout(t.conn, "REPLACE", &others[i]); err != nil {
				return err
			}
		}
		return writeRollout(t.conn, "INSERT", &v)
	})
	return named(err, "insert rollout of %s", v.Version)
}

// ChangeRollout implements core.Releases.
func (s *Store) ChangeRollout(ctx context.Context, id core.ID, change func(*core.Rollout) error) error {
	err := s.write(ctx, func(t *tx) error {
		v, err := readRollout(t.conn, id)
		if err == nil {
			err = change(&v)
		}
		if err != nil {
			return err
		}
		return writeRollout(t.conn, "REPLACE", &v)
	})
	return named(err, "change rollout %s", id)
}

// Rollout implements core.Releases.
func (s *Store) Rollout(ctx context.Context, id core.ID) (v core.Rollout, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		v, err = readRollout(conn, id)
		return err
	})
	return v, named(err, "rollout %s", id)
}

// ListRollouts implements core.Releases.
func (s *Store) ListRollouts(ctx context.Context, states ...core.RolloutState) (rows []core.Rollout, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		all, err := readRollouts(conn, "")
		for i := range all {
			if len(states) == 0 || slices.Contains(states, all[i].State) {
				rows = append(rows, all[i])
			}
		}
		return err
	})
	return rows, named(err, "list rollouts")
}

const nodeUpgradeColumns = "rollout, node, state, attempt, old, detail, offered_at, updated_at"

func readNodeUpgrades(conn *sqlite.Conn, where string, args ...any) (rows []core.NodeUpgrade, err error) {
	err = query(conn, "SELECT "+nodeUpgradeColumns+" FROM node_upgrades WHERE rollout = ? "+where+" ORDER BY node", func(r *row) error {
		rows = append(rows, core.NodeUpgrade{
			Rollout: r.id(), Node: core.NodeKey(r.int()), State: core.UpgradeState(r.int()), Attempt: uint64(r.int()), From: r.text(),
			Detail: r.text(), OfferedAt: r.time(), UpdatedAt: r.time(),
		})
		return nil
	}, args...)
	return rows, err
}

func putNodeUpgrade(conn *sqlite.Conn, v *core.NodeUpgrade) error {
	return exec(conn, "REPLACE INTO node_upgrades ("+nodeUpgradeColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		v.Rollout, v.Node, int(v.State), int64(v.Attempt), v.From, v.Detail, v.OfferedAt, v.UpdatedAt)
}

// PutNodeUpgrades implements core.Releases.
func (s *Store) PutNodeUpgrades(ctx context.Context, rows []core.NodeUpgrade) error {
	err := s.write(ctx, func(t *tx) error {
		for i := range rows {
			if err := putNodeUpgrade(t.conn, &rows[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return named(err, "put %d upgrades", len(rows))
}

// errUnchanged ends a transaction in which nothing was written.
var errUnchanged = errors.New("unchanged")

// ChangeNodeUpgrade implements core.Releases.
func (s *Store) ChangeNodeUpgrade(ctx context.Context, rollout core.ID, node core.NodeKey, change func(*core.NodeUpgrade) bool) error {
	err := s.write(ctx, func(t *tx) error {
		rows, err := readNodeUpgrades(t.conn, "AND node = ?", rollout, node)
		if err != nil {
			return err
		}
		var v core.NodeUpgrade
		if len(rows) > 0 {
			v = rows[0]
		}
		if !change(&v) {
			return errUnchanged
		}
		v.Rollout, v.Node = rollout, node
		return putNodeUpgrade(t.conn, &v)
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return named(err, "change upgrade of node %d", node)
}

// DeleteNodeUpgrades implements core.Releases.
func (s *Store) DeleteNodeUpgrades(ctx context.Context, rollout core.ID, states ...core.UpgradeState) (nodes []core.NodeKey, err error) {
	err = s.write(ctx, func(t *tx) error {
		nodes = nil
		for _, state := range states {
			rows, err := readNodeUpgrades(t.conn, "AND state = ?", rollout, int(state))
			if err != nil {
				return err
			}
			for i := range rows {
				nodes = append(nodes, rows[i].Node)
			}
			if err := exec(t.conn, "DELETE FROM node_upgrades WHERE rollout = ? AND state = ?", rollout, int(state)); err != nil {
				return err
			}
		}
		return nil
	})
	return nodes, named(err, "delete upgrades of rollout %s", rollout)
}

// NodeUpgrades implements core.Releases.
func (s *Store) NodeUpgrades(ctx context.Context, rollout core.ID) (rows []core.NodeUpgrade, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		rows, err = readNodeUpgrades(conn, "", rollout)
		return err
	})
	return rows, named(err, "upgrades of rollout %s", rollout)
}
