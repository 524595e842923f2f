package console

import (
	"bytes"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// span is a stretch of output that looks the same.
type span struct {
	Class string `json:"c,omitempty"` // of the stylesheet; empty for plain text
	Text  string `json:"t"`
}

// style is what select-graphic-rendition sequences have added up to.
type style struct {
	fg, bg                   int // 1 to 16; 0 is none
	bold, dim, italic, under bool
}

func (s style) class() string {
	var names []string
	if s.bold {
		names = append(names, "a-b")
	}
	if s.dim {
		names = append(names, "a-d")
	}
	if s.italic {
		names = append(names, "a-i")
	}
	if s.under {
		names = append(names, "a-u")
	}
	if s.fg > 0 {
		names = append(names, "a-f"+strconv.Itoa(s.fg-1))
	}
	if s.bg > 0 {
		names = append(names, "a-g"+strconv.Itoa(s.bg-1))
	}
	return strings.Join(names, " ")
}

// paint turns one line of output into spans, and style into what holds for the next line. Of everything that a terminal would obey, only colours and
// the like are kept, as names of classes out of a fixed list. Every other sequence is dropped, and control characters and those that turn the
// direction of text are made visible: whatever a node prints, it is text.
func (s *style) paint(line []byte) []span {
	if i := bytes.LastIndexByte(bytes.TrimRight(line, "\r"), '\r'); i >= 0 {
		line = line[i+1:] // a progress bar was drawn over
	}
	line = bytes.TrimRight(line, "\r")
	var (
		spans []span
		text  strings.Builder
	)
	flush := func() {
		if text.Len() == 0 {
			return
		}
		spans = append(spans, span{s.class(), text.String()})
		text.Reset()
	}
	for len(line) > 0 {
		if n, sgr := escape(line); n > 0 {
			if next := *s; sgr != nil {
				if next.apply(sgr); next != *s {
					flush()
					*s = next
				}
			}
			line = line[n:]
			continue
		}
		r, n := utf8.DecodeRune(line)
		text.WriteRune(visible(r))
		line = line[n:]
	}
	flush()
	return spans
}

// visible stands for a character that must not be shown as it is.
func visible(r rune) rune {
	switch {
	case r == '\t':
		return r
	case r < 0x20:
		return 0x2400 + r // its picture
	case r == 0x7f:
		return '␡'
	case unicode.Is(unicode.Cc, r), unicode.Is(unicode.Cf, r) && r != 0x200d, r == 0x2028, r == 0x2029:
		return utf8.RuneError
	}
	return r
}

// escape measures the sequence that a line begins with, 0 if it begins with none. sgr holds the parameters if it is one about looks.
func escape(b []byte) (n int, sgr []byte) {
	var body []byte
	switch {
	case len(b) >= 2 && b[0] == 0x1b:
		body = b[2:]
		n = 2
		switch b[1] {
		case '[':
		case ']', 'P', 'X', '^', '_': // to BEL or the string terminator, or the end of the line
			return n + untilTerminator(body), nil
		case '(', ')', '*', '+', '#', '%', ' ':
			return min(3, len(b)), nil
		default:
			return n, nil
		}
	case b[0] == 0x1b:
		return 1, nil
	case len(b) >= 2 && b[0] == 0xc2 && b[1] == 0x9b: // CSI in one character
		body = b[2:]
		n = 2
	default:
		return 0, nil
	}
	for i, c := range body {
		switch {
		case c >= 0x40 && c <= 0x7e:
			if c == 'm' {
				return n + i + 1, body[:i:i]
			}
			return n + i + 1, nil
		case c < 0x20 || c > 0x7e: // broken off
			return n + i, nil
		}
	}
	return n + len(body), nil
}

func untilTerminator(b []byte) int {
	for i := range b {
		if b[i] == 0x07 {
			return i + 1
		}
		if b[i] == 0x1b && i+1 < len(b) && b[i+1] == '\\' {
			return i + 2
		}
	}
	return len(b)
}

// apply adds one select-graphic-rendition sequence.
func (s *style) apply(params []byte) {
	list := strings.FieldsFunc(string(params), func(r rune) bool { return r == ';' || r == ':' })
	if len(list) == 0 {
		*s = style{}
		return
	}
	for i := 0; i < len(list); i++ {
		n, err := strconv.Atoi(list[i])
		if err != nil {
			return // private ones mean nothing here
		}
		switch {
		case n == 0:
			*s = style{}
		case n == 1:
			s.bold = true
		case n == 2:
			s.dim = true
		case n == 3:
			s.italic = true
		case n == 4:
			s.under = true
		case n == 22:
			s.bold, s.dim = false, false
		case n == 23:
			s.italic = false
		case n == 24:
			s.under = false
		case n >= 30 && n <= 37:
			s.fg = n - 30 + 1
		case n == 39:
			s.fg = 0
		case n >= 40 && n <= 47:
			s.bg = n - 40 + 1
		case n == 49:
			s.bg = 0
		case n >= 90 && n <= 97:
			s.fg = n - 90 + 9
		case n >= 100 && n <= 107:
			s.bg = n - 100 + 9
		case n == 38 || n == 48:
			color, used := extended(list[i+1:])
			if n == 38 {
				s.fg = color
			} else {
				s.bg = color
			}
			i += used
		}
	}
}

// extended reads the rest of 38 and 48: a colour out of 256 or of red, green and blue, as the nearest of the sixteen that both themes have.
func extended(rest []string) (color, used int) {
	number := func(i int) int {
		if i >= len(rest) {
			return 0
		}
		n, err := strconv.Atoi(rest[i])
		if err != nil {
			return 0
		}
		return min(max(n, 0), 255)
	}
	if len(rest) == 0 {
		return 0, 0
	}
	switch rest[0] {
	case "5":
		n := number(1)
		switch {
		case n < 16:
			return n + 1, 2
		case n < 232:
			n -= 16
			return nearest(n/36*51, n/6%6*51, n%6*51), 2
		}
		grey := 8 + (n-232)*10
		return nearest(grey, grey, grey), 2
	case "2":
		return nearest(number(1), number(2), number(3)), 4
	}
	return 0, 1
}

// nearest is the one of the sixteen colours that is most like another.
func nearest(r, g, b int) int {
	high := max(r, g, b)
	if high < 64 {
		return 1
	}
	n := 0
	for i, c := range []int{r, g, b} {
		if c*2 > high {
			n |= 1 << i
		}
	}
	if high > 170 {
		n += 8
	}
	return n + 1
}
