package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"errand/internal/core"
)

func fullNode() core.Node {
	return core.Node{
		Account: mine, ID: "i-1", Name: "näme", Region: "r1", PublicKey: "UABC", Registration: 77, RegisteredAt: at(1), UpdatedAt: at(2),
		RemovedAt: at(3), Hostname: "host", Platform: core.Windows, OSName: "Some OS 1.0 \"<&>\"", Kernel: "6.1", Arch: "amd64", MachineID: "m1",
		BootID: "b1", Zone: "UTC+8", PrivateIP: "10.0.0.1", PublicIP: "2001:db8::1", Agent: "1.2.3", Features: []string{"session", "<x>"},
		LastSeen: at(4), InstallAskedAt: at(5), NextPublicKey: "UDEF", KeyedAt: at(6), RotationAskedAt: at(7),
		CPUs: 8, Memory: 64 << 30, GPUs: []string{"NVIDIA A100", "NVIDIA A100"}, CordonedAt: at(8), CordonedBy: "lee", CordonReason: "disk", ResourceGroup: "rg", Tags: []core.Tag{{Key: "b", Value: "ü\x01"}, {Key: "a", Value: ""}},
	}
}

func testNodeRoundTrip(t *testing.T, f *fixture) {
	ctx := t.Context()
	for _, want := range []core.Node{fullNode(), {Account: mine, ID: "bare"}, {Account: mine, ID: "also without a key"}} {
		key, err := f.InsertNode(ctx, want)
		is(t, "insert", err, nil)
		want.Key = key
		got, err := f.Node(ctx, key)
		is(t, "read", err, nil)
		same(t, "node", want, got)
	}
	full := fullNode()
	full.Key = 1
	filled(t, full)
	_, err := f.Node(ctx, 1<<40)
	is(t, "node that was never there", err, core.ErrNotFound)
	_, err = f.NodeByPublicKey(ctx, "")
	is(t, "node by no public key", err, core.ErrNotFound)
}

func testNodeUniqueness(t *testing.T, f *fixture) {
	ctx := t.Context()
	n := f.node(t, mine, "a")
	insert := func(account core.AccountID, id, publicKey string) error {
		_, err := f.InsertNode(ctx, core.Node{Account: account, ID: id, PublicKey: publicKey})
		return err
	}
	is(t, "same id", insert(mine, "a", "x"), core.ErrTaken)
	is(t, "same id in another account", insert(other, "a", "x"), nil)
	is(t, "same public key in another account", insert(other, "b", n.PublicKey), core.ErrTaken)
	is(t, "another case", insert(mine, "A", "y"), nil)

	b := f.node(t, mine, "b")
	rename := f.ChangeNode(ctx, b.Key, func(n *core.Node) error { n.ID = "a"; return nil })
	is(t, "change to an id in use", rename, core.ErrTaken)

	is(t, "next key", f.ChangeNode(ctx, n.Key, func(n *core.Node) error { n.NextPublicKey = "next"; return nil }), nil)
	is(t, "next key of another", f.ChangeNode(ctx, b.Key, func(n *core.Node) error { n.NextPublicKey = "next"; return nil }), core.ErrTaken)
	n.NextPublicKey = "next"
	byNext, err := f.NodeByPublicKey(ctx, "next")
	is(t, "by next key", err, nil)
	same(t, "node by next key", n, byNext)
	got, err := f.NodeByPublicKey(ctx, n.PublicKey)
	is(t, "by public key", err, nil)
	same(t, "node by public key", n, got)
	is(t, "remove", f.ChangeNode(ctx, n.Key, func(n *core.Node) error { n.RemovedAt = at(1); return nil }), nil)
	_, err = f.NodeByPublicKey(ctx, n.PublicKey)
	is(t, "removed node by public key", err, core.ErrNotFound)
	key, err := f.InsertNode(ctx, core.Node{Account: mine, ID: "a", PublicKey: n.PublicKey})
	is(t, "id and public key of a removed node", err, nil)
	if key == n.Key {
		t.Error("a new node has the key of an old one")
	}
	_, err = f.Node(ctx, n.Key)
	is(t, "removed node by key", err, nil)
}

func testNodeChange(t *testing.T, f *fixture) {
	ctx := t.Context()
	n := f.node(t, mine, "a")
	want := fullNode()
	want.Key = n.Key
	is(t, "change", f.ChangeNode(ctx, n.Key, func(got *core.Node) error {
		same(t, "node given to change", n, *got)
		*got = want
		return nil
	}), nil)
	got, err := f.Node(ctx, n.Key)
	is(t, "read", err, nil)
	same(t, "changed node", want, got)

	refusal := errors.New("refused")
	is(t, "refused change", f.ChangeNode(ctx, n.Key, func(n *core.Node) error {
		n.Name = "changed all the same"
		return refusal
	}), refusal)
	got, err = f.Node(ctx, n.Key)
	is(t, "read", err, nil)
	same(t, "node after a refused change", want, got)
	is(t, "change of no node", f.ChangeNode(ctx, 1<<40, func(*core.Node) error {
		t.Error("change was called without a node")
		return nil
	}), core.ErrNotFound)
}

