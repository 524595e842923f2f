package sqlite

import (
	"context"
	"errors"
	"time"

	"zombiezen.com/go/sqlite"

	"errand/internal/core"
)

// InvocationByDue implements core.Invocations.
func (s *Store) InvocationByDue(ctx context.Context, schedule core.ID, due time.Time) (v core.Invocation, err error) {
	err = s.read(ctx, func(conn *sqlite.Conn) error {
		v, err = readByDue(conn, schedule, due)
		return err
	})
	return v, named(err, "invocation of %s due at %v", schedule, due)
}

func readByDue(conn *sqlite.Conn, schedule core.ID, due time.Time) (core.Invocation, error) {
	return readInvocation(conn, "v.schedule = ? AND v.schedule <> 0 AND v.due = ?", schedule, due)
}

// Occur implements core.Invocations.
func (s *Store) Occur(
	ctx context.Context, standing core.TaskID, due time.Time,
	occur func(v *core.Invocation, t *core.Task, there *core.Invocation) (core.Invocation, core.Task, error), run *core.Task,
) error {
	// Nearly every run is reported more than once; only the first time something has to be written.
	found := false
	err := s.read(ctx, func(conn *sqlite.Conn) (err error) {
		found, err = readRun(conn, standing, due, run)
		return err
	})
	if err != nil || found {
		return named(err, "run of %s due at %v", standing, due)
	}
	err = s.write(ctx, func(t *tx) error {
		if found, err := readRun(t.conn, standing, due, run); err != nil || found {
			return err
		}
		return t.occur(standing, due, occur, run)
	})
	return named(err, "run of %s due at %v", standing, due)
}

// readRun reads the task that is a run, if it is there.
func readRun(conn *sqlite.Conn, standing core.TaskID, due time.Time, run *core.Task) (found bool, err error) {
	rows, err := readTasks(conn, nil, "SELECT "+taskColumns+` FROM invocations v CROSS JOIN tasks t ON t.invocation = v.id AND t.idx = ?
		WHERE v.schedule = ? AND v.schedule <> 0 AND v.due = ?`, int64(standing.Index), standing.Invocation, due)
	if err != nil || len(rows) == 0 {
		return false, err
	}
	*run = rows[0]
	return true, nil
}

// occur inserts a run, and the occurrence it belongs to if it is the first of that.
func (t *tx) occur(
	standing core.TaskID, due time.Time,
	occur func(v *core.Invocation, t *core.Task, there *core.Invocation) (core.Invocation, core.Task, error), run *core.Task,
) error {
	v, err := readInvocation(t.conn, "v.id = ?", standing.Invocation)
	if err != nil {
		return err
	}
	own := &core.Task{}
	found, err := t.read(standing, own)
	if err == nil && !found {
		err = core.ErrNotFound
	}
	if err != nil {
		return err
	}
	var there *core.Invocation
	old, err := readByDue(t.conn, standing.Invocation, due)
	switch {
	case err == nil:
		there = &old
	case !errors.Is(err, core.ErrNotFound):
		return err
	}
	o, task, err := occur(&v, own, there)
	if err != nil {
		return err
	}
	if err := bindAndStep(t.writeTask, own); err != nil {
		return err
	}
	*run = task
	if there == nil {
		return t.insert(&o, []core.Task{task})
	}
	return t.join(there.ID, []core.Task{task})
}

func bindAndStep(stmt *sqlite.Stmt, task *core.Task) error {
	if err := bindTask(&binder{Stmt: stmt}, task); err != nil {
		return err
	}
	return step(stmt)
}

// join adds tasks to an invocation that is there.
func (t *tx) join(id core.ID, tasks []core.Task) error {
	if len(tasks) == 0 {
		return nil
	}
	var part int64
	err := queryOne(t.conn, "SELECT part FROM invocations WHERE id = ?", func(r *row) error { part = r.int(); return nil }, id)
	if err != nil {
		return err
	}
	if err := exec(t.conn, "UPDATE parts SET tasks = tasks + ? WHERE id = ?", len(tasks), part); err != nil {
		return err
	}
	if err := t.insertTasks(id, part, tasks); err != nil {
		return err
	}
	p, err := t.progress(id)
	if err != nil {
		return err
	}
	for i := range tasks {
		p.Counts[tasks[i].State]++
		p.UpdatedAt = tasks[i].UpdatedAt
		if err := t.deliver(&p.Invocation, &tasks[i]); err != nil {
			return err
		}
	}
	if p.Counts.Open() > 0 {
		p.EndedAt = time.Time{}
	}
	return t.added(&p.Invocation, tasks)
}

// ReviseInvocation implements core.Invocations.
func (s *Store) ReviseInvocation(
	ctx context.Context, account core.AccountID, id core.ID, revise func(*core.Invocation) ([]core.Task, error),
) error {
	err := s.write(ctx, func(t *tx) error {
		v, err := readInvocation(t.conn, "v.id = ? AND v.account = ?", id, account)
		if err != nil {
			return err
		}
		tasks, err := revise(&v)
		if err != nil {
			return err
		}
		if err := exec(t.conn, "UPDATE invocations SET command = ? WHERE id = ?", v.Command, id); err != nil {
			return err
		}
		err = exec(t.conn, `UPDATE orders SET description = ?, work_dir = ?, user = ?, launcher = ?, timeout = ?, params_enabled = ?, defaults = ?,
				params = ?, extra = ?, script = ?, content = ?, hidden = ?, frequency = ?, revision = ?, revised_at = ? WHERE invocation = ?`,
			v.Description, v.WorkDir, v.User, v.Launcher, v.Timeout, v.ParamsEnabled, v.Defaults,
			v.Params, v.Extra, v.Script, v.Content, v.Hidden, v.Frequency, int64(v.Revision), v.RevisedAt, id)
		if err != nil {
			return err
		}
		if err := remark(t.conn, id); err != nil {
			return err
		}
		return t.join(id, tasks)
	})
	return named(err, "revise invocation %s", id)
}
