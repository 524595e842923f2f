package core

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"
)

// featureSession is what an agent names that can open terminals.
const featureSession = "session"

// StartSession makes a session and returns it with its token, which is shown only this once. Nothing happens on the nodes before somebody
// joins. A node that cannot be reached now is no reason to refuse: its connection has failed from the start.
func (s *Service) StartSession(ctx context.Context, c Caller, spec SessionSpec) (Session, string, error) {
	if err := s.allowSession(ctx, &c, &spec); err != nil {
		return Session{}, "", err
	}
	settings, err := s.settings(ctx, c.Account)
	if err != nil {
		return Session{}, "", err
	}
	if !settings.Sessions.Enabled {
		return Session{}, "", &Error{Code: CodeDenied, Reason: ReasonSessionsDisabled, Detail: "the account has switched terminals off"}
	}
	if err := spec.check(); err != nil {
		return Session{}, "", err
	}
	terms, err := s.terminals.terms(&spec)
	if err != nil {
		return Session{}, "", err
	}
	token := newSessionToken()
	row := Session{
		Account: c.Account, Region: spec.Region, Origin: spec.Origin, Mode: spec.mode(), Kind: spec.Kind, User: spec.User,
		PasswordName: spec.PasswordName, Command: spec.Command, Host: spec.Host, Network: spec.Network, Encryption: spec.Encryption,
		TokenHash: HashToken(token), Principal: c.Principal, Identity: c.identity(),
		Rows: spec.Rows, Columns: spec.Columns, Idle: terms.idle, Limit: terms.limit, Record: terms.record, RecordInput: terms.input,
	}
	if spec.Port != nil {
		row.Port = *spec.Port
	}
	if c.Source.IsValid() {
		row.ClientIP = c.Source.String()
	}
	for {
		now := s.Now()
		row.ID, row.CreatedAt, row.ExpiresAt = s.ids.Next(now), now, now.Add(SessionURLValidity)
		if row.Connections, err = s.connections(ctx, &c, &spec, now); err != nil {
			return Session{}, "", err
		}
		row.finish(now)
		err = s.store.InsertSession(ctx, &row, checkSessionLoad)
		if errors.Is(err, ErrTaken) {
			continue
		}
		c.Trail.note("session/" + row.ID.String())
		return row, token, err
	}
}

// newSessionToken makes a token of 64 hex digits.
func newSessionToken() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand aborts the process instead
	return hex.EncodeToString(b[:])
}

func checkSessionLoad(l SessionLoad) error {
	if l.Open >= MaxSessions {
		return limited(ReasonQuotaSessions, "sessions", "%d are open", l.Open)
	}
	for _, n := range l.Connected {
		if n >= MaxNodeSessions {
			return limited(ReasonQuotaSessions, "sessions", "%d are connected to a node", n)
		}
	}
	return nil
}

// connections makes a connection for each node of an order, each node once, with what can be said of it now.
func (s *Service) connections(ctx context.Context, c *Caller, spec *SessionSpec, now time.Time) ([]Connection, error) {
	found, err := s.store.NodesByID(ctx, c.Account, spec.Nodes)
	if err != nil {
		return nil, err
	}
	var list []Connection
	for i, id := range spec.Nodes {
		n, ok := found[id]
		switch {
		case !ok:
			return nil, &Error{Code: CodeNotFound, Reason: ReasonTargetNotFound, Field: id, Detail: "no such node"}
		case n.Platform != Linux && spec.Port != nil:
			return nil, unsupported(FieldSessionPort, "no port forwarding through "+string(n.Platform))
		case n.Platform != Linux:
			return nil, invalid(ReasonTargetPlatform, id, "no terminals on %s", n.Platform)
		case slices.Contains(spec.Nodes[:i], id):
			continue
		}
		conn := Connection{Node: n.Key, NodeID: id, Shown: id}
		if spec.Show != nil {
			conn.Shown = spec.Show(id)
		}
		switch {
		case !s.Connected(n.Key):
			conn.reach(ConnectionFailed, ClosedAgentOffline, "the agent is not connected", now)
		case !slices.Contains(n.Features, featureSession):
			conn.reach(ConnectionFailed, ClosedAgentTooOld, "the agent cannot open terminals", now)
		}
		list = append(list, conn)
	}
	return list, nil
}

// EndSession ends a session for good, whoever uses it. Ending one that is over changes nothing.
func (s *Service) EndSession(ctx context.Context, c Caller, id ID) error {
	if err := c.Allow("session.end", nil, resource("session", id.String(), nil)); err != nil {
		return err
	}
	return s.changeSession(ctx, id, func(row *Session) error {
		if row.Account != c.Account {
			return ErrNotFound
		}
		row.end(ConnectionTerminated, ClosedByClient, "", s.Now())
		return nil
	})
}

// EndSessionByToken is EndSession for callers who have to show the session's token as well.
func (s *Service) EndSessionByToken(ctx context.Context, c Caller, id ID, token string) error {
	row, err := s.session(ctx, id)
	if err != nil {
		return err
	}
	if row.Account != c.Account || !row.opensWith(token) {
		return noSession(id)
	}
	return s.EndSession(ctx, c, id)
}

func (s *Session) opensWith(token string) bool {
	return subtle.ConstantTimeCompare([]byte(HashToken(token)), []byte(s.TokenHash)) == 1
}

func noSession(id ID) error { return notFound(ReasonSessionNotFound, "no session %s", id) }

func (s *Service) session(ctx context.Context, id ID) (Session, error) {
	row, err := s.store.Session(ctx, id)
	if errors.Is(err, ErrNotFound) {
		err = noSession(id)
	}
	return row, err
}

