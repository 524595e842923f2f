package executor

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// Output reads what a command prints, while it runs and afterwards. Positions count the bytes of both streams merged
// in the order in which they were received. An Output is for one goroutine; open as many as there are readers.
type Output struct {
	dir  string
	exit *Exit // once there is one
	at   place // where the last read stopped, so that reading on needs no search
}

// Run is a stretch of output from one stream.
type Run struct {
	Stream uint8 // Stdout or Stderr
	Len    int
}

// Chunk is a piece of the merged stream.
type Chunk struct {
	Off     int64 // position of the first byte of Data
	Skipped int64 // bytes between the position asked for and Off, gone for good
	Runs    []Run // the streams of Data in order; the lengths add up to len(Data)
	Data    []byte
	End     bool // nothing follows Data, now or later
}

// place is a frame boundary in a segment.
type place struct {
	segment int64 // the segment's start
	file    int64 // offset in the segment's file, 0 before its header was read
	off     int64 // position in the merged stream
}

// Open returns a reader for the output of the task in dir, which need not have printed anything yet.
func Open(dir string) (*Output, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("open output: %w", err)
	}
	return &Output{dir: dir, at: place{segment: -1}}, nil
}

// Read returns at most limit bytes from position from on: fewer where a segment ends, none when nothing more was
// printed so far. Once the task has ended, exactly the first and the last half of its cap can be read.
func (o *Output) Read(from int64, limit int) (Chunk, error) {
	if from < 0 || limit <= 0 {
		return Chunk{}, fmt.Errorf("read output: position %d, limit %d", from, limit)
	}
	// The record comes first: if it is there, the segments looked at afterwards are final.
	if err := o.lookForExit(); err != nil {
		return Chunk{}, err
	}
	at, limit := o.clip(from, limit)
	c, err := o.read(at, limit)
	if err != nil {
		return Chunk{}, fmt.Errorf("read output at %d: %w", at, err)
	}
	if o.exit != nil {
		if total := o.exit.Merged(); len(c.Data) == 0 {
			c.Off, c.End = max(total, from), true
		} else {
			c.End = c.Off+int64(len(c.Data)) >= total
		}
	}
	c.Skipped = c.Off - from
	return c, nil
}

// Totals returns how much was printed so far, kept or not.
func (o *Output) Totals() (Totals, error) {
	if err := o.lookForExit(); err != nil {
		return Totals{}, err
	}
	if o.exit != nil {
		return o.exit.Totals, nil
	}
	t, err := storedTotals(o.dir)
	if err != nil {
		return Totals{}, fmt.Errorf("output totals: %w", err)
	}
	return t, nil
}

func (o *Output) lookForExit() error {
	if o.exit != nil {
		return nil
	}
	e, err := readExit(o.dir)
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	o.exit = &e
	return nil
}

// clip hides what a finished task's last segments hold beyond the two halves of its cap.
func (o *Output) clip(from int64, limit int) (int64, int) {
	if o.exit == nil || o.exit.Merged() <= o.exit.OutputCap {
		return from, limit
	}
	head, tail := halves(o.exit.OutputCap)
	if from < head {
		return from, int(min(int64(limit), head-from))
	}
	return max(from, o.exit.Merged()-tail), limit
}

func (o *Output) read(at int64, limit int) (Chunk, error) {
	if o.at.segment >= 0 && at >= o.at.off {
		c, err := o.readSegment(o.at.segment, at, limit)
		if err == nil && len(c.Data) > 0 {
			return c, nil
		}
		if err != nil && !missing(err) {
			return Chunk{}, err
		}
	}
	for {
		before, next, err := around(o.dir, at)
		if err != nil {
			return Chunk{}, err
		}
		// A segment with a successor does not grow any more, so whatever is read now is all there is.
		if before >= 0 {
			c, err := o.readSegment(before, at, limit)
			if missing(err) {
				continue // dropped since it was listed
			}
			if err != nil || len(c.Data) > 0 {
				return c, err
			}
		}
		if next < 0 {
			return Chunk{Off: at}, nil
		}
		// Files made while a folder is being listed may be left out even if younger ones are not. Only a second
		// listing proves that there is nothing in between.
		if b, n, err := around(o.dir, at); err != nil || b != before || n != next {
			if err != nil {
				return Chunk{}, err
			}
			continue
		}
		at = next
	}
}

// around returns the starts of the last segment that begins at or before the position, and of the first after it; -1
// where there is none.
func around(dir string, at int64) (before, next int64, err error) {
	starts, err := segments(dir)
	if err != nil {
		return 0, 0, err
	}
	before, next = -1, -1
	i, _ := slices.BinarySearch(starts, at+1)
	if i > 0 {
		before = starts[i-1]
	}
	if i < len(starts) {
		next = starts[i]
	}
	return before, next, nil
}

