package sqlite

import (
	"context"
	"fmt"
	"math"
	"strings"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

const (
	invocationColumns = `v.id, v.account, v.command, v.name, v.client_token, v.counts, v.started_at, v.ended_at, v.updated_at,
		o.region, o.origin, o.type, o.repeat, o.resource_group, o.tags, o.created_at, o.saved, o.description, o.work_dir, o.user,
		o.launcher, o.timeout, o.params_enabled, o.defaults, o.sink_bucket, o.sink_prefix, o.params, o.kill_tree, o.termination,
		o.container_id, o.container_name, o.deliver_within, o.request_hash, o.extra, o.script, o.content,
		v.kind, v.schedule, v.due, o.frequency, o.revision, o.revised_at, o.file, v.outlet,
		o.resources, o.login, o.power, o.policy, o.secrets, o.hidden, o.transfer, o.principal, o.reason, o.retry_of,
		o.selection, o.pace, v.pacing`
	fromInvocations = "invocations v" + joinOrders
	joinOrders      = " CROSS JOIN orders o ON o.invocation = v.id"
)

func scanInvocation(r *row) (v core.Invocation) {
	v.ID, v.Account, v.Command, v.Name, v.ClientToken = r.id(), core.AccountID(r.int()), r.id(), r.text(), r.text()
	unpackCounts(r.bytes(), v.Counts[:])
	v.StartedAt, v.EndedAt, v.UpdatedAt = r.time(), r.time(), r.time()
	v.Region, v.Origin, v.Type, v.Repeat = r.text(), core.Origin(r.text()), core.CommandType(r.text()), core.RepeatMode(r.text())
	v.ResourceGroup, v.Tags, v.CreatedAt, v.Saved = r.text(), r.tags(), r.time(), r.bool()
	v.Description, v.WorkDir, v.User, v.Launcher, v.Timeout = r.text(), r.text(), r.text(), r.text(), r.duration()
	v.ParamsEnabled, v.Defaults, v.Sink.Bucket, v.Sink.Prefix = r.bool(), r.strings(), r.text(), r.text()
	v.Params, v.KillTree, v.Termination, v.ContainerID, v.ContainerName = r.strings(), r.bool(), r.text(), r.text(), r.text()
	v.DeliverWithin, v.RequestHash, v.Extra, v.Script, v.Content = r.duration(), r.text(), r.strings(), r.bytes(), r.bytes()
	v.Kind, v.Schedule, v.Due = core.InvocationKind(r.int()), r.id(), r.time()
	v.Frequency, v.Revision, v.RevisedAt = r.text(), uint64(r.int()), r.time()
	r.json(&v.File)
	v.Outlet = core.Outlet(r.int())
	r.json(&v.Resources)
	v.Login, v.Power = r.bool(), r.bool()
	r.json(&v.Policy)
	v.Secrets, v.Hidden = r.strings(), r.bool()
	r.json(&v.Transfer)
	v.Principal, v.Reason, v.RetryOf = r.text(), r.text(), r.id()
	r.json(&v.Selection)
	r.json(&v.Pace)
	r.json(&v.Pacing)
	return v
}

// InsertInvocation implements core.Invocations. The counts are taken from the tasks.
func (s *Store) InsertInvocation(ctx context.Context, v *core.Invocation, tasks []core.Task) error {
	err := s.write(ctx, func(t *tx) error { return t.insert(v, tasks) })
	return named(err, "insert invocation %s", v.ID)
}

// insert stores an invocation and its tasks.
func (t *tx) insert(v *core.Invocation, tasks []core.Task) error {
	var counts core.Counts
	for i := range tasks {
		counts[tasks[i].State]++
	}
	part, err := takePart(t.conn, v, len(tasks))
	if err != nil {
		return err
	}
	if err := insertInvocation(t.conn, v, &counts, part); err != nil {
		return err
	}
	if err := t.insertTasks(v.ID, part, tasks); err != nil {
		return err
	}
	for i := range tasks {
		if err := t.deliver(v, &tasks[i]); err != nil {
			return err
		}
	}
	if err := countRun(t.conn, v); err != nil {
		return err
	}
	return t.accepted(v, &counts, tasks)
}

// countRun notes that a command was run. An occurrence is no new order.
func countRun(conn *sqlite.Conn, v *core.Invocation) error {
	if v.Kind == core.KindOccurrence {
		return nil
	}
	return exec(conn, "UPDATE command_runs SET runs = runs + 1, last_at = max(?1, ifnull(last_at, ?1)) WHERE command = ?2",
		v.CreatedAt, v.Command)
}

// insertInvocation inserts what belongs to an invocation apart from its tasks.
func insertInvocation(conn *sqlite.Conn, v *core.Invocation, counts *core.Counts, part int64) error {
	c, err := classOf(v, counts)
	if err != nil {
		return err
	}
	facets := facetsOf(v)
	err = exec(conn, `INSERT INTO invocations (id, account, command, name, client_token, part, open, counts, started_at, ended_at, updated_at,
			kind, schedule, due, outlet, class, facets, pacing, paced)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		v.ID, v.Account, v.Command, v.Name, v.ClientToken, part, counts.Open(), packCounts(counts[:]), v.StartedAt, v.EndedAt, v.UpdatedAt,
		int(v.Kind), v.Schedule, v.Due, int(v.Outlet), int64(c), packFacets(facets), v.Pacing, v.Pacing.Moves())
	if err != nil {
		return err
	}
	if err := mark(conn, facets, c, v.ID); err != nil {
		return err
	}
	sums := tally{}
	sums.add(facets, c, 1, counts)
	if err := sums.write(conn); err != nil {
		return err
	}
	return exec(conn, `INSERT INTO orders (invocation, region, origin, type, repeat, resource_group, tags, created_at, saved, description,
			work_dir, user, launcher, timeout, params_enabled, defaults, sink_bucket, sink_prefix, params, kill_tree, termination,
			container_id, container_name, deliver_within, request_hash, extra, script, content, frequency, revision, revised_at, file,
			resources, login, power, policy, secrets, hidden, transfer, principal, reason, retry_of,
			selection, pace)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		v.ID, v.Region, v.Origin, v.Type, v.Repeat, v.ResourceGroup, v.Tags, v.CreatedAt, v.Saved, v.Description,
		v.WorkDir, v.User, v.Launcher, v.Timeout, v.ParamsEnabled, v.Defaults, v.Sink.Bucket, v.Sink.Prefix, v.Params, v.KillTree,
		v.Termination, v.ContainerID, v.ContainerName, v.DeliverWithin, v.RequestHash, v.Extra, v.Script, v.Content,
		v.Frequency, int64(v.Revision), v.RevisedAt, v.File, v.Resources, v.Login, v.Power, v.Policy, v.Secrets, v.Hidden, v.Transfer,
		v.Principal, v.Reason, v.RetryOf, v.Selection, v.Pace)
}

// partSize is how many tasks a part of the index by node takes before the next one begins. Its pages, some 4 MB, stay in the writer's
// cache; a listing by node looks once into every part.
const partSize = 1 << 17

// takePart returns the part an invocation belongs to and adds its tasks to it. An invocation from another clock may be older than the
// newest part of its kind; it goes where its id belongs, so that the parts of a kind stay in the order of ids.
func takePart(conn *sqlite.Conn, v *core.Invocation, tasks int) (part int64, err error) {
	var size, newest int64
	err = query(conn, `SELECT id, tasks, (SELECT max(id) FROM parts WHERE kind = ?1) FROM parts WHERE kind = ?1 AND first <= ?2
			ORDER BY id DESC LIMIT 1`,
		func(r *row) error { part, size, newest = r.int(), r.int(), r.int(); return nil }, int(v.Kind), v.ID)
	if err != nil {
		return 0, err
	}
	first, full := v.ID, false
	switch {
	case part == 0:
		first, full = 0, true // the kind is new
	case part == newest && size >= partSize:
		err = query(conn, "SELECT ifnull(max(id), 0) < ? FROM invocations", func(r *row) error { full = r.bool(); return nil }, v.ID)
		if err != nil {
			return 0, err
		}
	}
	if !full {
		return part, exec(conn, "UPDATE parts SET tasks = tasks + ? WHERE id = ?", tasks, part)
	}
	err = exec(conn, "INSERT INTO parts (id, kind, first, tasks) SELECT max(id) + 1, ?, ?, ? FROM parts", int(v.Kind), first, tasks)
	return conn.LastInsertRowID(), err
}

// Invocation implements core.Invocations.
func (s *Store) Invocation(ctx context.Context, account core.AccountID, id core.ID) (v core.Invocation, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		v, err = readInvocation(conn, "v.id = ? AND v.account = ?", id, account)
		return err
	})
	return v, named(err, "invocation %s", id)
}

