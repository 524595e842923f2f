package executor

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Output is kept in append-only segment files. A segment is named by the position of its first byte in the merged
// stream and opens with the totals before it; then come frames, each a tagged length and that many bytes. Every prefix
// of such a file describes a prefix of what was printed, so a reader in another process needs no lock, and nothing has
// to be repaired after either side was killed. What the cap does not allow disappears as whole segments; so a gap
// between the end of one segment and the start of the next says exactly which bytes are gone.
const (
	segmentMagic  = "ERRSEG\x00\x01"
	segmentHeader = len(segmentMagic) + 16 // then stdout and stderr totals, little endian
	segmentSize   = 1 << 20                // of output, after which a new segment begins

	frameHeader = 4 // little endian: stream in the two high bits, length in the others
	frameMax    = 128 << 10
	streamShift = 30
)

// Stream tags.
const (
	Stdout uint8 = 1
	Stderr uint8 = 2
)

// Totals counts the bytes a command printed.
type Totals struct {
	Stdout int64 `json:"stdout"`
	Stderr int64 `json:"stderr"`
}

// Merged returns the length of both streams together.
func (t Totals) Merged() int64 { return t.Stdout + t.Stderr }

func (t *Totals) add(stream uint8, n int64) {
	if stream == Stderr {
		t.Stderr += n
	} else {
		t.Stdout += n
	}
}

// halves splits a cap into what is kept of the beginning and of the end.
func halves(outputCap int64) (head, tail int64) { return outputCap / 2, outputCap - outputCap/2 }

func segmentPath(dir string, start int64) string {
	return filepath.Join(dir, fmt.Sprintf("%s%016x", segmentPrefix, start))
}

// segments lists the starts of the segments in dir, in order.
func segments(dir string) ([]int64, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var starts []int64
	for _, name := range names {
		if hex, ok := strings.CutPrefix(name, segmentPrefix); ok {
			if start, err := strconv.ParseInt(hex, 16, 64); err == nil {
				starts = append(starts, start)
			}
		}
	}
	slices.Sort(starts)
	return starts, nil
}

// span is a closed segment's place in the merged stream.
type span struct{ start, end int64 }

// recorder writes segments. Output that cannot be stored is counted and lost; the command is never held up for it.
type recorder struct {
	dir        string
	head, tail int64
	totals     Totals

	file    *os.File // the open segment, or nil
	current span
	ring    []span        // closed segments beyond the head, oldest first
	errno   syscall.Errno // the first failure
}

func newRecorder(dir string, outputCap int64) *recorder {
	head, tail := halves(outputCap)
	return &recorder{dir: dir, head: head, tail: tail}
}

// append stores output of at most frameMax bytes, which the caller has placed after frameHeader unused bytes.
func (r *recorder) append(stream uint8, frame []byte) {
	n := len(frame) - frameHeader
	binary.LittleEndian.PutUint32(frame, uint32(stream)<<streamShift|uint32(n))
	if err := r.write(frame); err == nil {
		r.current.end += int64(n)
	} else if r.errno == 0 {
		r.errno = errnoOf(err)
	}
	r.totals.add(stream, int64(n))
	r.rotate()
}

// split stores output of any length.
func (r *recorder) split(stream uint8, data []byte) {
	for len(data) > 0 {
		n := min(len(data), frameMax)
		r.append(stream, append(make([]byte, frameHeader, frameHeader+n), data[:n]...))
		data = data[n:]
	}
}

func (r *recorder) write(frame []byte) error {
	if r.file == nil {
		if err := r.open(); err != nil {
			return err
		}
	}
	written, err := r.file.Write(frame)
	if err == nil {
		return nil
	}
	// Readers take what there is of the frame. The segment must not be continued, for what follows has another
	// position; and it need not stay if it holds nothing.
	r.file.Close()
	r.file = nil
	r.current.end += int64(max(written-frameHeader, 0))
	if r.current.start == r.current.end {
		os.Remove(segmentPath(r.dir, r.current.start))
	} else {
		r.retire()
	}
	return err
}

// open begins a segment at the present position.
func (r *recorder) open() error {
	start := r.totals.Merged()
	path := segmentPath(r.dir, start)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	header := make([]byte, 0, segmentHeader)
	header = append(header, segmentMagic...)
	header = binary.LittleEndian.AppendUint64(header, uint64(r.totals.Stdout))
	header = binary.LittleEndian.AppendUint64(header, uint64(r.totals.Stderr))
	if _, err := f.Write(header); err != nil {
		f.Close()
		os.Remove(path)
		return err
	}
	r.file, r.current = f, span{start, start}
	return nil
}

// rotate closes a full segment and drops those that neither half of the cap needs.
func (r *recorder) rotate() {
	if r.file != nil && r.current.end-r.current.start >= segmentSize {
		r.file.Close()
		r.file = nil
		r.retire()
	}
	for len(r.ring) > 0 && r.ring[0].end <= r.totals.Merged()-r.tail {
		os.Remove(segmentPath(r.dir, r.ring[0].start))
		r.ring = slices.Delete(r.ring, 0, 1)
	}
}

// retire notes that the current segment is complete.
func (r *recorder) retire() {
	if r.current.start >= r.head {
		r.ring = append(r.ring, r.current)
	}
}

// close makes the last segment durable, which for most commands is all they printed.
func (r *recorder) close() {
	if r.file == nil {
		return
	}
	err := r.file.Sync()
	if closed := r.file.Close(); err == nil {
		err = closed
	}
	r.file = nil
	if err != nil && r.errno == 0 {
		r.errno = errnoOf(err)
	}
}
