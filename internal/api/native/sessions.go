package native

import (
	"context"
	"time"

	"errand/internal/api"
	"errand/internal/core"
)

// createSession is an order for a terminal or, with a port, for a TCP connection from the node.
type createSession struct {
	Node    string `json:"node"`
	Command string `json:"command"` // one command line for the user's shell; left out, a login shell
	User    string `json:"user"`    // left out, the agent's own user
	Port    *int   `json:"port"`    // connect to this TCP port instead
	Host    string `json:"host"`    // where the port is, as the node resolves it; left out, the node itself
	Rows    int    `json:"rows"`    // of the terminal; 24 if left out
	Columns int    `json:"cols"`    // 80 if left out

	// Record keeps what the node prints. Left out, the installation decides.
	Record *bool `json:"record"`
	// RecordInput also keeps what is typed, passwords included.
	RecordInput bool `json:"record_input"`
	// IdleSeconds is after how long without anything typed (through a port: without a byte either way) the session ends, LimitSeconds after how
	// long in any case. Left out, both are the most that the installation grants.
	IdleSeconds  *int64 `json:"idle_seconds"`
	LimitSeconds *int64 `json:"limit_seconds"`

	addressed
}

// addressed is part of requests whose answer says where else the server can be reached.
type addressed struct{ host string }

func (a *addressed) address(r *api.Request) { a.host = r.Host }

// SessionStart is a session that was begun. Nothing happens on the node before somebody connects to URL with the token, in one of the ways that
// docs/terminals.md describes.
type SessionStart struct {
	ID        string    `json:"id"`
	Token     string    `json:"token"` // shown only this once
	URL       string    `json:"url"`   // of the WebSocket, without the token
	ExpiresAt time.Time `json:"expires_at"`
}

// Session is a terminal or a forwarded port.
type Session struct {
	ID           string              `json:"id"`
	Node         string              `json:"node"`  // the first of Nodes
	State        string              `json:"state"` // of the first of Nodes: connecting, connected, disconnected, terminated or failed
	Mode         string              `json:"mode"`  // shell, command or port
	User         string              `json:"user,omitempty"`
	Command      string              `json:"command,omitempty"`
	Port         int                 `json:"port,omitempty"`
	Host         string              `json:"host,omitempty"`
	By           string              `json:"by"`
	Source       string              `json:"source,omitempty"` // where the call came from
	Origin       string              `json:"origin"`           // the API
	CreatedAt    time.Time           `json:"created_at"`
	ExpiresAt    time.Time           `json:"expires_at"` // until when it can be joined for the first time
	EndedAt      *time.Time          `json:"ended_at,omitempty"`
	IdleSeconds  int64               `json:"idle_seconds,omitempty"`
	LimitSeconds int64               `json:"limit_seconds,omitempty"`
	Recorded     bool                `json:"recorded"`
	InputToo     bool                `json:"input_recorded,omitempty"`
	Nodes        []SessionConnection `json:"nodes"`
}

