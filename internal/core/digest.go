package core

import (
	"crypto/sha256"
	"encoding"
	"fmt"
	"hash"
)

// Digest stands for all bytes of one stream of a task: the first 16 bytes of their SHA-256. It is zero if there are none.
type Digest [16]byte

// hashStates are running hashes over Stdout and Stderr.
type hashStates [2]hash.Hash

// resume goes on from stored states; nil states begin anew.
func resume(states [2][]byte) (h hashStates, err error) {
	for i := range h {
		h[i] = sha256.New()
		if states[i] == nil {
			continue
		}
		if err := h[i].(encoding.BinaryUnmarshaler).UnmarshalBinary(states[i]); err != nil {
			return h, fmt.Errorf("state of a digest: %w", err)
		}
	}
	return h, nil
}

func (h *hashStates) add(c *Chunk) {
	data := c.Data
	for _, span := range c.Spans {
		if span.Stream == Stdout || span.Stream == Stderr {
			_, _ = h[span.Stream-Stdout].Write(data[:span.Len]) // never fails
		}
		data = data[span.Len:]
	}
}

func (h *hashStates) states() (out [2][]byte, err error) {
	for i := range h {
		if out[i], err = h[i].(encoding.BinaryMarshaler).MarshalBinary(); err != nil {
			return out, fmt.Errorf("state of a digest: %w", err)
		}
	}
	return out, nil
}

// Seal is what is known of the bytes in the segments of an output without reading them. Outputs that were stored by older versions have
// none until somebody asks for their lines or groups.
type Seal struct {
	Hashes [2][]byte // states of SHA-256 over the bytes of Stdout and of Stderr; nil if nothing is known
	Mark   LineMark
}

// known reports whether there is a seal, which an output that has no segments does not need.
func (o *Output) known() bool { return len(o.Segments) == 0 || o.Seal.Hashes[0] != nil }

// extend adds a chunk, which begins at or after end, to what is known, and returns its segment.
func (l *Seal) extend(c *Chunk, end uint64) (Segment, error) {
	seg := Segment{Off: c.Off, Len: uint64(len(c.Data)), Stderr: uint64(len(c.of(Stderr)))}
	h, err := resume(l.Hashes)
	if err != nil {
		return seg, err
	}
	h.add(c)
	if c.Off > end {
		l.Mark.gap(&seg.Lines)
	}
	l.Mark.count(c, &seg.Lines)
	l.Hashes, err = h.states()
	return seg, err
}

// digests returns the digests of both streams. known is false if that takes reading the segments first.
func (o *Output) digests() (stdout, stderr Digest, known bool) {
	if !o.known() {
		return stdout, stderr, false
	}
	lengths := [2]uint64{}
	for _, seg := range o.Segments {
		lengths[0] += seg.Len - seg.Stderr
		lengths[1] += seg.Stderr
	}
	if len(o.Recent.Spans) == 1 && len(o.Segments) == 0 { // nearly all outputs
		sum := sha256.Sum256(o.Recent.Data)
		switch o.Recent.Spans[0].Stream {
		case Stdout:
			stdout = Digest(sum[:16])
		case Stderr:
			stderr = Digest(sum[:16])
		case Merged:
		}
		return stdout, stderr, true
	}
	for _, span := range o.Recent.Spans {
		if span.Stream == Stdout || span.Stream == Stderr {
			lengths[span.Stream-Stdout] += uint64(span.Len)
		}
	}
	h, err := resume(o.Seal.Hashes)
	if err != nil {
		return stdout, stderr, false
	}
	h.add(&o.Recent)
	if lengths[0] > 0 {
		stdout = Digest(h[0].Sum(nil)[:16])
	}
	if lengths[1] > 0 {
		stderr = Digest(h[1].Sum(nil)[:16])
	}
	return stdout, stderr, true
}

// sealedEnd is the position after the last segment.
func (o *Output) sealedEnd() uint64 {
	if len(o.Segments) == 0 {
		return 0
	}
	return o.Segments[len(o.Segments)-1].End()
}
