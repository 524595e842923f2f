package sqlite

import (
	"context"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

const recordColumns = `session, position, account, node, node_id, user, started_by, command, height, width, started_at, ended_at, length, output, bytes, unsealed,
	cut, segments`

func scanRecord(r *row) (v core.Record) {
	v.Session, v.Position, v.Account = r.id(), int(r.int()), core.AccountID(r.int())
	v.Node, v.NodeID, v.User, v.By, v.Command = core.NodeKey(r.int()), r.text(), r.text(), r.text(), r.text()
	v.Rows, v.Columns, v.StartedAt, v.EndedAt = int(r.int()), int(r.int()), r.time(), r.time()
	v.Length, v.Output = time.Duration(r.int()), uint64(r.int())
	v.Bytes, v.Unsealed, v.Cut = r.int(), r.int(), r.bool()
	r.json(&v.Segments)
	return v
}

func readRecord(conn *sqlite.Conn, session core.ID, position int) (v core.Record, err error) {
	err = queryOne(conn, "SELECT "+recordColumns+" FROM recordings WHERE session = ? AND position = ?", func(r *row) error {
		v = scanRecord(r)
		return nil
	}, session, position)
	return v, err
}

// InsertRecord implements core.Records.
func (s *Store) InsertRecord(ctx context.Context, v *core.Record) (got core.Record, err error) {
	err = s.write(ctx, func(t *tx) error {
		err := exec(t.conn, "INSERT INTO recordings ("+recordColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO NOTHING`, v.Session, v.Position, v.Account, v.Node, v.NodeID, v.User, v.By, v.Command, v.Rows, v.Columns,
			v.StartedAt, v.EndedAt, int64(v.Length), int64(v.Output), v.Bytes, v.Unsealed, v.Cut, v.Segments)
		if err != nil {
			return err
		}
		got, err = readRecord(t.conn, v.Session, v.Position)
		return err
	})
	return got, named(err, "insert recording of %s", v.Session)
}

// Record implements core.Records.
func (s *Store) Record(ctx context.Context, session core.ID, position int) (v core.Record, parts [][]byte, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		parts = nil
		if v, err = readRecord(conn, session, position); err != nil {
			return err
		}
		return query(conn, "SELECT data FROM recording_parts WHERE session = ? AND position = ? ORDER BY part", func(r *row) error {
			parts = append(parts, r.bytes())
			return nil
		}, session, position)
	})
	return v, parts, named(err, "recording of %s", session)
}

// AddToRecord implements core.Records.
func (s *Store) AddToRecord(ctx context.Context, session core.ID, position int, p *core.RecordPart) (v core.Record, err error) {
	err = s.write(ctx, func(t *tx) error {
		if v, err = readRecord(t.conn, session, position); err != nil {
			return err
		}
		if !p.Ended.IsZero() && v.EndedAt.IsZero() {
			v.EndedAt = p.Ended
		}
		fresh := len(p.Data) > 0 && p.Output >= v.Output && p.Length >= v.Length && !v.Cut
		if fresh {
			n := int64(len(p.Data))
			v.Length, v.Output, v.Cut, v.Bytes, v.Unsealed = p.Length, p.Output, p.Cut, v.Bytes+n, v.Unsealed+n
			err := exec(t.conn, `INSERT INTO recording_parts (session, position, part, data)
				SELECT ?, ?, coalesce(max(part), 0) + 1, ? FROM recording_parts WHERE session = ? AND position = ?`,
				session, position, p.Data, session, position)
			if err != nil {
				return err
			}
		}
		return exec(t.conn, `UPDATE recordings SET ended_at = ?, length = ?, output = ?, bytes = ?, unsealed = ?, cut = ? WHERE session = ? AND position = ?`,
			v.EndedAt, int64(v.Length), int64(v.Output), v.Bytes, v.Unsealed, v.Cut, session, position)
	})
	return v, named(err, "add to recording of %s", session)
}

// SealRecord implements core.Records.
func (s *Store) SealRecord(ctx context.Context, session core.ID, position int, seg core.RecordSegment) error {
	err := s.write(ctx, func(t *tx) error {
		v, err := readRecord(t.conn, session, position)
		if err != nil {
			return err
		}
		if v.Unsealed != seg.Events || seg.Events == 0 {
			return fmt.Errorf("%d bytes in parts: %w", v.Unsealed, core.ErrNotFound)
		}
		v.Segments = append(v.Segments, seg)
		if err := exec(t.conn, "DELETE FROM recording_parts WHERE session = ? AND position = ?", session, position); err != nil {
			return err
		}
		return exec(t.conn, "UPDATE recordings SET unsealed = 0, segments = ? WHERE session = ? AND position = ?", v.Segments, session, position)
	})
	return named(err, "seal recording of %s", session)
}

// ListRecords implements core.Records.
func (s *Store) ListRecords(ctx context.Context, f core.RecordFilter, p core.Page) (rows []core.Record, total int, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		rows = nil
		l := listRecords(&f)
		if p.Count {
			if total, err = l.count(conn); err != nil {
				return err
			}
		}
		if p.After != nil {
			l.and("session <= ? AND (session < ? OR position > ?)", p.After.A, p.After.A, p.After.B)
		}
		return l.page(conn, recordColumns, recordOrder, p, func(r *row) error {
			rows = append(rows, scanRecord(r))
			return nil
		})
	})
	return rows, total, named(err, "list recordings")
}

const recordOrder = "session DESC, position"

func listRecords(f *core.RecordFilter) *listing {
	l := &listing{from: "recordings"}
	l.account("account", f.Account)
	among(l, "session", f.Sessions)
	among(l, "node", f.Nodes)
	return l
}

// RemovedRecords implements core.Records.
func (s *Store) RemovedRecords(ctx context.Context) (ids []core.ID, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		ids = nil
		return query(conn, "SELECT session FROM removed_recordings ORDER BY session", func(r *row) error {
			ids = append(ids, r.id())
			return nil
		})
	})
	return ids, named(err, "removed recordings")
}

// ForgetRecords implements core.Records.
func (s *Store) ForgetRecords(ctx context.Context, sessions []core.ID) error {
	err := s.write(ctx, func(t *tx) error {
		return exec(t.conn, "DELETE FROM removed_recordings WHERE session IN (SELECT value FROM json_each(?))", jsonList(sessions))
	})
	return named(err, "forget recordings")
}
