package executor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Cause says why a command is over. It is decided by what happened, never guessed from the exit code.
type Cause string

// The causes.
const (
	Exited           Cause = "exited"            // by itself, with Code
	Signaled         Cause = "signaled"          // by Signal, which the supervisor did not send
	TimedOut         Cause = "timed_out"         // ended by the supervisor when its time was up
	Stopped          Cause = "stopped"           // ended by the supervisor because Stop was called
	OutOfMemory      Cause = "out_of_memory"     // the kernel killed one of its processes, and it failed; known only where a control group counts its memory
	StartFailed      Cause = "start_failed"      // never ran; Start says why
	SupervisorKilled Cause = "supervisor_killed" // it, or the agent before it, vanished without a record; what was left was killed
	Rebooted         Cause = "rebooted"          // the machine was restarted before a record was written
)

// Exit is the final word on a task.
type Exit struct {
	Cause     Cause       `json:"cause"`
	Start     *StartError `json:"start,omitempty"` // for StartFailed
	StartedAt time.Time   `json:"started_at"`      // wall clock, microseconds; zero when unknown or never
	EndedAt   time.Time   `json:"ended_at"`
	// Code is the exit code, 128+Signal for an end by signal, 127 for a missing interpreter and -1 when it is not known.
	Code   int `json:"code"`
	Signal int `json:"signal,omitempty"`

	Totals          // bytes printed, kept or not
	OutputCap int64 `json:"output_cap"`
	// OutputErrno is the first error met while keeping output (a full disk). The totals are exact all the same.
	OutputErrno int `json:"output_errno,omitempty"`
	// DrainIncomplete is set when a process left behind still held the output open: more was perhaps printed later.
	DrainIncomplete bool `json:"drain_incomplete,omitempty"`
	// Survivors counts processes that would not die within five seconds of SIGKILL.
	Survivors int `json:"survivors,omitempty"`
	// Normalized is set when the script's byte order mark or line ends were changed before it ran.
	Normalized bool `json:"normalized,omitempty"`
}

// recordSize is the space an exit record takes: one block, so that it can be taken before the command starts and the
// record can be written on a disk that has become full since.
const recordSize = 4096

// readExit returns the exit record, or an error that is fs.ErrNotExist as long as there is none.
func readExit(dir string) (Exit, error) {
	var e Exit
	if err := readJSON(filepath.Join(dir, exitFile), &e); err != nil {
		return Exit{}, fmt.Errorf("exit record: %w", err)
	}
	return e, nil
}

// writeExit makes e the task's durable exit record.
func writeExit(dir string, e Exit) error {
	if e.Start != nil {
		short := *e.Start
		short.Detail = short.Detail[:min(len(short.Detail), 512)]
		e.Start = &short
	}
	temp := filepath.Join(dir, exitTemp)
	if err := overwriteJSON(temp, e, recordSize, true); err != nil {
		return fmt.Errorf("exit record: %w", err)
	}
	if err := os.Rename(temp, filepath.Join(dir, exitFile)); err != nil {
		return fmt.Errorf("exit record: %w", err)
	}
	return syncDir(dir)
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

// overwriteJSON writes v over the start of the file, filled up with spaces to size, with one system call.
func overwriteJSON(path string, v any, size int, durable bool) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if pad := size - len(b); pad > 0 {
		b = append(b, bytes.Repeat([]byte{' '}, pad)...)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt(b, 0); err != nil {
		return err
	}
	if durable {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	return f.Close()
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there, and need not be
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// missing reports whether err only says that something does not exist.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
