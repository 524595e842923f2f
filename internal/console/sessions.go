package console

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"errand/internal/core"
)

// sessionState is how far a session is.
func sessionState(s *core.Session) string {
	if !s.EndedAt.IsZero() {
		return "ended"
	}
	for i := range s.Connections {
		if s.Connections[i].Status == core.ConnectionConnected {
			return "live"
		}
	}
	return "connecting"
}

func (r *request) sessionTabs(current string) []link {
	return []link{
		{Href: root + "sessions", Text: r.t.text("sessions.title"), Current: current == "sessions"},
		{Href: root + "recordings", Text: r.t.text("recordings.title"), Current: current == "recordings"},
	}
}

// sessions lists terminals: those that are open, or all that are kept.
func (c *Console) sessions(r *request) (answer, error) {
	t := r.t.text
	which := r.URL.Query().Get("state")
	rows, info, err := c.Service.Sessions(r.Context(), r.caller, core.SessionFilter{Open: which == "", Ended: which == "ended"}, r.page())
	if err != nil {
		return answer{}, err
	}
	choices := &choice{Label: t("runs.state"), Links: []link{
		{Href: root + "sessions", Text: t("sessions.open"), Current: which == ""},
		{Href: root + "sessions?state=ended", Text: t("sessions.ended"), Current: which == "ended"},
	}}
	return r.show("sessions", t("sessions.title"), &sheet{
		Tabs: r.sessionTabs("sessions"), Actions: []link{{Href: root + "sessions/new", Text: t("sessions.new"), Icon: "terminal", Primary: true}},
		Parts: []section{{Filter: &filter{Choice: choices}, Table: c.sessionTable(r, rows), Next: info.Next}},
	}), nil
}

func (c *Console) sessionTable(r *request, rows []core.Session) *table {
	t := r.t.text
	list := &table{
		Caption: t("sessions.title"), Columns: columns(t("runs.state"), t("sessions.what"), t("sessions.who"), t("sessions.begun"), t("sessions.lasted"), ""),
		None: t("sessions.none"), NoneWhy: t("sessions.none.text"),
	}
	list.numbers(4)
	for i := range rows {
		s := &rows[i]
		var nodes []string
		for j := range s.Connections {
			nodes = append(nodes, s.Connections[j].NodeID)
		}
		what := t("sessions.shell")
		switch s.Mode {
		case core.SessionCommand:
			what = short(s.Command)
		case core.SessionPort:
			what = t("sessions.port", cmpText(s.Host, joined(nodes)), strconv.Itoa(s.Port))
		case core.SessionShell:
		}
		until := s.EndedAt
		if until.IsZero() {
			until = c.Now()
		}
		path := root + "sessions/" + s.ID.String()
		var acts []act
		var links []link
		if s.EndedAt.IsZero() {
			links = []link{{Href: path, Text: t("sessions.watch")}}
			acts = []act{{Action: path + "/end", Text: t("sessions.end"), Icon: "stop", Danger: true}}
		} else if s.Record {
			links = []link{{Href: root + "recordings/" + s.ID.String(), Text: t("recordings.play")}}
		}
		list.row("", state(sessionState(s)), title(path, joined(nodes), what), datum{Text: s.Principal, Sub: cmpText(s.User, s.ClientIP)}, instant(s.CreatedAt),
			datum{Took: new(until.Sub(s.CreatedAt)), Num: true}, datum{Links: links, Acts: acts})
	}
	return list
}

// nodeSessions are the parts of a node's page on its terminals.
func (c *Console) nodeSessions(r *request, n *core.Node) ([]section, error) {
	t := r.t.text
	open := link{Href: root + "sessions/new?node=" + url.QueryEscape(n.ID), Text: t("sessions.open.here"), Icon: "terminal"}
	rows, _, err := c.Service.Sessions(r.Context(), r.caller, core.SessionFilter{Nodes: []core.NodeKey{n.Key}}, core.PageSpec{Limit: nodeTasks})
	if core.AsError(err).Code == core.CodeDenied && err != nil {
		return nil, nil
	}
	return []section{{ID: "sessions", Heading: t("sessions.title"), Table: c.sessionTable(r, rows), Actions: []link{open}}}, err
}

func (c *Console) oneSession(r *request) (core.Session, error) {
	id, ok := core.ParseID(r.PathValue("id"))
	if !ok {
		return core.Session{}, &core.Error{Code: core.CodeNotFound}
	}
	return c.Service.Session(r.Context(), r.caller, id)
}

