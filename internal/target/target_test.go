package target_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"errand/internal/target"
	"errand/internal/target/targettest"
)

func parse(t testing.TB, text string) target.Expr {
	t.Helper()
	e, err := target.Parse(text)
	if err != nil {
		t.Fatalf("Parse(%s): %v", text, err)
	}
	return e
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"role=web && mem_gib>=64 && online": "role=web && mem_gib>=64 && online",
		" ( role == web )and(online) ":      "role=web && online",
		"a,b || c":                          "a,b,c",
		"web1,web2":                         "web[1-2]",
		"web[2,1]":                          "web[1-2]",
		"online && web1,db1":                "online && web1 || db1",
		"online && (web1,db1)":              "online && (db1,web1)",
		"!(a=1 || b=2)":                     "!(a=1 || b=2)",
		"!(a=1 && b=2)":                     "!(a=1 && b=2)",
		"zone!=b":                           "zone!=b",
		"not zone = b":                      "zone!=b",
		"zone not in (b, c,b)":              "zone not in (b,c)",
		"zone in (b)":                       "zone=b",
		"tag.role = web":                    "role=web",
		"tag.os = x":                        "tag.os=x",
		"fact.os ~ *debian*":                "os~*debian*",
		`tag."a b"="c d"`:                   `tag."a b"="c d"`,
		"tag.role":                          "tag.role",
		"offline":                           "!online",
		"online=false":                      "!online",
		"cordoned != true":                  "!cordoned",
		"offline=true":                      "!online",
		`"online","tag.x",tag1`:             `"online","tag.x",tag1`,
		"web*":                              "web*",
		"~web":                              "~web",
		`~"we b*"`:                          `~"we b*"`,
		`!~web*`:                            `!web*`,
		"!!online":                          "!!online",
		"@prod && !@old":                    "@prod && !@old",
		`zone=""`:                           `zone=""`,
		"os!~windows*":                      "os!~windows*",
		"k8s.io/role=x":                     "k8s.io/role=x",
		"all":                               "all",
		"agent<1.10":                        "agent<1.10",
		"a=1 || b=2 && c=3":                 "a=1 || b=2 && c=3",
		"(a=1 || b=2) && c=3":               "(a=1 || b=2) && c=3",
		"cpu=8":                             "cpu=8",
		"x in(a)":                           "x=a",
	} {
		e, err := target.Parse(text)
		if err != nil {
			t.Errorf("Parse(%s): %v", text, err)
			continue
		}
		if got := e.String(); got != want {
			t.Errorf("Parse(%s) is %s, want %s", text, got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		pos  int
		want string
	}{
		{"", 0, "all nodes are spelled out: all"},
		{"  ", 2, "empty"},
		{"hostnme=web1", 0, `unknown fact "hostnme": did you mean hostname? (a tag of this name is written tag.hostnme)`},
		{"role=web && mem_gb>=64", 12, "did you mean mem_gib?"},
		{"cpu>=8", 0, "did you mean cpus?"},
		{"cores>=8", 0, "did you mean cpus?"},
		{"fact.memory=1", 0, "did you mean mem_gib?"},
		{"fact.nothing=1", 0, "there are id, name, hostname"},
		{"mem_gib>=lots", 9, `a number, not "lots"`},
		{"cpus in (1,x)", 11, "a number"},
		{"cpus~1*", 4, "no pattern matches"},
		{"role=web & online", 9, "did you mean &&?"},
		{"role=web | online", 9, "did you mean ||?"},
		{"role=web online", 9, "&& or || belongs before it"},
		{"role=~web", 5, `want a value`},
		{"role=", 5, `an empty one is written ""`},
		{"role='web'", 5, `did you mean "?`},
		{"role=web*", 5, "patterns are matched with ~"},
		{"role=web[1-2]", 5, "in quotes"},
		{"=web", 0, "a tag or fact before ="},
		{"(role=web", 0, "not closed"},
		{"(role=web && ", 13, "ends where nodes have to be named"},
		{"role=web)", 8, "unexpected ')'"},
		{"role in web", 8, "want ( and values"},
		{"role in (web", 12, "want , or )"},
		{"role in ()", 9, "want a value"},
		{"web[3-1]", 4, "ends before it begins"},
		{"online && web[1-", 13, "not closed"},
		{"web[1-2]=x", 0, "neither a tag nor a fact"},
		{"web[1-2]*", 3, "no brackets"},
		{"web*[1-2]", 4, "no brackets"},
		{"we*b=x", 0, "FIELD~PATTERN"},
		{"tag.", 4, "want the key of a tag"},
		{"tag.a[1]", 8, "in quotes"},
		{"fact.os", 0, "compared with nothing"},
		{`"role"=web`, 0, "written tag.role"},
		{`"role`, 0, "does not end"},
		{`""`, 0, "an empty name"},
		{"a\x00b", 1, "control character"},
		{"a\xff", 1, "not UTF-8"},
		{"and", 0, "in quotes"},
		{"all=x", 0, `unexpected "all"`},
		{"online>1", 6, "stands alone"},
		{"online=yes", 7, "true or false"},
		{"@", 0, "name of a group is missing"},
		{"@-x", 0, "cannot be the name"},
		{"@" + strings.Repeat("a", 65), 0, "longer than 64"},
		{"role~", 5, "want a pattern"},
		{"a\"b\"", 1, `unexpected '"'`},
		{strings.Repeat("(", 60) + "all" + strings.Repeat(")", 60), 51, "inside each other"},
		{strings.Repeat("a=1 || ", 501) + "b=1", 0, "502 terms, and at most 500"},
		{strings.Repeat("a", target.MaxText+1), target.MaxText, "longer than"},
		{"a[1-200000],b[1-200000]", 12, "more than 262144 names"},
		{"role=web AND online", 9, "did you mean and?"},
	} {
		_, err := target.Parse(tt.text)
		var e *target.Error
		if !errors.As(err, &e) || e.Pos != tt.pos || !strings.Contains(e.Text, tt.want) {
			t.Errorf("Parse(%.60s): %v, want %q at %d", tt.text, err, tt.want, tt.pos)
		}
	}
}

// node is a node for tests.
type node struct {
	tags  map[string]string
	facts map[target.Fact][]string
	up    []target.Flag
}

func (n node) Tag(key string) (string, bool) {
	v, ok := n.tags[key]
	return v, ok
}

func (n node) Fact(f target.Fact) []string {
	if v, ok := n.facts[f]; ok || f.Kind() != target.Text {
		return v
	}
	return []string{""}
}

func (n node) Is(f target.Flag) bool { return slices.Contains(n.up, f) }

func TestMatch(t *testing.T) {
	t.Parallel()
	n := node{
		tags: map[string]string{"role": "web", "rack": "12", "empty": ""},
		facts: map[target.Fact][]string{
			target.ID: {"i-1"}, target.Name: {"web07"}, target.OS: {"Debian GNU/Linux 12"}, target.Agent: {"1.10.0"}, target.Kernel: {"6.1.0-38-amd64"},
			target.CPUs: {"8"}, target.MemGiB: {"62.5"}, target.IP: {"10.0.0.7", "192.0.2.1"}, target.Feature: {"file", "session"},
		},
		up: []target.Flag{target.Online},
	}
	for text, want := range map[string]bool{
		"all": true, "web07": true, "i-1": true, "web7": false, "web[01-40]": true, "web[1-40]": false, "WEB*": true, "web?7": true, "web??7": false,
		"role=web": true, "role=WEB": false, "role~W*": true, "role!=web": false, "nothing!=web": true, "nothing=web": false, "nothing~*": false,
		"tag.empty": true, `empty=""`: true, `nothing=""`: false, "tag.nothing": false, "role in (db,web)": true, "role not in (db,web)": false,
		"rack>=9": true, "rack>=12": true, "rack>12": false, "rack<100": true, `empty<"1"`: false, "nothing<1": false,
		"os~*debian*": true, "os=debian": false, "agent>=1.9": true, "agent<1.10.1": true, "kernel>=5.15": true, "kernel<6": false,
		"cpus=8": true, "cpus=8.0": true, "cpus in (4,8)": true, "cpus!=8": false, "cpus>8": false, "gpus<1": false, "gpus!=1": true,
		"mem_gib>=62.5": true, "mem_gib>=64": false, "ip=192.0.2.1": true, "ip~10.*": true, "ip!=10.0.0.7": false, "feature=file": true, "feature!=gpu": true,
		"online": true, "offline": false, "cordoned": false, "!cordoned": true, "role=web && !online": false, "role=db || online": true,
		`timezone=""`: true, "timezone<b": false, "zone!=b": true, "@group": false, "!!online": true,
	} {
		if got := target.Match(parse(t, text), n); got != want {
			t.Errorf("%s is %v", text, got)
		}
	}
	if target.Match(nil, n) {
		t.Error("no expression matches")
	}
}

func TestGlobMatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"**", "äöü", true},
		{"?", "ä", true},
		{"?", "", false},
		{"a*c", "abcbc", true},
		{"a*c", "abcb", false},
		{"*a*a*", "banana", true},
		{"a?c*", "ABCdef", true},
		{"ä", "Ä", false},
		{"[a]", "[a]", true},
		{"[a]", "a", false},
	} {
		if got := target.GlobMatch(tt.pattern, tt.text); got != tt.want {
			t.Errorf("GlobMatch(%q, %q) = %v", tt.pattern, tt.text, got)
		}
	}
	hostile := strings.Repeat("a*", 2000) + "b"
	if target.GlobMatch(hostile, strings.Repeat("a", 4000)) {
		t.Error("matches without its last character")
	}
}

