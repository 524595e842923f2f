package sqlite

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

const (
	scheduleColumns = `id, account, principal, region, origin, name, crontab, at, enabled, next, command, targets, params, user, style,
		kill_tree, deliver_within, revision, tags, extra, created_at, updated_at`
	firingColumns = "id, account, schedule, due, invocation, problem"
)

func scanSchedule(r *row) (s core.Schedule) {
	s.ID, s.Account, s.Principal, s.Region, s.Origin, s.Name = r.id(), core.AccountID(r.int()), r.text(), r.text(), core.Origin(r.text()), r.text()
	s.Crontab, s.At, s.Enabled, s.Next, s.Command = r.text(), r.time(), r.bool(), r.time(), r.id()
	r.json(&s.Targets)
	s.Params, s.User = r.strings(), r.text()
	r.json(&s.Style)
	s.KillTree, s.DeliverWithin, s.Revision = r.bool(), r.duration(), uint64(r.int())
	s.Tags, s.Extra, s.CreatedAt, s.UpdatedAt = r.tags(), r.strings(), r.time(), r.time()
	return s
}

func scanFiring(r *row) (f core.Firing) {
	f.ID, f.Account, f.Schedule, f.Due, f.Invocation, f.Problem = r.id(), core.AccountID(r.int()), r.id(), r.time(), r.id(), r.text()
	return f
}

