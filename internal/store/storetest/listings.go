package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"errand/internal/core"
)

// archive is a store with random invocations, and the same in memory.
type archive struct {
	*fixture
	account core.AccountID
	nodes   []core.NodeKey
	tags    []core.Tag
	model   []core.Invocation // oldest first
	tasks   map[core.ID][]core.Task
	due     *int // the last moment of a schedule
}

// testListings changes random invocations in every way in which what they are listed by can change, and compares listings by random
// filters, their pages and their totals with what a plain search in memory finds.
func testListings(t *testing.T, f *fixture) {
	account, due := core.AccountID(5000), 0
	rapid.Check(t, func(rt *rapid.T) {
		account++
		a := &archive{
			fixture: f, account: account, nodes: keys(4), tasks: map[core.ID][]core.Task{}, due: &due,
			tags: []core.Tag{{Key: "a", Value: "1"}, {Key: "a", Value: "2"}, {Key: "b", Value: "1"}},
		}
		for range rapid.IntRange(1, 9).Draw(rt, "steps") {
			a.step(rt)
		}
		for range 3 {
			a.compareInvocations(rt)
			a.compareTasks(rt)
			a.compareTagged(rt)
		}
	})
}

func (a *archive) step(rt *rapid.T) {
	steps := []func(*rapid.T){a.create, a.create, a.create, a.move, a.move, a.move, a.retag, a.revise, a.remove}
	if len(a.model) == 0 {
		steps = steps[:1]
	}
	rapid.SampledFrom(steps).Draw(rt, "step")(rt)
	for i := range a.model {
		v, err := a.Invocation(context.Background(), a.account, a.model[i].ID)
		is(rt, "read", err, nil)
		a.model[i] = v
		a.tasks[v.ID] = a.fixture.tasks(rt, v.ID)
	}
}

func (a *archive) create(rt *rapid.T) {
	pick := func(what string, most int) int { return rapid.IntRange(0, most).Draw(rt, what) }
	v := core.Invocation{
		Account: a.account, Command: core.ID(pick("command", 2)), Schedule: core.ID(pick("schedule", 2)),
		Kind: core.InvocationKind(pick("kind", 3)), ResourceGroup: []string{"", "x", "y"}[pick("group", 2)], Tags: a.someTags(rt),
		Repeat: []core.RepeatMode{"", core.Once, core.Period}[pick("repeat", 2)], Principal: []string{core.RootUser, "alice", "bob"}[pick("principal", 2)],
		Definition: core.Definition{
			Name: []string{"", "x", "y"}[pick("name", 2)], Type: []core.CommandType{core.Shell, core.PowerShell}[pick("type", 1)],
		},
	}
	*a.due++
	v.Due = at(*a.due)
	nodes := slices.Clone(a.nodes[:pick("nodes", len(a.nodes))])
	a.model = append(a.model, a.insert(rt, v, nodes...))
}

func (a *archive) someTags(rt *rapid.T) []core.Tag {
	list := [][]core.Tag{nil, a.tags[:1], a.tags[1:2], a.tags[1:], {a.tags[0], a.tags[2]}}
	return rapid.SampledFrom(list).Draw(rt, "tags")
}

func (a *archive) any(rt *rapid.T) *core.Invocation {
	return &a.model[rapid.IntRange(0, len(a.model)-1).Draw(rt, "invocation")]
}

// move changes the states of some tasks of two invocations in one call.
func (a *archive) move(rt *rapid.T) {
	var ids []core.TaskID
	for range 2 {
		for _, task := range a.tasks[a.any(rt).ID] {
			if rapid.Bool().Draw(rt, "moves") {
				ids = append(ids, task.ID)
			}
		}
	}
	s := core.State(rapid.IntRange(0, core.NumStates-1).Draw(rt, "state"))
	is(rt, "change", a.ChangeTasks(context.Background(), ids, func(t *core.Task) bool { t.State = s; return true }), nil)
}

func (a *archive) retag(rt *rapid.T) {
	tags := a.someTags(rt)
	is(rt, "tag", a.ChangeTags(context.Background(), a.account, core.KindInvocation, []int64{int64(a.any(rt).ID)},
		func([]core.Tag) ([]core.Tag, error) { return tags, nil }), nil)
}

