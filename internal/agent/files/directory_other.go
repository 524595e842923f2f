//go:build !linux

package files

import (
	"errors"
	"io/fs"
	"os"
)

// directory is a folder that was looked up once. Whatever happens to its path meanwhile, all names are taken in that folder.
type directory struct {
	root *os.Root
}

// openDirectory enters an absolute path, and makes what is missing of it.
func openDirectory(path string) (*directory, error) {
	if err := os.MkdirAll(path, dirMode); err != nil { //nolint:gosec // the vendors' mode for folders that are missing
		return nil, pathFault(path, err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, pathFault(path, err)
	}
	return &directory{root}, nil
}

func (d *directory) close() { d.root.Close() }

// sync does nothing: not every system lets a folder be synchronized.
func (d *directory) sync() error { return nil }

// lstat returns the type of what has the name.
func (d *directory) lstat(name string) (fs.FileMode, error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return 0, err
	}
	return info.Mode().Type(), nil
}

// create makes a file that nobody else can open yet.
func (d *directory) create(name string) (*os.File, error) {
	return d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

// reopen opens a file that this process or one before it created: anything else of the name is an error.
func (d *directory) reopen(name string) (*os.File, error) {
	info, err := d.root.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrExist
	}
	if err != nil {
		return nil, err
	}
	return d.root.OpenFile(name, os.O_RDWR, 0)
}

// reserve does nothing: a lack of room shows when it is needed.
func reserve(*os.File, int64) error { return nil }

// publish gives the finished file its name. Without overwrite, nobody who took the name meanwhile loses it.
func (d *directory) publish(temp, name string, overwrite bool) error {
	if overwrite {
		return d.root.Rename(temp, name)
	}
	return errors.Join(d.root.Link(temp, name), d.root.Remove(temp))
}

func (d *directory) remove(name string) error { return d.root.Remove(name) }

// keepLabel does nothing: these systems have no security labels in attributes.
func (d *directory) keepLabel(string, *os.File) {}
