package sqlite

import (
	"cmp"
	"context"
	"math"
	"slices"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

// ListTasks implements core.Tasks.
//
// A listing by names or by nodes finds its rows in an index. Every other one walks the invocations that hold tasks that match, newest first,
// and takes these of each; the counts in their rows tell which of them lie before the page as a whole, and totals what there are in all.
func (s *Store) ListTasks(ctx context.Context, f core.TaskFilter, p core.Page) (rows []core.Task, total int, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		switch {
		case len(f.IDs) > 0:
			rows, total, err = tasksByName(conn, &f, p)
			return err
		case len(f.Nodes) > 0 && len(f.Invocations) == 0:
			rows, total, err = tasksByNode(conn, &f, p)
			return err
		}
		w := taskWalk{conn: conn, f: &f}
		if p.Count {
			if total, err = w.count(); err != nil {
				return err
			}
		}
		rows, err = w.page(p)
		return err
	})
	return rows, total, named(err, "list tasks")
}

// OpenTasks implements core.Tasks. The tasks come without their output.
func (s *Store) OpenTasks(ctx context.Context, id core.ID) (rows []core.Task, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		rows, err = readTasks(conn, rows, "SELECT "+taskColumns+" FROM tasks t WHERE t.invocation = ? AND t.state < ? ORDER BY t.idx",
			id, int(core.Succeeded))
		return err
	})
	return rows, named(err, "open tasks of %s", id)
}

func readTasks(conn *sqlite.Conn, rows []core.Task, text string, args ...any) ([]core.Task, error) {
	err := query(conn, text, func(r *row) error {
		rows = append(rows, core.Task{})
		return scanTask(r, &rows[len(rows)-1])
	}, args...)
	return rows, err
}

// columns are the columns of a task that a listing asks for.
func columns(f *core.TaskFilter) string {
	if f.Output {
		return taskColumnsOutput
	}
	return taskColumns
}

// stateMask has a bit for each state that the filter lets through.
func stateMask(states []core.State) int64 {
	if len(states) == 0 {
		return math.MaxInt64
	}
	mask := int64(0)
	for _, s := range states {
		mask |= 1 << s
	}
	return mask
}

// ofInvocation adds the conditions on a task's invocation.
func (l *listing) ofInvocation(f *core.TaskFilter) {
	l.account("v.account", f.Account)
	l.kinds(f.Kinds)
	l.schedules(f.Schedules)
	among(l, "v.id", f.Invocations)
	among(l, "v.command", f.Commands)
	l.text("o.resource_group", f.ResourceGroup)
	l.tags("o.tags", f.Tags)
}

// orders is what has to be joined for ofInvocation.
func orders(f *core.TaskFilter) string {
	if f.ResourceGroup != "" || len(f.Tags) > 0 {
		return joinOrders
	}
	return ""
}

// tasksByName lists named tasks.
func tasksByName(conn *sqlite.Conn, f *core.TaskFilter, p core.Page) (rows []core.Task, total int, err error) {
	l := listByName(f)
	if p.Count {
		if total, err = l.count(conn); err != nil {
			return nil, 0, err
		}
	}
	if p.After != nil {
		l.and("t.invocation <= ? AND (t.invocation < ? OR t.idx > ?)", p.After.A, p.After.A, p.After.B)
	}
	err = l.page(conn, columns(f), "t.invocation DESC, t.idx", p, func(r *row) error {
		rows = append(rows, core.Task{})
		return scanTask(r, &rows[len(rows)-1])
	})
	return rows, total, err
}

func listByName(f *core.TaskFilter) *listing {
	l := &listing{
		from: `json_each(?) j CROSS JOIN tasks t ON t.invocation = j.value ->> 0 AND t.idx = j.value ->> 1
			CROSS JOIN invocations v ON v.id = t.invocation` + orders(f),
		args: []any{jsonTasks(f.IDs)},
	}
	among(l, "+t.node", f.Nodes)
	l.ofInvocation(f)
	l.states(f.States)
	return l
}

