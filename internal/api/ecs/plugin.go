package ecs

import (
	"context"
	"unicode/utf8"

	"errand/internal/api"
	"errand/internal/api/alibaba"
	"errand/internal/core"
)

const (
	maxInstalls        = 50
	maxPluginInstances = 50
	maxPluginName      = 255 // characters
)

// installCloudAssistant notes the wish. Every machine joined with its agent, so there is nothing to install on one.
func (d *Dialect) installCloudAssistant(
	ctx context.Context, c core.Caller, req *installCloudAssistantRequest,
) (*alibaba.Reply, error) {
	if len(req.InstanceId) > maxInstalls {
		return nil, alibaba.Invalid(core.ReasonTargetsTooMany, "InstanceId", "more than 50")
	}
	ids, err := instances(req.InstanceId)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, alibaba.Invalid(core.ReasonTargetsMissing, "InstanceId", "none")
	}
	return &alibaba.Reply{}, d.service.AskInstall(ctx, c, ids)
}

// The one plugin that a machine has is the agent itself, in the vendor's words for one that is always running.
const (
	agentPlugin   = "errand-agent"
	pluginRunning = "PERSIST_RUNNING"
	pluginFailed  = "PERSIST_FAIL"
)

// listPluginStatus shows what runs on machines. Without the name of a plugin, one machine has to be named; machines that do not have a
// named plugin are left out.
func (d *Dialect) listPluginStatus(ctx context.Context, c core.Caller, req *listPluginStatusRequest) (*listPluginStatusResponse, error) {
	switch {
	case len(req.InstanceId) > maxPluginInstances:
		return nil, alibaba.Invalid(core.ReasonTargetsTooMany, "InstanceId", "more than 50")
	case utf8.RuneCountInString(req.Name) > maxPluginName:
		return nil, alibaba.Invalid(core.ReasonTooLong, "Name", "more than 255 characters")
	case req.Name == "" && len(req.InstanceId) == 0:
		return nil, alibaba.Invalid(core.ReasonTargetsMissing, "InstanceId", "neither a machine nor a plugin")
	case req.Name == "" && len(req.InstanceId) > 1:
		return nil, alibaba.Missing("Name")
	}
	// Paging and naming work as they do for the agents.
	page, nodes, info, err := d.assistants(ctx, c, &describeCloudAssistantStatusRequest{
		located: req.located, paging: req.paging, InstanceId: req.InstanceId,
	})
	if err != nil {
		return nil, err
	}
	if req.Name != "" && req.Name != agentPlugin {
		nodes, info = nil, core.PageInfo{}
	}
	list := make([]instancePlugins, len(nodes))
	for i := range nodes {
		n := &nodes[i]
		list[i] = instancePlugins{InstanceId: api.ShowNode(nodePrefix, n.ID), PluginStatusSet: pluginSet{[]plugin{d.showAgent(n)}}}
	}
	return &listPluginStatusResponse{paged: req.answer(page, info), InstancePluginStatusSet: instancePluginSet{list}}, nil
}

// showAgent shows an agent as a plugin. It is first heard of when its machine joins.
func (d *Dialect) showAgent(n *core.Node) plugin {
	p := plugin{
		PluginName: agentPlugin, PluginVersion: n.Agent, PluginStatus: pluginFailed,
		FirstHeartbeatTime: alibaba.Time(n.RegisteredAt), LastHeartbeatTime: alibaba.Time(n.LastSeen),
	}
	if n.LastSeen.IsZero() {
		p.LastHeartbeatTime = p.FirstHeartbeatTime
	}
	if n.Online(d.service.Now()) {
		p.PluginStatus = pluginRunning
	}
	return p
}
