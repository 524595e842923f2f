package core

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Retention is how long results are kept, in each account by itself. Alibaba keeps 30 days and 10,000 records; a zero field keeps for ever.
type Retention struct {
	Age         time.Duration // since the invocation was made
	Invocations int           // how many of the newest stay
}

// retainRows is how many rows leave in one transaction: some ten milliseconds, in which nothing else can be written. An invocation goes as a
// whole; one of a hundred thousand tasks takes half a second.
const retainRows = 1000

// Retain removes invocations that have ended and are older than keep allows, oldest first, with their tasks and output, and returns how many.
// With them go audit records, events, sessions with their recordings and firings of schedules as old, and temporary keys that ended a day ago.
//
// The rows go first, and the transaction that removes them notes what has to follow; then goes the output in the blob store, then
// the note. Whatever interrupts this, the next call finishes it. Who has read a task just before may find its long output gone.
func (s *Service) Retain(ctx context.Context, keep Retention) (removed int, err error) {
	left, err := s.store.RemovedInvocations(ctx)
	if err != nil {
		return 0, err
	}
	// Output that resists is tried again by the next call, and keeps nothing else from leaving.
	unfinished := errors.Join(s.removeOutput(ctx, left), s.removeExpiredKeys(ctx), s.retainFirings(ctx, keep.Age), s.removeEvents(ctx, keep.Age),
		s.expireParcels(ctx), s.removeRecordings(ctx))
	accounts, err := s.store.ListAccounts(ctx)
	if err != nil {
		return 0, errors.Join(unfinished, err)
	}
	for i := range accounts {
		n, err := s.retain(ctx, accounts[i].ID, keep)
		removed += n
		unfinished = errors.Join(unfinished, err, s.retainAudit(ctx, accounts[i].ID, keep.Age),
			s.retainSessions(ctx, accounts[i].ID, keep.Age))
	}
	return removed, errors.Join(unfinished, s.removeRecordings(ctx))
}

// retain is Retain for one account.
func (s *Service) retain(ctx context.Context, account AccountID, keep Retention) (removed int, err error) {
	before, err := s.keptFrom(ctx, account, keep)
	if err != nil || before == 0 {
		return 0, err
	}
	for {
		ids, failed := s.store.DeleteInvocations(ctx, account, before, retainRows)
		if failed != nil || len(ids) == 0 {
			return removed, errors.Join(err, failed)
		}
		removed += len(ids)
		err = errors.Join(err, s.removeOutput(ctx, ids))
	}
}

// keptFrom is the first id that may not be removed.
func (s *Service) keptFrom(ctx context.Context, account AccountID, keep Retention) (from ID, err error) {
	if keep.Invocations > 0 {
		from, err = s.store.NthInvocation(ctx, account, keep.Invocations)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return 0, err
		}
	}
	if keep.Age > 0 {
		from = max(from, FirstID(s.Now().Add(-keep.Age)))
	}
	return from, nil
}

// removeOutput removes what removed invocations have in the blob store, and the notes of those with which that is done.
func (s *Service) removeOutput(ctx context.Context, ids []ID) error {
	var errs []error
	done := make([]ID, 0, len(ids))
	for _, id := range ids {
		if err := errors.Join(s.blobs.DeleteAll(ctx, invocationPrefix(id)), s.removeParcels(ctx, id)); err != nil {
			errs = append(errs, fmt.Errorf("remove output of %s: %w", id, err))
			continue
		}
		done = append(done, id)
	}
	if len(done) > 0 {
		errs = append(errs, s.store.ForgetInvocations(ctx, done))
	}
	return errors.Join(errs...)
}
