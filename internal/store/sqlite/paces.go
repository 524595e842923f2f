package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

const (
	countHeld = "SELECT count(*) FROM tasks INDEXED BY tasks_held WHERE invocation = ? AND flags & 8 AND idx < ?"
	firstHeld = "SELECT idx FROM tasks INDEXED BY tasks_held WHERE invocation = ? AND flags & 8 ORDER BY idx" + limit
)

// PacedInvocations implements core.Paces.
func (s *Store) PacedInvocations(ctx context.Context) (ids []core.ID, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT id FROM invocations INDEXED BY invocations_paced WHERE paced = 1 ORDER BY id", func(r *row) error {
			ids = append(ids, r.id())
			return nil
		})
	})
	return ids, named(err, "paced invocations")
}

// PaceInvocation implements core.Paces.
func (s *Store) PaceInvocation(
	ctx context.Context, id core.ID, pace func(v *core.Invocation, held func(before int) (int, error)) (release int, err error), release func(*core.Task),
) (released []core.Task, err error) {
	err = s.write(ctx, func(t *tx) error {
		v, err := readInvocation(t.conn, "v.id = ?", id)
		if err != nil {
			return err
		}
		if v.Pacing == nil {
			return core.ErrNotFound
		}
		before := *v.Pacing
		n, err := pace(&v, func(before int) (n int, err error) {
			err = queryOne(t.conn, countHeld, func(r *row) error { n = int(r.int()); return nil }, id, before)
			return n, err
		})
		if err != nil {
			return err
		}
		if released, err = t.release(id, n, release); err != nil || *v.Pacing == before {
			return err
		}
		if before.Released = v.Pacing.Released; *v.Pacing != before {
			p, err := t.progress(id) // with what the release has moved
			if err == nil {
				err = t.noteInvocation(core.EventPaced, &p.Invocation, v.Pacing.Since)
			}
			if err != nil {
				return err
			}
		}
		return exec(t.conn, "UPDATE invocations SET pacing = ?, paced = ? WHERE id = ?", v.Pacing, v.Pacing.Moves(), id)
	})
	return released, named(err, "pace invocation %s", id)
}

// release changes the first n held tasks of an invocation and returns them.
func (t *tx) release(id core.ID, n int, release func(*core.Task)) (released []core.Task, err error) {
	if n == 0 {
		return nil, nil
	}
	err = query(t.conn, firstHeld, func(r *row) error {
		released = append(released, core.Task{ID: core.TaskID{Invocation: id, Index: uint32(r.int())}})
		return nil
	}, id, n)
	for i := range released {
		if err != nil {
			return nil, err
		}
		err = t.changeTask(released[i].ID, &released[i], func(task *core.Task) bool {
			release(task)
			return true
		})
	}
	return released, err
}
