package core

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"errand/internal/nodeset"
	"errand/internal/target"
)

// Selection says which nodes are meant, by an expression of package target. The zero Selection means none.
type Selection struct {
	Expr    string // nodes that are cordoned are left out unless it asks for cordoned
	Exclude string // an expression for nodes that are left out; empty leaves out none
	Pick    Share  // so many of them, by chance; zero takes all
	Seed    uint64 // the chance: the same seed picks the same nodes, as far as they are still there
}

// IsZero reports whether no selection was given.
func (s Selection) IsZero() bool { return s == Selection{} }

// Preview is what a selection comes to now.
type Preview struct {
	Total    int
	Online   int      // of these
	Cordoned int      // nodes that the expression fits and that are left out because they are cordoned
	Names    []string // labels of all of them, in order
	Sample   []Node   // the first few
	Missing  []string // names that the expression spells out and no node has
	Expr     string   // as it was understood, with groups in their place
}

// previewSample is how many nodes a preview shows, and how many missing names it tells.
const previewSample = 20

// maxMissing is how many names a refusal tells that no node has.
const maxMissing = 10

// Label is what people call a node: its id if that was given to it, and otherwise its name, if it has one.
func (n *Node) Label() string {
	if _, generated := ParseID(n.ID); generated && n.Name != "" {
		return n.Name
	}
	return n.ID
}

// Tag implements target.Subject.
func (n *Node) Tag(key string) (string, bool) {
	if i := keyIndex(n.Tags, key); i >= 0 {
		return n.Tags[i].Value, true
	}
	return "", false
}

// Fact implements target.Subject.
func (n *Node) Fact(f target.Fact) []string {
	switch f {
	case target.ID:
		return []string{n.ID}
	case target.Name:
		return []string{n.Name}
	case target.Hostname:
		return []string{n.Hostname}
	case target.Platform:
		return []string{string(n.Platform)}
	case target.OS:
		return []string{n.OSName}
	case target.Kernel:
		return []string{n.Kernel}
	case target.Arch:
		return []string{n.Arch}
	case target.Agent:
		return []string{n.Agent}
	case target.Zone:
		return []string{n.Zone}
	case target.IP:
		return []string{n.PrivateIP, n.PublicIP}
	case target.PrivateIP:
		return []string{n.PrivateIP}
	case target.PublicIP:
		return []string{n.PublicIP}
	case target.RGroup:
		return []string{n.ResourceGroup}
	case target.Feature:
		return n.Features
	case target.GPU:
		return n.GPUs
	case target.CPUs:
		if n.CPUs > 0 {
			return []string{strconv.Itoa(n.CPUs)}
		}
	case target.MemGiB:
		if n.Memory > 0 {
			return []string{strconv.FormatFloat(float64(n.Memory)/(1<<30), 'g', -1, 64)}
		}
	case target.GPUs:
		return []string{strconv.Itoa(len(n.GPUs))}
	}
	return nil
}

// judged is a node as expressions see it at some time.
type judged struct {
	*Node
	online bool
}

// Is implements target.Subject.
func (j judged) Is(f target.Flag) bool {
	switch f {
	case target.Online:
		return j.online
	case target.Cordoned:
		return !j.CordonedAt.IsZero()
	}
	return false
}

// Matches reports whether a filter's expression, if it has one, fits a node.
func (f *NodeFilter) Matches(n *Node) bool {
	return f.Expr == nil || target.Match(f.Expr, judged{n, n.Online(f.Now)})
}

// parseTarget reads an expression and puts what saved groups stand for in their place. field is the parameter it came in.
func (s *Service) parseTarget(ctx context.Context, account AccountID, field, text string) (target.Expr, error) {
	e, err := target.Parse(text)
	if err != nil {
		return nil, invalid(ReasonFilter, field, "%s", err)
	}
	return s.expand(ctx, account, field, e)
}

func (s *Service) expand(ctx context.Context, account AccountID, field string, e target.Expr) (target.Expr, error) {
	if len(target.Groups(e)) == 0 {
		return e, nil
	}
	groups, err := s.store.ListGroups(ctx, account)
	if err != nil {
		return nil, err
	}
	return expandWith(groups, field, e)
}

// expandWith puts groups in their places.
func expandWith(groups []NodeGroup, field string, e target.Expr) (target.Expr, error) {
	out, err := target.Expand(e, func(name string) (target.Expr, error) {
		i := slices.IndexFunc(groups, func(g NodeGroup) bool { return g.Name == name })
		if i < 0 {
			return nil, noGroup(groups, name)
		}
		return target.Parse(groups[i].Expr)
	})
	var bad *target.GroupError
	if errors.As(err, &bad) {
		return nil, invalid(ReasonFilter, field, "%s", err)
	}
	return out, err
}

// chosen is what a selection came to.
type chosen struct {
	nodes    []Node // in the order of their labels, or of the chance
	expr     target.Expr
	cordoned int
	missing  []string
}