// revise changes the command and adds a task.
func (a *archive) revise(rt *rapid.T) {
	v := a.any(rt)
	is(rt, "revise", a.ReviseInvocation(context.Background(), a.account, v.ID, func(v *core.Invocation) ([]core.Task, error) {
		v.Command = core.ID(rapid.IntRange(0, 2).Draw(rt, "command"))
		id := core.TaskID{Invocation: v.ID, Index: uint32(len(a.tasks[v.ID]))}
		return []core.Task{{ID: id, Node: a.nodes[0] + 10, State: core.Running, UpdatedAt: at(9)}}, nil
	}), nil)
}

func (a *archive) remove(rt *rapid.T) {
	gone, err := a.DeleteInvocations(context.Background(), a.account, a.any(rt).ID, rapid.IntRange(1, 5).Draw(rt, "rows"))
	is(rt, "delete", err, nil)
	a.model = slices.DeleteFunc(a.model, func(v core.Invocation) bool { return slices.Contains(gone, v.ID) })
}

// some draws a filter's list, mostly an empty one.
func some[T any](rt *rapid.T, what string, values ...T) []T {
	if rapid.IntRange(0, 2).Draw(rt, what+" wanted") > 0 {
		return nil
	}
	return rapid.SliceOfN(rapid.SampledFrom(values), 1, 2).Draw(rt, what)
}

// one is some for a field with one value.
func one[T any](rt *rapid.T, what string, values ...T) (v T) {
	if list := some(rt, what, values...); len(list) > 0 {
		v = list[0]
	}
	return v
}

func in[T comparable](list []T, v T) bool { return len(list) == 0 || slices.Contains(list, v) }

func (a *archive) compareInvocations(rt *rapid.T) {
	f := core.InvocationFilter{
		Account: a.account, Kinds: some(rt, "kinds", core.KindOnce, core.KindStanding, core.KindFile), Commands: some[core.ID](rt, "commands", 0, 1, 7),
		Schedules: some[core.ID](rt, "schedules", 1, 2), CommandName: one(rt, "name", "x", "z"), Type: one(rt, "type", core.Shell),
		Repeat: one(rt, "repeat", core.Period), Open: one(rt, "open", true), ResourceGroup: one(rt, "group", "x"), Tags: some(rt, "tags", a.tags...),
		Nodes: some(rt, "nodes", a.nodes[0], a.nodes[2], -1), Principal: one(rt, "principal", "bob", core.RootUser),
	}
	if rapid.Bool().Draw(rt, "keep") {
		f.Keep = allSucceeded
	}
	if len(f.Nodes) > 0 {
		f.States = some(rt, "states", core.Queued, core.Succeeded)
	}
	if len(a.model) > 0 && rapid.IntRange(0, 3).Draw(rt, "by id") == 0 {
		f.IDs = []core.ID{a.any(rt).ID, a.any(rt).ID, 5}
	}
	var want []core.Invocation
	for _, v := range newest(a.model) {
		if in(f.IDs, v.ID) && in(f.Kinds, v.Kind) && in(f.Commands, v.Command) && in(f.Schedules, v.Schedule) &&
			(f.CommandName == "" || v.Name == f.CommandName) && (f.Type == "" || v.Type == f.Type) &&
			(f.Repeat == "" || v.Repeat == f.Repeat) && (!f.Open || v.Counts.Open() > 0) &&
			(f.ResourceGroup == "" || v.ResourceGroup == f.ResourceGroup) && hasTags(v.Tags, f.Tags) &&
			(f.Principal == "" || v.Principal == f.Principal) &&
			(f.Keep == nil || f.Keep(&v)) && a.targets(v.ID, f.Nodes, f.States) {
			want = append(want, v)
		}
	}
	comparePages(rt, f, want, a.ListInvocations, invocationCursor)
}

func (a *archive) targets(id core.ID, nodes []core.NodeKey, states []core.State) bool {
	return len(nodes) == 0 || slices.ContainsFunc(a.tasks[id], func(t core.Task) bool {
		return slices.Contains(nodes, t.Node) && in(states, t.State)
	})
}

