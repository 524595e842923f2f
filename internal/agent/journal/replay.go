package journal

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// found is what a replay came across besides records.
type found struct {
	end     int64  // of the last valid record
	seq     uint64 // of the last valid record
	damaged int    // places where records were lost before the end
}

// replay applies the records of a file to m. Its errors are those of reading.
func replay(f io.ReaderAt, size int64, m *memory) (found, error) {
	var at found
	in := bufio.NewReaderSize(io.NewSectionReader(f, 0, size), 64<<10)
	for {
		r, seq, n, err := next(in, at.seq)
		switch {
		case err == nil:
			m.apply(&r, seq, extent{at.end, n})
			at.end, at.seq = at.end+n, seq
		case errors.Is(err, errMalformed):
			further, err := resync(f, at.end+1, size, at.seq)
			if err != nil || further < 0 {
				return at, err // nothing valid follows: a torn end
			}
			m.doubt()
			at.damaged++
			at.end = further
			in.Reset(io.NewSectionReader(f, further, size-further))
		case errors.Is(err, io.EOF):
			return at, nil
		default:
			return at, err
		}
	}
}

// next reads one record, whose number must be higher than last, and returns its size. The error is io.EOF at the end
// and errMalformed for anything that is not a record, a part of one included.
func next(in *bufio.Reader, last uint64) (r Record, seq uint64, size int64, err error) {
	head, err := in.Peek(headerSize)
	if len(head) > 0 && errors.Is(err, io.EOF) {
		err = errMalformed
	}
	if err != nil {
		return r, 0, 0, err
	}
	payload, seq, ok := header(head)
	if !ok || seq <= last {
		return r, 0, 0, errMalformed
	}
	b := make([]byte, headerSize+payload)
	if _, err := io.ReadFull(in, b); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = errMalformed
		}
		return r, 0, 0, err
	}
	r, err = decode(b)
	return r, seq, int64(len(b)), err
}

// resync returns the position of the first valid record at or after from, or -1.
func resync(f io.ReaderAt, from, size int64, last uint64) (int64, error) {
	window := make([]byte, 64<<10)
	for size-from >= headerSize {
		n, err := f.ReadAt(window[:min(int64(len(window)), size-from)], from)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		for i := 0; ; i++ {
			hit := bytes.Index(window[i:n], []byte(marker))
			if hit < 0 {
				break
			}
			i += hit
			at := from + int64(i)
			_, _, _, err := next(bufio.NewReaderSize(io.NewSectionReader(f, at, size-at), headerSize), last)
			if err == nil {
				return at, nil
			}
			if !errors.Is(err, errMalformed) {
				return 0, err
			}
		}
		if n < headerSize {
			break // the file became shorter
		}
		from += int64(n - len(marker) + 1) // a marker may lie across the end of the window
	}
	return -1, nil
}
