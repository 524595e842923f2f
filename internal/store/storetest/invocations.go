package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"errand/internal/core"
	"errand/internal/schedule"
)

func fullInvocation(id core.ID) core.Invocation {
	return core.Invocation{
		ID: id, Account: mine, Region: "r1", Origin: core.OriginTAT, Principal: "alice", Reason: "why", RetryOf: 78,
		Selection: core.Selection{Expr: "role=web", Exclude: "web1", Pick: core.Share{Count: 3, Percent: 0.5}, Seed: 1<<64 - 1}, Command: 99, Saved: true, Definition: fullDefinition(),
		Params: map[string]string{"x": "2"}, Script: []byte("echo 2\xff"), KillTree: true, Termination: "ProcessTree", ContainerID: "c1",
		ContainerName: "cname", Repeat: core.Once, DeliverWithin: time.Minute, ClientToken: "token", RequestHash: "hash", ResourceGroup: "rg",
		Tags: []core.Tag{{Key: "b", Value: "2"}, {Key: "a", Value: "1"}}, Extra: map[string]string{"Timed": "false"},
		CreatedAt: at(1), StartedAt: at(2), EndedAt: at(3), UpdatedAt: at(4),
		Policy: schedule.Policy{Overlap: schedule.AllowOverlap, Missed: 7, Jitter: time.Minute},
		Outlet: core.AccountOutlet, Kind: core.KindFile, Schedule: 77, Due: at(5), Frequency: "rate(60s)", Revision: 3, RevisedAt: at(6),
		Resources: &core.Resources{
			Nice: -3, IO: core.IOBestEffort, IOLevel: 5, CPU: 1500, Memory: 1 << 40, Processes: 9, OpenFiles: 99, FileSize: 1 << 30, CoreSize: new(int64),
		},
		Pace: &core.Pace{
			Concurrency: core.Share{Percent: 12.5}, Steps: []core.Share{{Count: 1}, {Percent: 10}}, MaxFailures: &core.Share{Count: 3}, Probe: "true",
			ProbeTimeout: time.Second, PauseAfterStep: true,
		},
		Pacing: &core.Pacing{
			State: core.PaceProbing, Paused: true, Why: "why", Step: 1, Released: 2, Forgiven: 3, Probe: 4, ProbeDue: at(7), Done: true, Since: at(8),
		},
		Login: true, Power: true, Secrets: map[string]string{"A": "sealed"}, Hidden: true,
		File: &core.File{Name: "n", Dir: "/d", Mode: "0644", Owner: "o", Group: "g", Overwrite: true, ContentType: "Base64"},
		Transfer: &core.Transfer{
			Parcel: 7, To: &core.File{Name: "n", Dir: "/d"}, Size: 1 << 40, Hash: "ab", Paths: []string{"/a", "/b"}, Follow: true, Most: 9,
		},
	}
}

func invocationCursor(v *core.Invocation) core.Cursor { return core.Cursor{A: int64(v.ID)} }

func testInvocationRoundTrip(t *testing.T, f *fixture) {
	ctx := t.Context()
	full := fullInvocation(f.id())
	var tasks []core.Task
	for s := range core.State(core.NumStates) {
		for range s + 1 {
			id := core.TaskID{Invocation: full.ID, Index: uint32(len(tasks))}
			tasks = append(tasks, core.Task{ID: id, Node: core.NodeKey(1 + len(tasks)), State: s})
			full.Counts[s]++
		}
	}
	filled(t, full)
	is(t, "insert", f.InsertInvocation(ctx, &full, tasks), nil)
	bare := core.Invocation{ID: f.id(), Account: mine}
	is(t, "insert without tasks", f.InsertInvocation(ctx, &bare, nil), nil)
	for _, want := range []core.Invocation{full, bare} {
		got, err := f.Invocation(ctx, mine, want.ID)
		is(t, "read", err, nil)
		same(t, "invocation", want, got)
		rows, _, err := f.ListInvocations(ctx, core.InvocationFilter{IDs: []core.ID{want.ID}}, everything)
		is(t, "list", err, nil)
		same(t, "listed invocation", []core.Invocation{want}, rows)
		_, err = f.Invocation(ctx, other, want.ID)
		is(t, "invocation of another account", err, core.ErrNotFound)
	}
	same(t, "script where it is the content", true, func() bool {
		got, err := f.Invocation(ctx, mine, bare.ID)
		return err == nil && got.Script == nil
	}())
	_, err := f.Invocation(ctx, mine, f.id())
	is(t, "invocation that was never made", err, core.ErrNotFound)
}

