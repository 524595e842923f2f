package tat

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

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

func (req *describeAgentStatusRequest) filter() (f core.NodeFilter, err error) {
	const nobody = "" // no node has an empty id
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
			is, err := oneOf(name, values, online, offline)
			if want := is[online]; want != is[offline] {
				if f.Online != nil && *f.Online != want {
					f.IDs = []string{nobody}
				}
				f.Online = &want
			}
			return err
		case "environment":
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
		return unknownFilter(name)
	})
	return f, err
}

func showAgent(n *core.Node, now time.Time) agentInfo {
	a := agentInfo{
		InstanceId: showInstance(n.ID), Version: n.Agent, AgentStatus: offline, Environment: linux, SupportFeatures: []string{},
	}
	if !n.LastSeen.IsZero() {
		a.LastHeartbeatTime = clock(n.LastSeen)
	}
	if n.Online(now) {
		a.AgentStatus = online
	}
	if n.Platform == core.Windows {
		a.Environment = windows
	}
	if slices.Contains(n.Features, "session") {
		a.SupportFeatures = append(a.SupportFeatures, sessions)
	}
	return a
}

// The vendor's limits on register codes.
// https://www.tencentcloud.com/document/product/1147/78101
const (
	maxCodeText      = 128   // characters of a description
	maxNamePrefix    = 32    // characters
	maxRegistrations = 10000 // instances with one code
	unlimitedHours   = 99999 // beyond this a code does not expire
	defaultJoins     = 10
	defaultHours     = 4
)

func (d *Dialect) createRegisterCode(
	ctx context.Context, c core.Caller, req *createRegisterCodeRequest,
) (*createRegisterCodeResponse, error) {
	spec := core.RegistrationSpec{
		Region: req.region, NamePrefix: req.InstanceNamePrefix, Description: req.Description, Limit: defaultJoins,
		Validity: defaultHours * time.Hour,
	}
	switch {
	case utf8.RuneCountInString(req.Description) > maxCodeText:
		return nil, refuse(codeTooLong, "Description", "more than %d characters", maxCodeText)
	case utf8.RuneCountInString(req.InstanceNamePrefix) > maxNamePrefix:
		return nil, refuse(codeTooLong, "InstanceNamePrefix", "more than %d characters", maxNamePrefix)
	}
	if n := req.RegisterLimit; n != nil {
		switch {
		case *n < 1:
			return nil, refuse(codeTooSmall, "RegisterLimit", "%d is less than 1", *n)
		case *n > maxRegistrations:
			return nil, refuse(codeTooLarge, "RegisterLimit", "%d is more than %d", *n, maxRegistrations)
		}
		spec.Limit = int(*n)
	}
	if hours := req.EffectiveTime; hours != nil {
		switch {
		case *hours < 1:
			return nil, refuse(codeTooSmall, "EffectiveTime", "%d is less than 1", *hours)
		case *hours > unlimitedHours:
			spec.Validity = 0
		default:
			spec.Validity = time.Duration(*hours) * time.Hour
		}
	}
	if req.IpAddressRange != "" {
		network, err := parseNetwork(req.IpAddressRange)
		if err != nil {
			return nil, err
		}
		spec.Networks = []netip.Prefix{network}
	}
	code, secret, err := d.env.Service.CreateRegistration(ctx, c, spec)
	if err != nil {
		return nil, err
	}
	return &createRegisterCodeResponse{RegisterCodeId: code.ID.UUID(), RegisterCodeValue: secret}, nil
}

// parseNetwork reads an IPv4 address or network.
func parseNetwork(s string) (netip.Prefix, error) {
	text := s
	if !strings.Contains(s, "/") {
		text += "/32"
	}
	network, err := netip.ParsePrefix(text)
	if err != nil || !network.Addr().Is4() {
		return netip.Prefix{}, refuse(codeInvalidParameter, "IpAddressRange", "%.64q is no IPv4 address or network", s)
	}
	return network.Masked(), nil
}

func showNetwork(networks []netip.Prefix) string {
	texts := make([]string, len(networks))
	for i, n := range networks {
		texts[i] = n.String()
		if n.IsSingleIP() {
			texts[i] = n.Addr().String()
		}
	}
	return strings.Join(texts, ",")
}

func (d *Dialect) describeRegisterCodes(
	ctx context.Context, c core.Caller, req *describeRegisterCodesRequest,
) (*describeRegisterCodesResponse, error) {
	if len(req.RegisterCodeIds) > maxIDs {
		return nil, refuse(codeTooLong, "RegisterCodeIds", "more than %d", maxIDs)
	}
	spec, err := page(req.Limit, req.Offset)
	if err != nil {
		return nil, err
	}
	var f core.RegistrationFilter
	if len(req.RegisterCodeIds) > 0 {
		if f.IDs, err = registerCodeIDs(req.RegisterCodeIds, "RegisterCodeIds"); err != nil {
			return nil, err
		}
	}
	rows, info, err := d.env.Service.Registrations(ctx, c, f, spec)
	if err != nil {
		return nil, err
	}
	now := d.env.Service.Now()
	resp := &describeRegisterCodesResponse{TotalCount: info.Total, RegisterCodeSet: make([]registerCodeInfo, len(rows))}
	for i := range rows {
		resp.RegisterCodeSet[i] = showRegisterCode(&rows[i], now)
	}
	return resp, nil
}

func showRegisterCode(r *core.RegistrationCode, now time.Time) registerCodeInfo {
	return registerCodeInfo{
		RegisterCodeId: r.ID.UUID(), Description: r.Description, InstanceNamePrefix: r.NamePrefix, RegisterLimit: int64(r.Limit),
		ExpiredTime: clockOrNull(r.ExpiresAt), IpAddressRange: showNetwork(r.Networks),
		Enabled: !r.Disabled && (r.ExpiresAt.IsZero() || now.Before(r.ExpiresAt)), RegisteredCount: int64(r.Registered),
		CreatedTime: clock(r.CreatedAt), UpdatedTime: clock(r.UpdatedAt),
	}
}
