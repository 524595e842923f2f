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
// A listing by names or by nodes finds its rows in an index. Every other one walks the invocations that match, newest first, and takes
// the tasks of each; the counts in their rows tell which of them hold nothing that matches or lie before the page as a whole, and what
// the total is.
func (s *Store) ListTasks(ctx context.Context, f core.TaskFilter, p core.Page) (rows []core.Task, total int, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		if len(f.IDs) > 0 || len(f.Nodes) > 0 && len(f.Invocations) == 0 {
			rows, total, err = indexedTasks(conn, &f, p)
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
	among(l, "v.id", f.Invocations)
	among(l, "v.command", f.Commands)
	if f.ResourceGroup != "" || len(f.Tags) > 0 {
		l.from += " CROSS JOIN orders o ON o.invocation = v.id"
		l.text("o.resource_group", f.ResourceGroup)
		l.tags("o.tags", f.Tags)
	}
}

// indexedTasks first finds the names of the tasks of a page, which takes an index alone, and then reads the rows.
func indexedTasks(conn *sqlite.Conn, f *core.TaskFilter, p core.Page) (rows []core.Task, total int, err error) {
	l, order := tasksByName(f)
	if len(f.IDs) == 0 {
		l, order = tasksByNode(f)
	}
	l.ofInvocation(f)
	if len(f.States) > 0 {
		l.and("(1 << t.state) & ?", stateMask(f.States))
	}
	if p.Count {
		if total, err = l.count(conn); err != nil {
			return nil, 0, err
		}
	}
	if p.After != nil {
		l.and("t.invocation <= ? AND (t.invocation < ? OR t.idx > ?)", p.After.A, p.After.A, p.After.B)
	}
	var names [][2]int64
	err = l.page(conn, "t.invocation, t.idx", order, p, func(r *row) error {
		names = append(names, [2]int64{r.int(), r.int()})
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	text := "SELECT " + columns(f) + " FROM tasks t WHERE t.invocation = ? AND t.idx = ?"
	for _, n := range names {
		if rows, err = readTasks(conn, rows, text, n[0], n[1]); err != nil {
			return nil, 0, err
		}
	}
	return rows, total, nil
}

func tasksByName(f *core.TaskFilter) (l *listing, order string) {
	ids := sortTasks(f.IDs)
	names := make([][2]uint64, len(ids))
	for i, id := range ids {
		names[i] = [2]uint64{uint64(id.Invocation), uint64(id.Index)}
	}
	l = &listing{
		from: `json_each(?) j CROSS JOIN tasks t ON t.invocation = j.value ->> 0 AND t.idx = j.value ->> 1
			CROSS JOIN invocations v ON v.id = t.invocation`,
		args: []any{jsonList(names)},
	}
	among(l, "+t.node", f.Nodes)
	return l, "t.invocation DESC, t.idx"
}

func tasksByNode(f *core.TaskFilter) (l *listing, order string) {
	const from = "parts p CROSS JOIN tasks t ON t.part = p.id AND t.node = ? CROSS JOIN invocations v ON v.id = t.invocation"
	if len(f.Nodes) == 1 {
		return &listing{from: from, args: []any{f.Nodes[0]}}, "p.id DESC, t.invocation DESC, t.idx"
	}
	return &listing{from: "json_each(?) j CROSS JOIN parts p CROSS JOIN tasks t ON t.part = p.id AND t.node = j.value " +
		"CROSS JOIN invocations v ON v.id = t.invocation", args: []any{jsonList(distinct(f.Nodes))}}, "t.invocation DESC, t.idx"
}

// taskWalk lists the tasks of the invocations that match a filter, newest first.
type taskWalk struct {
	conn *sqlite.Conn
	f    *core.TaskFilter
}

// visited is what a walk needs of an invocation.
type visited struct {
	id, part int64
	counts   core.Counts
}

// invocations calls visit for the invocations up to the newest wanted, until visit returns errStop.
func (w *taskWalk) invocations(newest int64, visit func(*visited) error) error {
	l := w.listing(newest)
	return query(w.conn, l.query("v.id, v.part, v.counts", " ORDER BY v.id DESC"), func(r *row) error {
		v := visited{id: r.int(), part: r.int()}
		unpackCounts(r.bytes(), v.counts[:])
		return visit(&v)
	}, l.args...)
}

func (w *taskWalk) listing(newest int64) *listing {
	l := &listing{from: "invocations v"}
	l.ofInvocation(w.f)
	if stateMask(w.f.States) < 1<<core.Succeeded {
		l.and("v.open > 0") // only invocations that are not over have such tasks
	}
	if newest != math.MaxInt64 {
		l.and("v.id <= ?", newest)
	}
	return l
}

// tasks selects the tasks of one invocation that come after an index.
func (w *taskWalk) tasks(v *visited, after int64) *listing {
	l := &listing{from: "tasks t"}
	if len(w.f.Nodes) > 0 {
		l.from = "json_each(?) j CROSS JOIN tasks t INDEXED BY tasks_node ON t.part = ? AND t.node = j.value"
		l.args = []any{jsonList(distinct(w.f.Nodes)), v.part}
	}
	l.and("t.invocation = ? AND t.idx > ?", v.id, after)
	if len(w.f.States) > 0 {
		l.and("(1 << t.state) & ?", stateMask(w.f.States))
	}
	return l
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
	f := w.f
	if f.Account != 0 && len(f.Invocations)+len(f.Commands)+len(f.Tags) == 0 && f.ResourceGroup == "" {
		sum, err := readTotals(w.conn, f.Account)
		return sumStates(sum.tasks[:], f.States), err
	}
	err = w.invocations(math.MaxInt64, func(v *visited) error {
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
	err = w.invocations(newest, func(v *visited) error {
		after := int64(-1)
		switch {
		case p.After != nil && v.id == newest:
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
		skip = 0
		err := w.tasks(v, after).page(w.conn, columns(w.f), "t.idx", rest, func(r *row) error {
			rows = append(rows, core.Task{})
			return scanTask(r, &rows[len(rows)-1])
		})
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

func distinct[T cmp.Ordered](values []T) []T {
	values = slices.Clone(values)
	slices.Sort(values)
	return slices.Compact(values)
}

// sortTasks returns the names in the order of their rows, each once.
func sortTasks(ids []core.TaskID) []core.TaskID {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b core.TaskID) int {
		return cmp.Or(cmp.Compare(a.Invocation, b.Invocation), cmp.Compare(a.Index, b.Index))
	})
	return slices.Compact(ids)
}
