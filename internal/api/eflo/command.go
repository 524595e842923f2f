package eflo

import (
	"context"

	"errand/internal/api"
	"errand/internal/api/alibaba"
	"errand/internal/core"
)

// runCommand runs a script that comes along, or a stored command. Which of the two was meant if both are given is not documented, so
// nothing runs then.
func (d *Dialect) runCommand(ctx context.Context, c core.Caller, req *runCommandRequest) (*runCommandResponse, error) {
	spec, err := req.Spec(req.Hash)
	if err != nil {
		return nil, err
	}
	switch {
	case spec.Repeat == core.DryRun:
		return nil, alibaba.Invalid(core.ReasonRepeatMode, "RepeatMode", "not of this product")
	case req.CommandId != "" && req.CommandContent != "":
		return nil, alibaba.Invalid(core.ReasonInvalidValue, "CommandId", "besides CommandContent")
	case req.CommandId != "":
		err = req.fillStored(&spec)
	case req.CommandContent != "":
		err = req.fillScript(&spec)
	default:
		err = alibaba.Refuse(noContent)
	}
	if err != nil {
		return nil, err
	}
	if spec.Targets, err = nodes(req.NodeIdList); err != nil {
		return nil, err
	}
	spec.Origin, spec.Region = core.OriginEFLO, d.regions.Or(req.RegionId)
	v, err := d.service.Run(ctx, c, spec)
	if err != nil {
		return nil, err
	}
	return &runCommandResponse{InvokeId: invocationPrefix + v.ID.String()}, nil
}

func (req *runCommandRequest) fillStored(spec *core.RunSpec) error {
	id, ok := api.CommandID(req.CommandId)
	if !ok {
		return &core.Error{Code: core.CodeNotFound, Reason: core.ReasonCommandNotFound, Field: req.CommandId, Detail: "not an id"}
	}
	spec.Command, spec.Limits = id, alibaba.Limits(true)
	return nil
}

func (req *runCommandRequest) fillScript(spec *core.RunSpec) (err error) {
	if spec.Definition, err = req.Definition(alibaba.PlainText); err != nil {
		return err
	}
	spec.Type = core.Shell // the product knows no other
	req.Place(&spec.Definition)
	spec.Limits = alibaba.Limits(false)
	return nil
}

// nodes reads a list of machines.
func nodes(list []string) ([]string, error) {
	for _, id := range list {
		if id == "" {
			return nil, alibaba.Invalid(core.ReasonTargetsMissing, "NodeIdList", "empty")
		}
	}
	return api.NodeIDs(list), nil
}

// stopInvocation cancels what waits and ends what runs, on all machines if none is named; what is over stays as it is.
func (d *Dialect) stopInvocation(ctx context.Context, c core.Caller, req *stopInvocationRequest) (*alibaba.Reply, error) {
	id, ok := api.InvocationID(req.InvokeId)
	if !ok {
		return nil, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonInvocationNotFound, Field: req.InvokeId, Detail: "not an id"}
	}
	return &alibaba.Reply{}, d.service.Stop(ctx, c, id, api.NodeIDs(req.NodeIdList))
}
