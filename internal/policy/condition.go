package policy

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// class is what sort of value a key has and an operator compares.
type class uint8

const (
	classText class = iota
	classNumber
	classDate
	classBool
	classAddress
)

// relation is how an operator compares the value of the call with one of the policy.
type relation uint8

const (
	equal relation = iota
	equalFold
	like
	less
	lessEqual
	greater
	greaterEqual
)

// operator is a row of the vendor's table, which has no form that tolerates an absent key.
// https://www.alibabacloud.com/help/en/ram/conditional-operator
type operator struct {
	name     string
	class    class
	relation relation
	negated  bool
}

func operators() []operator {
	return []operator{
		{"StringEquals", classText, equal, false},
		{"StringNotEquals", classText, equal, true},
		{"StringEqualsIgnoreCase", classText, equalFold, false},
		{"StringNotEqualsIgnoreCase", classText, equalFold, true},
		{"StringLike", classText, like, false},
		{"StringNotLike", classText, like, true},
		{"NumericEquals", classNumber, equal, false},
		{"NumericNotEquals", classNumber, equal, true},
		{"NumericLessThan", classNumber, less, false},
		{"NumericLessThanEquals", classNumber, lessEqual, false},
		{"NumericGreaterThan", classNumber, greater, false},
		{"NumericGreaterThanEquals", classNumber, greaterEqual, false},
		{"DateEquals", classDate, equal, false},
		{"DateNotEquals", classDate, equal, true},
		{"DateLessThan", classDate, less, false},
		{"DateLessThanEquals", classDate, lessEqual, false},
		{"DateGreaterThan", classDate, greater, false},
		{"DateGreaterThanEquals", classDate, greaterEqual, false},
		{"Bool", classBool, equal, false},
		{"IpAddress", classAddress, equal, false},
		{"NotIpAddress", classAddress, equal, true},
	}
}

// fact names something a condition can ask about.
type fact uint8

const (
	factSourceIP fact = iota
	factCurrentTime
	factSecure
	factResourceTag
	factRequestTag
	factDialect
	factAction
	factUser
	factSession
)

// keyName is a row of the list of condition keys. A name that ends in a slash is followed by the key of a tag.
type keyName struct {
	name  string
	fact  fact
	class class
}

// keyNames lists every condition key there is. The vendor's own are those of
// https://www.alibabacloud.com/help/doc-detail/93738.htm and the tag keys of ECS.
func keyNames() []keyName {
	return []keyName{
		{"acs:SourceIp", factSourceIP, classAddress},     // where the call came from
		{"acs:CurrentTime", factCurrentTime, classDate},  // when, in whole seconds
		{"acs:SecureTransport", factSecure, classBool},   // whether it came over TLS
		{"acs:ResourceTag/", factResourceTag, classText}, // a tag that the resource has
		{"ecs:tag/", factResourceTag, classText},         // the same, by its older name
		{"acs:RequestTag/", factRequestTag, classText},   // a tag that the call gives to what it makes or changes
		{"errand:Dialect", factDialect, classText},       // the product in the action: "ecs", "eflo", "tat", "zos"
		{"errand:Action", factAction, classText},         // the action as called: "ecs:RunCommand"
		{"errand:User", factUser, classText},             // the name of the user

		// Of a terminal that is started:
		{"errand:SessionMode", factSession, classText}, // "shell", "command" or "port"
		{"errand:SessionUser", factSession, classText}, // whose shell it is on the node; none for the agent's own
		{"errand:SessionHost", factSession, classText}, // where the port is; none for the node itself
		{"errand:SessionPort", factSession, classText}, // the number of the port, which also the Numeric operators compare
	}
}

// condition is one key under one operator. The values of a policy are alternatives; an operator with Not in its name holds if none
// of them fits.
type condition struct {
	operator
	key    string // as written
	fact   fact
	tag    string // for the two facts that are tags
	values []value
}

// value is one value of a policy, read as the operator's class asks.
type value struct {
	text    string // as written
	pattern pattern
	number  float64
	date    time.Time
	boolean bool
	network netip.Prefix
}

func parseCondition(opName, key string, written []string) (condition, error) {
	c := condition{key: key}
	for _, op := range operators() {
		if op.name == opName {
			c.operator = op
		}
	}
	if c.name == "" {
		return c, errors.New("there is no such operator")
	}
	class, err := c.parseKey(key)
	if err != nil {
		return c, err
	}
	// Tags are text in which a policy may see something else.
	if class != c.class && (class != classText || c.class == classAddress) {
		return c, fmt.Errorf("%s does not compare this kind of key", opName)
	}
	for _, w := range written {
		v, err := parseValue(w, c.operator)
		if err != nil {
			return c, err
		}
		c.values = append(c.values, v)
	}
	return c, nil
}

func (c *condition) parseKey(key string) (class, error) {
	for _, k := range keyNames() {
		tag, found := strings.CutPrefix(key, k.name)
		if !found || strings.HasSuffix(k.name, "/") == (tag == "") {
			continue
		}
		if c.fact, c.tag = k.fact, tag; k.fact == factSession {
			c.tag = strings.TrimPrefix(k.name, "errand:Session")
		}
		return k.class, nil
	}
	return 0, errors.New("there is no such key")
}

