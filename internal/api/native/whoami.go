package native

import (
	"context"
	"time"

	"errand/internal/core"
)

// Identity is who makes the call.
type Identity struct {
	Account     string     `json:"account"`
	AccountName string     `json:"account_name"`
	User        string     `json:"user"` // root, or the name of a user or role
	Root        bool       `json:"root"` // may do everything in the account
	Operator    bool       `json:"operator"`
	Key         string     `json:"key"`
	Kind        string     `json:"kind"`                 // of the key: long, temporary, bearer or login
	ExpiresAt   *time.Time `json:"expires_at,omitempty"` // when the key or login ends in any case; none means never
	IdleSeconds int64      `json:"idle_seconds,omitempty"`
	Policies    []string   `json:"policies"` // attached to the user
}

func (d *Dialect) whoami(ctx context.Context, c core.Caller, _ *empty) (*Identity, error) {
	me, err := d.env.Service.WhoAmI(ctx, c)
	if err != nil {
		return nil, err
	}
	return &Identity{
		Account: c.Account.String(), AccountName: me.Account.Name, User: c.Principal, Root: c.Root && c.Session == nil,
		Operator: c.Account == core.RootAccount, Key: c.KeyID, Kind: string(c.KeyKind), ExpiresAt: moment(me.Key.ExpiresAt),
		IdleSeconds: int64(me.Key.Idle / time.Second), Policies: append([]string{}, me.Policies...),
	}, nil
}

type createLogin struct {
	Description string `json:"description"` // what kind of program this is for
	// DurationSeconds is how long it lasts; 12 hours if left out. It ends no later than the login that it is made with.
	DurationSeconds *int `json:"duration_seconds"`
}

func (d *Dialect) createLogin(ctx context.Context, c core.Caller, req *createLogin) (*IssuedKey, error) {
	spec := core.LoginSpec{Lifetime: core.DefaultLogin, Description: req.Description}
	if req.DurationSeconds != nil {
		spec.Lifetime = seconds(*req.DurationSeconds)
	}
	login := d.env.Service.Login
	if c.KeyKind == core.KeyLogin {
		login = d.env.Service.LoginOther
	}
	k, err := login(ctx, c, spec)
	out := showIssued(&k)
	return &out, err
}

func (d *Dialect) logout(ctx context.Context, c core.Caller, _ *empty) (*empty, error) {
	return &empty{}, d.env.Service.Logout(ctx, c)
}