// tasksByNode lists the tasks of nodes. It first finds the names of the tasks of a page, which takes an index alone, and then reads the rows.
func tasksByNode(conn *sqlite.Conn, f *core.TaskFilter, p core.Page) (rows []core.Task, total int, err error) {
	restrict := func(l *listing) {
		l.ofInvocation(f)
		l.states(f.States)
	}
	if p.Count {
		if total, err = countOnNodes(conn, f.Nodes, f.Kinds, "count(*)", orders(f), restrict); err != nil {
			return nil, 0, err
		}
	}
	lanes, err := nodeLanes(conn, f.Nodes, f.Kinds, orders(f), restrict, false)
	if err != nil {
		return nil, 0, err
	}
	text := "SELECT " + columns(f) + " FROM tasks t WHERE t.invocation = ? AND t.idx = ?"
	err = page(lanes, p, func(v *visited) (err error) {
		rows, err = readTasks(conn, rows, text, v.at.A, v.at.B)
		return err
	})
	return rows, total, err
}

// jsonTasks is a list of tasks as a parameter of json_each, each as its invocation and index.
func jsonTasks(ids []core.TaskID) string {
	ids = sortTasks(ids)
	names := make([][2]uint64, len(ids))
	for i, id := range ids {
		names[i] = [2]uint64{uint64(id.Invocation), uint64(id.Index)}
	}
	return jsonList(names)
}

// taskWalk lists the tasks of the invocations that match a filter, newest first.
type taskWalk struct {
	conn *sqlite.Conn
	f    *core.TaskFilter
}

// invocations calls visit for the invocations up to the newest wanted, until visit returns errStop.
func (w *taskWalk) invocations(newest int64, wanted int, visit func(*visited) error) error {
	if w.plain() {
		l := w.listing(newest)
		return query(w.conn, l.query("v.id, v.part, v.counts", " ORDER BY v.id DESC"), func(r *row) error {
			v := scanVisited(r)
			return visit(&v)
		}, l.args...)
	}
	s, err := w.search()
	if err != nil {
		return err
	}
	after := start
	if newest != math.MaxInt64 {
		after.A = newest + 1
	}
	return merge(s.lanes(true), after, wanted, visit)
}

// plain reports whether invocations are found without marks: they are named, or of any state.
func (w *taskWalk) plain() bool {
	f := w.f
	return len(f.Invocations) > 0 || f.Account == 0 ||
		len(f.Commands)+len(f.Schedules)+len(f.Tags)+len(f.States) == 0 && f.ResourceGroup == ""
}

// search finds the invocations that hold tasks that match.
func (w *taskWalk) search() (*search, error) {
	f, mask := w.f, stateMask(w.f.States)
	return marked(w.conn, &core.InvocationFilter{
		Account: f.Account, Kinds: f.Kinds, Commands: f.Commands, Schedules: f.Schedules, ResourceGroup: f.ResourceGroup, Tags: f.Tags,
		Keep: func(v *core.Invocation) bool {
			c := class(0)
			return int64(c.shaped(&v.Counts))&mask != 0
		},
	})
}

func (w *taskWalk) listing(newest int64) *listing {
	l := &listing{from: "invocations v" + orders(w.f)}
	l.ofInvocation(w.f)
	if newest != math.MaxInt64 {
		l.and("v.id <= ?", newest)
	}
	return l
}

// tasks selects the tasks of one invocation that come after an index.
func (w *taskWalk) tasks(v *visited, after int64) *listing {
	l := &listing{from: "tasks t"}
	switch nodes := existing(w.f.Nodes); {
	case len(nodes) == 1: // comes out of the index in order
		l.from = "tasks t INDEXED BY tasks_node"
		l.and("t.part = ? AND t.node = ?", v.part, nodes[0])
	case len(w.f.Nodes) > 0:
		l.from = "json_each(?) j CROSS JOIN tasks t INDEXED BY tasks_node ON t.part = ? AND t.node = j.value"
		l.args = []any{jsonList(nodes), v.part}
	}
	l.and("t.invocation = ? AND t.idx > ?", v.at.A, after)
	l.states(w.f.States)
	return l
}

