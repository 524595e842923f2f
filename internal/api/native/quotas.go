package native

import (
	"context"

	"errand/internal/core"
)

// Quota is a quota of an account.
type Quota struct {
	Name  string `json:"name"`
	Limit *int64 `json:"limit"`          // null if there is none
	Used  *int64 `json:"used,omitempty"` // left out if it counts nothing that stays
	Own   bool   `json:"own"`            // set for this account, not for all
}

// Quotas is a list of quotas.
type Quotas struct {
	Quotas []Quota `json:"quotas"`
}

// everyAccount is how callers write the quotas that hold for all accounts which have none of their own.
const everyAccount = "default"

func quotaAccount(c *core.Caller, text string) core.AccountID {
	switch text {
	case "":
		return c.Account
	case everyAccount:
		return 0
	}
	if id := accountID(text); id != 0 {
		return id
	}
	return -1
}

type listQuotas struct {
	Account string `json:"-" query:"account"` // the caller's if left out
}

func (d *Dialect) listQuotas(ctx context.Context, c core.Caller, req *listQuotas) (*Quotas, error) {
	rows, err := d.env.Service.Quotas(ctx, c, quotaAccount(&c, req.Account))
	list := Quotas{Quotas: make([]Quota, len(rows))}
	for i, q := range rows {
		list.Quotas[i] = Quota{Name: q.Name, Own: q.Own}
		if q.Limit >= 0 {
			list.Quotas[i].Limit = &rows[i].Limit
		}
		if q.Used >= 0 {
			list.Quotas[i].Used = &rows[i].Used
		}
	}
	return &list, err
}

type setQuota struct {
	Account string `json:"account"` // "default" is all accounts that have none of their own
	Name    string `json:"name"`
	Limit   *int64 `json:"limit"` // null takes the quota away
}

func (d *Dialect) setQuota(ctx context.Context, c core.Caller, req *setQuota) (*empty, error) {
	return &empty{}, d.env.Service.SetQuota(ctx, c, quotaAccount(&c, req.Account), req.Name, req.Limit)
}
