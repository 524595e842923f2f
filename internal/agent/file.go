package agent

import (
	"context"
	"errors"
	"time"

	"errand/internal/agent/files"
	"errand/internal/agent/journal"
	"errand/internal/protocol"
)

// writeFile puts a file in place. The result is written down at once: after a crash before that, nobody can tell a file that
// was written from one that somebody changed since, so that it is not written again.
func (a *Agent) writeFile(ctx context.Context, t *task, m *protocol.Run) {
	limit := duration(m.Spec.Timeout, time.Second)
	if limit == 0 {
		limit = startPatience
	}
	// What was begun shall not be left half done by the agent's end.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	started := a.occupied(t, cancel)
	result := writtenBy(t.id, started, a.cfg.Clock, write(ctx, m))
	if m.Spec.DryRun {
		result.Started = 0
	}
	err := a.journal.Append(journal.Record{Task: t.id, State: journal.Ended, At: a.cfg.Clock(), Result: result.Append(nil)})
	if err != nil {
		a.log.Error("result not written down yet", "task", nameOf(t.id), "error", err)
	}
	a.end(t, result, err == nil)
}

// occupied notes that something is done for a task in this process, which abort ends, and returns since when.
func (a *Agent) occupied(t *task, abort func()) time.Time {
	started := a.cfg.Clock().Wall
	a.mu.Lock()
	t.phase, t.abort, t.started = running, abort, started
	stop := t.stop
	a.schedule(t, time.Now().Add(a.cfg.tempo.started))
	a.mu.Unlock()
	if stop {
		abort()
	}
	return started
}

func write(ctx context.Context, m *protocol.Run) error {
	f := m.Spec.File
	mode, err := files.ParseMode(f.Mode)
	if err != nil {
		return err
	}
	if m.Spec.DryRun {
		return nil
	}
	return files.Write(ctx, files.File{
		Name: f.Name, Dir: f.Dir, Content: m.Spec.Content, Mode: mode, Owner: f.Owner, Group: f.Group, Overwrite: f.Overwrite,
	})
}

// fileFaults is how the reasons travel for which a file was not written.
func fileFaults() map[files.Fault]protocol.Outcome {
	return map[files.Fault]protocol.Outcome{
		files.CreateFail:     protocol.OutcomeFileCreate,
		files.Exists:         protocol.OutcomeFileExists,
		files.ContentInvalid: protocol.OutcomeFileContent,
		files.NameInvalid:    protocol.OutcomeFileName,
		files.PathInvalid:    protocol.OutcomeFilePath,
		files.ModeInvalid:    protocol.OutcomeFileMode,
		files.OwnerNotFound:  protocol.OutcomeUserNotFound,
		files.GroupNotFound:  protocol.OutcomeGroupNotFound,
		files.NoSpace:        protocol.OutcomeNoSpace,
		files.ReadOnly:       protocol.OutcomeReadOnly,
		files.Missing:        protocol.OutcomeFileMissing,
		files.NotRegular:     protocol.OutcomeFileKind,
		files.Unreadable:     protocol.OutcomeFileUnreadable,
		files.Changed:        protocol.OutcomeFileChanged,
	}
}

// writtenBy returns the result of writing a file.
func writtenBy(task protocol.Task, started time.Time, clock func() journal.Moment, err error) protocol.Finished {
	m := protocol.Finished{Task: task, Outcome: protocol.OutcomeExited, Started: started.UnixMicro(), Ended: clock().Wall.UnixMicro()}
	if err == nil {
		return m
	}
	m.Detail = clip(err.Error())
	var fault *files.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		m.Outcome = protocol.OutcomeTimedOut
	case errors.Is(err, context.Canceled):
		m.Outcome = protocol.OutcomeStopped
	case errors.As(err, &fault):
		m.Outcome, m.Started = fileFaults()[fault.Fault], 0
	default:
		m.Outcome, m.Started = protocol.OutcomeFileCreate, 0
	}
	return m
}
