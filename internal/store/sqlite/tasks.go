package sqlite

import (
	"context"
	"errors"
	"fmt"

	"errand/internal/core"
)

const (
	insertTask = `INSERT INTO tasks (invocation, idx, part, node, state, cause, flags, exit_code, signal, tries, sent_at, received_at,
			started_at, ended_at, stop_asked_at, updated_at, stdout, stderr, detail, output, runs, latest, latest_due,
			skipped, missed, released_at, first_byte_at)
		VALUES (?24, ?25, ?26, ?27, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)`
	writeTask = `UPDATE tasks SET state = ?1, cause = ?2, flags = ?3, exit_code = ?4, signal = ?5, tries = ?6, sent_at = ?7,
			received_at = ?8, started_at = ?9, ended_at = ?10, stop_asked_at = ?11, updated_at = ?12, stdout = ?13, stderr = ?14,
			detail = ?15, output = ?16, runs = ?17, latest = ?18, latest_due = ?19, skipped = ?20, missed = ?21,
			released_at = ?22, first_byte_at = ?23
		WHERE invocation = ?24 AND idx = ?25`

	taskColumns = `t.invocation, t.idx, t.node, t.state, t.cause, t.flags, t.exit_code, t.signal, t.tries, t.sent_at, t.received_at,
		t.started_at, t.ended_at, t.stop_asked_at, t.updated_at, t.stdout, t.stderr, t.detail, t.runs, t.latest, t.latest_due,
		t.skipped, t.missed, t.released_at`
	taskColumnsOutput = taskColumns + ", t.output, t.first_byte_at"
	readTask          = "SELECT " + taskColumnsOutput + " FROM tasks t WHERE t.invocation = ? AND t.idx = ?"
)

// The bits of tasks.flags.
const (
	flagExited = 1 << iota
	flagDrainCut
	flagLate
	flagHeld
)

// timeBase is what a task's times count from.
func timeBase(id core.ID) int64 { return id.Time().UnixMicro() }

// scanTask reads the columns of taskColumns, and the output and its time if the row has them.
func scanTask(r *row, t *core.Task) error {
	t.ID = core.TaskID{Invocation: r.id(), Index: uint32(r.int())}
	t.Node, t.State, t.Cause = core.NodeKey(r.int()), core.State(r.int()), core.Cause(r.int())
	flags := r.int()
	t.Exited, t.DrainCut, t.Late = flags&flagExited != 0, flags&flagDrainCut != 0, flags&flagLate != 0
	t.Held = flags&flagHeld != 0
	t.ExitCode, t.Signal, t.Tries = int32(r.int()), uint8(r.int()), int(r.int())
	base := timeBase(t.ID.Invocation)
	t.SentAt, t.ReceivedAt, t.StartedAt = r.timeFrom(base), r.timeFrom(base), r.timeFrom(base)
	t.EndedAt, t.StopAskedAt, t.UpdatedAt = r.timeFrom(base), r.timeFrom(base), r.timeFrom(base)
	t.Stdout, t.Stderr, t.Detail = uint64(r.int()), uint64(r.int()), r.text()
	t.Runs, t.Latest, t.LatestDue = uint32(r.int()), r.id(), r.time()
	t.Skipped, t.Missed, t.ReleasedAt = uint32(r.int()), uint32(r.int()), r.timeFrom(base)
	if r.col == r.ColumnCount() {
		return nil
	}
	if err := t.Output.UnmarshalBinary(r.bytes()); err != nil {
		return fmt.Errorf("output of task %s: %w", t.ID, err)
	}
	t.FirstByteAt = r.timeFrom(base)
	return nil
}

