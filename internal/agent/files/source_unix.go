//go:build !windows

package files

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// openQuietly opens a file without waiting for the other end of a pipe, taking over a terminal or, unless follow is set, going through a link.
// What is no regular file is looked at before it is opened as well: opening alone can do something to a device.
func openQuietly(path string, follow bool) (*os.File, error) {
	flags, look := syscall.O_NONBLOCK|syscall.O_NOCTTY, os.Stat
	if !follow {
		flags, look = flags|syscall.O_NOFOLLOW, os.Lstat
	}
	info, err := look(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{Op: opRead, Fault: NotRegular, Path: path, Err: fmt.Errorf("mode %s", info.Mode())}
	}
	return os.OpenFile(path, os.O_RDONLY|flags, 0)
}

// inodeOf tells a file from another one that took its name.
func inodeOf(info fs.FileInfo) string {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
	}
	return ""
}
