package sqlite

import (
	"context"
	"errors"
	"time"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

// AccountSettings implements core.Settings.
func (s *Store) AccountSettings(ctx context.Context, account core.AccountID) (groups map[string][]byte, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		groups, err = readSettings(conn, account)
		return err
	})
	return groups, named(err, "settings of account %s", account)
}

func readSettings(conn *sqlite.Conn, account core.AccountID) (map[string][]byte, error) {
	groups := map[string][]byte{}
	err := query(conn, "SELECT name, value FROM account_settings WHERE account = ?", func(r *row) error {
		name := r.text()
		groups[name] = []byte(r.text())
		return nil
	}, account)
	return groups, err
}

// ChangeAccountSettings implements core.Settings.
func (s *Store) ChangeAccountSettings(
	ctx context.Context, account core.AccountID, now time.Time, change func(map[string][]byte) (map[string][]byte, error),
) error {
	err := s.write(ctx, func(t *tx) error {
		groups, err := readSettings(t.conn, account)
		if err != nil {
			return err
		}
		changed, err := change(groups)
		if err != nil {
			return err
		}
		for name, value := range changed {
			err := exec(t.conn, `INSERT INTO account_settings (account, name, value, updated_at) VALUES (?, ?, ?, ?)
				ON CONFLICT DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at`, account, name, string(value), now)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return named(err, "change settings of account %s", account)
}

// BeginOnce implements core.Repeats.
func (s *Store) BeginOnce(
	ctx context.Context, r core.OnceRecord, stands func(core.OnceRecord) bool,
) (has core.OnceRecord, fresh bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		has, fresh = r, true
		has.Response = nil
		old, err := readOnce(t.conn, &r)
		switch {
		case err == nil && stands(old):
			has, fresh = old, false
			return nil
		case err != nil && !errors.Is(err, core.ErrNotFound):
			return err
		}
		return exec(t.conn, `INSERT OR REPLACE INTO idempotency (account, action, token, hash, created_at) VALUES (?, ?, ?, ?, ?)`,
			r.Account, r.Action, r.Token, r.Hash, r.CreatedAt)
	})
	return has, fresh, named(err, "begin %s once", r.Action)
}

func readOnce(conn *sqlite.Conn, key *core.OnceRecord) (r core.OnceRecord, err error) {
	r = core.OnceRecord{Account: key.Account, Action: key.Action, Token: key.Token}
	err = queryOne(conn, "SELECT hash, response, created_at FROM idempotency WHERE account = ? AND action = ? AND token = ?",
		func(row *row) error {
			r.Hash, r.Response, r.CreatedAt = row.text(), row.bytes(), row.time()
			return nil
		}, r.Account, r.Action, r.Token)
	return r, err
}

// EndOnce implements core.Repeats.
func (s *Store) EndOnce(ctx context.Context, r core.OnceRecord) error {
	const mine = " WHERE account = ? AND action = ? AND token = ? AND created_at = ?"
	err := s.write(ctx, func(t *tx) error {
		if r.Response == nil {
			return exec(t.conn, "DELETE FROM idempotency"+mine, r.Account, r.Action, r.Token, r.CreatedAt)
		}
		return exec(t.conn, "UPDATE idempotency SET response = ?"+mine, r.Response, r.Account, r.Action, r.Token, r.CreatedAt)
	})
	return named(err, "end %s once", r.Action)
}

// ForgetOnce implements core.Repeats.
func (s *Store) ForgetOnce(ctx context.Context, before time.Time) (n int, err error) {
	err = s.write(ctx, func(t *tx) error {
		if err := exec(t.conn, "DELETE FROM idempotency WHERE created_at < ?", before); err != nil {
			return err
		}
		n = t.conn.Changes()
		return nil
	})
	return n, named(err, "forget orders before %s", before)
}
