package ecs

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"errand/internal/api"
	"errand/internal/api/alibaba"
	"errand/internal/core"
)

const (
	maxStatusInstances  = 100
	maxManagedInstances = 50
	maxMachineID        = 36 // bytes
)

// sessionFeature is what an agent calls its ability to open terminals.
const sessionFeature = "session"

func (d *Dialect) describeCloudAssistantStatus(
	ctx context.Context, c core.Caller, req *describeCloudAssistantStatusRequest,
) (*describeCloudAssistantStatusResponse, error) {
	page, nodes, info, err := d.assistants(ctx, c, req)
	if err != nil {
		return nil, err
	}
	loads, err := d.service.Loads(ctx, nodes)
	if err != nil {
		return nil, err
	}
	set := make([]assistant, len(nodes))
	for i := range nodes {
		set[i] = d.showAssistant(&nodes[i], loads[nodes[i].Key])
	}
	return &describeCloudAssistantStatusResponse{
		paged: req.answer(page, info), InstanceCloudAssistantStatusSet: assistantSet{set},
	}, nil
}

// assistants finds the machines asked for. Paging does not apply to machines that are named.
func (d *Dialect) assistants(
	ctx context.Context, c core.Caller, req *describeCloudAssistantStatusRequest,
) (page core.PageSpec, nodes []core.Node, info core.PageInfo, err error) {
	platform := platform(req.OSType)
	if len(req.InstanceId) > 0 {
		page = core.PageSpec{Limit: max(defaultPage, len(req.InstanceId))}
		nodes, err = d.namedNodes(ctx, c, req.InstanceId, platform)
		return page, nodes, core.PageInfo{Total: len(nodes)}, err
	}
	if page, err = req.paging.spec(); err != nil {
		return page, nil, info, err
	}
	var f core.NodeFilter
	if platform != "" {
		f.Platforms = []core.Platform{platform}
	}
	nodes, info, err = d.service.Nodes(ctx, c, f, page)
	return page, nodes, info, err
}

// namedNodes returns the named machines in the order in which they were named; one unknown name refuses all.
func (d *Dialect) namedNodes(ctx context.Context, c core.Caller, list []string, platform core.Platform) ([]core.Node, error) {
	if len(list) > maxStatusInstances {
		return nil, alibaba.Invalid(core.ReasonTargetsTooMany, "InstanceId", "more than 100")
	}
	ids, err := instances(list)
	if err != nil {
		return nil, err
	}
	found, err := d.service.NodesByID(ctx, c, ids)
	if err != nil {
		return nil, err
	}
	nodes := make([]core.Node, 0, len(ids))
	for i, id := range ids {
		n, ok := found[id]
		switch {
		case !ok:
			return nil, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonTargetNotFound, Field: id, Detail: "no such node"}
		case slices.Contains(ids[:i], id), platform != "" && n.Platform != platform:
		default:
			nodes = append(nodes, n)
		}
	}
	return nodes, nil
}

func (d *Dialect) showAssistant(n *core.Node, load core.NodeLoad) assistant {
	online := n.Online(d.service.Now())
	a := assistant{
		InstanceId: api.ShowNode(nodePrefix, n.ID), CloudAssistantStatus: strconv.FormatBool(online),
		LastHeartbeatTime: alibaba.Time(n.LastSeen), LastInvokedTime: alibaba.Time(load.LastInvoked),
		InvocationCount: int64(load.Finished), ActiveTaskCount: int64(load.Active),
		OSType: showPlatform(n.Platform), SupportSessionManager: slices.Contains(n.Features, sessionFeature),
	}
	if online { // the vendor leaves the version empty while the agent does not run
		a.CloudAssistantVersion = n.Agent
	}
	return a
}

// platforms is the vendor's word for each operating system. It knows no Darwin.
var platforms = map[core.Platform]string{
	core.Linux:   "Linux",
	core.Windows: "Windows",
	core.FreeBSD: "FreeBSD",
	core.Darwin:  "Darwin",
}

func showPlatform(p core.Platform) string {
	if word, ok := platforms[p]; ok {
		return word
	}
	return string(p)
}

// platform reads the vendor's word in any case; two of its actions spell it differently. An unknown word matches nothing.
func platform(word string) core.Platform { return core.Platform(strings.ToLower(word)) }

