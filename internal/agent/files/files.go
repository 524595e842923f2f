// Package files puts one file at a time onto this machine, or reads one. A file appears whole, with its final owner and mode, or not at all; it never
// goes anywhere but into the folder that was named, and what stands in its place is replaced, never written through. A file that is read is a
// regular one, and the same from its first byte to its last. Fetching the content and reporting the outcome are the caller's business.
package files

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Limits and defaults of a File.
const (
	MaxName     = 255   // bytes in a file's name
	DefaultMode = 0o644 // what ParseMode returns for an empty text
)

const (
	dirMode    = 0o755           // of folders that are missing
	tempPrefix = ".errand-file-" // followed by random letters
	chunk      = 1 << 20         // bytes written between two looks at the context
)

// File is a file to be written.
type File struct {
	Name    string // the last part of the path alone, 1 to MaxName bytes
	Dir     string // absolute, without ".."; made with mode 0755 when missing
	Content []byte // at least one byte

	// Mode has the permission bits and those for set user, set group and sticky, either as package fs names them or as chmod
	// numbers them (04000, 02000, 01000). The umask does not apply.
	Mode fs.FileMode
	// Owner and Group are names of a user and a group; empty means those this process runs as. Operating systems other than
	// Linux ignore them, as the vendors document.
	Owner, Group string

	Overwrite bool // replace what has the name already, unless it is a folder or a device
}

// Path returns where the file is to be.
func (f File) Path() string { return filepath.Join(f.Dir, f.Name) }

// Write puts f in place. Its error is an *Error. A reader of the path sees the former file or the new one, also after a crash, and
// nothing is left behind when the write does not succeed but the folders made for it.
func Write(ctx context.Context, f File) error {
	if err := f.validate(); err != nil {
		return err
	}
	owner, err := findOwner(ctx, f.Owner, f.Group)
	if err != nil {
		return f.refuse(err)
	}
	dir, err := openDirectory(f.Dir)
	if err != nil {
		return f.refuse(err)
	}
	defer dir.close()
	if err := f.checkTarget(dir); err != nil {
		return f.refuse(err)
	}
	if err := f.put(ctx, dir, owner); err != nil {
		return f.refuse(err)
	}
	return nil
}

// validate looks at everything that can be judged without the machine.
func (f File) validate() error {
	if err := f.validatePlace(); err != nil {
		return err
	}
	if len(f.Content) == 0 {
		return &Error{Fault: ContentInvalid, Path: f.Path()}
	}
	return nil
}

func (f File) validatePlace() error {
	switch {
	case f.Name == "", len(f.Name) > MaxName, strings.ContainsRune(f.Name, 0),
		f.Name != filepath.Base(f.Name), !filepath.IsLocal(f.Name), f.Name == ".":
		return &Error{Fault: NameInvalid, Path: f.Name}
	case !filepath.IsAbs(f.Dir), strings.ContainsRune(f.Dir, 0), slices.Contains(strings.Split(filepath.ToSlash(f.Dir), "/"), ".."):
		return &Error{Fault: PathInvalid, Path: f.Dir}
	}
	if _, err := f.mode(); err != nil {
		return &Error{Fault: ModeInvalid, Path: f.Path(), Err: err}
	}
	return nil
}

// mode returns Mode as package fs names it.
func (f File) mode() (fs.FileMode, error) {
	mode := f.Mode & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	rest := f.Mode &^ mode
	for bit, name := range map[fs.FileMode]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if rest&bit != 0 {
			mode |= name
		}
		rest &^= bit
	}
	if rest != 0 {
		return 0, fmt.Errorf("mode %s", f.Mode)
	}
	return mode, nil
}

// checkTarget refuses early what already has the name. The last word is that of the rename, which is safe against a race.
func (f File) checkTarget(dir *directory) error {
	info, err := dir.lstat(f.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !f.Overwrite:
		return fs.ErrExist
	case !info.IsRegular() && info&fs.ModeSymlink == 0:
		return errors.New("not a regular file") // a new /dev/null would harm more than the sender means to
	}
	return nil
}

// put writes beside the target and moves the finished file over it.
func (f File) put(ctx context.Context, dir *directory, owner owner) error {
	temp := tempPrefix + rand.Text()
	file, err := dir.create(temp)
	if err != nil {
		return err
	}
	err = errors.Join(f.fill(ctx, dir, file, owner), file.Close())
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = dir.publish(temp, f.Name, f.Overwrite)
	}
	if err != nil {
		_ = dir.remove(temp) // the first error tells more
		return err
	}
	return dir.sync()
}

// fill brings the file to its final state and onto the disk.
func (f File) fill(ctx context.Context, dir *directory, file *os.File, owner owner) error {
	for part := range slices.Chunk(f.Content, chunk) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := file.Write(part); err != nil {
			return err
		}
	}
	return f.dress(dir, file, owner)
}

// dress gives the file its label, owner and mode, and brings it onto the disk.
func (f File) dress(dir *directory, file *os.File, owner owner) error {
	dir.keepLabel(f.Name, file)
	if err := owner.take(file); err != nil {
		return err
	}
	mode, err := f.mode()
	if err != nil {
		return err
	}
	if err := file.Chmod(mode); err != nil { // after the owner: a change of owner takes the set-user bit away
		return err
	}
	return file.Sync()
}

// ParseMode reads three or four octal digits, which is all of chmod's notation that the vendors' agents take. Empty means DefaultMode.
func ParseMode(s string) (fs.FileMode, error) {
	if s == "" {
		return DefaultMode, nil
	}
	bits, err := strconv.ParseUint(s, 8, 12)
	if err != nil || len(s) < 3 || len(s) > 4 {
		return 0, &Error{Fault: ModeInvalid, Err: fmt.Errorf("mode %q: want 3 or 4 octal digits", s)}
	}
	return File{Mode: fs.FileMode(bits)}.mode()
}
