package ecs

import (
	"context"
	"fmt"

	"errand/internal/api"
	"errand/internal/api/alibaba"
	"errand/internal/core"
)

const sessionPrefix = "s-"

// maxSessionPage is maxPage for DescribeTerminalSessions.
const maxSessionPage = 100

// startTerminalSession makes a URL by which terminals on machines are reached. ConnectionType chooses nothing here: the URL leads to the host that
// this very call reached.
func (d *Dialect) startTerminalSession(
	ctx context.Context, c core.Caller, req *startTerminalSessionRequest,
) (*startTerminalSessionResponse, error) {
	spec, err := req.spec()
	if err != nil {
		return nil, err
	}
	return alibaba.Once(ctx, d.service, c, "ecs:StartTerminalSession", req.ClientToken, req.Hash,
		func(ctx context.Context) (*startTerminalSessionResponse, error) {
			s, token, err := d.service.StartSession(ctx, c, spec)
			if err != nil {
				return nil, err
			}
			id := sessionPrefix + s.ID.String()
			return &startTerminalSessionResponse{
				SessionId: id, SecurityToken: token,
				WebSocketUrl: api.SessionEndpoint(&c, req.Host) + "?sessionId=" + id + "&token=" + token,
			}, nil
		})
}

func (req *startTerminalSessionRequest) spec() (core.SessionSpec, error) {
	spec := core.SessionSpec{
		Region: req.RegionId, Origin: core.OriginECS, User: req.Username, PasswordName: req.PasswordName, Command: req.CommandLine,
		Host: req.TargetServer, Network: req.ConnectionType, Show: func(id string) string { return api.ShowNode(nodePrefix, id) },
	}
	if o := req.EncryptionOptions; o != nil {
		spec.Encryption = core.SessionEncryption{Enabled: o.Enabled, Mode: o.Mode, KeyID: o.KMSKeyId}
	}
	if n := req.PortNumber; n != nil {
		port := int(min(max(*n, 0), 1<<16)) // still no port
		spec.Port = &port
	}
	var err error
	spec.Nodes, err = instances(req.InstanceId)
	return spec, err
}

func (d *Dialect) endTerminalSession(ctx context.Context, c core.Caller, req *endTerminalSessionRequest) (*alibaba.Reply, error) {
	id, ok := api.SessionID(req.SessionId)
	if !ok {
		return nil, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonSessionNotFound, Field: "SessionId", Detail: "not an id"}
	}
	return &alibaba.Reply{}, d.service.EndSession(ctx, c, id)
}

func (d *Dialect) describeTerminalSessions(
	ctx context.Context, c core.Caller, req *describeTerminalSessionsRequest,
) (*describeTerminalSessionsResponse, error) {
	page := core.PageSpec{Token: req.NextToken, Limit: defaultPage}
	if n := req.MaxResults; n != nil {
		if *n < 1 || *n > maxSessionPage {
			return nil, alibaba.Invalid(core.ReasonInvalidValue, "MaxResults", fmt.Sprintf("not 1 to %d", maxSessionPage))
		}
		page.Limit = int(*n)
	}
	resp := &describeTerminalSessionsResponse{Sessions: sessionSet{[]session{}}}
	var f core.SessionFilter
	if req.SessionId != "" {
		id, _ := api.SessionID(req.SessionId) // what is none becomes zero, which nothing has
		f.IDs = []core.ID{id}
	}
	if req.InstanceId != "" {
		keys, err := d.service.NodeKeys(ctx, c, []string{api.NodeID(req.InstanceId)})
		if err != nil {
			return nil, err
		}
		if f.Nodes = keys; len(keys) == 0 {
			return resp, nil
		}
	}
	rows, info, err := d.service.Sessions(ctx, c, f, page)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		resp.Sessions.Session = append(resp.Sessions.Session, showSession(&rows[i]))
	}
	resp.NextToken = info.Next
	return resp, nil
}

func showSession(s *core.Session) session {
	shown := session{
		SessionId: sessionPrefix + s.ID.String(), CreationTime: alibaba.Time(s.CreatedAt), Username: s.User, TargetServer: s.Host,
		ClientIP: s.ClientIP, PrincipalId: s.Principal, IdentityType: identities[s.Identity], PortNumber: int64(s.Port),
		Connections: connectionSet{make([]connection, len(s.Connections))},
	}
	if s.Identity == core.IdentityAccount {
		shown.PrincipalId = s.Account.String()
	}
	for i := range s.Connections {
		conn := &s.Connections[i]
		shown.Connections.Connection[i] = connection{
			InstanceId: api.ShowNode(nodePrefix, conn.NodeID), Status: connectionStatuses[conn.Status], ClosedReason: closedReasons[conn.Closed],
			FailedDetail: conn.Detail, StartTime: alibaba.Time(conn.StartedAt), EndTime: alibaba.Time(conn.EndedAt),
		}
	}
	return shown
}

// identities is the vendor's word for each kind of principal.
var identities = map[core.Identity]string{
	core.IdentityAccount: "Account",
	core.IdentityUser:    "RAMUser",
	core.IdentityRole:    "AssumedRoleUser",
}

// connectionStatuses is the vendor's word for each status.
var connectionStatuses = map[core.ConnectionStatus]string{
	core.ConnectionConnecting:   "Connecting",
	core.ConnectionConnected:    "Connected",
	core.ConnectionDisconnected: "Disconnected",
	core.ConnectionTerminated:   "Terminated",
	core.ConnectionFailed:       "Failed",
}

// closedReasons is the vendor's word for each reason. One word of the vendor's, InstanceNotRunning, is for machines that are switched off,
// which nobody can tell here from those that are cut off.
var closedReasons = map[core.CloseReason]string{
	core.NotClosed:             "",
	core.ClosedNodeNotFound:    "InstanceNotExists",
	core.ClosedDeliveryTimeout: "DeliveryTimeout",
	core.ClosedAgentTooOld:     "AgentNeedUpgrade",
	core.ClosedAgentOffline:    "AgentNotOnline",
	core.ClosedMalformed:       "MessageFormatInvalid",
	core.ClosedByAgent:         "AgentSocketClosed",
	core.ClosedByClient:        "ClientClosed",
}
