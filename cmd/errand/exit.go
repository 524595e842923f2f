package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"errand/internal/client"
)

// exitCode ends the process with a code of its own and says nothing: what there is to say has been said.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// Exit codes besides 0. They are documented in errand help exit-codes and do not change.
const (
	exitFailed      exitCode = 1   // the tool or the server failed
	exitUsage       exitCode = 2   // wrong usage
	exitSome        exitCode = 3   // some nodes did not succeed
	exitDenied      exitCode = 4   // not authenticated or not allowed
	exitNoMatch     exitCode = 5   // no node matched
	exitWaited      exitCode = 6   // stopped waiting; the run goes on
	exitStopped     exitCode = 7   // cancelled, or aborted by its failure budget
	exitInterrupted exitCode = 130 // by a signal
)

// unmatched is an error about nodes that there are not.
type unmatched struct{ error }

func (e unmatched) Unwrap() error { return e.error }

// codeOf is the exit code of an error.
func codeOf(err error) int {
	var (
		code  exitCode
		wrong usageError
	)
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &wrong):
		return int(exitUsage)
	case errors.As(err, new(unmatched)):
		return int(exitNoMatch)
	case denied(err):
		return int(exitDenied)
	case errors.Is(err, context.Canceled):
		return int(exitInterrupted)
	default:
		return int(exitFailed)
	}
}

// hint is what to do about an error, if there is something.
func hint(err error) string {
	var (
		refused *client.Error
		dial    *net.OpError
	)
	switch {
	case errors.As(err, &refused):
		switch refused.Status {
		case http.StatusUnauthorized:
			return "errand ctx show --origin tells which key is used and where it comes from"
		case http.StatusForbidden:
			return "errand policy explain tells which policy decides; errand ctx show, who you are"
		case http.StatusTooManyRequests:
			return "try again in a moment; errand quota list shows the limits"
		case http.StatusInternalServerError:
			return "the server's log has the cause under this request id"
		}
	case errors.As(err, &dial) && dial.Op == "dial":
		return "start a server with errand up, or name another with --server, ERRAND_SERVER or errand ctx use"
	}
	return ""
}