// changeSession changes a session and tells whoever relays it if that ended it.
func (s *Service) changeSession(ctx context.Context, id ID, change func(*Session) error) error {
	var ended bool
	err := s.store.ChangeSession(ctx, id, func(row *Session) error {
		before := row.EndedAt
		if err := change(row); err != nil {
			return err
		}
		ended = before.IsZero() && !row.EndedAt.IsZero()
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		return noSession(id)
	}
	if err == nil && ended {
		s.feed.tell(Event{EndedSession: id})
	}
	return err
}

// Sessions lists sessions, newest first.
func (s *Service) Sessions(ctx context.Context, c Caller, f SessionFilter, p PageSpec) ([]Session, PageInfo, error) {
	asked := resource("session", "", nil)
	if len(f.IDs) == 1 {
		asked = resource("session", f.IDs[0].String(), nil)
	}
	if err := c.Allow("session.list", nil, asked); err != nil {
		return nil, PageInfo{}, err
	}
	f.Account = c.Account
	return list(s.pages, c.Account, "sessions", p,
		func(v *Session) Cursor { return Cursor{A: int64(v.ID)} },
		func(p Page) ([]Session, int, error) { return s.store.ListSessions(ctx, f, p) })
}

// Joined is a session that a token opens.
type Joined struct {
	Session
	Watch bool   // the token is only good for looking on
	Again string // the token for the next time, if this one will not be good any more
}

// JoinSession returns the session that a token opens: its own, or that of a ticket. A session is joined for the first time while its URL is valid, and again
// while it lasts, which the caller knows (live); who looks on comes to one that is live. One that failed from the start can be joined to hear so. The
// refusal does not tell why.
func (s *Service) JoinSession(ctx context.Context, id ID, token string, live bool) (Joined, error) {
	row, err := s.store.Session(ctx, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Joined{}, err
	}
	kind := s.readTicket(id, token)
	j := Joined{Session: row, Watch: kind == ticketWatch}
	over := !row.EndedAt.IsZero() && slices.ContainsFunc(row.Connections, func(c Connection) bool { return c.Status != ConnectionFailed })
	if err != nil || kind == 0 && !row.opensWith(token) || over || !live && (j.Watch || !s.Now().Before(row.ExpiresAt)) {
		return Joined{}, &Error{Code: CodeUnauthenticated, Reason: ReasonSessionNotFound, Detail: "no such session, or it is over"}
	}
	if kind != 0 {
		j.Again = s.ticket(id, kind, s.Now().Add(max(row.Limit, DefaultTerminalLimit)))
	}
	return j, nil
}

// Session returns a session of the caller's account.
func (s *Service) Session(ctx context.Context, c Caller, id ID) (Session, error) {
	return s.sessionOf(ctx, &c, "session.list", id)
}

// OpenSessions returns the sessions of all accounts that have not ended, for whoever relays them.
func (s *Service) OpenSessions(ctx context.Context) ([]Session, error) {
	var all []Session
	for p := (Page{Limit: scanned}); ; {
		rows, _, err := s.store.ListSessions(ctx, SessionFilter{Open: true}, p)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
		if len(rows) < p.Limit {
			return all, nil
		}
		p.After = &Cursor{A: int64(rows[len(rows)-1].ID)}
	}
}

// ConnectionReport is what became of a session's connection to a node.
type ConnectionReport struct {
	Session ID
	Node    NodeKey
	Status  ConnectionStatus
	Closed  CloseReason // with a final status
	Detail  string      // with ConnectionFailed
	Exit    *Exit       // with ConnectionTerminated, if the program ended by itself
}

// maxConnectionDetail bounds what a node may say about a failure, in bytes.
const maxConnectionDetail = 1 << 10

// ReportConnection takes a report of the relay. Connections only move forward; late reports change nothing.
func (s *Service) ReportConnection(ctx context.Context, r ConnectionReport) error {
	return s.changeSession(ctx, r.Session, func(row *Session) error {
		for i := range row.Connections {
			if conn := &row.Connections[i]; conn.Node == r.Node {
				if conn.reach(r.Status, r.Closed, strings.ToValidUTF8(r.Detail[:min(len(r.Detail), maxConnectionDetail)], ""), s.Now()) {
					conn.Exit = r.Exit
				}
			}
		}
		row.finish(s.Now())
		return nil
	})
}

// ExpireSessions ends the sessions whose URL is not valid any more and that nobody joined, and returns how many.
func (s *Service) ExpireSessions(ctx context.Context) (int, error) {
	open, err := s.OpenSessions(ctx)
	if err != nil {
		return 0, err
	}
	now, n := s.Now(), 0
	for i := range open {
		if now.Before(open[i].ExpiresAt) || open[i].joined() {
			continue
		}
		err := s.changeSession(ctx, open[i].ID, func(row *Session) error {
			if !row.joined() {
				row.end(ConnectionFailed, ClosedDeliveryTimeout, "nobody joined in time", now)
			}
			return nil
		})
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// joined reports whether a node's end is there.
func (s *Session) joined() bool {
	return slices.ContainsFunc(s.Connections, func(c Connection) bool { return c.Status == ConnectionConnected })
}

// retainSessions removes sessions of an account that ended and are too old, or more than are kept.
func (s *Service) retainSessions(ctx context.Context, account AccountID, age time.Duration) error {
	before, err := s.store.NthSession(ctx, account, keptSessions)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if age > 0 {
		before = max(before, FirstID(s.Now().Add(-age)))
	}
	for {
		n, err := s.store.DeleteSessions(ctx, account, before, retainRows)
		if err != nil || n < retainRows {
			return err
		}
	}
}
