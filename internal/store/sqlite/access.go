package sqlite

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

// SetQuota implements core.Access.
func (s *Store) SetQuota(ctx context.Context, account core.AccountID, name string, most int64) error {
	err := s.write(ctx, func(t *tx) error {
		return exec(t.conn, "REPLACE INTO account_quotas (account, name, most) VALUES (?, ?, ?)", account, name, most)
	})
	return named(err, "set quota %s", name)
}

// DeleteQuota implements core.Access.
func (s *Store) DeleteQuota(ctx context.Context, account core.AccountID, name string) error {
	err := s.write(ctx, func(t *tx) error {
		return exec(t.conn, "DELETE FROM account_quotas WHERE account = ? AND name = ?", account, name)
	})
	return named(err, "delete quota %s", name)
}

// Quotas implements core.Access.
func (s *Store) Quotas(ctx context.Context, account core.AccountID) (map[string]int64, error) {
	quotas := map[string]int64{}
	err := s.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT name, most FROM account_quotas WHERE account = ?", func(r *row) error {
			quotas[r.text()] = r.int()
			return nil
		}, account)
	})
	return quotas, named(err, "quotas")
}

const countInvocations = "SELECT count(*) FROM invocations v INDEXED BY invocations_account WHERE v.account = ? AND v.id >= ?"

// CountInvocations implements core.Access.
func (s *Store) CountInvocations(ctx context.Context, account core.AccountID, since core.ID) (n int, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return queryOne(conn, countInvocations, func(r *row) error { n = int(r.int()); return nil }, account, since)
	})
	return n, named(err, "count invocations since %s", since)
}

const auditColumns = "id, account, at, principal, key, dialect, action, request, source, user_agent, resources, code"

func scanAudit(r *row) (a core.AuditRecord) {
	a.ID, a.Account, a.At, a.Principal, a.KeyID = r.int(), core.AccountID(r.int()), r.time(), r.text(), r.text()
	a.Dialect, a.Action, a.RequestID, a.Source, a.UserAgent = r.text(), r.text(), r.text(), r.text(), r.text()
	r.json(&a.Resources)
	a.Code = r.text()
	return a
}

// InsertAudit implements core.Access.
func (s *Store) InsertAudit(ctx context.Context, records []core.AuditRecord) error {
	err := s.write(ctx, func(t *tx) error {
		for i := range records {
			a := &records[i]
			err := exec(t.conn, `INSERT INTO audit (account, at, principal, key, dialect, action, request, source, user_agent, resources, code)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
				a.Account, a.At, a.Principal, a.KeyID, a.Dialect, a.Action, a.RequestID, a.Source, a.UserAgent, a.Resources, a.Code)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return named(err, "insert %d audit records", len(records))
}

// listAudit selects audit records. Those of a time or about a resource are found by walking the account's records, newest first.
func listAudit(f *core.AuditFilter) *listing {
	l := &listing{from: "audit"}
	l.account("account", f.Account)
	l.text("principal", f.Principal)
	l.text("key", f.KeyID)
	l.text("action", f.Action)
	if f.Resource != "" {
		l.and("EXISTS (SELECT 1 FROM json_each(resources) e WHERE e.value = ?)", f.Resource)
	}
	if !f.Since.IsZero() {
		l.and("at >= ?", f.Since)
	}
	if !f.Until.IsZero() {
		l.and("at < ?", f.Until)
	}
	return l
}

// ListAudit implements core.Access.
func (s *Store) ListAudit(ctx context.Context, f core.AuditFilter, p core.Page) (rows []core.AuditRecord, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return listAudit(&f).pageByKey(conn, auditColumns, "id", p, func(r *row) error {
			rows = append(rows, scanAudit(r))
			return nil
		})
	})
	return rows, named(err, "list audit records")
}

const oldAudit = "SELECT id FROM audit WHERE account = ? ORDER BY id LIMIT ?"

// DeleteAudit implements core.Access.
func (s *Store) DeleteAudit(ctx context.Context, account core.AccountID, before time.Time, most int) (n int, err error) {
	err = s.write(ctx, func(t *tx) error {
		err := exec(t.conn, "DELETE FROM audit WHERE id IN ("+oldAudit+") AND at < ?", account, most, before)
		n = t.conn.Changes()
		return err
	})
	return n, named(err, "delete audit records before %v", before)
}
