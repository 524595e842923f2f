package cast

import (
	"strings"
	"time"
)

// Line is a line of text that was on the screen.
type Line struct {
	At   time.Duration // when its first character was printed
	Text string
}

// maxLine is the longest line, in characters; longer ones are broken.
const maxLine = 4096

// Text returns what the output of some events says, without what only moves the cursor or gives colours. It is no screen: a full-screen program's text
// comes in the order in which it was drawn.
func Text(events []byte) ([]Line, error) {
	var s screen
	for e, err := range Events(events) {
		if err != nil {
			return s.lines, err
		}
		if e.Kind == Output {
			s.print(e.At, e.Data)
		}
	}
	s.feed()
	return s.lines, nil
}

// screen is a single line with a cursor in it, and the lines above.
type screen struct {
	lines  []Line
	line   []rune
	cursor int
	at     time.Duration
	state  state
	number string // parameters of the control sequence that is being read
}

// state is what the next character belongs to.
type state byte

const (
	plain   state = iota
	escape        // after ESC
	control       // ESC [ ..., until its final character
	text          // ESC ] and the like: until BEL or ESC \
	ending        // ESC in text
	charset       // one more character
)

func (s *screen) print(at time.Duration, data string) {
	for _, r := range data {
		switch s.state {
		case plain:
			s.plain(at, r)
		case escape:
			s.escape(r)
		case control:
			s.control(r)
		case text:
			switch r {
			case 0x07, 0x9c:
				s.state = plain
			case 0x1b:
				s.state = ending
			}
		case ending:
			if s.state = text; r == '\\' {
				s.state = plain
			}
		case charset:
			s.state = plain
		}
	}
}

func (s *screen) plain(at time.Duration, r rune) {
	switch {
	case r == 0x1b:
		s.state = escape
	case r == 0x9b:
		s.state, s.number = control, ""
	case r == 0x90, r == 0x9d, r == 0x9e, r == 0x9f:
		s.state = text
	case r == '\n':
		s.feed()
	case r == '\r':
		s.cursor = 0
	case r == '\b':
		s.cursor = max(0, s.cursor-1)
	case r == '\t':
		for ok := true; ok; ok = s.cursor%8 != 0 {
			s.put(at, ' ')
		}
	case r < ' ', r >= 0x7f && r < 0xa0:
	default:
		s.put(at, r)
	}
}

func (s *screen) put(at time.Duration, r rune) {
	if s.cursor >= maxLine {
		s.feed()
	}
	if len(s.line) == 0 {
		s.at = at
	}
	for len(s.line) <= s.cursor {
		s.line = append(s.line, ' ')
	}
	s.line[s.cursor] = r
	s.cursor++
}

func (s *screen) escape(r rune) {
	switch r {
	case '[':
		s.state, s.number = control, ""
	case ']', 'P', 'X', '^', '_':
		s.state = text
	case '(', ')', '*', '+', '#', ' ', '%':
		s.state = charset
	case 0x1b:
	case 'E', 'D', 'M', 'c':
		s.feed()
		s.state = plain
	default:
		s.state = plain
	}
}

func (s *screen) control(r rune) {
	switch {
	case r == 0x1b:
		s.state = escape
		return
	case r < 0x40 || r > 0x7e:
		if len(s.number) < 8 {
			s.number += string(r)
		}
		return
	}
	s.state = plain
	n := 0
	for _, d := range s.number {
		if d < '0' || d > '9' || n > maxLine {
			break
		}
		n = n*10 + int(d-'0')
	}
	switch r {
	case 'C':
		s.cursor = min(s.cursor+max(n, 1), maxLine)
	case 'D':
		s.cursor = max(0, s.cursor-max(n, 1))
	case 'G', '`':
		s.cursor = min(max(n, 1)-1, maxLine)
	case 'K':
		if n == 0 {
			s.line = s.line[:min(s.cursor, len(s.line))]
		}
	case 'A', 'B', 'E', 'F', 'H', 'J', 'd', 'f', 'L', 'M', 'S', 'T':
		s.feed() // to somewhere else
	}
}

// feed ends the line.
func (s *screen) feed() {
	if line := strings.TrimRight(string(s.line), " "); line != "" {
		s.lines = append(s.lines, Line{s.at, line})
	}
	s.line, s.cursor = s.line[:0], 0
}
