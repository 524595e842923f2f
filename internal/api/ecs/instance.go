package ecs

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"errand/internal/api"
	"errand/internal/api/alibaba"
	"errand/internal/core"
)

const (
	maxInstanceIDs = 100
	maxAddresses   = 100 // in PrivateIpAddresses
	scannedNodes   = 500 // machines read at a time for a condition that the store does not know
)

// Words for the Status of a machine. The vendor has three more for machines on their way from one to the other; nobody here would know.
const (
	running = "Running"
	stopped = "Stopped"
)

// status calls a machine running while its agent is heard of. Whether a silent machine is off or cut off cannot be told from here.
func (d *Dialect) status(n *core.Node) string {
	if n.Online(d.service.Now()) {
		return running
	}
	return stopped
}

func (d *Dialect) describeInstances(
	ctx context.Context, c core.Caller, req *describeInstancesRequest,
) (*describeInstancesResponse, error) {
	page, err := req.paging.bent()
	if err != nil {
		return nil, err
	}
	f, err := req.filter()
	if err != nil {
		return nil, err
	}
	keep, err := req.condition()
	if err != nil {
		return nil, err
	}
	nodes, info, err := d.nodesThat(ctx, c, f, keep, page)
	if err != nil {
		return nil, err
	}
	list := make([]instance, len(nodes))
	for i := range nodes {
		list[i] = d.showInstance(&nodes[i])
	}
	return &describeInstancesResponse{paged: req.answer(page, info), Instances: instanceSet{list}}, nil
}

// filter is what the store can judge.
func (req *describeInstancesRequest) filter() (core.NodeFilter, error) {
	f := core.NodeFilter{ResourceGroup: req.ResourceGroupId, Tags: alibaba.Tags(req.Tag)}
	ids, err := texts("InstanceIds", req.InstanceIds)
	switch {
	case err != nil:
		return f, err
	case len(ids) > maxInstanceIDs:
		return f, alibaba.Invalid(core.ReasonTargetsTooMany, "InstanceIds", "more than 100")
	case ids != nil:
		f.IDs = named(api.NodeIDs(ids)...)
	}
	if req.InstanceName != "" && !strings.Contains(req.InstanceName, "*") {
		f.Names = []string{req.InstanceName}
	}
	switch req.Status {
	case "":
	case running, stopped:
		online := req.Status == running
		f.Online = &online
	default:
		f.IDs = named()
	}
	if req.ZoneId != "" { // no machine is in a zone
		f.IDs = named()
	}
	return f, core.CheckTags(f.Tags, alibaba.MaxTags)
}

// condition is what the store cannot judge, nil if there is nothing of the kind.
func (req *describeInstancesRequest) condition() (func(*core.Node) bool, error) {
	addresses, err := texts("PrivateIpAddresses", req.PrivateIpAddresses)
	if err != nil {
		return nil, err
	}
	if len(addresses) > maxAddresses {
		return nil, alibaba.Invalid(core.ReasonTooLong, "PrivateIpAddresses", "more than 100")
	}
	if addresses == nil && !strings.Contains(req.InstanceName, "*") {
		return nil, nil
	}
	name := newWildcard(req.InstanceName)
	return func(n *core.Node) bool {
		return (req.InstanceName == "" || name.matches(n.Name)) &&
			(addresses == nil || slices.Contains(addresses, n.PrivateIP))
	}, nil
}

// texts reads a parameter that is a JSON array of texts. An empty array is a filter that nothing passes, an empty parameter is none.
func texts(name, value string) ([]string, error) {
	if value == "" {
		return nil, nil
	}
	var list []string
	if err := json.Unmarshal([]byte(value), &list); err != nil {
		return nil, &core.Error{
			Code: core.CodeInvalid, Reason: core.ReasonInvalidValue, Field: name, Detail: "not a JSON array of texts", Err: err,
		}
	}
	return list, nil
}

// named is a filter for machines with these ids. It has an id more, which no machine has: an empty filter would let all machines pass.
func named(ids ...string) []string { return append([]string{""}, ids...) }

