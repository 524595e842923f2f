package executor

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// attribute returns what makes a child run as c.
func (c *credential) attribute() *syscall.Credential {
	if c == nil {
		return nil
	}
	return &syscall.Credential{Uid: c.UID, Gid: c.GID, Groups: c.Groups}
}

// as calls f with c's rights on files. They belong to a thread that ends with the call, so nothing else in this
// process ever has them.
func (c *credential) as(f func() error) error {
	if c == nil {
		return f()
	}
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if err := c.assume(); err != nil {
			result <- err
			return
		}
		result <- f()
	}()
	return <-result
}

// assume gives the calling thread c's rights on files.
func (c *credential) assume() error {
	groups := make([]int, len(c.Groups))
	for i, gid := range c.Groups {
		groups[i] = int(gid)
	}
	if err := unix.Setgroups(groups); err != nil {
		return fmt.Errorf("set groups: %w", err)
	}
	if err := unix.Setfsgid(int(c.GID)); err != nil {
		return fmt.Errorf("set group: %w", err)
	}
	if err := unix.Setfsuid(int(c.UID)); err != nil {
		return fmt.Errorf("set user: %w", err)
	}
	// Neither of the last two reports a refusal.
	if uid, _ := unix.SetfsuidRetUid(-1); uid != int(c.UID) {
		return fmt.Errorf("set user: %w", unix.EPERM)
	}
	return nil
}

// enter reports whether the calling thread may make path its working directory.
func enter(path string) error {
	fd, err := unix.Open(path+"/.", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// chooseDir returns the working directory of p's command.
func (p *plan) chooseDir() (string, error) {
	if p.Dir == "" {
		if enter(p.Home) == nil {
			return p.Home, nil
		}
		return "/", nil
	}
	if err := enter(p.Dir); err != nil {
		e := &StartError{Reason: DirectoryNotFound, Path: p.Dir, Errno: errnoOf(err)}
		if e.Errno == unix.EACCES || e.Errno == unix.EPERM {
			e.Reason = DirectoryPermissionDenied
		}
		return "", e
	}
	return p.Dir, nil
}

// findProgram returns the file to execute for name, which is searched in PATH when it is a bare word.
func findProgram(name, path, dir string) (string, error) {
	var candidates []string
	switch {
	case filepath.IsAbs(name):
		candidates = []string{name}
	case strings.ContainsRune(name, '/'):
		candidates = []string{filepath.Join(dir, name)}
	default:
		for _, folder := range filepath.SplitList(path) {
			if folder != "" {
				candidates = append(candidates, filepath.Join(folder, name))
			}
		}
	}
	refused := &StartError{Reason: InterpreterNotFound, Path: name, Errno: unix.ENOENT}
	for _, file := range candidates {
		err := executable(file)
		if err == nil {
			return file, nil
		}
		if errno := errnoOf(err); errno != unix.ENOENT && errno != unix.ENOTDIR {
			refused = &StartError{Reason: ExecFailed, Path: file, Errno: errno}
		}
	}
	return "", refused
}

// executable reports whether the calling thread may execute file.
func executable(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return unix.EACCES
	}
	return unix.Faccessat(unix.AT_FDCWD, file, unix.X_OK, unix.AT_EACCESS)
}
