package zos

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"errand/internal/core"
)

func TestStatusOf(t *testing.T) {
	t.Parallel()
	want := [core.NumStates]taskStatus{
		core.Queued: "Pending", core.Scheduled: "Pending", core.Delivering: "Pending", core.Deferred: "Pending",
		core.Running: "Running", core.Stopping: "Running", core.Succeeded: "Success", core.Failed: "Failed",
		core.TimedOut: "Timeout", core.StartFailed: "Error", core.Invalid: "Error", core.DeliveryFailed: "Error",
		core.Lost: "Error", core.Exception: "Error", core.Cancelled: "Error", core.Terminated: "Error",
	}
	for s := range core.State(core.NumStates) {
		if got := statusOf(s); got != want[s] {
			t.Errorf("%s is %s, want %s", s, got, want[s])
		}
	}
}

func TestCause(t *testing.T) {
	t.Parallel()
	const fallback, system = "fallback", "SystemError"
	want := map[core.Cause]errorCode{
		core.NoCause: fallback, core.CauseNodeNotFound: "InstanceNotExists", core.CauseNodeReleased: "InstanceNotExists",
		core.CauseNodeNotRunning: "InstanceInstanceState", core.CauseAgentOffline: "InstanceInstanceState",
		core.CauseNotApplicable: "CommandPlatformInvalid", core.CauseExecTimeout: "ExecutionTimeout",
		core.CauseExitNonzero: "ExecutionExitNoneZero", core.CauseUserNotFound: system, core.CauseDirNotFound: system,
		core.CauseDirDenied: system, core.CauseNoInterpreter: system, core.CauseInvalidContent: system, core.CauseNoSpace: system,
		core.CauseReadOnly: system, core.CauseExecFailed: system, core.CauseBadSchedule: system, core.CauseAgentUnresponsive: system,
		core.CauseAgentUpgrading: system, core.CauseAgentTooOld: system, core.CauseDeliveryTimeout: system,
		core.CauseException: system, core.CauseInterrupted: system, core.CauseNetworkDenied: system,
		core.CauseConcurrencyLimit: system, core.CauseOutOfMemory: system, core.CauseSupervisorGone: system,
		core.CauseRebooted: system, core.CauseJournalGap: system, core.CauseScheduleOver: system, core.CauseGroupNotFound: system,
		core.CauseFileCreate: system, core.CauseFileExists: system, core.CauseFileContent: system, core.CauseFileName: system,
		core.CauseFilePath: system, core.CauseFileMode: system, core.CauseContainerID: system, core.CauseContainerName: system,
		core.CauseContainerRuntime: system, core.CauseContainerMismatch: system, core.CauseContainerAmbiguous: system,
		core.CauseContainerNotFound: system, core.CauseContainerState: system, core.CauseContainerConnect: system,
		core.CauseContainerFault: system, core.CauseContainerTimeout: system, core.CauseLimits: system,
		core.CauseFileHash: system, core.CauseFileChanged: system, core.CauseFileKind: system, core.CauseFileTooLarge: system,
		core.CauseFileMissing: system, core.CauseFileUnreadable: system, core.CauseFileRefused: system,
	}
	for c := range core.Cause(core.NumCauses) {
		if got := causeOr(c, fallback); got != want[c] {
			t.Errorf("%s is %s, want %s", c, got, want[c])
		}
	}
}