// session shows what is known of a session. Who may look on or take over gets a ticket from there.
func (c *Console) session(r *request) (answer, error) {
	t := r.t.text
	s, err := c.oneSession(r)
	if err != nil {
		return answer{}, err
	}
	ends := &table{Caption: t("nodes.title"), Columns: columns(t("runs.state"), t("node"), t("sessions.begun"), t("sessions.over"), t("task.why"))}
	for i := range s.Connections {
		n := &s.Connections[i]
		mark := map[core.ConnectionStatus]string{
			core.ConnectionConnecting: "connecting", core.ConnectionConnected: "live", core.ConnectionFailed: "failed",
			core.ConnectionDisconnected: "ended", core.ConnectionTerminated: "ended",
		}[n.Status]
		why := n.Detail
		if n.Exit != nil {
			why = t("task.exit") + " " + strconv.Itoa(int(n.Exit.Code))
		}
		ends.row("", state(mark), title(root+nodePath(n.NodeID), n.NodeID, ""), instant(n.StartedAt), instant(n.EndedAt), says(why))
	}
	path := root + "sessions/" + s.ID.String()
	page := &sheet{
		Crumbs: crumbs(t("sessions.title"), "sessions"), State: sessionState(&s),
		Parts: []section{{Facts: []fact{
			{t("sessions.who"), says(s.Principal)},
			{t("compose.user"), either(s.User)},
			{t("sessions.from"), either(s.ClientIP)},
			{t("sessions.begun"), instant(s.CreatedAt)},
			{t("sessions.over"), instant(s.EndedAt)},
			{t("commands.command"), either(s.Command)},
			{t("sessions.recorded"), says(yesNo(r, s.Record))},
		}}, {Heading: t("nodes.title"), Table: ends}},
	}
	if s.EndedAt.IsZero() {
		page.Parts[0].Acts = []act{
			{Action: path + "/watch", Text: t("sessions.watch"), Icon: "search"},
			{Action: path + "/take", Text: t("sessions.take"), Icon: "terminal"},
			{Action: path + "/end", Text: t("sessions.end"), Icon: "stop", Danger: true},
		}
	} else if s.Record {
		page.Actions = []link{{Href: root + "recordings/" + s.ID.String(), Text: t("recordings.play"), Icon: "run", Primary: true}}
	}
	return r.show("sessions", t("sessions.one", s.ID.String()), page), nil
}

func yesNo(r *request, yes bool) string {
	if yes {
		return r.t.text("sheet.yes")
	}
	return r.t.text("sheet.no")
}

func (c *Console) endSession(r *request) (answer, error) {
	s, err := c.oneSession(r)
	if err == nil {
		err = c.Service.EndSession(r.Context(), r.caller, s.ID)
	}
	if err != nil {
		return answer{}, err
	}
	return done("sessions/"+s.ID.String(), "ended")
}

// joinSession opens the page of a terminal on a session that is under way: to look on, or to take it over.
func (c *Console) joinSession(r *request) (answer, error) {
	s, err := c.oneSession(r)
	if err != nil {
		return answer{}, err
	}
	call := c.Service.WatchSession
	watch := r.PathValue("do") == "watch"
	if !watch {
		if r.PathValue("do") != "take" {
			return c.missing(r)
		}
		call = c.Service.TakeSession
	}
	ticket, err := call(r.Context(), r.caller, s.ID)
	if err != nil {
		return answer{}, err
	}
	return c.terminal(r, &ticket.Session, ticket.Token, watch), nil
}

// newSession is the form for a terminal, and what opens it.
func (c *Console) newSession(r *request) (answer, error) {
	t := r.t.text
	f := r.newForm("sessions/new", t("sessions.open.go"),
		&field{Name: "node", Label: t("node"), Value: r.URL.Query().Get("node"), Required: true, core: []string{core.FieldSessionNodes}},
		&field{Name: "user", Label: t("compose.user"), Hint: t("sessions.user.hint")},
		&field{Name: "command", Label: t("commands.command"), Hint: t("sessions.command.hint"), core: []string{core.FieldSessionCommand}},
		&field{Name: "record", Label: t("sessions.record"), Kind: "check", On: true, core: []string{core.FieldSessionRecord}},
	).back("sessions")
	f.Icon = "terminal"
	page := func() (answer, error) {
		return r.show("sessions", t("sessions.new"), &sheet{Crumbs: crumbs(t("sessions.title"), "sessions"), Parts: []section{{Form: f}}}), nil
	}
	if r.Method != http.MethodPost {
		return page()
	}
	if f.get("node") == "" {
		return f.again(r, problem("node", t("form.required")), page)
	}
	record := f.on("record") // an empty box is a wish, too
	spec := core.SessionSpec{Origin: core.OriginNative, Nodes: []string{f.get("node")}, User: f.get("user"), Command: f.get("command"), Record: &record}
	s, token, err := c.Service.StartSession(r.Context(), r.caller, spec)
	if err != nil {
		return f.again(r, err, page)
	}
	return c.terminal(r, &s, token, false), nil
}

