//go:build !linux

package executor

import (
	"context"
	"fmt"
	"os"
	"time"
)

// Task is a command that was started. There are none on this platform.
type Task struct{}

// Start returns ErrUnsupported.
func Start(_ context.Context, spec Spec, _, _ string) (*Task, error) {
	return nil, fmt.Errorf("start task %s: %w", spec.ID, ErrUnsupported)
}

// Check returns ErrUnsupported.
func Check(_ context.Context, spec Spec) error {
	return fmt.Errorf("check task %s: %w", spec.ID, ErrUnsupported)
}

// Attach returns ErrUnsupported.
func Attach(string) (*Task, error) { return nil, fmt.Errorf("attach to task: %w", ErrUnsupported) }

// Supervise returns the exit code of a supervisor that cannot run anything.
func Supervise(string) int { return 2 }

// Remove deletes a task's folder.
func Remove(dir string) error { return os.RemoveAll(dir) }

// ID returns nothing.
func (t *Task) ID() string { return "" }

// Dir returns nothing.
func (t *Task) Dir() string { return "" }

// StartedAt returns the zero time.
func (t *Task) StartedAt() time.Time { return time.Time{} }

// Supervisor returns 0.
func (t *Task) Supervisor() int { return 0 }

// Running returns false.
func (t *Task) Running() bool { return false }

// Wait returns ErrUnsupported.
func (t *Task) Wait(context.Context) (Exit, error) { return Exit{}, ErrUnsupported }

// Stop returns ErrUnsupported.
func (t *Task) Stop(bool) error { return ErrUnsupported }
