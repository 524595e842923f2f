package console

import (
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
	if v.Online, err = c.count(r, true); err != nil {
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

type nodeView struct {
	nodeRow
	Platform, Kernel, MachineID, PublicIP string
	RegisteredAt                          time.Time
	Features                              []string
	Tasks                                 []taskRow
}

func (c *Console) node(r *request) (answer, error) {
	id := r.PathValue("id")
	found, err := c.Service.NodesByID(r.Context(), r.caller, []string{id})
	if err != nil {
		return answer{}, err
	}
	n, ok := found[id]
	if !ok {
		return answer{}, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonTargetNotFound, Detail: id}
	}
	v := nodeView{
		nodeRow: c.nodeRow(&n), Platform: string(n.Platform), Kernel: n.Kernel, MachineID: n.MachineID, PublicIP: n.PublicIP, RegisteredAt: n.RegisteredAt,
		Features: n.Features,
	}
	if v.Tasks, _, err = c.tasks(r, core.TaskFilter{Nodes: []core.NodeKey{n.Key}}, pageSize, ""); err != nil {
		return answer{}, err
	}
	return answer{view: "node", nav: "nodes", title: v.Name, data: v}, nil
}
