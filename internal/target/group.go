package target

import (
	"errors"
	"fmt"
	"strings"

	"errand/internal/nodeset"
)

// MaxGroupName is the longest name of a group, in bytes.
const MaxGroupName = 64

// CheckGroupName refuses what cannot be the name of a group.
func CheckGroupName(name string) error {
	switch {
	case name == "":
		return errors.New("the name of a group is missing")
	case len(name) > MaxGroupName:
		return fmt.Errorf("the name of a group is longer than %d characters", MaxGroupName)
	}
	for i, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("_.-", r)) {
			return fmt.Errorf("%.100q cannot be the name of a group: letters and digits, and after the first also . - _", name)
		}
	}
	return nil
}

// Groups are the groups that an expression names itself, each once, in the order in which they come.
func Groups(e Expr) (names []string) {
	seen := map[string]bool{}
	Walk(e, func(x Expr) {
		if g, ok := x.(Group); ok && !seen[g.Name] {
			seen[g.Name] = true
			names = append(names, g.Name)
		}
	})
	return names
}

// GroupError is a group that cannot be put in its place.
type GroupError struct {
	Name string
	Text string
}

func (e *GroupError) Error() string { return "group @" + e.Name + ": " + e.Text }

// Expand puts in the place of groups what they stand for, which lookup tells, or refuses with an error of its own. Groups that contain each other,
// or that are too much together, are a *GroupError. Names that come from groups are no literals.
func Expand(e Expr, lookup func(name string) (Expr, error)) (Expr, error) {
	x := expander{lookup: lookup, open: map[string]bool{}}
	out, err := x.expand(e, 0)
	if err != nil {
		return nil, err
	}
	return out, nil
}

type expander struct {
	lookup func(string) (Expr, error)
	open   map[string]bool // groups around the one that is looked at
	path   []string
	terms  int
	names  int
}

func (x *expander) expand(e Expr, depth int) (Expr, error) {
	fail := func(format string, args ...any) (Expr, error) {
		name := ""
		if len(x.path) > 0 {
			name = x.path[len(x.path)-1]
		}
		return nil, &GroupError{name, fmt.Sprintf(format, args...)}
	}
	if depth > 2*MaxDepth {
		return fail("with the groups in it, the expression is too deep")
	}
	switch e := e.(type) {
	case Not:
		in, err := x.expand(e.X, depth+1)
		return Not{in}, err
	case And:
		out := make(And, len(e))
		for i := range e {
			var err error
			if out[i], err = x.expand(e[i], depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	case Or:
		out := make(Or, len(e))
		for i := range e {
			var err error
			if out[i], err = x.expand(e[i], depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	case Group:
		if x.open[e.Name] {
			return nil, &GroupError{e.Name, "it contains itself: @" + strings.Join(append(x.path, e.Name), " > @")}
		}
		in, err := x.lookup(e.Name)
		if err != nil {
			return nil, err
		}
		x.open[e.Name] = true
		x.path = append(x.path, e.Name)
		in, err = x.expand(in, depth+1)
		x.path = x.path[:len(x.path)-1]
		delete(x.open, e.Name)
		return in, err
	case Names:
		if x.names += len(e.List); x.names > nodeset.MaxNames {
			return fail("with the groups in it, the expression has more than %d names", nodeset.MaxNames)
		}
		if len(x.path) > 0 {
			e.Literal = nil
		}
		x.terms++
		if x.terms > MaxTerms {
			return fail("with the groups in it, the expression has more than %d terms", MaxTerms)
		}
		return e, nil
	}
	if x.terms++; x.terms > MaxTerms {
		return fail("with the groups in it, the expression has more than %d terms", MaxTerms)
	}
	return e, nil
}
