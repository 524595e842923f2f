package eflo

import (
	"context"
	"fmt"
	"slices"

	"errand/internal/api"
	"errand/internal/api/alibaba"
	"errand/internal/core"
)

const (
	defaultPage = 20
	maxPage     = 100 // not documented
)

// Words for the OperatingState of a node. The vendor has more for nodes that are being moved or repaired; nobody here would know.
const (
	using   = "Using"  // in a cluster
	unused  = "Unused" // free
	stopped = "Stopped"
)

// Words for the OperatingState of a cluster.
const (
	clusterRunning = "running"
	clusterStopped = "stopped" // none of its nodes is heard of
)

func (p *paging) spec() (core.PageSpec, error) {
	spec := core.PageSpec{Token: p.NextToken, Limit: defaultPage}
	if p.MaxResults != nil {
		if *p.MaxResults < 1 || *p.MaxResults > maxPage {
			return spec, alibaba.Invalid(core.ReasonInvalidValue, "MaxResults", fmt.Sprintf("not 1 to %d", maxPage))
		}
		spec.Limit = int(*p.MaxResults)
	}
	return spec, nil
}

// operatingState tells whether a node is heard of. Whether a silent one is off or cut off cannot be told from here.
func (d *Dialect) operatingState(n *core.Node) string {
	_, clustered := n.Cluster()
	switch {
	case !n.Online(d.service.Now()):
		return stopped
	case clustered:
		return using
	default:
		return unused
	}
}

// inStates narrows a filter to nodes with one of these states, of which online is the one for those that are heard of. It reports
// whether there can be any.
func inStates(f *core.NodeFilter, states []string, online string) bool {
	yes, no := slices.Contains(states, online), slices.Contains(states, stopped)
	if len(states) > 0 && yes != no {
		f.Online = &yes
	}
	return len(states) == 0 || yes || no
}

func (d *Dialect) describeNode(ctx context.Context, c core.Caller, req *describeNodeRequest) (*describeNodeResponse, error) {
	id := api.NodeID(req.NodeId)
	found, err := d.service.NodesByID(ctx, c, []string{id})
	if err != nil {
		return nil, err
	}
	n, ok := found[id]
	if !ok {
		return nil, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonTargetNotFound, Field: req.NodeId, Detail: "no such node"}
	}
	resp := &describeNodeResponse{
		NodeId: api.ShowNode(nodePrefix, n.ID), Hostname: n.Hostname, Sn: n.MachineID, OperatingState: d.operatingState(&n), ImageName: n.OSName,
		ResourceGroupId: n.ResourceGroup, CreateTime: alibaba.Time(n.RegisteredAt), Networks: []nodeNetwork{}, Disks: []struct{}{},
	}
	if name, ok := n.Cluster(); ok {
		resp.ClusterId, resp.ClusterName = core.ClusterID(c.Account, name), name
	}
	if n.PrivateIP != "" {
		resp.Networks = append(resp.Networks, nodeNetwork{Ip: n.PrivateIP})
	}
	return resp, nil
}

// listClusterNodes lists the nodes of a cluster; none if nothing is in it. There are no groups of nodes within a cluster.
func (d *Dialect) listClusterNodes(ctx context.Context, c core.Caller, req *listClusterNodesRequest) (*listClusterNodesResponse, error) {
	resp := &listClusterNodesResponse{Nodes: []clusterNode{}}
	page, err := req.spec()
	if err != nil {
		return nil, err
	}
	f := core.NodeFilter{ResourceGroup: req.ResourceGroupId, Tags: alibaba.Tags(req.Tags)}
	if err := core.CheckTags(f.Tags, alibaba.MaxTags); err != nil {
		return nil, err
	}
	name, known, err := d.service.ClusterName(ctx, c, req.ClusterId)
	if err != nil || !known || req.NodeGroupId != "" || !inStates(&f, req.OperatingStates, using) {
		return resp, err
	}
	f.Tags = append(f.Tags, core.Tag{Key: core.ClusterTag, Value: name})
	nodes, info, err := d.service.Nodes(ctx, c, f, page)
	if err != nil {
		return nil, err
	}
	for i := range nodes {
		resp.Nodes = append(resp.Nodes, d.showClusterNode(&nodes[i]))
	}
	resp.NextToken = info.Next
	return resp, nil
}

