package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"errand/internal/core"
)

func fullDefinition() core.Definition {
	return core.Definition{
		Name: "näme", Description: "<b>&", Type: core.PowerShell, Content: []byte("echo {{x}}\r\n\x00\xff"), WorkDir: "/tmp/ä", User: "root",
		Launcher: "python3 -u", Timeout: 90 * time.Second, ParamsEnabled: true, Defaults: map[string]string{"x": "1", "ÿ": "\n\"<"},
		Sink: core.Sink{Bucket: "bucket", Prefix: "prefix/"},
	}
}

func fullCommand(id core.ID) core.Command {
	return core.Command{
		ID: id, Account: mine, Region: "r1", Definition: fullDefinition(), CreatedAt: at(1), UpdatedAt: at(2), ResourceGroup: "rg",
		Tags: []core.Tag{{Key: "b", Value: "2"}, {Key: "a", Value: "1"}}, Extra: map[string]string{"only": "mine"},
	}
}

func commandCursor(c *core.Command) core.Cursor { return core.Cursor{A: int64(c.ID)} }

func testCommandRoundTrip(t *testing.T, f *fixture) {
	ctx := t.Context()
	full := fullCommand(f.id())
	filled(t, full, "Command.Invocations", "Command.LastInvokedAt")
	for _, want := range []core.Command{full, {ID: f.id(), Account: mine}} {
		is(t, "insert", f.InsertCommand(ctx, want, false), nil)
		got, err := f.Command(ctx, mine, want.ID)
		is(t, "read", err, nil)
		same(t, "command", want, got)
		_, err = f.Command(ctx, other, want.ID)
		is(t, "command of another account", err, core.ErrNotFound)
	}
	_, err := f.Command(ctx, mine, f.id())
	is(t, "command that was never made", err, core.ErrNotFound)
}

func testCommandUniqueness(t *testing.T, f *fixture) {
	ctx := t.Context()
	insert := func(account core.AccountID, region, name string, unique bool) error {
		return f.InsertCommand(ctx, core.Command{ID: f.id(), Account: account, Region: region, Definition: core.Definition{Name: name}}, unique)
	}
	is(t, "first", insert(mine, "r1", "a", true), nil)
	is(t, "same name", insert(mine, "r1", "a", true), core.ErrTaken)
	is(t, "same name where that is allowed", insert(mine, "r1", "a", false), nil)
	is(t, "another region", insert(mine, "r2", "a", true), nil)
	is(t, "another account", insert(other, "r1", "a", true), nil)
	is(t, "another case", insert(mine, "r1", "A", true), nil)
	c := core.Command{ID: f.id(), Account: mine}
	is(t, "insert", f.InsertCommand(ctx, c, false), nil)
	is(t, "same id", f.InsertCommand(ctx, c, false), core.ErrTaken)
	c.Account = other
	is(t, "same id in another account", f.InsertCommand(ctx, c, false), core.ErrTaken)
}

// testCommandRename gives a command the name of another one.
func testCommandRename(t *testing.T, f *fixture) {
	ctx := t.Context()
	insert := func(region, name string) core.ID {
		t.Helper()
		id := f.id()
		is(t, "insert", f.InsertCommand(ctx, core.Command{
			ID: id, Account: mine, Region: region, Definition: core.Definition{Name: name},
		}, false), nil)
		return id
	}
	first, twin := insert("r1", "a"), insert("r1", "a")
	insert("r1", "b")
	insert("r2", "c")
	rename := func(id core.ID, name string, unique bool) error {
		return f.ChangeCommand(ctx, mine, id, unique, func(c *core.Command) error { c.Name = name; return nil })
	}
	is(t, "to one that is taken", rename(first, "b", true), core.ErrTaken)
	is(t, "to one that is taken elsewhere", rename(first, "c", true), nil)
	is(t, "to its own", rename(first, "c", true), nil)
	is(t, "to its own, which is another's too", rename(twin, "a", true), nil)
	is(t, "to one that is taken, where that is allowed", rename(twin, "b", false), nil)
	got, err := f.Command(ctx, mine, first)
	is(t, "read", err, nil)
	same(t, "name", "c", got.Name)
}

func testCommandChange(t *testing.T, f *fixture) {
	ctx := t.Context()
	before := core.Command{ID: f.id(), Account: mine, CreatedAt: at(1)}
	is(t, "insert", f.InsertCommand(ctx, before, false), nil)
	want := fullCommand(before.ID)
	is(t, "change", f.ChangeCommand(ctx, mine, want.ID, false, func(c *core.Command) error {
		same(t, "command given to change", before, *c)
		*c = want
		return nil
	}), nil)
	refusal := errors.New("refused")
	is(t, "refused change", f.ChangeCommand(ctx, mine, want.ID, false, func(c *core.Command) error {
		c.Name = "changed all the same"
		return refusal
	}), refusal)
	never := func(*core.Command) error {
		t.Error("change was called without a command")
		return nil
	}
	is(t, "change in another account", f.ChangeCommand(ctx, other, want.ID, false, never), core.ErrNotFound)
	is(t, "change of no command", f.ChangeCommand(ctx, mine, f.id(), false, never), core.ErrNotFound)
	got, err := f.Command(ctx, mine, want.ID)
	is(t, "read", err, nil)
	same(t, "changed command", want, got)
}

