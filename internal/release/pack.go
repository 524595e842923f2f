package release

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// Pack compresses a program to w and describes it. The same program always becomes the same bytes.
func Pack(w io.Writer, name string, program io.Reader) (File, error) {
	packed, plain := newMeter(), newMeter()
	zip, err := gzip.NewWriterLevel(io.MultiWriter(w, packed), gzip.BestCompression)
	if err != nil {
		return File{}, err
	}
	if _, err := io.Copy(io.MultiWriter(zip, plain), io.LimitReader(program, MaxFile+1)); err != nil {
		return File{}, err
	}
	if err := zip.Close(); err != nil {
		return File{}, err
	}
	f := File{Name: name, Size: plain.n, SHA256: plain.sum(), Packed: packed.n, PackedSHA256: packed.sum()}
	if f.Size == 0 || f.Size > MaxFile || f.Packed > MaxFile {
		return f, fmt.Errorf("%s has %d bytes instead of 1 to %d", name, f.Size, MaxFile)
	}
	return f, nil
}

// ErrContent means that a file is not the one that was signed.
var ErrContent = errors.New("not the file that was signed")

// Unpack writes the program that a packed file holds to w. It writes at most as many bytes as were signed, needs little memory, and fails
// with ErrContent unless both what it reads and what it writes are what was signed; w must not be used then.
func (f *File) Unpack(w io.Writer, packed io.Reader) error {
	in, out := newMeter(), newMeter()
	source := bufio.NewReader(io.TeeReader(io.LimitReader(packed, f.Packed+1), in))
	zip, err := gzip.NewReader(source)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrContent, f.Name, err)
	}
	failing := &sink{w: w}
	_, err = io.Copy(io.MultiWriter(failing, out), io.LimitReader(zip, f.Size+1))
	if failing.err != nil {
		return failing.err
	}
	if err == nil {
		_, err = io.Copy(io.Discard, source)
	}
	switch {
	case err != nil:
		return fmt.Errorf("%w: %s: %w", ErrContent, f.Name, err)
	case in.n != f.Packed || in.sum() != f.PackedSHA256:
		return fmt.Errorf("%w: packed %s", ErrContent, f.Name)
	case out.n != f.Size || out.sum() != f.SHA256:
		return fmt.Errorf("%w: %s", ErrContent, f.Name)
	}
	return nil
}

// Check reads an unpacked program and fails with ErrContent unless it is the one that was signed.
func (f *File) Check(program io.Reader) error {
	m := newMeter()
	if _, err := io.Copy(m, io.LimitReader(program, f.Size+1)); err != nil {
		return err
	}
	if m.n != f.Size || m.sum() != f.SHA256 {
		return fmt.Errorf("%w: %s", ErrContent, f.Name)
	}
	return nil
}

// sink tells failures of the writer, such as a full disk, from those of what is read.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	s.err = err
	return n, err
}

// meter counts and hashes what is written to it.
type meter struct {
	hash.Hash
	n int64
}

func newMeter() *meter { return &meter{Hash: sha256.New()} }

func (m *meter) Write(b []byte) (int, error) {
	m.n += int64(len(b))
	return m.Hash.Write(b)
}

func (m *meter) sum() string { return hex.EncodeToString(m.Sum(nil)) }
