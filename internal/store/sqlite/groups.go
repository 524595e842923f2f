package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

const groupColumns = "account, name, target, description, changed_by, created_at, updated_at"

func scanGroup(r *row) core.NodeGroup {
	return core.NodeGroup{
		Account: core.AccountID(r.int()), Name: r.text(), Expr: r.text(), Description: r.text(), By: r.text(), CreatedAt: r.time(), UpdatedAt: r.time(),
	}
}

func readGroups(conn *sqlite.Conn, account core.AccountID) (rows []core.NodeGroup, err error) {
	err = query(conn, "SELECT "+groupColumns+" FROM node_groups WHERE account = ? ORDER BY name", func(r *row) error {
		rows = append(rows, scanGroup(r))
		return nil
	}, account)
	return rows, err
}

// PutGroup implements core.NodeGroups.
func (s *Store) PutGroup(ctx context.Context, g core.NodeGroup, check func([]core.NodeGroup) error) (core.NodeGroup, error) {
	put := g
	err := s.write(ctx, func(t *tx) error {
		put = g
		err := exec(t.conn, "INSERT INTO node_groups ("+groupColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
			target = excluded.target, description = excluded.description, changed_by = excluded.changed_by, updated_at = excluded.updated_at`,
			g.Account, g.Name, g.Expr, g.Description, g.By, g.CreatedAt, g.UpdatedAt)
		if err != nil {
			return err
		}
		all, err := readGroups(t.conn, g.Account)
		if err != nil {
			return err
		}
		for i := range all {
			if all[i].Name == g.Name {
				put = all[i]
			}
		}
		return check(all)
	})
	return put, named(err, "put group %s", g.Name)
}

// ListGroups implements core.NodeGroups.
func (s *Store) ListGroups(ctx context.Context, account core.AccountID) (rows []core.NodeGroup, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		rows, err = readGroups(conn, account)
		return err
	})
	return rows, named(err, "list groups")
}

// DeleteGroup implements core.NodeGroups.
func (s *Store) DeleteGroup(ctx context.Context, account core.AccountID, name string, check func([]core.NodeGroup) error) error {
	err := s.write(ctx, func(t *tx) error {
		err := exec(t.conn, "DELETE FROM node_groups WHERE account = ? AND name = ?", account, name)
		if err != nil {
			return err
		}
		if t.conn.Changes() == 0 {
			return core.ErrNotFound
		}
		all, err := readGroups(t.conn, account)
		if err != nil {
			return err
		}
		return check(all)
	})
	return named(err, "delete group %s", name)
}
