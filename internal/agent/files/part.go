package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Part is a large file that comes in pieces: it lies beside its target under a name of its own until it is whole, and what has come of it
// outlives this process. Its errors are *Error. It is for one goroutine.
type Part struct {
	file   File
	temp   string
	dir    *directory
	owner  owner
	handle *os.File
}

// OpenPart takes up the part of f that has a name in the folder of f, or begins it. It looks at everything that could keep the file from its place
// later: the target, owner and group, and whether there is room for size bytes.
func OpenPart(ctx context.Context, f File, temp string, size int64) (*Part, error) {
	if err := f.validatePlace(); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(temp, tempPrefix) || len(temp) > MaxName || strings.ContainsAny(temp, "/\\\x00") {
		return nil, &Error{Fault: NameInvalid, Path: temp}
	}
	owner, err := findOwner(ctx, f.Owner, f.Group)
	if err != nil {
		return nil, f.refuse(err)
	}
	dir, err := openDirectory(f.Dir)
	if err != nil {
		return nil, f.refuse(err)
	}
	p := &Part{file: f, temp: temp, dir: dir, owner: owner}
	err = f.checkTarget(dir)
	if err == nil {
		err = p.open()
	}
	if err == nil {
		err = reserve(p.handle, size)
	}
	if err != nil {
		p.Close()
		return nil, f.refuse(err)
	}
	return p, nil
}

// TempName is a name for OpenPart that is the same for the same text.
func TempName(text string) string { return tempPrefix + text }

// open opens the part. What is there under its name and is not ours is replaced: nobody else has a reason to use such a name.
func (p *Part) open() (err error) {
	if p.handle, err = p.dir.reopen(p.temp); err == nil {
		return nil
	}
	if err := p.dir.remove(p.temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	p.handle, err = p.dir.create(p.temp)
	return err
}

// Resume hands what is there to w, in pieces of the given size alone, and cuts off what follows them. It returns how many bytes are left.
func (p *Part) Resume(ctx context.Context, w io.Writer, piece, size int64) (have int64, err error) {
	info, err := p.handle.Stat()
	if err != nil {
		return 0, p.file.refuse(err)
	}
	have = min(info.Size(), size)
	if have < size {
		have -= have % piece
	}
	if err := p.handle.Truncate(have); err != nil {
		return 0, p.file.refuse(err)
	}
	if err := copySome(ctx, w, io.NewSectionReader(p.handle, 0, have)); err != nil {
		return 0, p.file.refuse(err)
	}
	return have, nil
}

// copySome is io.Copy that ends with the context.
func copySome(ctx context.Context, w io.Writer, r io.Reader) error {
	for {
		_, err := io.CopyN(w, r, chunk)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// Write adds a piece at a position.
func (p *Part) Write(data []byte, at int64) error {
	if _, err := p.handle.WriteAt(data, at); err != nil {
		return p.file.refuse(err)
	}
	return nil
}

// Restart throws away what is there.
func (p *Part) Restart() error {
	if err := p.handle.Truncate(0); err != nil {
		return p.file.refuse(err)
	}
	return nil
}

// Ready brings the whole file to its final state and onto the disk, still under its own name.
func (p *Part) Ready() error {
	if err := p.file.dress(p.dir, p.handle, p.owner); err != nil {
		return p.file.refuse(err)
	}
	if err := p.dir.sync(); err != nil {
		return p.file.refuse(err)
	}
	return nil
}

// Place puts the file that is ready in its place. A reader of the path sees the former file or the new one, also after a crash.
func (p *Part) Place() error {
	if err := p.dir.publish(p.temp, p.file.Name, p.file.Overwrite); err != nil {
		return p.file.refuse(err)
	}
	if err := p.dir.sync(); err != nil {
		return p.file.refuse(err)
	}
	return nil
}

// Close lets go of the part, which stays.
func (p *Part) Close() {
	if p.handle != nil {
		_ = p.handle.Close() // Ready has synced what counts
	}
	p.dir.close()
}

// FinishPart does what is left of Place after a crash: a part of f that was ready either lies there still, or is in its place already.
func FinishPart(f File, temp string) error {
	dir, err := openDirectory(f.Dir)
	if err != nil {
		return f.refuse(err)
	}
	p := Part{file: f, temp: temp, dir: dir}
	defer p.Close()
	switch _, err := dir.lstat(temp); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return f.refuse(err)
	}
	return p.Place()
}

// RemovePart removes a part from a folder, if both are there.
func RemovePart(dir, temp string) error {
	if !strings.HasPrefix(temp, tempPrefix) {
		return &Error{Fault: NameInvalid, Path: temp}
	}
	d, err := openDirectory(dir)
	if err != nil {
		return fmt.Errorf("remove part: %w", err)
	}
	defer d.close()
	if err := d.remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove part: %w", err)
	}
	return nil
}
