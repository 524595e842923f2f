package executor

import (
	"errors"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// How long a finished command's output is waited for when a process it left behind holds it open.
const (
	drainIdle = 100 * time.Millisecond // without a byte
	drainMax  = 2 * time.Second        // in all
)

// trimAfter is how long nothing must happen, in milliseconds, until memory is given back. Short commands are spared the
// effort.
const trimAfter = 1000

// phase is how far a command has come.
type phase uint8

const (
	phaseRunning  phase = iota
	phaseEnding         // SIGTERM was sent, the grace runs
	phaseKilling        // SIGKILL is repeated until nobody is left
	phaseDraining       // the command is over, its output perhaps not
	phaseFinished       // the record is due or written
)

// supervisor runs one command. One goroutine does everything, around one poll.
type supervisor struct {
	dir    string
	plan   plan
	record *recorder
	hidden *hidden    // nil if there are no secrets
	masks  [2]*masker // of the two streams, likewise
	buf    []byte     // room for a frame's header, then for what one read returns

	// Descriptors, -1 when they are closed.
	streams  [2]int // stdout and stderr of the command
	control  int    // requests to stop
	children int    // eventfd, readable when a child has died
	timer    int    // timerfd, readable when the phase's time is up

	phase     phase
	until     time.Time // end of the patience with killing or draining
	tree      bool      // whether all descendants are to be ended
	script    int       // process id
	exited    bool      // the script's own process
	status    unix.WaitStatus
	childless bool // no descendant is left
	trimAfter int  // milliseconds, or -1
	exit      Exit
}

// Supervise is the whole life of a supervisor process and returns its exit code. See SuperviseArg.
func Supervise(dir string) int {
	restoreSignals()
	s := &supervisor{
		dir: dir, buf: make([]byte, frameHeader+frameMax),
		trimAfter: trimAfter, streams: [2]int{-1, -1}, control: controlFD, children: -1, timer: -1,
	}
	if err := readJSON(filepath.Join(dir, planFile), &s.plan); err != nil {
		return 2
	}
	last := readyFD
	if s.plan.Hidden {
		last = secretFD
	}
	if !adoptDescriptors(last) {
		return 2 // not called by Start
	}
	s.record = newRecorder(dir, s.plan.OutputCap)
	if err := s.adoptSecrets(); err != nil {
		return 2
	}
	if err := s.start(); err != nil {
		s.refuse(err)
	}
	for s.phase != phaseFinished {
		s.wait()
	}
	if err := s.conclude(); err != nil {
		return 1
	}
	// Daemons that still hold the command's output are left in peace: they go on writing to somebody. And those of a limited command stay
	// limited.
	for s.streams != [2]int{-1, -1} || s.plan.Limits != nil && s.script != 0 && !s.childless {
		s.wait()
	}
	s.plan.release()
	return 0
}

// refuse makes err the reason why the command never ran.
func (s *supervisor) refuse(err error) {
	var e *StartError
	if !errors.As(err, &e) {
		e = &StartError{Reason: ExecFailed, Errno: errnoOf(err), Detail: err.Error()}
	}
	s.exit = Exit{Cause: StartFailed, Start: e, Code: -1, EndedAt: wallClock()}
	if e.Reason == InterpreterNotFound {
		s.exit.Code = 127
	}
	for _, fd := range s.streams {
		unix.Close(fd)
	}
	s.streams = [2]int{-1, -1}
	s.phase = phaseFinished
}

// wait sleeps until something happens, and deals with it.
func (s *supervisor) wait() {
	fds := [...]unix.PollFd{
		{Fd: int32(s.children), Events: unix.POLLIN},
		{Fd: int32(s.control), Events: unix.POLLIN},
		{Fd: int32(s.timer), Events: unix.POLLIN},
		{Fd: int32(s.streams[0]), Events: unix.POLLIN},
		{Fd: int32(s.streams[1]), Events: unix.POLLIN},
	}
	n, err := unix.Poll(fds[:], s.trimAfter)
	if err != nil {
		return // interrupted by a signal
	}
	if n == 0 {
		trim()
		s.trimAfter = -1
		return
	}
	// Deaths come first: a command that is already gone was neither stopped nor too slow.
	if fds[0].Revents != 0 {
		s.reap()
	}
	if fds[1].Revents != 0 {
		s.obey()
	}
	if fds[2].Revents != 0 {
		s.expire()
	}
	for i := range s.streams {
		if fds[3+i].Revents != 0 {
			s.read(i)
		}
	}
	s.settle()
}

// reap takes the exit status of every child that has died, adopted ones included.
func (s *supervisor) reap() {
	clearCounter(s.children)
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			s.childless = true // and every descendant has its parents among our children
			return
		case pid == 0:
			return
		case pid == s.script:
			s.exited, s.status = true, status
		}
	}
}

