package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"errand/internal/agent/container"
	"errand/internal/agent/executor"
	"errand/internal/agent/journal"
	"errand/internal/protocol"
)

// boxed is a script that runs in a container.
type boxed interface {
	Wait() (exit int, err error)
	Kill(ctx context.Context, grace time.Duration) error
}

// enter starts a script in a container of this machine; without a script it only finds out whether it could.
func enter(ctx context.Context, ref container.Ref, script *container.Exec) (boxed, error) {
	target, err := container.Find(ctx, container.Sockets{}, ref)
	if err != nil || script == nil {
		return nil, err
	}
	return target.Start(ctx, *script)
}

// inContainer reports whether a task runs in a container rather than on the machine.
func inContainer(s *protocol.Spec) bool { return s.ContainerID != "" || s.ContainerName != "" }

// runInContainer carries out a command in a container. There it has no supervisor: unlike other commands it ends with the agent,
// and after the agent's violent end nobody knows about it. So the result is written down at once.
func (a *Agent) runInContainer(ctx context.Context, t *task, m *protocol.Run) {
	result := a.boxedResult(ctx, t, m)
	err := a.journal.Append(journal.Record{Task: t.id, State: journal.Ended, At: a.cfg.Clock(), Result: result.Append(nil)})
	if err != nil {
		a.log.Error("result not written down yet", "task", nameOf(t.id), "error", err)
	}
	a.end(t, result, err == nil)
}

func (a *Agent) boxedResult(ctx context.Context, t *task, m *protocol.Run) protocol.Finished {
	spec, err := a.specOf(t, m)
	switch {
	case err != nil:
		return refusedBy(t.id, err)
	case spec.Kind != executor.KindShell:
		return refusedBy(t.id, &executor.StartError{Reason: executor.NotApplicable, Detail: spec.Kind.String() + " script in a container"})
	case spec.Launcher != "":
		return refusedBy(t.id, &executor.StartError{Reason: executor.InvalidContent, Detail: "launcher in a container"})
	}
	starting, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	ref := container.Ref{ID: m.Spec.ContainerID, Name: m.Spec.ContainerName}
	if m.Spec.DryRun {
		if _, err := a.cfg.enter(starting, ref, nil); err != nil {
			return unboxed(t.id, err)
		}
		return protocol.Finished{Task: t.id, Outcome: protocol.OutcomeExited}
	}
	out, err := executor.Record(a.dirOf(t.id))
	if err != nil {
		return unwritten(t.id, err)
	}
	if spec.Hidden {
		out.Mask(spec.Env)
	}
	exit := executor.Exit{StartedAt: a.cfg.Clock().Wall}
	box, err := a.cfg.enter(starting, ref, &container.Exec{
		Script: boxedScript(spec), User: spec.User, WorkDir: spec.WorkDir,
		Stdout: out.Writer(executor.Stdout), Stderr: out.Writer(executor.Stderr),
	})
	if err != nil {
		return unboxed(t.id, err)
	}
	return a.follow(ctx, t, box, out, spec, exit)
}

// boxedScript is what the shell in a container reads. Not every runtime can set variables, so the script does.
func boxedScript(spec executor.Spec) []byte {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(spec.Env)) {
		fmt.Fprintf(&b, "export %s='%s'\n", name, strings.ReplaceAll(spec.Env[name], "'", `'\''`))
	}
	b.Write(executor.NormalizeScript(spec.Script, spec.KeepCRLF))
	return []byte(b.String())
}

// follow waits for the end of a script in a container, or brings it about.
func (a *Agent) follow(ctx context.Context, t *task, box boxed, out *executor.Recording, spec executor.Spec, exit executor.Exit) protocol.Finished {
	stopped, stop := context.WithCancel(ctx)
	defer stop()
	a.occupied(t, stop)
	limited, cancel := stopped, context.CancelFunc(func() {})
	if spec.Timeout > 0 {
		limited, cancel = context.WithTimeout(stopped, spec.Timeout)
	}
	defer cancel()
	killed := make(chan error, 1)
	unless := context.AfterFunc(limited, func() {
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace(spec)+startPatience)
		defer cancel()
		killed <- box.Kill(patience, grace(spec))
	})
	code, err := box.Wait()
	exit.EndedAt, exit.Code, exit.Cause = a.cfg.Clock().Wall, code, executor.Exited
	var survived error
	if !unless() {
		survived = <-killed
		exit.Cause = executor.Stopped
		if errors.Is(limited.Err(), context.DeadlineExceeded) {
			exit.Cause = executor.TimedOut
		}
	}
	exit, kept := out.End(exit)
	result := finishedBy(t.id, exit)
	if ctx.Err() != nil && exit.Cause != executor.Exited {
		result.Outcome, result.Detail = protocol.OutcomeInterrupted, joined(result.Detail, "the agent was stopped")
	}
	if err != nil && exit.Cause == executor.Exited {
		result.Outcome = unboxed(t.id, err).Outcome
	}
	for _, err := range []error{err, survived, kept} {
		if err != nil {
			result.Detail = joined(result.Detail, err.Error())
		}
	}
	return result
}

// grace returns how long a script in a container has between being asked and being forced to end.
func grace(spec executor.Spec) time.Duration {
	if spec.Grace == 0 {
		return executor.DefaultGrace
	}
	return spec.Grace
}

// boxFaults is how the reasons travel for which a script did not run in a container.
func boxFaults() map[container.Fault]protocol.Outcome {
	return map[container.Fault]protocol.Outcome{
		container.InvalidContainerId:   protocol.OutcomeContainerID,
		container.InvalidContainerName: protocol.OutcomeContainerName,
		container.UnsupportedRuntime:   protocol.OutcomeContainerUnsupported,
		container.NameAndIdNotMatch:    protocol.OutcomeContainerMismatch,
		container.NameDuplicated:       protocol.OutcomeContainerDuplicated,
		container.NotFound:             protocol.OutcomeContainerNotFound,
		container.StateAbnormal:        protocol.OutcomeContainerState,
		container.ConnectFailed:        protocol.OutcomeContainerConnect,
		container.RuntimeInternal:      protocol.OutcomeContainerRuntimeError,
		container.RuntimeTimeout:       protocol.OutcomeContainerTimeout,
	}
}

// unboxed returns the result of a script that could not be run in a container.
func unboxed(task protocol.Task, err error) protocol.Finished {
	m := protocol.Finished{Task: task, Outcome: protocol.OutcomeContainerRuntimeError, Detail: clip(err.Error())}
	var fault *container.Error
	if errors.As(err, &fault) {
		if o, ok := boxFaults()[fault.Fault]; ok {
			m.Outcome = o
		}
	}
	return m
}
