package native

import (
	"context"
	"time"

	"errand/internal/api"
	"errand/internal/core"
)

// Node is a machine with an agent.
type Node struct {
	ID           string            `json:"id"`
	Name         string            `json:"name"`
	Hostname     string            `json:"hostname,omitempty"`
	Platform     string            `json:"platform,omitempty"` // linux, windows, darwin or freebsd
	OS           string            `json:"os,omitempty"`
	Kernel       string            `json:"kernel,omitempty"`
	Arch         string            `json:"arch,omitempty"`
	Agent        string            `json:"agent,omitempty"` // version; empty while the agent never connected
	Zone         string            `json:"zone,omitempty"`  // time zone
	PrivateIP    string            `json:"private_ip,omitempty"`
	PublicIP     string            `json:"public_ip,omitempty"`
	Group        string            `json:"group,omitempty"`        // resource group of the vendors' APIs
	CPUs         int               `json:"cpus,omitempty"`         // left out if it is not known
	Memory       int64             `json:"memory_bytes,omitempty"` // left out if it is not known
	GPUs         []string          `json:"gpus,omitempty"`         // the model of each
	Online       bool              `json:"online"`                 // heard of within two minutes
	Connected    bool              `json:"connected"`              // can be reached now
	Cordoned     bool              `json:"cordoned"`               // no new runs come to it
	Cordon       *Cordon           `json:"cordon,omitempty"`
	LastSeen     *time.Time        `json:"last_seen,omitempty"`
	RegisteredAt *time.Time        `json:"registered_at,omitempty"`
	Registration string            `json:"registration,omitempty"` // the code it joined with
	Tags         map[string]string `json:"tags"`
	Features     []string          `json:"features"`                  // what its agent can do
	Active       int               `json:"active"`                    // tasks in progress
	Finished     int               `json:"finished"`                  // tasks that ended
	LastRun      *time.Time        `json:"last_run_at,omitempty"`     // when its latest task was created
	Removed      *time.Time        `json:"removed_at,omitempty"`      // of one that is a node no more
	KeyedAt      *time.Time        `json:"keyed_at,omitempty"`        // since when it has its present key
	RotateAsked  *time.Time        `json:"rotate_asked_at,omitempty"` // when it was asked for another key that it does not have yet
}

// Cordon says who keeps runs off a node.
type Cordon struct {
	Since  time.Time `json:"since"`
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
}

// Nodes is a page of nodes, the newest first.
type Nodes struct {
	Nodes []Node `json:"nodes"`
	Total int    `json:"total"` // of all pages
	Next  string `json:"next,omitempty"`
}

func (d *Dialect) showNode(n *core.Node, load core.NodeLoad) Node {
	out := Node{
		ID: n.ID, Name: n.Name, Hostname: n.Hostname, Platform: string(n.Platform), OS: n.OSName, Kernel: n.Kernel, Arch: n.Arch, Agent: n.Agent,
		Zone: n.Zone, PrivateIP: n.PrivateIP, PublicIP: n.PublicIP, Group: n.ResourceGroup, CPUs: n.CPUs, Memory: n.Memory, GPUs: n.GPUs,
		Online: n.Online(d.env.Service.Now()), Connected: n.RemovedAt.IsZero() && d.env.Service.Connected(n.Key), Cordoned: !n.CordonedAt.IsZero(),
		LastSeen: moment(n.LastSeen), RegisteredAt: moment(n.RegisteredAt), Tags: map[string]string{}, Features: append([]string{}, n.Features...),
		Active: load.Active, Finished: load.Finished, LastRun: moment(load.LastInvoked), Removed: moment(n.RemovedAt), KeyedAt: moment(n.KeyedAt),
		RotateAsked: moment(n.RotationAskedAt),
	}
	if n.Registration != 0 {
		out.Registration = n.Registration.UUID()
	}
	if out.Cordoned {
		out.Cordon = &Cordon{Since: n.CordonedAt, By: n.CordonedBy, Reason: n.CordonReason}
	}
	for _, t := range n.Tags {
		out.Tags[t.Key] = t.Value
	}
	return out
}

func (d *Dialect) showNodes(ctx context.Context, rows []core.Node) ([]Node, error) {
	list := make([]Node, len(rows))
	loads, err := d.env.Service.Loads(ctx, rows)
	for i := range rows {
		list[i] = d.showNode(&rows[i], loads[rows[i].Key])
	}
	return list, err
}