// terminalView is a page with a terminal on it. The token is a key to the session, and in no address.
type terminalView struct {
	ID, Node, Token, User string
	URL                   string // of the WebSocket, on this server: templates let no scheme but those of pages into an address
	Watch, Record         bool
	Since                 time.Time
}

func (c *Console) terminal(r *request, s *core.Session, token string, watch bool) answer {
	v := terminalView{
		ID: s.ID.String(), Token: token, URL: "/session?sessionId=" + s.ID.String(), Watch: watch, Record: s.Record, User: s.User, Since: s.CreatedAt,
	}
	if len(s.Connections) > 0 {
		v.Node = s.Connections[0].NodeID
	}
	return answer{view: "terminal", nav: "sessions", title: r.t.text("sessions.on", v.Node), data: v}
}

// recordings lists what was recorded, and finds what was printed.
func (c *Console) recordings(r *request) (answer, error) {
	t := r.t.text
	q := r.URL.Query().Get("q")
	page := r.page()
	page.Count = false
	rows, info, err := c.Service.Recordings(r.Context(), r.caller, core.RecordQuery{Text: q}, page)
	if err != nil {
		return answer{}, err
	}
	list := &table{
		Caption: t("recordings.title"), Columns: columns(t("node"), t("sessions.who"), t("sessions.begun"), t("recordings.length"), t("files.size")),
		None: t("recordings.none"), NoneWhy: t("recordings.none.text"),
	}
	list.numbers(3, 4)
	for i := range rows {
		v := &rows[i]
		path := root + "recordings/" + v.Session.String() + "?node=" + url.QueryEscape(v.NodeID)
		first := title(path, v.NodeID, cmpText(v.Command, v.Session.String()))
		for _, m := range v.Matches {
			first.Links = append(first.Links, link{Href: path + "&at=" + momentAfter(m.At), Text: short(m.Text)})
		}
		list.row("", first, datum{Text: v.By, Sub: v.User}, instant(v.StartedAt), datum{Took: &v.Length, Num: true}, size(v.Bytes))
	}
	return r.show("sessions", t("recordings.title"), &sheet{
		Tabs:  r.sessionTabs("recordings"),
		Parts: []section{{Filter: &filter{Search: "q", Label: t("recordings.search"), Value: q}, Table: list, Next: info.Next}},
	}), nil
}

// momentAfter is where a player that is to show what was printed at a moment begins, in seconds: not before it, which rounding could be.
func momentAfter(at time.Duration) string {
	return strconv.FormatFloat((at.Truncate(time.Millisecond) + time.Millisecond).Seconds(), 'f', 3, 64)
}

// playerView is a page with a player on it.
type playerView struct {
	ID, Node, By, User, Command, Source string
	At                                  string // seconds, where it begins to play
	StartedAt                           time.Time
	Length                              time.Duration
	Cut, Going                          bool
}

func (c *Console) recording(r *request) (answer, error) {
	p, err := c.playback(r)
	if err != nil {
		return answer{}, err
	}
	q := r.URL.Query()
	at := ""
	if s, err := strconv.ParseFloat(q.Get("at"), 64); err == nil && s >= 0 {
		at = strconv.FormatFloat(s, 'f', 3, 64)
	}
	v := playerView{
		ID: p.Session.String(), Node: p.NodeID, By: p.By, User: p.User, Command: p.Command, StartedAt: p.StartedAt, Length: p.Length, Cut: p.Cut,
		Going: p.EndedAt.IsZero(), At: at, Source: root + "recordings/" + p.Session.String() + "/cast?node=" + url.QueryEscape(p.NodeID),
	}
	return answer{view: "recording", nav: "sessions", title: r.t.text("recordings.of", v.Node), data: v}, nil
}

func (c *Console) playback(r *request) (*core.Playback, error) {
	id, ok := core.ParseID(r.PathValue("id"))
	if !ok {
		return nil, &core.Error{Code: core.CodeNotFound}
	}
	return c.Service.OpenRecording(r.Context(), r.caller, id, r.URL.Query().Get("node"))
}

// cast sends a recording as a file that players of terminals understand.
func (c *Console) cast(r *request) (answer, error) {
	p, err := c.playback(r)
	if err != nil {
		return answer{}, err
	}
	return answer{write: func(w http.ResponseWriter) error {
		h := w.Header()
		h.Set("Content-Type", "application/x-asciicast")
		h.Set("Content-Disposition", "attachment; filename="+strconv.Quote(p.Session.String()+".cast"))
		h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
		h.Set("Content-Length", strconv.FormatInt(p.Size(), 10))
		return p.Write(r.Context(), w)
	}}, nil
}
