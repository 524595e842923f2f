package tat

import (
	"slices"
	"testing"

	"errand/internal/core"
)

// TestTablesAreComplete looks for what a new state, cause or type would leave without a word.
func TestTablesAreComplete(t *testing.T) {
	t.Parallel()
	documented := []taskStatus{
		"PENDING", "DELIVERING", "DELIVER_DELAYED", "RUNNING", "CANCELLING", "SUCCESS", "FAILED", "TIMEOUT", "TASK_TIMEOUT",
		"DELIVER_FAILED", "START_FAILED", "CANCELLED", "TERMINATED",
	}
	var used []taskStatus
	for s := range core.State(core.NumStates) {
		word, ok := taskStatuses[s]
		if !ok || !slices.Contains(documented, word) {
			t.Errorf("state %v is %q", s, word)
		}
		used = append(used, word)
	}
	for _, word := range documented {
		if !slices.Contains(used, word) {
			t.Errorf("no state is %s", word)
		}
	}
	for c := range core.Cause(core.NumCauses) {
		if _, ok := troubles[c]; !ok {
			t.Errorf("cause %v has no words", c)
		}
	}
	for _, neutral := range []core.CommandType{core.Shell, core.PowerShell, core.Bat} {
		if back, ok := parseType(string(commandTypes[neutral])); !ok || back != neutral {
			t.Errorf("type %v is %q", neutral, commandTypes[neutral])
		}
	}
}

// TestFold compares the fold over counters with the vendor's words folded one by one, for every mix of up to four tasks.
func TestFold(t *testing.T) {
	t.Parallel()
	seen := make(map[invocationStatus]bool)
	var try func(states []core.State)
	try = func(states []core.State) {
		if len(states) > 0 {
			var counts core.Counts
			words := make([]taskStatus, len(states))
			for i, s := range states {
				counts[s]++
				words[i] = taskStatuses[s]
			}
			got, want := fold(&counts), naiveFold(words)
			seen[got] = true
			if got != want {
				t.Errorf("%v: %s, want %s", words, got, want)
			}
		}
		if len(states) == 4 {
			return
		}
		first := core.State(0)
		if n := len(states); n > 0 {
			first = states[n-1]
		}
		for s := first; s < core.State(core.NumStates); s++ {
			try(append(slices.Clone(states), s))
		}
	}
	try(nil)
	for _, word := range []invocationStatus{
		"PENDING", "RUNNING", "CANCELLING", "SUCCESS", "TIMEOUT", "FAILED", "CANCELLED", "PARTIAL_FAILED", "PARTIAL_CANCELLED",
	} {
		if !seen[word] {
			t.Errorf("no mix is %s", word)
		}
	}
	if len(seen) != 9 {
		t.Errorf("%d words, the vendor has 9", len(seen))
	}
}

// naiveFold is the table of rules, read line by line.
func naiveFold(words []taskStatus) invocationStatus {
	all := func(set ...taskStatus) bool {
		return !slices.ContainsFunc(words, func(w taskStatus) bool { return !slices.Contains(set, w) })
	}
	some := func(set ...taskStatus) bool {
		return slices.ContainsFunc(words, func(w taskStatus) bool { return slices.Contains(set, w) })
	}
	switch {
	case some("CANCELLING"):
		return "CANCELLING"
	case all("PENDING", "DELIVERING", "DELIVER_DELAYED"):
		return "PENDING"
	case some("PENDING", "DELIVERING", "DELIVER_DELAYED", "RUNNING"):
		return "RUNNING"
	case all("SUCCESS"):
		return "SUCCESS"
	case all("CANCELLED", "TERMINATED"):
		return "CANCELLED"
	case all("TIMEOUT", "TASK_TIMEOUT"):
		return "TIMEOUT"
	case !some("SUCCESS", "CANCELLED", "TERMINATED"):
		return "FAILED"
	case all("SUCCESS", "CANCELLED", "TERMINATED"):
		return "PARTIAL_CANCELLED"
	}
	return "PARTIAL_FAILED"
}

func TestExitCode(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		task core.Task
		want int64
	}{
		"waiting":              {core.Task{State: core.Queued}, 0},
		"running":              {core.Task{State: core.Running}, 0},
		"success":              {core.Task{State: core.Succeeded, Exited: true}, 0},
		"failure":              {core.Task{State: core.Failed, Exited: true, ExitCode: 3}, 3},
		"killed by a signal":   {core.Task{State: core.Failed, Signal: 9}, -1},
		"timed out":            {core.Task{State: core.TimedOut, Signal: 15}, -1},
		"timed out, exited":    {core.Task{State: core.TimedOut, Exited: true, ExitCode: 1}, -1},
		"stopped by a signal":  {core.Task{State: core.Terminated, Signal: 15}, -1},
		"stopped, exited":      {core.Task{State: core.Terminated, Exited: true, ExitCode: 5}, 5},
		"never started":        {core.Task{State: core.StartFailed}, -1},
		"never delivered":      {core.Task{State: core.DeliveryFailed}, -1},
		"cancelled":            {core.Task{State: core.Cancelled}, -1},
		"lost":                 {core.Task{State: core.Lost}, -1},
		"broken by the system": {core.Task{State: core.Exception}, -1},
	} {
		if got := exitCode(&c.task); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestErrorInfo(t *testing.T) {
	t.Parallel()
	for want, task := range map[string]core.Task{
		"": {State: core.Failed, Cause: core.CauseExitNonzero, Detail: "exit status 3"},
		"InvalidWorkingDirectory: working_directory /nowhere not exists": {
			State: core.StartFailed, Cause: core.CauseDirNotFound, Detail: "working_directory /nowhere not exists",
		},
		"InvalidUser: the user does not exist":                    {State: core.StartFailed, Cause: core.CauseUserNotFound},
		"AgentUnresponsive: the agent stopped reporting":          {State: core.Lost, Cause: core.CauseAgentUnresponsive},
		"DeliverTimeout: the agent did not take the task in time": {State: core.DeliveryFailed, Cause: core.CauseDeliveryTimeout},
	} {
		if got := errorInfo(&task); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