// InvocationByToken implements core.Invocations.
func (s *Store) InvocationByToken(ctx context.Context, account core.AccountID, token string) (v core.Invocation, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		v, err = readInvocation(conn, "v.account = ? AND v.client_token = ? AND v.client_token <> ''", account, token)
		return err
	})
	return v, named(err, "invocation with token %q", token)
}

func readInvocation(conn *sqlite.Conn, condition string, args ...any) (v core.Invocation, err error) {
	err = queryOne(conn, "SELECT "+invocationColumns+" FROM "+fromInvocations+" WHERE "+condition, func(r *row) error {
		v = scanInvocation(r)
		return nil
	}, args...)
	return v, err
}

// ListInvocations implements core.Invocations.
//
// A listing by ids reads these rows; one by nodes goes through the nodes' tasks. One of all invocations or of some kinds has an index of its
// own, and every other one goes by marks.
func (s *Store) ListInvocations(
	ctx context.Context, f core.InvocationFilter, p core.Page,
) (rows []core.Invocation, total int, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		scan := func(r *row) error {
			rows = append(rows, scanInvocation(r))
			return nil
		}
		switch {
		case len(f.IDs) > 0 || f.Account == 0:
			return namedInvocations(conn, &f, p, &total, scan)
		case len(f.Nodes) == 0 && len(facetChoices(&f)) == 0 && !byClass(&f) && !unmarked(&f):
			return plainInvocations(conn, &f, p, &total, scan)
		}
		var lanes []*lane
		if len(f.Nodes) > 0 {
			lanes, err = invocationsOfNodes(conn, &f, p.Count, &total)
		} else {
			lanes, err = markedInvocations(conn, &f, p.Count, &total)
		}
		if err != nil {
			return err
		}
		if p.After != nil {
			p.After = &core.Cursor{A: p.After.A, B: math.MaxInt64}
		}
		return page(lanes, p, func(v *visited) error {
			return query(conn, "SELECT "+invocationColumns+" FROM "+fromInvocations+" WHERE v.id = ?", scan, v.at.A)
		})
	})
	return rows, total, named(err, "list invocations")
}

