package policy

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// pattern is text in which "*" stands for any run of characters and "?" for one. There is no way to escape either.
type pattern struct {
	text  string // for a prefix, without the final star
	shape shape
}

type shape uint8

const (
	exact  shape = iota // no wildcard
	prefix              // one star, at the end
	free                // anything else
)

func newPattern(s string) pattern {
	s = singleStars(s)
	switch i := strings.IndexAny(s, "*?"); {
	case i < 0:
		return pattern{s, exact}
	case i == len(s)-1 && s[i] == '*':
		return pattern{s[:i], prefix}
	default:
		return pattern{s, free}
	}
}

func (p pattern) matches(s string) bool {
	switch p.shape {
	case exact:
		return s == p.text
	case prefix:
		return strings.HasPrefix(s, p.text)
	case free:
		return glob(p.text, s)
	}
	return false
}

// glob matches without recursion: after a mismatch only the latest star can take more, so the work is at most the product of the
// two lengths.
func glob(p, s string) bool {
	star, taken := -1, 0 // the latest star, and up to where in s it reaches
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(p) && p[i] == '*':
			star, taken = i, j
			i++
		case i < len(p) && p[i] == '?':
			i++
			j += width(s[j:])
		case i < len(p) && p[i] == s[j]:
			i++
			j++
		case star >= 0:
			taken += width(s[taken:])
			i, j = star+1, taken
		default:
			return false
		}
	}
	return strings.Trim(p[i:], "*") == ""
}

// width is the length of the first character of s in bytes.
func width(s string) int {
	_, n := utf8.DecodeRuneInString(s)
	return n
}

// singleStars makes one star of several in a row: they mean the same.
func singleStars(s string) string {
	if !strings.Contains(s, "**") {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if s[i] != '*' || i == 0 || s[i-1] != '*' {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// after returns what is left of the pattern p once it has matched start: p matches start+x just when one of the patterns returned
// matches x. There must be no two stars in a row.
func after(p, start string) []string {
	at := []int{0} // the places in p that can be reached
	for _, c := range []byte(start) {
		var next []int
		for _, i := range at {
			if i < len(p) && p[i] == '*' {
				next = append(next, i)
				i++
			}
			if i < len(p) && (p[i] == '?' || p[i] == c) {
				next = append(next, i+1)
			}
		}
		slices.Sort(next)
		at = slices.Compact(next)
	}
	rest := make([]string, len(at))
	for n, i := range at {
		rest[n] = p[i:]
	}
	return rest
}