// readSegment returns what the segment holds from position at on, perhaps nothing.
func (o *Output) readSegment(start, at int64, limit int) (Chunk, error) {
	c := Chunk{Off: at}
	s, err := openSegment(o.dir, start)
	if err != nil || s == nil {
		return c, err
	}
	defer s.Close()
	if o.at.segment == start && o.at.off <= at {
		if err := s.seek(o.at); err != nil {
			return c, err
		}
	}
	for len(c.Data) < limit {
		stream, length, err := s.frame()
		if err != nil || stream == 0 {
			return c, err
		}
		skip := min(max(at-s.off, 0), length)
		take := min(length-skip, int64(limit-len(c.Data)))
		data, err := s.body(skip, take, c.Data)
		if err != nil {
			return c, err
		}
		got := len(data) - len(c.Data)
		c.Data = data
		c.addRun(stream, got)
		if int64(got) < take || skip+take < length {
			return c, nil // the end of what was written so far, or the limit
		}
		s.place.file += frameHeader + length
		s.place.off += length
		o.at = s.place
	}
	return c, nil
}

func (c *Chunk) addRun(stream uint8, n int) {
	if n == 0 {
		return
	}
	if last := len(c.Runs) - 1; last >= 0 && c.Runs[last].Stream == stream {
		c.Runs[last].Len += n
		return
	}
	c.Runs = append(c.Runs, Run{stream, n})
}

// segmentReader walks the frames of one segment.
type segmentReader struct {
	*os.File
	buf    *bufio.Reader
	totals Totals // before the segment
	place
}

var errCorrupt = errors.New("corrupt output segment")

// openSegment returns nil without an error for a segment whose header is not written yet.
func openSegment(dir string, start int64) (*segmentReader, error) {
	f, err := os.Open(segmentPath(dir, start))
	if err != nil {
		return nil, err
	}
	s := &segmentReader{File: f, buf: bufio.NewReaderSize(f, 64<<10)}
	var header [segmentHeader]byte
	if _, err := io.ReadFull(s.buf, header[:]); err != nil {
		f.Close()
		return nil, ignoreEOF(err)
	}
	if header == [segmentHeader]byte{} {
		f.Close()
		return nil, nil // power was lost before the header reached the disk
	}
	s.totals.Stdout = int64(binary.LittleEndian.Uint64(header[len(segmentMagic):]))
	s.totals.Stderr = int64(binary.LittleEndian.Uint64(header[len(segmentMagic)+8:]))
	if string(header[:len(segmentMagic)]) != segmentMagic || s.totals.Merged() != start {
		f.Close()
		return nil, errCorrupt
	}
	s.place = place{segment: start, file: int64(segmentHeader), off: start}
	return s, nil
}

func (s *segmentReader) seek(p place) error {
	if _, err := s.Seek(p.file, io.SeekStart); err != nil {
		return err
	}
	s.buf.Reset(s.File)
	s.place = p
	return nil
}

// frame reads the next frame's header; stream 0 means that there is none yet.
func (s *segmentReader) frame() (stream uint8, length int64, err error) {
	var header [frameHeader]byte
	if _, err := io.ReadFull(s.buf, header[:]); err != nil {
		return 0, 0, ignoreEOF(err)
	}
	h := binary.LittleEndian.Uint32(header[:])
	if h == 0 {
		return 0, 0, nil // power was lost before the frame reached the disk
	}
	stream, length = uint8(h>>streamShift), int64(h&(1<<streamShift-1))
	if stream != Stdout && stream != Stderr || length == 0 || length > frameMax {
		return 0, 0, errCorrupt
	}
	return stream, length, nil
}

// body skips some of a frame and appends the following bytes to data, fewer if the frame is not complete yet.
func (s *segmentReader) body(skip, take int64, data []byte) ([]byte, error) {
	if n, err := s.buf.Discard(int(skip)); int64(n) < skip {
		return data, ignoreEOF(err)
	}
	old := len(data)
	data = slices.Grow(data, int(take))
	n, err := io.ReadFull(s.buf, data[old:old+int(take)])
	return data[:old+n], ignoreEOF(err)
}

// ignoreEOF drops the errors that only say that the writer has not come further.
func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// storedTotals works out from the last segment how much was printed.
func storedTotals(dir string) (Totals, error) {
	for {
		starts, err := segments(dir)
		if err != nil || len(starts) == 0 {
			return Totals{}, err
		}
		t, err := segmentTotals(dir, starts[len(starts)-1])
		if !missing(err) {
			return t, err
		}
	}
}

func segmentTotals(dir string, start int64) (Totals, error) {
	s, err := openSegment(dir, start)
	if err != nil || s == nil {
		return Totals{}, err
	}
	defer s.Close()
	t := s.totals
	for {
		stream, length, err := s.frame()
		if err != nil || stream == 0 {
			return t, err
		}
		n, err := s.buf.Discard(int(length))
		t.add(stream, int64(n))
		if err != nil {
			return t, ignoreEOF(err)
		}
	}
}
