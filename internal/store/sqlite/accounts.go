package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

const accountColumns = "id, name, disabled, created_at"

func scanAccount(r *row) core.Account {
	return core.Account{ID: core.AccountID(r.int()), Name: r.text(), Disabled: r.bool(), CreatedAt: r.time()}
}

// InsertAccount implements core.Accounts.
func (s *Store) InsertAccount(ctx context.Context, a core.Account) error {
	err := s.write(ctx, func(t *tx) error {
		return exec(t.conn, "INSERT INTO accounts (id, name, disabled, created_at) VALUES (?, ?, ?, ?)", a.ID, a.Name, a.Disabled, a.CreatedAt)
	})
	return named(err, "insert account %d", a.ID)
}

// Account implements core.Accounts.
func (s *Store) Account(ctx context.Context, id core.AccountID) (a core.Account, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		a, err = readAccount(conn, id)
		return err
	})
	return a, named(err, "account %d", id)
}

func readAccount(conn *sqlite.Conn, id core.AccountID) (a core.Account, err error) {
	err = queryOne(conn, "SELECT "+accountColumns+" FROM accounts WHERE id = ?", func(r *row) error {
		a = scanAccount(r)
		return nil
	}, id)
	return a, err
}

// ListAccounts implements core.Accounts.
func (s *Store) ListAccounts(ctx context.Context) (rows []core.Account, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT "+accountColumns+" FROM accounts ORDER BY id", func(r *row) error {
			rows = append(rows, scanAccount(r))
			return nil
		})
	})
	return rows, named(err, "list accounts")
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