func parseValue(s string, op operator) (value, error) {
	v := value{text: s}
	var err error
	switch op.class {
	case classText:
		if op.relation == like {
			v.pattern = newPattern(s)
		}
	case classNumber:
		var ok bool
		if v.number, ok = parseNumber(s); !ok {
			err = fmt.Errorf("%.100q is not a number", s)
		}
	case classDate:
		if v.date, err = time.Parse(time.RFC3339, s); err != nil {
			err = fmt.Errorf("%.100q is not a time such as 2026-01-31T08:00:00+08:00", s)
		}
	case classBool:
		var ok bool
		if v.boolean, ok = parseBool(s); !ok {
			err = fmt.Errorf("%.100q is neither true nor false", s)
		}
	case classAddress:
		if v.network, err = parseNetwork(s); err != nil {
			err = fmt.Errorf("%.100q is neither an address nor a network such as 10.0.0.0/8", s)
		}
	}
	return v, err
}

func parseNumber(s string) (float64, bool) {
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

func parseBool(s string) (value, ok bool) {
	value = strings.EqualFold(s, "true")
	return value, value || strings.EqualFold(s, "false")
}

func parseNetwork(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err == nil && p.Addr().Is4In6() {
			err = errors.New("an IPv4 network in IPv6 form")
		}
		return p.Masked(), err
	}
	a, err := netip.ParseAddr(s)
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), err
}

// ofResource reports whether the condition may hold for one resource of a call and not for another.
func (c *condition) ofResource() bool { return c.fact == factResourceTag }

// holds decides. A key that the call has no value for, or a tag that is not of the operator's class, fits no value.
func (c *condition) holds(r *Request, res *Resource) bool {
	fits := false
	switch c.fact {
	case factSourceIP:
		fits = c.fitsAddress(r.Source)
	case factCurrentTime:
		fits = !r.Time.IsZero() && c.fitsDate(r.Time.Truncate(time.Second))
	case factSecure:
		fits = c.fitsBool(r.Secure)
	case factResourceTag, factRequestTag, factDialect, factAction, factUser, factSession:
		if s, ok := c.textOf(r, res); ok {
			fits = c.fitsText(s)
		}
	}
	return fits != c.negated
}

// textOf is the call's value for a key whose class is text.
func (c *condition) textOf(r *Request, res *Resource) (string, bool) {
	s := ""
	switch c.fact {
	case factResourceTag:
		tag, ok := res.Tags[c.tag]
		return tag, ok
	case factRequestTag:
		tag, ok := r.RequestTags[c.tag]
		return tag, ok
	case factDialect:
		s, _, _ = strings.Cut(r.Action, ":")
	case factAction:
		s = r.Action
	case factUser:
		s = r.User
	case factSession:
		s = r.Session[c.tag]
	case factSourceIP, factCurrentTime, factSecure:
	}
	return s, s != ""
}

func (c *condition) fitsText(s string) bool {
	switch c.class {
	case classText:
		return c.fitsString(s)
	case classNumber:
		n, ok := parseNumber(s)
		return ok && c.fitsNumber(n)
	case classDate:
		t, err := time.Parse(time.RFC3339, s)
		return err == nil && c.fitsDate(t)
	case classBool:
		b, ok := parseBool(s)
		return ok && c.fitsBool(b)
	case classAddress:
	}
	return false
}

func (c *condition) fitsString(s string) bool {
	for i := range c.values {
		v := &c.values[i]
		switch c.relation {
		case equal:
			if s == v.text {
				return true
			}
		case equalFold:
			if strings.EqualFold(s, v.text) {
				return true
			}
		case like:
			if v.pattern.matches(s) {
				return true
			}
		case less, lessEqual, greater, greaterEqual:
		}
	}
	return false
}

func (c *condition) fitsNumber(n float64) bool {
	for i := range c.values {
		if v := c.values[i].number; c.relation.ordered(n < v, n > v) {
			return true
		}
	}
	return false
}

func (c *condition) fitsDate(t time.Time) bool {
	for i := range c.values {
		if v := c.values[i].date; c.relation.ordered(t.Before(v), t.After(v)) {
			return true
		}
	}
	return false
}

func (c *condition) fitsBool(b bool) bool {
	for i := range c.values {
		if c.values[i].boolean == b {
			return true
		}
	}
	return false
}

func (c *condition) fitsAddress(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for i := range c.values {
		if c.values[i].network.Contains(a) {
			return true
		}
	}
	return false
}

// ordered tells whether two values stand in the relation, given that the first is below or above the second.
func (o relation) ordered(below, above bool) bool {
	switch o {
	case equal:
		return !below && !above
	case less:
		return below
	case lessEqual:
		return !above
	case greater:
		return above
	case greaterEqual:
		return !below
	case equalFold, like:
	}
	return false
}

// actual is the call's value for people, "none" if it has none.
func (c *condition) actual(r *Request, res *Resource) string {
	switch c.fact {
	case factSourceIP:
		if r.Source.IsValid() {
			return r.Source.String()
		}
	case factCurrentTime:
		if !r.Time.IsZero() {
			return r.Time.UTC().Format(time.RFC3339)
		}
	case factSecure:
		return strconv.FormatBool(r.Secure)
	case factResourceTag, factRequestTag, factDialect, factAction, factUser, factSession:
		if s, ok := c.textOf(r, res); ok {
			return strconv.Quote(s)
		}
	}
	return "none"
}
