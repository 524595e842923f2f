package tat

import (
	"context"

	"errand/internal/core"
)

// What the vendor counts, and how much of it the sample in its documentation allows. The samples are shown where the operator has set
// no quota, and nothing is enforced.
const (
	quotaCommand       = "COMMAND"
	quotaRegisterCode  = "REGISTER_CODE"
	quotaCommands      = 500
	quotaRegisterCodes = 5000
)

// describeQuotas tells how many commands and register codes there are, in the order asked for and each once.
func (d *Dialect) describeQuotas(ctx context.Context, c core.Caller, req *describeQuotasRequest) (*describeQuotasResponse, error) {
	if len(req.ResourceNames) == 0 {
		return nil, missing("ResourceNames")
	}
	resp := &describeQuotasResponse{}
	counted := map[string]bool{}
	for _, name := range req.ResourceNames {
		if counted[name] {
			continue
		}
		counted[name] = true
		q, err := d.quota(ctx, c, name)
		if err != nil {
			return nil, err
		}
		resp.GeneralResourceQuotaSet = append(resp.GeneralResourceQuotaSet, q)
	}
	return resp, nil
}

// quota counts one kind of thing.
func (d *Dialect) quota(ctx context.Context, c core.Caller, name string) (quota, error) {
	var ours string
	q := quota{ResourceName: name}
	switch name {
	case quotaCommand:
		ours, q.ResourceQuotaTotal = core.QuotaCommands, quotaCommands
	case quotaRegisterCode:
		ours, q.ResourceQuotaTotal = core.QuotaRegistrations, quotaRegisterCodes
	default:
		return q, refuse(codeQuotaName, "ResourceNames", "%.64q is neither %s nor %s", name, quotaCommand, quotaRegisterCode)
	}
	use, err := d.env.Service.Quota(ctx, c, ours)
	q.ResourceQuotaUsed = use.Used
	if use.Limit >= 0 {
		q.ResourceQuotaTotal = use.Limit
	}
	return q, err
}