func testNodesByID(t *testing.T, f *fixture) {
	ctx := t.Context()
	want := map[string]core.Node{}
	ids := []string{"gone", "never", "theirs", `odd"name`, "twice", "twice"}
	for _, id := range []string{"a", "twice", `odd"name`} {
		want[id] = f.node(t, mine, id)
		ids = append(ids, id)
	}
	f.node(t, other, "theirs")
	gone := f.node(t, mine, "gone")
	is(t, "remove", f.ChangeNode(ctx, gone.Key, func(n *core.Node) error { n.RemovedAt = at(1); return nil }), nil)
	got, err := f.NodesByID(ctx, mine, ids)
	is(t, "read", err, nil)
	same(t, "nodes", want, got)
	got, err = f.NodesByID(ctx, mine, nil)
	is(t, "read of none", err, nil)
	same(t, "no nodes", 0, len(got))
}

func testNodeFilters(t *testing.T, f *fixture) {
	ctx := t.Context()
	var rows []core.Node
	for i := range 24 {
		n := core.Node{
			Account: mine, ID: fmt.Sprint("node", i), Name: fmt.Sprint("name", i%5), PublicKey: fmt.Sprint("key", i), Registration: core.ID(1 + i%4),
			Platform: []core.Platform{core.Linux, core.Windows, core.Darwin}[i%3], MachineID: fmt.Sprint("machine", i%6),
			PrivateIP: fmt.Sprint("10.0.0.", i%4), PublicIP: fmt.Sprint("10.0.0.", i%7), ResourceGroup: fmt.Sprint("rg", i%3),
		}
		if i%4 == 0 {
			n.ID = f.id().String()
		}
		if i%5 > 0 {
			n.LastSeen = epoch.Add(-core.OnlineWindow + time.Duration(i%5-2)*time.Microsecond)
		}
		if i%2 == 0 {
			n.Tags = []core.Tag{{Key: "env", Value: fmt.Sprint(i % 3)}, {Key: "even", Value: "it's"}}
		}
		if i%8 == 3 {
			n.RemovedAt = at(1)
		}
		theirs := n
		theirs.Account, theirs.PublicKey = other, "their "+n.PublicKey
		_, err := f.InsertNode(ctx, theirs)
		is(t, "insert", err, nil)
		n.Key, err = f.InsertNode(ctx, n)
		is(t, "insert", err, nil)
		rows = append(rows, n)
	}
	yes, no := true, false
	type field = part[core.NodeFilter, core.Node]
	parts := []field{
		{"not removed", func(f *core.NodeFilter) { f.Removed = false }, func(n *core.Node) bool { return n.RemovedAt.IsZero() }},
		{
			"keys", func(f *core.NodeFilter) {
				f.Keys = []core.NodeKey{rows[3].Key, -1, rows[4].Key, rows[8].Key, rows[8].Key, 1 << 40}
			},
			func(n *core.Node) bool { return n.Key == rows[3].Key || n.Key == rows[4].Key || n.Key == rows[8].Key },
		},
		{
			"ids", func(f *core.NodeFilter) { f.IDs = []string{rows[4].ID, "x", rows[5].ID, rows[11].ID} },
			func(n *core.Node) bool { return n.Key == rows[4].Key || n.Key == rows[5].Key || n.Key == rows[11].Key },
		},
		{
			"names", func(f *core.NodeFilter) { f.Names = []string{"name1", "name3"} },
			func(n *core.Node) bool { return n.Name == "name1" || n.Name == "name3" },
		},
		{"name", func(f *core.NodeFilter) { f.Names = []string{"name2"} }, func(n *core.Node) bool { return n.Name == "name2" }},
		{
			"platforms", func(f *core.NodeFilter) { f.Platforms = []core.Platform{core.Windows, core.Darwin} },
			func(n *core.Node) bool { return n.Platform != core.Linux },
		},
		{
			"platform", func(f *core.NodeFilter) { f.Platforms = []core.Platform{core.Linux} },
			func(n *core.Node) bool { return n.Platform == core.Linux },
		},
		{
			"registrations", func(f *core.NodeFilter) { f.Registrations = []core.ID{1, 3} },
			func(n *core.Node) bool { return n.Registration == 1 || n.Registration == 3 },
		},
		{"machine", func(f *core.NodeFilter) { f.MachineID = "machine4" }, func(n *core.Node) bool { return n.MachineID == "machine4" }},
		{
			"address", func(f *core.NodeFilter) { f.IP = "10.0.0.2" },
			func(n *core.Node) bool { return n.PrivateIP == "10.0.0.2" || n.PublicIP == "10.0.0.2" },
		},
		{"online", func(f *core.NodeFilter) { f.Online, f.Now = &yes, epoch }, func(n *core.Node) bool { return n.Online(epoch) }},
		{"offline", func(f *core.NodeFilter) { f.Online, f.Now = &no, epoch }, func(n *core.Node) bool { return !n.Online(epoch) }},
		{"group", func(f *core.NodeFilter) { f.ResourceGroup = "rg1" }, func(n *core.Node) bool { return n.ResourceGroup == "rg1" }},
		{
			"tag", func(f *core.NodeFilter) { f.Tags = append(f.Tags, core.Tag{Key: "even", Value: "it's"}) },
			func(n *core.Node) bool { return len(n.Tags) > 0 },
		},
		{
			"tags", func(f *core.NodeFilter) {
				f.Tags = append(f.Tags, core.Tag{Key: "env", Value: "1"}, core.Tag{Key: "even", Value: "it's"})
			},
			func(n *core.Node) bool { return hasTags(n.Tags, []core.Tag{{Key: "env", Value: "1"}}) },
		},
		{
			"tag keys", func(f *core.NodeFilter) { f.TagKeys = []string{"even", "env"} },
			func(n *core.Node) bool { return len(n.Tags) > 0 },
		},
		{"no tag key", func(f *core.NodeFilter) { f.NoTagKey = "env" }, func(n *core.Node) bool { return len(n.Tags) == 0 }},
		{"generated", func(f *core.NodeFilter) { f.GeneratedIDs = true }, func(n *core.Node) bool { return !strings.HasPrefix(n.ID, "node") }},
	}
	// Parts that set the same field cannot be combined.
	exclusive := [][]string{{"names", "name"}, {"platforms", "platform"}, {"online", "offline"}}
	l := listing[core.NodeFilter, core.Node]{
		base: core.NodeFilter{Account: mine, Removed: true}, rows: newest(rows), parts: parts, list: f.ListNodes,
		cursor: func(n *core.Node) core.Cursor { return core.Cursor{A: int64(n.Key)} },
	}
	for _, pair := range exclusive {
		one := l
		one.parts = slices.DeleteFunc(slices.Clone(parts), func(p field) bool { return !slices.Contains(pair, p.name) })
		for _, p := range one.parts {
			one.try(t, p.name, p)
		}
		l.parts = slices.DeleteFunc(slices.Clone(l.parts), func(p field) bool { return p.name == pair[1] })
	}
	l.check(t)

	all, total, err := f.ListNodes(ctx, core.NodeFilter{Removed: true}, everything)
	is(t, "all accounts", err, nil)
	same(t, "nodes of all accounts", 2*len(rows), len(all))
	same(t, "total of all accounts", 2*len(rows), total)
}

