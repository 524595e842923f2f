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

// What can be wrong with a container. The vendor's agent reports these codes, its pages do not list them.
var (
	ContainerID        = Cause{Code: "InvalidContainerId", Info: "The specified container ID is invalid"}
	ContainerName      = Cause{Code: "InvalidContainerName", Info: "The specified container name is invalid"}
	ContainerRuntime   = Cause{Code: "UnsupportedContainerRuntime", Info: "The container runtime is not supported"}
	ContainerMismatch  = Cause{Code: "ContainerNameAndIdNotMatch", Info: "The container name does not match the container ID"}
	ContainerAmbiguous = Cause{Code: "ContainerNameDuplicated", Info: "Several containers have the specified name"}
	ContainerNotFound  = Cause{Code: "ContainerNotFound", Info: "The specified container does not exist"}
	ContainerState     = Cause{Code: "ContainerStateAbnormal", Info: "The specified container is not running"}
	ContainerConnect   = Cause{Code: "ContainerConnectFailed", Info: "The container runtime cannot be reached"}
	ContainerFault     = Cause{Code: "ContainerRuntimeInternalError", Info: "The container runtime reported an error"}
	ContainerTimeout   = Cause{Code: "ContainerRuntimeTimeout", Info: "The container runtime did not answer in time"}
)
