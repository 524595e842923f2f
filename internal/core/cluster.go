package core

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"time"
)

// ClusterTag is the key of the tag that puts a node into a cluster, which its value names. A node without it is free.
//
// A cluster is no object of its own: it begins with the first node that has its name and ends with the last, and its tags are those that
// all its nodes have. Alibaba's Lingjun wants clusters, and operators group their machines by tags anyway.
const ClusterTag = "cluster"

// Cluster is the nodes of an account that have the same ClusterTag.
type Cluster struct {
	ID            string
	Name          string
	Nodes         int
	Online        int       // how many of them are
	CreatedAt     time.Time // when the first of them joined
	UpdatedAt     time.Time
	ResourceGroup string // if all of them have the same one
	Tags          []Tag  // which all of them have, the ClusterTag excepted
}

// ClusterID is the id of the cluster with this name, the same for ever: the letter i and 22 hexadecimal digits.
func ClusterID(account AccountID, name string) string {
	sum := clusterSum(account, name)
	return "i" + hex.EncodeToString(sum[:11])
}

func clusterSum(account AccountID, name string) [sha256.Size]byte {
	return sha256.Sum256([]byte("cluster " + account.String() + " " + name))
}

// Cluster is the name of the cluster that a node belongs to; false for a free one.
func (n *Node) Cluster() (name string, ok bool) { return clusterName(n.Tags) }

func clusterName(tags []Tag) (string, bool) {
	if i := keyIndex(tags, ClusterTag); i >= 0 {
		return tags[i].Value, true
	}
	return "", false
}

// ClusterFilter selects clusters; zero fields select all.
type ClusterFilter struct {
	IDs           []string
	ResourceGroup string
	Tags          []Tag    // all of them
	TagKeys       []string // all of them
}

func (f *ClusterFilter) tagged() *TaggedFilter {
	return &TaggedFilter{Tags: f.Tags, TagKeys: f.TagKeys}
}

func (f *ClusterFilter) matches(c *Cluster) bool {
	return (len(f.IDs) == 0 || slices.Contains(f.IDs, c.ID)) && (f.ResourceGroup == "" || f.ResourceGroup == c.ResourceGroup) &&
		f.tagged().matches(c.Tags)
}

// Clusters lists clusters, in an order that has no meaning and stays. Each call looks at every node that is in a cluster.
func (s *Service) Clusters(ctx context.Context, c Caller, f ClusterFilter, p PageSpec) ([]Cluster, PageInfo, error) {
	if err := c.Allow("node.list", nil, resource(KindNode.String(), "", nil)); err != nil {
		return nil, PageInfo{}, err
	}
	if err := f.tagged().check(); err != nil {
		return nil, PageInfo{}, err
	}
	return list(s.pages, c.Account, "clusters", p, clusterCursor(c.Account), func(p Page) ([]Cluster, int, error) {
		all, err := s.clusters(ctx, c)
		if err != nil {
			return nil, 0, err
		}
		return clusterPage(all, &f, c.Account, p)
	})
}

// clusterCursor places a cluster in the order of the listing: by a number made of its name.
func clusterCursor(account AccountID) func(*Cluster) Cursor {
	return func(c *Cluster) Cursor {
		sum := clusterSum(account, c.Name)
		return Cursor{A: int64(binary.BigEndian.Uint64(sum[:8]) >> 1)}
	}
}

func clusterPage(all []Cluster, f *ClusterFilter, account AccountID, p Page) ([]Cluster, int, error) {
	at := clusterCursor(account)
	all = slices.DeleteFunc(all, func(c Cluster) bool { return !f.matches(&c) })
	slices.SortFunc(all, func(a, b Cluster) int { return cmp.Compare(at(&b).A, at(&a).A) })
	total := len(all)
	if p.After != nil {
		all = slices.DeleteFunc(all, func(c Cluster) bool { return at(&c).A >= p.After.A })
	} else {
		all = all[min(p.Offset, len(all)):]
	}
	return all[:min(p.Limit, len(all))], total, nil
}

