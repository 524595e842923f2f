package sqlite

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

func openTest(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "errand.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// plan returns the steps in which the database would run a query.
func plan(t *testing.T, s *Store, text string, args []any) (steps []string) {
	t.Helper()
	err := s.read(context.Background(), func(conn *sqlite.Conn) error {
		return query(conn, "EXPLAIN QUERY PLAN "+text, func(r *row) error {
			r.col = 3
			steps = append(steps, r.text())
			return nil
		}, args...)
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return steps
}

// TestPlans looks at how the database goes about the main listings: no table that grows is read as a whole, and rows come out of an index in
// order, so that a page costs what its rows cost.
func TestPlans(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	const order = " LIMIT 50"
	nodes := func(f core.NodeFilter) (string, []any) {
		l := listNodes(&f)
		return l.query(nodeColumns, " ORDER BY n.key DESC"+order), l.args
	}
	commands := func(f core.CommandFilter) (string, []any) {
		l := listCommands(&f)
		return l.query(commandColumns, " ORDER BY c.id DESC"+order), l.args
	}
	invocations := func(f core.InvocationFilter) (string, []any) {
		l := listPlain(&f)
		return l.query(invocationColumns, " ORDER BY v.id DESC"+order), l.args
	}
	marks := func(from string, also ...[]int64) func() (string, []any) {
		l := (&found{place{1, 2}, also}).listing(from)
		l.and("m.invocation < ?", 9)
		return func() (string, []any) { return l.query("m.invocation", " ORDER BY m.invocation DESC"+order), l.args }
	}
	tagged := func(kind core.Kind, f core.TaggedFilter) func() (string, []any) {
		return func() (string, []any) {
			c, err := carrierOf(kind)
			if err != nil {
				t.Fatal(err)
			}
			l := c.listing(&f)
			return l.query(c.key+", "+c.tags, " ORDER BY "+c.key+" DESC"+order), l.args
		}
	}
	walk := func(f core.TaskFilter) (string, []any) {
		l := (&taskWalk{f: &f}).listing(100)
		return l.query("v.id, v.part, v.counts", " ORDER BY v.id DESC"+order), l.args
	}
	inside := func(f core.TaskFilter) (string, []any) {
		l := (&taskWalk{f: &f}).tasks(&visited{at: core.Cursor{A: 7}, part: 1}, 5)
		return l.query(taskColumnsOutput, " ORDER BY t.idx"+order), l.args
	}
	byNode := func(f core.TaskFilter) (string, []any) {
		l := nodeListing(1, core.KindOnce, orders(&f))
		l.ofInvocation(&f)
		l.and("p.first <= ? AND t.invocation <= ? AND (t.invocation < ? OR t.idx > ?)", 1, 1, 1, 1)
		return l.query("t.invocation, t.idx", " ORDER BY "+nodeOrder+order), l.args
	}
	byName := func(f core.TaskFilter) (string, []any) {
		l := listByName(&f)
		return l.query("t.invocation, t.idx", " ORDER BY t.invocation DESC, t.idx"+order), l.args
	}
	text := func(s string, args ...any) func() (string, []any) {
		return func() (string, []any) { return s, args }
	}
	schedules := func(f core.ScheduleFilter) func() (string, []any) {
		l := listSchedules(&f)
		return text(l.query(scheduleColumns, " ORDER BY id DESC"+order), l.args...)
	}
	firings := func(f core.FiringFilter) func() (string, []any) {
		l := listFirings(&f)
		return text(l.query(firingColumns, " ORDER BY id DESC"+order), l.args...)
	}
	sessions := func(f core.SessionFilter) func() (string, []any) {
		l := listSessions(&f)
		return text(l.query(sessionColumns, " ORDER BY id DESC"+order), l.args...)
	}
	records := func(f core.RecordFilter) func() (string, []any) {
		l := listRecords(&f)
		return text(l.query(recordColumns, " ORDER BY "+recordOrder+order), l.args...)
	}
	tests := []struct {
		name  string
		query func() (string, []any)
		uses  []string
		sorts bool
	}{
		{name: "sessions", query: sessions(core.SessionFilter{Account: 1}), uses: []string{"sessions_account (account=?)"}},
		{
			name: "sessions of a node", query: sessions(core.SessionFilter{Account: 1, Nodes: []core.NodeKey{1}}),
			uses: []string{"connections_node (node=?)"}, sorts: true,
		},
		{name: "open sessions", query: sessions(core.SessionFilter{Open: true}), uses: []string{"sessions_unended"}},
		{name: "open sessions, counted", query: text(openSessions, 1, "r"), uses: []string{"sessions_open (account=? AND region=?)"}},
		{name: "connected sessions", query: text(connectedSessions, 1), uses: []string{"connections_connected (node=?)"}},
		{name: "nth session", query: text(nthSession, 1, 1000), uses: []string{"sessions_account (account=?)"}},
		{name: "old sessions", query: text(oldSessions, 1, 7, 1000), uses: []string{"sessions_account (account=? AND rowid<?)"}},
		{name: "recordings", query: records(core.RecordFilter{Account: 1}), uses: []string{"recordings_account (account=?)"}, sorts: true},
		{
			name: "recordings of a node", query: records(core.RecordFilter{Account: 1, Nodes: []core.NodeKey{1}}),
			uses: []string{"recordings_node (node=?)"}, sorts: true,
		},
		{
			name: "tagged nodes", query: tagged(core.KindNode, core.TaggedFilter{Account: 1}),
			uses: []string{"nodes_account (account=?)"},
		},
		{
			name: "tagged commands", query: tagged(core.KindCommand, core.TaggedFilter{Account: 1}),
			uses: []string{"commands_account (account=?)"},
		},
		{
			name: "tagged invocations by key", query: tagged(core.KindInvocation, core.TaggedFilter{Account: 1, Keys: []int64{1, 2}}),
			uses: []string{"rowid=?"}, sorts: true,
		},
		{name: "nodes", query: func() (string, []any) { return nodes(core.NodeFilter{Account: 1}) }, uses: []string{"nodes_account (account=?)"}},
		{
			name: "free nodes", query: func() (string, []any) { return nodes(core.NodeFilter{Account: 1, NoTagKey: "cluster"}) },
			uses: []string{"nodes_account (account=?)"},
		},
		{
			name: "nodes with a tag", query: func() (string, []any) { return nodes(core.NodeFilter{Account: 1, TagKeys: []string{"cluster"}}) },
			uses: []string{"nodes_account (account=?)"},
		},
		{
			name:  "nodes by id",
			query: func() (string, []any) { return nodes(core.NodeFilter{Account: 1, IDs: []string{"a", "b"}}) },
			uses:  []string{"(account=? AND id=?)"}, sorts: true,
		},
		{
			name: "nodes ever by id",
			query: func() (string, []any) {
				return nodes(core.NodeFilter{Account: 1, IDs: []string{"a", "b"}, Removed: true})
			},
			uses: []string{"nodes_ever_id (account=? AND id=?)"}, sorts: true,
		},
		{
			name: "nodes by key",
			query: func() (string, []any) {
				return nodes(core.NodeFilter{Account: 1, Keys: []core.NodeKey{1, 2}, Removed: true})
			},
			uses: []string{"rowid=?"}, sorts: true,
		},
		{
			name:  "nodes by name",
			query: func() (string, []any) { return nodes(core.NodeFilter{Account: 1, Names: []string{"a"}}) },
			uses:  []string{"nodes_name (account=? AND name=?)"},
		},
		{
			name:  "nodes by names",
			query: func() (string, []any) { return nodes(core.NodeFilter{Account: 1, Names: []string{"a", "b"}}) },
			uses:  []string{"nodes_name (account=? AND name=?)"}, sorts: true,
		},
		{
			name:  "nodes by machine",
			query: func() (string, []any) { return nodes(core.NodeFilter{Account: 1, MachineID: "a"}) },
			uses:  []string{"nodes_machine (account=? AND machine_id=?)"},
		},
		{
			name:  "commands",
			query: func() (string, []any) { return commands(core.CommandFilter{Account: 1}) },
			uses:  []string{"commands_account (account=?)"},
		},
		{
			name:  "commands by name",
			query: func() (string, []any) { return commands(core.CommandFilter{Account: 1, Name: core.Pattern{Text: "a"}}) },
			uses:  []string{"commands_name (account=? AND name=?)"},
		},
		{
			name:  "invocations",
			query: func() (string, []any) { return invocations(core.InvocationFilter{Account: 1}) },
			uses:  []string{"invocations_account (account=?)"},
		},
		{
			name: "invocations by id",
			query: func() (string, []any) {
				l, err := listNamed(nil, &core.InvocationFilter{Account: 1, IDs: []core.ID{1, 2}, Nodes: []core.NodeKey{3}})
				if err != nil {
					t.Fatal(err)
				}
				return l.query(invocationColumns, " ORDER BY v.id DESC"+order), l.args
			},
			uses: []string{"rowid=?", "tasks_node (part=? AND node=? AND invocation=?"}, sorts: true,
		},
		{name: "marks", query: marks("marks m"), uses: []string{"PRIMARY KEY (facet=? AND class=? AND invocation<?)"}},
		{
			name: "marks of two facets", query: marks("marks m", []int64{1, 2}),
			uses: []string{"m USING PRIMARY KEY (facet=? AND class=? AND invocation<?)", "x USING PRIMARY KEY (facet=? AND class=? AND invocation=?)"},
		},
		{
			name:  "tasks of an account",
			query: func() (string, []any) { return walk(core.TaskFilter{Account: 1}) },
			uses:  []string{"invocations_account (account=?"},
		},
		{
			name:  "tasks of invocations",
			query: func() (string, []any) { return walk(core.TaskFilter{Account: 1, Invocations: []core.ID{1, 2}}) },
			uses:  []string{"rowid=?"}, sorts: true,
		},
		{
			name:  "tasks of one invocation",
			query: func() (string, []any) { return inside(core.TaskFilter{}) },
			uses:  []string{"PRIMARY KEY (invocation=? AND idx>?)"},
		},
		{
			name: "tasks of one invocation that failed", query: text(badTasks, 1, 7, 0, 9),
			uses: []string{"COVERING INDEX tasks_bad (invocation=? AND state=? AND idx>?)"},
		},
		{
			name: "held tasks of one invocation", query: text(countHeld, 1, 9),
			uses: []string{"COVERING INDEX tasks_held (invocation=? AND idx<?)"},
		},
		{
			name: "the first of them", query: text(firstHeld, 1, 9),
			uses: []string{"COVERING INDEX tasks_held (invocation=?)"},
		},
		{
			name:  "tasks of one invocation on nodes",
			query: func() (string, []any) { return inside(core.TaskFilter{Nodes: []core.NodeKey{1, 2}}) },
			uses:  []string{"tasks_node (part=? AND node=? AND invocation=? AND idx>?)"}, sorts: true,
		},
		{
			name:  "tasks of a node",
			query: func() (string, []any) { return byNode(core.TaskFilter{Account: 1, Nodes: []core.NodeKey{1}}) },
			uses:  []string{"COVERING INDEX tasks_node (part=? AND node=? AND invocation<?)"},
		},
		{
			name: "tasks by name",
			query: func() (string, []any) {
				return byName(core.TaskFilter{Account: 1, IDs: []core.TaskID{{Invocation: 1}}, Nodes: []core.NodeKey{1}})
			},
			uses: []string{"PRIMARY KEY (invocation=? AND idx=?)"}, sorts: true,
		},
		{name: "schedules", query: schedules(core.ScheduleFilter{Account: 1}), uses: []string{"schedules_account (account=?)"}},
		{
			name: "schedules of a command", query: schedules(core.ScheduleFilter{Account: 1, Commands: []core.ID{1}}),
			uses: []string{"schedules_command (command=?)"},
		},
		{name: "due schedules", query: text(selectDue, 1, 9), uses: []string{"schedules_next (next<?)"}},
		{name: "next schedule", query: text(nextDue, 1), uses: []string{"COVERING INDEX schedules_next (next>?)"}},
		{name: "next claim", query: text(nextClaim, 1), uses: []string{"COVERING INDEX schedules_next (next<?)"}},
		{name: "firings", query: firings(core.FiringFilter{Account: 1}), uses: []string{"firings_account (account=?)"}},
		{
			name: "firings of a schedule", query: firings(core.FiringFilter{Account: 1, Schedules: []core.ID{1}}),
			uses: []string{"firings_schedule (schedule=?)"},
		},
		{name: "old firings", query: text(oldFirings, 1, 9), uses: []string{"rowid<?"}},
		{name: "oldest firing", query: text(oldestOfOne, 1), uses: []string{"COVERING INDEX firings_schedule (schedule=?)"}},
		{name: "due deliveries", query: text(dueDeliveries, 1, 9), uses: []string{"deliveries_next_try (next_try<?)"}},
		{
			name: "deliveries of tasks", query: text(deliveriesOf, jsonTasks([]core.TaskID{{Invocation: 1, Index: 2}})),
			uses: []string{"PRIMARY KEY (invocation=? AND idx=?)"},
		},
		{name: "tasks of a node counted", query: text(countTasksOfNode, 1), uses: []string{"COVERING INDEX tasks_node (part=? AND node=?)"}},
		{
			name: "open tasks of a node counted", query: text(countOpenOfNode, 1, 1, 6),
			uses: []string{"tasks_node (part=? AND node=? AND invocation=?)"},
		},
		{
			name: "nth invocation", query: text(nthInvocation, 1, 9),
			uses: []string{"COVERING INDEX invocations_account (account=?)"},
		},
		{name: "old invocations", query: text(oldInvocations, 1, 9), uses: []string{"invocations_account (account=? AND rowid<?)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q, args := tt.query()
			steps := plan(t, s, q, args)
			all := strings.Join(steps, "\n")
			for _, step := range steps {
				// parts has a row for every hundred thousand tasks; j, k and json_each are parameters; e is the tags of one
				// row; few invocations are open.
				scan, ok := strings.CutPrefix(step, "SCAN ")
				if ok && !strings.HasPrefix(scan, "p") && !strings.HasPrefix(scan, "j") && !strings.HasPrefix(scan, "k ") && !strings.HasPrefix(scan, "e ") &&
					!strings.Contains(scan, "invocations_open") {
					t.Errorf("reads a whole table: %s", step)
				}
			}
			for _, want := range tt.uses {
				if !strings.Contains(all, want) {
					t.Errorf("does not use %s", want)
				}
			}
			if !tt.sorts && strings.Contains(all, "TEMP B-TREE") {
				t.Error("sorts")
			}
			if t.Failed() {
				t.Logf("%s\n%s", q, all)
			}
		})
	}
}
