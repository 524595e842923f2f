//go:build !linux

package executor

import (
	"context"
	"fmt"
)

// Task is a command that was started, by this process or by an earlier one. Its methods may be called from several
// goroutines.
type Task = portableTask

// Start runs a command under a new supervisor; see there on Linux.
func Start(ctx context.Context, spec Spec, dir, selfExe string) (*Task, error) {
	t, err := startPortable(ctx, spec, dir, selfExe)
	if err != nil {
		return nil, fmt.Errorf("start task %s: %w", spec.ID, err)
	}
	return t, nil
}

// Check reports what would keep Start from running a command.
func Check(_ context.Context, spec Spec) error {
	if _, _, _, err := drawPortable(spec, "."); err != nil {
		return fmt.Errorf("check task %s: %w", spec.ID, err)
	}
	return nil
}

// Attach takes up the task in dir, whatever became of it meanwhile; Wait tells.
func Attach(dir string) (*Task, error) {
	t, err := attachPortable(dir)
	if err != nil {
		return nil, fmt.Errorf("attach to task: %w", err)
	}
	return t, nil
}

// Supervise is the whole life of a supervisor process and returns its exit code. See SuperviseArg.
func Supervise(dir string) int { return supervisePortable(dir) }

// Remove deletes the folder of a task that has ended; one that does not exist is no error.
func Remove(dir string) error {
	if err := removePortable(dir); err != nil {
		return fmt.Errorf("remove task folder: %w", err)
	}
	return nil
}

// SweepGroups does nothing: there are no control groups.
func SweepGroups(string, func(id string) bool) {}
