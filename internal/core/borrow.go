package core

import (
	"context"
	"time"
)

// borrowedFor is how long a call with a borrowed key may begin.
const borrowedFor = time.Minute

// BorrowKey makes a key that signs as the caller, who is known by another proof: for one call of an API that knows signatures alone. It may do no more than
// the caller's own, ends by itself after a minute, and is to be handed back with ReturnKey as soon as the call is over. tokenless is for signatures
// with no place for a security token; there is no such key for a caller whose own is narrowed by a policy.
func (s *Service) BorrowKey(ctx context.Context, c Caller, tokenless bool) (IssuedKey, error) {
	own := AccessKey{}
	if c.KeyID != "" {
		var err error
		if own, err = s.store.Key(ctx, c.KeyID); err != nil {
			return IssuedKey{}, err
		}
	}
	dialects := c.Dialects
	if own.Kind == KeyLogin { // a login is for the native API because it cannot sign; what the person may use is what the key behind it may
		dialects = nil
		if own.Parent != "" {
			parent, err := s.store.Key(ctx, own.Parent)
			if err != nil {
				return IssuedKey{}, err
			}
			dialects = parent.Dialects
		}
	}
	k := AccessKey{
		Account: c.Account, Principal: c.Principal, Kind: KeyTemporary, Session: own.Session, Dialects: dialects, Networks: c.Networks, Parent: c.KeyID,
		Description: "lent for a call", ExpiresAt: s.Now().Add(borrowedFor),
	}
	if !own.ExpiresAt.IsZero() && own.ExpiresAt.Before(k.ExpiresAt) {
		k.ExpiresAt = own.ExpiresAt
	}
	if tokenless {
		if k.Kind = KeyLong; k.Session != "" || c.Session != nil {
			return IssuedKey{}, &Error{Code: CodeDenied, Reason: ReasonDenied, Detail: "a key with a policy of its own lends none without a token"}
		}
	}
	return s.issue(ctx, k)
}

// ReturnKey ends a key that was borrowed.
func (s *Service) ReturnKey(ctx context.Context, k *IssuedKey) error {
	return s.store.ChangeKey(ctx, k.Account, k.ID, func(*AccessKey, int) (bool, error) { return false, nil })
}
