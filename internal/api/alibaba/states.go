package alibaba

import (
	"slices"

	"errand/internal/core"
)

// Status is the pair of words the vendor has for the same thing: the finer InvocationStatus, and the older word that is called InvokeStatus
// for a whole invocation and InstanceInvokeStatus, InvokeRecordStatus or NodeInvokeStatus for one machine.
type Status struct{ Invocation, Invoke string }

// The older words. All that one machine can have is the first five.
const (
	Running       = "Running"
	Stopping      = "Stopping"
	Stopped       = "Stopped"
	Failed        = "Failed"
	Finished      = "Finished"
	PartialFailed = "PartialFailed"
)

// The finer words that are not among the older ones.
const (
	Pending   = "Pending"
	Scheduled = "Scheduled"
	Success   = "Success"
)

// states is the vendor's status of one machine for each state of a task. Finished is a process that ran to its end, whatever its exit code:
// that is why a failed command has the older word Finished.
var states = map[core.State]Status{
	core.Queued:         {Pending, Running},
	core.Scheduled:      {Scheduled, Running},
	core.Delivering:     {Pending, Running},
	core.Deferred:       {Pending, Running},
	core.Running:        {Running, Running},
	core.Stopping:       {Stopping, Stopping},
	core.Succeeded:      {Success, Finished},
	core.Failed:         {Failed, Finished},
	core.TimedOut:       {"Timeout", Failed},
	core.StartFailed:    {"Error", Failed},
	core.Invalid:        {"Invalid", Failed},
	core.DeliveryFailed: {"Aborted", Failed},
	core.Lost:           {"Error", Failed},
	core.Exception:      {"Error", Failed},
	core.Cancelled:      {"Cancelled", Stopped},
	core.Terminated:     {"Terminated", Stopped},
}

// wrongRequest lists the causes for which a task that could not start is Invalid rather than an Error: its command or a parameter is wrong.
var wrongRequest = []core.Cause{
	core.CauseNotApplicable, core.CauseUserNotFound, core.CauseDirNotFound, core.CauseInvalidContent, core.CauseBadSchedule,
}

// TaskStatus gives the words for one machine.
func TaskStatus(t *core.Task) Status {
	s := states[t.State]
	if t.State == core.StartFailed && slices.Contains(wrongRequest, t.Cause) {
		s.Invocation = "Invalid"
	}
	return s
}

// StatesOf lists the states in which one machine shows an older word, for filters; none if no machine ever does.
func StatesOf(invoke string) []core.State {
	var list []core.State
	for s := range core.State(core.NumStates) {
		if states[s].Invoke == invoke {
			list = append(list, s)
		}
	}
	return list
}

// Overall folds the states of all machines into the words for the invocation.
func Overall(c *core.Counts) Status {
	return Status{Invocation: overallInvocation(c), Invoke: overallInvoke(c)}
}

// overallInvocation goes by the vendor's list. The list gives no order for its first four words; this is the order in which they stand there,
// except that Stopping comes last as it does for the older word.
func overallInvocation(c *core.Counts) string {
	for _, word := range []string{Pending, Scheduled, Running, Stopping} {
		if machines(c, func(s Status) bool { return s.Invocation == word }) > 0 {
			return word
		}
	}
	good := machines(c, func(s Status) bool { return s.Invocation == Success })
	stopped := machines(c, func(s Status) bool { return s.Invoke == Stopped })
	bad := c.Total() - good - stopped
	switch {
	case good == 0 && bad == 0:
		return Stopped
	case bad == 0:
		return Success
	case good == 0:
		return Failed
	default:
		return PartialFailed
	}
}

// overallInvoke goes by the vendor's order of priority for the older word.
func overallInvoke(c *core.Counts) string {
	for _, word := range []string{Running, Stopping} {
		if machines(c, func(s Status) bool { return s.Invoke == word }) > 0 {
			return word
		}
	}
	failed := machines(c, func(s Status) bool { return s.Invoke == Failed })
	finished := machines(c, func(s Status) bool { return s.Invoke == Finished })
	switch {
	case failed == 0 && finished == 0:
		return Stopped
	case finished == 0:
		return Failed
	case failed == 0:
		return Finished
	default:
		return PartialFailed
	}
}

// machines counts those whose status is in a class.
func machines(c *core.Counts, in func(Status) bool) (n int) {
	for s, count := range c {
		if in(states[core.State(s)]) {
			n += int(count)
		}
	}
	return n
}
