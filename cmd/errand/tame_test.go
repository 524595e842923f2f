package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

func TestTamed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"text", "héllo, 节点\n\tx\r\n", "héllo, 节点\n\tx\r\n"},
		{"colours pass and are put out", "\x1b[1;31mred", "\x1b[1;31mred\x1b[0m"},
		{"title", "\x1b]0;pwned\x07", "^[]0;pwned^G"},
		{"cursor", "a\x1b[2J\x1b[Hb", "a^[[2J^[[Hb"},
		{"clipboard", "\x1b]52;c;ZXZpbA==\x1b\\", "^[]52;c;ZXZpbA==^[\\"},
		{"device attributes", "\x1b[c\x1b[6n", "^[[c^[[6n"},
		{"one byte controls", "\u009b2J\x00\x08\x7f", `\x9b2J^@^H^?`},
		{"raw byte", "\x9b2J\xff", `\x9b2J\xff`},
		{"order", "a\u202eb\u2066", `a\u202eb\u2066`},
		{"cut sequence", "x\x1b[3", "x^[[3"},
		{"cut character", "x\xe8\x8a", `x\xe8\x8a`},
		{"private colour", "\x1b[>4;2m", "^[[>4;2m"},
		{"endless colour", "\x1b[" + strings.Repeat("1", 100) + "m", "^[[" + strings.Repeat("1", 100) + "m"},
		{"escape before escape", "\x1b\x1b[0m", "^[\x1b[0m\x1b[0m"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, size := range []int{1, 2, 3, 1000} {
				var out bytes.Buffer
				w := &tamed{w: &out}
				for in := tt.in; in != ""; {
					n := min(size, len(in))
					if _, err := w.Write([]byte(in[:n])); err != nil {
						t.Fatal(err)
					}
					in = in[n:]
				}
				if err := w.end(); err != nil {
					t.Fatal(err)
				}
				if out.String() != tt.want {
					t.Errorf("in pieces of %d: %q, want %q", size, out.String(), tt.want)
				}
			}
		})
	}
}

// TestTamedAnything finds no bytes that leave a control sequence other than a colour's.
func TestTamedAnything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		alphabet := rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte("\x1b[]m0;9\x9b\xc2\x07")))
		var out bytes.Buffer
		w := &tamed{w: &out}
		for _, piece := range rapid.SliceOf(rapid.SliceOf(alphabet)).Draw(t, "pieces") {
			if _, err := w.Write(piece); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.end(); err != nil {
			t.Fatal(err)
		}
		rest := out.String()
		for rest != "" {
			before, after, found := strings.Cut(rest, "\x1b")
			if i := strings.IndexFunc(before, func(r rune) bool {
				return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' || unicode.Is(unicode.Bidi_Control, r)
			}); i >= 0 {
				t.Fatalf("a control character in %q", before)
			}
			if !found {
				break
			}
			body, left, ok := strings.Cut(after, "m")
			if !ok || !strings.HasPrefix(body, "[") || strings.Trim(body[1:], "0123456789;:") != "" {
				t.Fatalf("a sequence that is no colour: %q", after)
			}
			rest = left
		}
	})
}
