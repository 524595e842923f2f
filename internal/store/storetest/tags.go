package storetest

import (
	"errors"
	"slices"
	"testing"

	"errand/internal/core"
)

// tagged inserts an object of each kind that carries these tags and returns them by kind.
func (f *fixture) tagged(t *testing.T, account core.AccountID, name string, tags []core.Tag) map[core.Kind]core.Tagged {
	t.Helper()
	c := core.Command{ID: f.id(), Account: account, Tags: tags}
	is(t, "insert command", f.InsertCommand(t.Context(), c, false), nil)
	r := core.RegistrationCode{ID: f.id(), Account: account, Tags: tags}
	is(t, "insert registration", f.InsertRegistration(t.Context(), r), nil)
	v := f.insert(t, core.Invocation{Account: account, Tags: tags}, keys(1)...)
	key, err := f.InsertNode(t.Context(), core.Node{Account: account, ID: name, PublicKey: name, Tags: tags})
	is(t, "insert node", err, nil)
	return map[core.Kind]core.Tagged{
		core.KindCommand:      {Key: int64(c.ID), ID: c.ID.String(), Tags: tags},
		core.KindRegistration: {Key: int64(r.ID), ID: r.ID.String(), Tags: tags},
		core.KindInvocation:   {Key: int64(v.ID), ID: v.ID.String(), Tags: tags},
		core.KindNode:         {Key: int64(key), ID: name, Tags: tags},
	}
}

func (f *fixture) listTagged(t *testing.T, kind core.Kind, filter core.TaggedFilter) []core.Tagged {
	t.Helper()
	rows, err := f.ListTagged(t.Context(), kind, filter, everything)
	is(t, "list", err, nil)
	return rows
}

func testTagChange(t *testing.T, f *fixture) {
	ctx := t.Context()
	first, second := f.tagged(t, mine, "first", []core.Tag{{Key: "a", Value: "1"}}), f.tagged(t, mine, "second", nil)
	theirs := f.tagged(t, other, "theirs", nil)
	refusal := errors.New("refused")
	for kind := range first {
		now := []core.Tagged{second[kind], first[kind]}
		left := func(what string) {
			t.Helper()
			same(t, what, now, f.listTagged(t, kind, core.TaggedFilter{Account: mine}))
		}
		left("before")
		add := func(tags []core.Tag) ([]core.Tag, error) { return append(tags, core.Tag{Key: `ä"`, Value: ""}), nil }
		both := []int64{first[kind].Key, second[kind].Key}
		is(t, "change", f.ChangeTags(ctx, mine, kind, both, add), nil)
		for i := range now {
			now[i].Tags, _ = add(slices.Clone(now[i].Tags))
		}
		left("changed")
		is(t, "one is missing", f.ChangeTags(ctx, mine, kind, append(both, 1<<50), add), core.ErrNotFound)
		is(t, "one is of another account", f.ChangeTags(ctx, mine, kind, append(both, theirs[kind].Key), add), core.ErrNotFound)
		calls := 0
		is(t, "the second is refused", f.ChangeTags(ctx, mine, kind, both, func(tags []core.Tag) ([]core.Tag, error) {
			if calls++; calls == 2 {
				return nil, refusal
			}
			return nil, nil
		}), refusal)
		left("none of them")
		is(t, "take all", f.ChangeTags(ctx, mine, kind, both, func([]core.Tag) ([]core.Tag, error) { return nil, nil }), nil)
		now[0].Tags, now[1].Tags = nil, nil
		left("no tags")
	}
	// The objects' own readers see the same tags.
	set := func([]core.Tag) ([]core.Tag, error) { return []core.Tag{{Key: "k", Value: "v"}}, nil }
	is(t, "change", f.ChangeTags(ctx, mine, core.KindInvocation, []int64{first[core.KindInvocation].Key}, set), nil)
	v, err := f.Invocation(ctx, mine, core.ID(first[core.KindInvocation].Key))
	is(t, "read", err, nil)
	same(t, "tags of the invocation", []core.Tag{{Key: "k", Value: "v"}}, v.Tags)
	key := first[core.KindNode].Key
	is(t, "remove", f.ChangeNode(ctx, core.NodeKey(key), func(n *core.Node) error { n.RemovedAt = at(1); return nil }), nil)
	is(t, "change of a removed node", f.ChangeTags(ctx, mine, core.KindNode, []int64{key}, set), core.ErrNotFound)
	same(t, "removed node", 1, len(f.listTagged(t, core.KindNode, core.TaggedFilter{Account: mine})))
	if err := f.ChangeTags(ctx, mine, 0, []int64{key}, set); err == nil {
		t.Error("objects of no kind have tags")
	}
}

func testTagFilters(t *testing.T, f *fixture) {
	sets := [][]core.Tag{{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}, {{Key: "a", Value: "2"}}, nil, {{Key: "b", Value: "1"}}}
	var made []map[core.Kind]core.Tagged
	for i, tags := range sets {
		made = append(made, f.tagged(t, mine, string(rune('p'+i)), tags))
		f.tagged(t, other, string(rune('P'+i)), tags)
	}
	type filter = core.TaggedFilter
	for kind := range made[0] {
		for _, tt := range []struct {
			name   string
			filter filter
			want   []int
		}{
			{"all", filter{}, []int{3, 2, 1, 0}},
			{"keys", filter{Keys: []int64{made[0][kind].Key, 5, made[2][kind].Key}}, []int{2, 0}},
			{"tag", filter{Tags: []core.Tag{{Key: "a", Value: "2"}}}, []int{1}},
			{"tag key", filter{TagKeys: []string{"a"}}, []int{1, 0}},
			{"tag keys", filter{TagKeys: []string{"a", "b"}}, []int{0}},
			{"tag and key", filter{TagKeys: []string{"a"}, Tags: []core.Tag{{Key: "b", Value: "1"}}}, nil},
			{"choice", filter{Choices: []core.Choice{{Key: "a", Values: []string{"2", "3", `"`}}}}, []int{1}},
			{"wide choice", filter{Choices: []core.Choice{{Key: "b", Values: []string{"2", "1"}}}}, []int{3, 0}},
			{"any value", filter{Choices: []core.Choice{{Key: "b"}}}, []int{3, 0}},
			{"two choices", filter{Choices: []core.Choice{{Key: "b", Values: []string{"2", "1"}}, {Key: "a", Values: []string{"1"}}}}, []int{0}},
			{"key and tag key", filter{Keys: []int64{made[3][kind].Key, made[1][kind].Key}, TagKeys: []string{"b"}}, []int{3}},
		} {
			var want []core.Tagged
			for _, i := range tt.want {
				want = append(want, made[i][kind])
			}
			tt.filter.Account = mine
			same(t, tt.name, want, f.listTagged(t, kind, tt.filter))
		}
		page, err := f.ListTagged(t.Context(), kind, filter{Account: mine}, core.Page{Limit: 2, After: &core.Cursor{A: made[3][kind].Key}})
		is(t, "page", err, nil)
		same(t, "page", []core.Tagged{made[2][kind], made[1][kind]}, page)
	}
}
