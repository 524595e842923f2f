package tat

import (
	"context"

	"errand/internal/core"
)

// What the vendor counts, and how much of it the sample in its documentation allows. Neither limit is enforced here.
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
	var (
		info  core.PageInfo
		err   error
		total int64
	)
	count := core.PageSpec{Limit: 1, Count: true}
	switch name {
	case quotaCommand:
		total = quotaCommands
		_, info, err = d.env.Service.Commands(ctx, c, core.CommandFilter{}, count)
	case quotaRegisterCode:
		total = quotaRegisterCodes
		_, info, err = d.env.Service.Registrations(ctx, c, core.RegistrationFilter{}, count)
	default:
		err = refuse(codeQuotaName, "ResourceNames", "%.64q is neither %s nor %s", name, quotaCommand, quotaRegisterCode)
	}
	return quota{ResourceName: name, ResourceQuotaUsed: int64(info.Total), ResourceQuotaTotal: total}, err
}
