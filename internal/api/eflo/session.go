package eflo

import (
	"context"
	"regexp"
	"strings"

	"errand/internal/api"
	"errand/internal/api/alibaba"
	"errand/internal/core"
)

// sessionPrefix stands before the id of a session.
const sessionPrefix = "i"

// Types of sessions. The vendor's one is a serial line to a machine that need not have an agent; here it leads to the same place as the other,
// a shell.
const (
	sessionSerial = "sol"
	sessionShell  = "shell"
)

// inactive is the state of a session that is over.
const inactive = "Inactive"

// startTime is how the vendor's clients write a moment: milliseconds since 1970.
var startTime = regexp.MustCompile(`^\d{13}$`)

// createSession makes a terminal on a node. Whoever connects to the endpoint adds ?sessionId=...&token=... with what else is in the answer.
// StartTime is the caller's own clock, and checked only for its form.
func (d *Dialect) createSession(ctx context.Context, c core.Caller, req *createSessionRequest) (*createSessionResponse, error) {
	switch kind := strings.ToLower(req.SessionType); {
	case kind != "" && kind != sessionSerial && kind != sessionShell:
		return nil, alibaba.Invalid(core.ReasonInvalidValue, "SessionType", "no such type")
	case req.StartTime != "" && !startTime.MatchString(req.StartTime):
		return nil, alibaba.Invalid(core.ReasonInvalidValue, "StartTime", "not 13 digits")
	}
	id := api.NodeID(req.NodeId)
	s, token, err := d.service.StartSession(ctx, c, core.SessionSpec{
		Region: d.regions.Or(req.RegionId), Origin: core.OriginEFLO, Kind: req.SessionType, Nodes: []string{id},
		Show: func(id string) string { return api.ShowNode(nodePrefix, id) },
	})
	if err != nil {
		return nil, err
	}
	found, err := d.service.NodesByID(ctx, c, []string{id})
	if err != nil {
		return nil, err
	}
	return &createSessionResponse{
		SessionId: sessionPrefix + s.ID.String(), SessionToken: token, WssEndpoint: api.SessionEndpoint(&c, req.Host),
		ServerSn: found[id].MachineID,
	}, nil
}

// closeSession ends a session for good. Closing one that is over succeeds.
func (d *Dialect) closeSession(ctx context.Context, c core.Caller, req *closeSessionRequest) (*closeSessionResponse, error) {
	id, ok := api.SessionID(req.SessionId)
	if !ok {
		return nil, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonSessionNotFound, Field: "SessionId", Detail: "not an id"}
	}
	if err := d.service.EndSessionByToken(ctx, c, id, req.SessionToken); err != nil {
		return nil, err
	}
	return &closeSessionResponse{SessionId: req.SessionId, State: inactive}, nil
}
