package nodeset_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"errand/internal/nodeset"
)

func TestFold(t *testing.T) {
	t.Parallel()
	web := func(from, to int) (list []string) {
		for i := from; i <= to; i++ {
			list = append(list, fmt.Sprintf("web%03d", i))
		}
		return list
	}
	for _, tt := range []struct {
		names []string
		want  string
	}{
		{nil, ""},
		{[]string{"db1"}, "db1"},
		{[]string{"db2", "db1", "db2"}, "db[1-2]"},
		{append(web(1, 380), "web384"), "web[001-380,384]"},
		{[]string{"n8", "n9", "n10", "n11"}, "n[8-11]"},
		{[]string{"n08", "n09", "n10", "n100"}, "n[08-10],n100"},
		{[]string{"n1", "n01", "n10"}, "n[01,10],n1"},
		{[]string{"r1n1", "r1n2", "r2n1", "r2n2", "r3n1"}, "r[1-2]n[1-2],r3n1"},
		{[]string{"r2n1", "r1n1"}, "r[1-2]n1"},
		{[]string{"web2.example.com", "web1.example.com", "db"}, "db,web[1-2].example.com"},
		{[]string{"10.0.0.2", "10.0.0.1"}, "10.0.0.[1-2]"},
		{[]string{"a b", `say "hi"`, `back\slash`, "x,y"}, `"a b","back\\slash","say \"hi\"","x,y"`},
		{[]string{"n1234567890123456", "n1234567890123457"}, "n1234567890123456,n1234567890123457"},
		{[]string{"2", "1", "10"}, "[1-2,10]"},
		{[]string{"näme1", "näme2"}, "näme[1-2]"},
	} {
		if got := nodeset.Fold(tt.names); got != tt.want {
			t.Errorf("Fold(%q) = %s, want %s", tt.names, got, tt.want)
		}
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"web[01-03,7]", []string{"web01", "web02", "web03", "web7"}},
		{"web[8-11]", []string{"web8", "web9", "web10", "web11"}},
		{"n[0-10/5]", []string{"n0", "n5", "n10"}},
		{" b , a,b", []string{"b", "a"}},
		{"r[1-2]n[1-2]", []string{"r1n1", "r1n2", "r2n1", "r2n2"}},
		{`"a b",c`, []string{"a b", "c"}},
		{"[098-101]", []string{"098", "099", "100", "101"}},
	} {
		got, err := nodeset.Expand(tt.text)
		if err != nil {
			t.Errorf("Expand(%s): %v", tt.text, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("Expand(%s) (-want +got):\n%s", tt.text, diff)
		}
	}
}

func TestExpandRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		pos  int
		want string
	}{
		{"", 0, "want a name"},
		{"a,", 2, "want a name"},
		{"a b", 2, "unexpected 'b'"},
		{"web[1-", 3, "not closed"},
		{"web[]", 4, "neither a number nor a range"},
		{"web[1,b]", 6, "neither a number nor a range"},
		{"web[3-1]", 4, "ends before it begins"},
		{"web[01-100]", 4, "different width"},
		{"web[1-02]", 4, "different width"},
		{"web[1-9/0]", 4, "steps of 0"},
		{"web[1/2]", 4, "neither a number nor a range"},
		{"web[1-999999]", 4, "more than 262144 names"},
		{"a[1-1000]b[1-1000]", 11, "more than 262144 names"},
		{"a[1-262144],b", 12, "more than 262144 names"},
		{`"a`, 0, "does not end"},
		{`"a\`, 0, "does not end"},
		{`""`, 0, "empty name"},
		{"a*", 1, "unexpected '*'"},
		{"a[1-1234567890123456]", 2, "neither a number nor a range"},
	} {
		_, err := nodeset.Expand(tt.text)
		var e *nodeset.Error
		if !errors.As(err, &e) || e.Pos != tt.pos || !strings.Contains(e.Text, tt.want) {
			t.Errorf("Expand(%s): %v, want %q at %d", tt.text, err, tt.want, tt.pos)
		}
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	sorted := []string{"", "1", "1.2", "1.9", "1.10", "2", "a", "a1", "a2", "a2b", "a10", "b"}
	for i, a := range sorted {
		for j, b := range sorted {
			got, want := nodeset.Compare(a, b), 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got != want {
				t.Errorf("Compare(%q, %q) = %d, want %d", a, b, got, want)
			}
		}
	}
	if nodeset.Compare("web01", "web1") != 0 {
		t.Error("leading zeros count")
	}
}

// names draws lists of names that are alike.
func names() *rapid.Generator[[]string] {
	part := rapid.OneOf(
		rapid.SampledFrom([]string{"web", "r", "n", "-", ".", "0", "00", "9", "99", "100", "é", " ", "[", "]", ",", `"`, `\`}),
		rapid.Map(rapid.IntRange(0, 12), func(n int) string { return fmt.Sprint(n) }),
		rapid.Map(rapid.IntRange(0, 12), func(n int) string { return fmt.Sprintf("%02d", n) }),
	)
	name := rapid.Map(rapid.SliceOfN(part, 1, 5), func(parts []string) string { return strings.Join(parts, "") })
	return rapid.SliceOfN(name, 1, 60)
}

// TestFoldIsExact checks that folded names are all of the names and no others, and that their order does not matter.
func TestFoldIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		list := names().Draw(t, "names")
		folded := nodeset.Fold(list)
		back, err := nodeset.Expand(folded)
		if err != nil {
			t.Fatalf("%s: %v", folded, err)
		}
		want := slices.Clone(list)
		nodeset.Sort(want)
		want = slices.Compact(want)
		nodeset.Sort(back)
		if diff := cmp.Diff(want, back); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", folded, diff)
		}
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		if again := nodeset.Fold(list); again != folded {
			t.Fatalf("another order: %s, was %s", again, folded)
		}
	})
}

func FuzzExpand(f *testing.F) {
	for _, seed := range []string{"web[001-380,384]", `"a b",c[1-3/2]`, "a[", "r[1-2]n[01-03],x", "[9-10]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := nodeset.Expand(text)
		if err != nil {
			var e *nodeset.Error
			if !errors.As(err, &e) || e.Pos < 0 || e.Pos > len(text) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if len(list) > 2000 {
			return
		}
		folded := nodeset.Fold(list)
		back, err := nodeset.Expand(folded)
		if err != nil {
			t.Fatalf("%q folds to %q: %v", text, folded, err)
		}
		nodeset.Sort(list)
		nodeset.Sort(back)
		if !slices.Equal(list, back) {
			t.Errorf("%q folds to %q: %q, want %q", text, folded, back, list)
		}
	})
}

func BenchmarkFold(b *testing.B) {
	var list []string
	for i := range 50_000 {
		list = append(list, fmt.Sprintf("r%dn%02d", i/40, i%40))
	}
	for b.Loop() {
		nodeset.Fold(list)
	}
}
