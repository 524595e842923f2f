package core

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// OnceFor is how long a token is remembered. No vendor says how long that should be.
	OnceFor = 24 * time.Hour
	// onceTries is how long an order is believed to be under way; after that, who was carrying it out is taken for dead.
	onceTries = time.Minute
)

// OnceRecord is an order that the caller may repeat without effect.
type OnceRecord struct {
	Account   AccountID
	Action    string
	Token     string // the caller's name for the order, unique for each action
	Hash      string // of what was ordered
	Response  []byte // sealed; nil while the order is being carried out
	CreatedAt time.Time
}

// Repeats keeps what Once has to remember.
type Repeats interface {
	// BeginOnce stores a record without a response and returns it, unless there is one of the same account, action and token for which
	// stands reports true: then it returns that one. fresh tells the two apart.
	BeginOnce(ctx context.Context, r OnceRecord, stands func(OnceRecord) bool) (has OnceRecord, fresh bool, err error)
	// EndOnce gives a record its response or, if that is nil, removes it. A record that was begun anew since r was begun stays as it is.
	EndOnce(ctx context.Context, r OnceRecord) error
	// ForgetOnce removes records made before a time and returns how many.
	ForgetOnce(ctx context.Context, before time.Time) (int, error)
}

// Once carries out an order unless it was carried out before: a caller who did not get the answer asks again with the same token. The same
// token with the same hash gets the first answer again, for as long as OnceFor; with another hash it is refused, and so is a repetition
// that overtakes the order itself. What do refuses is not remembered. Without a token the order is simply carried out.
//
// The order is noted before it is carried out and its answer afterwards, in transactions of their own. A process that dies in between
// leaves the note: a repetition within a minute is refused as too early, a later one carries the order out again. So in this one case
// something may be done twice; it is never reported as done when it was not.
func (s *Service) Once(
	ctx context.Context, c Caller, action, token, hash string, do func(ctx context.Context) ([]byte, error),
) ([]byte, error) {
	if token == "" {
		return do(ctx)
	}
	hash = c.Principal + " " + hash // nobody gets the answer to another's order
	now := s.Now()
	r, fresh, err := s.store.BeginOnce(
		ctx, OnceRecord{Account: c.Account, Action: action, Token: token, Hash: hash, CreatedAt: now},
		func(r OnceRecord) bool {
			age := now.Sub(r.CreatedAt)
			return age < OnceFor && (r.Response != nil || age < onceTries)
		})
	switch {
	case err != nil:
		return nil, err
	case fresh:
		return s.firstTime(ctx, r, do)
	case r.Hash != hash:
		return nil, &Error{Code: CodeConflict, Reason: ReasonTokenMismatch, Field: "token", Detail: "used before with another request"}
	case r.Response == nil:
		return nil, &Error{Code: CodeConflict, Reason: ReasonTokenPending, Field: "token", Detail: "the first request is under way"}
	}
	answer, err := s.sealer.Open(r.Response, r.owner())
	return []byte(answer), err
}

// firstTime carries out the order behind a record and notes how it went. A caller who leaves meanwhile is likely to ask again, so neither is
// given up then.
func (s *Service) firstTime(ctx context.Context, r OnceRecord, do func(context.Context) ([]byte, error)) ([]byte, error) {
	ctx = context.WithoutCancel(ctx)
	answer, failed := do(ctx)
	if failed == nil {
		r.Response = s.sealer.Seal(string(answer), r.owner())
	}
	if err := s.store.EndOnce(ctx, r); err != nil {
		return nil, errors.Join(failed, err)
	}
	return answer, failed
}

// owner is what the response is sealed for.
func (r *OnceRecord) owner() string {
	return fmt.Sprintf("once %s %q %q", r.Account, r.Action, r.Token)
}

// ForgetOnce removes what Once need not remember any longer and returns how many records that were.
func (s *Service) ForgetOnce(ctx context.Context) (int, error) {
	return s.store.ForgetOnce(ctx, s.Now().Add(-OnceFor))
}
