package core

import (
	"context"
	"slices"
	"time"
)

const (
	// maxAudited is how many records wait in memory before calls have to wait for them to be written.
	maxAudited = 4096
	// maxUnwritten is how many wait at most while the store refuses them; those beyond are written to the log instead.
	maxUnwritten = 8 * maxAudited
	auditBatch   = 500
)

// Audit keeps a record of a call. It is written with others, a moment later, by FlushAudit.
func (s *Service) Audit(ctx context.Context, r AuditRecord) {
	s.mu.Lock()
	s.audited = append(s.audited, r)
	waiting := len(s.audited)
	s.mu.Unlock()
	if waiting < maxAudited {
		return
	}
	if err := s.FlushAudit(context.WithoutCancel(ctx)); err != nil {
		s.log.Error("AUDIT RECORDS ARE NOT WRITTEN", "waiting", waiting, "error", err)
	}
	s.mu.Lock()
	var beyond []AuditRecord
	if len(s.audited) > maxUnwritten {
		beyond = slices.Clone(s.audited[maxUnwritten:])
		s.audited = s.audited[:maxUnwritten]
	}
	s.mu.Unlock()
	s.logAudit(beyond)
}

// FlushAudit writes the records that wait. What the store refuses waits on.
func (s *Service) FlushAudit(ctx context.Context) error {
	s.mu.Lock()
	waiting := s.audited
	s.audited = nil
	s.mu.Unlock()
	for len(waiting) > 0 {
		n := min(len(waiting), auditBatch)
		if err := s.store.InsertAudit(ctx, waiting[:n]); err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.audited = append(waiting, s.audited...)
			return err
		}
		waiting = waiting[n:]
	}
	return nil
}

// CloseAudit writes the records that wait, or puts those that cannot be written into the log. No call may come afterwards.
func (s *Service) CloseAudit(ctx context.Context) error {
	err := s.FlushAudit(ctx)
	if err != nil {
		s.mu.Lock()
		lost := s.audited
		s.audited = nil
		s.mu.Unlock()
		s.logAudit(lost)
	}
	return err
}

// logAudit is the last resort for records.
func (s *Service) logAudit(records []AuditRecord) {
	for i := range records {
		r := &records[i]
		s.log.Error("AUDIT RECORD THAT COULD NOT BE STORED",
			"account", r.Account.String(), "at", r.At, "principal", r.Principal, "key", r.KeyID, "dialect", r.Dialect, "action", r.Action,
			"request", r.RequestID, "source", r.Source, "user_agent", r.UserAgent, "resources", r.Resources, "code", r.Code)
	}
}

// AuditRecords lists what was done in the caller's account, the latest first.
func (s *Service) AuditRecords(ctx context.Context, c Caller, f AuditFilter, p PageSpec) ([]AuditRecord, PageInfo, error) {
	if err := c.Allow("audit.list", nil); err != nil {
		return nil, PageInfo{}, err
	}
	if err := s.FlushAudit(ctx); err != nil { // what was answered before is in the list
		return nil, PageInfo{}, err
	}
	f.Account = c.Account
	return list(s.pages, c.Account, "audit", p,
		func(r *AuditRecord) Cursor { return Cursor{A: r.ID} },
		func(p Page) ([]AuditRecord, int, error) {
			rows, err := s.store.ListAudit(ctx, f, p)
			return rows, 0, err
		})
}

// retainAudit removes audit records that are older than results may become; 0 keeps them for ever.
func (s *Service) retainAudit(ctx context.Context, account AccountID, age time.Duration) error {
	if age <= 0 {
		return nil
	}
	for {
		n, err := s.store.DeleteAudit(ctx, account, s.Now().Add(-age), retainRows)
		if err != nil || n == 0 {
			return err
		}
	}
}

// removeExpiredKeys removes temporary keys and logins that ended a day ago.
func (s *Service) removeExpiredKeys(ctx context.Context) error {
	for {
		n, err := s.store.DeleteExpiredKeys(ctx, s.Now().Add(-keepExpiredKeys), retainRows)
		if err != nil || n == 0 {
			return err
		}
	}
}
