// Package logs is where an agent's log goes: a file that is rotated by size, lines that do not repeat themselves without end, and no secret that
// is known to be one.
package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// Limits of a file, unless others are chosen.
const (
	DefaultSize  = 10 << 20 // bytes
	DefaultFiles = 5
)

// File is a log file that is rotated: when it is full it becomes FILE.1, what was FILE.1 becomes FILE.2, and the oldest goes. One process at a time
// writes to it. Its methods may be called from several goroutines.
type File struct {
	path  string
	most  int64 // bytes
	files int   // with the current one

	mu   sync.Mutex
	file *os.File // nil after a failure: the next write tries again
	size int64
}

// Open opens a log file, which is made if need be, readable by its owner only.
func Open(path string, size int64, files int) (*File, error) {
	f := &File{path: path, most: size, files: max(files, 1)}
	if err := f.open(); err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	return f, nil
}

func (f *File) open() error {
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return err
	}
	f.file, f.size = file, info.Size()
	return nil
}

// Write appends whole lines. A line longer than a file has a file to itself.
func (f *File) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != nil && f.size > 0 && f.size+int64(len(b)) > f.most {
		if err := f.rotate(); err != nil {
			return 0, err
		}
	}
	if f.file == nil {
		if err := f.open(); err != nil {
			return 0, err
		}
	}
	n, err := f.file.Write(b)
	f.size += int64(n)
	return n, err
}

func (f *File) rotate() error {
	err := f.file.Close()
	f.file = nil
	name := func(i int) string {
		if i == 0 {
			return f.path
		}
		return fmt.Sprintf("%s.%d", f.path, i)
	}
	if f.files == 1 {
		return errors.Join(err, os.Truncate(f.path, 0))
	}
	for i := f.files - 1; i > 0; i-- {
		if e := os.Rename(name(i-1), name(i)); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// Close closes the file.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}
