package agent

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"
	"time"

	"errand/internal/agent/executor"
	"errand/internal/protocol"
)

// outcomes is how the ends that the executor knows travel. An end by signal is an exit with a signal.
func outcomes() map[executor.Cause]protocol.Outcome {
	return map[executor.Cause]protocol.Outcome{
		executor.Exited:           protocol.OutcomeExited,
		executor.Signaled:         protocol.OutcomeExited,
		executor.TimedOut:         protocol.OutcomeTimedOut,
		executor.Stopped:          protocol.OutcomeStopped,
		executor.OutOfMemory:      protocol.OutcomeOutOfMemory,
		executor.StartFailed:      protocol.OutcomeExecFailed, // the reason tells more
		executor.SupervisorKilled: protocol.OutcomeSupervisorGone,
		executor.Rebooted:         protocol.OutcomeRebooted,
	}
}

// refusals is how the reasons travel for which a command was not started.
func refusals() map[executor.Reason]protocol.Outcome {
	return map[executor.Reason]protocol.Outcome{
		executor.UserNotFound:              protocol.OutcomeUserNotFound,
		executor.InvalidUser:               protocol.OutcomeInvalid,
		executor.DirectoryNotFound:         protocol.OutcomeDirNotFound,
		executor.DirectoryPermissionDenied: protocol.OutcomeDirDenied,
		executor.InterpreterNotFound:       protocol.OutcomeNoInterpreter,
		executor.ExecFailed:                protocol.OutcomeExecFailed,
		executor.NoSpace:                   protocol.OutcomeNoSpace,
		executor.ReadOnlyFS:                protocol.OutcomeReadOnly,
		executor.InvalidContent:            protocol.OutcomeInvalid,
		executor.NotApplicable:             protocol.OutcomeNotApplicable,
		executor.LimitUnavailable:          protocol.OutcomeLimits,
	}
}

// kinds is how the types of scripts are called on the wire.
func kinds() map[string]executor.Kind {
	return map[string]executor.Kind{
		"": executor.KindShell, "shell": executor.KindShell, "powershell": executor.KindPowerShell, "bat": executor.KindBat,
	}
}

// specOf returns what to execute for a message, under an id.
func specOf(m *protocol.Run, id string) (executor.Spec, error) {
	kind, ok := kinds()[m.Spec.Type]
	if !ok {
		return executor.Spec{}, &executor.StartError{Reason: executor.NotApplicable, Detail: "unknown type " + m.Spec.Type}
	}
	grace := min(duration(m.Spec.Grace, time.Millisecond), executor.MaxGrace)
	return executor.Spec{
		ID: id, Kind: kind, Script: m.Spec.Content, Launcher: m.Spec.Launcher,
		Env: m.Spec.Env, WorkDir: m.Spec.WorkDir, User: m.Spec.User,
		Timeout: duration(m.Spec.Timeout, time.Second), TimeoutGrace: grace, Grace: grace, Tree: m.Spec.KillTree,
		Login: m.Spec.Login, Hidden: m.Spec.Hidden, Limits: limitsOf(m.Spec.Limits),
	}, nil
}

// limitsOf converts limits, whose numbers may be larger than can be meant.
func limitsOf(l *protocol.Limits) *executor.Limits {
	if l == nil {
		return nil
	}
	number := func(n uint64) int64 { return int64(min(n, math.MaxInt64)) }
	limits := &executor.Limits{
		Nice: int(max(math.MinInt32, min(l.Nice, math.MaxInt32))), IO: executor.IOClass(min(l.IOClass, math.MaxUint8)),
		IOLevel: int(min(l.IOLevel, math.MaxInt32)), CPU: number(l.CPU), Memory: number(l.Memory), Processes: number(l.Processes),
		OpenFiles: number(l.OpenFiles), FileSize: number(l.FileSize),
	}
	if l.CoreSize != nil {
		size := number(*l.CoreSize)
		limits.CoreSize = &size
	}
	return limits
}