type listNodes struct {
	Filter string `json:"-" query:"filter"` // an expression over tags, facts and presence; all nodes if left out
	paging
}

func (d *Dialect) listNodes(ctx context.Context, c core.Caller, req *listNodes) (*Nodes, error) {
	spec, err := req.spec()
	if err != nil {
		return nil, err
	}
	spec.Count = true
	rows, info, err := d.env.Service.NodesMatching(ctx, c, req.Filter, spec)
	if err != nil {
		return nil, err
	}
	list, err := d.showNodes(ctx, rows)
	return &Nodes{Nodes: list, Total: info.Total, Next: req.next(info)}, err
}

type nodePath struct {
	ID string `path:"id" json:"-"`
}

func (d *Dialect) getNode(ctx context.Context, c core.Caller, req *nodePath) (*Node, error) {
	id := api.NodeID(req.ID)
	found, err := d.env.Service.NodesByID(ctx, c, []string{id})
	if err != nil {
		return nil, err
	}
	n, ok := found[id]
	if !ok {
		return nil, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonTargetNotFound, Detail: "no node " + id}
	}
	return d.oneNode(ctx, &n)
}

func (d *Dialect) oneNode(ctx context.Context, n *core.Node) (*Node, error) {
	list, err := d.showNodes(ctx, []core.Node{*n})
	if err != nil {
		return nil, err
	}
	return &list[0], nil
}

type changeNode struct {
	ID       string             `path:"id" json:"-"`
	Name     *string            `json:"name"`
	Tags     map[string]*string `json:"tags"`     // null takes a tag away; tags that are not named stay
	Cordoned *bool              `json:"cordoned"` // true keeps new runs off the node
	Reason   string             `json:"reason"`   // of the cordon
}

func (d *Dialect) changeNode(ctx context.Context, c core.Caller, req *changeNode) (*Node, error) {
	change := core.NodeChange{Name: req.Name, Cordoned: req.Cordoned, Reason: req.Reason}
	for key, value := range req.Tags {
		if value == nil {
			change.Untag = append(change.Untag, key)
		} else {
			change.Tags = append(change.Tags, core.Tag{Key: key, Value: *value})
		}
	}
	n, err := d.env.Service.ModifyNode(ctx, c, api.NodeID(req.ID), change)
	if err != nil {
		return nil, err
	}
	return d.oneNode(ctx, &n)
}

// Why is what keeps a node from taking work.
type Why struct {
	Node Node `json:"node"`
	// Ready is whether the node takes work now.
	Ready      bool        `json:"ready"`
	Conditions []Condition `json:"conditions"`
}

// Condition is one thing that does, or may do so.
type Condition struct {
	Code   string     `json:"code"`            // removed, never_seen, silent, disconnected, cordoned, agent_old, key_pending, clone or upgrade
	Text   string     `json:"text"`            // one sentence
	Since  *time.Time `json:"since,omitempty"` // left out if nobody knows
	Blocks bool       `json:"blocks"`          // the node takes no work while it lasts
}

func (d *Dialect) whyNode(ctx context.Context, c core.Caller, req *nodePath) (*Why, error) {
	n, conditions, err := d.env.Service.Why(ctx, c, api.NodeID(req.ID))
	if err != nil {
		return nil, err
	}
	shown, err := d.oneNode(ctx, &n)
	if err != nil {
		return nil, err
	}
	out := &Why{Node: *shown, Ready: true, Conditions: []Condition{}}
	for i := range conditions {
		k := &conditions[i]
		out.Ready = out.Ready && !k.Blocks
		out.Conditions = append(out.Conditions, Condition{Code: k.Code, Text: k.Text, Since: moment(k.Since), Blocks: k.Blocks})
	}
	return out, nil
}

func (d *Dialect) rotateNodeKey(ctx context.Context, c core.Caller, req *nodePath) (*empty, error) {
	_, err := d.env.Service.RotateNodeKey(ctx, c, req.ID)
	return &empty{}, err
}

func (d *Dialect) removeNode(ctx context.Context, c core.Caller, req *nodePath) (*empty, error) {
	_, err := d.env.Service.RemoveNode(ctx, c, req.ID)
	return &empty{}, err
}
