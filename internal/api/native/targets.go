package native

import (
	"context"
	"time"

	"errand/internal/core"
	"errand/internal/nodeset"
)

// selection is how requests say which nodes they mean without naming them.
type selection struct {
	Target  string `json:"target"`  // an expression over tags, facts and presence: role=web && online
	Exclude string `json:"exclude"` // an expression for nodes that are left out
	Pick    string `json:"pick"`    // so many of them by chance: 3 or 5%; all if left out
	Seed    uint64 `json:"seed"`    // of the chance: the same one picks the same nodes
}

// neutral is the selection for the core. Without a target nothing else may be said.
func (s *selection) neutral() (core.Selection, error) {
	pick, err := core.ParseShare(s.Pick)
	if err != nil {
		e := core.AsError(err)
		e.Field = "pick"
		return core.Selection{}, e
	}
	out := core.Selection{Expr: s.Target, Exclude: s.Exclude, Pick: pick, Seed: s.Seed}
	if out.Expr == "" && !out.IsZero() {
		return core.Selection{}, &core.Error{
			Code: core.CodeInvalid, Reason: core.ReasonTargetsMissing, Field: "target", Detail: "exclude, pick and seed are about a target; all nodes are spelled out: all",
		}
	}
	return out, nil
}

// TargetPreview is what a selection comes to now.
type TargetPreview struct {
	Target   string   `json:"target"` // as it was understood, with what groups stand for
	Total    int      `json:"total"`
	Online   int      `json:"online"`
	Offline  int      `json:"offline"`
	Cordoned int      `json:"cordoned"` // left out because they are cordoned
	Nodes    string   `json:"nodes"`    // all of them, folded: web[001-380,384]
	Sample   []Node   `json:"sample"`   // the first twenty
	Missing  []string `json:"missing"`  // names that the target spells out and no node has; a run would be refused
}

// mostFolded is the longest folded list of names in an answer, in bytes; a longer one ends in an ellipsis.
const mostFolded = 64 << 10

func (d *Dialect) previewTarget(ctx context.Context, c core.Caller, req *selection) (*TargetPreview, error) {
	sel, err := req.neutral()
	if err != nil {
		return nil, err
	}
	p, err := d.env.Service.Preview(ctx, c, sel)
	if err != nil {
		return nil, err
	}
	sample, err := d.showNodes(ctx, p.Sample)
	return &TargetPreview{
		Target: p.Expr, Total: p.Total, Online: p.Online, Offline: p.Total - p.Online, Cordoned: p.Cordoned, Nodes: folded(p.Names), Sample: sample,
		Missing: append([]string{}, p.Missing...),
	}, err
}

// folded writes names as few words, and leaves some out if they are too many.
func folded(names []string) string {
	text, more := "", ""
	for _, word := range nodeset.Words(names) {
		if len(text)+len(word) > mostFolded {
			return text + ",…"
		}
		text += more + word
		more = ","
	}
	return text
}

// NodeGroup is a target expression with a name.
type NodeGroup struct {
	Name        string    `json:"name"`
	Target      string    `json:"target"`
	Description string    `json:"description,omitempty"`
	By          string    `json:"by,omitempty"` // who changed it last
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

// NodeGroups is a page of groups, by name.
type NodeGroups struct {
	Groups []NodeGroup `json:"groups"`
	Next   string      `json:"next,omitempty"`
}

func showNodeGroup(g *core.NodeGroup) NodeGroup {
	return NodeGroup{Name: g.Name, Target: g.Expr, Description: g.Description, By: g.By, CreatedAt: g.CreatedAt, UpdatedAt: g.UpdatedAt}
}

type listNodeGroups struct{ paging }

func (d *Dialect) listNodeGroups(ctx context.Context, c core.Caller, req *listNodeGroups) (*NodeGroups, error) {
	rows, err := d.env.Service.NodeGroups(ctx, c)
	if err != nil {
		return nil, err
	}
	rows, next, err := cut(&req.paging, rows, false, func(g *core.NodeGroup) string { return g.Name })
	out := &NodeGroups{Groups: make([]NodeGroup, len(rows)), Next: next}
	for i := range rows {
		out.Groups[i] = showNodeGroup(&rows[i])
	}
	return out, err
}

type oneNodeGroup struct {
	Name string `json:"-" path:"name"`
}

func (d *Dialect) getNodeGroup(ctx context.Context, c core.Caller, req *oneNodeGroup) (*NodeGroup, error) {
	g, err := d.env.Service.NodeGroup(ctx, c, req.Name)
	out := showNodeGroup(&g)
	return &out, err
}

type putNodeGroup struct {
	Name        string `json:"-" path:"name"`
	Target      string `json:"target"`
	Description string `json:"description"`
}

func (d *Dialect) putNodeGroup(ctx context.Context, c core.Caller, req *putNodeGroup) (*NodeGroup, error) {
	g, err := d.env.Service.PutNodeGroup(ctx, c, req.Name, req.Target, req.Description)
	out := showNodeGroup(&g)
	return &out, err
}

func (d *Dialect) deleteNodeGroup(ctx context.Context, c core.Caller, req *oneNodeGroup) (*empty, error) {
	return &empty{}, d.env.Service.DeleteNodeGroup(ctx, c, req.Name)
}
