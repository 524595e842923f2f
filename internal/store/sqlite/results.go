package sqlite

import (
	"context"
	"slices"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

const (
	putResult = `INSERT OR REPLACE INTO results (invocation, idx, node, state, cause, exit_code, signal, stdout, stderr)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
	scanResults = `SELECT r.idx, r.node, r.state, r.cause, r.exit_code, r.signal, r.stdout, r.stderr FROM results r
		WHERE r.invocation = ? ORDER BY r.idx`
	missingResults = `SELECT t.idx FROM tasks t WHERE t.invocation = ?1 AND t.state >= ?2
		AND NOT EXISTS (SELECT 1 FROM results r WHERE r.invocation = ?1 AND r.idx = t.idx) ORDER BY t.idx LIMIT ?3`
	namesBetween = "SELECT n.key, iif(n.generated AND n.name <> '', n.name, n.id) FROM nodes n WHERE n.key BETWEEN ? AND ?"
	nodeNames    = `SELECT n.key, iif(n.generated AND n.name <> '', n.name, n.id) FROM json_each(?) k CROSS JOIN nodes n ON n.key = k.value`
)

// result writes the result of a task that has one.
func (t *tx) result(task *core.Task) error {
	r, ok := task.Result()
	if !ok {
		return nil
	}
	return t.storeResult(&r)
}

func (t *tx) storeResult(r *core.Result) error {
	b := binder{Stmt: t.putResult}
	b.int(int64(r.Task.Invocation))
	b.int(int64(r.Task.Index))
	b.int(int64(r.Node))
	b.int(int64(r.State))
	b.int(int64(r.Cause))
	if r.Exited {
		b.int(int64(r.ExitCode))
	} else {
		b.BindNull(b.next())
	}
	b.int(int64(r.Signal))
	b.digest(&r.Stdout)
	b.digest(&r.Stderr)
	return step(t.putResult)
}

func (b *binder) digest(d *core.Digest) {
	if *d == (core.Digest{}) {
		b.BindNull(b.next())
		return
	}
	b.BindBytes(b.next(), d[:])
}

func (r *row) digest(d *core.Digest) {
	if n := r.ColumnBytes(r.next(), d[:]); n == 0 {
		*d = core.Digest{}
	}
}

// ScanResults implements core.Results.
func (s *Store) ScanResults(ctx context.Context, id core.ID, visit func(*core.Result) error) error {
	err := s.read(ctx, func(conn *sqlite.Conn) error {
		var res core.Result
		return query(conn, scanResults, func(r *row) error {
			res.Task = core.TaskID{Invocation: id, Index: uint32(r.int())}
			res.Node, res.State, res.Cause = core.NodeKey(r.int()), core.State(r.int()), core.Cause(r.int())
			res.Exited = !r.ColumnIsNull(r.col)
			res.ExitCode, res.Signal = int32(r.int()), uint8(r.int())
			r.digest(&res.Stdout)
			r.digest(&res.Stderr)
			return visit(&res)
		}, id)
	})
	return named(err, "results of %s", id)
}

// MissingResults implements core.Results.
func (s *Store) MissingResults(ctx context.Context, id core.ID, most int) (ids []core.TaskID, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, missingResults, func(r *row) error {
			ids = append(ids, core.TaskID{Invocation: id, Index: uint32(r.int())})
			return nil
		}, id, int(core.Succeeded), most)
	})
	return ids, named(err, "missing results of %s", id)
}

// PutResults implements core.Results.
func (s *Store) PutResults(ctx context.Context, list []core.Result) error {
	if len(list) == 0 {
		return nil
	}
	err := s.write(ctx, func(t *tx) error {
		for i := range list {
			r, there := &list[i], false
			err := query(t.conn, "SELECT 1 FROM tasks WHERE invocation = ? AND idx = ? AND state = ?", func(*row) error {
				there = true
				return nil
			}, r.Task.Invocation, int64(r.Task.Index), int(r.State))
			if err == nil && there {
				err = t.storeResult(r)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return named(err, "put results")
}

// NodeNames implements core.Results.
func (s *Store) NodeNames(ctx context.Context, keys []core.NodeKey) (map[core.NodeKey]string, error) {
	names := make(map[core.NodeKey]string, len(keys))
	if len(keys) == 0 {
		return names, nil
	}
	text, args := nodeNames, []any{jsonList(keys)}
	// Most nodes of an installation are walked through faster than they are looked for one by one.
	first, last := slices.Min(keys), slices.Max(keys)
	if len(keys) >= 100 && int64(last-first) < 2*int64(len(keys)) {
		text, args = namesBetween, []any{first, last}
	}
	err := s.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, text, func(r *row) error {
			key := core.NodeKey(r.int())
			names[key] = r.text()
			return nil
		}, args...)
	})
	return names, named(err, "names of nodes")
}
