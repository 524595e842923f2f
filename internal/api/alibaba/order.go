package alibaba

import (
	"unicode"
	"unicode/utf8"

	"errand/internal/core"
)

// Script is what to run, as RunCommand of both products and CreateCommand carry it. Requests embed it.
type Script struct {
	Name            string
	Description     string
	CommandContent  string
	ContentEncoding string
	EnableParameter bool
}

// Definition translates a Script; its place, time limit and type are the caller's to add.
func (s *Script) Definition(byDefault Encoding) (core.Definition, error) {
	content, err := ParseEncoding(s.ContentEncoding, byDefault).Bytes(s.CommandContent)
	if err != nil {
		return core.Definition{}, err
	}
	if err := CheckText(s.Name, s.Description); err != nil {
		return core.Definition{}, err
	}
	if s.EnableParameter {
		if err := checkPlaceholders(content); err != nil {
			return core.Definition{}, err
		}
	}
	return core.Definition{Name: s.Name, Description: s.Description, Content: content, ParamsEnabled: s.EnableParameter}, nil
}

// descriptionInvalid exists for this one rule, so it is no reason of the core.
var descriptionInvalid = Forbidden("InvalidParameterCharacter.CommandDescription", "The command Description contains illegal characters.")

// CheckText refuses names and descriptions that hold what no terminal could show. Descriptions may have several lines.
func CheckText(name, description string) error {
	for _, r := range name {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return Invalid(core.ReasonNameInvalid, "Name", "control characters")
		}
	}
	for _, r := range description {
		if unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' || r == utf8.RuneError {
			return Refuse(descriptionInvalid)
		}
	}
	return nil
}

// Order is how to run something, as RunCommand of both products and InvokeCommand carry it. Requests embed it. Timed is not among its
// fields: the vendor ignores it.
type Order struct {
	WorkingDir      *string
	Username        *string
	Launcher        *string
	Timeout         *int64 // seconds
	Parameters      string // JSON object
	RepeatMode      string
	Frequency       string
	TerminationMode string
	ClientToken     string
}

// Spec translates an Order. hash is that of the request, in case it is sent again with the same ClientToken.
func (o *Order) Spec(hash string) (core.RunSpec, error) {
	if err := CheckToken(o.ClientToken); err != nil {
		return core.RunSpec{}, err
	}
	repeat, err := o.repeat()
	if err != nil {
		return core.RunSpec{}, err
	}
	tree, err := o.killTree()
	if err != nil {
		return core.RunSpec{}, err
	}
	params, err := parseParameters(o.Parameters)
	if err != nil {
		return core.RunSpec{}, err
	}
	spec := core.RunSpec{
		Override:      core.Override{WorkDir: o.WorkingDir, User: o.Username, Launcher: o.Launcher},
		Params:        params.values,
		Style:         Style(),
		KillTree:      tree,
		Termination:   o.TerminationMode,
		Repeat:        repeat,
		Frequency:     o.Frequency,
		DeliverWithin: DeliverWithin,
		Extra:         map[string]string{},
	}
	if !params.plain {
		spec.Extra[extraParameters] = o.Parameters
	}
	if o.Timeout != nil {
		t := Seconds(*o.Timeout)
		spec.Override.Timeout = &t
	}
	if o.ClientToken != "" {
		spec.ClientToken, spec.RequestHash = o.ClientToken, hash
	}
	return spec, nil
}

// Place writes what an Order says about a command that comes along with it into the command.
func (o *Order) Place(d *core.Definition) {
	d.WorkDir, d.User, d.Launcher = value(o.WorkingDir), value(o.Username), value(o.Launcher)
	if o.Timeout != nil {
		d.Timeout = Seconds(*o.Timeout)
	}
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// repeat decides when to run. Any Frequency makes a request periodic, whatever its RepeatMode.
func (o *Order) repeat() (core.RepeatMode, error) {
	if o.Frequency != "" {
		return core.Period, nil
	}
	if o.RepeatMode == "" {
		return core.Once, nil
	}
	mode, ok := repeatModes[o.RepeatMode]
	if !ok {
		return "", Invalid(core.ReasonRepeatMode, "RepeatMode", "unknown mode")
	}
	return mode, nil
}

// killTree decides what ends with a command that is stopped or out of time. Without a TerminationMode it is everything
// the command started: what outlives its own time limit unasked is nobody's wish.
func (o *Order) killTree() (bool, error) {
	switch o.TerminationMode {
	case "", "ProcessTree":
		return true, nil
	case "Process":
		return false, nil
	default:
		return false, Invalid(core.ReasonTerminationMode, "TerminationMode", "unknown mode")
	}
}

// Termination is the TerminationMode to show: what the caller said, or what it comes to.
func Termination(v *core.Invocation) string {
	switch {
	case v.Termination != "":
		return v.Termination
	case v.KillTree:
		return "ProcessTree"
	default:
		return "Process"
	}
}

// repeatModes are the vendor's words for when an invocation runs.
var repeatModes = map[string]core.RepeatMode{
	"Once": core.Once, "DryRun": core.DryRun, "Period": core.Period, "NextRebootOnly": core.NextReboot, "EveryReboot": core.EachReboot,
}

// RepeatMode is the vendor's word for when an invocation runs.
func RepeatMode(m core.RepeatMode) string {
	for word, mode := range repeatModes {
		if mode == m {
			return word
		}
	}
	return string(m)
}

// ParseRepeatMode reads the vendor's word in a filter; what is none stays as it is and matches nothing.
func ParseRepeatMode(word string) core.RepeatMode {
	if mode, ok := repeatModes[word]; ok {
		return mode
	}
	return core.RepeatMode(word)
}
