package sqlite

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

const (
	sessionColumns = `id, account, region, origin, mode, kind, user, password_name, command, port, host, network, encryption, token_hash,
	created_at, expires_at, ended_at, client_ip, principal, identity, height, width, idle, hard, record, record_input`
	connectionColumns = "node, node_id, shown, status, closed, detail, started_at, ended_at, exit_code, exit_signal"

	openSessions      = "SELECT count(*) FROM sessions WHERE account = ? AND region = ? AND ended_at IS NULL"
	connectedSessions = "SELECT count(*) FROM connections WHERE node = ? AND status = 1" // core.ConnectionConnected
	nthSession        = "SELECT id FROM sessions WHERE account = ? ORDER BY id DESC LIMIT 1 OFFSET ?"
	oldSessions       = "SELECT id FROM sessions INDEXED BY sessions_account WHERE account = ? AND id < ? AND ended_at IS NOT NULL ORDER BY id LIMIT ?"
)

func scanSession(r *row) (s core.Session) {
	s.ID, s.Account, s.Region, s.Origin = r.id(), core.AccountID(r.int()), r.text(), core.Origin(r.text())
	s.Mode, s.Kind, s.User, s.PasswordName = core.SessionMode(r.text()), r.text(), r.text(), r.text()
	s.Command, s.Port, s.Host, s.Network = r.text(), int(r.int()), r.text(), r.text()
	r.json(&s.Encryption)
	s.TokenHash, s.CreatedAt, s.ExpiresAt, s.EndedAt = r.text(), r.time(), r.time(), r.time()
	s.ClientIP, s.Principal, s.Identity = r.text(), r.text(), core.Identity(r.text())
	s.Rows, s.Columns = int(r.int()), int(r.int())
	s.Idle, s.Limit = time.Duration(r.int())*time.Second, time.Duration(r.int())*time.Second
	s.Record, s.RecordInput = r.bool(), r.bool()
	return s
}

func scanConnection(r *row) (c core.Connection) {
	c.Node, c.NodeID, c.Shown = core.NodeKey(r.int()), r.text(), r.text()
	c.Status, c.Closed, c.Detail = core.ConnectionStatus(r.int()), core.CloseReason(r.int()), r.text()
	c.StartedAt, c.EndedAt = r.time(), r.time()
	if code, signal := r.int(), r.int(); signal >= 0 {
		c.Exit = &core.Exit{Code: int32(code), Signal: uint8(signal)}
	}
	return c
}

// exitColumns is how a connection's row keeps how its program ended; the signal is -1 as long as that is unknown.
func exitColumns(e *core.Exit) (code, signal int) {
	if e == nil {
		return 0, -1
	}
	return int(e.Code), int(e.Signal)
}

