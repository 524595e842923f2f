package executor

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroup is the path of a version 2 control group made for one task, below the agent's own. It adds three things to
// what the supervisor can do anyway: killing all members at once, finding them after the supervisor died, and telling
// whether the kernel killed one for lack of memory. The empty cgroup stands for none and does nothing.
type cgroup string

// makeCgroup returns the empty cgroup where version 2 is missing, may not be written to, or cannot kill (before Linux
// 5.14).
func makeCgroup(id string) cgroup {
	parent := ownCgroup()
	if parent == "" {
		return ""
	}
	path := filepath.Join(parent, "errand-"+id)
	if err := os.Mkdir(path, 0o750); err != nil {
		return ""
	}
	if _, err := os.Stat(filepath.Join(path, "cgroup.kill")); err != nil {
		os.Remove(path)
		return ""
	}
	return cgroup(path)
}

// ownCgroup returns the folder of this process's version 2 group, or nothing.
func ownCgroup() string {
	var path string
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(own)) {
		if p, ok := strings.CutPrefix(line, "0::"); ok {
			path = strings.TrimRight(p, "\n")
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || path == "" {
		return ""
	}
	for line := range strings.Lines(string(mounts)) {
		mount, fs, _ := strings.Cut(line, " - ")
		f := strings.Fields(mount)
		if len(f) < 5 || !strings.HasPrefix(fs, "cgroup2 ") {
			continue
		}
		if rest, ok := strings.CutPrefix(path, strings.TrimRight(f[3], "/")); ok {
			return filepath.Join(f[4], rest)
		}
	}
	return ""
}

// open returns a descriptor with which a child can be born into the group.
func (c cgroup) open() (int, error) {
	return unix.Open(string(c), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// kill ends all members at once, however fast they fork.
func (c cgroup) kill() {
	if c != "" {
		_ = os.WriteFile(filepath.Join(string(c), "cgroup.kill"), []byte("1"), 0) // gone already, then
	}
}

// members lists the processes in the group.
func (c cgroup) members() []int {
	if c == "" {
		return nil
	}
	b, err := os.ReadFile(filepath.Join(string(c), "cgroup.procs"))
	if err != nil {
		return nil
	}
	var pids []int
	for _, field := range strings.Fields(string(b)) {
		if pid, err := strconv.Atoi(field); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// outOfMemory reports whether the kernel killed a member for lack of memory.
func (c cgroup) outOfMemory() bool {
	if c == "" {
		return false
	}
	b, err := os.ReadFile(filepath.Join(string(c), "memory.events"))
	if err != nil {
		return false
	}
	for line := range bytes.Lines(b) {
		if n, ok := bytes.CutPrefix(line, []byte("oom_kill ")); ok {
			return strings.TrimSpace(string(n)) != "0"
		}
	}
	return false
}

// release removes the group. Daemons that the command left behind on purpose move to the parent group first.
func (c cgroup) release() {
	if c == "" {
		return
	}
	parent := filepath.Join(filepath.Dir(string(c)), "cgroup.procs")
	for range 20 { // members may fork meanwhile, and dead ones take a moment to be forgotten
		if err := os.Remove(string(c)); err == nil || missing(err) {
			return
		}
		for _, pid := range c.members() {
			_ = os.WriteFile(parent, []byte(strconv.Itoa(pid)), 0) // refused where the parent distributes resources
		}
		time.Sleep(5 * time.Millisecond)
	}
}
