package core

import (
	"bytes"
	"context"
)

const (
	// MaxLines is how many lines one call returns at most, and maxLinesSize of how many bytes.
	MaxLines     = 5000
	maxLinesSize = 1 << 20
	// maxLine is how much of a line is shown, in bytes.
	maxLine = 16 << 10
)

// Line is a line of a task's output.
type Line struct {
	N      uint64 // the first line is number 1
	Stream Stream // that printed it; Merged if it stands for bytes that are gone
	Text   []byte // without its newline
	Skip   uint64 // bytes of the line before Text
	Cut    uint64 // bytes of the line after Text, without the newline
	Gone   uint64 // how many bytes of output it stands for that were not kept
	Open   bool   // it has no newline yet
}

// LinesSpec is how a caller asks for lines.
type LinesSpec struct {
	Stream Stream
	From   int64 // number of the first line, from 1 on; a negative one counts from the end, -1 is the last
	Count  int   // at most MaxLines
}

// Lines is a stretch of a task's output, by lines.
type Lines struct {
	Task     TaskView
	Lines    []Line
	Total    uint64 // lines so far
	Next     uint64 // position in the merged output up to which Total counts, where Watch and Follow go on
	Complete bool   // no more will come
}

// Lines returns lines of a task's output. What it costs does not depend on how long the output is: it reads only the segments that the lines
// are in. It returns fewer lines than asked for when they are long.
func (s *Service) Lines(ctx context.Context, c Caller, id TaskID, spec LinesSpec) (Lines, error) {
	if err := s.allowHistory(ctx, &c, "task.list", []ID{id.Invocation}, nil, nil); err != nil {
		return Lines{}, err
	}
	if spec.Count < 1 || spec.Count > MaxLines {
		return Lines{}, invalid(ReasonPageSize, "count", "1 to %d", MaxLines)
	}
	if spec.From == 0 {
		return Lines{}, invalid(ReasonFilter, "from_line", "lines are counted from 1, or from -1 backwards")
	}
	v, err := s.outputOf(ctx, c, id)
	if err != nil {
		return Lines{}, err
	}
	out := Lines{Task: v, Total: v.lines(spec.Stream), Next: v.Output.Have(), Complete: v.State.Ended() && !v.State.Presumed()}
	from := uint64(max(spec.From, 0))
	if spec.From < 0 {
		from = out.Total + 1 - min(out.Total, uint64(-spec.From))
	}
	size := 0
	err = s.eachLine(ctx, &v.Task, spec.Stream, max(from, 1), maxLine, func(l *Line) bool {
		l.Text = bytes.Clone(l.Text)
		out.Lines = append(out.Lines, *l)
		size += len(l.Text)
		return len(out.Lines) < spec.Count && size < maxLinesSize
	})
	return out, err
}

// outputOf reads a task with its output and the output's Seal, for a caller who may see it. A standing task is its latest run.
func (s *Service) outputOf(ctx context.Context, c Caller, id TaskID) (TaskView, error) {
	views, _, err := s.Tasks(ctx, c, TaskFilter{IDs: []TaskID{id}, Output: true}, PageSpec{Limit: 1})
	if err != nil {
		return TaskView{}, err
	}
	if len(views) == 0 {
		return TaskView{}, notFound(ReasonInvocationNotFound, "no task %s", id)
	}
	return views[0], s.seal(ctx, &views[0].Task)
}

// lines is how many lines a stream has. The output must have a Seal.
func (t *Task) lines(stream Stream) (n uint64) {
	for i := range t.Output.Segments {
		n += uint64(t.Output.Segments[i].Lines[stream])
	}
	var recent [NumStreams]uint32
	mark := t.Output.Seal.Mark
	mark.count(&t.Output.Recent, &recent)
	if t.lostEnd() > 0 {
		n++
	}
	return n + uint64(recent[stream])
}

// lostEnd is how many bytes at the end of an output were printed and not kept.
func (t *Task) lostEnd() uint64 {
	if have := t.Output.Have(); t.State.Ended() && t.Printed() > have {
		return t.Printed() - have
	}
	return 0
}

