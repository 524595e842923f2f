package executor

import (
	"errors"
	"strings"
	"syscall"
)

var (
	// ErrExists means that the folder was used by an earlier Start, whatever became of it.
	ErrExists = errors.New("task folder already used")
	// ErrFinished means that the request came after the command's end.
	ErrFinished = errors.New("task has ended")
	// ErrRunning means that the folder still belongs to a living supervisor.
	ErrRunning = errors.New("task is running")
)

// Reason says why a command could not be started.
type Reason string

// The reasons. Each vendor's dialect has its own word for them.
const (
	UserNotFound              Reason = "UserNotFound"
	InvalidUser               Reason = "InvalidUser" // the name cannot be one
	DirectoryNotFound         Reason = "DirectoryNotFound"
	DirectoryPermissionDenied Reason = "DirectoryPermissionDenied" // for the user who runs the command
	InterpreterNotFound       Reason = "InterpreterNotFound"
	ExecFailed                Reason = "ExecFailed" // Errno tells more
	NoSpace                   Reason = "NoSpace"
	ReadOnlyFS                Reason = "ReadOnlyFS"
	InvalidContent            Reason = "InvalidContent"   // script, launcher, arguments or environment
	NotApplicable             Reason = "NotApplicable"    // a kind of script this operating system has no use for
	LimitUnavailable          Reason = "LimitUnavailable" // Path says which limit this machine cannot enforce
)

// StartError reports that the command never ran.
type StartError struct {
	Reason Reason        `json:"reason"`
	Path   string        `json:"path,omitempty"`   // what the reason is about: a file, a folder or a user
	Errno  syscall.Errno `json:"errno,omitempty"`  // 0 when no system call refused
	Detail string        `json:"detail,omitempty"` // for people
}

// Error returns reason, subject, cause and detail.
func (e *StartError) Error() string {
	parts := []string{"start command: " + string(e.Reason)}
	if e.Path != "" {
		parts = append(parts, e.Path)
	}
	if e.Errno != 0 {
		parts = append(parts, e.Errno.Error())
	}
	if e.Detail != "" {
		parts = append(parts, e.Detail)
	}
	return strings.Join(parts, ": ")
}

// Unwrap returns the system's error number, if there is one.
func (e *StartError) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

// Is matches another StartError with the same reason, so that callers can write errors.Is(err, &StartError{Reason: NoSpace}).
func (e *StartError) Is(target error) bool {
	t, ok := target.(*StartError)
	return ok && t.Reason == e.Reason
}

// errnoOf returns the error number at the bottom of err, or 0.
func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return 0
}