// SessionConnection is the part of a session that belongs to one node.
type SessionConnection struct {
	Node      string     `json:"node"`
	State     string     `json:"state"`
	Reason    string     `json:"reason,omitempty"` // why it is over
	Detail    string     `json:"detail,omitempty"` // why it failed, as the node says it
	ExitCode  *int32     `json:"exit_code,omitempty"`
	Signal    uint8      `json:"signal,omitempty"` // number of the signal that ended the program
	StartedAt *time.Time `json:"started_at,omitempty"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
}

// Sessions is a page of sessions, the latest first.
type Sessions struct {
	Sessions []Session `json:"sessions"`
	Next     string    `json:"next,omitempty"` // cursor of the next page
}

type listSessions struct {
	Node  string `json:"-" query:"node"`
	State string `json:"-" query:"state"` // open or ended; left out, both
	paging
}

type sessionPath struct {
	ID string `json:"-" path:"id"`
	addressed
}

func (p *sessionPath) id() (core.ID, error) {
	id, ok := api.SessionID(p.ID)
	if !ok {
		return 0, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonSessionNotFound, Detail: "no such session"}
	}
	return id, nil
}

// sessionStates is the word for each status.
var sessionStates = map[core.ConnectionStatus]string{
	core.ConnectionConnecting:   "connecting",
	core.ConnectionConnected:    "connected",
	core.ConnectionDisconnected: "disconnected",
	core.ConnectionTerminated:   "terminated",
	core.ConnectionFailed:       "failed",
}

// sessionReasons is the word for each reason.
var sessionReasons = map[core.CloseReason]string{
	core.NotClosed:             "",
	core.ClosedNodeNotFound:    "node_removed",
	core.ClosedDeliveryTimeout: "no_answer",
	core.ClosedAgentTooOld:     "agent_too_old",
	core.ClosedAgentOffline:    "node_offline",
	core.ClosedMalformed:       "malformed",
	core.ClosedByAgent:         "by_node",
	core.ClosedByClient:        "by_client",
}

func showSession(s *core.Session) Session {
	out := Session{
		ID: s.ID.String(), Mode: string(s.Mode), User: s.User, Command: s.Command, Port: s.Port, Host: s.Host, By: s.Principal, Source: s.ClientIP,
		Origin: string(s.Origin), CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt, EndedAt: moment(s.EndedAt), Recorded: s.Record, InputToo: s.RecordInput,
		IdleSeconds: int64(s.Idle / time.Second), LimitSeconds: int64(s.Limit / time.Second), Nodes: make([]SessionConnection, len(s.Connections)),
	}
	for i := range s.Connections {
		c := &s.Connections[i]
		out.Nodes[i] = SessionConnection{
			Node: c.NodeID, State: sessionStates[c.Status], Reason: sessionReasons[c.Closed], Detail: c.Detail,
			StartedAt: moment(c.StartedAt), EndedAt: moment(c.EndedAt),
		}
		if c.Exit != nil && c.Exit.Signal > 0 {
			out.Nodes[i].Signal = c.Exit.Signal
		} else if c.Exit != nil {
			out.Nodes[i].ExitCode = &c.Exit.Code
		}
	}
	if len(out.Nodes) > 0 {
		out.Node, out.State = out.Nodes[0].Node, out.Nodes[0].State
	}
	return out
}

func (d *Dialect) createSession(ctx context.Context, c core.Caller, req *createSession) (*SessionStart, error) {
	spec := core.SessionSpec{
		Region: c.Region, Origin: core.OriginNative, User: req.User, Command: req.Command, Port: req.Port, Host: req.Host,
		Rows: req.Rows, Columns: req.Columns, Record: req.Record, RecordInput: req.RecordInput,
		Idle: optionalSeconds(req.IdleSeconds), Limit: optionalSeconds(req.LimitSeconds),
	}
	if req.Node != "" {
		spec.Nodes = []string{api.NodeID(req.Node)}
	}
	s, token, err := d.env.Service.StartSession(ctx, c, spec)
	if err != nil {
		return nil, err
	}
	return startOf(&c, req.host, s.ID, token, s.ExpiresAt), nil
}

func startOf(c *core.Caller, host string, id core.ID, token string, expires time.Time) *SessionStart {
	return &SessionStart{ID: id.String(), Token: token, URL: api.SessionEndpoint(c, host) + "?sessionId=" + id.String(), ExpiresAt: expires}
}

// optionalSeconds is an optional number of seconds; what is more than a time.Duration holds becomes the most that it does.
func optionalSeconds(n *int64) *time.Duration {
	if n == nil {
		return nil
	}
	const most = int64(1<<63-1) / int64(time.Second)
	d := time.Duration(max(-most, min(*n, most))) * time.Second
	return &d
}

func (d *Dialect) listSessions(ctx context.Context, c core.Caller, req *listSessions) (*Sessions, error) {
	spec, err := req.spec()
	if err != nil {
		return nil, err
	}
	var f core.SessionFilter
	switch req.State {
	case "":
	case "open":
		f.Open = true
	case "ended":
		f.Ended = true
	default:
		return nil, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonFilter, Field: "state", Detail: "open or ended"}
	}
	if req.Node != "" {
		if f.Nodes, err = d.env.Service.NodeKeys(ctx, c, []string{api.NodeID(req.Node)}); err != nil {
			return nil, err
		}
	}
	rows, info, err := d.env.Service.Sessions(ctx, c, f, spec)
	page := Sessions{Sessions: make([]Session, len(rows)), Next: req.next(info)}
	for i := range rows {
		page.Sessions[i] = showSession(&rows[i])
	}
	return &page, err
}

func (d *Dialect) getSession(ctx context.Context, c core.Caller, req *sessionPath) (*Session, error) {
	id, err := req.id()
	if err != nil {
		return nil, err
	}
	s, err := d.env.Service.Session(ctx, c, id)
	shown := showSession(&s)
	return &shown, err
}

func (d *Dialect) endSession(ctx context.Context, c core.Caller, req *sessionPath) (*empty, error) {
	id, err := req.id()
	if err != nil {
		return nil, err
	}
	return &empty{}, d.env.Service.EndSession(ctx, c, id)
}

// watchSession lets the caller look on at a session that is under way.
func (d *Dialect) watchSession(ctx context.Context, c core.Caller, req *sessionPath) (*SessionStart, error) {
	return d.ticket(ctx, c, req, d.env.Service.WatchSession)
}

// takeSession lets the caller take a session over.
func (d *Dialect) takeSession(ctx context.Context, c core.Caller, req *sessionPath) (*SessionStart, error) {
	return d.ticket(ctx, c, req, d.env.Service.TakeSession)
}

func (d *Dialect) ticket(
	ctx context.Context, c core.Caller, req *sessionPath, make func(context.Context, core.Caller, core.ID) (core.SessionTicket, error),
) (*SessionStart, error) {
	id, err := req.id()
	if err != nil {
		return nil, err
	}
	t, err := make(ctx, c, id)
	if err != nil {
		return nil, err
	}
	return startOf(&c, req.host, id, t.Token, t.ExpiresAt), nil
}