// byClass reports whether a filter goes by more of the class than the kind.
func byClass(f *core.InvocationFilter) bool {
	return f.Type != "" || f.Repeat != "" || f.Open || f.Keep != nil
}

func namedInvocations(conn *sqlite.Conn, f *core.InvocationFilter, p core.Page, total *int, scan func(*row) error) error {
	l, err := listNamed(conn, f)
	if err != nil {
		return err
	}
	return l.countedPage(conn, invocationColumns, "v.id", p, total, scan)
}

func listNamed(conn *sqlite.Conn, f *core.InvocationFilter) (*listing, error) {
	l := &listing{from: fromInvocations}
	l.account("+v.account", f.Account) // the ids are the better way
	among(l, "v.id", f.IDs)
	if err := l.invocations(conn, f); err != nil {
		return nil, err
	}
	if len(f.Nodes) > 0 {
		l.and(`EXISTS (SELECT 1 FROM json_each(?) j CROSS JOIN tasks t INDEXED BY tasks_node ON t.part = v.part
			AND t.node = j.value AND t.invocation = v.id WHERE (1 << t.state) & ?)`, jsonList(f.Nodes), stateMask(f.States))
	}
	return l, nil
}

func plainInvocations(conn *sqlite.Conn, f *core.InvocationFilter, p core.Page, total *int, scan func(*row) error) error {
	if p.Count {
		all, err := marked(conn, f)
		if err != nil {
			return err
		}
		*total = int(all.sum.invocations)
	}
	return listPlain(f).pageByKey(conn, invocationColumns, "v.id", p, scan)
}

