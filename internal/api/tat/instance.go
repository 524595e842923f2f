package tat

import (
	"context"
	"slices"
	"time"
	"unicode/utf8"

	"errand/internal/core"
)

// A managed instance is one that joined with a register code; here every node did.

// maxInstanceName is the longest name of a managed instance, in characters.
const maxInstanceName = 60

func (d *Dialect) modifyRegisterInstance(
	ctx context.Context, c core.Caller, req *modifyRegisterInstanceRequest,
) (*emptyResponse, error) {
	id, err := registerInstanceID(req.InstanceId)
	if err != nil {
		return nil, err
	}
	switch name := req.InstanceName; {
	case name == nil:
		return nil, missing("InstanceName")
	case *name == "":
		return nil, refuse(codeInvalidValue, "InstanceName", "empty")
	case utf8.RuneCountInString(*name) > maxInstanceName:
		return nil, refuse(codeTooLong, "InstanceName", "more than %d characters", maxInstanceName)
	}
	_, err = d.env.Service.RenameNode(ctx, c, id, *req.InstanceName)
	switch {
	case core.ReasonNameInvalid.Is(err): // the core's word for the field is that of a command's name
		return nil, refuse(codeInvalidValue, "InstanceName", "%s", core.AsError(err).Detail)
	case err != nil:
		return nil, recode(err, codeNoRegisterInstance, core.ReasonTargetNotFound)
	}
	return &emptyResponse{}, nil
}

// deleteRegisterInstance takes a machine out of the account; its agent cannot connect again.
func (d *Dialect) deleteRegisterInstance(
	ctx context.Context, c core.Caller, req *deleteRegisterInstanceRequest,
) (*emptyResponse, error) {
	id, err := registerInstanceID(req.InstanceId)
	if err != nil {
		return nil, err
	}
	if _, err := d.env.Service.RemoveNode(ctx, c, id); err != nil {
		return nil, recode(err, codeNoRegisterInstance, core.ReasonTargetNotFound)
	}
	return &emptyResponse{}, nil
}

func (d *Dialect) describeRegisterInstances(
	ctx context.Context, c core.Caller, req *describeRegisterInstancesRequest,
) (*describeRegisterInstancesResponse, error) {
	spec, err := req.begin(req.InstanceIds, "InstanceIds")
	if err != nil {
		return nil, err
	}
	var q nodeQuery
	if len(req.InstanceIds) > 0 {
		if q.IDs, err = registerInstanceIDs(req.InstanceIds, "InstanceIds"); err != nil {
			return nil, err
		}
	}
	if err := req.eachFilter(codeFilter, q.add); err != nil {
		return nil, err
	}
	rows, total, err := scan(spec, q.keep, func(spec core.PageSpec) ([]core.Node, core.PageInfo, error) {
		return d.env.Service.Nodes(ctx, c, q.NodeFilter, spec)
	})
	if err != nil {
		return nil, err
	}
	now := d.env.Service.Now()
	resp := &describeRegisterInstancesResponse{TotalCount: total, RegisterInstanceSet: make([]registerInstanceInfo, len(rows))}
	for i := range rows {
		resp.RegisterInstanceSet[i] = showRegisterInstance(&rows[i], now)
	}
	return resp, nil
}

// nodeQuery is what the store can select by, and what has to be judged row by row.
type nodeQuery struct {
	core.NodeFilter
	keep conditions[core.Node]
}

// add adds a filter.
func (q *nodeQuery) add(name string, values []string) error {
	switch name {
	case "instance-id":
		ids, err := registerInstanceIDs(values, name)
		q.IDs = narrow(q.IDs, ids, nobody)
		return err
	case "instance-name":
		if q.Names == nil {
			q.Names = values
			return nil
		}
		q.keep = append(q.keep, func(n *core.Node) bool { return slices.Contains(values, n.Name) })
	case "register-status":
		return narrowStatus(&q.NodeFilter, name, values)
	case "sys-name":
		return narrowSystem(&q.NodeFilter, name, values)
	case "local-ip": // the store would also take the address that a node connects from
		q.keep = append(q.keep, func(n *core.Node) bool { return slices.Contains(values, n.PrivateIP) })
	case "register-code-id":
		ids, err := registerCodeIDs(values, name)
		q.Registrations = narrow(q.Registrations, ids, 0)
		return err
	default:
		match := tagFilter(name, values)
		if match == nil {
			return unknownFilter(name)
		}
		q.keep = append(q.keep, func(n *core.Node) bool { return slices.ContainsFunc(n.Tags, match) })
	}
	return nil
}

// showRegisterInstance shows a node. Its PublicKey is the text of the node's nkey as it is; the vendor shows an RSA key as PEM, and nodes
// have none here.
func showRegisterInstance(n *core.Node, now time.Time) registerInstanceInfo {
	return registerInstanceInfo{
		RegisterCodeId: n.Registration.UUID(), InstanceId: showInstance(n.ID), InstanceName: n.Name, MachineId: n.MachineID,
		SystemName: showSystem(n), HostName: n.Hostname, LocalIp: n.PrivateIP, PublicKey: n.PublicKey, Status: showStatus(n, now),
		CreatedTime: clock(n.RegisteredAt), UpdatedTime: clock(n.UpdatedAt), Tags: showTags(n.Tags),
	}
}