// clusters gathers all clusters of an account from their nodes.
func (s *Service) clusters(ctx context.Context, c Caller) ([]Cluster, error) {
	now := s.Now()
	byName := map[string]*Cluster{}
	err := s.eachNode(ctx, inClusters(c), func(n *Node) {
		name, _ := n.Cluster()
		cl := byName[name]
		if cl == nil {
			cl = &Cluster{
				ID: ClusterID(c.Account, name), Name: name, CreatedAt: n.RegisteredAt, UpdatedAt: n.UpdatedAt, ResourceGroup: n.ResourceGroup,
				Tags: slices.DeleteFunc(slices.Clone(n.Tags), func(t Tag) bool { return t.Key == ClusterTag }),
			}
			byName[name] = cl
		}
		cl.add(n, now)
	})
	all := make([]Cluster, 0, len(byName))
	for _, cl := range byName {
		all = append(all, *cl)
	}
	return all, err
}

func (c *Cluster) add(n *Node, now time.Time) {
	c.Nodes++
	if n.Online(now) {
		c.Online++
	}
	if n.RegisteredAt.Before(c.CreatedAt) {
		c.CreatedAt = n.RegisteredAt
	}
	if n.UpdatedAt.After(c.UpdatedAt) {
		c.UpdatedAt = n.UpdatedAt
	}
	if n.ResourceGroup != c.ResourceGroup {
		c.ResourceGroup = ""
	}
	c.Tags = slices.DeleteFunc(c.Tags, func(t Tag) bool { return !slices.Contains(n.Tags, t) })
}

func inClusters(c Caller) NodeFilter {
	return NodeFilter{Account: c.Account, TagKeys: []string{ClusterTag}}
}

// eachNode calls visit for all nodes that pass a filter, with their latest signs of life.
func (s *Service) eachNode(ctx context.Context, f NodeFilter, visit func(*Node)) error {
	for p := (Page{Limit: scanned}); ; {
		rows, _, err := s.store.ListNodes(ctx, f, p)
		if err != nil {
			return err
		}
		s.overlay(rows)
		for i := range rows {
			visit(&rows[i])
		}
		if len(rows) < scanned {
			return nil
		}
		p.After = &Cursor{A: int64(rows[len(rows)-1].Key)}
	}
}

// ClusterName finds the name of the cluster with this id; false if no node is in such a cluster.
func (s *Service) ClusterName(ctx context.Context, c Caller, id string) (string, bool, error) {
	if err := c.Allow("node.list", nil, resource(KindNode.String(), "", nil)); err != nil {
		return "", false, err
	}
	f := TaggedFilter{Account: c.Account, TagKeys: []string{ClusterTag}}
	seen := map[string]bool{}
	for p := (Page{Limit: scanned}); ; {
		rows, err := s.store.ListTagged(ctx, KindNode, f, p)
		if err != nil {
			return "", false, err
		}
		for i := range rows {
			name, _ := clusterName(rows[i].Tags)
			if !seen[name] && ClusterID(c.Account, name) == id {
				return name, true, nil
			}
			seen[name] = true
		}
		if len(rows) < scanned {
			return "", false, nil
		}
		p.After = &Cursor{A: rows[len(rows)-1].Key}
	}
}

// NodesOfClusters returns the ids of all nodes in these clusters. Every cluster must exist.
func (s *Service) NodesOfClusters(ctx context.Context, c Caller, ids []string) ([]string, error) {
	var nodes []Node
	found := map[string]bool{}
	err := s.eachNode(ctx, inClusters(c), func(n *Node) {
		name, _ := n.Cluster()
		if id := ClusterID(c.Account, name); slices.Contains(ids, id) {
			nodes = append(nodes, *n)
			found[id] = true
		}
	})
	if err != nil {
		return nil, err
	}
	if err := c.Allow("node.list", nil, nodeResources(nodes)...); err != nil {
		return nil, err
	}
	for _, id := range ids {
		if !found[id] {
			return nil, &Error{Code: CodeNotFound, Reason: ReasonTargetNotFound, Field: id, Detail: "no node is in such a cluster"}
		}
	}
	names := make([]string, len(nodes))
	for i := range nodes {
		names[i] = nodes[i].ID
	}
	return names, nil
}