func (d *Dialect) describeManagedInstances(
	ctx context.Context, c core.Caller, req *describeManagedInstancesRequest,
) (*describeManagedInstancesResponse, error) {
	page, err := req.paging.spec()
	if err != nil {
		return nil, err
	}
	f, err := req.filter()
	if err != nil {
		return nil, err
	}
	nodes, info, err := d.service.Nodes(ctx, c, f, page)
	if err != nil {
		return nil, err
	}
	loads, err := d.service.Loads(ctx, nodes)
	if err != nil {
		return nil, err
	}
	now := d.service.Now()
	shown := make([]listedInstance, len(nodes))
	for i := range nodes {
		n := &nodes[i]
		shown[i] = listedInstance{managedInstance: showManaged(n, loads[n.Key]), Connected: n.Online(now), Tags: showTags(n.Tags)}
	}
	return &describeManagedInstancesResponse{paged: req.answer(page, info), Instances: shown}, nil
}

func (req *describeManagedInstancesRequest) filter() (core.NodeFilter, error) {
	f := core.NodeFilter{
		IDs: api.NodeIDs(req.InstanceId), MachineID: req.MachineId, IP: req.InstanceIp, Online: req.Connected,
		ResourceGroup: req.ResourceGroupId, Tags: alibaba.Tags(req.Tag),
	}
	if len(f.IDs) > maxManagedInstances {
		return f, alibaba.Invalid(core.ReasonTargetsTooMany, "InstanceId", "more than 50")
	}
	if len(req.MachineId) > maxMachineID {
		return f, alibaba.Invalid(core.ReasonTooLong, "MachineId", "more than 36 characters")
	}
	if req.InstanceName != "" {
		f.Names = []string{req.InstanceName}
	}
	if req.OsType != "" {
		f.Platforms = []core.Platform{platform(req.OsType)}
	}
	if req.ActivationId != "" {
		f.Registrations = []core.ID{activationID(req.ActivationId)}
	}
	return f, core.CheckTags(f.Tags, alibaba.MaxTags)
}

func showManaged(n *core.Node, load core.NodeLoad) managedInstance {
	m := managedInstance{
		InstanceId: api.ShowNode(nodePrefix, n.ID), InstanceName: n.Name, Hostname: n.Hostname, AgentVersion: n.Agent,
		MachineId: n.MachineID, OsType: showPlatform(n.Platform), OsVersion: n.OSName, InternetIp: n.PublicIP, IntranetIp: n.PrivateIP,
		RegistrationTime: alibaba.Time(n.RegisteredAt), LastInvokedTime: alibaba.Time(load.LastInvoked),
		InvocationCount: int64(load.Finished), ResourceGroupId: n.ResourceGroup,
	}
	if n.Registration != 0 {
		m.ActivationId = showActivation(n.Registration)
	}
	return m
}

func (d *Dialect) modifyManagedInstance(
	ctx context.Context, c core.Caller, req *modifyManagedInstanceRequest,
) (*modifyManagedInstanceResponse, error) {
	if err := checkInstanceName(req.InstanceName, maxInstanceName); err != nil {
		return nil, err
	}
	n, err := d.service.RenameNode(ctx, c, api.NodeID(req.InstanceId), req.InstanceName)
	if err != nil {
		return nil, err
	}
	return &modifyManagedInstanceResponse{Instance: renamedInstance{InstanceId: api.ShowNode(nodePrefix, n.ID), InstanceName: n.Name}}, nil
}

// deregisterManagedInstance removes a machine and shows it as it was, with what was under way on it counted as over.
func (d *Dialect) deregisterManagedInstance(
	ctx context.Context, c core.Caller, req *deregisterManagedInstanceRequest,
) (*deregisterManagedInstanceResponse, error) {
	return alibaba.Once(ctx, d.service, c, "ecs:DeregisterManagedInstance", req.ClientToken, req.Hash,
		func(ctx context.Context) (*deregisterManagedInstanceResponse, error) {
			n, err := d.service.RemoveNode(ctx, c, api.NodeID(req.InstanceId))
			if err != nil {
				return nil, err
			}
			loads, err := d.service.Loads(ctx, []core.Node{n})
			if err != nil {
				return nil, err
			}
			return &deregisterManagedInstanceResponse{Instance: showManaged(&n, loads[n.Key])}, nil
		})
}

// describeRegions lists every region a request may name. All of them are at the address the caller used.
func (d *Dialect) describeRegions(_ context.Context, _ core.Caller, req *describeRegionsRequest) (*describeRegionsResponse, error) {
	list := make([]region, len(d.regions))
	for i, r := range d.regions {
		list[i] = region{RegionId: r.ID, RegionEndpoint: req.Host, LocalName: r.Name(req.AcceptLanguage), Status: "available"}
	}
	return &describeRegionsResponse{Regions: regionSet{list}}, nil
}
