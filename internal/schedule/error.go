package schedule

import (
	"errors"
	"fmt"
	"strconv"
)

// The kinds of refusal; every [Error] is exactly one of them.
var (
	ErrSyntax   = errors.New("not understood")              // it cannot be read
	ErrRange    = errors.New("out of range")                // it can be read and names what does not exist or is not allowed
	ErrExpired  = errors.New("no future run")               // it would never fire again
	ErrTooOften = errors.New("repeats in too short a time") // it would fire sooner than allowed, or while the last run may still be going
)

// Error says why an expression is refused, in words for the person who wrote it.
type Error struct {
	Expr   string // as written, at most the first 512 bytes; empty if a policy is refused
	Field  string // "hour", "zone", "rate"; empty if it is about the whole
	Reason string
	Kind   error // ErrSyntax, ErrRange, ErrExpired or ErrTooOften
}

// Error names the expression, the field and the reason.
func (e *Error) Error() string {
	text := "schedule: "
	if e.Expr != "" {
		text = "schedule " + strconv.Quote(e.Expr) + ": "
	}
	if e.Field != "" {
		text += e.Field + ": "
	}
	return text + e.Reason
}

// Unwrap returns the kind.
func (e *Error) Unwrap() error {
	return e.Kind
}

func syntaxErr(field, format string, args ...any) *Error {
	return &Error{Field: field, Reason: fmt.Sprintf(format, args...), Kind: ErrSyntax}
}

func rangeErr(field, format string, args ...any) *Error {
	return &Error{Field: field, Reason: fmt.Sprintf(format, args...), Kind: ErrRange}
}
