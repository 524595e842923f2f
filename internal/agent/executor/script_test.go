package executor

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNormalizeScript(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		in, want string
		keep     bool
	}{
		"plain":                      {in: "echo 1\n", want: "echo 1\n"},
		"empty":                      {},
		"byte order mark":            {in: "\xef\xbb\xbfecho 1\n", want: "echo 1\n"},
		"all lines CRLF":             {in: "#!/bin/sh\r\nif :\r\nthen\r\n:\r\nfi", want: "#!/bin/sh\nif :\nthen\n:\nfi"},
		"mixed":                      {in: "echo 1\r\necho 2\n", want: "echo 1\r\necho 2\n"},
		"mixed, interpreter line":    {in: "#!/bin/sh\r\necho 2\necho\r\n", want: "#!/bin/sh\necho 2\necho\r\n"},
		"kept":                       {in: "echo 1\r\n", want: "echo 1\r\n", keep: true},
		"kept, interpreter line":     {in: "#!/bin/sh\r\necho 1\r\n", want: "#!/bin/sh\necho 1\r\n", keep: true},
		"interpreter line alone":     {in: "#!/bin/sh\r", want: "#!/bin/sh"},
		"mark, then interpreter":     {in: "\xef\xbb\xbf#!/bin/sh\r\n:\n", want: "#!/bin/sh\n:\n"},
		"lone carriage return stays": {in: "printf 'a\rb'\n", want: "printf 'a\rb'\n"},
	} {
		if got := string(NormalizeScript([]byte(test.in), test.keep)); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestInterpreterLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		"":                                   nil,
		"echo 1":                             nil,
		"#!\necho":                           nil,
		"#!  \t\necho":                       nil,
		"#!/bin/sh":                          {"/bin/sh"},
		"#! /bin/sh \necho":                  {"/bin/sh"},
		"#!/bin/sh -e\r\necho":               {"/bin/sh", "-e"},
		"#!/usr/bin/env -S python3 -u \nx":   {"/usr/bin/env", "-S python3 -u"},
		"#!/usr/bin/awk\t-f\nBEGIN{print 1}": {"/usr/bin/awk", "-f"},
		"#!/bin/\x00sh\n":                    nil,
	} {
		if diff := cmp.Diff(want, interpreterLine([]byte(in))); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", in, diff)
		}
	}
}

func FuzzScript(f *testing.F) {
	f.Add([]byte("#!/bin/sh\r\necho\r\n"), true)
	f.Add([]byte("\xef\xbb\xbf#! a b c"), false)
	f.Fuzz(func(t *testing.T, script []byte, keep bool) {
		before := bytes.Clone(script)
		got := NormalizeScript(script, keep)
		if !bytes.Equal(before, script) {
			t.Fatal("input changed")
		}
		if bytes.Count(got, []byte("\n")) != bytes.Count(script, []byte("\n")) {
			t.Fatalf("lines lost: %q", got)
		}
		for _, word := range interpreterLine(got) {
			if word == "" || strings.ContainsAny(word, "\x00\n") {
				t.Fatalf("interpreter word %q", word)
			}
		}
	})
}

func TestParseLauncher(t *testing.T) {
	t.Parallel()
	for template, want := range map[string]launcher{
		`python3 -u {{ACS::ScriptFileName|Ext(".py")}}`:               {words: []string{"python3", "-u", "S"}, suffix: ".py"},
		`python3 {{ ACS::ScriptFileName | Ext( ".py" ) }} a`:          {words: []string{"python3", "S", "a"}, suffix: ".py"},
		`perl {{ACS::ScriptFileName}}`:                                {words: []string{"perl", "S"}},
		`node`:                                                        {words: []string{"node", "S"}},
		`  bash   -x  `:                                               {words: []string{"bash", "-x", "S"}},
		`x --file={{ACS::ScriptFileName}} y`:                          {words: []string{"x", "--file=S", "y"}},
		`x "{{ACS::ScriptFileName}}"`:                                 {words: []string{"x", "S"}},
		`'my prog' "a \"b\" \n" c\ d '' e"f"'g'`:                      {words: []string{"my prog", `a "b" \n`, "c d", "", "efg", "S"}},
		`x '$HOME' $(id) ; rm`:                                        {words: []string{"x", "$HOME", "$(id)", ";", "rm", "S"}},
		`x {{ACS::ScriptFileName|Ext(".a")}} {{ACS::ScriptFileName}}`: {words: []string{"x", "S", "S"}, suffix: ".a"},
	} {
		l, err := parseLauncher(template)
		if err != nil {
			t.Errorf("%s: %v", template, err)
			continue
		}
		if diff := cmp.Diff(want.words, l.argv("S")); diff != "" || l.suffix != want.suffix {
			t.Errorf("%s: suffix %q (-want +got)\n%s", template, l.suffix, diff)
		}
	}
}

func TestParseLauncherErrors(t *testing.T) {
	t.Parallel()
	for _, template := range []string{
		``, `  `, `''`, `a "b`, `a 'b`, `a \`, `a {{`, `a {{ACS::ScriptFileName`, `a {{name}}`,
		`a {{ACS::ScriptFileName|Ext("py")}}`, `a {{ACS::ScriptFileName|Ext("./../x")}}`, "a\x00b",
		`a {{ACS::ScriptFileName|Ext(".a")}} {{ACS::ScriptFileName|Ext(".b")}}`,
	} {
		if l, err := parseLauncher(template); err == nil {
			t.Errorf("%q: accepted as %q", template, l.argv("S"))
		}
	}
}

func FuzzLauncher(f *testing.F) {
	f.Add(`python3 -u {{ACS::ScriptFileName|Ext(".py")}}`)
	f.Add(`'a' "b\"" c\ d {{ACS::ScriptFileName}}`)
	f.Fuzz(func(t *testing.T, template string) {
		l, err := parseLauncher(template)
		if err != nil {
			return
		}
		argv := l.argv("/dir/script" + l.suffix)
		if argv[0] == "" {
			t.Fatal("no program")
		}
		if strings.ContainsRune(strings.Join(argv, ""), 0) {
			t.Fatalf("placeholder left: %q", argv)
		}
		if !strings.Contains(strings.Join(argv, " "), "/dir/script") {
			t.Fatalf("script not named: %q", argv)
		}
		if strings.ContainsRune(l.suffix, '/') {
			t.Fatalf("suffix %q", l.suffix)
		}
	})
}
