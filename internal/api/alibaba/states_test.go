package alibaba_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"errand/internal/api/alibaba"
	"errand/internal/core"
)

// byState is the vendor's table once more, as a list, so that a state without words is noticed.
var byState = [core.NumStates][2]string{
	core.Queued: {"Pending", "Running"}, core.Scheduled: {"Scheduled", "Running"}, core.Delivering: {"Pending", "Running"},
	core.Deferred: {"Pending", "Running"}, core.Running: {"Running", "Running"}, core.Stopping: {"Stopping", "Stopping"},
	core.Succeeded: {"Success", "Finished"}, core.Failed: {"Failed", "Finished"}, core.TimedOut: {"Timeout", "Failed"},
	core.StartFailed: {"Error", "Failed"}, core.Invalid: {"Invalid", "Failed"}, core.DeliveryFailed: {"Aborted", "Failed"},
	core.Lost: {"Error", "Failed"}, core.Exception: {"Error", "Failed"}, core.Cancelled: {"Cancelled", "Stopped"},
	core.Terminated: {"Terminated", "Stopped"},
}

func TestTaskStatus(t *testing.T) {
	t.Parallel()
	for s, want := range byState {
		got := alibaba.TaskStatus(&core.Task{State: core.State(s)})
		if got.Invocation != want[0] || got.Invoke != want[1] {
			t.Errorf("%v: %+v, want %v", core.State(s), got, want)
		}
	}
	wrong := []core.Cause{
		core.CauseUserNotFound, core.CauseDirNotFound, core.CauseNotApplicable, core.CauseInvalidContent, core.CauseBadSchedule,
	}
	for cause := range core.Cause(core.NumCauses) {
		want := alibaba.Status{Invocation: "Error", Invoke: "Failed"}
		if slices.Contains(wrong, cause) {
			want.Invocation = "Invalid"
		}
		if got := alibaba.TaskStatus(&core.Task{State: core.StartFailed, Cause: cause}); got != want {
			t.Errorf("not started because of %v: %+v, want %+v", cause, got, want)
		}
	}
}

// reference folds by asking the documented questions one machine at a time.
func reference(machines []core.State) alibaba.Status {
	some := func(column int, words ...string) bool {
		for _, m := range machines {
			for _, w := range words {
				if byState[m][column] == w {
					return true
				}
			}
		}
		return false
	}
	var s alibaba.Status
	switch {
	case some(0, "Pending"):
		s.Invocation = "Pending"
	case some(0, "Scheduled"):
		s.Invocation = "Scheduled"
	case some(0, "Running"):
		s.Invocation = "Running"
	case some(0, "Stopping"):
		s.Invocation = "Stopping"
	case some(0, "Success") && some(0, "Invalid", "Aborted", "Failed", "Timeout", "Error"):
		s.Invocation = "PartialFailed"
	case some(0, "Success"):
		s.Invocation = "Success"
	case some(0, "Invalid", "Aborted", "Failed", "Timeout", "Error"):
		s.Invocation = "Failed"
	default:
		s.Invocation = "Stopped"
	}
	switch {
	case some(1, "Running"):
		s.Invoke = "Running"
	case some(1, "Stopping"):
		s.Invoke = "Stopping"
	case some(1, "Failed") && some(1, "Finished"):
		s.Invoke = "PartialFailed"
	case some(1, "Failed"):
		s.Invoke = "Failed"
	case some(1, "Finished"):
		s.Invoke = "Finished"
	default:
		s.Invoke = "Stopped"
	}
	return s
}

// TestOverall compares the folds with the reference, for every mixture of up to three machines and for random larger ones.
func TestOverall(t *testing.T) {
	t.Parallel()
	check := func(machines ...core.State) {
		var c core.Counts
		for _, m := range machines {
			c[m]++
		}
		if got, want := alibaba.Overall(&c), reference(machines); got != want {
			t.Errorf("%v: %+v, want %+v", machines, got, want)
		}
	}
	for a := range core.State(core.NumStates) {
		check(a)
		for b := range a + 1 {
			check(a, b)
			for c := range b + 1 {
				check(a, b, c)
			}
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		among := random.Perm(core.NumStates)[:1+random.IntN(4)]
		machines := make([]core.State, 1+random.IntN(100))
		for i := range machines {
			machines[i] = core.State(among[random.IntN(len(among))])
		}
		check(machines...)
	}
}

func TestStatesOf(t *testing.T) {
	t.Parallel()
	seen := make(map[core.State]string)
	for _, word := range []string{"Running", "Stopping", "Finished", "Failed", "Stopped"} {
		for _, s := range alibaba.StatesOf(word) {
			if seen[s] != "" || byState[s][1] != word {
				t.Errorf("%v is %s and %q", s, word, seen[s])
			}
			seen[s] = word
		}
	}
	if len(seen) != core.NumStates {
		t.Errorf("%d states have an older word, want %d", len(seen), core.NumStates)
	}
	for _, word := range []string{"PartialFailed", "Success", ""} {
		if s := alibaba.StatesOf(word); len(s) > 0 {
			t.Errorf("%q is the older word of %v", word, s)
		}
	}
}

// TestStatusGoesByStatesAlone changes how many machines are in each state: listings by status rely on it that this changes no word.
func TestStatusGoesByStatesAlone(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 7))
	for range 20_000 {
		many, one := core.Invocation{Kind: core.KindStanding, Repeat: core.Period}, core.Invocation{Kind: core.KindStanding, Repeat: core.Period}
		for _, s := range random.Perm(core.NumStates)[:random.IntN(5)] {
			many.Counts[s], one.Counts[s] = 1+random.Int32N(1000), 1
		}
		if a, b := alibaba.Overall(&many.Counts), alibaba.Overall(&one.Counts); a != b {
			t.Errorf("%v is %v, with one of each %v", many.Counts, a, b)
		}
		if a, b := alibaba.FilesStatus(&many.Counts), alibaba.FilesStatus(&one.Counts); a != b {
			t.Errorf("files %v are %v, with one of each %v", many.Counts, a, b)
		}
		if alibaba.Timed(&many) != alibaba.Timed(&one) {
			t.Errorf("%v: whether it runs again goes by numbers", many.Counts)
		}
	}
}