// bad reports whether an index leads to the tasks that match.
func (w *taskWalk) bad() bool {
	return len(w.f.Nodes) == 0 && len(w.f.States) > 0 && slices.Min(w.f.States) > core.Succeeded
}

const badTasks = `SELECT t.idx FROM tasks t INDEXED BY tasks_bad WHERE t.invocation = ? AND t.state = ? AND t.state > 6 AND t.idx > ?
	ORDER BY t.idx` + limit

// badTasks adds tasks of one invocation that ended badly, after an index.
func (w *taskWalk) badTasks(v *visited, after int64, p core.Page, rows []core.Task) ([]core.Task, error) {
	var lanes []*lane
	for _, state := range distinct(w.f.States) {
		if int(state) >= core.NumStates || v.counts[state] == 0 {
			continue
		}
		lanes = append(lanes, &lane{read: func(from core.Cursor, most int, visit func(visited)) error {
			return query(w.conn, badTasks, func(r *row) error {
				visit(visited{at: core.Cursor{A: v.at.A, B: r.int()}})
				return nil
			}, v.at.A, int(state), from.B, most)
		}})
	}
	if after >= 0 {
		p.After = &core.Cursor{A: v.at.A, B: after}
	}
	text := "SELECT " + columns(w.f) + " FROM tasks t WHERE t.invocation = ? AND t.idx = ?"
	err := page(lanes, p, func(found *visited) (err error) {
		rows, err = readTasks(w.conn, rows, text, found.at.A, found.at.B)
		return err
	})
	return rows, err
}

// matching is how many tasks of an invocation match.
func (w *taskWalk) matching(v *visited) (int, error) {
	if len(w.f.Nodes) > 0 {
		return w.tasks(v, -1).count(w.conn)
	}
	return sumStates(v.counts[:], w.f.States), nil
}

// count is the number of all tasks that match.
func (w *taskWalk) count() (total int, err error) {
	if len(w.f.Invocations) == 0 && w.f.Account != 0 {
		s, err := w.search()
		if err != nil || s.exact {
			return sumStates(s.sum.tasks[:], w.f.States), err
		}
	}
	err = w.invocations(math.MaxInt64, mostBatch, func(v *visited) error {
		n, err := w.matching(v)
		total += n
		return err
	})
	return total, err
}

func (w *taskWalk) page(p core.Page) (rows []core.Task, err error) {
	newest, skip := int64(math.MaxInt64), p.Offset
	if p.After != nil {
		newest, skip = p.After.A, 0
	}
	err = w.invocations(newest, skip+p.Limit, func(v *visited) error {
		after := int64(-1)
		switch {
		case p.After != nil && v.at.A == newest:
			after = p.After.B
		case skip > 0 || len(w.f.Nodes) == 0:
			n, err := w.matching(v)
			if err != nil {
				return err
			}
			if skip >= n {
				skip -= n
				return nil
			}
		}
		rest := core.Page{Offset: skip, Limit: p.Limit - len(rows)}
		if w.f.Each > 0 {
			rest.Limit = min(rest.Limit, w.f.Each)
		}
		skip = 0
		var err error
		if w.bad() {
			rows, err = w.badTasks(v, after, rest, rows)
		} else {
			err = w.tasks(v, after).page(w.conn, columns(w.f), "t.idx", rest, func(r *row) error {
				rows = append(rows, core.Task{})
				return scanTask(r, &rows[len(rows)-1])
			})
		}
		if err == nil && len(rows) == p.Limit {
			err = errStop
		}
		return err
	})
	return rows, err
}

// sumStates adds up the counts of some states; of all if none are named.
func sumStates[T int32 | int64](counts []T, states []core.State) (n int) {
	mask := stateMask(states)
	for s, c := range counts {
		if mask>>s&1 != 0 {
			n += int(c)
		}
	}
	return n
}

// sortTasks returns the names in the order of their rows, each once.
func sortTasks(ids []core.TaskID) []core.TaskID {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b core.TaskID) int {
		return cmp.Or(cmp.Compare(a.Invocation, b.Invocation), cmp.Compare(a.Index, b.Index))
	})
	return slices.Compact(ids)
}