// InsertSchedule implements core.Schedules.
func (s *Store) InsertSchedule(ctx context.Context, c core.Schedule) error {
	err := s.write(ctx, func(t *tx) error {
		return exec(t.conn, "INSERT INTO schedules ("+scheduleColumns+`, fired)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
			c.ID, c.Account, c.Principal, c.Region, c.Origin, c.Name, c.Crontab, c.At, c.Enabled, c.Next, c.Command, c.Targets, c.Params, c.User,
			&c.Style, c.KillTree, c.DeliverWithin, int64(c.Revision), c.Tags, c.Extra, c.CreatedAt, c.UpdatedAt)
	})
	return named(err, "insert schedule %s", c.ID)
}

// Schedule implements core.Schedules.
func (s *Store) Schedule(ctx context.Context, account core.AccountID, id core.ID) (c core.Schedule, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		c, err = readSchedule(conn, id)
		if err == nil && c.Account != account {
			c, err = core.Schedule{}, core.ErrNotFound
		}
		return err
	})
	return c, named(err, "schedule %s", id)
}

func readSchedule(conn *sqlite.Conn, id core.ID) (c core.Schedule, err error) {
	err = queryOne(conn, "SELECT "+scheduleColumns+" FROM schedules WHERE id = ?", func(r *row) error {
		c = scanSchedule(r)
		return nil
	}, id)
	return c, err
}

// ChangeSchedule implements core.Schedules.
func (s *Store) ChangeSchedule(
	ctx context.Context, account core.AccountID, id core.ID, change func(*core.Schedule) (bool, error),
) error {
	err := s.write(ctx, func(t *tx) error {
		c, err := readSchedule(t.conn, id)
		if err == nil && c.Account != account {
			err = core.ErrNotFound
		}
		if err != nil {
			return err
		}
		keep, err := change(&c)
		switch {
		case err != nil:
			return err
		case !keep:
			if err := exec(t.conn, "DELETE FROM firings WHERE schedule = ?", id); err != nil {
				return err
			}
			return exec(t.conn, "DELETE FROM schedules WHERE id = ?", id)
		}
		return exec(t.conn, `UPDATE schedules SET principal = ?, region = ?, origin = ?, name = ?, crontab = ?, at = ?, enabled = ?, next = ?,
				command = ?, targets = ?, params = ?, user = ?, style = ?, kill_tree = ?, deliver_within = ?, revision = ?, tags = ?, extra = ?,
				created_at = ?, updated_at = ?, claimed_until = NULL
			WHERE id = ?`,
			c.Principal, c.Region, c.Origin, c.Name, c.Crontab, c.At, c.Enabled, c.Next,
			c.Command, c.Targets, c.Params, c.User, &c.Style, c.KillTree, c.DeliverWithin, int64(c.Revision), c.Tags, c.Extra,
			c.CreatedAt, c.UpdatedAt, id)
	})
	return named(err, "change schedule %s", id)
}

// ListSchedules implements core.Schedules.
func (s *Store) ListSchedules(ctx context.Context, f core.ScheduleFilter, p core.Page) (rows []core.Schedule, total int, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		l := listSchedules(&f)
		if p.Count {
			if total, err = l.count(conn); err != nil {
				return err
			}
		}
		return l.pageByKey(conn, scheduleColumns, "id", p, func(r *row) error {
			rows = append(rows, scanSchedule(r))
			return nil
		})
	})
	return rows, total, named(err, "list schedules")
}

func listSchedules(f *core.ScheduleFilter) *listing {
	l := &listing{from: "schedules"}
	account := "account"
	if len(f.Commands) > 0 {
		account = "+account" // the index by command is the better one
	}
	l.account(account, f.Account)
	among(l, "id", f.IDs)
	among(l, "command", f.Commands)
	return l
}

const (
	nextDue     = "SELECT min(next) FROM schedules WHERE next > ?1"
	nextClaim   = "SELECT min(ifnull(claimed_until, ?1)) FROM schedules WHERE next <= ?1"
	dueUnowned  = "next <= ?1 AND (claimed_until IS NULL OR claimed_until <= ?1)"
	selectDue   = "SELECT " + scheduleColumns + " FROM schedules WHERE " + dueUnowned + " ORDER BY next, claimed_until, id LIMIT ?2"
	claimOne    = "UPDATE schedules SET claimed_until = ? WHERE id = ?"
	oldFirings  = "SELECT id, schedule FROM firings WHERE id < ? ORDER BY id LIMIT ?"
	oldestOfOne = "SELECT min(id) FROM firings WHERE schedule = ?"
)

// NextSchedule implements core.Schedules.
func (s *Store) NextSchedule(ctx context.Context, now time.Time) (next time.Time, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		earliest := func(r *row) error {
			if at := r.time(); next.IsZero() || !at.IsZero() && at.Before(next) {
				next = at
			}
			return nil
		}
		if err := query(conn, nextDue, earliest, now); err != nil {
			return err
		}
		return query(conn, nextClaim, earliest, now)
	})
	if !next.IsZero() && next.Before(now) {
		next = now
	}
	return next, named(err, "next schedule")
}

// ClaimSchedules implements core.Schedules.
func (s *Store) ClaimSchedules(ctx context.Context, now, until time.Time, most int) (rows []core.Schedule, err error) {
	err = s.write(ctx, func(t *tx) error {
		rows = nil
		err := query(t.conn, selectDue, func(r *row) error {
			rows = append(rows, scanSchedule(r))
			return nil
		}, now, most)
		for i := range rows {
			if err == nil {
				err = exec(t.conn, claimOne, until, rows[i].ID)
			}
		}
		return err
	})
	if err != nil {
		return nil, named(err, "claim schedules")
	}
	return rows, nil
}

// InsertFiring implements core.Schedules.
func (s *Store) InsertFiring(ctx context.Context, f core.Firing, most int, move func(*core.Schedule)) error {
	err := s.write(ctx, func(t *tx) error {
		c, err := readSchedule(t.conn, f.Schedule)
		if err != nil {
			return err
		}
		var known bool
		err = query(t.conn, "SELECT EXISTS (SELECT 1 FROM firings WHERE schedule = ? AND due = ?)",
			func(r *row) error { known = r.bool(); return nil }, f.Schedule, f.Due)
		if err != nil {
			return err
		}
		if !known {
			if err := insertFiring(t.conn, &f, most); err != nil {
				return err
			}
		}
		if !c.Next.Equal(f.Due) {
			return nil
		}
		move(&c)
		return exec(t.conn, "UPDATE schedules SET next = ?, claimed_until = NULL WHERE id = ?", c.Next, c.ID)
	})
	return named(err, "insert firing of schedule %s", f.Schedule)
}

// insertFiring adds a firing and removes the oldest one of its schedule if there are too many.
func insertFiring(conn *sqlite.Conn, f *core.Firing, most int) error {
	err := exec(conn, "INSERT INTO firings ("+firingColumns+") VALUES (?, ?, ?, ?, ?, ?)",
		f.ID, f.Account, f.Schedule, f.Due, f.Invocation, f.Problem)
	if err != nil {
		return err
	}
	var fired int
	err = query(conn, "UPDATE schedules SET fired = fired + 1 WHERE id = ? RETURNING fired",
		func(r *row) error { fired = int(r.int()); return nil }, f.Schedule)
	if err != nil || fired <= most {
		return err
	}
	if err := exec(conn, "DELETE FROM firings WHERE id = ("+oldestOfOne+")", f.Schedule); err != nil {
		return err
	}
	return forgetFiring(conn, f.Schedule)
}

func forgetFiring(conn *sqlite.Conn, schedule core.ID) error {
	return exec(conn, "UPDATE schedules SET fired = fired - 1 WHERE id = ?", schedule)
}

// ListFirings implements core.Schedules. Their schedules know how many there are.
func (s *Store) ListFirings(ctx context.Context, f core.FiringFilter, p core.Page) (rows []core.Firing, total int, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		if p.Count {
			l := listSchedules(&core.ScheduleFilter{Account: f.Account, IDs: f.Schedules})
			err := query(conn, l.query("ifnull(sum(fired), 0)", ""), func(r *row) error { total = int(r.int()); return nil }, l.args...)
			if err != nil {
				return err
			}
		}
		return listFirings(&f).pageByKey(conn, firingColumns, "id", p, func(r *row) error {
			rows = append(rows, scanFiring(r))
			return nil
		})
	})
	return rows, total, named(err, "list firings")
}

func listFirings(f *core.FiringFilter) *listing {
	l := &listing{from: "firings"}
	account := "account"
	if len(f.Schedules) > 0 {
		account = "+account" // the index by schedule is the better one
	}
	l.account(account, f.Account)
	among(l, "schedule", f.Schedules)
	return l
}

// DeleteFirings implements core.Schedules.
func (s *Store) DeleteFirings(ctx context.Context, before core.ID, most int) (n int, err error) {
	err = s.write(ctx, func(t *tx) error {
		n = 0
		var old [][2]core.ID
		err := query(t.conn, oldFirings, func(r *row) error {
			old = append(old, [2]core.ID{r.id(), r.id()})
			return nil
		}, before, most)
		if err != nil {
			return err
		}
		for _, firing := range old {
			if err := exec(t.conn, "DELETE FROM firings WHERE id = ?", firing[0]); err != nil {
				return err
			}
			if err := forgetFiring(t.conn, firing[1]); err != nil {
				return err
			}
		}
		n = len(old)
		return nil
	})
	return n, named(err, "delete firings before %s", before)
}
