package executor

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Patience with processes that do not die.
const (
	killPatience = 5 * time.Second
	killInterval = 20 * time.Millisecond
)

// survivorsError says that processes outlived SIGKILL, as they do while the kernel waits for a device.
type survivorsError struct{ count int }

func (e *survivorsError) Error() string { return fmt.Sprintf("%d processes survived", e.count) }

// killOrphans ends what a command left behind whose supervisor is gone.
func killOrphans(p plan, st state) error {
	defer p.release()
	for giveUp := time.Now().Add(killPatience); ; time.Sleep(killInterval) {
		p.Cgroup.kill()
		orphans, err := findOrphans(p, st)
		if err != nil {
			return fmt.Errorf("find orphans: %w", err)
		}
		if len(orphans) == 0 {
			return nil
		}
		if time.Now().After(giveUp) {
			return &survivorsError{len(orphans)}
		}
		for pid := range orphans {
			_ = unix.Kill(pid, unix.SIGKILL) // gone already, or seen again in the next round
		}
	}
}

// findOrphans goes by the task's control group, by the variable in a process's environment, and by the script's
// session as long as its leader proves that the number was not given to others; and takes everything below those.
func findOrphans(p plan, st state) (map[int]bool, error) {
	list, err := processes()
	if err != nil {
		return nil, err
	}
	leader, err := readProcess(st.ScriptPID)
	session := err == nil && st.ScriptPID != 0 && leader.ticks == st.ScriptTicks
	members := p.members()
	variable := []byte("\x00" + markVariable + "=" + p.Mark + "\x00")

	found := make(map[int]bool)
	var roots []int
	innocent := lineage(list)
	for _, proc := range list {
		if innocent[proc.pid] || proc.zombie {
			continue
		}
		if slices.Contains(members, proc.pid) || session && proc.session == st.ScriptPID || p.Mark != "" && hasVariable(proc.pid, variable) {
			found[proc.pid] = true
			roots = append(roots, proc.pid)
		}
	}
	for _, proc := range descendants(list, roots...) {
		if !innocent[proc.pid] {
			found[proc.pid] = true
		}
	}
	return found, nil
}

// lineage returns this process and its ancestors. An agent that was itself installed by a task carries that task's
// mark and must not end itself.
func lineage(list []process) map[int]bool {
	parents := make(map[int]int, len(list))
	for _, p := range list {
		parents[p.pid] = p.parent
	}
	line := map[int]bool{1: true}
	for pid := os.Getpid(); pid != 0 && !line[pid]; pid = parents[pid] {
		line[pid] = true
	}
	return line
}

// hasVariable looks for "\x00NAME=value\x00" in a process's initial environment.
func hasVariable(pid int, variable []byte) bool {
	env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false
	}
	return bytes.Contains(append([]byte{0}, env...), variable)
}
