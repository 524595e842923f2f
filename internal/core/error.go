package core

import (
	"errors"
	"fmt"
)

// Code is the broad class of a refusal.
type Code uint8

// The codes.
const (
	CodeInternal        Code = iota // ours; the cause is in the log
	CodeInvalid                     // the request is wrong whatever the state of the world
	CodeNotFound                    // something it names does not exist for this account
	CodeConflict                    // it contradicts what exists
	CodeLimit                       // a limit or quota stands in the way
	CodeUnauthenticated             // the caller is not who it says
	CodeDenied                      // the caller may not
	CodeThrottled                   // too many calls
	CodeUnavailable                 // a node is not in a condition to take it
)

// Reason is the exact rule that refused, so that each dialect can answer with its vendor's own code.
type Reason uint8

// The reasons.
const (
	ReasonInternal     Reason = iota
	ReasonMissing             // a required parameter; Field names it
	ReasonInvalidValue        // Field has a value that is not allowed
	ReasonTooSmall            // Field is below its minimum
	ReasonTooLarge            // Field is above its maximum
	ReasonTooLong             // Field has too many characters or entries

	ReasonNameInvalid
	ReasonNameTooLong
	ReasonNameTaken
	ReasonDescriptionTooLong
	ReasonContentDecode
	ReasonContentTooLong
	ReasonTypeUnknown
	ReasonWorkDirInvalid
	ReasonWorkDirTooLong
	ReasonUserInvalid
	ReasonUserTooLong
	ReasonLauncherTooLong
	ReasonTimeoutRange
	ReasonTerminationMode
	ReasonRepeatMode
	ReasonScheduleMissing
	ReasonScheduleInvalid
	ReasonScheduleExpired // it never fires again
	ReasonContainerInvalid
	ReasonNotStanding  // the invocation does not repeat, so nothing of it can change
	ReasonAlreadyEnded // what it names is over
	ReasonFileNameTooLong
	ReasonFileDirInvalid
	ReasonFileTooLarge
	ReasonFileDescriptionTooLong
	ReasonFileModeInvalid
	ReasonFileOwnerInvalid
	ReasonFileGroupInvalid

	ReasonParamsDisabled
	ReasonParamsMalformed
	ReasonParamCount
	ReasonParamNameEmpty
	ReasonParamNameInvalid
	ReasonParamNameTooLong
	ReasonParamDuplicate
	ReasonParamUndefined // passed, but the command has no such parameter
	ReasonParamMissing   // required, but neither passed nor defaulted
	ReasonParamValueType

	ReasonTargetsMissing
	ReasonTargetsTooMany
	ReasonTargetNotFound
	ReasonTargetMalformed
	ReasonTargetPlatform
	ReasonTargetNeverSeen // no agent ever reported from it
	ReasonTargetOffline
	ReasonTargetNotInInvocation

	ReasonCommandNotFound
	ReasonCommandInUse
	ReasonCommandScheduled // a schedule runs it
	ReasonInvocationNotFound
	ReasonScheduleNotFound
	ReasonRegistrationNotFound
	ReasonRegistrationInUse   // machines that joined with it are still there
	ReasonRegistrationRefused // unknown, used up, expired, disabled or from a wrong address
	ReasonNodeTaken           // the wanted node id belongs to another machine
	ReasonSessionNotFound
	ReasonSessionsDisabled // by the account's own settings

	ReasonPageNumber
	ReasonPageSize
	ReasonPageToken
	ReasonFilter

	ReasonTagCount
	ReasonTagDuplicate
	ReasonTagKeyMissing
	ReasonTagKeyInvalid
	ReasonTagValueInvalid

	ReasonQuotaCommands
	ReasonQuotaRegistrations
	ReasonQuotaInvocations
	ReasonQuotaSessions
	ReasonQuotaObjects // nodes, users, keys or policies
	ReasonTokenInvalid
	ReasonTokenMismatch
	ReasonTokenPending // the first request with the token is under way
	ReasonUnsupported  // Field asks for what nothing here can do

	ReasonRegionUnknown
	ReasonKeyUnknown
	ReasonKeyDisabled
	ReasonKeyExpired
	ReasonLoginEnded // a login is over, or there never was one
	ReasonDenied
	ReasonThrottled
	ReasonAccessNotFound // account, user, key or policy
	ReasonUnknownAction
	NumReasons = int(iota)
)

// Error is a refusal that a caller may see. Its text is for operators; dialects choose their own.
type Error struct {
	Code   Code
	Reason Reason
	Field  string // parameter at fault, in the core's words, if one is
	Detail string
	Err    error // cause, for the log
}

func (e *Error) Error() string {
	s := e.Detail
	if s == "" {
		s = fmt.Sprintf("refused (reason %d)", e.Reason)
	}
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// AsError returns the refusal in err's chain; any other error becomes an internal one that keeps its cause.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: CodeInternal, Reason: ReasonInternal, Detail: "internal error", Err: err}
}

// Is reports whether err is a refusal for this reason.
func (r Reason) Is(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Reason == r
}

func invalid(r Reason, field, detail string, args ...any) *Error {
	return &Error{Code: CodeInvalid, Reason: r, Field: field, Detail: fmt.Sprintf(detail, args...)}
}

func notFound(r Reason, detail string, args ...any) *Error {
	return &Error{Code: CodeNotFound, Reason: r, Detail: fmt.Sprintf(detail, args...)}
}

func limited(r Reason, field, detail string, args ...any) *Error {
	return &Error{Code: CodeLimit, Reason: r, Field: field, Detail: fmt.Sprintf(detail, args...)}
}

// ErrNotFound is what a store answers when the row asked for is not there.
var ErrNotFound = errors.New("not found")

// ErrTaken is what a store answers when a row with this key exists already.
var ErrTaken = errors.New("already taken")
