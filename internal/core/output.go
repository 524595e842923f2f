package core

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"
)

// Stream tells apart the two outputs of a process.
type Stream uint8

// The streams. Merged is both in order of arrival.
const (
	Merged Stream = 0
	Stdout Stream = 1
	Stderr Stream = 2
)

// Span says how many of a chunk's next bytes belong to which stream.
type Span struct {
	Stream Stream
	Len    uint32
}

// Chunk is a piece of merged output at a position.
type Chunk struct {
	Off   uint64 // position of the first byte in the merged stream
	Gap   bool   // what lies between the end of the chunk before and Off is gone
	Spans []Span
	Data  []byte
}

// End is the position after the last byte.
func (c *Chunk) End() uint64 { return c.Off + uint64(len(c.Data)) }

// from returns the part of the chunk at and after position off.
func (c *Chunk) from(off uint64) Chunk {
	if off <= c.Off {
		return *c
	}
	if off >= c.End() {
		return Chunk{Off: off}
	}
	skip := off - c.Off
	out := Chunk{Off: off, Data: c.Data[skip:]}
	for _, s := range c.Spans {
		if skip >= uint64(s.Len) {
			skip -= uint64(s.Len)
			continue
		}
		out.Spans = append(out.Spans, Span{s.Stream, s.Len - uint32(skip)})
		skip = 0
	}
	return out
}

// add appends another chunk that begins where this one ends.
func (c *Chunk) add(d Chunk) {
	if len(d.Data) == 0 {
		return
	}
	if len(c.Data) == 0 {
		*c = d
		return
	}
	c.Data = append(c.Data[:len(c.Data):len(c.Data)], d.Data...)
	for i, s := range d.Spans {
		if last := len(c.Spans) - 1; i == 0 && c.Spans[last].Stream == s.Stream {
			spans := append([]Span(nil), c.Spans...)
			spans[last].Len += s.Len
			c.Spans = spans
			continue
		}
		c.Spans = append(c.Spans, s)
	}
}

// of returns the bytes of one stream, or all of them.
func (c *Chunk) of(s Stream) []byte {
	if s == Merged || len(c.Spans) == 1 && c.Spans[0].Stream == s {
		return c.Data
	}
	var out []byte
	off := uint32(0)
	for _, span := range c.Spans {
		if span.Stream == s {
			out = append(out, c.Data[off:off+span.Len]...)
		}
		off += span.Len
	}
	return out
}

// MarshalBinary is the form in which chunks are kept in rows and blobs.
func (c *Chunk) MarshalBinary() ([]byte, error) {
	b := make([]byte, 0, len(c.Data)+16+6*len(c.Spans))
	b = binary.AppendUvarint(b, c.Off)
	b = binary.AppendUvarint(b, uint64(len(c.Spans)))
	for _, s := range c.Spans {
		b = binary.AppendUvarint(b, uint64(s.Len)<<2|uint64(s.Stream))
	}
	return append(b, c.Data...), nil
}

var errChunk = errors.New("stored output is damaged")

// UnmarshalBinary reads what MarshalBinary wrote. The data aliases b.
func (c *Chunk) UnmarshalBinary(b []byte) error {
	r := reader{b}
	c.Off = r.uint()
	n := r.uint()
	if n > uint64(len(b)) {
		return errChunk
	}
	c.Spans = make([]Span, n)
	total := uint64(0)
	for i := range c.Spans {
		v := r.uint()
		c.Spans[i] = Span{Stream(v & 3), uint32(v >> 2)}
		total += v >> 2
	}
	if r.b == nil || total != uint64(len(r.b)) {
		return errChunk
	}
	c.Data = r.b
	return nil
}