// eachLine calls visit for the lines of a stream from a number on, until it returns false. At most so many bytes of a line are passed along, which
// are good until visit returns. The output must have a Seal.
func (s *Service) eachLine(ctx context.Context, t *Task, stream Stream, from uint64, most int, visit func(*Line) bool) error {
	sp := splitter{stream: stream, from: from, most: most, visit: visit}
	end := uint64(0)
	for _, seg := range t.Output.Segments {
		begin := uint64(seg.Lines[stream])
		if !sp.begun && sp.n+begin < from { // the first line wanted begins later
			sp.n += begin
			end = seg.End()
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		c, err := s.segment(ctx, t.ID, seg)
		if err != nil {
			return err
		}
		if !sp.begun {
			sp.begin(&c, seg, end)
		} else if seg.Off > end {
			sp.gap(seg.Off - end)
		}
		if !sp.chunk(&c) {
			return nil
		}
		end = seg.End()
	}
	if !sp.begun {
		sp.mark, sp.begun = t.Output.Seal.Mark, true
		sp.line.N = sp.n
	}
	if sp.chunk(&t.Output.Recent) {
		sp.finish(t.lostEnd())
	}
	return nil
}

// splitter cuts chunks into the lines of one stream.
type splitter struct {
	stream Stream
	from   uint64 // the first line to visit
	most   int    // bytes of a line that are kept
	visit  func(*Line) bool

	begun   bool
	n       uint64   // lines that have begun
	mark    LineMark // where they stand
	line    Line     // the last one, while it is open
	own     []byte   // holds the text of a line that is put together from several stretches
	stopped bool
}

// begin starts at a segment, before which n lines begin and whose output before ended at end. The segment's counts tell whether one of them
// goes on in it.
func (sp *splitter) begin(c *Chunk, seg Segment, end uint64) {
	sp.begun = true
	if seg.Off > end {
		sp.gap(seg.Off - end)
		return
	}
	var fresh LineMark
	var lines [NumStreams]uint32
	fresh.count(c, &lines)
	if lines[sp.stream] > seg.Lines[sp.stream] {
		sp.mark.Open[sp.stream] = true
		for _, span := range c.Spans {
			if span.Len > 0 {
				sp.mark.Last = span.Stream
				break
			}
		}
		sp.line = Line{N: sp.n}
	}
}

// wanted reports whether the line under way is to be visited.
func (sp *splitter) wanted() bool { return sp.line.N >= sp.from }

func (sp *splitter) chunk(c *Chunk) (more bool) {
	data := c.Data
	for _, span := range c.Spans {
		b := data[:span.Len]
		data = data[span.Len:]
		if sp.stopped {
			return false
		}
		if len(b) == 0 || sp.stream != Merged && span.Stream != sp.stream {
			continue
		}
		if sp.stream == Merged && sp.mark.Last != span.Stream && sp.mark.Open[Merged] {
			sp.end(false)
		}
		sp.mark.Last = span.Stream
		for len(b) > 0 && !sp.stopped {
			if !sp.mark.Open[sp.stream] {
				sp.n++
				sp.line = Line{N: sp.n, Stream: span.Stream}
				sp.mark.Open[sp.stream] = true
			}
			i := bytes.IndexByte(b, '\n')
			if i < 0 {
				sp.add(b)
				break
			}
			sp.add(b[:i])
			b = b[i+1:]
			sp.end(false)
		}
	}
	sp.keep()
	return !sp.stopped
}

// add adds text to the line under way.
func (sp *splitter) add(b []byte) {
	if !sp.wanted() {
		return
	}
	room := sp.most - len(sp.line.Text)
	if len(b) > room {
		sp.line.Cut += uint64(len(b) - room)
		b = b[:room]
	}
	switch {
	case len(b) == 0:
	case len(sp.line.Text) == 0:
		sp.line.Text = b
	default:
		sp.keep()
		sp.own = append(sp.own, b...)
		sp.line.Text = sp.own
	}
}

// keep copies the text of the line under way, because the chunk that it is in goes.
func (sp *splitter) keep() {
	if n := len(sp.line.Text); n > 0 && (len(sp.own) == 0 || &sp.own[0] != &sp.line.Text[0]) {
		sp.own = append(sp.own[:0], sp.line.Text...)
		sp.line.Text = sp.own
	}
}

// end visits the line under way.
func (sp *splitter) end(open bool) {
	sp.mark.Open[sp.stream] = false
	if sp.wanted() {
		sp.line.Open = open
		sp.stopped = !sp.visit(&sp.line)
	}
	sp.line, sp.own = Line{N: sp.n}, sp.own[:0]
}

// gap visits a line that stands for bytes that are gone.
func (sp *splitter) gap(gone uint64) {
	if sp.mark.Open[sp.stream] {
		sp.end(false)
	}
	sp.mark = LineMark{}
	sp.n++
	sp.line = Line{N: sp.n, Gone: gone}
	if !sp.stopped {
		sp.end(false)
	}
}

// finish ends the output, of which so many bytes at the end are gone.
func (sp *splitter) finish(gone uint64) {
	if sp.mark.Open[sp.stream] {
		sp.end(gone == 0)
	}
	if gone > 0 && !sp.stopped {
		sp.gap(gone)
	}
}
