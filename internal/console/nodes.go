package console

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"errand/internal/core"
)

type nodeRow struct {
	ID, Name, Hostname, OS, Arch, Agent, Zone, IP string
	State                                         string // online or offline
	LastSeen                                      time.Time
	Tags                                          []core.Tag
	Active                                        int
	Cordoned                                      bool
	CPUs                                          int
	Memory                                        uint64 // bytes
	GPUs                                          []string
}

type nodesView struct {
	Query         string
	Problem       string // with the query
	Total, Online int
	Nodes         []nodeRow
	Next          string
}

func (c *Console) nodes(r *request) (answer, error) {
	q := r.URL.Query()
	v := nodesView{Query: strings.TrimSpace(q.Get("q"))}
	rows, info, err := c.Service.NodesMatching(r.Context(), r.caller, v.Query, core.PageSpec{Limit: pageSize, Token: q.Get("cursor"), Count: true})
	if refused := core.AsError(err); err != nil && v.Query != "" && (refused.Code == core.CodeInvalid || refused.Code == core.CodeNotFound) {
		v.Problem = refused.Detail
		return answer{view: "nodes", nav: "nodes", title: r.t.text("nodes.title"), data: v, status: statusOf(refused.Code)}, nil
	}
	if err != nil {
		return answer{}, err
	}
	v.Next, v.Total = info.Next, info.Total
	loads, err := c.Service.Loads(r.Context(), rows)
	if err != nil {
		return answer{}, err
	}
	for i := range rows {
		row := c.nodeRow(&rows[i])
		row.Active = loads[rows[i].Key].Active
		v.Nodes = append(v.Nodes, row)
	}
	if v.Query == "" {
		v.Online, err = c.count(r, true)
	} else if p, refused := c.Service.Preview(r.Context(), r.caller, core.Selection{Expr: v.Query}); refused == nil {
		v.Online = p.Online
	}
	if err != nil {
		return answer{}, err
	}
	return answer{view: "nodes", nav: "nodes", title: r.t.text("nodes.title"), data: v, follow: "types=node"}, nil
}

// count is how many nodes are online, or how many there are.
func (c *Console) count(r *request, online bool) (int, error) {
	f := core.NodeFilter{}
	if online {
		f.Online = &online
	}
	_, info, err := c.Service.Nodes(r.Context(), r.caller, f, core.PageSpec{Limit: 1, Count: true})
	return info.Total, err
}

func (c *Console) nodeRow(n *core.Node) nodeRow {
	row := nodeRow{
		ID: n.ID, Name: n.Label(), Hostname: n.Hostname, OS: n.OSName, Arch: n.Arch, Agent: n.Agent, Zone: n.Zone, IP: n.PrivateIP,
		State: "offline", LastSeen: n.LastSeen, Tags: n.Tags, Cordoned: !n.CordonedAt.IsZero(), CPUs: n.CPUs, Memory: uint64(max(n.Memory, 0)), GPUs: n.GPUs,
	}
	if n.Online(c.Now()) {
		row.State = "online"
	}
	return row
}

// node is the page that everything about a node begins at.
func (c *Console) node(r *request) (answer, error) {
	n, err := c.oneNode(r, r.PathValue("id"))
	if err != nil {
		return answer{}, err
	}
	return c.nodePage(r, &n, c.nodeForm(r, &n))
}