func testCommandDelete(t *testing.T, f *fixture) {
	ctx := t.Context()
	var ids []core.ID
	for range 4 {
		id := f.id()
		is(t, "insert", f.InsertCommand(ctx, core.Command{ID: id, Account: mine}, false), nil)
		ids = append(ids, id)
	}
	theirs := f.id()
	is(t, "insert", f.InsertCommand(ctx, core.Command{ID: theirs, Account: other}, false), nil)
	for range 2 {
		f.insert(t, core.Invocation{Account: mine, Command: ids[0], Saved: true}, keys(2)...)
	}
	over := f.insert(t, core.Invocation{Account: mine, Command: ids[1], Saved: true}, keys(1)...)
	f.set(t, over.ID, core.Failed, at(1), 0)

	left := func(want ...core.ID) {
		t.Helper()
		rows, _, err := f.ListCommands(ctx, core.CommandFilter{Account: mine}, everything)
		is(t, "list", err, nil)
		var got []core.ID
		for _, c := range newest(rows) {
			got = append(got, c.ID)
		}
		same(t, "commands left", want, got)
	}
	any := func(core.ID, int, int) error { return nil }
	refusal := errors.New("in use")
	is(t, "one is missing", f.DeleteCommands(ctx, mine, []core.ID{ids[0], f.id(), ids[1]}, any), core.ErrNotFound)
	is(t, "one is of another account", f.DeleteCommands(ctx, mine, []core.ID{ids[0], theirs}, any), core.ErrNotFound)
	is(t, "insert", f.InsertSchedule(ctx, core.Schedule{ID: f.id(), Account: mine, Command: ids[1]}), nil)
	is(t, "insert", f.InsertSchedule(ctx, core.Schedule{ID: f.id(), Account: mine, Command: f.id()}), nil)
	open, scheduled := map[core.ID]int{}, map[core.ID]int{}
	is(t, "refused", f.DeleteCommands(ctx, mine, ids, func(id core.ID, n, schedules int) error {
		open[id], scheduled[id] = n, schedules
		if len(open) == len(ids) {
			return refusal
		}
		return nil
	}), refusal)
	same(t, "open invocations", map[core.ID]int{ids[0]: 2, ids[1]: 0, ids[2]: 0, ids[3]: 0}, open)
	same(t, "schedules", map[core.ID]int{ids[0]: 0, ids[1]: 1, ids[2]: 0, ids[3]: 0}, scheduled)
	left(ids...)
	is(t, "delete", f.DeleteCommands(ctx, mine, []core.ID{ids[2], ids[0], ids[2]}, any), nil)
	left(ids[1], ids[3])
	is(t, "insert what was deleted", f.InsertCommand(ctx, core.Command{ID: ids[2], Account: other}, false), nil)
	is(t, "delete again", f.DeleteCommands(ctx, mine, []core.ID{ids[2]}, any), core.ErrNotFound)
	_, err := f.Invocation(ctx, mine, over.ID)
	is(t, "invocation of a command", err, nil)
	_, err = f.Command(ctx, other, theirs)
	is(t, "command of another account", err, nil)
}

func testCommandRuns(t *testing.T, f *fixture) {
	ctx := t.Context()
	a, b := core.Command{ID: f.id(), Account: mine}, core.Command{ID: f.id(), Account: mine}
	is(t, "insert", f.InsertCommand(ctx, a, false), nil)
	is(t, "insert", f.InsertCommand(ctx, b, false), nil)
	for _, when := range []time.Time{at(1), at(3), at(2)} {
		v := core.Invocation{ID: f.id(), Account: mine, Command: a.ID, Saved: true, CreatedAt: when}
		is(t, "run", f.InsertInvocation(ctx, &v, nil), nil)
	}
	f.invocation(t, mine) // of no stored command
	is(t, "change", f.ChangeCommand(ctx, mine, a.ID, false, func(c *core.Command) error { c.Name = "new"; return nil }), nil)
	a.Name, a.Invocations, a.LastInvokedAt = "new", 3, at(3)
	got, _, err := f.ListCommands(ctx, core.CommandFilter{Account: mine}, everything)
	is(t, "list", err, nil)
	same(t, "commands", []core.Command{b, a}, got)
}

