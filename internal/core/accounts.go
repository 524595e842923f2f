package core

import (
	"context"
	"errors"
	"slices"

	"errand/internal/policy"
)

// CreateAccount makes an account with a number that the caller knows: the installation's first.
func (s *Service) CreateAccount(ctx context.Context, id AccountID, name string) (Account, error) {
	a := Account{ID: id, Name: name, CreatedAt: s.Now()}
	return a, s.store.InsertAccount(ctx, a)
}

// AddAccount makes an account and its first root key. Only the operator can.
func (s *Service) AddAccount(ctx context.Context, c Caller, name string) (Account, IssuedKey, error) {
	if err := c.operate("account.create", resource("account", "", nil)); err != nil {
		return Account{}, IssuedKey{}, err
	}
	if err := checkText("name", name, 1, maxDescription); err != nil {
		return Account{}, IssuedKey{}, err
	}
	for {
		a, err := s.CreateAccount(ctx, newAccountID(), name)
		if errors.Is(err, ErrTaken) {
			continue
		}
		if err != nil {
			return Account{}, IssuedKey{}, err
		}
		c.Trail.note("account/" + a.ID.String())
		k, err := s.issue(ctx, AccessKey{Account: a.ID, Principal: RootUser, Kind: KeyLong})
		return a, k, err
	}
}

// Accounts lists the accounts that the caller may know of: the operator all, others their own.
func (s *Service) Accounts(ctx context.Context, c Caller) ([]Account, error) {
	if err := c.Allow("account.list", nil, resource("account", "", nil)); err != nil {
		return nil, err
	}
	rows, err := s.store.ListAccounts(ctx)
	if c.Account != RootAccount {
		rows = slices.DeleteFunc(rows, func(a Account) bool { return a.ID != c.Account })
	}
	return rows, err
}

// Account returns one account: to the operator any, to others their own.
func (s *Service) Account(ctx context.Context, c Caller, id AccountID) (Account, error) {
	if err := c.Allow("account.list", nil, resource("account", id.String(), nil)); err != nil {
		return Account{}, err
	}
	if c.Account != RootAccount && c.Account != id {
		return Account{}, noAccount(id)
	}
	a, err := s.store.Account(ctx, id)
	if errors.Is(err, ErrNotFound) {
		err = noAccount(id)
	}
	return a, err
}

func noAccount(id AccountID) error { return notFound(ReasonAccessNotFound, "no account %s", id) }

// DisableAccount refuses all keys of an account from now on, or with false admits them again. Its machines stay connected, and what runs
// on them goes on. Only the operator can, and not with the account that the operator acts from.
func (s *Service) DisableAccount(ctx context.Context, c Caller, id AccountID, disabled bool) (a Account, err error) {
	if err := c.operate("account.modify", resource("account", id.String(), nil)); err != nil {
		return Account{}, err
	}
	if id == RootAccount {
		return Account{}, &Error{Code: CodeConflict, Reason: ReasonInvalidValue, Field: "account", Detail: "the operator's account stays enabled"}
	}
	err = s.store.ChangeAccount(ctx, id, func(row *Account) error {
		row.Disabled = disabled
		a = *row
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		err = noAccount(id)
	}
	return a, err
}

// IssueRootKey makes another root key of an account, for a tenant that has lost its own. Only the operator can.
func (s *Service) IssueRootKey(ctx context.Context, c Caller, id AccountID) (IssuedKey, error) {
	if err := c.operate("key.create", resource("account", id.String(), nil)); err != nil {
		return IssuedKey{}, err
	}
	if id == RootAccount && !c.Root {
		return IssuedKey{}, c.rootOnly()
	}
	if _, err := s.store.Account(ctx, id); errors.Is(err, ErrNotFound) {
		return IssuedKey{}, noAccount(id)
	} else if err != nil {
		return IssuedKey{}, err
	}
	return s.issue(ctx, AccessKey{Account: id, Principal: RootUser, Kind: KeyLong})
}

// operate is Allow for what only the operator's account may do.
func (c *Caller) operate(verb string, r policy.Resource) error {
	if c.Account != RootAccount {
		c.Trail.note(r.Name)
		return &Error{Code: CodeDenied, Reason: ReasonDenied, Detail: "only the operator's account may"}
	}
	return c.Allow(verb, nil, r)
}

// rootOnly refuses what no policy can permit.
func (c *Caller) rootOnly() error {
	return &Error{Code: CodeDenied, Reason: ReasonDenied, Detail: c.Principal + " may not: only root manages root"}
}
