package executor

import (
	"errors"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// confined calls f, which starts a process, so that this process is born with the limits. Whatever else this process does goes on without
// them.
func (p *plan) confined(f func() error) error {
	if p.Limits == nil {
		return f()
	}
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and it ends with the call: not everybody may give back a low priority
		result <- p.confine(f)
	}()
	return <-result
}

func (p *plan) confine(f func() error) error {
	if err := p.Limits.prioritise(); err != nil {
		return err
	}
	undo, err := p.Limits.restrict()
	defer undo()
	if err != nil {
		return err
	}
	leave, err := p.enter(unix.Gettid())
	defer leave()
	if err != nil {
		return err
	}
	return f()
}

const (
	ioprioWhoProcess = 1
	ioprioClassShift = 13
)

// prioritise sets what Linux keeps for each thread and hands down to what the thread starts.
func (l *Limits) prioritise() error {
	if l.Nice != 0 {
		if err := unix.Setpriority(unix.PRIO_PROCESS, 0, l.Nice); err != nil {
			return limitError("nice", os.NewSyscallError("setpriority", err))
		}
	}
	if l.IO != 0 {
		priority := uintptr(l.IO)<<ioprioClassShift | uintptr(l.IOLevel)
		if _, _, errno := unix.Syscall(unix.SYS_IOPRIO_SET, ioprioWhoProcess, 0, priority); errno != 0 {
			return limitError("io priority", os.NewSyscallError("ioprio_set", errno))
		}
	}
	return nil
}

// restrict sets what belongs to the whole process. What it returns undoes that if it may; otherwise this process can live with it.
func (l *Limits) restrict() (undo func(), err error) {
	var done []func()
	undo = func() {
		for _, f := range done {
			f()
		}
	}
	set := func(name string, resource int, limit int64) error {
		var before syscall.Rlimit
		if err := syscall.Getrlimit(resource, &before); err != nil {
			return limitError(name, os.NewSyscallError("getrlimit", err))
		}
		value := syscall.Rlimit{Cur: uint64(limit), Max: uint64(limit)}
		if err := syscall.Setrlimit(resource, &value); err != nil {
			return limitError(name, os.NewSyscallError("setrlimit", err))
		}
		done = append(done, func() { _ = syscall.Setrlimit(resource, &before) })
		return nil
	}
	if l.OpenFiles != 0 {
		err = set("open files", syscall.RLIMIT_NOFILE, l.OpenFiles)
	}
	if l.FileSize != 0 {
		err = errors.Join(err, set("file size", syscall.RLIMIT_FSIZE, l.FileSize))
	}
	if l.CoreSize != nil {
		err = errors.Join(err, set("core size", syscall.RLIMIT_CORE, *l.CoreSize))
	}
	return undo, err
}