// bindTask sets the parameters that insertTask and writeTask have in common.
func bindTask(b *binder, t *core.Task) error {
	output, err := t.Output.MarshalBinary()
	if err != nil {
		return fmt.Errorf("output of task %s: %w", t.ID, err)
	}
	var flags int64
	if t.Exited {
		flags |= flagExited
	}
	if t.DrainCut {
		flags |= flagDrainCut
	}
	if t.Late {
		flags |= flagLate
	}
	if t.Held {
		flags |= flagHeld
	}
	base := timeBase(t.ID.Invocation)
	b.int(int64(t.State))
	b.int(int64(t.Cause))
	b.int(flags)
	b.int(int64(t.ExitCode))
	b.int(int64(t.Signal))
	b.int(int64(t.Tries))
	b.timeFrom(base, t.SentAt)
	b.timeFrom(base, t.ReceivedAt)
	b.timeFrom(base, t.StartedAt)
	b.timeFrom(base, t.EndedAt)
	b.timeFrom(base, t.StopAskedAt)
	b.timeFrom(base, t.UpdatedAt)
	b.int(int64(t.Stdout))
	b.int(int64(t.Stderr))
	if t.Detail == "" {
		b.BindNull(b.next())
	} else {
		b.BindText(b.next(), t.Detail)
	}
	b.bytes(output)
	if t.Runs == 0 {
		b.BindNull(b.next())
		b.BindNull(b.next())
		b.BindNull(b.next())
	} else {
		b.int(int64(t.Runs))
		b.int(int64(t.Latest))
		b.timeFrom(0, t.LatestDue)
	}
	b.count(t.Skipped)
	b.count(t.Missed)
	b.timeFrom(base, t.ReleasedAt)
	b.timeFrom(base, t.FirstByteAt)
	b.int(int64(t.ID.Invocation))
	b.int(int64(t.ID.Index))
	return nil
}

func (t *tx) insertTasks(id core.ID, part int64, tasks []core.Task) error {
	for i := range tasks {
		task := &tasks[i]
		if task.ID.Invocation != id {
			return fmt.Errorf("task %s is of another invocation", task.ID)
		}
		b := binder{Stmt: t.insertTask}
		if err := bindTask(&b, task); err != nil {
			return err
		}
		b.int(part)
		b.int(int64(task.Node))
		if err := step(t.insertTask); err != nil {
			return err
		}
		if err := t.result(task); err != nil {
			return err
		}
	}
	return nil
}

// ChangeTasks implements core.Tasks.
func (s *Store) ChangeTasks(ctx context.Context, ids []core.TaskID, change func(*core.Task) bool) error {
	if len(ids) == 0 {
		return nil
	}
	// In the order of the rows, neighbours share pages.
	ids = sortTasks(ids)
	err := s.writer.do(ctx, &operation{tasks: true, done: make(chan struct{}), run: func(t *tx) error {
		tasks := make([]core.Task, len(ids))
		for i, id := range ids {
			if err := t.changeTask(id, &tasks[i], change); err != nil {
				return err
			}
		}
		return nil
	}})
	return named(err, "change tasks")
}

// read reads a task with its output, if it is there.
func (t *tx) read(id core.TaskID, task *core.Task) (found bool, err error) {
	t.readTask.BindInt64(1, int64(id.Invocation))
	t.readTask.BindInt64(2, int64(id.Index))
	if found, err = t.readTask.Step(); err != nil {
		return false, err
	}
	if found {
		err = scanTask(&row{Stmt: t.readTask}, task)
	}
	return found, errors.Join(err, t.readTask.Reset())
}

// changeTask reads a task into the given space, lets change decide, and writes it.
func (t *tx) changeTask(id core.TaskID, task *core.Task, change func(*core.Task) bool) error {
	if found, err := t.read(id, task); err != nil || !found {
		return err
	}
	before, started, node, had := task.State, task.StartedAt, task.Node, task.Output.Have()
	if !change(task) {
		return nil
	}
	task.ID, task.Node = id, node
	if before != task.State || !started.Equal(task.StartedAt) {
		p, err := t.progress(id.Invocation)
		if err != nil {
			return err
		}
		was := p.phase()
		if before != task.State {
			p.Count(before, task.State, task.UpdatedAt)
			if err := t.deliver(&p.Invocation, task); err != nil {
				return err
			}
		}
		p.Start(task.StartedAt)
		if err := t.advanced(p, was, before, task, had); err != nil {
			return err
		}
	} else if task.Output.Have() > had {
		account, err := t.owner(id.Invocation)
		if err == nil {
			err = t.noteOutput(account, task, had)
		}
		if err != nil {
			return err
		}
	}
	if err := bindTask(&binder{Stmt: t.writeTask}, task); err != nil {
		return err
	}
	if err := step(t.writeTask); err != nil {
		return err
	}
	return t.result(task)
}