func testCommandFilters(t *testing.T, f *fixture) {
	var rows []core.Command
	for i := range 24 {
		c := core.Command{
			ID: f.id(), Account: mine, ResourceGroup: fmt.Sprint("rg", i%4), Definition: core.Definition{
				Name: fmt.Sprint("name", i%5), Description: fmt.Sprint("text", i%6),
				Type: []core.CommandType{core.Shell, core.PowerShell, core.Bat}[i%3],
			},
		}
		if i%2 == 0 {
			c.Tags = []core.Tag{{Key: "n", Value: fmt.Sprint(i % 4)}, {Key: fmt.Sprint("k", i%3), Value: ""}}
		}
		is(t, "insert", f.InsertCommand(t.Context(), c, false), nil)
		rows = append(rows, c)
		c.ID, c.Account = f.id(), other
		is(t, "insert", f.InsertCommand(t.Context(), c, false), nil)
	}
	type filter = core.CommandFilter
	l := listing[filter, core.Command]{
		base: filter{Account: mine}, rows: newest(rows), list: f.ListCommands, cursor: commandCursor,
		parts: []part[filter, core.Command]{
			{
				"ids", func(f *filter) { f.IDs = []core.ID{rows[5].ID, rows[6].ID, 5, rows[12].ID} },
				func(c *core.Command) bool { return c.ID == rows[5].ID || c.ID == rows[6].ID || c.ID == rows[12].ID },
			},
			{"name", func(f *filter) { f.Name.Text = "name1" }, func(c *core.Command) bool { return c.Name == "name1" }},
			{"description", func(f *filter) { f.Description.Text = "text3" }, func(c *core.Command) bool { return c.Description == "text3" }},
			{
				"types", func(f *filter) { f.Types = []core.CommandType{core.Bat, core.PowerShell} },
				func(c *core.Command) bool { return c.Type != core.Shell },
			},
			{"group", func(f *filter) { f.ResourceGroup = "rg2" }, func(c *core.Command) bool { return c.ResourceGroup == "rg2" }},
			{
				"tag", func(f *filter) { f.Tags = []core.Tag{{Key: "n", Value: "2"}} },
				func(c *core.Command) bool { return hasTags(c.Tags, []core.Tag{{Key: "n", Value: "2"}}) },
			},
			{
				"tag keys", func(f *filter) { f.TagKeys = []string{"n", "k1"} },
				func(c *core.Command) bool { return hasTags(c.Tags, []core.Tag{{Key: "k1", Value: ""}}) },
			},
		},
	}
	l.check(t)
}

func testCommandPatterns(t *testing.T, f *fixture) {
	ctx := t.Context()
	names := []string{"deploy", "Deploy web", "web deploy", "re-deploy all", "deploy%", "ärger", "ÄRGER", ""}
	for _, name := range names {
		c := core.Command{ID: f.id(), Account: mine, Definition: core.Definition{Name: name, Description: "about " + name}}
		is(t, "insert", f.InsertCommand(ctx, c, false), nil)
	}
	tests := []struct {
		pattern core.Pattern
		want    []string
	}{
		{core.Pattern{}, names},
		{core.Pattern{Prefix: true, Suffix: true, Fold: true}, names},
		{core.Pattern{Text: "deploy"}, []string{"deploy"}},
		{core.Pattern{Text: "deploy", Prefix: true}, []string{"deploy", "deploy%"}},
		{core.Pattern{Text: "deploy", Prefix: true, Fold: true}, []string{"deploy", "Deploy web", "deploy%"}},
		{core.Pattern{Text: "deploy", Suffix: true}, []string{"deploy", "web deploy"}},
		{core.Pattern{Text: "DEPLOY", Suffix: true, Fold: true}, []string{"deploy", "web deploy"}},
		{core.Pattern{Text: "deploy", Prefix: true, Suffix: true}, []string{"deploy", "web deploy", "re-deploy all", "deploy%"}},
		{core.Pattern{Text: "DEPLOY", Fold: true}, []string{"deploy"}},
		{core.Pattern{Text: "%", Prefix: true, Suffix: true}, []string{"deploy%"}},
		{core.Pattern{Text: "deplo_"}, nil},
		{core.Pattern{Text: "depl*", Prefix: true}, nil},
		{core.Pattern{Text: "a longer text than any name of them all", Suffix: true}, nil},
		{core.Pattern{Text: "ärger"}, []string{"ärger"}},
	}
	for _, tt := range tests {
		rows, total, err := f.ListCommands(ctx, core.CommandFilter{Account: mine, Name: tt.pattern}, everything)
		is(t, "list", err, nil)
		var got []string
		for _, c := range newest(rows) {
			got = append(got, c.Name)
		}
		same(t, fmt.Sprintf("%+v", tt.pattern), tt.want, got)
		same(t, fmt.Sprintf("total of %+v", tt.pattern), len(tt.want), total)
	}
}
