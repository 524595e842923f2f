package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

const (
	commandColumns = `c.id, c.account, c.region, c.name, c.description, c.type, c.resource_group, c.tags, c.created_at, c.updated_at,
		c.work_dir, c.user, c.launcher, c.timeout, c.params_enabled, c.defaults, c.sink_bucket, c.sink_prefix, c.extra, c.content,
		u.runs, u.last_at`
	fromCommands = "commands c CROSS JOIN command_runs u ON u.command = c.id"
)

func scanCommand(r *row) (c core.Command) {
	c.ID, c.Account, c.Region, c.Name, c.Description = r.id(), core.AccountID(r.int()), r.text(), r.text(), r.text()
	c.Type, c.ResourceGroup, c.Tags, c.CreatedAt, c.UpdatedAt = core.CommandType(r.text()), r.text(), r.tags(), r.time(), r.time()
	c.WorkDir, c.User, c.Launcher, c.Timeout = r.text(), r.text(), r.text(), r.duration()
	c.ParamsEnabled, c.Defaults, c.Sink.Bucket, c.Sink.Prefix = r.bool(), r.strings(), r.text(), r.text()
	c.Extra, c.Content = r.strings(), r.bytes()
	c.Invocations, c.LastInvokedAt = int(r.int()), r.time()
	return c
}

// InsertCommand implements core.Commands.
func (s *Store) InsertCommand(ctx context.Context, c core.Command, uniqueName bool) error {
	err := s.write(ctx, func(t *tx) error {
		if uniqueName {
			if err := freeName(t.conn, &c); err != nil {
				return err
			}
		}
		err := exec(t.conn, `INSERT INTO commands (id, account, region, name, description, type, resource_group, tags, created_at, updated_at,
				work_dir, user, launcher, timeout, params_enabled, defaults, sink_bucket, sink_prefix, extra, content)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			c.ID, c.Account, c.Region, c.Name, c.Description, c.Type, c.ResourceGroup, c.Tags, c.CreatedAt, c.UpdatedAt,
			c.WorkDir, c.User, c.Launcher, c.Timeout, c.ParamsEnabled, c.Defaults, c.Sink.Bucket, c.Sink.Prefix, c.Extra, c.Content)
		if err != nil {
			return err
		}
		return exec(t.conn, "INSERT INTO command_runs (command, runs) VALUES (?, 0)", c.ID)
	})
	return named(err, "insert command %s", c.ID)
}

// freeName returns core.ErrTaken if another command has the name.
func freeName(conn *sqlite.Conn, c *core.Command) error {
	var taken bool
	err := query(conn, "SELECT EXISTS (SELECT 1 FROM commands WHERE account = ? AND name = ? AND region = ? AND id <> ?)",
		func(r *row) error { taken = r.bool(); return nil }, c.Account, c.Name, c.Region, c.ID)
	if err == nil && taken {
		err = fmt.Errorf("name %q: %w", c.Name, core.ErrTaken)
	}
	return err
}

// Command implements core.Commands.
func (s *Store) Command(ctx context.Context, account core.AccountID, id core.ID) (c core.Command, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		c, err = readCommand(conn, account, id)
		return err
	})
	return c, named(err, "command %s", id)
}

func readCommand(conn *sqlite.Conn, account core.AccountID, id core.ID) (c core.Command, err error) {
	err = queryOne(conn, "SELECT "+commandColumns+" FROM "+fromCommands+" WHERE c.id = ? AND c.account = ?", func(r *row) error {
		c = scanCommand(r)
		return nil
	}, id, account)
	return c, err
}

// ChangeCommand implements core.Commands.
func (s *Store) ChangeCommand(
	ctx context.Context, account core.AccountID, id core.ID, uniqueName bool, change func(*core.Command) error,
) error {
	err := s.write(ctx, func(t *tx) error {
		c, err := readCommand(t.conn, account, id)
		if err != nil {
			return err
		}
		before := c.Name
		if err := change(&c); err != nil {
			return err
		}
		if uniqueName && c.Name != before {
			if err := freeName(t.conn, &c); err != nil {
				return err
			}
		}
		return exec(t.conn, `UPDATE commands SET region = ?, name = ?, description = ?, type = ?, resource_group = ?, tags = ?, updated_at = ?,
				work_dir = ?, user = ?, launcher = ?, timeout = ?, params_enabled = ?, defaults = ?, sink_bucket = ?, sink_prefix = ?,
				extra = ?, content = ? WHERE id = ?`,
			c.Region, c.Name, c.Description, c.Type, c.ResourceGroup, c.Tags, c.UpdatedAt,
			c.WorkDir, c.User, c.Launcher, c.Timeout, c.ParamsEnabled, c.Defaults, c.Sink.Bucket, c.Sink.Prefix,
			c.Extra, c.Content, id)
	})
	return named(err, "change command %s", id)
}

// DeleteCommands implements core.Commands.
func (s *Store) DeleteCommands(
	ctx context.Context, account core.AccountID, ids []core.ID, check func(id core.ID, open, schedules int) error,
) error {
	ids = distinct(ids)
	err := s.write(ctx, func(t *tx) error {
		for _, id := range ids {
			var open, schedules int
			err := queryOne(t.conn, `SELECT (SELECT count(*) FROM invocations v INDEXED BY invocations_open
					WHERE v.open > 0 AND v.account = c.account AND v.command = c.id),
					(SELECT count(*) FROM schedules s WHERE s.command = c.id)
				FROM commands c WHERE c.id = ? AND c.account = ?`,
				func(r *row) error { open, schedules = int(r.int()), int(r.int()); return nil }, id, account)
			if err != nil {
				return fmt.Errorf("%s: %w", id, err)
			}
			if err := check(id, open, schedules); err != nil {
				return err
			}
			if err := exec(t.conn, "DELETE FROM commands WHERE id = ?", id); err != nil {
				return err
			}
			if err := exec(t.conn, "DELETE FROM command_runs WHERE command = ?", id); err != nil {
				return err
			}
		}
		return nil
	})
	return named(err, "delete commands")
}

// ListCommands implements core.Commands.
func (s *Store) ListCommands(ctx context.Context, f core.CommandFilter, p core.Page) (rows []core.Command, total int, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		l := listCommands(&f)
		if p.Count {
			if total, err = l.count(conn); err != nil {
				return err
			}
		}
		return l.pageByKey(conn, commandColumns, "c.id", p, func(r *row) error {
			rows = append(rows, scanCommand(r))
			return nil
		})
	})
	return rows, total, named(err, "list commands")
}

func listCommands(f *core.CommandFilter) *listing {
	l := &listing{from: fromCommands}
	l.account("c.account", f.Account)
	among(l, "c.id", f.IDs)
	l.pattern("c.name", f.Name)
	l.pattern("c.description", f.Description)
	among(l, "c.type", f.Types)
	l.text("c.resource_group", f.ResourceGroup)
	l.tags("c.tags", f.Tags)
	l.tagKeys("c.tags", f.TagKeys)
	return l
}
