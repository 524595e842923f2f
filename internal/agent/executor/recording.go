package executor

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Recording keeps the output of something that no supervisor runs, in a folder like that of a task, for Open. Such a folder cannot
// be attached to.
type Recording struct {
	mu    sync.Mutex
	r     *recorder
	limit int64
	masks [2]*masker // of the two streams; nil if nothing is to be masked
}

// Record begins a recording in dir, which must not exist; ErrExists means that it does.
func Record(dir string) (*Recording, error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o711); err != nil { //nolint:gosec // other users pass through to their scripts
		return nil, fmt.Errorf("record output: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("record output: %w", ErrExists)
	} else if err != nil {
		return nil, fmt.Errorf("record output: %w", err)
	}
	return &Recording{r: newRecorder(dir, DefaultOutputCap), limit: DefaultOutputCap}, nil
}

// Mask has long values of a command's secret variables replaced in what is written from now on; see Spec.Hidden.
func (r *Recording) Mask(env map[string]string) {
	for i := range r.masks {
		r.masks[i] = newMasker(env)
	}
}

// Writer returns where the output of a stream goes, which may be written by several goroutines. Writing never fails: what
// cannot be stored is counted and lost.
func (r *Recording) Writer(stream uint8) io.Writer { return streamWriter{r, stream} }

type streamWriter struct {
	*Recording
	stream uint8
}

// Write stores output.
func (w streamWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	shown := b
	if m := w.masks[w.stream-Stdout]; m != nil {
		shown = m.feed(b)
	}
	w.r.split(w.stream, shown)
	return len(b), nil
}

// End makes the recording complete and adds to e what it says about the output. Nothing may be written afterwards.
func (r *Recording) End(e Exit) (Exit, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, m := range r.masks {
		if m != nil {
			r.r.split(Stdout+uint8(i), m.flush())
		}
	}
	r.r.close()
	e.Totals, e.OutputCap, e.OutputErrno = r.r.totals, r.limit, int(r.r.errno)
	return e, writeExit(r.r.dir, e)
}