func testInvocationUniqueness(t *testing.T, f *fixture) {
	ctx := t.Context()
	insert := func(id core.ID, account core.AccountID, token string) error {
		task := core.Task{ID: core.TaskID{Invocation: id}, Node: 1}
		return f.InsertInvocation(ctx, &core.Invocation{ID: id, Account: account, ClientToken: token}, []core.Task{task})
	}
	first, second := f.id(), f.id()
	is(t, "first", insert(first, mine, "token"), nil)
	is(t, "same token", insert(second, mine, "token"), core.ErrTaken)
	is(t, "same id", insert(first, mine, "another"), core.ErrTaken)
	is(t, "same id in another account", insert(first, other, ""), core.ErrTaken)
	is(t, "same token in another account", insert(f.id(), other, "token"), nil)
	is(t, "no token", insert(f.id(), mine, ""), nil)
	is(t, "no token again", insert(f.id(), mine, ""), nil)
	same(t, "tasks of a refused invocation", 0, len(f.tasks(t, second)))
	_, total, err := f.ListTasks(ctx, core.TaskFilter{Account: mine}, core.Page{Limit: 1, Count: true})
	is(t, "list", err, nil)
	same(t, "tasks in all", 3, total)

	got, err := f.InvocationByToken(ctx, mine, "token")
	is(t, "by token", err, nil)
	same(t, "id by token", first, got.ID)
	_, err = f.InvocationByToken(ctx, mine, "never")
	is(t, "by a token that was never used", err, core.ErrNotFound)
	_, err = f.InvocationByToken(ctx, mine, "")
	is(t, "by no token", err, core.ErrNotFound)
}

