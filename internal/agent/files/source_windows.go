package files

import (
	"fmt"
	"io/fs"
	"os"
)

// openQuietly opens a file that, unless follow is set, is no link.
func openQuietly(path string, follow bool) (*os.File, error) {
	look := os.Lstat
	if follow {
		look = os.Stat
	}
	info, err := look(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{Op: opRead, Fault: NotRegular, Path: path, Err: fmt.Errorf("mode %s", info.Mode())}
	}
	return os.Open(path)
}

func inodeOf(fs.FileInfo) string { return "" }
