package executor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Task is a command that was started, by this process or by an earlier one. Its methods may be called from several
// goroutines.
type Task struct {
	dir   string
	plan  plan
	state state

	mu sync.Mutex // held while a vanished supervisor's record is made up for
}

// Attach takes up the task in dir, whatever became of it meanwhile; Wait tells. The error is fs.ErrNotExist when Start
// was never called for the folder, or was killed before it had claimed it.
func Attach(dir string) (*Task, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("attach to task: %w", err)
	}
	t := &Task{dir: dir}
	written, err := os.ReadFile(filepath.Join(dir, planFile))
	if err != nil {
		return nil, fmt.Errorf("attach to task: %w", err)
	}
	if json.Unmarshal(written, &t.plan) != nil {
		t.plan = plan{} // the agent or the machine died while writing it
	}
	t.state = readState(dir)
	return t, nil
}

// readState returns the zero state as long as the supervisor has not written it.
func readState(dir string) (s state) {
	if err := readJSON(filepath.Join(dir, stateFile), &s); err != nil {
		return state{}
	}
	return s
}

// ID returns the task's id.
func (t *Task) ID() string { return t.plan.ID }

// Dir returns the task's folder.
func (t *Task) Dir() string { return t.dir }

// StartedAt returns when the command began to run, or zero if that is not known.
func (t *Task) StartedAt() time.Time { return t.state.StartedAt }

// Supervisor returns the supervisor's process id, or 0 if it is not known.
func (t *Task) Supervisor() int { return t.state.PID }

// ThisBoot reports whether the task was started since the machine was.
func (t *Task) ThisBoot() bool {
	boot, err := bootID()
	return err == nil && t.plan.BootID == boot
}

// Running reports whether the result is still to come.
func (t *Task) Running() bool { return running(t.dir) }

// running reports whether a supervisor holds the alive FIFO open. No process id is involved, so none can be mistaken
// for another, and the kernel closes the FIFO of a supervisor that was killed.
func running(dir string) bool {
	fd, err := unix.Open(filepath.Join(dir, aliveFIFO), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	_, err = unix.Read(fd, make([]byte, 1)) // nothing is ever written; no writer reads as the end of the file
	return errors.Is(err, unix.EAGAIN)
}

// Wait returns how the task ended, as soon as that is known and on disk. When the supervisor was killed, it first ends
// what is left of the command. Its error is that of ctx, or says that the folder cannot be read or written.
func (t *Task) Wait(ctx context.Context) (Exit, error) {
	if err := t.awaitEnd(ctx); err != nil {
		return Exit{}, fmt.Errorf("wait for task %s: %w", t.plan.ID, err)
	}
	exit, err := readExit(t.dir)
	if missing(err) {
		exit, err = t.makeUp()
	}
	if err != nil {
		return Exit{}, fmt.Errorf("wait for task %s: %w", t.plan.ID, err)
	}
	return exit, nil
}

func (t *Task) awaitEnd(ctx context.Context) error {
	f, err := os.OpenFile(filepath.Join(t.dir, aliveFIFO), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if missing(err) {
		return nil // the supervisor was never launched
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := readByte(ctx, f); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// makeUp writes the record that a vanished supervisor owes.
func (t *Task) makeUp() (Exit, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if exit, err := readExit(t.dir); !missing(err) {
		return exit, err
	}
	boot, err := bootID()
	if err != nil {
		return Exit{}, err
	}
	st := readState(t.dir)
	exit := Exit{
		Cause: SupervisorKilled, Code: -1, StartedAt: st.StartedAt, EndedAt: wallClock(),
		OutputCap: t.plan.OutputCap, Normalized: t.plan.Normalized,
	}
	switch t.plan.BootID {
	default:
		exit.Cause = Rebooted
	case "": // the plan was never finished, so nothing was started
	case boot:
		var left *survivorsError
		if err := killOrphans(t.plan, st); errors.As(err, &left) {
			exit.Survivors = left.count
		} else if err != nil {
			return Exit{}, err
		}
	}
	if exit.Totals, err = storedTotals(t.dir); err != nil {
		return Exit{}, err
	}
	return exit, writeExit(t.dir, exit)
}

// wallClock returns the time in the precision of the records.
func wallClock() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// Requests on the control FIFO.
const (
	stopTree    = 'T'
	stopProcess = 'P'
)

// Stop asks the supervisor to end the command: the whole tree of its descendants, or only the script's own process.
// It returns at once, Wait tells when it is done. ErrFinished means that there is nothing to stop any more.
func (t *Task) Stop(tree bool) error {
	request := byte(stopProcess)
	if tree {
		request = stopTree
	}
	fd, err := unix.Open(filepath.Join(t.dir, controlFIFO), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(fd)
		_, err = unix.Write(fd, []byte{request})
	}
	switch {
	case err == nil, errors.Is(err, unix.EAGAIN): // full of requests to stop
		return nil
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.EPIPE), missing(err): // nobody listens
		return fmt.Errorf("stop task %s: %w", t.plan.ID, ErrFinished)
	}
	return fmt.Errorf("stop task %s: %w", t.plan.ID, err)
}

// Remove deletes the folder of a task that has ended; one that does not exist is no error.
func Remove(dir string) error {
	if running(dir) {
		return fmt.Errorf("remove task folder: %w", ErrRunning)
	}
	var p plan
	if err := readJSON(filepath.Join(dir, planFile), &p); err == nil {
		for _, c := range p.all() {
			_ = unix.Rmdir(string(c)) // there still if the supervisor was killed after its last word; refused while there are processes
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove task folder: %w", err)
	}
	return nil
}
