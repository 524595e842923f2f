package core

import (
	"context"
	"fmt"
)

// Shown is the part of a task's output that a window lets through.
type Shown struct {
	Text    []byte
	Dropped uint64 // bytes of the stream that are not in Text
}

// Show cuts a task's output to a window. The task must have been read with its output.
func (s *Service) Show(ctx context.Context, t *Task, w Window) (Shown, error) {
	total := t.printed(w.Stream)
	recent := t.Output.Recent.of(w.Stream)
	head, tail := recent, recent
	if len(t.Output.Segments) > 0 {
		var err error
		if head, err = s.ends(ctx, t, w.Stream, w.Size(), true); err != nil {
			return Shown{}, err
		}
		if tail, err = s.ends(ctx, t, w.Stream, w.Tail, false); err != nil {
			return Shown{}, err
		}
	}
	text, dropped := w.Cut(head, tail, max(total, uint64(len(recent))))
	return Shown{Text: text, Dropped: dropped}, nil
}

// printed is how much a task has printed to a stream, as far as known.
func (t *Task) printed(s Stream) uint64 {
	switch s {
	case Stdout:
		return t.Stdout
	case Stderr:
		return t.Stderr
	case Merged:
	}
	return t.Printed()
}

// ends collects at least n bytes of a stream from the front or the back of a long output, reading only the segments it needs.
func (s *Service) ends(ctx context.Context, t *Task, stream Stream, n int, front bool) ([]byte, error) {
	segs := t.Output.Segments
	var got []byte
	if !front {
		got = t.Output.Recent.of(stream)
	}
	for i := range segs {
		seg := segs[i]
		if !front {
			seg = segs[len(segs)-1-i]
		}
		if len(got) >= n {
			return got, nil
		}
		if stream == Stderr && seg.Stderr == 0 || stream == Stdout && seg.Stderr == seg.Len {
			continue
		}
		c, err := s.segment(ctx, t.ID, seg)
		if err != nil {
			return nil, err
		}
		if front {
			got = append(got[:len(got):len(got)], c.of(stream)...)
		} else {
			got = append(append([]byte(nil), c.of(stream)...), got...)
		}
	}
	if front {
		got = append(got[:len(got):len(got)], t.Output.Recent.of(stream)...)
	}
	return got, nil
}

func (s *Service) segment(ctx context.Context, id TaskID, seg Segment) (c Chunk, err error) {
	b, err := s.blobs.Get(ctx, segmentKey(id, seg.Off))
	if err == nil {
		err = c.UnmarshalBinary(b)
	}
	if err != nil {
		return c, fmt.Errorf("output of task %s at %d: %w", id, seg.Off, err)
	}
	return c, nil
}

// Full calls emit with all kept output of a task, in order, piece by piece.
func (s *Service) Full(ctx context.Context, t *Task, emit func(Chunk) error) error {
	for _, seg := range t.Output.Segments {
		c, err := s.segment(ctx, t.ID, seg)
		if err != nil {
			return err
		}
		if err := emit(c); err != nil {
			return err
		}
	}
	if len(t.Output.Recent.Data) == 0 {
		return nil
	}
	return emit(t.Output.Recent)
}