// reader walks varints; b is nil after a malformed one.
type reader struct{ b []byte }

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b = nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// bytes reads a number and as many bytes, which alias what is read.
func (r *reader) bytes() []byte {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.b = nil
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

// Segment is a stretch of output that lives in the blob store.
type Segment struct {
	Off    uint64
	Len    uint64
	Stderr uint64 // how many of the bytes are of that stream
	// Lines is how many lines of each stream begin in it, the one that stands for bytes gone before it included; see Seal.
	Lines [NumStreams]uint32
}

// End is the position after the segment's last byte.
func (s Segment) End() uint64 { return s.Off + s.Len }

// Output is what the server holds of a task's output: long stretches in the blob store, the rest with the task's row.
type Output struct {
	Segments []Segment
	Seal     Seal  // of the segments
	Recent   Chunk // what follows the last segment
}

// Have is the next position wanted from the node.
func (o *Output) Have() uint64 {
	if len(o.Recent.Data) == 0 && len(o.Segments) > 0 {
		return max(o.Segments[len(o.Segments)-1].End(), o.Recent.Off)
	}
	return o.Recent.End()
}

// Kept is how many bytes are there. Where some are gone, the others follow each other.
func (o *Output) Kept() uint64 {
	n := uint64(len(o.Recent.Data))
	for _, s := range o.Segments {
		n += s.Len
	}
	return n
}

// Empty reports whether nothing was received.
func (o *Output) Empty() bool { return len(o.Segments) == 0 && len(o.Recent.Data) == 0 }

// sealedForm is added to the number of segments in front of an output that has a Seal. No output has as many segments, so that rows from before
// there were seals are told apart.
const sealedForm = 1 << 20

// MarshalBinary is the form in which a row keeps an Output; nil if there is none.
func (o *Output) MarshalBinary() ([]byte, error) {
	if o.Empty() {
		return nil, nil
	}
	sealed := len(o.Segments) > 0 && o.known()
	n := uint64(len(o.Segments))
	if sealed {
		n += sealedForm
	}
	b := binary.AppendUvarint(nil, n)
	for _, s := range o.Segments {
		b = binary.AppendUvarint(b, s.Off)
		b = binary.AppendUvarint(b, s.Len)
		b = binary.AppendUvarint(b, s.Stderr)
		if sealed {
			for _, lines := range s.Lines {
				b = binary.AppendUvarint(b, uint64(lines))
			}
		}
	}
	if sealed {
		for _, state := range o.Seal.Hashes {
			b = binary.AppendUvarint(b, uint64(len(state)))
			b = append(b, state...)
		}
		b = binary.AppendUvarint(b, o.Seal.Mark.pack())
	}
	chunk, err := o.Recent.MarshalBinary()
	return append(b, chunk...), err
}

// UnmarshalBinary reads what MarshalBinary wrote. The data aliases b.
func (o *Output) UnmarshalBinary(b []byte) error {
	*o = Output{}
	if len(b) == 0 {
		return nil
	}
	r := reader{b}
	n := r.uint()
	sealed := n >= sealedForm
	if sealed {
		n -= sealedForm
	}
	if n > uint64(len(b)) {
		return errChunk
	}
	for range n {
		s := Segment{Off: r.uint(), Len: r.uint(), Stderr: r.uint()}
		for i := 0; sealed && i < len(s.Lines); i++ {
			s.Lines[i] = uint32(r.uint())
		}
		o.Segments = append(o.Segments, s)
	}
	if sealed {
		for i := range o.Seal.Hashes {
			o.Seal.Hashes[i] = r.bytes()
		}
		o.Seal.Mark = unpackLineMark(r.uint())
	}
	if r.b == nil {
		return errChunk
	}
	return o.Recent.UnmarshalBinary(r.b)
}

// Window is the part of an output that a caller sees: the first Head and the last Tail bytes of one stream. When everything fits into
// both together, everything is shown.
type Window struct {
	Stream     Stream
	Head, Tail int
	Text       bool // move cuts to character boundaries
}

// Size is the most bytes the window shows.
func (w Window) Size() int { return w.Head + w.Tail }

// Cut applies the window to bytes of which head holds the beginning and tail the end; total is the length of the whole. A head that is shorter
// than the window is all that is kept. It returns what is shown and how many bytes are not.
func (w Window) Cut(head, tail []byte, total uint64) (shown []byte, dropped uint64) {
	if len(head) < w.Size() || total <= uint64(w.Size()) {
		shown = head[:min(uint64(len(head)), total)]
		return shown, total - uint64(len(shown))
	}
	head = head[:min(len(head), w.Head)]
	tail = tail[max(0, len(tail)-w.Tail):]
	if w.Text {
		head = head[:len(head)-partialEnd(head)]
		tail = tail[partialStart(tail):]
	}
	shown = append(append(make([]byte, 0, len(head)+len(tail)), head...), tail...)
	if n := uint64(len(shown)); total > n {
		dropped = total - n
	}
	return shown, dropped
}

// partialEnd is how many bytes at the end of b begin a character that is not complete.
func partialEnd(b []byte) int {
	for i := 1; i <= min(utf8.UTFMax-1, len(b)); i++ {
		c := b[len(b)-i]
		if c < utf8.RuneSelf {
			return 0
		}
		if utf8.RuneStart(c) {
			if utf8.FullRune(b[len(b)-i:]) {
				return 0
			}
			return i
		}
	}
	return 0
}

// partialStart is how many bytes at the start of b continue a character that began before.
func partialStart(b []byte) int {
	n := 0
	for n < min(utf8.UTFMax-1, len(b)) && !utf8.RuneStart(b[n]) {
		n++
	}
	return n
}
