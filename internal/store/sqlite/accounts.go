package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

// InsertAccount implements core.Accounts.
func (s *Store) InsertAccount(ctx context.Context, a core.Account) error {
	err := s.write(ctx, func(t *tx) error {
		return exec(t.conn, "INSERT INTO accounts (id, name, created_at) VALUES (?, ?, ?)", a.ID, a.Name, a.CreatedAt)
	})
	return named(err, "insert account %d", a.ID)
}

// Account implements core.Accounts.
func (s *Store) Account(ctx context.Context, id core.AccountID) (a core.Account, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return queryOne(conn, "SELECT name, created_at FROM accounts WHERE id = ?", func(r *row) error {
			a = core.Account{ID: id, Name: r.text(), CreatedAt: r.time()}
			return nil
		}, id)
	})
	return a, named(err, "account %d", id)
}

// ListAccounts implements core.Accounts.
func (s *Store) ListAccounts(ctx context.Context) (rows []core.Account, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT id, name, created_at FROM accounts ORDER BY id", func(r *row) error {
			rows = append(rows, core.Account{ID: core.AccountID(r.int()), Name: r.text(), CreatedAt: r.time()})
			return nil
		})
	})
	return rows, named(err, "list accounts")
}

// InsertKey implements core.Accounts.
func (s *Store) InsertKey(ctx context.Context, k core.AccessKey) error {
	err := s.write(ctx, func(t *tx) error {
		return exec(t.conn, `INSERT INTO access_keys
			(id, account, principal, kind, sealed, token_hash, disabled, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			k.ID, k.Account, k.Principal, k.Kind, k.Sealed, k.TokenHash, k.Disabled, k.CreatedAt, k.ExpiresAt)
	})
	return named(err, "insert access key %s", k.ID)
}

// Key implements core.Accounts.
func (s *Store) Key(ctx context.Context, id string) (k core.AccessKey, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return queryOne(conn, `SELECT account, principal, kind, sealed, token_hash, disabled, created_at, expires_at
			FROM access_keys WHERE id = ?`, func(r *row) error {
			k = core.AccessKey{
				ID: id, Account: core.AccountID(r.int()), Principal: r.text(), Kind: core.KeyKind(r.text()), Sealed: r.bytes(),
				TokenHash: r.text(), Disabled: r.bool(), CreatedAt: r.time(), ExpiresAt: r.time(),
			}
			return nil
		}, id)
	})
	return k, named(err, "access key %s", id)
}

// Setting implements core.Accounts.
func (s *Store) Setting(ctx context.Context, name string) (value []byte, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		value, err = setting(conn, name)
		return err
	})
	return value, named(err, "setting %s", name)
}

// SetSetting implements core.Accounts.
func (s *Store) SetSetting(ctx context.Context, name string, value []byte) (holds []byte, err error) {
	err = s.write(ctx, func(t *tx) error {
		err := exec(t.conn, "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING", name, append([]byte{}, value...))
		if err == nil {
			holds, err = setting(t.conn, name)
		}
		return err
	})
	return holds, named(err, "set setting %s", name)
}

func setting(conn *sqlite.Conn, name string) (value []byte, err error) {
	err = queryOne(conn, "SELECT value FROM settings WHERE name = ?", func(r *row) error {
		value = r.bytes()
		return nil
	}, name)
	return value, err
}

// named says in an error what was being done.
func named(err error, what string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(what, args...), err)
}