func (d *Dialect) showClusterNode(n *core.Node) clusterNode {
	shown := clusterNode{
		NodeId: api.ShowNode(nodePrefix, n.ID), Hostname: n.Hostname, Sn: n.MachineID, OperatingState: d.operatingState(n), ImageName: n.OSName,
		CreateTime: alibaba.Time(n.RegisteredAt), Networks: []network{}, Tags: showTags(n.Tags),
	}
	if n.PrivateIP != "" {
		shown.Networks = append(shown.Networks, network{Ip: n.PrivateIP})
	}
	return shown
}

// listFreeNodes lists the nodes that are in no cluster. None has a type of machine, or is in a zone of a fast network.
func (d *Dialect) listFreeNodes(ctx context.Context, c core.Caller, req *listFreeNodesRequest) (*listFreeNodesResponse, error) {
	resp := &listFreeNodesResponse{Nodes: []freeNode{}}
	page, err := req.spec()
	if err != nil {
		return nil, err
	}
	f := core.NodeFilter{ResourceGroup: req.ResourceGroupId, Tags: alibaba.Tags(req.Tags), NoTagKey: core.ClusterTag}
	if err := core.CheckTags(f.Tags, alibaba.MaxTags); err != nil {
		return nil, err
	}
	if req.HpnZone != "" || req.MachineType != "" || !inStates(&f, req.OperatingStates, unused) {
		return resp, nil
	}
	nodes, info, err := d.service.Nodes(ctx, c, f, page)
	if err != nil {
		return nil, err
	}
	for i := range nodes {
		n := &nodes[i]
		resp.Nodes = append(resp.Nodes, freeNode{
			NodeId: api.ShowNode(nodePrefix, n.ID), Sn: n.MachineID, OperatingState: d.operatingState(n), ResourceGroupId: n.ResourceGroup,
			CreateTime: alibaba.Time(n.RegisteredAt), Tags: showTags(n.Tags),
		})
	}
	resp.NextToken = info.Next
	return resp, nil
}

func (d *Dialect) listClusters(ctx context.Context, c core.Caller, req *listClustersRequest) (*listClustersResponse, error) {
	page, err := req.spec()
	if err != nil {
		return nil, err
	}
	f := core.ClusterFilter{ResourceGroup: req.ResourceGroupId, Tags: alibaba.Tags(req.Tags)}
	if err := core.CheckTags(f.Tags, alibaba.MaxTags); err != nil {
		return nil, err
	}
	rows, info, err := d.service.Clusters(ctx, c, f, page)
	if err != nil {
		return nil, err
	}
	list := make([]cluster, len(rows))
	for i := range rows {
		cl := &rows[i]
		list[i] = cluster{
			ClusterId: cl.ID, ClusterName: cl.Name, OperatingState: clusterRunning, ResourceGroupId: cl.ResourceGroup,
			CreateTime: alibaba.Time(cl.CreatedAt), UpdateTime: alibaba.Time(cl.UpdatedAt), NodeCount: int64(cl.Nodes), Tags: showTags(cl.Tags),
		}
		if cl.Online == 0 {
			list[i].OperatingState = clusterStopped
		}
	}
	return &listClustersResponse{NextToken: info.Next, Clusters: list}, nil
}

func showTags(tags []core.Tag) []alibaba.Tag {
	shown := make([]alibaba.Tag, len(tags))
	for i, t := range tags {
		shown[i] = alibaba.Tag(t)
	}
	return shown
}

// describeRegions lists every region a request may name.
func (d *Dialect) describeRegions(_ context.Context, _ core.Caller, req *describeRegionsRequest) (*describeRegionsResponse, error) {
	list := make([]region, len(d.regions))
	for i, r := range d.regions {
		list[i] = region{RegionId: r.ID, LocalName: r.Name(req.AcceptLanguage)}
	}
	return &describeRegionsResponse{Regions: list}, nil
}
