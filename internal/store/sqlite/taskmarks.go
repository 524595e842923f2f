package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

const taskMarks = "SELECT idx, node, state, flags, released_at, sent_at, received_at, started_at, ended_at FROM tasks WHERE invocation = ? ORDER BY idx"

// TaskMarks implements core.Tasks.
func (s *Store) TaskMarks(ctx context.Context, id core.ID) (marks []core.TaskMark, err error) {
	base := timeBase(id)
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, taskMarks, func(r *row) error {
			m := core.TaskMark{Index: uint32(r.int()), Node: core.NodeKey(r.int()), State: core.State(r.int()), Held: r.int()&flagHeld != 0}
			m.ReleasedAt, m.SentAt, m.ReceivedAt = r.timeFrom(base), r.timeFrom(base), r.timeFrom(base)
			m.StartedAt, m.EndedAt = r.timeFrom(base), r.timeFrom(base)
			marks = append(marks, m)
			return nil
		}, id)
	})
	return marks, named(err, "marks of %s", id)
}