func (a *archive) compareTasks(rt *rapid.T) {
	f := core.TaskFilter{
		Account: a.account, Kinds: some(rt, "kinds", core.KindOnce, core.KindStanding, core.KindFile), Commands: some[core.ID](rt, "commands", 0, 1, 7),
		Schedules: some[core.ID](rt, "schedules", 1, 2), ResourceGroup: one(rt, "group", "x"), Tags: some(rt, "tags", a.tags...),
		Nodes:  some(rt, "nodes", a.nodes[0], a.nodes[2], -1),
		States: some(rt, "states", core.Queued, core.Succeeded, core.Failed, core.Lost, core.State(core.NumStates)), Output: true,
	}
	if len(a.model) > 0 && rapid.IntRange(0, 3).Draw(rt, "by id") == 0 {
		f.Invocations = []core.ID{a.any(rt).ID, a.any(rt).ID, 5}
	}
	var want []core.Task
	for _, v := range newest(a.model) {
		for _, t := range a.tasks[v.ID] {
			if in(f.Invocations, v.ID) && in(f.Kinds, v.Kind) && in(f.Commands, v.Command) && in(f.Schedules, v.Schedule) &&
				(f.ResourceGroup == "" || v.ResourceGroup == f.ResourceGroup) && hasTags(v.Tags, f.Tags) &&
				in(f.Nodes, t.Node) && in(f.States, t.State) {
				want = append(want, t)
			}
		}
	}
	comparePages(rt, f, want, a.ListTasks, taskCursor)
}

func (a *archive) compareTagged(rt *rapid.T) {
	f := core.TaggedFilter{Account: a.account, Tags: some(rt, "tags", a.tags...), TagKeys: some(rt, "keys", "a", "b")}
	for _, key := range some(rt, "choices", "a", "b") {
		f.Choices = append(f.Choices, core.Choice{Key: key, Values: some(rt, "values", "1", "2", "3")})
	}
	var want []core.Tagged
	for _, v := range newest(a.model) {
		has := func(key string, values []string) bool {
			return slices.ContainsFunc(v.Tags, func(t core.Tag) bool { return t.Key == key && in(values, t.Value) })
		}
		if hasTags(v.Tags, f.Tags) && !slices.ContainsFunc(f.TagKeys, func(key string) bool { return !has(key, nil) }) &&
			!slices.ContainsFunc(f.Choices, func(c core.Choice) bool { return !has(c.Key, c.Values) }) {
			want = append(want, core.Tagged{Key: int64(v.ID), ID: v.ID.String(), Tags: v.Tags})
		}
	}
	comparePages(rt, f, want, func(ctx context.Context, f core.TaggedFilter, p core.Page) ([]core.Tagged, int, error) {
		rows, err := a.ListTagged(ctx, core.KindInvocation, f, p)
		return rows, len(want), err
	}, func(t *core.Tagged) core.Cursor { return core.Cursor{A: t.Key} })
}

// comparePages reads a listing as a whole, from an offset, and page by page.
func comparePages[F, T any](
	rt *rapid.T, f F, want []T, list func(context.Context, F, core.Page) ([]T, int, error), cursor func(*T) core.Cursor,
) {
	ctx := context.Background()
	all, total, err := list(ctx, f, everything)
	is(rt, "list", err, nil)
	same(rt, fmt.Sprintf("%+v", f), want, all)
	same(rt, fmt.Sprintf("total of %+v", f), len(want), total)
	size := rapid.IntRange(1, 4).Draw(rt, "page")
	offset := rapid.IntRange(0, len(want)).Draw(rt, "offset")
	some, _, err := list(ctx, f, core.Page{Offset: offset, Limit: size})
	is(rt, "list", err, nil)
	same(rt, fmt.Sprintf("%d from %d of %+v", size, offset, f), want[offset:min(offset+size, len(want))], some)
	var paged []T
	for p := (core.Page{Limit: size}); ; {
		rows, _, err := list(ctx, f, p)
		is(rt, "list", err, nil)
		paged = append(paged, rows...)
		if len(rows) < size || len(paged) > len(want) {
			break
		}
		c := cursor(&rows[len(rows)-1])
		p.After = &c
	}
	same(rt, fmt.Sprintf("pages of %d of %+v", size, f), want, paged)
}
