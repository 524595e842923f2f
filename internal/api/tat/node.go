package tat

import (
	"context"
	"slices"
	"time"

	"errand/internal/core"
)

// The vendor's words for the state and the system of an instance.
const (
	online  = "Online"
	offline = "Offline"
	linux   = "Linux"
	windows = "Windows"
)

// sessions is the one feature of an agent that the vendor names.
const sessions = "SESSION_MANAGER"

func (d *Dialect) describeAutomationAgentStatus(
	ctx context.Context, c core.Caller, req *describeAgentStatusRequest,
) (*describeAgentStatusResponse, error) {
	spec, err := req.begin(req.InstanceIds, "InstanceIds")
	if err != nil {
		return nil, err
	}
	f, err := req.filter()
	if err != nil {
		return nil, err
	}
	rows, info, err := d.env.Service.Nodes(ctx, c, f, spec)
	if err != nil {
		return nil, err
	}
	now := d.env.Service.Now()
	resp := &describeAgentStatusResponse{TotalCount: info.Total, AutomationAgentSet: make([]agentInfo, len(rows))}
	for i := range rows {
		resp.AutomationAgentSet[i] = showAgent(&rows[i], now)
	}
	return resp, nil
}

// nobody is the id of no node.
const nobody = ""

func (req *describeAgentStatusRequest) filter() (f core.NodeFilter, err error) {
	if len(req.InstanceIds) > 0 {
		f.IDs, err = instanceIDs(req.InstanceIds, "InstanceIds")
		return f, err
	}
	err = req.eachFilter(codeFilter, func(name string, values []string) error {
		switch name {
		case "instance-id":
			ids, err := instanceIDs(values, name)
			f.IDs = narrow(f.IDs, ids, nobody)
			return err
		case "agent-status":
			return narrowStatus(&f, name, values)
		case "environment":
			return narrowSystem(&f, name, values)
		}
		return unknownFilter(name)
	})
	return f, err
}

// narrowStatus selects by whether a node's agent is online.
func narrowStatus(f *core.NodeFilter, name string, values []string) error {
	is, err := oneOf(name, values, online, offline)
	if want := is[online]; want != is[offline] {
		if f.Online != nil && *f.Online != want {
			f.IDs = []string{nobody}
		}
		f.Online = &want
	}
	return err
}

// narrowSystem selects by the system, of which the vendor knows two.
func narrowSystem(f *core.NodeFilter, name string, values []string) error {
	is, err := oneOf(name, values, linux, windows)
	var platforms []core.Platform
	if is[linux] {
		platforms = append(platforms, core.Linux, core.Darwin, core.FreeBSD)
	}
	if is[windows] {
		platforms = append(platforms, core.Windows)
	}
	f.Platforms = narrow(f.Platforms, platforms, "none")
	return err
}

func showAgent(n *core.Node, now time.Time) agentInfo {
	a := agentInfo{
		InstanceId: showInstance(n.ID), Version: n.Agent, AgentStatus: showStatus(n, now), Environment: showSystem(n), SupportFeatures: []string{},
	}
	if !n.LastSeen.IsZero() {
		a.LastHeartbeatTime = clock(n.LastSeen)
	}
	if slices.Contains(n.Features, "session") {
		a.SupportFeatures = append(a.SupportFeatures, sessions)
	}
	return a
}

func showStatus(n *core.Node, now time.Time) string {
	if n.Online(now) {
		return online
	}
	return offline
}

func showSystem(n *core.Node) string {
	if n.Platform == core.Windows {
		return windows
	}
	return linux
}
