package core

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Bounds of logins.
const (
	DefaultLoginIdle = 2 * time.Hour
	DefaultLogin     = 12 * time.Hour
	MinLogin         = time.Minute
	MaxLogin         = 30 * 24 * time.Hour
	maxLogins        = 100 // of one principal at a time; the one that was used longest ago makes room
)

// LoginSpec says how long a login lasts.
type LoginSpec struct {
	Idle        time.Duration // without a call it ends; zero means only with Lifetime
	Lifetime    time.Duration // MinLogin to MaxLogin
	Description string        // such as what kind of program the person uses
}

func (l *LoginSpec) check() error {
	switch {
	case l.Lifetime < MinLogin || l.Idle < 0:
		return invalid(ReasonTooSmall, "lifetime", "less than %v", MinLogin)
	case l.Lifetime > MaxLogin:
		return invalid(ReasonTooLarge, "lifetime", "more than %v", MaxLogin)
	}
	return checkText("description", l.Description, 0, maxDescription)
}

// Login makes a login for whoever proved to have a long key. It acts with the rights of the key's principal, from the networks from which the key
// may be used, and ends with the key. Its token is shown only this once.
func (s *Service) Login(ctx context.Context, c Caller, spec LoginSpec) (IssuedKey, error) {
	if c.KeyKind != KeyLong {
		return IssuedKey{}, &Error{Code: CodeDenied, Reason: ReasonDenied, Detail: "only a long access key signs in"}
	}
	if len(c.Dialects) > 0 && !slices.Contains(c.Dialects, string(OriginNative)) {
		return IssuedKey{}, &Error{Code: CodeDenied, Reason: ReasonDenied, Detail: "the access key is not for this API"}
	}
	issued, err := s.login(ctx, &AccessKey{Account: c.Account, Principal: c.Principal, Networks: c.Networks, Parent: c.KeyID}, spec)
	c.Trail.note("key/" + issued.ID)
	return issued, err
}

// LoginOther makes another login for whoever has one: for a program of the same person. It ends no later than the first, and with the
// same key.
func (s *Service) LoginOther(ctx context.Context, c Caller, spec LoginSpec) (IssuedKey, error) {
	if c.KeyKind != KeyLogin {
		return IssuedKey{}, &Error{Code: CodeDenied, Reason: ReasonDenied, Detail: "not signed in"}
	}
	own, err := s.store.Key(ctx, c.KeyID)
	if errors.Is(err, ErrNotFound) {
		err = loginEnded()
	}
	if err != nil {
		return IssuedKey{}, err
	}
	if rest := own.ExpiresAt.Sub(s.Now()); spec.Lifetime > rest {
		spec.Lifetime = max(rest, MinLogin)
	}
	issued, err := s.login(ctx, &AccessKey{Account: c.Account, Principal: c.Principal, Networks: c.Networks, Parent: own.Parent}, spec)
	c.Trail.note("key/" + issued.ID)
	return issued, err
}

// LoginAs makes a login for a user for whom somebody else vouches: an identity provider. Roles, and root, do not sign in like that.
func (s *Service) LoginAs(ctx context.Context, account AccountID, name string, spec LoginSpec) (IssuedKey, error) {
	u, err := s.user(ctx, account, name)
	if err != nil {
		return IssuedKey{}, err
	}
	if u.Kind != UserPerson || u.Disabled {
		return IssuedKey{}, &Error{Code: CodeDenied, Reason: ReasonDenied, Detail: "user " + name + " is disabled, or a role"}
	}
	return s.login(ctx, &AccessKey{Account: account, Principal: name}, spec)
}

func (s *Service) login(ctx context.Context, k *AccessKey, spec LoginSpec) (IssuedKey, error) {
	if err := spec.check(); err != nil {
		return IssuedKey{}, err
	}
	if err := s.makeRoom(ctx, k.Account, k.Principal); err != nil {
		return IssuedKey{}, err
	}
	k.Kind, k.Dialects, k.Idle, k.Description = KeyLogin, []string{string(OriginNative)}, spec.Idle, spec.Description
	k.ExpiresAt = s.Now().Add(spec.Lifetime)
	return s.issue(ctx, *k)
}

// makeRoom ends logins of a principal that has too many.
func (s *Service) makeRoom(ctx context.Context, account AccountID, principal string) error {
	rows, err := s.store.ListKeys(ctx, KeyFilter{Account: account, Principal: principal, Kind: KeyLogin})
	if err != nil || len(rows) < maxLogins {
		return err
	}
	slices.SortFunc(rows, func(a, b AccessKey) int { return s.lastUse(&a).Compare(s.lastUse(&b)) })
	for i := range rows[:len(rows)-maxLogins+1] {
		if err := s.dropKey(ctx, account, rows[i].ID); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) dropKey(ctx context.Context, account AccountID, id string) error {
	err := s.store.ChangeKey(ctx, account, id, func(*AccessKey, int) (bool, error) { return false, nil })
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Logout ends the caller's own login.
func (s *Service) Logout(ctx context.Context, c Caller) error {
	if c.KeyKind != KeyLogin {
		return &Error{Code: CodeConflict, Reason: ReasonInvalidValue, Field: "key", Detail: "not a login: disable or delete the key instead"}
	}
	return s.dropKey(ctx, c.Account, c.KeyID)
}

func loginEnded() error {
	return &Error{Code: CodeUnauthenticated, Reason: ReasonLoginEnded, Detail: "the login has ended: sign in again"}
}

// checkLogin refuses a login that was idle for too long, or whose key is not good any more.
func (s *Service) checkLogin(ctx context.Context, k *AccessKey) error {
	if k.Idle > 0 && s.Now().Sub(s.lastUse(k)) >= k.Idle {
		return loginEnded()
	}
	if k.Parent == "" {
		return nil
	}
	parent, err := s.store.Key(ctx, k.Parent)
	switch {
	case errors.Is(err, ErrNotFound):
		return loginEnded()
	case err != nil:
		return err
	case parent.Account != k.Account || parent.Principal != k.Principal || parent.Disabled, !parent.ExpiresAt.IsZero() && !s.Now().Before(parent.ExpiresAt):
		return loginEnded()
	}
	return nil
}

// lastUse is when a key was used last, as far as this process knows, or else when it was made.
func (s *Service) lastUse(k *AccessKey) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := k.CreatedAt
	for _, t := range []time.Time{k.UsedAt, s.keysUsed[k.ID]} {
		if t.After(at) {
			at = t
		}
	}
	return at
}

// Self is what a caller may know of itself.
type Self struct {
	Account  Account
	Key      AccessKey // without its secrets; zero for callers without one
	Policies []string  // names of those attached
}

// WhoAmI tells callers who they are. Everybody may ask.
func (s *Service) WhoAmI(ctx context.Context, c Caller) (me Self, err error) {
	if me.Account, err = s.store.Account(ctx, c.Account); err != nil {
		return me, err
	}
	if c.KeyID != "" {
		k, err := s.store.Key(ctx, c.KeyID)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return me, err
		}
		k.Sealed, k.TokenHash, k.OldSealed, k.OldTokenHash = nil, "", nil, ""
		me.Key = k
	}
	if c.Principal == RootUser {
		return me, nil
	}
	me.Policies, err = s.store.Attached(ctx, c.Account, c.Principal)
	return me, err
}