// choose finds the nodes of a selection. They have the fields that SelectNodes reads.
func (s *Service) choose(ctx context.Context, account AccountID, sel Selection) (*chosen, error) {
	if sel.Expr == "" {
		return nil, invalid(ReasonTargetsMissing, "target", "none")
	}
	e, err := s.parseTarget(ctx, account, "target", sel.Expr)
	if err != nil {
		return nil, err
	}
	var except target.Expr
	if sel.Exclude != "" {
		if except, err = s.parseTarget(ctx, account, "exclude", sel.Exclude); err != nil {
			return nil, err
		}
	}
	if err := s.FlushSeen(ctx); err != nil { // so that the store's rows are as fresh as memory
		return nil, err
	}
	out := &chosen{expr: e}
	wanted := e
	if except != nil {
		wanted = target.And{e, target.Not{X: except}}
	}
	rows, err := s.store.SelectNodes(ctx, NodeFilter{Account: account, Expr: wanted, Now: s.Now()})
	if err != nil {
		return nil, err
	}
	if out.missing, err = s.missing(ctx, account, rows, target.Literals(e)); err != nil {
		return nil, err
	}
	if !target.Mentions(e, target.Cordoned) {
		literal := target.Literals(e)
		for i := range rows {
			n := &rows[i]
			if n.CordonedAt.IsZero() {
				continue
			}
			if named(literal, n) {
				return nil, n.refuseCordoned()
			}
			out.cordoned++
		}
		if out.cordoned > 0 {
			rows = slices.DeleteFunc(rows, func(n Node) bool { return !n.CordonedAt.IsZero() })
		}
	}
	sortByLabel(rows)
	if !sel.Pick.IsZero() {
		rows = pick(rows, sel.Pick, sel.Seed)
	}
	out.nodes = rows
	return out, nil
}

// named reports whether a node's id or name is in a list that is in order.
func named(list []string, n *Node) bool {
	for _, name := range []string{n.ID, n.Name} {
		if _, ok := slices.BinarySearch(list, name); ok {
			return true
		}
	}
	return false
}

// missing are the names of a list that no node has. Nodes among rows are known to exist.
func (s *Service) missing(ctx context.Context, account AccountID, rows []Node, names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	there := make(map[string]bool, 2*len(rows))
	note := func(rows []Node) {
		for i := range rows {
			there[rows[i].ID], there[rows[i].Name] = true, true
		}
	}
	note(rows)
	names = slices.DeleteFunc(names, func(name string) bool { return there[name] })
	if len(names) == 0 {
		return nil, nil
	}
	// They may exist and not be online, say.
	rows, err := s.store.SelectNodes(ctx, NodeFilter{Account: account, Expr: target.Names{List: names}, Now: s.Now()})
	if err != nil {
		return nil, err
	}
	note(rows)
	return slices.DeleteFunc(names, func(name string) bool { return there[name] }), nil
}

// sortByLabel puts nodes in the order in which people count them.
func sortByLabel(nodes []Node) {
	type entry struct {
		label string
		place int
	}
	list := make([]entry, len(nodes)) // a Node is large, and sorting moves things often
	for i := range nodes {
		list[i] = entry{nodes[i].Label(), i}
	}
	slices.SortFunc(list, func(a, b entry) int {
		return cmp.Or(nodeset.Compare(a.label, b.label), strings.Compare(a.label, b.label), cmp.Compare(nodes[a.place].Key, nodes[b.place].Key))
	})
	sorted := make([]Node, len(nodes))
	for i, e := range list {
		sorted[i] = nodes[e.place]
	}
	copy(nodes, sorted)
}

// pick takes a share of nodes by chance, in the order in which they come. A node's luck depends on the seed and its id alone: when other nodes
// come or go, most of those that were picked are picked again.
func pick(nodes []Node, share Share, seed uint64) []Node {
	n := share.Of(len(nodes))
	if n >= len(nodes) {
		return nodes
	}
	type lot struct {
		luck  uint64
		place int
	}
	lots := make([]lot, len(nodes))
	for i := range nodes {
		sum := sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, seed), nodes[i].ID...))
		lots[i] = lot{binary.BigEndian.Uint64(sum[:]), i}
	}
	slices.SortFunc(lots, func(a, b lot) int { return cmp.Or(cmp.Compare(a.luck, b.luck), cmp.Compare(a.place, b.place)) })
	lots = lots[:n]
	slices.SortFunc(lots, func(a, b lot) int { return cmp.Compare(a.place, b.place) })
	picked := make([]Node, n)
	for i, l := range lots {
		picked[i] = nodes[l.place]
	}
	return picked
}

