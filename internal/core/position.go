package core

import (
	"strconv"
	"strings"
)

// Position is a place in the stream of events: after the event Seq or, if Out is not 0, within it, after the output up to Out.
type Position struct {
	Seq int64
	Out uint64
}

// String is the position as callers have it: "1842", or "1842.65536".
func (p Position) String() string {
	text := strconv.FormatInt(p.Seq, 10)
	if p.Out > 0 {
		text += "." + strconv.FormatUint(p.Out, 10)
	}
	return text
}

// ParsePosition reads what String wrote.
func ParsePosition(text string) (p Position, ok bool) {
	seq, out, within := strings.Cut(text, ".")
	n, err := strconv.ParseInt(seq, 10, 64)
	if err != nil || n < 0 {
		return p, false
	}
	p.Seq = n
	if within {
		if p.Out, err = strconv.ParseUint(out, 10, 64); err != nil || p.Out == 0 || n == 0 {
			return p, false
		}
	}
	return p, p.String() == text
}

// done is the number of the last event that is done with altogether.
func (p Position) done() int64 {
	if p.Out > 0 {
		return p.Seq - 1
	}
	return p.Seq
}
