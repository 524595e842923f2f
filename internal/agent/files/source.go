package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Source is a regular file that is read as it was when it was opened, or not at all. Its errors are *Error. It is for one goroutine.
type Source struct {
	path   string
	handle *os.File
	size   int64
	stamp  string
}

// OpenSource opens a regular file under an absolute path without "..". Unless follow is set, the path's last part must not be a symbolic link. It never
// waits, whatever is there, and nothing happens to a device by it.
func OpenSource(path string, follow bool) (*Source, error) {
	if !filepath.IsAbs(path) || strings.ContainsRune(path, 0) || slices.Contains(strings.Split(filepath.ToSlash(path), "/"), "..") {
		return nil, &Error{Op: opRead, Fault: PathInvalid, Path: path}
	}
	handle, err := openQuietly(filepath.Clean(path), follow)
	if err != nil {
		return nil, readFault(path, err)
	}
	s := &Source{path: path, handle: handle}
	if s.size, s.stamp, err = s.look(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// look returns the file's size and what tells its present state from others.
func (s *Source) look() (size int64, stamp string, err error) {
	info, err := s.handle.Stat()
	if err != nil {
		return 0, "", readFault(s.path, err)
	}
	if !info.Mode().IsRegular() {
		return 0, "", &Error{Op: opRead, Fault: NotRegular, Path: s.path, Err: fmt.Errorf("mode %s", info.Mode())}
	}
	return info.Size(), fmt.Sprintf("%d %d %s", info.Size(), info.ModTime().UnixNano(), inodeOf(info)), nil
}

// Size is how many bytes it has.
func (s *Source) Size() int64 { return s.size }

// Stamp is a short text that is another one when the file was changed, as far as can be told without reading it.
func (s *Source) Stamp() string { return s.stamp }

// Read fills b from a position on. It is an error if the file does not have so many bytes any more.
func (s *Source) Read(b []byte, at int64) error {
	_, err := s.handle.ReadAt(b, at)
	switch {
	case errors.Is(err, io.EOF):
		return &Error{Op: opRead, Fault: Changed, Path: s.path, Err: errors.New("it became shorter")}
	case err != nil:
		return readFault(s.path, err)
	}
	return nil
}

// Unchanged returns an error if the file was changed since it was opened.
func (s *Source) Unchanged() error {
	_, stamp, err := s.look()
	if err == nil && stamp != s.stamp {
		err = &Error{Op: opRead, Fault: Changed, Path: s.path}
	}
	return err
}

// Close lets go of the file.
func (s *Source) Close() { _ = s.handle.Close() } // nothing was written

// readFault tells the faults of a file that is read.
func readFault(path string, err error) error {
	var named *Error
	if errors.As(err, &named) {
		return named
	}
	fault := Unreadable
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		fault = Missing
	case errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.EISDIR):
		fault = NotRegular // a link that was not to be followed, a socket, a device without a driver
	}
	return &Error{Op: opRead, Fault: fault, Path: path, Err: err}
}
