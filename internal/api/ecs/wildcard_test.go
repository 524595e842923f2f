package ecs

import (
	"path"
	"strings"
	"testing"
)

func TestWildcard(t *testing.T) {
	t.Parallel()
	for _, m := range []struct {
		pattern, text string
		want          bool
	}{
		{"web", "web", true},
		{"web", "web-1", false},
		{"web*", "web", true},
		{"*web", "a-web", true},
		{"*web", "a-web-1", false},
		{"*web*", "a-web-1", true},
		{"a*a", "a", false},
		{"a*a", "aa", true},
		{"a**b", "a-b", true},
		{"*a*b*", "xbxaxbx", true},
		{"*a*b*", "xbxax", false},
		{"a.c*", "abc", false},
		{"***", "", true},
		{"*", "中", true},
	} {
		if got := newWildcard(m.pattern).matches(m.text); got != m.want {
			t.Errorf("%q matches %q: %v", m.pattern, m.text, got)
		}
	}
}

// FuzzWildcard compares with the standard library's patterns, with everything but * taken literally.
func FuzzWildcard(f *testing.F) {
	f.Add("a*b**c", "aXbYc")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if strings.Contains(pattern+text, "/") || len(pattern) > 100 || len(text) > 100 {
			return // a * of that package stops there
		}
		want, err := path.Match(strings.NewReplacer(`\`, `\\`, "[", `\[`, "?", `\?`).Replace(pattern), text)
		if err != nil {
			t.Fatal(err)
		}
		if got := newWildcard(pattern).matches(text); got != want {
			t.Errorf("%q matches %q: %v, want %v", pattern, text, got, want)
		}
	})
}
