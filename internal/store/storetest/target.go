package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"errand/internal/core"
	"errand/internal/target"
	"errand/internal/target/targettest"
)

// asNode makes a node of the core out of what was drawn.
func asNode(d *targettest.Node, i int) core.Node {
	n := core.Node{
		Account: mine, ID: fmt.Sprintf("%s-%d", d.Texts[target.ID], i), PublicKey: fmt.Sprint("key", i),
		Name: d.Texts[target.Name], Hostname: d.Texts[target.Hostname], Platform: core.Platform(d.Texts[target.Platform]), OSName: d.Texts[target.OS],
		Kernel: d.Texts[target.Kernel], Arch: d.Texts[target.Arch], Agent: d.Texts[target.Agent], Zone: d.Texts[target.Zone],
		PrivateIP: d.Texts[target.PrivateIP], PublicIP: d.Texts[target.PublicIP], ResourceGroup: d.Texts[target.RGroup],
		Features: d.Features, GPUs: d.GPUs, CPUs: d.CPUs, Memory: int64(d.MemGiB * (1 << 30)),
		LastSeen: epoch.Add(-core.OnlineWindow), // a moment too long ago
	}
	if i%3 == 0 {
		n.ID = fmt.Sprintf("web%d", i)
	}
	for key, value := range d.Tags {
		n.Tags = append(n.Tags, core.Tag{Key: key, Value: value})
	}
	slices.SortFunc(n.Tags, func(a, b core.Tag) int { return len(a.Key) - len(b.Key) })
	if d.Online {
		n.LastSeen = epoch.Add(-core.OnlineWindow + time.Microsecond)
	} else if i%2 == 0 {
		n.LastSeen = time.Time{}
	}
	if d.Cordoned {
		n.CordonedAt, n.CordonedBy, n.CordonReason = at(1), "lee", "why"
	}
	return n
}

// testNodeExpressions asks whether the store and the matcher of the core come to the same answer, whatever the expression and the nodes.
func testNodeExpressions(t *testing.T, f *fixture) {
	ctx := t.Context()
	var rows []core.Node
	nodes := targettest.Nodes()
	for i := range 60 {
		drawn := nodes.Example(i)
		n := asNode(&drawn, i)
		if i%10 == 9 {
			n.RemovedAt = at(1)
		}
		var err error
		n.Key, err = f.InsertNode(ctx, n)
		is(t, "insert", err, nil)
		rows = append(rows, n)
	}
	rapid.Check(t, func(t *rapid.T) {
		filter := core.NodeFilter{
			Account: mine, Expr: targettest.Exprs().Draw(t, "expression"), Now: epoch, Removed: rapid.Bool().Draw(t, "removed"),
		}
		if rapid.IntRange(0, 3).Draw(t, "also by platform") == 0 {
			filter.Platforms = []core.Platform{"linux", "web"}
		}
		var want []string
		for i := len(rows) - 1; i >= 0; i-- {
			n := &rows[i]
			fits := filter.Removed || n.RemovedAt.IsZero()
			fits = fits && (len(filter.Platforms) == 0 || slices.Contains(filter.Platforms, n.Platform))
			if fits && filter.Matches(n) {
				want = append(want, n.ID)
			}
		}
		limit := rapid.IntRange(1, 70).Draw(t, "limit")
		var got []string
		page := core.Page{Limit: limit, Count: true}
		for {
			list, total, err := f.ListNodes(ctx, filter, page)
			if err != nil {
				t.Fatalf("%s: %v", filter.Expr, err)
			}
			if total != len(want) {
				t.Fatalf("%s: total is %d, want %d", filter.Expr, total, len(want))
			}
			for i := range list {
				got = append(got, list[i].ID)
			}
			if len(list) < limit {
				break
			}
			page.After = &core.Cursor{A: int64(list[len(list)-1].Key)}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%s:\ngot  %q\nwant %q", filter.Expr, got, want)
		}
		selected, err := f.SelectNodes(ctx, filter)
		if err != nil {
			t.Fatalf("%s: %v", filter.Expr, err)
		}
		if len(selected) != len(want) {
			t.Fatalf("%s: %d nodes are selected, want %d", filter.Expr, len(selected), len(want))
		}
	})
}

func testSelectNodes(t *testing.T, f *fixture) {
	ctx := t.Context()
	full := fullNode()
	full.RemovedAt = time.Time{}
	var err error
	full.Key, err = f.InsertNode(ctx, full)
	is(t, "insert", err, nil)
	bare := f.node(t, mine, "bare")
	f.node(t, other, "theirs")
	got, err := f.SelectNodes(ctx, core.NodeFilter{Account: mine})
	is(t, "select", err, nil)
	slices.SortFunc(got, func(a, b core.Node) int { return int(a.Key - b.Key) })
	want := []core.Node{
		{
			Key: full.Key, ID: full.ID, Name: full.Name, Platform: full.Platform, Agent: full.Agent, Features: full.Features, LastSeen: full.LastSeen,
			CordonedAt: full.CordonedAt, CordonedBy: full.CordonedBy, CordonReason: full.CordonReason, ResourceGroup: full.ResourceGroup, Tags: full.Tags,
		},
		{Key: bare.Key, ID: bare.ID, Name: bare.Name, Platform: bare.Platform},
	}
	same(t, "selected nodes", want, got)
}

func testGroups(t *testing.T, f *fixture) {
	ctx := t.Context()
	full := core.NodeGroup{Account: mine, Name: "b", Expr: "role=web", Description: "d\"<", By: "lee", CreatedAt: at(1), UpdatedAt: at(2)}
	filled(t, full)
	var seen [][]core.NodeGroup
	note := func(all []core.NodeGroup) error {
		seen = append(seen, all)
		return nil
	}
	put := func(g core.NodeGroup) core.NodeGroup {
		t.Helper()
		got, err := f.PutGroup(ctx, g, note)
		is(t, "put", err, nil)
		return got
	}
	same(t, "group", full, put(full))
	theirs := core.NodeGroup{Account: other, Name: "b", Expr: "all"}
	same(t, "group of another account", theirs, put(theirs))
	a := core.NodeGroup{Account: mine, Name: "a", Expr: "@b", CreatedAt: at(3), UpdatedAt: at(3)}
	put(a)
	changed := core.NodeGroup{Account: mine, Name: "b", Expr: "all", By: "kim", CreatedAt: at(5), UpdatedAt: at(5)}
	changedWant := changed
	changedWant.CreatedAt = at(1)
	same(t, "changed group", changedWant, put(changed))
	same(t, "groups given to check", [][]core.NodeGroup{{full}, {theirs}, {a, full}, {a, changedWant}}, seen)

	refusal := errors.New("refused")
	refuse := func([]core.NodeGroup) error { return refusal }
	_, err := f.PutGroup(ctx, core.NodeGroup{Account: mine, Name: "c", Expr: "all"}, refuse)
	is(t, "refused put", err, refusal)
	is(t, "refused delete", f.DeleteGroup(ctx, mine, "a", refuse), refusal)
	list := func(account core.AccountID, want ...core.NodeGroup) {
		t.Helper()
		got, err := f.ListGroups(ctx, account)
		is(t, "list", err, nil)
		same(t, "groups", want, got)
	}
	list(mine, a, changedWant)
	list(other, theirs)
	is(t, "delete of none", f.DeleteGroup(ctx, mine, "none", note), core.ErrNotFound)
	seen = nil
	is(t, "delete", f.DeleteGroup(ctx, mine, "a", note), nil)
	same(t, "groups given to check", [][]core.NodeGroup{{changedWant}}, seen)
	list(mine, changedWant)
	list(other, theirs)
}
