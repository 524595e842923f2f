package sqlite

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

const keyColumns = `id, account, principal, kind, description, sealed, token_hash, session, dialects, networks, disabled,
	created_at, expires_at, used_at, old_sealed, old_token_hash, old_until, parent, idle`

func scanKey(r *row) (k core.AccessKey) {
	k.ID, k.Account, k.Principal, k.Kind = r.text(), core.AccountID(r.int()), r.text(), core.KeyKind(r.text())
	k.Description, k.Sealed, k.TokenHash, k.Session = r.text(), r.bytes(), r.text(), r.text()
	r.json(&k.Dialects)
	r.json(&k.Networks)
	k.Disabled, k.CreatedAt, k.ExpiresAt, k.UsedAt = r.bool(), r.time(), r.time(), r.time()
	k.OldSealed, k.OldTokenHash, k.OldUntil = r.bytes(), r.text(), r.time()
	k.Parent, k.Idle = r.text(), r.duration()
	return k
}

// InsertKey implements core.Accounts.
func (s *Store) InsertKey(ctx context.Context, k core.AccessKey) error {
	err := s.write(ctx, func(t *tx) error { return writeKey(t.conn, "INSERT", &k) })
	return named(err, "insert access key %s", k.ID)
}

func writeKey(conn *sqlite.Conn, verb string, k *core.AccessKey) error {
	return exec(conn, verb+" INTO access_keys ("+keyColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		k.ID, k.Account, k.Principal, k.Kind, k.Description, k.Sealed, k.TokenHash, k.Session, k.Dialects, k.Networks, k.Disabled,
		k.CreatedAt, k.ExpiresAt, k.UsedAt, k.OldSealed, k.OldTokenHash, k.OldUntil, k.Parent, k.Idle)
}

// Key implements core.Accounts.
func (s *Store) Key(ctx context.Context, id string) (k core.AccessKey, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		k, err = readKey(conn, id)
		return err
	})
	return k, named(err, "access key %s", id)
}

func readKey(conn *sqlite.Conn, id string) (k core.AccessKey, err error) {
	err = queryOne(conn, "SELECT "+keyColumns+" FROM access_keys WHERE id = ?", func(r *row) error {
		k = scanKey(r)
		return nil
	}, id)
	return k, err
}

// ListKeys implements core.Access.
func (s *Store) ListKeys(ctx context.Context, f core.KeyFilter) (rows []core.AccessKey, err error) {
	l := &listing{from: "access_keys"}
	l.account("account", f.Account)
	l.text("principal", f.Principal)
	l.text("kind", string(f.Kind))
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, l.query(keyColumns, " ORDER BY id"), func(r *row) error {
			rows = append(rows, scanKey(r))
			return nil
		}, l.args...)
	})
	return rows, named(err, "list access keys")
}

// ChangeKey implements core.Access.
func (s *Store) ChangeKey(
	ctx context.Context, account core.AccountID, id string, change func(*core.AccessKey, int) (bool, error),
) error {
	err := s.write(ctx, func(t *tx) error {
		k, err := readKey(t.conn, id)
		if err == nil && k.Account != account {
			err = core.ErrNotFound
		}
		if err != nil {
			return err
		}
		others := 0
		err = queryOne(t.conn, `SELECT count(*) FROM access_keys
			WHERE account = ? AND principal = ? AND kind = ? AND disabled = 0 AND id <> ?`,
			func(r *row) error { others = int(r.int()); return nil }, account, k.Principal, k.Kind, id)
		if err != nil {
			return err
		}
		keep, err := change(&k, others)
		switch {
		case err != nil:
			return err
		case keep:
			return writeKey(t.conn, "REPLACE", &k)
		default:
			return exec(t.conn, "DELETE FROM access_keys WHERE id = ?", id)
		}
	})
	return named(err, "change access key %s", id)
}

// SetKeysUsed implements core.Access.
func (s *Store) SetKeysUsed(ctx context.Context, used map[string]time.Time) error {
	err := s.write(ctx, func(t *tx) error {
		for id, at := range used {
			if err := exec(t.conn, "UPDATE access_keys SET used_at = ?2 WHERE id = ?1 AND (used_at IS NULL OR used_at < ?2)", id, at); err != nil {
				return err
			}
		}
		return nil
	})
	return named(err, "set last use of access keys")
}

const expiredKeys = "SELECT id FROM access_keys WHERE expires_at < ? AND kind IN (?, ?) ORDER BY expires_at LIMIT ?"

// DeleteExpiredKeys implements core.Access.
func (s *Store) DeleteExpiredKeys(ctx context.Context, before time.Time, most int) (n int, err error) {
	err = s.write(ctx, func(t *tx) error {
		err := exec(t.conn, "DELETE FROM access_keys WHERE id IN ("+expiredKeys+")", before, core.KeyTemporary, core.KeyLogin, most)
		n = t.conn.Changes()
		return err
	})
	return n, named(err, "delete expired access keys")
}
