//go:build unix

package executor

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// apart is how a supervisor is started: in a session of its own, so that no signal meant for the agent reaches it.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// hold takes the lock file at path, which the system gives back when this process ends. held says that somebody else has it.
func hold(path string) (unlock func(), held bool, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, false, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, errors.Is(err, unix.EWOULDBLOCK), ignoreHeld(err)
	}
	return func() {
		// Closing alone would leave the lock to a child that is just being forked, until it executes its program.
		_ = unix.Flock(int(f.Fd()), unix.LOCK_UN)
		f.Close()
	}, false, nil
}

func ignoreHeld(err error) error {
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	}
	return err
}

// jail is a session and process group whose number is that of the script's process.
type jail struct{}

func newJail() (jail, error) { return jail{}, nil }

func (jail) release() {}

// attributes has the command begin a session of its own, as somebody else if a user is named.
func (jail) attributes(name string) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Setsid: true}
	if name == "" {
		return attr, nil
	}
	u, err := lookUp(name)
	if err != nil {
		return nil, err
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of %s: %w", name, err)
	}
	if number(u.Uid) == uint32(os.Geteuid()) {
		return attr, nil
	}
	attr.Credential = &syscall.Credential{Uid: number(u.Uid), Gid: number(u.Gid)}
	for _, id := range ids {
		attr.Credential.Groups = append(attr.Credential.Groups, number(id))
	}
	return attr, nil
}

func lookUp(name string) (*user.User, error) {
	u, err := user.Lookup(name)
	var unknown user.UnknownUserError
	if errors.As(err, &unknown) {
		return nil, &StartError{Reason: UserNotFound, Path: name}
	}
	if err != nil {
		return nil, fmt.Errorf("look up user %s: %w", name, err)
	}
	return u, nil
}

func number(id string) uint32 {
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return 1<<32 - 2 // nobody
	}
	return uint32(n)
}

func (jail) terminate(pid int, tree bool) { send(pid, tree, unix.SIGTERM) }

func (jail) kill(pid int, tree bool) { send(pid, tree, unix.SIGKILL) }

func send(pid int, tree bool, s unix.Signal) {
	if tree {
		pid = -pid
	}
	_ = unix.Kill(pid, s) // gone already, then
	_ = unix.Kill(pid, unix.SIGCONT)
}

// empty reports whether nobody of the group is left.
func (jail) empty(pid int) bool { return errors.Is(unix.Kill(-pid, 0), unix.ESRCH) }

// killLeft ends the group of a command whose supervisor is gone. Its number cannot have gone to others as long as it is a session of its own.
func killLeft(pid int) {
	if sid, err := unix.Getsid(pid); err == nil && sid == pid {
		_ = unix.Kill(-pid, unix.SIGKILL)
	}
}

// endOf returns the exit code and the signal of a process.
func endOf(p *os.ProcessState) (code, signal int) {
	status, ok := p.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return 128 + int(status.Signal()), int(status.Signal())
	}
	return p.ExitCode(), 0
}

// portableLogin returns what a fresh login of a user would have, and the user's home.
func portableLogin(name string) (env map[string]string, home string, err error) {
	u, err := user.Current()
	if name != "" {
		u, err = lookUp(name)
	}
	if err != nil {
		return nil, "", err
	}
	path := "/usr/local/bin:/usr/bin:/bin"
	if u.Uid == "0" {
		path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	env = map[string]string{
		"HOME": u.HomeDir, "USER": u.Username, "LOGNAME": u.Username, "SHELL": "/bin/sh", "PATH": path, "LANG": "C.UTF-8", "TERM": "dumb",
	}
	home = u.HomeDir
	if info, err := os.Stat(home); err != nil || !info.IsDir() {
		home = "/"
	}
	return env, home, nil
}

// portableWrite writes the script for the eyes of the user who runs it.
func portableWrite(path string, script []byte, name string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o500) //nolint:gosec // a script
	if err != nil {
		return err
	}
	defer f.Close()
	if name != "" {
		u, err := lookUp(name)
		if err != nil {
			return err
		}
		if err := f.Chown(int(number(u.Uid)), int(number(u.Gid))); err != nil {
			return err
		}
	}
	if _, err := f.Write(script); err != nil {
		return err
	}
	return f.Close()
}