// nodesThat lists the machines that also meet a condition. It turns the condition into a list of ids, so that pages and totals are those
// of any other listing.
func (d *Dialect) nodesThat(
	ctx context.Context, c core.Caller, f core.NodeFilter, keep func(*core.Node) bool, page core.PageSpec,
) ([]core.Node, core.PageInfo, error) {
	if keep == nil {
		return d.service.Nodes(ctx, c, f, page)
	}
	ids := named()
	for scan := (core.PageSpec{Limit: scannedNodes}); ; {
		nodes, info, err := d.service.Nodes(ctx, c, f, scan)
		if err != nil {
			return nil, info, err
		}
		for i := range nodes {
			if keep(&nodes[i]) {
				ids = append(ids, nodes[i].ID)
			}
		}
		if info.Next == "" {
			break
		}
		scan.Token = info.Next
	}
	f.IDs = ids
	return d.service.Nodes(ctx, c, f, page)
}

// showInstance shows a machine. When it was made and last started is not known; what is known is that it was there and up when it joined.
func (d *Dialect) showInstance(n *core.Node) instance {
	return instance{
		InstanceId: api.ShowNode(nodePrefix, n.ID), InstanceName: n.Name, HostName: n.Hostname, RegionId: d.regions.Or(n.Region),
		Status: d.status(n), OSType: string(n.Platform), OSName: n.OSName, CreationTime: alibaba.Time(n.RegisteredAt),
		StartTime: alibaba.Time(n.RegisteredAt), ResourceGroupId: n.ResourceGroup,
		VpcAttributes:   vpcAttributes{PrivateIpAddress: addresses(n.PrivateIP)},
		PublicIpAddress: addresses(n.PublicIP), InnerIpAddress: addresses(""), Tags: tagSet{showTags(n.Tags)},
	}
}

// addresses is a list of the address, if there is one.
func addresses(ip string) addressSet {
	if ip == "" {
		return addressSet{[]string{}}
	}
	return addressSet{[]string{ip}}
}

func (d *Dialect) describeInstanceStatus(
	ctx context.Context, c core.Caller, req *describeInstanceStatusRequest,
) (*describeInstanceStatusResponse, error) {
	page, err := req.paging.spec()
	if err != nil {
		return nil, err
	}
	f := core.NodeFilter{IDs: api.NodeIDs(req.InstanceId)}
	if len(f.IDs) > maxInstanceIDs {
		return nil, alibaba.Invalid(core.ReasonTargetsTooMany, "InstanceId", "more than 100")
	}
	if req.ZoneId != "" { // no machine is in a zone
		f.IDs = named()
	}
	nodes, info, err := d.service.Nodes(ctx, c, f, page)
	if err != nil {
		return nil, err
	}
	list := make([]instanceStatus, len(nodes))
	for i := range nodes {
		list[i] = instanceStatus{InstanceId: api.ShowNode(nodePrefix, nodes[i].ID), Status: d.status(&nodes[i])}
	}
	return &describeInstanceStatusResponse{paged: req.answer(page, info), InstanceStatuses: instanceStatusSet{list}}, nil
}

// wildcard is a pattern, cut at the * that stand for any text.
type wildcard []string

func newWildcard(pattern string) wildcard {
	w := wildcard(strings.Split(pattern, "*"))
	last := len(w) - 1
	if last < 2 {
		return w
	}
	middle := slices.DeleteFunc(w[1:last], func(part string) bool { return part == "" }) // two * in a row are like one
	return append(w[:1+len(middle)], w[last])
}

func (w wildcard) matches(s string) bool {
	last := len(w) - 1
	if last == 0 {
		return s == w[0]
	}
	s, ok := strings.CutPrefix(s, w[0])
	if !ok {
		return false
	}
	if s, ok = strings.CutSuffix(s, w[last]); !ok {
		return false
	}
	for _, part := range w[1:last] {
		if _, s, ok = strings.Cut(s, part); !ok {
			return false
		}
	}
	return true
}
