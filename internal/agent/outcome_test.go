package agent

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/agent/executor"
	"errand/internal/protocol"
)

func TestFinishedBy(t *testing.T) {
	t.Parallel()
	task := protocol.Task{Invocation: 5, Index: 6}
	began := time.Date(2026, 3, 1, 12, 0, 0, 1000, time.UTC)
	for name, c := range map[string]struct {
		exit executor.Exit
		want protocol.Finished
	}{
		"exit": {
			executor.Exit{
				Cause: executor.Exited, Code: 7, StartedAt: began, EndedAt: began.Add(time.Second),
				Totals: executor.Totals{Stdout: 10, Stderr: 20}, DrainIncomplete: true,
			},
			protocol.Finished{
				Outcome: protocol.OutcomeExited, ExitCode: 7, Started: began.UnixMicro(), Ended: began.UnixMicro() + 1e6,
				Stdout: 10, Stderr: 20, DrainCut: true,
			},
		},
		"signal": {
			executor.Exit{Cause: executor.Signaled, Code: 137, Signal: 9},
			protocol.Finished{Outcome: protocol.OutcomeExited, ExitCode: 137, Signal: 9},
		},
		"timeout":       {executor.Exit{Cause: executor.TimedOut}, protocol.Finished{Outcome: protocol.OutcomeTimedOut}},
		"stop":          {executor.Exit{Cause: executor.Stopped}, protocol.Finished{Outcome: protocol.OutcomeStopped}},
		"memory":        {executor.Exit{Cause: executor.OutOfMemory}, protocol.Finished{Outcome: protocol.OutcomeOutOfMemory}},
		"no supervisor": {executor.Exit{Cause: executor.SupervisorKilled, Code: -1}, protocol.Finished{Outcome: protocol.OutcomeSupervisorGone, ExitCode: -1}},
		"reboot":        {executor.Exit{Cause: executor.Rebooted, Code: -1}, protocol.Finished{Outcome: protocol.OutcomeRebooted, ExitCode: -1}},
		"no user": {
			executor.Exit{Cause: executor.StartFailed, Start: &executor.StartError{Reason: executor.UserNotFound, Path: "joe"}},
			protocol.Finished{Outcome: protocol.OutcomeUserNotFound, Detail: "joe"},
		},
		"trouble": {
			executor.Exit{Cause: executor.Exited, OutputErrno: int(syscall.ENOSPC), Survivors: 2},
			protocol.Finished{Outcome: protocol.OutcomeExited, Detail: "output incomplete: no space left on device; 2 processes would not die"},
		},
		"newer executor": {
			executor.Exit{Cause: "abducted"},
			protocol.Finished{Outcome: protocol.OutcomeAgentFault, Detail: `unknown end "abducted"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.want.Task = task
			if diff := cmp.Diff(c.want, finishedBy(task, c.exit)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefusedBy(t *testing.T) {
	t.Parallel()
	for reason, want := range refusals() {
		start := &executor.StartError{Reason: reason, Path: "/x", Errno: syscall.EACCES, Detail: "more"}
		got := refusedBy(protocol.Task{}, fmt.Errorf("start: %w", start))
		if got.Outcome != want || got.Detail != "/x: permission denied: more" {
			t.Errorf("%s: %+v", reason, got)
		}
	}
	for err, want := range map[error]protocol.Outcome{
		&executor.StartError{Reason: executor.LimitUnavailable, Path: "memory"}: protocol.OutcomeLimits,
		fmt.Errorf("silent supervisor: %w", context.DeadlineExceeded):           protocol.OutcomeSupervisorGone,
		errors.New("no processes left"):                                         protocol.OutcomeExecFailed,
		&executor.StartError{Reason: "Mood"}:                                    protocol.OutcomeExecFailed,
	} {
		if got := refusedBy(protocol.Task{}, err); got.Outcome != want {
			t.Errorf("%v: %+v", err, got)
		}
	}
}

func TestSpecOf(t *testing.T) {
	t.Parallel()
	m := protocol.Run{
		Task: protocol.Task{Invocation: math.MaxUint64, Index: math.MaxUint32},
		Spec: protocol.Spec{
			Content: []byte("x"), Launcher: "sh", WorkDir: "/", User: "joe", Timeout: 60, Grace: 1500, KillTree: true, Env: map[string]string{"A": "b"},
		},
	}
	got, err := specOf(&m, "1-2-x")
	if err != nil {
		t.Fatal(err)
	}
	want := executor.Spec{
		ID: "1-2-x", Script: []byte("x"), Launcher: "sh", WorkDir: "/", User: "joe",
		Timeout: time.Minute, Grace: 1500 * time.Millisecond, TimeoutGrace: 1500 * time.Millisecond, Tree: true, Env: map[string]string{"A": "b"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	m.Spec.Timeout, m.Spec.Grace = math.MaxUint64, math.MaxUint64
	if got, err := specOf(&m, "1-2-x"); err != nil || got.Timeout < 24*365*time.Hour || got.Grace != executor.MaxGrace {
		t.Errorf("timeout %v, grace %v, %v", got.Timeout, got.Grace, err)
	}
}

func TestTaskNames(t *testing.T) {
	t.Parallel()
	for _, task := range []protocol.Task{
		{},
		{Invocation: 7, Index: 8},
		{Invocation: math.MaxUint64, Index: math.MaxUint32},
		{Invocation: 7, Due: 9},
		{Invocation: math.MaxUint64, Index: math.MaxUint32, Due: 1 << 62},
	} {
		if got, ok := taskNamed(nameOf(task)); !ok || got != task {
			t.Errorf("%v became %v, %v", task, got, ok)
		}
		if name := nameOf(task); len(name)+1+markLength > 64 {
			t.Errorf("%q is too long for the executor", name)
		}
	}
	for _, name := range []string{"", "-", "1", "1-", "-1", "01-1", "1-+1", "1-4294967296", "1-2-0", "1-2-", "1-2-9223372036854775808", "1-2-3-4", "1-2-3-", "lost+found"} {
		if got, ok := taskNamed(name); ok {
			t.Errorf("%q is taken for %v", name, got)
		}
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", maxDetail)
	if got := clip(long + "x"); len(got) > maxDetail || !strings.HasPrefix(long, got) || got == "" {
		t.Errorf("clipped to %d bytes", len(got))
	}
	if got := clip("short"); got != "short" {
		t.Errorf("%q", got)
	}
}

func TestFacts(t *testing.T) {
	t.Parallel()
	f := Facts("1.2.3")
	if f.Agent != "1.2.3" || f.OS == "" || f.OSName == "" || f.Arch == "" || f.Zone == "" {
		t.Errorf("%+v", f)
	}
	if a, b := MachineID(), MachineID(); a != b || a != "" && len(a) != 32 {
		t.Errorf("machine id %q, then %q", a, b)
	}
	now := machineClock()
	if a, b := now(), now(); b.Since(a) > time.Minute || b.Wall.Before(a.Wall) {
		t.Errorf("%+v, then %+v", a, b)
	}
}
