package executor

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// Kind is the language family of a script.
type Kind uint8

// The kinds the vendors' APIs know. Only KindShell runs on Linux.
const (
	KindShell Kind = iota
	KindPowerShell
	KindBat
)

// String returns the kind as it appears in messages.
func (k Kind) String() string {
	switch k {
	case KindShell:
		return "shell"
	case KindPowerShell:
		return "powershell"
	case KindBat:
		return "bat"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Defaults and limits of a Spec.
const (
	DefaultGrace        = 10 * time.Second // between SIGTERM and SIGKILL when a stop was asked for
	DefaultTimeoutGrace = time.Second      // the same when the time is up
	MaxGrace            = 300 * time.Second
	DefaultOutputCap    = 64 << 20 // bytes of output kept
)

// Spec says what to run, as whom, and how to end it.
type Spec struct {
	ID     string // unique on this machine; a to z, 0 to 9 and hyphens, at most 64
	Kind   Kind
	Script []byte

	// KeepCRLF leaves a script alone whose lines all end in CRLF; the default turns them into LF.
	KeepCRLF bool
	// Launcher starts the script in place of its interpreter line, for example
	// `python3 -u {{ACS::ScriptFileName|Ext(".py")}}`. It is split into words here, quotes honoured, and no shell sees it.
	Launcher string
	// Hidden says that Script and Env hold secrets: neither gets to the disk, and values of Env with at least MinMasked bytes are replaced in
	// the output by Masked.
	Hidden bool
	// Login reads the user's login profile first.
	Login bool

	Args    []string
	Env     map[string]string // added to a clean login environment
	WorkDir string            // absolute; empty means the user's home, or / when that cannot be entered
	User    string            // empty means the agent's own user

	Timeout time.Duration // from the start of the command, time asleep included; 0 means none
	// TimeoutGrace and Grace lie between SIGTERM and SIGKILL, after a timeout and after a stop. Zero means the default,
	// a negative value no grace at all.
	TimeoutGrace time.Duration
	Grace        time.Duration
	// Tree ends every descendant on timeout, daemons that escaped into sessions of their own included. Otherwise only
	// the script's own process is ended.
	Tree bool

	Limits *Limits // nil means none

	OutputCap int64 // bytes kept, first half and last half; 0 means DefaultOutputCap
}

const (
	lowerCase = "abcdefghijklmnopqrstuvwxyz"
	digits    = "0123456789"
)

// made reports whether s has 1 to most characters, all of them out of set. Regular expressions would say it more
// tersely, but every supervisor would pay for compiling them.
func made(s, set string, most int) bool {
	return s != "" && len(s) <= most && strings.Trim(s, set) == ""
}

// validUser accepts [a-z_][a-z0-9_.@-]{0,63}\$?, which includes the names of directory services.
func validUser(name string) bool {
	name = strings.TrimSuffix(name, "$")
	return made(name, lowerCase+digits+"_.@-", 64) && made(name[:1], lowerCase+"_", 1)
}

// withDefaults returns the Spec with every zero that means a default replaced.
func (s Spec) withDefaults() Spec {
	s.Grace = graceOr(s.Grace, DefaultGrace)
	s.TimeoutGrace = graceOr(s.TimeoutGrace, DefaultTimeoutGrace)
	if s.OutputCap == 0 {
		s.OutputCap = DefaultOutputCap
	}
	return s
}

func graceOr(grace, normal time.Duration) time.Duration {
	if grace == 0 {
		return normal
	}
	return max(grace, 0)
}

// validate reports a *StartError for what the command's author can get wrong and a plain error for the rest.
func (s Spec) validate() error {
	switch {
	case !made(s.ID, lowerCase+digits+"-", 64):
		return fmt.Errorf("task id %q: want 1 to 64 of a-z, 0-9 and hyphen", s.ID)
	case s.Timeout < 0 || s.OutputCap < 0:
		return fmt.Errorf("task %s: negative timeout or output cap", s.ID)
	case s.Grace > MaxGrace || s.TimeoutGrace > MaxGrace:
		return fmt.Errorf("task %s: grace above %s", s.ID, MaxGrace)
	case s.User != "" && !validUser(s.User):
		return &StartError{Reason: InvalidUser, Path: s.User}
	case strings.ContainsRune(s.WorkDir, 0) || s.WorkDir != "" && !filepath.IsAbs(s.WorkDir):
		return &StartError{Reason: DirectoryNotFound, Path: s.WorkDir, Detail: "not an absolute path"}
	}
	for _, arg := range s.Args {
		if strings.ContainsRune(arg, 0) {
			return &StartError{Reason: InvalidContent, Detail: "argument with a NUL byte"}
		}
	}
	for name, value := range s.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(value, 0) {
			return &StartError{Reason: InvalidContent, Detail: "malformed environment variable"}
		}
	}
	return s.Limits.validate()
}
