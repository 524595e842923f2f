package alibaba

import (
	"time"

	"errand/internal/core"
)

// FinishTime is when a task ended. For one that ran out of time the vendor reckons it from the start, whenever the process really died.
func FinishTime(t *core.Task, v *core.Invocation) time.Time {
	switch {
	case !t.State.Ended():
		return time.Time{}
	case t.State == core.TimedOut && !t.StartedAt.IsZero():
		return t.StartedAt.Add(v.Timeout)
	default:
		return t.EndedAt
	}
}

// ExitCode is the exit code of a task's process, in the shell's way for one that a signal ended; nil while there is none.
func ExitCode(t *core.Task) *int64 {
	code := int64(t.ExitCode)
	switch {
	case t.Signal != 0:
		code = 128 + int64(t.Signal)
	case !t.Exited:
		return nil
	}
	return &code
}

// Timed reports whether an invocation will run again by itself.
func Timed(v *core.Invocation) bool {
	return v.Repeat.Standing() && v.Kind == core.KindStanding && v.Counts.Open() > 0
}

// Cause is a product's words for why a task did not simply succeed.
type Cause struct{ Code, Info string }

// Of keeps quiet about tasks that have not ended: a machine that is away for the moment is not an error yet.
func (c Cause) Of(t *core.Task) Cause {
	if !t.State.Ended() {
		return Cause{}
	}
	return c
}
