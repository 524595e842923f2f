package container

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// Fault says why a script did not run in a container, or could not be followed there.
type Fault uint8

// The faults. The vendors' agent reports each under the name that String returns.
const (
	noFault Fault = iota

	InvalidContainerId   // no 64 hexadecimal digits
	InvalidContainerName // neither Docker's nor Kubernetes' form
	UnsupportedRuntime
	NameAndIdNotMatch
	NameDuplicated
	NotFound
	StateAbnormal // not running, or paused
	ConnectFailed // nobody listens on the runtime's socket, or not for us
	RuntimeInternal
	RuntimeTimeout
)

// String returns the name of the fault in the vendors' results.
func (f Fault) String() string {
	switch f {
	case noFault:
		return ""
	case InvalidContainerId:
		return "InvalidContainerId"
	case InvalidContainerName:
		return "InvalidContainerName"
	case UnsupportedRuntime:
		return "UnsupportedContainerRuntime"
	case NameAndIdNotMatch:
		return "ContainerNameAndIdNotMatch"
	case NameDuplicated:
		return "ContainerNameDuplicated"
	case NotFound:
		return "ContainerNotFound"
	case StateAbnormal:
		return "ContainerStateAbnormal"
	case ConnectFailed:
		return "ContainerConnectFailed"
	case RuntimeInternal:
		return "ContainerRuntimeInternalError"
	case RuntimeTimeout:
		return "ContainerRuntimeTimeout"
	}
	return fmt.Sprintf("Fault(%d)", uint8(f))
}

// Error reports what went wrong with a container or its runtime.
type Error struct {
	Fault  Fault
	Detail string // for people
	Err    error  // the cause, if there is one below
}

// Error returns fault, detail and cause.
func (e *Error) Error() string {
	text := e.Fault.String()
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// broken names the fault of a conversation that failed before the runtime had given its answer.
func broken(what string, err error) error {
	var named *Error
	if errors.As(err, &named) {
		return named
	}
	fault := RuntimeInternal
	var dial *net.OpError
	var slow net.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		fault = RuntimeTimeout
	case errors.As(err, &dial) && dial.Op == "dial":
		fault = ConnectFailed
	}
	return &Error{Fault: fault, Detail: what, Err: err}
}
