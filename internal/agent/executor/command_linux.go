package executor

import (
	"encoding/binary"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// Scores for the kernel's choice of a victim when memory runs out: the command before its supervisor.
	commandScore    = "0"
	supervisorScore = "-200"

	openFiles = 1024    // soft limit of a command's descriptors; select(2) cannot take more
	pipeSize  = 1 << 20 // asked for; the kernel grants what it likes

	// The script's name for a user to whom the way to it is barred: the descriptor after the standard ones.
	scriptFDPath = "/dev/fd/3"
)

// start runs the command and reports that it runs.
func (s *supervisor) start() error {
	if err := s.settleIn(); err != nil {
		return err
	}
	c, err := s.plan.command()
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.open(os.DevNull); err != nil {
		return err
	}
	for i := range s.streams {
		if s.streams[i], err = c.pipe(); err != nil {
			return err
		}
	}
	switch {
	case s.hidden != nil:
		err = s.hidden.lend(c)
	case c.barred:
		err = c.open(s.plan.Script)
	}
	if err != nil {
		return err
	}
	s.exit.StartedAt = wallClock()
	if s.script, err = s.fork(c); err != nil {
		return err
	}
	if s.plan.Timeout > 0 {
		s.arm(s.plan.Timeout)
	}
	score(supervisorScore)
	s.report()
	return nil
}

// report tells whoever takes up the task who runs it, and the agent that waits that it runs.
func (s *supervisor) report() {
	st := state{PID: os.Getpid(), ScriptPID: s.script, StartedAt: s.exit.StartedAt}
	if p, err := readProcess(st.PID); err == nil {
		st.Ticks = p.ticks
	}
	if p, err := readProcess(st.ScriptPID); err == nil {
		st.ScriptTicks = p.ticks
	}
	// The space is taken already. Without the state nothing is lost but a hint for cleaning up after our violent death.
	_ = overwriteJSON(filepath.Join(s.dir, stateFile), st, stateSize, false)
	_, _ = unix.Write(readyFD, []byte{1})
}

// adoptDescriptors keeps those up to last, which Start has handed over, from the command and closes all others that were inherited:
// whatever the agent's parent forgot to close is nobody's business here.
func adoptDescriptors(last int) bool {
	for fd := aliveFD; fd <= readyFD; fd++ {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
			return false
		}
		unix.CloseOnExec(fd)
	}
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return false
	}
	for _, name := range names {
		fd, err := strconv.Atoi(name.Name())
		if err != nil || fd <= last {
			continue
		}
		// This process opens nothing without the flag.
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.Close(fd)
		}
	}
	return true
}

// settleIn makes this process fit to have the command as its child.
func (s *supervisor) settleIn() error {
	unix.Umask(0o022)
	score(commandScore) // whatever the agent has; children inherit it
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil {
		limit.Cur = min(limit.Max, openFiles)
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) // lowering is always allowed
	}
	var err error
	if s.timer, err = unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return os.NewSyscallError("timerfd_create", err)
	}
	if s.children, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	// A handler rather than ignoring: children would inherit the latter. Whoever means the command must say so by
	// Stop; a shutdown's SIGTERM reaches it without our help.
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM)
	deaths := make(chan os.Signal, 1)
	signal.Notify(deaths, unix.SIGCHLD)
	go forward(deaths, s.children)
	return nil
}

// forward makes an eventfd readable for every signal.
func forward(signals <-chan os.Signal, eventfd int) {
	one := binary.NativeEndian.AppendUint64(nil, 1)
	for range signals {
		_, _ = unix.Write(eventfd, one) // refused only when it has been readable for long
	}
}

// clearCounter makes an eventfd or timerfd unreadable again.
func clearCounter(fd int) {
	var count [8]byte
	_, _ = unix.Read(fd, count[:])
}

// arm sets the end of the present phase, measured by a clock that runs on while the machine sleeps.
func (s *supervisor) arm(after time.Duration) {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(int64(after), 1))} // zero would disarm
	_ = unix.TimerfdSettime(s.timer, 0, &spec, nil)                           // cannot fail with these arguments
}

// score sets this process's likelihood to be killed when memory runs out. Lowering it takes privilege.
func score(value string) { _ = os.WriteFile("/proc/self/oom_score_adj", []byte(value), 0) }

// command is what execve wants.
type command struct {
	program string
	argv    []string
	attr    syscall.ProcAttr
	barred  bool // the user cannot reach the script by its path
}