// check refuses a selection that comes to nothing, or not to all that was spelled out.
func (c *chosen) check(nearby func(string) string) error {
	switch {
	case len(c.missing) > 0:
		detail := "no such node"
		if len(c.missing) > 1 {
			detail = "no such nodes: " + nodeset.Fold(c.missing[:min(len(c.missing), maxMissing)])
			if more := len(c.missing) - maxMissing; more > 0 {
				detail += fmt.Sprintf(" and %d more", more)
			}
		} else if near := nearby(c.missing[0]); near != "" {
			detail = fmt.Sprintf("no such node: did you mean %s?", near)
		}
		return &Error{Code: CodeNotFound, Reason: ReasonTargetNotFound, Field: c.missing[0], Detail: detail}
	case len(c.nodes) == 0 && c.cordoned > 0:
		return &Error{
			Code: CodeUnavailable, Reason: ReasonTargetNotFound, Field: "target",
			Detail: fmt.Sprintf("all %d nodes that match are cordoned", c.cordoned),
		}
	case len(c.nodes) == 0:
		return &Error{Code: CodeNotFound, Reason: ReasonTargetNotFound, Field: "target", Detail: "no node matches"}
	}
	return nil
}

// nearby finds the name of a node that is one slip away from another name, among those with the same beginning.
func (s *Service) nearby(ctx context.Context, account AccountID) func(string) string {
	return func(name string) string {
		if len(name) < 3 {
			return ""
		}
		// A slip leaves the beginning or the end of a name whole.
		third := len(name) / 3
		e := target.Or{target.Glob{Pattern: globText(name[:third]) + "*"}, target.Glob{Pattern: "*" + globText(name[len(name)-third:])}}
		rows, err := s.store.SelectNodes(ctx, NodeFilter{Account: account, Expr: e, Now: s.Now()})
		if err != nil {
			return ""
		}
		var names []string
		for i := range rows {
			names = append(names, rows[i].ID, rows[i].Name)
		}
		nodeset.Sort(names)
		return target.Nearest(name, names)
	}
}

// globText is a text as the part of a pattern; what would be special in it matches any character.
func globText(text string) string { return strings.ReplaceAll(text, "*", "?") }

// Preview tells what a selection comes to now, without doing anything. It is no error if that is nothing.
func (s *Service) Preview(ctx context.Context, c Caller, sel Selection) (Preview, error) {
	got, err := s.choose(ctx, c.Account, sel)
	about := []Node(nil)
	if err == nil {
		about = got.nodes
	}
	if err := s.allowChosen(&c, "node.list", about); err != nil {
		return Preview{}, err
	}
	if err != nil {
		return Preview{}, err
	}
	p := Preview{Total: len(got.nodes), Cordoned: got.cordoned, Missing: got.missing, Expr: got.expr.String(), Names: make([]string, len(got.nodes))}
	now := s.Now()
	for i := range got.nodes {
		p.Names[i] = got.nodes[i].Label()
		if got.nodes[i].Online(now) {
			p.Online++
		}
	}
	if sample := got.nodes[:min(len(got.nodes), previewSample)]; len(sample) > 0 {
		keys := make([]NodeKey, len(sample))
		for i := range sample {
			keys[i] = sample[i].Key
		}
		if p.Sample, err = s.NodesByKey(ctx, c.Account, keys); err != nil {
			return Preview{}, err
		}
		s.overlay(p.Sample)
		sortByLabel(p.Sample)
	}
	return p, nil
}

// allowChosen is Allow for nodes that were found, or for nodes as such if none were.
func (s *Service) allowChosen(c *Caller, verb string, nodes []Node) error {
	if c.unlimited() {
		nodes = nodes[:min(len(nodes), maxTrail)] // they are only noted
	}
	if len(nodes) == 0 {
		return c.Allow(verb, nil, resource(KindNode.String(), "", nil))
	}
	return c.Allow(verb, nil, nodeResources(nodes)...)
}

// NodesMatching lists the nodes that an expression fits, all of them if it is empty, newest first, with their latest signs of life. Nodes that
// are cordoned are among them.
func (s *Service) NodesMatching(ctx context.Context, c Caller, expr string, p PageSpec) ([]Node, PageInfo, error) {
	if err := c.Allow("node.list", nil, resource(KindNode.String(), "", nil)); err != nil {
		return nil, PageInfo{}, err
	}
	f := NodeFilter{Account: c.Account, Now: s.Now()}
	if expr != "" {
		var err error
		if f.Expr, err = s.parseTarget(ctx, c.Account, "filter", expr); err != nil {
			return nil, PageInfo{}, err
		}
		if target.Mentions(f.Expr, target.Online) {
			if err := s.FlushSeen(ctx); err != nil { // so that the store's rows are as fresh as memory
				return nil, PageInfo{}, err
			}
		}
	}
	rows, info, err := list(s.pages, c.Account, "nodes", p,
		func(n *Node) Cursor { return Cursor{A: int64(n.Key)} },
		func(p Page) ([]Node, int, error) { return s.store.ListNodes(ctx, f, p) })
	s.overlay(rows)
	return rows, info, err
}
