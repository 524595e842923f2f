package executor

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroup is the path of a control group made for one task. The empty cgroup stands for none and does nothing.
type cgroup string

// groupPrefix begins the names of tasks' groups.
const groupPrefix = "errand-"

// groups are the control groups of a task. One of version 2 is made wherever that is possible, because it adds to what the supervisor can do
// anyway: killing all members at once, finding them after the supervisor died, and telling whether the kernel killed one for lack of memory.
// Limits are held by that one or, where the controllers are in version 1, by one group for each.
type groups struct {
	Cgroup      cgroup   `json:"cgroup,omitempty"`
	Bound       bool     `json:"cgroup_bound,omitempty"` // Cgroup holds limits, so that the command must be in it
	Controllers []cgroup `json:"controllers,omitempty"`  // of version 1
}

// makeGroups makes the groups for a task. Only what limits need is worth an error.
func makeGroups(id string, l *Limits) (g groups, err error) {
	defer func() {
		if err != nil {
			g.release()
			g = groups{}
		}
	}()
	at := hierarchies()
	parent := at[unified].own
	var here []string
	for _, c := range l.controllers() {
		switch {
		case at[unified].offers(c):
			here = append(here, c)
		case at[c].own == "":
			return g, &StartError{Reason: LimitUnavailable, Path: c, Detail: "the system has no such controller"}
		default:
			path := filepath.Join(at[c].own, groupPrefix+id)
			if err := os.Mkdir(path, 0o750); err != nil {
				return g, limitError(c, err)
			}
			g.Controllers = append(g.Controllers, cgroup(path))
			if err := l.write(path, 1); err != nil {
				return g, limitError(c, err)
			}
		}
	}
	if g.Bound = len(here) > 0; g.Bound {
		if parent, err = at[unified].enable(here); err != nil {
			return g, limitError(strings.Join(here, ", "), err)
		}
	}
	err = g.unify(parent, id)
	if err == nil && g.Bound {
		err = l.write(string(g.Cgroup), 2)
	}
	if err != nil && g.Bound {
		return g, limitError(strings.Join(here, ", "), err)
	}
	return g, nil
}

// unify makes the group of version 2. Without limits there is no use for one that cannot kill, as before Linux 5.14.
func (g *groups) unify(parent, id string) error {
	if parent == "" {
		return errors.ErrUnsupported
	}
	path := filepath.Join(parent, groupPrefix+id)
	if err := os.Mkdir(path, 0o750); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(path, "cgroup.kill")); err != nil && !g.Bound {
		return os.Remove(path)
	}
	g.Cgroup = cgroup(path)
	return nil
}

// limitError says which limit cannot be enforced.
func limitError(what string, err error) error {
	return &StartError{Reason: LimitUnavailable, Path: what, Errno: errnoOf(err), Detail: err.Error()}
}

// cpuPeriod is the stretch of time in microseconds within which a command may use its share of the processors.
const cpuPeriod = 100_000

// write limits the group in dir, of either version, as far as it has the controllers.
func (l *Limits) write(dir string, version int) error {
	quota := strconv.FormatInt(l.CPU*cpuPeriod/1000, 10)
	memory, processes := strconv.FormatInt(l.Memory, 10), strconv.FormatInt(l.Processes, 10)
	var err error
	set := func(name, value string) {
		if _, missing := os.Stat(filepath.Join(dir, name)); missing == nil && err == nil {
			err = setControl(filepath.Join(dir, name), value)
		}
	}
	switch {
	case l.Memory == 0:
	case version == 1:
		set("memory.limit_in_bytes", memory)
		set("memory.memsw.limit_in_bytes", memory)
	default:
		set("memory.max", memory)
		set("memory.swap.max", "0")
	}
	switch {
	case l.CPU == 0:
	case version == 1:
		set("cpu.cfs_period_us", strconv.Itoa(cpuPeriod))
		set("cpu.cfs_quota_us", quota)
	default:
		set("cpu.max", quota+" "+strconv.Itoa(cpuPeriod))
	}
	switch {
	case l.Processes == 0:
	case version == 1:
		set("pids.max", strconv.FormatInt(l.Processes+1, 10)) // until the one who starts the command has left
	default:
		set("pids.max", processes)
	}
	return err
}

// enter moves a thread of this process into the groups of version 1, so that what it starts is born there. What it returns moves it
// out again.
func (p *plan) enter(thread int) (leave func(), err error) {
	id := strconv.Itoa(thread)
	leave = func() {
		for _, c := range p.Controllers {
			_ = setControl(filepath.Join(filepath.Dir(string(c)), "tasks"), id)
			_ = setControl(filepath.Join(string(c), "pids.max"), strconv.FormatInt(p.Limits.Processes, 10)) // if it is the one
		}
	}
	for _, c := range p.Controllers {
		if err := setControl(filepath.Join(string(c), "tasks"), id); err != nil {
			return leave, limitError(string(c), err)
		}
	}
	return leave, nil
}

// open returns a descriptor with which a child can be born into the group.
func (c cgroup) open() (int, error) {
	return unix.Open(string(c), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// kill ends all members at once, however fast they fork.
func (c cgroup) kill() {
	if c != "" {
		_ = setControl(filepath.Join(string(c), "cgroup.kill"), "1") // gone already, then
	}
}

// all lists the groups there are.
func (g *groups) all() []cgroup {
	if g.Cgroup == "" {
		return g.Controllers
	}
	return append([]cgroup{g.Cgroup}, g.Controllers...)
}

// members lists the processes in the groups.
func (g *groups) members() []int {
	var pids []int
	for _, c := range g.all() {
		for _, field := range words(filepath.Join(string(c), "cgroup.procs")) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	slices.Sort(pids)
	return slices.Compact(pids)
}

// outOfMemory reports whether the kernel killed a member for lack of memory.
func (g *groups) outOfMemory() bool {
	for _, c := range g.all() {
		for _, file := range []string{"memory.events", "memory.oom_control"} {
			b, err := os.ReadFile(filepath.Join(string(c), file))
			if err != nil {
				continue
			}
			for line := range bytes.Lines(b) {
				if n, ok := bytes.CutPrefix(line, []byte("oom_kill ")); ok && string(bytes.TrimSpace(n)) != "0" {
					return true
				}
			}
		}
	}
	return false
}

// release removes the groups. Processes that the command left behind on purpose move to the parent group first. Groups that hold limits
// stay as long as they have processes, which must not get rid of them; SweepGroups removes such a group at last.
func (g *groups) release() {
	g.Cgroup.release(!g.Bound)
	for _, c := range g.Controllers {
		c.release(false)
	}
}

// release removes the group, and if it may moves its processes to the parent group for that.
func (c cgroup) release(move bool) {
	parent := filepath.Join(filepath.Dir(string(c)), "cgroup.procs")
	for range 20 { // members may fork meanwhile, and dead ones take a moment to be forgotten
		if err := os.Remove(string(c)); err == nil || missing(err) {
			return
		}
		left := groups{Cgroup: c}
		for _, pid := range left.members() {
			if move {
				_ = setControl(parent, strconv.Itoa(pid)) // refused where the parent distributes resources
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
}