// obey reads a request to stop. One that comes after the command's end is too late.
func (s *supervisor) obey() {
	var request [1]byte
	n, _ := unix.Read(s.control, request[:])
	if n == 1 && s.phase == phaseRunning && !s.exited {
		s.end(Stopped, s.plan.Grace, request[0] == stopTree)
	}
}

// expire acts on the end of the phase's time.
func (s *supervisor) expire() {
	clearCounter(s.timer)
	switch s.phase {
	case phaseRunning:
		if !s.exited {
			s.end(TimedOut, s.plan.TimeoutGrace, s.plan.Tree)
		}
	case phaseEnding:
		s.phase, s.until = phaseKilling, time.Now().Add(killPatience)
		s.kill()
	case phaseKilling:
		if time.Now().Before(s.until) {
			s.kill()
			return
		}
		s.exit.Survivors = len(s.targets())
		s.drain()
	case phaseDraining:
		s.exit.DrainIncomplete = true
		s.phase = phaseFinished
	case phaseFinished:
	}
}

// read moves what one stream holds into the record, or nowhere once that is closed.
func (s *supervisor) read(i int) {
	n, err := unix.Read(s.streams[i], s.buf[frameHeader:])
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
	case n <= 0:
		unix.Close(s.streams[i])
		s.streams[i] = -1
	case s.phase == phaseFinished:
	default:
		s.note(i, n)
		if s.phase == phaseDraining {
			s.arm(max(min(drainIdle, time.Until(s.until)), 0))
		}
	}
}

// note records n bytes of a stream that lie in the buffer.
func (s *supervisor) note(i, n int) {
	if s.masks[i] == nil {
		s.record.append(Stdout+uint8(i), s.buf[:frameHeader+n])
		return
	}
	s.record.split(Stdout+uint8(i), s.masks[i].feed(s.buf[frameHeader:frameHeader+n]))
}

// settle moves on to the next phase when the present one has reached its end.
func (s *supervisor) settle() {
	switch s.phase {
	case phaseRunning:
		if s.exited {
			s.drain()
		}
	case phaseEnding, phaseKilling:
		if s.exited && (s.childless || !s.tree) {
			s.drain()
		}
	case phaseDraining, phaseFinished:
	}
	if s.phase == phaseDraining && s.streams == [2]int{-1, -1} {
		s.phase = phaseFinished
	}
}

// end begins to end the command: politely first, for as long as grace says.
func (s *supervisor) end(cause Cause, grace time.Duration, tree bool) {
	s.exit.Cause, s.tree = cause, tree
	s.phase = phaseEnding
	for _, pid := range s.targets() {
		_ = unix.Kill(pid, unix.SIGTERM)
		_ = unix.Kill(pid, unix.SIGCONT) // a stopped process would not notice
	}
	s.arm(grace)
}

// drain waits for the rest of the output.
func (s *supervisor) drain() {
	s.exit.EndedAt = wallClock()
	s.phase, s.until = phaseDraining, time.Now().Add(drainMax)
	s.arm(drainIdle)
}

// conclude writes the exit record and lets everybody know who waits for it.
func (s *supervisor) conclude() error {
	for i, m := range s.masks {
		if m != nil {
			s.record.split(Stdout+uint8(i), m.flush())
		}
	}
	s.record.close()
	s.exit.Totals = s.record.totals
	s.exit.OutputCap, s.exit.OutputErrno = s.plan.OutputCap, int(s.record.errno)
	s.exit.Normalized = s.plan.Normalized
	if s.exit.Cause != StartFailed {
		s.judge()
	}
	err := writeExit(s.dir, s.exit)
	for _, fd := range []*int{&s.control, &s.timer} {
		unix.Close(*fd)
		*fd = -1
	}
	unix.Close(aliveFD)
	unix.Close(readyFD) // open still if the command never ran
	return err
}

// judge fills in what the wait status says. The cause is already known if it was the supervisor who ended the command.
func (s *supervisor) judge() {
	e := &s.exit
	switch {
	case !s.exited:
		e.Code = -1
	case s.status.Signaled():
		e.Signal = int(s.status.Signal())
		e.Code = 128 + e.Signal
	default:
		e.Code = s.status.ExitStatus()
	}
	switch {
	case e.Cause != "":
	case (e.Signal == int(unix.SIGKILL) || e.Signal == 0 && e.Code != 0) && s.plan.outOfMemory():
		e.Cause = OutOfMemory
	case e.Signal != 0:
		e.Cause = Signaled
	default:
		e.Cause = Exited
	}
}
