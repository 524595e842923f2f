package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

const (
	invocationColumns = `v.id, v.account, v.command, v.name, v.client_token, v.counts, v.started_at, v.ended_at, v.updated_at,
		o.region, o.origin, o.type, o.repeat, o.resource_group, o.tags, o.created_at, o.saved, o.description, o.work_dir, o.user,
		o.launcher, o.timeout, o.params_enabled, o.defaults, o.sink_bucket, o.sink_prefix, o.params, o.kill_tree, o.termination,
		o.container_id, o.container_name, o.deliver_within, o.request_hash, o.extra, o.script, o.content`
	fromInvocations = "invocations v CROSS JOIN orders o ON o.invocation = v.id"
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
	return v
}

// InsertInvocation implements core.Invocations. The counts are taken from the tasks.
func (s *Store) InsertInvocation(ctx context.Context, v *core.Invocation, tasks []core.Task) error {
	err := s.write(ctx, func(t *tx) error {
		var counts core.Counts
		sum := totals{invocations: 1}
		for i := range tasks {
			counts[tasks[i].State]++
			sum.tasks[tasks[i].State]++
		}
		part, err := takePart(t.conn, v.ID, len(tasks))
		if err != nil {
			return err
		}
		if err := insertInvocation(t.conn, v, &counts, part); err != nil {
			return err
		}
		if err := t.insertTasks(v.ID, part, tasks); err != nil {
			return err
		}
		err = exec(t.conn, "UPDATE command_runs SET runs = runs + 1, last_at = max(?1, ifnull(last_at, ?1)) WHERE command = ?2",
			v.CreatedAt, v.Command)
		if err != nil {
			return err
		}
		return t.addTotals(v.Account, &sum)
	})
	return named(err, "insert invocation %s", v.ID)
}

func insertInvocation(conn *sqlite.Conn, v *core.Invocation, counts *core.Counts, part int64) error {
	err := exec(conn, `INSERT INTO invocations (id, account, command, name, client_token, part, open, counts, started_at, ended_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		v.ID, v.Account, v.Command, v.Name, v.ClientToken, part, counts.Open(), packCounts(counts[:]), v.StartedAt, v.EndedAt, v.UpdatedAt)
	if err != nil {
		return err
	}
	return exec(conn, `INSERT INTO orders (invocation, region, origin, type, repeat, resource_group, tags, created_at, saved, description,
			work_dir, user, launcher, timeout, params_enabled, defaults, sink_bucket, sink_prefix, params, kill_tree, termination,
			container_id, container_name, deliver_within, request_hash, extra, script, content)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		v.ID, v.Region, v.Origin, v.Type, v.Repeat, v.ResourceGroup, v.Tags, v.CreatedAt, v.Saved, v.Description,
		v.WorkDir, v.User, v.Launcher, v.Timeout, v.ParamsEnabled, v.Defaults, v.Sink.Bucket, v.Sink.Prefix, v.Params, v.KillTree,
		v.Termination, v.ContainerID, v.ContainerName, v.DeliverWithin, v.RequestHash, v.Extra, v.Script, v.Content)
}

// partSize is how many tasks a part of the index by node takes before the next one begins. Its pages, some 4 MB, stay in the writer's
// cache; a listing by node looks once into every part.
const partSize = 1 << 17

// takePart returns the part an invocation belongs to and adds its tasks to it. An invocation from another clock may be older than the
// newest part; it goes where its id belongs, so that parts stay in the order of ids.
func takePart(conn *sqlite.Conn, id core.ID, tasks int) (part int64, err error) {
	var size, newest int64
	err = query(conn, "SELECT id, tasks, (SELECT max(id) FROM parts) FROM parts WHERE first <= ? ORDER BY id DESC LIMIT 1",
		func(r *row) error { part, size, newest = r.int(), r.int(), r.int(); return nil }, id)
	if err != nil {
		return 0, err
	}
	if part == newest && size >= partSize {
		var latest core.ID
		err = query(conn, "SELECT ifnull(max(id), 0) FROM invocations", func(r *row) error { latest = r.id(); return nil })
		if err != nil {
			return 0, err
		}
		if id > latest {
			part++
			return part, exec(conn, "INSERT INTO parts (id, first, tasks) VALUES (?, ?, ?)", part, id, tasks)
		}
	}
	return part, exec(conn, "UPDATE parts SET tasks = tasks + ? WHERE id = ?", tasks, part)
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
func (s *Store) ListInvocations(
	ctx context.Context, f core.InvocationFilter, p core.Page,
) (rows []core.Invocation, total int, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		l := listInvocations(&f)
		switch {
		case p.Count && f.Account != 0 && len(l.where) == 1:
			var sum totals
			sum, err = readTotals(conn, f.Account)
			total = sum.invocations
		case p.Count:
			total, err = l.count(conn)
		}
		if err != nil {
			return err
		}
		return l.pageByKey(conn, invocationColumns, "v.id", p, func(r *row) error {
			rows = append(rows, scanInvocation(r))
			return nil
		})
	})
	return rows, total, named(err, "list invocations")
}

func listInvocations(f *core.InvocationFilter) *listing {
	l := &listing{from: fromInvocations}
	account := "v.account"
	if len(f.Commands) > 0 {
		account = "+v.account" // the index by command is the better one
	}
	l.account(account, f.Account)
	among(l, "v.id", f.IDs)
	among(l, "v.command", f.Commands)
	if len(f.Nodes) > 0 {
		l.and(`v.id IN (SELECT t.invocation FROM json_each(?) j CROSS JOIN parts p
			CROSS JOIN tasks t ON t.part = p.id AND t.node = j.value)`, jsonList(f.Nodes))
	}
	l.text("v.name", f.CommandName)
	l.text("o.type", string(f.Type))
	l.text("o.repeat", string(f.Repeat))
	if f.Open {
		l.and("v.open > 0")
	}
	l.text("o.resource_group", f.ResourceGroup)
	l.tags("o.tags", f.Tags)
	return l
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
