package core

import "bytes"

// NumStreams is how many streams there are to look at, Merged among them.
const NumStreams = 3

// LineMark is where lines stand after a stretch of output: what has to be known to count the lines of what follows.
//
// A line of one stream ends with its newline. Merged lines end as well where the other stream goes on, so that each of them is of one
// stream. Where bytes are gone, a line stands for them and every other one ends before it.
type LineMark struct {
	Open [NumStreams]bool // the last line of the stream has begun and has no newline yet
	Last Stream           // of the last byte; Merged if there was none
}

// gap begins anew after bytes that are gone, and counts the line that stands for them.
func (m *LineMark) gap(lines *[NumStreams]uint32) {
	*m = LineMark{}
	for s := range lines {
		lines[s]++
	}
}

// count adds the lines that begin in a chunk, by stream.
func (m *LineMark) count(c *Chunk, lines *[NumStreams]uint32) {
	data := c.Data
	for _, span := range c.Spans {
		b := data[:span.Len]
		data = data[span.Len:]
		if len(b) == 0 {
			continue
		}
		if m.Last != span.Stream {
			m.Open[Merged] = false
		}
		m.Last = span.Stream
		begin := uint32(bytes.Count(b[:len(b)-1], newline))
		for _, s := range [...]Stream{Merged, span.Stream} {
			lines[s] += begin
			if !m.Open[s] {
				lines[s]++
			}
			m.Open[s] = b[len(b)-1] != '\n'
		}
	}
}

var newline = []byte{'\n'}

// pack and unpackLineMark write and read a mark as one number.
func (m LineMark) pack() uint64 {
	v := uint64(m.Last)
	for s, open := range m.Open {
		if open {
			v |= 1 << (2 + s)
		}
	}
	return v
}

func unpackLineMark(v uint64) (m LineMark) {
	m.Last = Stream(v & 3)
	for s := range m.Open {
		m.Open[s] = v>>(2+s)&1 != 0
	}
	return m
}
