package sqlite

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

const (
	deliveryColumns = "d.invocation, d.idx, d.account, d.state, d.fault, d.uri, d.tries, d.since, d.next_try, d.updated_at"
	putDelivery     = `INSERT OR REPLACE INTO deliveries (invocation, idx, account, state, fault, uri, tries, since, next_try, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	dueDeliveries = "SELECT " + deliveryColumns + " FROM deliveries d WHERE d.next_try <= ? ORDER BY d.next_try LIMIT ?"
	deliveriesOf  = "SELECT " + deliveryColumns + ` FROM json_each(?) j
		CROSS JOIN deliveries d ON d.invocation = j.value ->> 0 AND d.idx = j.value ->> 1`
)

func scanDelivery(r *row) core.TaskDelivery {
	return core.TaskDelivery{
		Task: core.TaskID{Invocation: r.id(), Index: uint32(r.int())}, Account: core.AccountID(r.int()),
		State: core.DeliveryState(r.int()), Fault: core.DeliveryFault(r.int()), URI: r.text(), Tries: int(r.int()),
		Since: r.time(), NextTry: r.time(), UpdatedAt: r.time(),
	}
}

func writeDelivery(conn *sqlite.Conn, d *core.TaskDelivery) error {
	return exec(conn, putDelivery, d.Task.Invocation, int(d.Task.Index), d.Account, int(d.State), int(d.Fault), d.URI, d.Tries,
		d.Since, d.NextTry, d.UpdatedAt)
}

// deliver begins the delivery of a task of an invocation if it has ended.
func (t *tx) deliver(v *core.Invocation, task *core.Task) error {
	if !v.Delivers() || !task.State.Ended() {
		return nil
	}
	d := v.Deliver(task)
	return writeDelivery(t.conn, &d)
}

// ClaimDeliveries implements core.Deliveries.
func (s *Store) ClaimDeliveries(ctx context.Context, now, until time.Time, most int) (rows []core.TaskDelivery, err error) {
	due := func(conn *sqlite.Conn) error {
		rows = nil
		return query(conn, dueDeliveries, func(r *row) error {
			rows = append(rows, scanDelivery(r))
			return nil
		}, now, most)
	}
	// Nearly always nothing is due, so that is asked without writing.
	if err := s.read(ctx, due); err != nil || len(rows) == 0 {
		return nil, named(err, "claim deliveries")
	}
	err = s.write(ctx, func(t *tx) error {
		if err := due(t.conn); err != nil {
			return err
		}
		for i := range rows {
			rows[i].Tries++
			rows[i].NextTry = until
			if err := writeDelivery(t.conn, &rows[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return rows, named(err, "claim deliveries")
}

// ChangeDelivery implements core.Deliveries.
func (s *Store) ChangeDelivery(ctx context.Context, d core.TaskDelivery, claim time.Time) error {
	err := s.write(ctx, func(t *tx) error {
		err := queryOne(t.conn, "SELECT 1 FROM deliveries WHERE invocation = ? AND idx = ? AND next_try = ?",
			func(*row) error { return nil }, d.Task.Invocation, int(d.Task.Index), claim)
		if err != nil {
			return err
		}
		return writeDelivery(t.conn, &d)
	})
	return named(err, "change delivery of %s", d.Task)
}

// DeliveriesOf implements core.Deliveries.
func (s *Store) DeliveriesOf(ctx context.Context, ids []core.TaskID) (found map[core.TaskID]core.TaskDelivery, err error) {
	found = map[core.TaskID]core.TaskDelivery{}
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, deliveriesOf, func(r *row) error {
			d := scanDelivery(r)
			found[d.Task] = d
			return nil
		}, jsonTasks(ids))
	})
	return found, named(err, "deliveries of tasks")
}
