package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"errand/internal/agent/identity"
)

// What an agent remembers of its tasks, in its data folder.
func memories() []string { return []string{"journal", "tasks", "transfers", asideDir} }

// copiedPrefix begins the names of folders with what the agent of another node remembered.
const copiedPrefix = "copied-"

// Forget ends all commands of an agent that has been stopped and removes its identity and all that it remembers, so that the machine, or an
// image made of it, is no node. It returns how many commands there were. ErrInUse means that the agent runs.
func Forget(ctx context.Context, dir string) (ended int, err error) {
	if ended, err = EndCommands(ctx, dir); err != nil {
		return ended, err
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return ended, nil
	}
	unlock, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return ended, fmt.Errorf("forget: %w", err)
	}
	defer unlock()
	if err := identity.Forget(dir); err != nil { // first: without it, nobody takes the rest for a node's
		return ended, err
	}
	copied, err := filepath.Glob(filepath.Join(dir, copiedPrefix+"*"))
	if err != nil {
		return ended, fmt.Errorf("forget: %w", err)
	}
	for _, name := range memories() {
		copied = append(copied, filepath.Join(dir, name))
	}
	for _, path := range copied {
		if err := os.RemoveAll(path); err != nil {
			return ended, fmt.Errorf("forget: %w", err)
		}
	}
	return ended, nil
}

// SetAside moves what the agent of another node remembers out of the way of the node that this copy has become, into a folder beside it that
// is never looked at again. It returns the folder's name.
func SetAside(dir string, now time.Time) (string, error) {
	unlock, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return "", fmt.Errorf("set aside: %w", err)
	}
	defer unlock()
	aside := filepath.Join(dir, copiedPrefix+now.UTC().Format("20060102T150405.000"))
	if err := os.MkdirAll(aside, 0o700); err != nil {
		return "", fmt.Errorf("set aside: %w", err)
	}
	for _, name := range memories() {
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(aside, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("set aside: %w", err)
		}
	}
	return aside, nil
}