// InsertSession implements core.Sessions.
func (s *Store) InsertSession(ctx context.Context, v *core.Session, check func(core.SessionLoad) error) error {
	err := s.write(ctx, func(t *tx) error {
		load, err := sessionLoad(t.conn, v)
		if err != nil {
			return err
		}
		if err := check(load); err != nil {
			return err
		}
		err = exec(t.conn, "INSERT INTO sessions ("+sessionColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			v.ID, v.Account, v.Region, v.Origin, string(v.Mode), v.Kind, v.User, v.PasswordName, v.Command, v.Port, v.Host, v.Network,
			v.Encryption, v.TokenHash, v.CreatedAt, v.ExpiresAt, v.EndedAt, v.ClientIP, v.Principal, string(v.Identity),
			v.Rows, v.Columns, int64(v.Idle/time.Second), int64(v.Limit/time.Second), v.Record, v.RecordInput)
		if err != nil {
			return err
		}
		for i := range v.Connections {
			c := &v.Connections[i]
			code, signal := exitColumns(c.Exit)
			err := exec(t.conn, "INSERT INTO connections (session, position, "+connectionColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
				v.ID, i, c.Node, c.NodeID, c.Shown, int(c.Status), int(c.Closed), c.Detail, c.StartedAt, c.EndedAt, code, signal)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return named(err, "insert session %s", v.ID)
}

func sessionLoad(conn *sqlite.Conn, v *core.Session) (core.SessionLoad, error) {
	load := core.SessionLoad{Connected: map[core.NodeKey]int{}}
	err := queryOne(conn, openSessions, func(r *row) error { load.Open = int(r.int()); return nil }, v.Account, v.Region)
	for i := range v.Connections {
		if err != nil {
			break
		}
		node := v.Connections[i].Node
		err = queryOne(conn, connectedSessions, func(r *row) error { load.Connected[node] = int(r.int()); return nil }, node)
	}
	return load, err
}

// Session implements core.Sessions.
func (s *Store) Session(ctx context.Context, id core.ID) (v core.Session, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		v, err = readSession(conn, id)
		return err
	})
	return v, named(err, "session %s", id)
}

func readSession(conn *sqlite.Conn, id core.ID) (v core.Session, err error) {
	err = queryOne(conn, "SELECT "+sessionColumns+" FROM sessions WHERE id = ?", func(r *row) error {
		v = scanSession(r)
		return nil
	}, id)
	if err != nil {
		return v, err
	}
	return v, readConnections(conn, &v)
}

func readConnections(conn *sqlite.Conn, v *core.Session) error {
	return query(conn, "SELECT "+connectionColumns+" FROM connections WHERE session = ? ORDER BY position", func(r *row) error {
		v.Connections = append(v.Connections, scanConnection(r))
		return nil
	}, v.ID)
}

// ChangeSession implements core.Sessions.
func (s *Store) ChangeSession(ctx context.Context, id core.ID, change func(*core.Session) error) error {
	err := s.write(ctx, func(t *tx) error {
		v, err := readSession(t.conn, id)
		if err != nil {
			return err
		}
		if err := change(&v); err != nil {
			return err
		}
		if err := exec(t.conn, "UPDATE sessions SET ended_at = ? WHERE id = ?", v.EndedAt, id); err != nil {
			return err
		}
		for i := range v.Connections {
			c := &v.Connections[i]
			code, signal := exitColumns(c.Exit)
			err := exec(t.conn, `UPDATE connections SET status = ?, closed = ?, detail = ?, started_at = ?, ended_at = ?, exit_code = ?, exit_signal = ?
				WHERE session = ? AND position = ?`, int(c.Status), int(c.Closed), c.Detail, c.StartedAt, c.EndedAt, code, signal, id, i)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return named(err, "change session %s", id)
}

// ListSessions implements core.Sessions.
func (s *Store) ListSessions(ctx context.Context, f core.SessionFilter, p core.Page) (rows []core.Session, total int, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		l := listSessions(&f)
		if p.Count {
			if total, err = l.count(conn); err != nil {
				return err
			}
		}
		err := l.pageByKey(conn, sessionColumns, "id", p, func(r *row) error {
			rows = append(rows, scanSession(r))
			return nil
		})
		for i := range rows {
			if err != nil {
				break
			}
			err = readConnections(conn, &rows[i])
		}
		return err
	})
	return rows, total, named(err, "list sessions")
}

func listSessions(f *core.SessionFilter) *listing {
	l := &listing{from: "sessions"}
	l.account("account", f.Account)
	among(l, "id", f.IDs)
	if len(f.Nodes) > 0 {
		l.and("id IN (SELECT session FROM connections WHERE node IN (SELECT value FROM json_each(?)))", jsonList(f.Nodes))
	}
	if f.Open {
		l.and("ended_at IS NULL")
	}
	if f.Ended {
		l.and("ended_at IS NOT NULL")
	}
	return l
}

// NthSession implements core.Sessions.
func (s *Store) NthSession(ctx context.Context, account core.AccountID, n int) (id core.ID, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return queryOne(conn, nthSession, func(r *row) error { id = r.id(); return nil }, account, n-1)
	})
	return id, named(err, "newest session but %d", n-1)
}

// DeleteSessions implements core.Sessions.
func (s *Store) DeleteSessions(ctx context.Context, account core.AccountID, before core.ID, most int) (n int, err error) {
	err = s.write(ctx, func(t *tx) error {
		var ids []core.ID
		err := query(t.conn, oldSessions, func(r *row) error { ids = append(ids, r.id()); return nil }, account, before, most)
		if err != nil || len(ids) == 0 {
			n = 0
			return err
		}
		for _, text := range []string{
			"INSERT OR IGNORE INTO removed_recordings SELECT session FROM recordings WHERE session IN (SELECT value FROM json_each(?))",
			"DELETE FROM recording_parts WHERE session IN (SELECT value FROM json_each(?))",
			"DELETE FROM recordings WHERE session IN (SELECT value FROM json_each(?))",
			"DELETE FROM connections WHERE session IN (SELECT value FROM json_each(?))", "DELETE FROM sessions WHERE id IN (SELECT value FROM json_each(?))",
		} {
			if err := exec(t.conn, text, jsonList(ids)); err != nil {
				return err
			}
		}
		n = len(ids)
		return nil
	})
	return n, named(err, "delete sessions before %s", before)
}
