package core

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"errand/internal/policy"
)

// Recording is when terminals are recorded.
type Recording string

// The settings.
const (
	RecordAlways  Recording = "always"  // whether the caller wants it or not
	RecordUnless  Recording = "unless"  // unless the caller does not want it
	RecordRequest Recording = "request" // if the caller wants it
	RecordNever   Recording = "never"   // whether the caller wants it or not
)

// TerminalTerms is what the operator lets sessions ask for; zero values have defaults. Vendors' APIs have no words for any of it: their
// sessions keep to their vendor's limits.
type TerminalTerms struct {
	Idle   time.Duration // the most that a caller may be silent, and what holds if nothing is asked for
	Limit  time.Duration // the most that a session may last in all, and what holds if nothing is asked for
	Record Recording
}

// Defaults of TerminalTerms.
const (
	DefaultTerminalIdle  = time.Hour
	DefaultTerminalLimit = 12 * time.Hour
)

func (t TerminalTerms) withDefaults() TerminalTerms {
	if t.Idle == 0 {
		t.Idle = DefaultTerminalIdle
	}
	if t.Limit == 0 {
		t.Limit = DefaultTerminalLimit
	}
	if t.Record == "" {
		t.Record = RecordUnless
	}
	return t
}

// sessionTerms is what a session gets.
type sessionTerms struct {
	idle, limit   time.Duration
	record, input bool
}

// terms decides what an order gets. What is beyond the operator's terms is refused rather than cut, so that nobody relies on it.
func (t TerminalTerms) terms(o *SessionSpec) (got sessionTerms, err error) {
	if o.Origin == OriginNative {
		got.idle, got.limit = t.Idle, t.Limit
	}
	for _, d := range []struct {
		field string
		asked *time.Duration
		most  time.Duration
		got   *time.Duration
	}{{FieldSessionIdle, o.Idle, t.Idle, &got.idle}, {FieldSessionLimit, o.Limit, t.Limit, &got.limit}} {
		switch {
		case d.asked == nil:
		case *d.asked < time.Second || *d.asked > d.most:
			return got, invalid(ReasonInvalidValue, d.field, "1 to %d", int(d.most/time.Second))
		default:
			*d.got = d.asked.Truncate(time.Second)
		}
	}
	if o.mode() == SessionPort {
		if o.Record != nil && *o.Record || o.RecordInput {
			return got, invalid(ReasonInvalidValue, FieldSessionRecord, "what goes through a port is not recorded")
		}
		return got, nil
	}
	refuse := func(why string) (sessionTerms, error) {
		return got, &Error{Code: CodeDenied, Reason: ReasonUnsupported, Field: FieldSessionRecord, Detail: why}
	}
	switch wanted := o.Record != nil && *o.Record; {
	case t.Record == RecordAlways && o.Record != nil && !wanted:
		return refuse("terminals are always recorded here")
	case t.Record == RecordNever && (wanted || o.RecordInput):
		return refuse("terminals are not recorded here")
	case t.Record == RecordAlways, t.Record == RecordUnless && o.Record == nil:
		got.record = true
	default:
		got.record = wanted
	}
	if got.input = o.RecordInput; got.input && !got.record {
		return got, invalid(ReasonInvalidValue, FieldSessionRecord, "the input is recorded with the output or not at all")
	}
	return got, nil
}

// verb is the operation that starting such a session is.
func (m SessionMode) verb() string {
	switch m {
	case SessionCommand:
		return "session.exec"
	case SessionPort:
		return "session.forward"
	case SessionShell:
	}
	return "session.start"
}

// allowSession is Allow for starting a session. Vendors have one right for all kinds of sessions; whoever is denied the verb of this kind may not start
// it through them either.
func (s *Service) allowSession(ctx context.Context, c *Caller, spec *SessionSpec) error {
	about, err := s.resources(ctx, c, KindNode, spec.Nodes)
	if err != nil {
		return err
	}
	verb := spec.mode().verb()
	c.terminal = map[string]string{"Mode": string(spec.mode()), "User": spec.User, "Host": spec.Host}
	if spec.Port != nil {
		c.terminal["Port"] = strconv.Itoa(*spec.Port)
	}
	if err := c.Allow(verb, nil, about...); err != nil || c.Verb == "" || c.Verb == verb {
		return err
	}
	return c.notDenied(verb, about)
}

// notDenied refuses what a statement denies, and permits what none is about.
func (c *Caller) notDenied(verb string, resources []policy.Resource) error {
	r := c.request(verb, nil, resources)
	r.Verb = verb
	for _, set := range []policy.Set{c.Rights, c.Session} {
		if set == nil || c.Root && c.Session == nil {
			continue
		}
		if d := append(set[:len(set):len(set)], policy.Builtin()[0]).Decide(&r); !d.Allowed {
			return &Error{Code: CodeDenied, Reason: ReasonDenied, Detail: fmt.Sprintf("%s may not: %s", c.Principal, d.Reason)}
		}
	}
	return nil
}
