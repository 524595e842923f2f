// Package target is the language in which callers say which nodes they mean: role=web && mem_gib>=64 && online. It parses expressions, writes them
// in one canonical form, and judges nodes by them. Stores translate what it parses into queries of their own, which have to come to the same
// answer as Match.
package target

import (
	"slices"
	"strconv"
	"strings"

	"errand/internal/nodeset"
)

// Expr is an expression: one of All, Names, Glob, Group, Flag, Has, Compare, Not, And and Or. Nil stands for none given.
type Expr interface {
	// String is the canonical text, which Parse reads as the same expression.
	String() string
	level() level
}

// level is how tightly an expression binds.
type level int

const (
	levelOr level = iota
	levelAnd
	levelOne
)

// All is every node.
type All struct{}

// Names is the nodes whose id or name is one of these, each listed once and in order.
type Names struct {
	List []string
	// Literal are those that were spelled out one by one, rather than as members of a range.
	Literal []string
}

// Glob is the nodes whose id or name matches a pattern.
type Glob struct{ Pattern string }

// Group is the nodes of a saved group. Expand puts the group's expression in its place.
type Group struct{ Name string }

// Flag is the nodes that are in some state.
type Flag string

// The flags.
const (
	Online   Flag = "online"
	Cordoned Flag = "cordoned"
)

// Has is the nodes that have a tag, whatever its value.
type Has struct{ Tag string }

// Compare is the nodes of which a tag or fact compares with one of Values as Op says.
type Compare struct {
	Field  Field
	Op     Op
	Values []string // one, or with Equal any number
}

// Not is all other nodes.
type Not struct{ X Expr }

// And is the nodes that are in all of two expressions or more.
type And []Expr

// Or is the nodes that are in any of two expressions or more.
type Or []Expr

// Op is a comparison. That something is not equal, or does not match, is Not of it.
type Op string

// The comparisons.
const (
	Equal     Op = "="
	Matches   Op = "~" // a pattern of * and ?, whatever the case of ASCII letters
	Less      Op = "<"
	LessEqual Op = "<="
	More      Op = ">"
	MoreEqual Op = ">="
)

// Orders reports whether a comparison needs an order.
func (o Op) Orders() bool { return o != Equal && o != Matches }

// Holds reports whether the comparison holds of a value that compares so with the other.
func (o Op) Holds(order int) bool {
	switch o {
	case Equal:
		return order == 0
	case Less:
		return order < 0
	case LessEqual:
		return order <= 0
	case More:
		return order > 0
	case MoreEqual:
		return order >= 0
	case Matches:
	}
	return false
}

// Field is what is compared: a tag by its key, or a fact.
type Field struct {
	Tag  string // empty for a fact
	Fact Fact
}

func (All) level() level     { return levelOne }
func (Glob) level() level    { return levelOne }
func (Group) level() level   { return levelOne }
func (Flag) level() level    { return levelOne }
func (Has) level() level     { return levelOne }
func (Compare) level() level { return levelOne }
func (Not) level() level     { return levelOne }
func (And) level() level     { return levelAnd }
func (Or) level() level      { return levelOr }

func (n Names) level() level {
	if len(n.words()) > 1 {
		return levelOr
	}
	return levelOne
}

// words are the names, folded, as they can stand in an expression.
func (n Names) words() []string {
	var plain, words []string
	for _, name := range n.List {
		if reserved(name) {
			words = append(words, `"`+name+`"`)
		} else {
			plain = append(plain, name)
		}
	}
	return append(words, nodeset.Words(plain)...)
}

func (All) String() string { return "all" }

func (n Names) String() string { return strings.Join(n.words(), ",") }

func (g Glob) String() string {
	if strings.ContainsAny(g.Pattern, "*?") && patternText(g.Pattern) == g.Pattern {
		return g.Pattern
	}
	return "~" + patternText(g.Pattern)
}

func (g Group) String() string { return "@" + g.Name }

func (f Flag) String() string { return string(f) }

func (h Has) String() string { return "tag." + nodeset.Quote(h.Tag) }

func (f Field) String() string {
	if f.Tag == "" {
		return string(f.Fact)
	}
	if nodeset.Quote(f.Tag) != f.Tag || reserved(f.Tag) || nearFact(f.Tag, true) != "" || isFact(f.Tag) {
		return "tag." + nodeset.Quote(f.Tag)
	}
	return f.Tag
}

func (c Compare) String() string { return c.text("") }

// text writes the comparison, or the opposite.
func (c Compare) text(not string) string {
	if c.Op == Equal && len(c.Values) != 1 {
		values := make([]string, len(c.Values))
		for i, v := range c.Values {
			values[i] = nodeset.Quote(v)
		}
		if not != "" {
			not = "not "
		}
		return c.Field.String() + " " + not + "in (" + strings.Join(values, ",") + ")"
	}
	value := nodeset.Quote(c.Values[0])
	if c.Op == Matches {
		value = patternText(c.Values[0])
	}
	return c.Field.String() + not + string(c.Op) + value
}

func (n Not) String() string {
	if c, ok := n.X.(Compare); ok && !c.Op.Orders() {
		return c.text("!")
	}
	return "!" + within(n.X, levelOne)
}

func (a And) String() string { return join(a, " && ", levelOne) }

func (o Or) String() string { return join(o, " || ", levelAnd) }

func join(list []Expr, with string, least level) string {
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = within(e, least)
	}
	return strings.Join(parts, with)
}

// within is the text of an expression that has to bind at least so tightly.
func within(e Expr, least level) string {
	if e.level() < least {
		return "(" + e.String() + ")"
	}
	return e.String()
}

// patternText writes a pattern: bare if it can be.
func patternText(pattern string) string {
	if rest := strings.NewReplacer("*", "", "?", "").Replace(pattern); pattern != "" && (rest == "" || nodeset.Quote(rest) == rest) {
		return pattern
	}
	return nodeset.Quote(pattern)
}

// Equals reports whether two expressions are the same, apart from how their names were spelled.
func Equals(a, b Expr) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.String() == b.String()
}

// Walk calls visit for an expression and all that it is made of, from the outside to the inside.
func Walk(e Expr, visit func(Expr)) {
	if e == nil {
		return
	}
	visit(e)
	switch e := e.(type) {
	case Not:
		Walk(e.X, visit)
	case And:
		for _, x := range e {
			Walk(x, visit)
		}
	case Or:
		for _, x := range e {
			Walk(x, visit)
		}
	}
}

// Mentions reports whether an expression asks for a flag.
func Mentions(e Expr, f Flag) (found bool) {
	Walk(e, func(x Expr) { found = found || x == Expr(f) })
	return found
}

// Literals are the names that an expression spells out one by one.
func Literals(e Expr) (names []string) {
	Walk(e, func(x Expr) {
		if n, ok := x.(Names); ok {
			names = append(names, n.Literal...)
		}
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// number reads the value that a numeric fact is compared with.
func number(text string) (float64, bool) {
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil && n >= 0 && n < 1e15
}
