package tat

import (
	"context"
	"time"

	"errand/internal/core"
)

// deliverWithin is how long a task may wait for its node. Nodes have to be online when the call is made, so it covers short interruptions.
const deliverWithin = time.Minute

func (d *Dialect) runCommand(ctx context.Context, c core.Caller, req *runCommandRequest) (*runCommandResponse, error) {
	if req.Content == nil {
		return nil, missing("Content")
	}
	instances, err := targets(req.InstanceIds)
	if err != nil {
		return nil, err
	}
	if req.SaveCommand && (req.CommandName == nil || *req.CommandName == "") {
		return nil, missing("CommandName")
	}
	if req.CommandName != nil && *req.CommandName == "" {
		req.CommandName = nil
	}
	def, descriptions, err := req.definition(req.EnableParameter)
	if err != nil {
		return nil, err
	}
	params, err := parseParameters("Parameters", req.Parameters)
	if err != nil {
		return nil, err
	}
	if err := d.findBucket(ctx, &req.placeFields); err != nil {
		return nil, err
	}
	v, err := d.env.Service.Run(ctx, c, core.RunSpec{
		Origin: core.OriginTAT, Region: req.region, Definition: def, Targets: instances, NeedOnline: true, Params: params,
		Style: style, KillTree: true, Login: true, Save: req.SaveCommand, UniqueName: true, DeliverWithin: deliverWithin, Tags: coreTags(req.Tags),
		Extra: extra(descriptions), Limits: limits(),
	})
	if err != nil {
		return nil, err
	}
	return &runCommandResponse{CommandId: commandPrefix + v.Command.String(), InvocationId: invocationPrefix + v.ID.String()}, nil
}

// invokeCommand runs a stored command. Limits on what was stored do not hold here: it may have come through another dialect.
func (d *Dialect) invokeCommand(ctx context.Context, c core.Caller, req *invokeCommandRequest) (*invokeCommandResponse, error) {
	id, err := commandID(req.CommandId)
	if err != nil {
		return nil, err
	}
	instances, err := targets(req.InstanceIds)
	if err != nil {
		return nil, err
	}
	params, err := parseParameters("Parameters", req.Parameters)
	if err != nil {
		return nil, err
	}
	change, err := req.override()
	if err != nil {
		return nil, err
	}
	if err := d.completeSink(ctx, c, id, &req.placeFields, change.Sink); err != nil {
		return nil, err
	}
	if err := d.findBucket(ctx, &req.placeFields); err != nil {
		return nil, err
	}
	l := limits()
	l.Description = 0
	v, err := d.env.Service.Run(ctx, c, core.RunSpec{
		Origin: core.OriginTAT, Region: req.region, Command: id, Override: change, Targets: instances, NeedOnline: true, Params: params,
		Style: style, KillTree: true, Login: true, DeliverWithin: deliverWithin, Limits: l,
	})
	if err != nil {
		return nil, recode(err, codeUserOfRun, core.ReasonUserInvalid, core.ReasonUserTooLong)
	}
	return &invokeCommandResponse{InvocationId: invocationPrefix + v.ID.String()}, nil
}

// cancelInvocation stops an invocation, on some instances or on all. A list that was sent empty would select none, which is surely not what
// was meant, and neither are all.
func (d *Dialect) cancelInvocation(ctx context.Context, c core.Caller, req *cancelInvocationRequest) (*emptyResponse, error) {
	if req.InvocationId == nil {
		return nil, missing("InvocationId")
	}
	ids, err := invocationIDs([]string{*req.InvocationId}, "InvocationId")
	switch {
	case err != nil:
		return nil, err
	case ids[0] == 0:
		return nil, refuse(codeNoInvocation, "InvocationId", "%q", *req.InvocationId)
	case req.InstanceIds != nil && len(req.InstanceIds) == 0:
		return nil, refuse(codeInvalidValue, "InstanceIds", "empty")
	case len(req.InstanceIds) > maxIDs:
		return nil, refuse(codeValueLimit, "InstanceIds", "more than %d", maxIDs)
	}
	instances, err := instanceIDs(req.InstanceIds, "InstanceIds")
	if err != nil {
		return nil, err
	}
	if err := d.env.Service.Stop(ctx, c, ids[0], instances); err != nil {
		return nil, recode(err, codeNotRelated, core.ReasonTargetNotFound)
	}
	return &emptyResponse{}, nil
}