func (c *Console) nodePage(r *request, n *core.Node, edit *form) (answer, error) {
	t, ctx := r.t.text, r.Context()
	row := c.nodeRow(n)
	path := root + nodePath(n.ID)
	_, conditions, err := c.Service.Why(ctx, r.caller, n.ID)
	if err != nil {
		return answer{}, err
	}
	why := &table{Caption: t("node.why"), Columns: columns(t("runs.state"), t("node.why.what"), t("node.why.since")), None: t("node.why.none"), NoneWhy: t("node.why.none.text")}
	for i := range conditions {
		mark := "caution"
		if conditions[i].Blocks {
			mark = "blocked"
		}
		why.row("", state(mark), says(conditions[i].Text), instant(conditions[i].Since))
	}
	runs, err := c.taskTable(r, core.TaskFilter{Nodes: []core.NodeKey{n.Key}}, t("node.tasks"))
	if err != nil {
		return answer{}, err
	}
	runs.None, runs.NoneWhy = t("node.idle"), t("node.idle.text")
	queue, err := c.backlogTable(r, n)
	if err != nil {
		return answer{}, err
	}
	queue.None = t("node.backlog.none")
	backlog := section{ID: "backlog", Heading: t("node.backlog"), Table: queue}
	if len(queue.Rows) > 0 {
		backlog.Acts = []act{{Action: path + "/backlog", Text: t("node.backlog.cancel"), Icon: "cross", Danger: true}}
	}
	cordon := act{Action: path + "/cordon", Text: t("node.cordon"), Icon: "pause", Fields: [][2]string{{"on", "1"}}}
	if row.Cordoned {
		cordon = act{Action: path + "/cordon", Text: t("node.uncordon"), Icon: "run"}
	}
	s := &sheet{
		Crumbs: crumbs(t("nodes.title"), "nodes"), State: row.State, Tags: n.Tags,
		Actions: []link{{Href: root + "runs/new?target=" + url.QueryEscape(idsExpr([]string{n.ID})), Text: t("node.run"), Icon: "run", Primary: true}},
		Parts:   []section{{ID: "why", Heading: t("node.why"), Table: why}, {ID: "tasks", Heading: t("node.tasks"), Table: runs}, backlog},
	}
	terms, err := c.nodeSessions(r, n)
	if err != nil {
		return answer{}, err
	}
	s.Parts = append(s.Parts, terms...)
	s.Parts = append(s.Parts,
		section{ID: "facts", Half: true, Heading: t("node.facts"), Facts: c.nodeFacts(r, n)},
		section{ID: "edit", Half: true, Heading: t("node.edit"), Form: edit, Acts: []act{cordon}, Actions: []link{
			{Href: path + "/rotate", Text: t("node.rotate"), Icon: "key"}, {Href: path + "/remove", Text: t("node.remove"), Danger: true},
		}},
	)
	return r.show("nodes", row.Name, s), nil
}

func (c *Console) nodeFacts(r *request, n *core.Node) []fact {
	t := r.t.text
	facts := []fact{
		{t("node.id"), mono(n.ID)},
		{t("nodes.seen"), instant(n.LastSeen)},
		{t("node.hostname"), mono(n.Hostname)},
		{t("nodes.os"), either(n.OSName)},
		{t("node.kernel"), mono(n.Kernel)},
		{t("node.arch"), either(n.Arch)},
		{t("node.zone"), either(n.Zone)},
		{t("node.private_ip"), either(n.PrivateIP)},
		{t("node.public_ip"), either(n.PublicIP)},
	}
	if n.CPUs > 0 {
		facts = append(facts, fact{t("nodes.size"), datum{Text: t("nodes.cpus", n.CPUs) + " · " + r.t.bytes(uint64(max(n.Memory, 0)))}})
	}
	return append(facts, fact{t("nodes.agent"), mono(n.Agent)}, fact{t("node.joined"), instant(n.RegisteredAt)}, fact{t("node.features"), datum{Chips: n.Features}})
}

// backlogTable lists what waits for a node, in the order in which it will get it.
func (c *Console) backlogTable(r *request, n *core.Node) (*table, error) {
	t := r.t.text
	list := &table{Caption: t("node.backlog"), Columns: columns(t("runs.state"), t("runs.name"), t("runs.when"), t("node.backlog.until"))}
	rows, err := c.Service.Backlog(r.Context(), r.caller, n.ID)
	if core.AsError(err).Code == core.CodeDenied && err != nil {
		return list, nil
	}
	for i := range rows[:min(len(rows), pageSize)] {
		w := &rows[i]
		list.row("", state(w.State.String()), title(root+"tasks/"+w.Task.ID.String(), runName(w.Invocation), w.Task.ID.String()), instant(w.Invocation.CreatedAt), instant(w.Deadline))
	}
	return list, err
}

// taskTable lists the latest tasks of a kind.
func (c *Console) taskTable(r *request, f core.TaskFilter, caption string) (*table, error) {
	t := r.t.text
	list := &table{Caption: caption, Columns: columns(t("runs.state"), t("runs.name"), t("task.exit"), t("task.output"), t("runs.took"), t("runs.when"))}
	list.numbers(2, 3, 4)
	tasks, _, err := c.Service.Tasks(r.Context(), r.caller, f, core.PageSpec{Limit: nodeTasks})
	if err != nil {
		return nil, err
	}
	for i := range tasks {
		row := c.taskRow(&tasks[i])
		exit := datum{Num: true}
		if row.Exited {
			exit.Text = strconv.Itoa(int(row.ExitCode))
		}
		began := row.StartedAt
		if began.IsZero() {
			began = tasks[i].Invocation.CreatedAt
		}
		list.row("", state(row.State), title(root+"tasks/"+row.ID, runName(tasks[i].Invocation), row.ID), exit, size(int64(row.Printed)),
			datum{Took: &row.Took, Num: true}, instant(began))
	}
	return list, nil
}

// nodeTasks is how many tasks the page of a node shows.
const nodeTasks = 20
