package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"errand/internal/agent/executor"
	"errand/internal/protocol"
)

const (
	terminalType = "xterm-256color"

	// What a shell left behind may still print after the shell's end: until nothing came for settle, or maxLast bytes came.
	settle  = 100 * time.Millisecond
	maxLast = 1 << 20
)

// terminal is a pseudo-terminal with a shell in it, which leads a session of processes of its own.
type terminal struct {
	master *os.File
	cmd    *exec.Cmd
	grace  time.Duration
	exited chan struct{} // closed when the shell is over; it is not waited for before Close, so that its number stays its own
	last   atomic.Int64  // bytes read since then

	closing sync.Once
	itself  bool // the shell was over before it was closed
}

// openTerminal starts a user's shell.
func openTerminal(ctx context.Context, m *protocol.SessionOpen, rows, columns uint16, grace time.Duration) (end, error) {
	login, err := executor.LogIn(ctx, m.User, terminalType)
	if err != nil {
		return nil, err
	}
	master, slave, err := openPair()
	if err != nil {
		return nil, fmt.Errorf("open a pseudo-terminal: %w", err)
	}
	defer slave.Close()
	t := &terminal{master: master, grace: grace, exited: make(chan struct{})}
	t.Resize(rows, columns)
	argv := []string{"-" + filepath.Base(login.Shell)} // the hyphen makes it a login shell
	if m.Command != "" {                               // as with ssh, without the profiles of a login
		argv = []string{filepath.Base(login.Shell), "-c", m.Command}
	}
	t.cmd = &exec.Cmd{
		Path: login.Shell, Args: argv, Env: login.Env, Dir: login.Dir, Stdin: slave, Stdout: slave, Stderr: slave,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0, Credential: login.Credential},
	}
	// As login(1) does it: the user owns the terminal, and nobody else reads it.
	err = errors.Join(slave.Chown(int(login.UID), -1), slave.Chmod(0o620))
	if err == nil {
		err = t.cmd.Start()
	}
	if err != nil {
		master.Close()
		return nil, fmt.Errorf("start %s: %w", login.Shell, err)
	}
	// The agent may be spared when memory runs out; what people do in a terminal is not.
	_ = os.WriteFile("/proc/"+strconv.Itoa(t.cmd.Process.Pid)+"/oom_score_adj", []byte("0"), 0) // allowed to root, needed by nobody else
	go t.watch()
	return t, nil
}

// openPair opens both sides of a new pseudo-terminal.
func openPair() (master, slave *os.File, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, &os.PathError{Op: "open", Path: "/dev/ptmx", Err: err}
	}
	master = os.NewFile(uintptr(fd), "/dev/ptmx") // which waits by polling, because of O_NONBLOCK
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, errors.Join(os.NewSyscallError("unlock", err), master.Close())
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return nil, nil, errors.Join(os.NewSyscallError("number", err), master.Close())
	}
	name := "/dev/pts/" + strconv.Itoa(number)
	other, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, errors.Join(&os.PathError{Op: "open", Path: name, Err: err}, master.Close())
	}
	return master, os.NewFile(uintptr(other), name), nil
}

// watch waits for the shell's end without taking note of it, and then no longer for output that need not come.
func (t *terminal) watch() {
	for {
		err := unix.Waitid(unix.P_PID, t.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	close(t.exited)
	_ = t.master.SetReadDeadline(time.Now()) // fails only when it is closed
}

func (t *terminal) over() bool {
	select {
	case <-t.exited:
		return true
	default:
		return false
	}
}

// Read implements end.
func (t *terminal) Read(p []byte) (int, error) {
	for {
		over := t.over()
		if over {
			if t.last.Load() > maxLast {
				return 0, io.EOF
			}
			_ = t.master.SetReadDeadline(time.Now().Add(settle))
		}
		n, err := t.master.Read(p)
		switch {
		case n > 0 && over:
			t.last.Add(int64(n))
			return n, nil
		case n > 0:
			return n, nil
		case errors.Is(err, os.ErrDeadlineExceeded) && !over: // watch woke us up: there may still be something
		case errors.Is(err, syscall.EIO): // nobody has the terminal open any more, mostly because the shell just ends
			select {
			case <-t.exited:
			case <-time.After(settle):
			}
			return 0, io.EOF
		case err != nil:
			return 0, io.EOF
		}
	}
}

// Write implements end.
func (t *terminal) Write(p []byte) (int, error) { return t.master.Write(p) }

// Resize implements end.
func (t *terminal) Resize(rows, columns uint16) {
	t.control(func(fd int) { _ = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}) })
}

func (t *terminal) control(f func(fd int)) {
	if conn, err := t.master.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) { f(int(fd)) }) // fails only when it is closed
	}
}

// Close hangs up: everything in the shell's process group and in the one in the foreground is told so and, if the shell does not end by itself,
// killed. What has left both on purpose stays, as after any logout.
func (t *terminal) Close() { t.closing.Do(t.close) }

func (t *terminal) close() {
	over := t.over()
	t.itself = over
	groups := []int{t.cmd.Process.Pid}
	t.control(func(fd int) {
		if g, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err == nil && g > 1 && g != groups[0] {
			groups = append(groups, g)
		}
	})
	signal := func(signals ...unix.Signal) {
		for _, g := range groups {
			for _, s := range signals {
				_ = unix.Kill(-g, s) // or nobody is left
			}
		}
	}
	signal(unix.SIGHUP, unix.SIGCONT)
	_ = t.master.Close()
	if !over {
		timer := time.NewTimer(t.grace)
		defer timer.Stop()
		select {
		case <-t.exited:
		case <-timer.C:
		}
		signal(unix.SIGKILL)
	}
	_ = t.cmd.Wait() // how it ended is for Exit
}

// Exit implements end.
func (t *terminal) Exit() (code, signal int, ok bool) {
	state := t.cmd.ProcessState
	if state == nil || !t.itself {
		return 0, 0, false
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 0, int(status.Signal()), true
	}
	return state.ExitCode(), 0, true
}