func testLastSeen(t *testing.T, f *fixture) {
	ctx := t.Context()
	a, b := f.node(t, mine, "a"), f.node(t, other, "b")
	steps := []struct {
		seen         map[core.NodeKey]time.Time
		wantA, wantB time.Time
	}{
		{map[core.NodeKey]time.Time{}, time.Time{}, time.Time{}},
		{map[core.NodeKey]time.Time{a.Key: at(5), 1 << 40: at(5)}, at(5), time.Time{}},
		{map[core.NodeKey]time.Time{a.Key: at(4), b.Key: at(1)}, at(5), at(1)},
		{map[core.NodeKey]time.Time{a.Key: at(6), b.Key: at(1)}, at(6), at(1)},
	}
	for i, s := range steps {
		is(t, "set", f.SetLastSeen(ctx, s.seen), nil)
		gotA, err := f.Node(ctx, a.Key)
		is(t, "read", err, nil)
		gotB, err := f.Node(ctx, b.Key)
		is(t, "read", err, nil)
		same(t, fmt.Sprintf("step %d", i), []time.Time{s.wantA, s.wantB}, []time.Time{gotA.LastSeen, gotB.LastSeen})
	}
}

func testNodeLoads(t *testing.T, f *fixture) {
	ctx := t.Context()
	a, b, idle := f.node(t, mine, "a").Key, f.node(t, mine, "b").Key, f.node(t, mine, "idle").Key
	first := f.insert(t, core.Invocation{Account: mine}, a, b)
	second := f.insert(t, core.Invocation{Account: mine}, a)
	v := core.Invocation{ID: f.id(), Account: mine, CreatedAt: at(9)}
	is(t, "insert", f.InsertInvocation(ctx, &v, []core.Task{{ID: core.TaskID{Invocation: v.ID}, Node: a}}), nil)
	f.set(t, first.ID, core.Succeeded, at(1), 0)
	f.set(t, second.ID, core.Running, at(1), 0)
	got, err := f.NodeLoads(ctx, []core.NodeKey{a, b, idle})
	is(t, "read", err, nil)
	same(t, "load of a", core.NodeLoad{Active: 2, Finished: 1, LastInvoked: at(9)}, got[a])
	same(t, "load of b", core.NodeLoad{Active: 1, LastInvoked: epoch}, got[b])
	same(t, "load of an idle node", core.NodeLoad{}, got[idle])
}
