package target

import (
	"slices"
	"strconv"
	"unicode/utf8"

	"errand/internal/nodeset"
)

// Subject is a node, to be judged.
type Subject interface {
	// Tag is the value of a tag, if the node has it.
	Tag(key string) (string, bool)
	// Fact is the values of a fact. One of the kind Text has exactly one, one of the kind Number at most one, in decimal.
	Fact(name Fact) []string
	// Is reports whether a flag is up.
	Is(f Flag) bool
}

// Match judges a node. A group that was not expanded matches nothing; neither does no expression.
func Match(e Expr, s Subject) bool {
	switch e := e.(type) {
	case All:
		return true
	case Names:
		return named(s, func(name string) bool {
			_, ok := slices.BinarySearch(e.List, name)
			return ok
		})
	case Glob:
		return named(s, func(name string) bool { return GlobMatch(e.Pattern, name) })
	case Flag:
		return s.Is(e)
	case Has:
		_, ok := s.Tag(e.Tag)
		return ok
	case Compare:
		return e.match(s)
	case Not:
		return !Match(e.X, s)
	case And:
		return !slices.ContainsFunc(e, func(x Expr) bool { return !Match(x, s) })
	case Or:
		return slices.ContainsFunc(e, func(x Expr) bool { return Match(x, s) })
	}
	return false
}

// named reports whether the node's id or name is meant.
func named(s Subject, meant func(string) bool) bool {
	return slices.ContainsFunc(s.Fact(ID), meant) || slices.ContainsFunc(s.Fact(Name), meant)
}

func (c Compare) match(s Subject) bool {
	if c.Field.Tag != "" {
		value, ok := s.Tag(c.Field.Tag)
		return ok && c.text1(value)
	}
	values := s.Fact(c.Field.Fact)
	if c.Field.Fact.Kind() == Number {
		return slices.ContainsFunc(values, c.number1)
	}
	return slices.ContainsFunc(values, c.text1)
}

// text1 reports whether one text fits. What is not there has no place in any order.
func (c Compare) text1(value string) bool {
	switch c.Op {
	case Equal:
		return slices.Contains(c.Values, value)
	case Matches:
		return GlobMatch(c.Values[0], value)
	case Less, LessEqual, More, MoreEqual:
	}
	return value != "" && c.Op.Holds(nodeset.Compare(value, c.Values[0]))
}

func (c Compare) number1(value string) bool {
	have, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(c.Values, func(text string) bool {
		want, _ := number(text) // Parse has seen that it is one
		order := 0
		switch {
		case have < want:
			order = -1
		case have > want:
			order = 1
		}
		return c.Op.Holds(order)
	})
}

// Numbers are the values of a comparison of a numeric fact.
func (c Compare) Numbers() []float64 {
	list := make([]float64, len(c.Values))
	for i, text := range c.Values {
		list[i], _ = number(text) // Parse has seen that it is one
	}
	return list
}

// GlobMatch reports whether all of a text matches a pattern, of which * stands for any characters and ? for one. The case of ASCII letters does not
// matter.
func GlobMatch(pattern, text string) bool {
	star, back := -1, 0
	p, t := 0, 0
	for t < len(text) {
		if p < len(pattern) && pattern[p] == '*' {
			star, back = p, t
			p++
			continue
		}
		if p < len(pattern) {
			want, m := utf8.DecodeRuneInString(pattern[p:])
			have, n := utf8.DecodeRuneInString(text[t:])
			if want == '?' || lower(want) == lower(have) {
				p, t = p+m, t+n
				continue
			}
		}
		if star < 0 {
			return false
		}
		_, n := utf8.DecodeRuneInString(text[back:])
		back += n
		p, t = star+1, back
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

func lower(r rune) rune {
	if r >= 'A' && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}
