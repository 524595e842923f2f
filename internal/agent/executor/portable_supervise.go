package executor

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// portableSupervisor runs one command.
type portableSupervisor struct {
	dir  string
	plan portablePlan
	cmd  *exec.Cmd
	jail jail // the command's processes

	mu     sync.Mutex // guards record and silent
	record *recorder
	silent time.Time // when the latest output came

	readers sync.WaitGroup
	exit    Exit
}

// supervisePortable is the whole life of a supervisor process and returns its exit code.
func supervisePortable(dir string) int {
	unlock, held, err := hold(filepath.Join(dir, aliveFIFO))
	if err != nil || held {
		return 2
	}
	defer unlock()
	s := &portableSupervisor{dir: dir}
	if err := readJSON(filepath.Join(dir, planFile), &s.plan); err != nil {
		return 2
	}
	s.record = newRecorder(dir, s.plan.OutputCap)
	if err := s.start(); err != nil {
		s.refuse(err)
	} else {
		s.report()
		s.run()
	}
	if err := s.conclude(); err != nil {
		return 1
	}
	return 0
}

// start runs the command with its streams read into the record.
func (s *portableSupervisor) start() error {
	var err error
	if s.jail, err = newJail(); err != nil {
		return err
	}
	s.cmd = exec.Command(s.plan.Argv[0], s.plan.Argv[1:]...) //nolint:gosec,noctx // what was asked for; its end is seen to here
	s.cmd.Env, s.cmd.Dir = s.plan.Env, s.plan.Dir
	if s.cmd.SysProcAttr, err = s.jail.attributes(s.plan.User); err != nil {
		return err
	}
	var ends [2]*os.File
	for i := range ends {
		read, write, err := os.Pipe()
		if err != nil {
			return err
		}
		defer write.Close()
		ends[i] = write
		s.readers.Go(func() { s.read(Stdout+uint8(i), read) })
	}
	s.cmd.Stdout, s.cmd.Stderr = ends[0], ends[1]
	s.exit.StartedAt = portableNow()
	return s.cmd.Start()
}

// read moves one stream into the record until its last writer has closed it.
func (s *portableSupervisor) read(stream uint8, from *os.File) {
	defer from.Close()
	buf := make([]byte, frameHeader+frameMax)
	for {
		n, err := from.Read(buf[frameHeader:])
		if n > 0 {
			s.mu.Lock()
			if s.record != nil {
				s.record.append(stream, buf[:frameHeader+n])
			}
			s.silent = time.Now()
			s.mu.Unlock()
		}
		if err != nil {
			return
		}
	}
}

// refuse makes err the reason why the command never ran.
func (s *portableSupervisor) refuse(err error) {
	var e *StartError
	if !errors.As(err, &e) {
		e = &StartError{Reason: ExecFailed, Errno: errnoOf(err), Detail: err.Error()}
	}
	s.exit = Exit{Cause: StartFailed, Start: e, Code: -1, EndedAt: portableNow()}
}

// report tells the agent that waits that the command runs.
func (s *portableSupervisor) report() {
	st := portableState{PID: os.Getpid(), ScriptPID: s.cmd.Process.Pid, StartedAt: s.exit.StartedAt}
	_ = overwriteJSON(filepath.Join(s.dir, stateFile), st, stateSpace, false) // without it, nothing is lost but a hint for cleaning up
	_, _ = os.Stdout.Write([]byte{1})
	_ = os.Stdout.Close()
}

// stateSpace is the space that a state takes.
const stateSpace = 512

// run waits for the end of the command and brings it about when it is due or asked for.
func (s *portableSupervisor) run() {
	exited := make(chan struct{})
	go func() {
		_ = s.cmd.Wait() // what it says is in ProcessState
		close(exited)
	}()
	var deadline, patience <-chan time.Time
	if s.plan.Timeout > 0 {
		timer := time.NewTimer(s.plan.Timeout)
		defer timer.Stop()
		deadline = timer.C
	}
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	tree, left := s.plan.Tree, false // left: the script is over, others of its tree are to be ended too
	end := func(cause Cause, grace time.Duration) {
		s.exit.Cause, deadline = cause, nil
		s.jail.terminate(s.cmd.Process.Pid, tree)
		patience = time.After(grace)
	}
	for {
		select {
		case <-exited:
			exited = nil
			if left = s.exit.Cause != "" && tree; !left {
				s.drain()
				return
			}
		case <-deadline:
			end(TimedOut, s.plan.TimeoutGrace)
		case <-patience:
			s.jail.kill(s.cmd.Process.Pid, tree)
			patience = time.After(lookEvery)
		case <-look.C:
			if request, err := os.ReadFile(filepath.Join(s.dir, controlFIFO)); err == nil && s.exit.Cause == "" {
				tree = string(request) == portableStopTree
				end(Stopped, s.plan.Grace)
			}
		}
		if left && s.jail.empty(s.cmd.Process.Pid) {
			s.drain()
			return
		}
	}
}

// drain waits for the rest of the output, but not for a process that was left behind with it.
func (s *portableSupervisor) drain() {
	s.exit.EndedAt = portableNow()
	done := make(chan struct{})
	go func() {
		s.readers.Wait()
		close(done)
	}()
	began := time.Now()
	tick := time.NewTicker(drainLook)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		s.mu.Lock()
		last := s.silent
		s.mu.Unlock()
		if last.Before(began) {
			last = began
		}
		if now := time.Now(); now.Sub(last) >= portableDrainIdle || now.Sub(began) >= portableDrainMax {
			s.exit.DrainIncomplete = true
			return
		}
	}
}

// How long a finished command's output is waited for when a process it left behind holds it open.
const (
	drainLook         = 10 * time.Millisecond
	portableDrainIdle = 100 * time.Millisecond // without a byte
	portableDrainMax  = 2 * time.Second        // in all
)

// conclude writes the exit record.
func (s *portableSupervisor) conclude() error {
	s.mu.Lock()
	record := s.record
	s.record = nil
	s.mu.Unlock()
	record.close()
	s.exit.Totals = record.totals
	s.exit.OutputCap, s.exit.OutputErrno, s.exit.Normalized = s.plan.OutputCap, int(record.errno), s.plan.Normalized
	if s.exit.Cause != StartFailed {
		s.exit.Code, s.exit.Signal = endOf(s.cmd.ProcessState)
		switch {
		case s.exit.Cause != "":
		case s.exit.Signal != 0:
			s.exit.Cause = Signaled
		default:
			s.exit.Cause = Exited
		}
	}
	s.jail.release()
	return writeExit(s.dir, s.exit)
}
