package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

// ChangeAccount implements core.Access.
func (s *Store) ChangeAccount(ctx context.Context, id core.AccountID, change func(*core.Account) error) error {
	err := s.write(ctx, func(t *tx) error {
		a, err := readAccount(t.conn, id)
		if err == nil {
			err = change(&a)
		}
		if err != nil {
			return err
		}
		return exec(t.conn, "UPDATE accounts SET name = ?, disabled = ? WHERE id = ?", a.Name, a.Disabled, id)
	})
	return named(err, "change account %d", id)
}

const userColumns = "account, name, kind, description, disabled, created_at, updated_at"

func scanUser(r *row) core.User {
	return core.User{
		Account: core.AccountID(r.int()), Name: r.text(), Kind: core.UserKind(r.text()), Description: r.text(), Disabled: r.bool(),
		CreatedAt: r.time(), UpdatedAt: r.time(),
	}
}

// InsertUser implements core.Access.
func (s *Store) InsertUser(ctx context.Context, u core.User) error {
	err := s.write(ctx, func(t *tx) error {
		return exec(t.conn, "INSERT INTO users ("+userColumns+") VALUES (?, ?, ?, ?, ?, ?, ?)",
			u.Account, u.Name, string(u.Kind), u.Description, u.Disabled, u.CreatedAt, u.UpdatedAt)
	})
	return named(err, "insert user %s", u.Name)
}

// User implements core.Access.
func (s *Store) User(ctx context.Context, account core.AccountID, name string) (u core.User, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		u, err = readUser(conn, account, name)
		return err
	})
	return u, named(err, "user %s", name)
}

func readUser(conn *sqlite.Conn, account core.AccountID, name string) (u core.User, err error) {
	err = queryOne(conn, "SELECT "+userColumns+" FROM users WHERE account = ? AND name = ?", func(r *row) error {
		u = scanUser(r)
		return nil
	}, account, name)
	return u, err
}

// ListUsers implements core.Access.
func (s *Store) ListUsers(ctx context.Context, account core.AccountID) (rows []core.User, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT "+userColumns+" FROM users WHERE account = ? ORDER BY name", func(r *row) error {
			rows = append(rows, scanUser(r))
			return nil
		}, account)
	})
	return rows, named(err, "list users")
}

// ChangeUser implements core.Access.
func (s *Store) ChangeUser(ctx context.Context, account core.AccountID, name string, change func(*core.User) error) error {
	err := s.write(ctx, func(t *tx) error {
		u, err := readUser(t.conn, account, name)
		if err == nil {
			err = change(&u)
		}
		if err != nil {
			return err
		}
		return exec(t.conn, "UPDATE users SET description = ?, disabled = ?, updated_at = ? WHERE account = ? AND name = ?",
			u.Description, u.Disabled, u.UpdatedAt, account, name)
	})
	return named(err, "change user %s", name)
}

// DeleteUser implements core.Access.
func (s *Store) DeleteUser(ctx context.Context, account core.AccountID, name string) error {
	err := s.write(ctx, func(t *tx) error {
		if _, err := readUser(t.conn, account, name); err != nil {
			return err
		}
		for _, text := range []string{
			"DELETE FROM access_keys WHERE account = ? AND principal = ?",
			"DELETE FROM attachments WHERE account = ? AND user = ?",
			"DELETE FROM users WHERE account = ? AND name = ?",
		} {
			if err := exec(t.conn, text, account, name); err != nil {
				return err
			}
		}
		return nil
	})
	return named(err, "delete user %s", name)
}

// Grant implements core.Access.
func (s *Store) Grant(ctx context.Context, account core.AccountID, principal string) (g core.Grant, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		a, err := readAccount(conn, account)
		if err != nil {
			return err
		}
		g.Suspended = a.Disabled
		if principal == core.RootUser {
			return nil
		}
		u, err := readUser(conn, account, principal)
		if err != nil {
			return err
		}
		g.Suspended = g.Suspended || u.Disabled
		return query(conn, `SELECT a.policy, p.document FROM attachments a
			LEFT JOIN policies p ON p.account = a.account AND p.name = a.policy
			WHERE a.account = ? AND a.user = ? ORDER BY a.policy`, func(r *row) error {
			name := r.text()
			if r.ColumnIsNull(1) {
				g.Builtin = append(g.Builtin, name)
			} else {
				g.Stored = append(g.Stored, core.Policy{Name: name, Document: r.text()})
			}
			return nil
		}, account, principal)
	})
	return g, named(err, "rights of %s", principal)
}
