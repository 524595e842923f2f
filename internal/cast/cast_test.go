package cast_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/cast"
)

func TestForm(t *testing.T) {
	t.Parallel()
	b := cast.Header{Width: 80, Height: 24, Timestamp: 1_700_000_000, Env: map[string]string{"TERM": "xterm-256color"}}.Line()
	if want := `{"version":2,"width":80,"height":24,"timestamp":1700000000,"env":{"TERM":"xterm-256color"}}` + "\n"; string(b) != want {
		t.Errorf("%s", b)
	}
	events := []cast.Event{{0, cast.Output, "$ \x1b[1m\"é\"\r\n"}, {1500 * time.Millisecond, cast.Resize, "132x40"}, {2 * time.Second, cast.Input, "\x03"}}
	b = nil
	for _, e := range events {
		b = cast.Append(b, e)
	}
	if want := `[0.000000, "o", "$ \u001b[1m\"é\"\r\n"]` + "\n" + `[1.500000, "r", "132x40"]` + "\n" + `[2.000000, "i", "\u0003"]` + "\n"; string(b) != want {
		t.Errorf("%s", b)
	}
	var got []cast.Event
	for e, err := range cast.Events(b) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	if diff := cmp.Diff(events, got); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"x\n", "[1]\n", `[1, 2, 3]`, `["1", "o", "x"]`, `[-1, "o", "x"]`, `[1, "oo", "x"]`} {
		for _, err := range cast.Events([]byte(bad)) {
			if err == nil {
				t.Errorf("%s is no event", bad)
			}
		}
	}
}

func TestWhole(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]int{
		"": 0, "abc": 3, "é": 2, "a\xc3": 1, "\xe2\x82": 0, "x\xf0\x9f\x98": 1, "\x80\x80\x80\x80": 4, "\xff": 1, "😀": 4, "a\x80": 2,
	} {
		if got := cast.Whole([]byte(data)); got != want {
			t.Errorf("%q: %d, want %d", data, got, want)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		print []string
		want  []string
	}{
		"lines":             {[]string{"one\r\ntw", "o\r\n"}, []string{"one", "two"}},
		"colours":           {[]string{"\x1b[1;31mred\x1b[0m and \x1b[38;5;2", "mgreen\x1b[m\r\n"}, []string{"red and green"}},
		"a title":           {[]string{"\x1b]0;secret\x07shown\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\r\n"}, []string{"shownlink"}},
		"progress":          {[]string{"10%\r20%\r100%\r\n"}, []string{"100%"}},
		"shorter again":     {[]string{"a long one\rab\x1b[K\r\n"}, []string{"ab"}},
		"corrections":       {[]string{"lx\bs -l\r\n"}, []string{"ls -l"}},
		"tabs":              {[]string{"a\tb\r\n"}, []string{"a       b"}},
		"a whole screen":    {[]string{"\x1b[2J\x1b[Htop\x1b[2;1Hbottom"}, []string{"top", "bottom"}},
		"moves":             {[]string{"abc\x1b[2DX\x1b[5GY\r\n"}, []string{"aXc Y"}},
		"other control":     {[]string{"a\x07\x00b\x1b(Bc\x1b=d\x1bP1$r\x1b\\e\r\n"}, []string{"abcde"}},
		"eight bits":        {[]string{"a\u009b31mb\u009dtitle\u009cc\r\n"}, []string{"abc"}},
		"no end":            {[]string{"x\x1b[999999999999999999999999"}, []string{"x"}},
		"far to the right":  {[]string{"x\x1b[99999999Cy"}, []string{"x", "y"}},
		"a very long line":  {[]string{strings.Repeat("x", 5000)}, []string{strings.Repeat("x", 4096), strings.Repeat("x", 904)}},
		"nothing":           {[]string{"\r\n \r\n\x1b[K"}, nil},
		"what is no letter": {[]string{"中文 ok\r\n"}, []string{"中文 ok"}},
	} {
		var b []byte
		for i, text := range tt.print {
			b = cast.Append(b, cast.Event{At: time.Duration(i) * time.Second, Kind: cast.Output, Data: text})
			b = cast.Append(b, cast.Event{At: time.Duration(i) * time.Second, Kind: cast.Input, Data: "typed"})
		}
		lines, err := cast.Text(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, l := range lines {
			got = append(got, l.Text)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\x1b[31mb\r\n\x1b]0;t\x07")
	f.Fuzz(func(t *testing.T, printed string) {
		lines, err := cast.Text(cast.Append(nil, cast.Event{Kind: cast.Output, Data: printed}))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			if strings.ContainsFunc(l.Text, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
				t.Errorf("%q", l.Text)
			}
		}
	})
}
