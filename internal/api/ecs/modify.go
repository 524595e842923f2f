package ecs

import (
	"context"
	"fmt"

	"errand/internal/api"
	"errand/internal/api/alibaba"
	"errand/internal/core"
)

// modifyInvocationAttribute changes a task that repeats. What is not passed stays as it is; machines are only ever added.
func (d *Dialect) modifyInvocationAttribute(
	ctx context.Context, c core.Caller, req *modifyInvocationAttributeRequest,
) (*modifyInvocationAttributeResponse, error) {
	return alibaba.Once(ctx, d.service, c, "ecs:ModifyInvocationAttribute", req.ClientToken, req.Hash,
		func(ctx context.Context) (*modifyInvocationAttributeResponse, error) {
			command, err := d.modify(ctx, c, req)
			if err != nil {
				return nil, err
			}
			return &modifyInvocationAttributeResponse{CommandId: commandPrefix + command.String()}, nil
		})
}

func (d *Dialect) modify(ctx context.Context, c core.Caller, req *modifyInvocationAttributeRequest) (command core.ID, err error) {
	id, ok := api.InvocationID(req.InvokeId)
	if !ok {
		return 0, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonInvocationNotFound, Field: req.InvokeId, Detail: "not an id"}
	}
	v, err := d.service.Invocation(ctx, c, id)
	if err != nil {
		return 0, err
	}
	r := core.Revision{Frequency: req.Frequency, ParamsEnabled: req.EnableParameter, Style: alibaba.Style(), Limits: alibaba.Limits(v.Saved)}
	if req.CommandContent != nil {
		if r.Content, err = alibaba.ParseEncoding(req.ContentEncoding, alibaba.PlainText).Bytes(*req.CommandContent); err != nil {
			return 0, err
		}
	}
	if req.Parameters != nil {
		if r.Params, r.Extra, err = alibaba.ParseParameters(*req.Parameters); err != nil {
			return 0, err
		}
	}
	if r.Targets, err = instances(req.InstanceId); err != nil {
		return 0, err
	}
	v, err = d.service.Revise(ctx, c, id, r)
	if core.ReasonContentTooLong.Is(err) {
		err = alibaba.Refuse(alibaba.Forbidden("InvalidCommandContent.LengthLimitExceeded",
			fmt.Sprintf("The length of the parameter CommandContent exceeds the limit of %d KB characters.", r.Limits.Content>>10)))
	}
	return v.Command, err
}
