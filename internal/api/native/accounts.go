package native

import (
	"context"
	"strconv"
	"time"

	"errand/internal/core"
)

// Account is an account.
type Account struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Disabled  bool      `json:"disabled"`
	CreatedAt time.Time `json:"created_at"`
}

// NewAccount is an account with its first root key, whose secret is shown only once.
type NewAccount struct {
	Account
	Key IssuedKey `json:"key"`
}

// Accounts is a list of accounts.
type Accounts struct {
	Accounts []Account `json:"accounts"`
}

func showAccount(a *core.Account) Account {
	return Account{ID: a.ID.String(), Name: a.Name, Disabled: a.Disabled, CreatedAt: a.CreatedAt}
}

// accountID reads the number of an account; what cannot be one is that of no account.
func accountID(text string) core.AccountID {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return core.AccountID(n)
}

func (d *Dialect) listAccounts(ctx context.Context, c core.Caller, _ *empty) (*Accounts, error) {
	rows, err := d.env.Service.Accounts(ctx, c)
	list := Accounts{Accounts: make([]Account, len(rows))}
	for i := range rows {
		list.Accounts[i] = showAccount(&rows[i])
	}
	return &list, err
}

type createAccount struct {
	Name string `json:"name"`
}

func (d *Dialect) createAccount(ctx context.Context, c core.Caller, req *createAccount) (*NewAccount, error) {
	a, k, err := d.env.Service.AddAccount(ctx, c, req.Name)
	return &NewAccount{Account: showAccount(&a), Key: showIssued(&k)}, err
}

type oneAccount struct {
	ID string `json:"-" path:"id"`
}

func (d *Dialect) getAccount(ctx context.Context, c core.Caller, req *oneAccount) (*Account, error) {
	a, err := d.env.Service.Account(ctx, c, accountID(req.ID))
	out := showAccount(&a)
	return &out, err
}

type changeAccount struct {
	ID       string `json:"-" path:"id"`
	Disabled *bool  `json:"disabled"`
}

func (d *Dialect) changeAccount(ctx context.Context, c core.Caller, req *changeAccount) (*Account, error) {
	if req.Disabled == nil {
		return nil, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonMissing, Field: "disabled", Detail: "nothing to change"}
	}
	a, err := d.env.Service.DisableAccount(ctx, c, accountID(req.ID), *req.Disabled)
	out := showAccount(&a)
	return &out, err
}

func (d *Dialect) createRootKey(ctx context.Context, c core.Caller, req *oneAccount) (*IssuedKey, error) {
	k, err := d.env.Service.IssueRootKey(ctx, c, accountID(req.ID))
	out := showIssued(&k)
	return &out, err
}
