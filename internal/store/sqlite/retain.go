package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

const (
	nthInvocation  = "SELECT v.id FROM invocations v INDEXED BY invocations_account WHERE v.account = ? ORDER BY v.id DESC LIMIT 1 OFFSET ?"
	oldInvocations = `SELECT v.id, v.part, v.counts, v.class, v.facets FROM invocations v INDEXED BY invocations_account
		WHERE v.account = ? AND v.id < ? AND v.open = 0 ORDER BY v.id`
)

// NthInvocation implements core.Invocations.
func (s *Store) NthInvocation(ctx context.Context, account core.AccountID, n int) (id core.ID, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return queryOne(conn, nthInvocation, func(r *row) error { id = r.id(); return nil }, account, n-1)
	})
	return id, named(err, "newest invocation but %d", n-1)
}

// DeleteInvocations implements core.Invocations.
func (s *Store) DeleteInvocations(ctx context.Context, account core.AccountID, before core.ID, most int) (ids []core.ID, err error) {
	err = s.write(ctx, func(t *tx) error {
		old, err := endedBefore(t.conn, account, before, most)
		if err != nil || len(old) == 0 {
			return err
		}
		sums := tally{}
		for i := range old {
			v := &old[i]
			if err := deleteInvocation(t.conn, v); err != nil {
				return err
			}
			sums.add(v.facets, v.class, -1, &v.counts)
			ids = append(ids, core.ID(v.at.A))
		}
		return sums.write(t.conn)
	})
	if err != nil {
		return nil, named(err, "delete invocations before %s", before)
	}
	return ids, nil
}

// ended is an invocation to delete.
type ended struct {
	visited
	class  class
	facets []int64
}

// endedBefore finds the oldest invocations that have ended, until they and their tasks are most rows or more.
func endedBefore(conn *sqlite.Conn, account core.AccountID, before core.ID, most int) (old []ended, err error) {
	rows := 0
	err = query(conn, oldInvocations, func(r *row) error {
		if rows >= most {
			return errStop
		}
		v := ended{visited: scanVisited(r), class: class(r.int()), facets: unpackFacets(r.bytes())}
		old = append(old, v)
		rows += 1 + v.counts.Total()
		return nil
	}, account, before)
	return old, err
}

func deleteInvocation(conn *sqlite.Conn, v *ended) error {
	for _, text := range []string{
		"DELETE FROM tasks WHERE invocation = ?",
		"DELETE FROM results WHERE invocation = ?",
		"DELETE FROM deliveries WHERE invocation = ?",
		"DELETE FROM orders WHERE invocation = ?",
		"DELETE FROM invocations WHERE id = ?",
		"INSERT INTO removed (invocation) VALUES (?)",
	} {
		if err := exec(conn, text, v.at.A); err != nil {
			return err
		}
	}
	if err := unmark(conn, v.facets, v.class, core.ID(v.at.A)); err != nil {
		return err
	}
	return leavePart(conn, v.part, v.counts.Total())
}

// leavePart takes tasks out of a part. One that is empty and no longer grows would only cost every listing by node a look: it goes, and
// the next one of its kind takes over its ids.
func leavePart(conn *sqlite.Conn, part int64, tasks int) error {
	if err := exec(conn, "UPDATE parts SET tasks = tasks - ? WHERE id = ?", tasks, part); err != nil {
		return err
	}
	var first, next int64
	err := query(conn, `SELECT p.first, (SELECT min(q.id) FROM parts q WHERE q.kind = p.kind AND q.id > p.id) FROM parts p WHERE p.id = ? AND p.tasks = 0`,
		func(r *row) error { first, next = r.int(), r.int(); return nil }, part)
	if err != nil || next == 0 {
		return err
	}
	if err := exec(conn, "DELETE FROM parts WHERE id = ?", part); err != nil {
		return err
	}
	return exec(conn, "UPDATE parts SET first = ? WHERE id = ?", first, next)
}

// RemovedInvocations implements core.Invocations.
func (s *Store) RemovedInvocations(ctx context.Context) (ids []core.ID, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT invocation FROM removed ORDER BY invocation", func(r *row) error {
			ids = append(ids, r.id())
			return nil
		})
	})
	return ids, named(err, "removed invocations")
}

// ForgetInvocations implements core.Invocations.
func (s *Store) ForgetInvocations(ctx context.Context, ids []core.ID) error {
	err := s.write(ctx, func(t *tx) error {
		return exec(t.conn, "DELETE FROM removed WHERE invocation IN (SELECT value FROM json_each(?))", jsonList(ids))
	})
	return named(err, "forget invocations")
}
