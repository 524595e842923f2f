package linediff_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"errand/internal/linediff"
)

func text(hunks []linediff.Hunk) string {
	var b strings.Builder
	for _, h := range hunks {
		fmt.Fprintf(&b, "@ %d %d\n", h.OldStart, h.NewStart)
		for _, l := range h.Lines {
			fmt.Fprintf(&b, "%c%s\n", l.Op, l.Text)
		}
	}
	return b.String()
}

func TestLines(t *testing.T) {
	t.Parallel()
	split := func(s string) []string { return strings.Fields(s) }
	tests := []struct {
		name, before, after, want string
		most                      int
		truncated                 bool
	}{
		{name: "alike", before: "a b c", after: "a b c"},
		{name: "nothing", before: "", after: ""},
		{name: "all new", after: "a b", want: "@ 1 1\n+a\n+b\n"},
		{name: "all gone", before: "a b", want: "@ 1 1\n-a\n-b\n"},
		{name: "one line", before: "1 2 3 4 5 6 7", after: "1 2 3 x 5 6 7", want: "@ 3 3\n 3\n-4\n+x\n 5\n"},
		{name: "at the ends", before: "a 2 3 4 5 z", after: "b 2 3 4 5 y", want: "@ 1 1\n-a\n+b\n 2\n@ 5 5\n 5\n-z\n+y\n"},
		{name: "near each other", before: "a 2 3 z", after: "b 2 3 y", want: "@ 1 1\n-a\n+b\n 2\n 3\n-z\n+y\n"},
		{name: "shifted", before: "1 2 3 4 5 6", after: "0 1 2 3 4 5 7", want: "@ 1 1\n+0\n 1\n@ 5 6\n 5\n-6\n+7\n"},
		{name: "too many", before: "a b c", after: "d e f", want: "@ 1 1\n-a\n-b\n-c\n+d\n", most: 4, truncated: true},
	}
	for _, tt := range tests {
		if tt.most == 0 {
			tt.most = 100
		}
		hunks, truncated := linediff.Lines(split(tt.before), split(tt.after), 1, tt.most)
		if d := cmp.Diff(tt.want, text(hunks)); d != "" || truncated != tt.truncated {
			t.Errorf("%s: truncated %v (-want +got):\n%s", tt.name, truncated, d)
		}
	}
}

// TestHunksLeadFromOneToTheOther applies hunks to the first list, which gives the second.
func TestHunksLeadFromOneToTheOther(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 0, 60)
		before, after := lines.Draw(t, "before"), lines.Draw(t, "after")
		hunks, truncated := linediff.Lines(before, after, rapid.IntRange(0, 3).Draw(t, "around"), 1000)
		var got []string
		at := 0
		for _, h := range hunks {
			got = append(got, before[at:h.OldStart-1]...)
			at = h.OldStart - 1
			if len(got) != h.NewStart-1 {
				t.Fatalf("a hunk begins at %d, after %d lines", h.NewStart, len(got))
			}
			for _, l := range h.Lines {
				switch l.Op {
				case linediff.Same, linediff.Removed:
					if before[at] != l.Text {
						t.Fatalf("line %d is %q, not %q", at+1, before[at], l.Text)
					}
					at++
				case linediff.Added:
				}
				if l.Op != linediff.Removed {
					got = append(got, l.Text)
				}
			}
		}
		if got = append(got, before[at:]...); !slices.Equal(got, after) || truncated {
			t.Fatalf("%q became %q", before, got)
		}
	})
}
