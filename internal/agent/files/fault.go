package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// Fault says why a file was not written, or not read.
type Fault uint8

// The faults. Each vendor's dialect has its own word for them.
const (
	CreateFail     Fault = iota // anything that has no name of its own; the cause tells
	Exists                      // there is something of the name, and it may not be replaced
	ContentInvalid              // empty
	NameInvalid                 // not a name, or too long for the file system
	PathInvalid                 // the folder is no absolute path, or leads nowhere or through a file
	ModeInvalid
	OwnerNotFound
	GroupNotFound
	NoSpace  // on the device, or in the owner's quota
	ReadOnly // the file system

	// Of a file that is read:
	Missing
	NotRegular // a folder, a link, a device, a pipe or a socket
	Unreadable // for anything else; the cause tells
	Changed    // while it was read
)

// String returns the fault in words.
func (f Fault) String() string {
	switch f {
	case CreateFail:
		return "cannot be created"
	case Exists:
		return "exists already"
	case ContentInvalid:
		return "empty content"
	case NameInvalid:
		return "invalid name"
	case PathInvalid:
		return "invalid folder"
	case ModeInvalid:
		return "invalid mode"
	case OwnerNotFound:
		return "no such owner"
	case GroupNotFound:
		return "no such group"
	case NoSpace:
		return "no space left"
	case ReadOnly:
		return "read-only file system"
	case Missing:
		return "no such file"
	case NotRegular:
		return "not a regular file"
	case Unreadable:
		return "cannot be read"
	case Changed:
		return "changed while it was read"
	}
	return fmt.Sprintf("fault(%d)", uint8(f))
}

// opRead is the Op of an Error about a file that is read.
const opRead = "read file"

// Error reports that a file was not written, or not read.
type Error struct {
	Op    string // what was tried; empty means to write it
	Fault Fault
	Path  string // what the fault is about: the file, its folder, a user or a group
	Err   error  // the cause, or nil when the fault says it all
}

// Error returns path, fault and cause.
func (e *Error) Error() string {
	text := "write file"
	if e.Op != "" {
		text = e.Op
	}
	if e.Path != "" {
		text += fmt.Sprintf(" %q", e.Path)
	}
	text += ": " + e.Fault.String()
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// refuse gives an error from below its fault.
func (f File) refuse(err error) error {
	var named *Error
	if errors.As(err, &named) {
		return named
	}
	fault := CreateFail
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	case errors.Is(err, fs.ErrExist):
		fault = Exists
	case errors.Is(err, syscall.ENAMETOOLONG):
		fault = NameInvalid
	case noSpace(err):
		fault = NoSpace
	case readOnly(err):
		fault = ReadOnly
	}
	return &Error{Fault: fault, Path: f.Path(), Err: err}
}

// pathFault tells the faults of a folder that is entered or made.
func pathFault(path string, err error) error {
	if noSpace(err) || readOnly(err) {
		return err
	}
	for _, lost := range []error{fs.ErrNotExist, syscall.ENOTDIR, syscall.ELOOP, syscall.ENAMETOOLONG, syscall.EINVAL} {
		if errors.Is(err, lost) {
			return &Error{Fault: PathInvalid, Path: path, Err: err}
		}
	}
	return err
}
