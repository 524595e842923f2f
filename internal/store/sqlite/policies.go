package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

const policyColumns = "account, name, description, document, created_at, updated_at"

func scanPolicy(r *row) core.Policy {
	return core.Policy{
		Account: core.AccountID(r.int()), Name: r.text(), Description: r.text(), Document: r.text(), CreatedAt: r.time(), UpdatedAt: r.time(),
	}
}

// PutPolicy implements core.Access.
func (s *Store) PutPolicy(ctx context.Context, p core.Policy) error {
	err := s.write(ctx, func(t *tx) error {
		return exec(t.conn, "INSERT INTO policies ("+policyColumns+`) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET description = excluded.description, document = excluded.document, updated_at = excluded.updated_at`,
			p.Account, p.Name, p.Description, p.Document, p.CreatedAt, p.UpdatedAt)
	})
	return named(err, "put policy %s", p.Name)
}

// Policy implements core.Access.
func (s *Store) Policy(ctx context.Context, account core.AccountID, name string) (p core.Policy, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return queryOne(conn, "SELECT "+policyColumns+" FROM policies WHERE account = ? AND name = ?", func(r *row) error {
			p = scanPolicy(r)
			return nil
		}, account, name)
	})
	return p, named(err, "policy %s", name)
}

// ListPolicies implements core.Access.
func (s *Store) ListPolicies(ctx context.Context, account core.AccountID) (rows []core.Policy, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT "+policyColumns+" FROM policies WHERE account = ? ORDER BY name", func(r *row) error {
			rows = append(rows, scanPolicy(r))
			return nil
		}, account)
	})
	return rows, named(err, "list policies")
}

// DeletePolicy implements core.Access.
func (s *Store) DeletePolicy(ctx context.Context, account core.AccountID, name string, check func([]string) error) error {
	err := s.write(ctx, func(t *tx) error {
		if err := policyExists(t.conn, account, name); err != nil {
			return err
		}
		var users []string
		err := query(t.conn, "SELECT user FROM attachments WHERE account = ? AND policy = ? ORDER BY user", func(r *row) error {
			users = append(users, r.text())
			return nil
		}, account, name)
		if err == nil {
			err = check(users)
		}
		if err == nil {
			err = exec(t.conn, "DELETE FROM attachments WHERE account = ? AND policy = ?", account, name)
		}
		if err == nil {
			err = exec(t.conn, "DELETE FROM policies WHERE account = ? AND name = ?", account, name)
		}
		return err
	})
	return named(err, "delete policy %s", name)
}

func policyExists(conn *sqlite.Conn, account core.AccountID, name string) error {
	return queryOne(conn, "SELECT 1 FROM policies WHERE account = ? AND name = ?", func(*row) error { return nil }, account, name)
}

// Attach implements core.Access.
func (s *Store) Attach(ctx context.Context, account core.AccountID, user, policy string, stored bool) error {
	err := s.write(ctx, func(t *tx) error {
		_, err := readUser(t.conn, account, user)
		if err == nil && stored {
			err = policyExists(t.conn, account, policy)
		}
		if err != nil {
			return err
		}
		return exec(t.conn, "INSERT INTO attachments (account, user, policy) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", account, user, policy)
	})
	return named(err, "attach policy %s to %s", policy, user)
}

// Detach implements core.Access.
func (s *Store) Detach(ctx context.Context, account core.AccountID, user, policy string) error {
	err := s.write(ctx, func(t *tx) error {
		err := exec(t.conn, "DELETE FROM attachments WHERE account = ? AND user = ? AND policy = ?", account, user, policy)
		if err == nil && t.conn.Changes() == 0 {
			err = core.ErrNotFound
		}
		return err
	})
	return named(err, "detach policy %s from %s", policy, user)
}

// Attached implements core.Access.
func (s *Store) Attached(ctx context.Context, account core.AccountID, user string) (names []string, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT policy FROM attachments WHERE account = ? AND user = ? ORDER BY policy", func(r *row) error {
			names = append(names, r.text())
			return nil
		}, account, user)
	})
	return names, named(err, "policies of %s", user)
}
