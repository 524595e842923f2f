package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"errand/internal/agent/executor"
)

// EndCommands ends every command that still runs in the data folder of an agent that has been stopped for good, with all their descendants, and
// returns how many there were. Their results stay in the folder, for an agent that may come back. ErrInUse means that the agent runs.
func EndCommands(ctx context.Context, dir string) (ended int, err error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	unlock, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return 0, fmt.Errorf("end commands: %w", err)
	}
	defer unlock()
	folders, err := os.ReadDir(filepath.Join(dir, "tasks"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("end commands: %w", err)
	}
	var running []*executor.Task
	var errs []error
	for _, f := range folders { // all are asked before the first is waited for
		task, err := executor.Attach(filepath.Join(dir, "tasks", f.Name()))
		if err != nil || !task.Running() {
			continue // it never began or has ended
		}
		if err := task.Stop(true); err != nil && !errors.Is(err, executor.ErrFinished) {
			errs = append(errs, err)
			continue
		}
		running = append(running, task)
	}
	for _, task := range running {
		if _, err := task.Wait(ctx); err != nil {
			errs = append(errs, err)
			continue
		}
		ended++
	}
	return ended, errors.Join(errs...)
}
