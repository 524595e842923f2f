//go:build !linux

package doctor

import (
	"os"
	"path/filepath"
)

// folder checks that the data folder can be written.
func (e *exam) folder() {
	probe := filepath.Join(e.Dir, ".doctor")
	err := os.WriteFile(probe, []byte("x"), 0o600)
	os.Remove(probe)
	if err != nil {
		e.bad("data folder", Fail, "run as the agent's user, and check the disk", "%v", err)
		return
	}
	e.ok("data folder", "%s can be written", e.Dir)
}

// machine has nothing to check here: groups of processes and their limits are Linux's.
func (e *exam) machine() {}
