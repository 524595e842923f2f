package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Descriptors a supervisor is born with, after the three standard ones.
const (
	aliveFD   = 3
	controlFD = 4
	readyFD   = 5
	secretFD  = 6 // only for tasks with secrets
)

// supervisorEnviron is a supervisor's whole environment. It keeps the Go runtime small.
func supervisorEnviron() []string { return []string{"GOMAXPROCS=1", "GOGC=25"} }

// Start runs a command under a new supervisor, which is the program selfExe, an absolute path, called with
// SuperviseArg. It returns when the command is running. The folder dir must be empty or not exist; ErrExists means that it was used before.
//
// A *StartError, possibly wrapped, means that the command's author, this machine or its disk is to blame. After any
// error, the end of ctx included, nothing is running and the folder is gone again (but for ErrExists). A supervisor that is killed
// meanwhile is no error: Wait tells.
func Start(ctx context.Context, spec Spec, dir, selfExe string) (*Task, error) {
	t, err := start(ctx, spec, dir, selfExe)
	if err != nil {
		return nil, fmt.Errorf("start task %s: %w", spec.ID, err)
	}
	return t, nil
}

// Check reports what would keep Start from running a command, as far as that can be told without running or writing
// anything. Its error is as that of Start.
func Check(ctx context.Context, spec Spec) error {
	d, err := draw(ctx, spec, "/")
	if err == nil {
		_, err = d.command()
	}
	if err != nil {
		return fmt.Errorf("check task %s: %w", spec.ID, err)
	}
	return nil
}

func start(ctx context.Context, spec Spec, dir, selfExe string) (*Task, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	d, err := draw(ctx, spec, dir)
	if err != nil {
		return nil, err
	}
	if err := d.occupy(dir); err != nil {
		return nil, err
	}
	t := &Task{dir: dir, plan: d.plan}
	if err := t.launch(ctx, selfExe, d.hidden); err != nil {
		d.release()
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return t, nil
}

// launch starts the supervisor and waits for its word.
func (t *Task) launch(ctx context.Context, selfExe string, h *hidden) error {
	child, ready, err := spawn(t.dir, selfExe, h)
	if err != nil {
		return fmt.Errorf("supervisor: %w", err)
	}
	defer ready.Close()
	if err = readByte(ctx, ready); err == nil {
		go child.reap()
		t.state = readState(t.dir)
		return nil
	}
	if exit, failed := readExit(t.dir); failed == nil && exit.Cause == StartFailed {
		go child.reap()
		return exit.Start
	}
	if !errors.Is(err, io.EOF) {
		_ = unix.Kill(child.pid, unix.SIGKILL) // cannot be another process: it was not waited for
	}
	if status := child.reap(); errors.Is(err, io.EOF) && status.Signaled() {
		// Killed by somebody, perhaps after it had started the command: nobody may say that it never ran. Wait makes up the record.
		t.state = readState(t.dir)
		return nil
	}
	return errors.Join(fmt.Errorf("supervisor did not start the command: %w", err), killOrphans(t.plan, readState(t.dir)))
}

// child is a supervisor this process has to wait for.
type child struct{ pid, pidfd int }

// spawn starts a supervisor in a session of its own, so that no signal meant for the agent reaches it. A byte from the
// returned pipe says that the command runs; the pipe's end without one, that it does not.
func spawn(dir, selfExe string, h *hidden) (c child, ready *os.File, err error) {
	// Opened for both directions: this does not block, and a FIFO never lacks its other side while a supervisor lives.
	alive, err := os.OpenFile(filepath.Join(dir, aliveFIFO), os.O_RDWR, 0)
	if err != nil {
		return child{}, nil, err
	}
	defer alive.Close()
	control, err := os.OpenFile(filepath.Join(dir, controlFIFO), os.O_RDWR, 0)
	if err != nil {
		return child{}, nil, err
	}
	defer control.Close()
	ready, report, err := os.Pipe()
	if err != nil {
		return child{}, nil, err
	}
	defer report.Close()

	cmd := exec.Command(selfExe, SuperviseArg, dir) //nolint:gosec,noctx // ourselves, and it must outlive every context
	cmd.Dir = "/"
	cmd.Env = supervisorEnviron()
	cmd.ExtraFiles = []*os.File{aliveFD - 3: alive, controlFD - 3: control, readyFD - 3: report}
	if h != nil {
		secret, err := h.file()
		if err != nil {
			return child{}, nil, errors.Join(err, ready.Close())
		}
		defer secret.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, secret)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, PidFD: &c.pidfd}
	if err := cmd.Start(); err != nil {
		ready.Close()
		return child{}, nil, err
	}
	c.pid = cmd.Process.Pid
	return c, ready, cmd.Process.Release() // reap waits in its place
}

// reap waits for the supervisor's end, which may come long after the result when the command left a daemon behind. It
// occupies a thread only before Linux 5.4, which cannot poll for the end of a process.
func (c child) reap() (status unix.WaitStatus) {
	wait := func(options int) bool {
		pid, err := unix.Wait4(c.pid, &status, options, nil)
		return pid == c.pid || err != nil && !errors.Is(err, unix.EINTR)
	}
	if c.pidfd >= 0 && unix.SetNonblock(c.pidfd, true) == nil {
		f := os.NewFile(uintptr(c.pidfd), "pidfd")
		defer f.Close()
		if conn, err := f.SyscallConn(); err == nil {
			err = conn.Read(func(uintptr) bool { return wait(unix.WNOHANG) })
			if err == nil {
				return status
			}
		}
	}
	for !wait(0) {
	}
	return status
}

// readByte waits for a byte, for io.EOF when the last writer is gone, or for the end of ctx.
func readByte(ctx context.Context, f *os.File) error {
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err := f.Read(make([]byte, 1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return context.Cause(ctx)
	}
	return err
}
