package policy

import (
	"strings"
	"testing"
	"time"
)

func TestPattern(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "anything/at all", true},
		{"abc", "abc", true},
		{"abc", "ABC", false},
		{"abc*", "abc", true},
		{"abc*", "ab", false},
		{"*abc", "xxabc", true},
		{"*abc", "abcx", false},
		{"a*c", "ac", true},
		{"a*c", "abcbc", true},
		{"a*c", "abcb", false},
		{"a*b*c", "a--b--b-c", true},
		{"a***c", "abc", true},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"a?c", "a\u00e9c", true},
		{"??", "\u4e2d", false},
		{"*??", "\u4e2d", false},
		{"*?", "\u4e2d", true},
		{"?*", "", false},
		{"node/*", "node/*", true},
		{"node/web1", "node/*", false},
	}
	for _, tt := range tests {
		if got := newPattern(tt.pattern).matches(tt.text); got != tt.want {
			t.Errorf("%q matches %q: %v, want %v", tt.pattern, tt.text, got, tt.want)
		}
	}
}

// TestPatternTime would take longer than the universe has existed if each star tried every length for itself.
func TestPatternTime(t *testing.T) {
	t.Parallel()
	p := newPattern(strings.Repeat("a*", 2000) + "b")
	start := time.Now()
	if p.matches(strings.Repeat("a", 4000)) {
		t.Error("matches")
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func FuzzAfter(f *testing.F) {
	f.Add("i-*", "i-", "web1")
	f.Add("*-?x", "ins-", "ax")
	f.Add("???*", "mi-", "")
	f.Fuzz(func(t *testing.T, pattern, start, rest string) {
		if len(pattern) > 200 || strings.IndexFunc(start, func(r rune) bool { return r > 127 }) >= 0 {
			return // what vendors put before ids is ASCII, so that no character lies across the border
		}
		pattern = singleStars(pattern)
		want := newPattern(pattern).matches(start + rest)
		got := false
		for _, p := range after(pattern, start) {
			got = got || newPattern(p).matches(rest)
		}
		if got != want {
			t.Errorf("%q matches %q: %v; what is left of it after %q matches %q: %v", pattern, start+rest, want, start, rest, got)
		}
	})
}