func TestErrorOf(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		task core.Task
		gone bool
		want errorCode
	}{
		"running":                     {core.Task{State: core.Running}, false, ""},
		"success":                     {core.Task{State: core.Succeeded}, false, ""},
		"success, gone since":         {core.Task{State: core.Succeeded}, true, ""},
		"exit code":                   {core.Task{State: core.Failed, Cause: core.CauseExitNonzero}, false, "ExecutionExitNoneZero"},
		"exit code, gone since":       {core.Task{State: core.Failed, Cause: core.CauseExitNonzero}, true, "ExecutionExitNoneZero"},
		"timeout":                     {core.Task{State: core.TimedOut, Cause: core.CauseExecTimeout}, false, "ExecutionTimeout"},
		"stopped":                     {core.Task{State: core.Terminated, Cause: core.CauseInterrupted}, false, "SystemError"},
		"stopped before start":        {core.Task{State: core.Cancelled, Cause: core.CauseInterrupted}, false, "SystemError"},
		"wrong platform":              {core.Task{State: core.Invalid, Cause: core.CauseNotApplicable}, false, "CommandPlatformInvalid"},
		"invalid":                     {core.Task{State: core.Invalid}, false, "CommandPlatformInvalid"},
		"offline":                     {core.Task{State: core.DeliveryFailed, Cause: core.CauseAgentOffline}, false, "InstanceInstanceState"},
		"not delivered":               {core.Task{State: core.DeliveryFailed}, false, "InstanceInstanceState"},
		"not delivered in time":       {core.Task{State: core.DeliveryFailed, Cause: core.CauseDeliveryTimeout}, false, "SystemError"},
		"not delivered, gone":         {core.Task{State: core.DeliveryFailed, Cause: core.CauseAgentOffline}, true, "InstanceNotExists"},
		"lost":                        {core.Task{State: core.Lost, Cause: core.CauseAgentUnresponsive}, false, "SystemError"},
		"lost, gone":                  {core.Task{State: core.Lost, Cause: core.CauseAgentUnresponsive}, true, "InstanceNotExists"},
		"could not start":             {core.Task{State: core.StartFailed, Cause: core.CauseUserNotFound}, false, "SystemError"},
		"agent fault":                 {core.Task{State: core.Exception, Cause: core.CauseException}, false, "SystemError"},
		"agent fault, machine gone":   {core.Task{State: core.Exception, Cause: core.CauseException}, true, "SystemError"},
		"exception of unknown origin": {core.Task{State: core.Exception}, false, "SystemError"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got errorCode
			if c := errorOf(&tt.task, !tt.gone); c != nil {
				got = *c
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestErrorOfMeansFailure holds the two columns together: an error code exactly when the status is one of the bad ends.
func TestErrorOfMeansFailure(t *testing.T) {
	t.Parallel()
	for s := range core.State(core.NumStates) {
		for c := range core.Cause(core.NumCauses) {
			got := errorOf(&core.Task{State: s, Cause: c}, true)
			status := statusOf(s)
			if bad := status == taskFailed || status == taskTimeout || status == taskError; bad != (got != nil) {
				t.Errorf("%s with %s: status %s, error %v", s, c, status, got)
			}
		}
	}
}

// TestFold compares the fold over counts with the vendor's sentences over a list of tasks.
func TestFold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		states := rapid.SliceOfN(rapid.Uint8Range(0, uint8(core.NumStates-1)), 1, 8).Draw(t, "states")
		var counts core.Counts
		var tasks []taskStatus
		for _, s := range states {
			counts[s]++
			tasks = append(tasks, statusOf(core.State(s)))
		}
		all := func(s taskStatus) bool { return !slices.ContainsFunc(tasks, func(t taskStatus) bool { return t != s }) }
		some := func(s taskStatus) bool { return slices.Contains(tasks, s) }
		want := invocationPartialFailed
		switch {
		case all(taskPending):
			want = invocationPending
		case some(taskPending) || some(taskRunning):
			want = invocationRunning
		case all(taskSuccess):
			want = invocationSuccess
		case !some(taskSuccess):
			want = invocationFailed
		}
		if got := fold(&counts); got != want {
			t.Fatalf("%v is %s, want %s", states, got, want)
		}
		if open := counts.Open() > 0; open != (want == invocationPending || want == invocationRunning) {
			t.Fatalf("%v: open %v, but %s", states, open, want)
		}
		if _, ok := parseInvocationStatus(string(want)); !ok {
			t.Fatalf("%s cannot be asked for", want)
		}
	})
}

// TestEveryReasonHasACode sees to it that only our own faults look like ours.
func TestEveryReasonHasACode(t *testing.T) {
	t.Parallel()
	for r := range core.Reason(core.NumReasons) {
		c := codeOf(r)
		if (c == codeInternal) != (r == core.ReasonInternal) {
			t.Errorf("reason %d is %s", r, c)
		}
		if s := c.status(); s < 400 || s > 599 || s == 403 || s == 451 {
			t.Errorf("%s has status %d", c, s)
		}
	}
}

// TestFoldGoesByStatesAlone changes how many tasks are in each state: listings by status rely on it that this changes no word.
func TestFoldGoesByStatesAlone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var many, one core.Counts
		for _, s := range rapid.SliceOfN(rapid.IntRange(0, core.NumStates-1), 0, 5).Draw(t, "states") {
			many[s], one[s] = rapid.Int32Range(1, 1000).Draw(t, "count"), 1
		}
		if a, b := fold(&many), fold(&one); a != b {
			t.Fatalf("%v is %v, with one of each %v", many, a, b)
		}
	})
}