// command checks working directory, interpreter and script with the rights of the user who will run them.
func (p *plan) command() (*command, error) {
	c := &command{argv: p.Argv}
	err := p.User.as(func() (err error) {
		if c.attr.Dir, err = p.chooseDir(); err != nil {
			return err
		}
		if c.program, err = findProgram(p.Argv[0], lookupVariable(p.Env, "PATH"), c.attr.Dir); err != nil {
			return err
		}
		if p.Inner != "" {
			if _, err := findProgram(p.Inner, "", c.attr.Dir); err != nil {
				return err
			}
		}
		c.barred = unix.Faccessat(unix.AT_FDCWD, p.Script, unix.R_OK, unix.AT_EACCESS) != nil
		return nil
	})
	if err != nil {
		return nil, err
	}
	if c.barred {
		c.argv = slices.Clone(p.Argv)
		for i := range c.argv {
			c.argv[i] = strings.ReplaceAll(c.argv[i], p.Script, scriptFDPath)
		}
	}
	c.attr.Env = p.Env
	c.attr.Sys = &syscall.SysProcAttr{Setsid: true, Credential: p.User.attribute()}
	return c, nil
}

// open opens a file as the command's next descriptor.
func (c *command) open(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	c.attr.Files = append(c.attr.Files, uintptr(fd))
	return nil
}

// pipe makes the writing end of a new pipe the command's next descriptor and returns the other.
func (c *command) pipe() (int, error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return -1, os.NewSyscallError("pipe", err)
	}
	c.attr.Files = append(c.attr.Files, uintptr(ends[1]))
	if user := c.attr.Sys.Credential; user != nil {
		// Opening /dev/stderr opens the pipe anew, which only its owner may do.
		if err := unix.Fchown(ends[1], int(user.Uid), int(user.Gid)); err != nil {
			return ends[0], os.NewSyscallError("fchown", err)
		}
	}
	_, _ = unix.FcntlInt(uintptr(ends[0]), unix.F_SETPIPE_SZ, pipeSize) // faster, if allowed
	return ends[0], os.NewSyscallError("fcntl", unix.SetNonblock(ends[0], true))
}

// close closes the command's descriptors in this process.
func (c *command) close() {
	for _, fd := range c.attr.Files {
		unix.Close(int(fd))
	}
}

// exec starts the command.
func (c *command) exec() (int, error) {
	return syscall.ForkExec(c.program, c.argv, &c.attr) //nolint:gosec // running what others ask for is what we do
}

// fork starts the command within its limits, inside its control group if there is one.
func (s *supervisor) fork(c *command) (pid int, err error) {
	err = s.plan.confined(func() error {
		pid, err = s.plan.bear(c)
		return err
	})
	var refused *StartError
	if err == nil || errors.As(err, &refused) {
		return pid, err
	}
	e := &StartError{Reason: ExecFailed, Path: c.program, Errno: errnoOf(err)}
	if e.Errno == unix.ENOENT {
		e.Reason = InterpreterNotFound // its own loader is missing: the file itself was there
	}
	return 0, e
}

// bear starts the command as a member of its control group.
func (p *plan) bear(c *command) (pid int, err error) {
	if p.Cgroup == "" {
		return c.exec()
	}
	fd, err := p.Cgroup.open()
	if err == nil {
		c.attr.Sys.UseCgroupFD, c.attr.Sys.CgroupFD = true, fd
		pid, err = c.exec()
		unix.Close(fd)
		c.attr.Sys.UseCgroupFD = false
	}
	if err == nil || p.Bound {
		return pid, err
	}
	// Old kernels and some containers cannot do that. The group is useful but not necessary.
	p.Cgroup.release(true)
	p.Cgroup = ""
	return c.exec()
}

// targets lists the processes to be ended.
func (s *supervisor) targets() []int {
	if !s.tree {
		if s.exited {
			return nil
		}
		return []int{s.script}
	}
	list, err := processes()
	if err != nil {
		return []int{-s.script} // its process group is better than nothing
	}
	// Orphans come to us, the subreaper, whatever session they fled to: the whole tree is always below this process.
	var pids []int
	for _, p := range descendants(list, os.Getpid()) {
		pids = append(pids, p.pid)
	}
	return pids
}

// kill sends SIGKILL to all targets. They are stopped first, so that none forks while the others die.
func (s *supervisor) kill() {
	if s.tree {
		s.plan.Cgroup.kill()
	}
	stopped := make(map[int]bool)
	for more := true; more; {
		more = false
		for _, pid := range s.targets() {
			if !stopped[pid] {
				_ = unix.Kill(pid, unix.SIGSTOP)
				stopped[pid], more = true, true
			}
		}
	}
	for pid := range stopped {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	s.arm(killInterval)
}
