package core

import (
	"time"
	"unicode/utf8"
)

// CommandType is the language of a command's content.
type CommandType string

// The types of commands.
const (
	Shell      CommandType = "shell"
	PowerShell CommandType = "powershell"
	Bat        CommandType = "bat"
)

// RunsOn reports whether a platform can run this type at all.
func (t CommandType) RunsOn(p Platform) bool {
	switch t {
	case PowerShell, Bat:
		return p == Windows
	case Shell:
		return p != Windows
	default:
		return false
	}
}

// Definition is what a command does, whether it is stored or passed along with a run.
type Definition struct {
	Name          string
	Description   string
	Type          CommandType
	Content       []byte // as written, placeholders included
	WorkDir       string
	User          string
	Launcher      string
	Timeout       time.Duration // from the start of the process
	ParamsEnabled bool
	Defaults      map[string]string // default values of parameters
	Sink          Sink
}

// Sink is where output is delivered besides the result, in the vendor's own notation.
type Sink struct{ Bucket, Prefix string }

// Command is a stored definition.
type Command struct {
	ID      ID
	Account AccountID
	Region  string
	Definition
	CreatedAt     time.Time
	UpdatedAt     time.Time
	ResourceGroup string
	Tags          []Tag
	Extra         map[string]string // fields only one dialect knows, echoed to that dialect

	Invocations   int       // how often it was run; filled by listings
	LastInvokedAt time.Time // zero if never; filled by listings
}

// Limits are a dialect's bounds on what callers pass in; zero means none. The core applies them, so that each rule exists once and
// each vendor's numbers stay in its dialect.
type Limits struct {
	Name           int // characters
	Description    int // characters
	WorkDir        int // characters
	User           int // characters
	Launcher       int // bytes
	Content        int // bytes of content plus parameters, counted as below
	ContentBase64  bool
	Targets        int
	MinTimeout     time.Duration
	MaxTimeout     time.Duration
	DefaultTimeout time.Duration
	RaiseTimeout   bool // values below MinTimeout are raised instead of refused
	Dense          bool // the moments of a schedule may be closer to each other than the timeout
	Params         int  // parameters passed to a run
	ParamNames     int  // parameters defined in a command
	ParamName      int  // bytes of a parameter's name
	Tags           int
}

// contentSize is the size that the Content limit speaks of.
func (l *Limits) contentSize(n int) int {
	if l.ContentBase64 {
		return (n + 2) / 3 * 4
	}
	return n
}

// check applies the limits and fills the defaults of a definition.
func (d *Definition) check(l *Limits) error {
	switch {
	case l.Name > 0 && utf8.RuneCountInString(d.Name) > l.Name:
		return invalid(ReasonNameTooLong, "name", "more than %d characters", l.Name)
	case l.Description > 0 && utf8.RuneCountInString(d.Description) > l.Description:
		return invalid(ReasonDescriptionTooLong, "description", "more than %d characters", l.Description)
	case len(d.Content) == 0:
		return invalid(ReasonMissing, "content", "empty")
	case l.Content > 0 && l.contentSize(len(d.Content)) > l.Content:
		return invalid(ReasonContentTooLong, "content", "more than %d bytes", l.Content)
	case d.Type != Shell && d.Type != PowerShell && d.Type != Bat:
		return invalid(ReasonTypeUnknown, "type", "unknown type %q", d.Type)
	case l.Launcher > 0 && len(d.Launcher) > l.Launcher:
		return invalid(ReasonLauncherTooLong, "launcher", "more than %d bytes", l.Launcher)
	}
	if err := checkPlace(d.WorkDir, d.User, l); err != nil {
		return err
	}
	var err error
	d.Timeout, err = l.timeout(d.Timeout)
	return err
}

func checkPlace(dir, user string, l *Limits) error {
	switch {
	case l.WorkDir > 0 && utf8.RuneCountInString(dir) > l.WorkDir:
		return invalid(ReasonWorkDirTooLong, "workdir", "more than %d characters", l.WorkDir)
	case !printable(dir):
		return invalid(ReasonWorkDirInvalid, "workdir", "control characters")
	case l.User > 0 && utf8.RuneCountInString(user) > l.User:
		return invalid(ReasonUserTooLong, "user", "more than %d characters", l.User)
	case !printable(user):
		return invalid(ReasonUserInvalid, "user", "control characters")
	}
	return nil
}

func printable(s string) bool {
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return false
		}
	}
	return true
}

// timeout applies the bounds; zero asks for the default.
func (l *Limits) timeout(d time.Duration) (time.Duration, error) {
	if d == 0 {
		d = l.DefaultTimeout
	}
	if d < l.MinTimeout && l.RaiseTimeout {
		d = l.MinTimeout
	}
	if d < l.MinTimeout || d < 0 || l.MaxTimeout > 0 && d > l.MaxTimeout {
		e := invalid(ReasonTimeoutRange, "timeout", "%v is outside %v to %v", d, l.MinTimeout, l.MaxTimeout)
		return 0, e
	}
	return d, nil
}