func TestLiterals(t *testing.T) {
	t.Parallel()
	got := target.Literals(parse(t, "web1 || (db[1-2],db7 && online) || !old"))
	if diff := cmp.Diff([]string{"db7", "old", "web1"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !target.Mentions(parse(t, "a=1 && !(online || !cordoned)"), target.Cordoned) || target.Mentions(parse(t, "cordoned1 || a=cordoned"), target.Cordoned) {
		t.Error("mentions of a flag")
	}
}

func TestExpandGroups(t *testing.T) {
	t.Parallel()
	groups := map[string]string{
		"prod": "env=prod", "web": "role=web && @prod", "both": "@web || @db", "db": "db1,db2", "loop": "a=1 || @loop2", "loop2": "!@loop",
		"wide": strings.Repeat("a=1 || ", 300) + "a=2",
	}
	missing := errors.New("no such group")
	lookup := func(name string) (target.Expr, error) {
		text, ok := groups[name]
		if !ok {
			return nil, missing
		}
		return target.Parse(text)
	}
	got, err := target.Expand(parse(t, "@both && online && @prod"), lookup)
	if err != nil {
		t.Fatal(err)
	}
	if want := "(role=web && env=prod || db[1-2]) && online && env=prod"; parse(t, got.String()).String() != parse(t, want).String() {
		t.Errorf("got %s, want %s", got, want)
	}
	if names := target.Literals(got); len(names) != 0 {
		t.Errorf("names of a group count as spelled out: %v", names)
	}
	if diff := cmp.Diff([]string{"a", "b"}, target.Groups(parse(t, "@a || !(@b && @a)"))); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	for text, want := range map[string]string{
		"@loop":          "group @loop: it contains itself: @loop > @loop2 > @loop",
		"@wide || @wide": "group @wide: with the groups in it, the expression has more than 500 terms",
	} {
		_, err := target.Expand(parse(t, text), lookup)
		var e *target.GroupError
		if !errors.As(err, &e) || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if _, err := target.Expand(parse(t, "online && !@none"), lookup); !errors.Is(err, missing) {
		t.Errorf("unknown group: %v", err)
	}
}

// TestRoundTrip checks that the canonical text of any expression is read as that expression, and says the same of any node.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := targettest.Exprs().Draw(t, "expression")
		text := e.String()
		back, err := target.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if again := back.String(); again != text {
			again2, err := target.Parse(again)
			if err != nil || again2.String() != again {
				t.Fatalf("%s is read as %s, and that as %v (%v)", text, again, again2, err)
			}
		}
		n := targettest.Nodes().Draw(t, "node")
		if target.Match(e, n) != target.Match(back, n) {
			t.Fatalf("%s and %s disagree about %v", text, back, n)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"role=web && mem_gib>=64 && online", `tag."a b" in ("x",y) || !@g`, "web[01-40,44],db*", "(((", "not zone not in (a)", `~"a*b"`, "online=false", "!~x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := target.Parse(text)
		if err != nil {
			var bad *target.Error
			if !errors.As(err, &bad) || bad.Pos < 0 || bad.Pos > len(text) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if len(target.Literals(e)) == 0 && strings.Contains(text, "[") {
			return // ranges may be long
		}
		canonical := e.String()
		back, err := target.Parse(canonical)
		if err != nil {
			t.Fatalf("%q is %q: %v", text, canonical, err)
		}
		if again := back.String(); again != canonical {
			t.Errorf("%q is %q, and that is %q", text, canonical, again)
		}
	})
}
