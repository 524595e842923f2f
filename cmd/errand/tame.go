package main

import (
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"
)

// tamed writes what nodes print to a terminal so that it can do nothing there but be read. Line ends, tabs, carriage returns and sequences that set
// colours pass; every other control character is shown: ^[ for escape, ^G for the bell, \x9b for bytes that are no text, \u202e for marks that
// turn the reading order round. Text that is cut between two writes is put together.
type tamed struct {
	w       io.Writer
	hold    []byte // the beginning of a character or of a sequence
	colours bool   // a colour was set since the last reset
}

// maxSequence is the longest colour sequence that passes, in bytes.
const maxSequence = 32

func (t *tamed) Write(b []byte) (int, error) {
	in := append(t.hold, b...)
	var out []byte
	for len(in) > 0 {
		n, text := t.next(in)
		if n == 0 {
			break // more has to come to judge it
		}
		out = append(out, text...)
		in = in[n:]
	}
	t.hold = append([]byte(nil), in...)
	if _, err := t.w.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

// next takes the first character or sequence and returns its length and what stands for it; 0 if its end is missing.
func (t *tamed) next(in []byte) (n int, text []byte) {
	if in[0] == 0x1b {
		return t.sequence(in)
	}
	if !utf8.FullRune(in) {
		return 0, nil
	}
	r, n := utf8.DecodeRune(in)
	switch {
	case r == utf8.RuneError && n == 1:
		return 1, fmt.Appendf(nil, `\x%02x`, in[0])
	case r == '\n' || r == '\t' || r == '\r':
		return n, in[:n]
	case r < ' ' || r == 0x7f:
		return n, []byte{'^', byte(r) ^ 0x40}
	case r >= 0x80 && r < 0xa0:
		return n, fmt.Appendf(nil, `\x%02x`, r)
	case unicode.Is(unicode.Bidi_Control, r):
		return n, fmt.Appendf(nil, `\u%04x`, r)
	default:
		return n, in[:n]
	}
}

// sequence takes ESC [ digits m, and otherwise shows the escape alone.
func (t *tamed) sequence(in []byte) (int, []byte) {
	escape := []byte("^[")
	for i := 1; i < len(in); i++ {
		switch c := in[i]; {
		case i == 1 && c == '[':
		case i > 1 && i < maxSequence && (c >= '0' && c <= '9' || c == ';' || c == ':'):
		case i > 1 && c == 'm':
			t.colours = true
			return i + 1, in[:i+1]
		default:
			return 1, escape
		}
	}
	return 0, nil
}

// end writes what was held back and puts colours out.
func (t *tamed) end() error {
	var out []byte
	for _, b := range t.hold {
		if b == 0x1b {
			out = append(out, "^["...)
		} else if b < utf8.RuneSelf {
			out = append(out, b)
		} else {
			out = fmt.Appendf(out, `\x%02x`, b)
		}
	}
	t.hold = nil
	if t.colours {
		out = append(out, "\x1b[0m"...)
		t.colours = false
	}
	_, err := t.w.Write(out)
	return err
}
