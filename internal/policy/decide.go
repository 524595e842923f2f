package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Named is a document under the name it is kept by.
type Named struct {
	Name     string
	Document Document
}

// Set is everything attached to a caller. An empty set permits nothing.
type Set []Named

// Request is what a caller wants to do. A field left empty is unknown: patterns other than "*" do not match it, and conditions on it
// hold only if their operator has Not in its name. A Deny statement that names regions therefore needs Region to be set always.
type Request struct {
	Verb    string // the neutral operation, "invocation.run"
	Action  string // as called, "ecs:RunCommand"; for the native interface "errand:invocation.run"
	Account string
	Region  string
	User    string
	// Resources are what the call is about. Each of them must be allowed, and one that is denied denies the call. None stands for one
	// that is named "*", which only a statement about "*" is about.
	Resources   []Resource
	RequestTags map[string]string
	Session     map[string]string // of a session that is started: Mode, User, Host and Port
	Source      netip.Addr
	Secure      bool // came over TLS
	Time        time.Time
}

// Decision is the answer to a request.
type Decision struct {
	Allowed   bool
	Policy    string // the policy that decided; empty if none did, which denies
	Statement int    // the statement of that policy, from 0; -1 if none decided
	Resource  string // the resource it was decided on; of several that are allowed, the first
	Reason    string // of a denial, for people; empty if allowed
}

// Trace tells about one statement and one resource whether they met.
type Trace struct {
	Policy    string
	Statement int // from 0
	Effect    Effect
	Resource  string
	Matched   bool
	Reason    string // for people
}

// verbUnknown is the place of no verb.
const verbUnknown = -1

// everything stands in for the resources of a request that names none.
var everything = []Resource{{Name: "*"}}

func (r *Request) subjects() []Resource {
	if len(r.Resources) == 0 {
		return everything
	}
	return r.Resources
}

func (r *Request) verb() int {
	if place, ok := verbs.byName[r.Verb]; ok {
		return place
	}
	return verbUnknown
}

// Decide answers a request: a statement that denies wins over any that allows, and what none allows is denied, as is a verb that does
// not exist. Of several statements that could have decided, the first in the order of the set is named.
func (s Set) Decide(r *Request) Decision {
	type place struct{ policy, statement int }
	var space [64]place // allowing without allocating, for nearly all callers
	allows := space[:0]
	verb, subjects := r.verb(), r.subjects()
	for i := range s {
		statements := s[i].Document.statements
		for j := range statements {
			st := &statements[j]
			if !st.concerns(verb, r) {
				continue
			}
			if st.effect == Allow {
				allows = append(allows, place{i, j})
				continue
			}
			for k := range subjects {
				if st.covers(r, &subjects[k]) {
					return s.denied(r, i, j, &subjects[k])
				}
			}
		}
	}
	var decision Decision
	for k := range subjects {
		first := slices.IndexFunc(allows, func(at place) bool {
			return s[at.policy].Document.statements[at.statement].covers(r, &subjects[k])
		})
		if first < 0 {
			name := subjects[k].Name
			return Decision{Statement: -1, Resource: name, Reason: fmt.Sprintf("no statement allows %s on %s", r.Verb, name)}
		}
		if k == 0 {
			at := allows[first]
			decision = Decision{Allowed: true, Policy: s[at.policy].Name, Statement: at.statement, Resource: subjects[k].Name}
		}
	}
	return decision
}

func (s Set) denied(r *Request, policy, statement int, res *Resource) Decision {
	p := &s[policy]
	_, why := p.Document.statements[statement].explain(r, res)
	return Decision{
		Policy: p.Name, Statement: statement, Resource: res.Name,
		Reason: fmt.Sprintf("statement %d of policy %s denies %s on %s because %s", statement, p.Name, r.Verb, res.Name, why),
	}
}

// Explain tells of every statement, for each resource of the request in turn, whether it is about the request and why.
func (s Set) Explain(r *Request) []Trace {
	var list []Trace
	subjects := r.subjects()
	for _, p := range s {
		for j := range p.Document.statements {
			st := &p.Document.statements[j]
			for k := range subjects {
				t := Trace{Policy: p.Name, Statement: j, Effect: st.effect, Resource: subjects[k].Name}
				t.Matched, t.Reason = st.explain(r, &subjects[k])
				list = append(list, t)
			}
		}
	}
	return list
}

// concerns reports whether the statement is about the call, as far as that does not depend on a resource.
func (s *statement) concerns(verb int, r *Request) bool {
	if verb == verbUnknown || s.verbs.has(verb) == s.notAction {
		return false
	}
	for i := range s.ofCall {
		if !s.ofCall[i].holds(r, nil) {
			return false
		}
	}
	return true
}

// covers reports whether a statement that concerns the call is about this resource of it.
func (s *statement) covers(r *Request, res *Resource) bool {
	named := false
	for i := range s.resources {
		if s.resources[i].matches(r, res.Name) {
			named = true
			break
		}
	}
	if named == s.notResource {
		return false
	}
	for i := range s.ofResource {
		if !s.ofResource[i].holds(r, res) {
			return false
		}
	}
	return true
}

// explain decides as concerns and covers do together and says why.
func (s *statement) explain(r *Request, res *Resource) (matched bool, why string) {
	verb := r.verb()
	if verb == verbUnknown {
		return false, fmt.Sprintf("there is no verb %s", r.Verb)
	}
	action := ""
	for i := range s.actions {
		if s.actions[i].verbs.has(verb) {
			action = s.actions[i].text
			break
		}
	}
	actionWhy, ok := naming(s.fieldAction, action, r.Verb, s.notAction)
	if !ok {
		return false, actionWhy
	}
	resource := ""
	for i := range s.resources {
		if s.resources[i].matches(r, res.Name) {
			resource = s.resources[i].text
			break
		}
	}
	resourceWhy, ok := naming(s.fieldSubject, resource, res.Name, s.notResource)
	if !ok {
		return false, resourceWhy
	}
	reasons := []string{actionWhy, resourceWhy}
	for _, list := range [][]condition{s.ofCall, s.ofResource} {
		for i := range list {
			c := &list[i]
			if !c.holds(r, res) {
				return false, fmt.Sprintf("%s does not hold, the value is %s", c, c.actual(r, res))
			}
			reasons = append(reasons, fmt.Sprintf("%s holds", c))
		}
	}
	return true, strings.Join(reasons, ", ")
}

// naming puts into words whether a field names something by one of its entries, and whether the statement is then about it.
func naming(field, entry, what string, inverted bool) (why string, ok bool) {
	if entry == "" {
		return fmt.Sprintf("%s does not name %s", field, what), inverted
	}
	return fmt.Sprintf("%s %q names %s", field, entry, what), !inverted
}

// String is the condition for people: `StringEquals acs:ResourceTag/env "test" or "dev"`.
func (c *condition) String() string {
	values := make([]string, len(c.values))
	for i := range c.values {
		values[i] = fmt.Sprintf("%q", c.values[i].text)
	}
	return fmt.Sprintf("%s %s %s", c.name, c.key, strings.Join(values, " or "))
}