func testInvocationFilters(t *testing.T, f *fixture) {
	ctx := t.Context()
	nodes := keys(6)
	var rows []core.Invocation
	for i := range 24 {
		v := core.Invocation{
			Account: mine, Command: core.ID(50 + i%5), ResourceGroup: fmt.Sprint("rg", i%4), Kind: core.InvocationKind(i % 8 / 2),
			Repeat:     []core.RepeatMode{core.Once, core.DryRun, core.Period}[i%3],
			Definition: core.Definition{Name: fmt.Sprint("name", i%3), Type: []core.CommandType{core.Shell, core.Bat}[i%2]},
		}
		v.Principal, v.Origin = []string{core.RootUser, "alice", "bob"}[i%3], []core.Origin{core.OriginNative, core.OriginTAT}[i/2%2]
		if i%5 == 0 {
			v.RetryOf = core.ID(70 + i%2)
		}
		if i%2 == 0 {
			v.Tags = []core.Tag{{Key: "n", Value: fmt.Sprint(i % 4)}}
		}
		theirs := v
		theirs.Account = other
		f.insert(t, theirs, nodes...)
		v = f.insert(t, v, nodes[i%6], nodes[(i+1)%6])
		if i%7 < 4 {
			f.set(t, v.ID, core.Succeeded, at(i), 0, 1)
		}
		v, err := f.Invocation(ctx, mine, v.ID)
		is(t, "read", err, nil)
		rows = append(rows, v)
	}
	targets := func(id core.ID, wanted ...int) bool {
		for i := range rows {
			for _, n := range wanted {
				if rows[i].ID == id && (i%6 == n || (i+1)%6 == n) {
					return true
				}
			}
		}
		return false
	}
	type filter = core.InvocationFilter
	l := listing[filter, core.Invocation]{
		base: filter{Account: mine}, rows: newest(rows), list: f.ListInvocations, cursor: invocationCursor,
		parts: []part[filter, core.Invocation]{
			{
				"ids", func(f *filter) { f.IDs = []core.ID{rows[5].ID, rows[6].ID, 5, rows[12].ID, rows[12].ID} },
				func(v *core.Invocation) bool { return v.ID == rows[5].ID || v.ID == rows[6].ID || v.ID == rows[12].ID },
			},
			{
				"commands", func(f *filter) { f.Commands = []core.ID{50, 53, 49} },
				func(v *core.Invocation) bool { return v.Command == 50 || v.Command == 53 },
			},
			{
				"nodes", func(f *filter) { f.Nodes = []core.NodeKey{nodes[2], -1, nodes[4]} },
				func(v *core.Invocation) bool { return targets(v.ID, 2, 4) },
			},
			{"name", func(f *filter) { f.CommandName = "name1" }, func(v *core.Invocation) bool { return v.Name == "name1" }},
			{"type", func(f *filter) { f.Type = core.Bat }, func(v *core.Invocation) bool { return v.Type == core.Bat }},
			{"repeat", func(f *filter) { f.Repeat = core.Period }, func(v *core.Invocation) bool { return v.Repeat == core.Period }},
			{"principal", func(f *filter) { f.Principal = "alice" }, func(v *core.Invocation) bool { return v.Principal == "alice" }},
			{"origin", func(f *filter) { f.Origin = core.OriginTAT }, func(v *core.Invocation) bool { return v.Origin == core.OriginTAT }},
			{"retries", func(f *filter) { f.RetryOf = 71 }, func(v *core.Invocation) bool { return v.RetryOf == 71 }},
			{"from", func(f *filter) { f.From = rows[9].ID }, func(v *core.Invocation) bool { return v.ID >= rows[9].ID }},
			{
				"all succeeded", func(f *filter) { f.Keep = allSucceeded }, func(v *core.Invocation) bool { return allSucceeded(v) },
			},
			{
				"kinds", func(f *filter) { f.Kinds = core.Runs },
				func(v *core.Invocation) bool { return slices.Contains(core.Runs, v.Kind) },
			},
			{"open", func(f *filter) { f.Open = true }, func(v *core.Invocation) bool { return v.Counts.Open() > 0 }},
			{"group", func(f *filter) { f.ResourceGroup = "rg2" }, func(v *core.Invocation) bool { return v.ResourceGroup == "rg2" }},
			{
				"tag", func(f *filter) { f.Tags = []core.Tag{{Key: "n", Value: "2"}} },
				func(v *core.Invocation) bool { return hasTags(v.Tags, []core.Tag{{Key: "n", Value: "2"}}) },
			},
		},
	}
	l.check(t)
	one := part[filter, core.Invocation]{
		"node and command", func(f *filter) { f.Nodes, f.Commands = []core.NodeKey{nodes[1]}, []core.ID{51} },
		func(v *core.Invocation) bool { return targets(v.ID, 1) && v.Command == 51 },
	}
	l.try(t, one.name, one)
	root := part[filter, core.Invocation]{
		"root", func(f *filter) { f.Principal = core.RootUser }, func(v *core.Invocation) bool { return v.Principal == core.RootUser },
	}
	l.try(t, root.name, root)
	nobody := part[filter, core.Invocation]{
		"unknown node", func(f *filter) { f.Nodes = []core.NodeKey{-1} }, func(*core.Invocation) bool { return false },
	}
	l.try(t, nobody.name, nobody)
}

func allSucceeded(v *core.Invocation) bool { return v.Counts.Of(core.Succeeded) == v.Counts.Total() }

func testOpenInvocations(t *testing.T, f *fixture) {
	ctx := t.Context()
	var want []core.Invocation
	for i := range 6 {
		v := f.invocation(t, []core.AccountID{mine, other}[i%2], keys(3)...)
		switch i {
		case 2: // partly over
			f.set(t, v.ID, core.Running, at(1), 1)
			f.set(t, v.ID, core.Succeeded, at(1), 0, 2)
		case 1, 4: // over
			f.set(t, v.ID, core.Succeeded, at(1), 0, 1, 2)
			continue
		}
		v, err := f.Invocation(ctx, v.Account, v.ID)
		is(t, "read", err, nil)
		want = append(want, v)
	}
	got, err := f.OpenInvocations(ctx)
	is(t, "open invocations", err, nil)
	same(t, "open invocations", want, got)
	tasks, err := f.OpenTasks(ctx, want[1].ID)
	is(t, "open tasks", err, nil)
	var open []uint32
	for _, task := range tasks {
		open = append(open, task.ID.Index)
	}
	same(t, "open tasks", []uint32{1}, open)
}