func listPlain(f *core.InvocationFilter) *listing {
	l := &listing{from: fromInvocations}
	l.account("v.account", f.Account)
	l.kinds(f.Kinds)
	return l
}

func invocationsOfNodes(conn *sqlite.Conn, f *core.InvocationFilter, count bool, total *int) ([]*lane, error) {
	var conditions listing
	conditions.account("v.account", f.Account)
	if err := conditions.invocations(conn, f); err != nil {
		return nil, err
	}
	from := ""
	if f.ResourceGroup != "" || len(f.Tags) > 0 || f.Principal != "" || f.Origin != "" || f.RetryOf != 0 {
		from = joinOrders
	}
	restrict := func(l *listing) {
		l.where, l.args = append(l.where, conditions.where...), append(l.args, conditions.args...)
		l.states(f.States)
	}
	if count {
		n, err := countOnNodes(conn, f.Nodes, f.Kinds, "count(DISTINCT t.invocation)", from, restrict)
		if err != nil {
			return nil, err
		}
		*total = n
	}
	return nodeLanes(conn, f.Nodes, f.Kinds, from, restrict, true)
}

func markedInvocations(conn *sqlite.Conn, f *core.InvocationFilter, count bool, total *int) ([]*lane, error) {
	s, err := marked(conn, f)
	if err == nil && count {
		*total, err = s.count()
	}
	if err != nil {
		return nil, err
	}
	return s.lanes(false), nil
}

// invocations adds the conditions on invocations other than account, ids and nodes.
func (l *listing) invocations(conn *sqlite.Conn, f *core.InvocationFilter) error {
	l.kinds(f.Kinds)
	l.schedules(f.Schedules)
	among(l, "v.command", f.Commands)
	l.text("v.name", f.CommandName)
	l.text("o.resource_group", f.ResourceGroup)
	l.tags("o.tags", f.Tags)
	l.order(f)
	if !byClass(f) {
		return nil
	}
	sums, err := readTotals(conn, []int64{facet(f.Account, ofAccount)}, classFilter(f))
	classes := []int64{-1} // no class
	for p := range sums {
		classes = append(classes, int64(p.class))
	}
	l.and("v.class IN (SELECT value FROM json_each(?))", jsonList(distinct(classes)))
	return err
}

// states adds the condition that a task is in one of these states.
func (l *listing) states(states []core.State) {
	if len(states) > 0 {
		l.and("(1 << t.state) & ?", stateMask(states))
	}
}

// kinds adds the condition that an invocation is of one of these kinds. They are part of the text: that is how an index of just these
// kinds is found.
func (l *listing) kinds(kinds []core.InvocationKind) {
	switch len(kinds) {
	case 0:
	case 1:
		l.and(fmt.Sprintf("v.kind = %d", kinds[0]))
	default:
		l.and("v.kind IN (" + strings.Trim(jsonList(widened(kinds)), "[]") + ")")
	}
}

// widened turns kinds, which would be written as text if they were bytes, into plain numbers in order.
func widened(kinds []core.InvocationKind) []int {
	numbers := make([]int, len(kinds))
	for i, k := range kinds {
		numbers[i] = int(k)
	}
	return distinct(numbers)
}

// schedules adds the condition that one of these made an invocation run.
func (l *listing) schedules(ids []core.ID) {
	if len(ids) > 0 {
		l.and("v.schedule <> 0")
		among(l, "v.schedule", ids)
	}
}

// OpenInvocations implements core.Invocations.
func (s *Store) OpenInvocations(ctx context.Context) (rows []core.Invocation, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT "+invocationColumns+` FROM invocations v INDEXED BY invocations_open
			CROSS JOIN orders o ON o.invocation = v.id WHERE v.open > 0 ORDER BY v.id`, func(r *row) error {
			rows = append(rows, scanInvocation(r))
			return nil
		})
	})
	return rows, named(err, "open invocations")
}
