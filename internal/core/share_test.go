package core

import "testing"

func TestShare(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		total int
		want  int
	}{
		{"3", 10, 3},
		{"3", 2, 2},
		{"100%", 7, 7},
		{"5%", 3, 1},
		{"5%", 0, 0},
		{"7%", 100, 7},
		{"10%", 101, 11},
		{"0.5%", 1000, 5},
		{"", 10, 0},
	} {
		s, err := ParseShare(c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
		}
		if got := s.Of(c.total); got != c.want {
			t.Errorf("%q of %d is %d, want %d", c.text, c.total, got, c.want)
		}
		if s.String() != c.text || s.IsZero() != (c.text == "") {
			t.Errorf("%q became %q", c.text, s)
		}
	}
	for _, text := range []string{"0", "-1", "0%", "101%", "NaN%", "Inf%", "x", "%", "1.5", " 1"} {
		if s, err := ParseShare(text); err == nil {
			t.Errorf("%q was read as %v", text, s)
		}
	}
}
