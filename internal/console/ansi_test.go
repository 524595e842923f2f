package console

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

func TestPaint(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]span{
		"plain":                             {{"", "plain"}},
		"":                                  nil,
		"\x1b[31mred\x1b[0m.":               {{"a-f1", "red"}, {"", "."}},
		"\x1b[1;4;92;40mloud\x1b[m":         {{"a-b a-u a-f10 a-g0", "loud"}},
		"\x1b[38;5;196mred":                 {{"a-f9", "red"}},
		"\x1b[38;2;0;0;120mblue":            {{"a-f4", "blue"}},
		"\x1b[48;5;240mgrey":                {{"a-g7", "grey"}},
		"10%\r20%\r100%\r":                  {{"", "100%"}},
		"a\x1b[2Jb\x1b[10;10Hc":             {{"", "abc"}},
		"\x1b]0;title\x07x":                 {{"", "x"}},
		"\x1b]8;;https://e.example\x1b\\go": {{"", "go"}},
		"\x1bPsixel\x1b\\x\x1b_apc\x1b\\":   {{"", "x"}},
		"\x1b]52;c;bm8=":                    nil,
		"\u009b31mred":                      {{"a-f1", "red"}},
		"bell\x07\x00\x08":                  {{"", "bell␇␀␈"}},
		"a\u202egnp.exe":                    {{"", "a\ufffdgnp.exe"}},
		"<script>&amp;":                     {{"", "<script>&amp;"}},
		"\xff\xfe":                          {{"", "\ufffd\ufffd"}},
		"\x1b[31":                           nil,
		"\x1b":                              nil,
		"\x1b[?25lx\x1b[>4;1mm":             {{"", "xm"}},
		"tab\there":                         {{"", "tab\there"}},
	} {
		if diff := cmp.Diff(want, new(style).paint([]byte(text))); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	var s style
	s.paint([]byte("\x1b[33m"))
	if got := s.paint([]byte("next line")); got[0].Class != "a-f3" {
		t.Errorf("the next line is %q", got[0].Class)
	}
}

// FuzzPaint checks that whatever a node prints, what comes out has no control characters, and no class that the stylesheet does not know.
func FuzzPaint(f *testing.F) {
	f.Add([]byte("\x1b[31mred\x1b]0;x\x07\u202e\r\x1b[38;2;1;2;3m"))
	f.Add([]byte("\x1b[38;5;999999999999m\x1b[38m\x1b[;;m"))
	known := map[string]bool{"a-b": true, "a-d": true, "a-i": true, "a-u": true}
	for i := range 16 {
		known[style{fg: i + 1}.class()], known[style{bg: i + 1}.class()] = true, true
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, sp := range new(style).paint(b) {
			if strings.ContainsFunc(sp.Text, func(r rune) bool { return r != '\t' && unicode.IsControl(r) }) {
				t.Errorf("%q", sp.Text)
			}
			if sp.Class != "" && slices.ContainsFunc(strings.Fields(sp.Class), func(c string) bool { return !known[c] }) {
				t.Errorf("class %q", sp.Class)
			}
		}
	})
}