// duration converts a number from the wire, which may be larger than a duration can be.
func duration(n uint64, unit time.Duration) time.Duration {
	const long = 100 * 365 * 24 * time.Hour
	if n > uint64(long/unit) {
		return long
	}
	return time.Duration(n) * unit
}

// finishedBy returns the result that the end of a command comes to.
func finishedBy(task protocol.Task, e executor.Exit) protocol.Finished {
	m := protocol.Finished{
		Task: task, Outcome: outcomes()[e.Cause], ExitCode: int64(e.Code), Signal: uint64(max(0, e.Signal)),
		Started: micros(e.StartedAt), Ended: micros(e.EndedAt),
		Stdout: uint64(max(0, e.Stdout)), Stderr: uint64(max(0, e.Stderr)),
		DrainCut: e.DrainIncomplete,
	}
	var notes []string
	if e.Start != nil {
		m.Outcome = refusals()[e.Start.Reason]
		notes = append(notes, detailOf(e.Start))
	}
	if e.OutputErrno != 0 {
		notes = append(notes, "output incomplete: "+syscall.Errno(e.OutputErrno).Error())
	}
	if e.Survivors > 0 {
		notes = append(notes, fmt.Sprintf("%d processes would not die", e.Survivors))
	}
	m.Detail = clip(strings.Join(notes, "; "))
	if !m.Outcome.Valid() {
		m.Outcome, m.Detail = protocol.OutcomeAgentFault, clip(fmt.Sprintf("unknown end %q", e.Cause))
	}
	return m
}

// refusedBy returns the result of a command that could not be started.
func refusedBy(task protocol.Task, err error) protocol.Finished {
	m := protocol.Finished{Task: task, Outcome: protocol.OutcomeExecFailed, Detail: clip(err.Error())}
	var start *executor.StartError
	switch {
	case errors.As(err, &start):
		m.Detail = clip(detailOf(start))
		if o, ok := refusals()[start.Reason]; ok {
			m.Outcome = o
		}
	case errors.Is(err, context.DeadlineExceeded):
		m.Outcome = protocol.OutcomeSupervisorGone // it was silent, and ended: nobody knows how far it had come
	}
	return m
}

// unwritten returns the result of a task that could not be written down and therefore was not started.
func unwritten(task protocol.Task, err error) protocol.Finished {
	m := protocol.Finished{Task: task, Outcome: protocol.OutcomeAgentFault, Detail: clip(err.Error())}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		m.Outcome = protocol.OutcomeNoSpace
	case errors.Is(err, syscall.EROFS):
		m.Outcome = protocol.OutcomeReadOnly
	}
	return m
}

// detailOf is for people who know the outcome already: what it is about, the system's word for it, and more.
func detailOf(e *executor.StartError) string {
	var parts []string
	if e.Path != "" {
		parts = append(parts, e.Path)
	}
	if e.Errno != 0 {
		parts = append(parts, e.Errno.Error())
	}
	if e.Detail != "" {
		parts = append(parts, e.Detail)
	}
	return strings.Join(parts, ": ")
}

// maxDetail is the length in bytes to which explanations are cut.
const maxDetail = 1024

// joined adds a note to an explanation.
func joined(detail, note string) string { return clip(strings.TrimPrefix(detail+"; "+note, "; ")) }

func clip(s string) string {
	if len(s) <= maxDetail {
		return s
	}
	return strings.ToValidUTF8(s[:maxDetail], "")
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// outputOf converts a piece of output that was read from position from on.
func outputOf(c executor.Chunk) protocol.Chunk {
	out := protocol.Chunk{Off: uint64(c.Off), Gap: c.Skipped > 0, Data: c.Data}
	for _, r := range c.Runs {
		out.Spans = append(out.Spans, protocol.Span{Stream: protocol.Stream(r.Stream), Len: uint32(min(r.Len, math.MaxUint32))})
	}
	return out
}
