package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

const registrationColumns = `id, account, region, secret_hash, name_prefix, description, max_nodes, registered, deregistered, networks,
	created_at, updated_at, expires_at, disabled, resource_group, tags`

func scanRegistration(r *row) (c core.RegistrationCode) {
	c.ID, c.Account, c.Region = r.id(), core.AccountID(r.int()), r.text()
	c.SecretHash, c.NamePrefix, c.Description = r.text(), r.text(), r.text()
	c.Limit, c.Registered, c.Deregistered = int(r.int()), int(r.int()), int(r.int())
	r.json(&c.Networks)
	c.CreatedAt, c.UpdatedAt, c.ExpiresAt = r.time(), r.time(), r.time()
	c.Disabled, c.ResourceGroup, c.Tags = r.bool(), r.text(), r.tags()
	return c
}

// InsertRegistration implements core.Registrations.
func (s *Store) InsertRegistration(ctx context.Context, c core.RegistrationCode) error {
	err := s.write(ctx, func(t *tx) error {
		return exec(t.conn, "INSERT INTO registrations ("+registrationColumns+`)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			c.ID, c.Account, c.Region, c.SecretHash, c.NamePrefix, c.Description, c.Limit, c.Registered, c.Deregistered, c.Networks,
			c.CreatedAt, c.UpdatedAt, c.ExpiresAt, c.Disabled, c.ResourceGroup, c.Tags)
	})
	return named(err, "insert registration %s", c.ID)
}

// Registration implements core.Registrations.
func (s *Store) Registration(ctx context.Context, id core.ID) (c core.RegistrationCode, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		c, err = readRegistration(conn, id)
		return err
	})
	return c, named(err, "registration %s", id)
}

func readRegistration(conn *sqlite.Conn, id core.ID) (c core.RegistrationCode, err error) {
	err = queryOne(conn, "SELECT "+registrationColumns+" FROM registrations WHERE id = ?", func(r *row) error {
		c = scanRegistration(r)
		return nil
	}, id)
	return c, err
}

// UseRegistration implements core.Registrations.
func (s *Store) UseRegistration(
	ctx context.Context, id core.ID, use func(*core.RegistrationCode) (core.Node, error),
) (n core.Node, err error) {
	err = s.write(ctx, func(t *tx) error {
		c, err := readRegistration(t.conn, id)
		if err != nil {
			return err
		}
		if n, err = use(&c); err != nil {
			return err
		}
		if n.Key, err = t.insertNode(&n); err != nil {
			return err
		}
		return writeRegistration(t.conn, &c)
	})
	if err != nil {
		return core.Node{}, named(err, "use registration %s", id)
	}
	return n, nil
}

// writeRegistration writes what may change of a code.
func writeRegistration(conn *sqlite.Conn, c *core.RegistrationCode) error {
	return exec(conn, `UPDATE registrations SET region = ?, secret_hash = ?, name_prefix = ?, description = ?, max_nodes = ?,
			registered = ?, deregistered = ?, networks = ?, updated_at = ?, expires_at = ?, disabled = ?, resource_group = ?, tags = ?
		WHERE id = ?`,
		c.Region, c.SecretHash, c.NamePrefix, c.Description, c.Limit,
		c.Registered, c.Deregistered, c.Networks, c.UpdatedAt, c.ExpiresAt, c.Disabled, c.ResourceGroup, c.Tags, c.ID)
}

// ChangeRegistrations implements core.Registrations.
func (s *Store) ChangeRegistrations(
	ctx context.Context, account core.AccountID, ids []core.ID, change func(*core.RegistrationCode) (bool, error),
) (codes []core.RegistrationCode, err error) {
	err = s.write(ctx, func(t *tx) error {
		codes = make([]core.RegistrationCode, 0, len(ids))
		for _, id := range ids {
			c, err := readRegistration(t.conn, id)
			if err == nil && c.Account != account {
				err = core.ErrNotFound
			}
			if err != nil {
				return err
			}
			keep, err := change(&c)
			if err != nil {
				return err
			}
			if keep {
				err = writeRegistration(t.conn, &c)
			} else {
				err = exec(t.conn, "DELETE FROM registrations WHERE id = ?", id)
			}
			if err != nil {
				return err
			}
			codes = append(codes, c)
		}
		return nil
	})
	if err != nil {
		return nil, named(err, "change registrations")
	}
	return codes, nil
}

// ListRegistrations implements core.Registrations.
func (s *Store) ListRegistrations(
	ctx context.Context, f core.RegistrationFilter, p core.Page,
) (rows []core.RegistrationCode, total int, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		l := &listing{from: "registrations"}
		l.account("account", f.Account)
		among(l, "id", f.IDs)
		l.text("name_prefix", f.NamePrefix)
		l.text("resource_group", f.ResourceGroup)
		l.tags("tags", f.Tags)
		if p.Count {
			if total, err = l.count(conn); err != nil {
				return err
			}
		}
		return l.pageByKey(conn, registrationColumns, "id", p, func(r *row) error {
			rows = append(rows, scanRegistration(r))
			return nil
		})
	})
	return rows, total, named(err, "list registrations")
}
