package executor

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// limited returns a Spec for a script within limits.
func limited(script string, l Limits) Spec {
	spec := shell(script)
	spec.Limits = &l
	return spec
}

// TestLimitsAreInForce asks the kernel what a command's processes are allowed.
func TestLimitsAreInForce(t *testing.T) {
	t.Parallel()
	none := int64(0)
	for name, test := range map[string]struct {
		limits Limits
		script string
		want   string
	}{
		"nice":          {Limits{Nice: 7}, "nice", "7\n"},
		"nicer":         {Limits{Nice: -5}, "nice", "-5\n"},
		"io":            {Limits{IO: IOBestEffort, IOLevel: 6}, "ionice", "best-effort: prio 6\n"},
		"io idle":       {Limits{IO: IOIdle}, "ionice", "idle\n"},
		"open files":    {Limits{OpenFiles: 77}, "ulimit -Sn; ulimit -Hn", "77\n77\n"},
		"file size":     {Limits{FileSize: 4 << 20}, "ulimit -Sf; ulimit -Hf", "4096\n4096\n"},
		"core size":     {Limits{CoreSize: &none}, "ulimit -Sc; ulimit -Hc", "0\n0\n"},
		"all at once":   {Limits{Nice: 3, IO: IOIdle, CPU: 500, Memory: 1 << 30, Processes: 50, OpenFiles: 99}, "nice; ionice; ulimit -n", "3\nidle\n99\n"},
		"other user":    {Limits{Nice: -3, Memory: 1 << 30, OpenFiles: 99}, "nice; ulimit -n; id -u", "-3\n99\n65534\n"},
		"not of others": {Limits{Nice: 19, IO: IOIdle}, "cut -d' ' -f19 /proc/$PPID/stat; ionice -p $PPID", "0\nnone: prio 0\n"},
		"output":        {Limits{FileSize: minFileSize, OpenFiles: minOpenFiles}, "head -c 5000000 /dev/zero | tr '\\0' x | tail -c 5000000", strings.Repeat("x", 5_000_000)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := limited(test.script, test.limits)
			if name == "other user" {
				spec.User = "nobody"
			}
			if exit, output := run(t, spec); output != test.want || exit.Code != 0 {
				t.Errorf("%.100q, want %.100q; %+v", output, test.want, exit)
			}
		})
	}
}

func TestFileSizeLimit(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "big")
	exit, _ := run(t, limited("exec head -c 4000000 /dev/zero > "+file, Limits{FileSize: 2 << 20}))
	if exit.Cause != Signaled || exit.Signal != int(unix.SIGXFSZ) {
		t.Errorf("%+v", exit)
	}
	if info, err := os.Stat(file); err != nil || info.Size() != 2<<20 {
		t.Errorf("%v, %v", info, err)
	}
}

// TestProcessLimit counts how many processes a command can have.
func TestProcessLimit(t *testing.T) {
	t.Parallel()
	script := "for i in 1 2 3 4 5 6 7 8; do sleep 300 & done 2>/dev/null"
	spec := limited(script+"; true", Limits{Processes: 4})
	spec.Launcher = "bash"
	task := begin(t, spec)
	eventually(t, "as many processes as are allowed", func() bool { return len(task.plan.members()) == 4 })
	stop(t, task, true)
	wait(t, task)
	noMembers(t, task)
}

// TestCPULimit lets a command burn processor time for a while.
func TestCPULimit(t *testing.T) {
	t.Parallel()
	spec := limited("while :; do :; done", Limits{CPU: 100})
	spec.Timeout, spec.TimeoutGrace = 2*time.Second, -1
	task := begin(t, spec)
	used := func() time.Duration {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", task.state.ScriptPID))
		if err != nil {
			return 0
		}
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		ticks, err := strconv.Atoi(f[11])
		if err != nil {
			t.Fatal(err)
		}
		return time.Duration(ticks) * 10 * time.Millisecond
	}
	var most time.Duration
	eventually(t, "end", func() bool { most = max(most, used()); return !task.Running() })
	if exit := wait(t, task); exit.Cause != TimedOut {
		t.Errorf("%+v", exit)
	}
	if most > 700*time.Millisecond { // 200 ms and what is counted in coarse ticks; without the limit, nearly all of two seconds
		t.Errorf("a tenth of a core used %s in 2s", most)
	}
}

// hog is a command line that needs a hundred million bytes in one process.
const hog = "head -c 100000000 /dev/zero | tail -c 100000000 >/dev/null"

// TestOutOfMemoryIsNamed goes by what the kernel says and nothing else.
func TestOutOfMemoryIsNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		memory int64
		script string
		cause  Cause
		code   int
	}{
		"the script itself":       {32 << 20, `x=$(head -c 100000000 /dev/zero | tr '\0' x)`, OutOfMemory, 137},
		"a child":                 {32 << 20, hog, OutOfMemory, 137},
		"a child, another code":   {32 << 20, hog + " || exit 3", OutOfMemory, 3},
		"a child that was spared": {32 << 20, hog + " || true", Exited, 0},
		"enough memory":           {1 << 30, hog, Exited, 0},
		"killed by others":        {1 << 30, "kill -KILL $$", Signaled, 137},
		"code like a kill":        {1 << 30, "exit 137", Exited, 137},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			task := begin(t, limited(test.script, Limits{Memory: test.memory}))
			exit := wait(t, task)
			if exit.Cause != test.cause || exit.Code != test.code {
				t.Errorf("%+v", exit)
			}
			gone(t, task)
		})
	}
}

// gone waits until a task's control groups have been removed.
func gone(t *testing.T, task *Task) {
	t.Helper()
	eventually(t, "the groups are removed", func() bool {
		for _, g := range task.plan.all() {
			if _, err := os.Stat(string(g)); !missing(err) {
				return false
			}
		}
		return true
	})
}

// TestLimitedDaemon leaves a process behind that stays limited, under a supervisor that removes the groups when it is over.
func TestLimitedDaemon(t *testing.T) {
	t.Parallel()
	task := begin(t, limited("setsid sleep 300 >/dev/null 2>&1 & echo $!", Limits{Memory: 64 << 20, Processes: 10}))
	daemon := pidIn(t, task)
	if exit := wait(t, task); exit.Cause != Exited || exit.DrainIncomplete {
		t.Errorf("%+v", exit)
	}
	if !alive(task.Supervisor()) || len(task.plan.members()) != 1 {
		t.Errorf("members %v", task.plan.members())
	}
	if err := unix.Kill(daemon, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	gone(t, task)
}

// TestLimitedSupervisorKilled leaves no group behind, and no process: the groups know them all.
func TestLimitedSupervisorKilled(t *testing.T) {
	t.Parallel()
	task := begin(t, limited("env -i setsid env -i sleep 300 & echo ready; wait", Limits{Memory: 64 << 20, Processes: 10}))
	killSupervisor(t, task)
	gone(t, task)
}

// TestLimitsOutliveRelease gives up groups that still have a process, as is done when nobody is left to wait for it: it stays within its limits.
func TestLimitsOutliveRelease(t *testing.T) {
	t.Parallel()
	mark := "-" + newID()
	g, err := makeGroups("1"+mark, &Limits{Memory: 64 << 20, Processes: 10})
	if err != nil {
		t.Fatal(err)
	}
	survivor := exec.CommandContext(t.Context(), "sleep", "300")
	if err := survivor.Start(); err != nil {
		t.Fatal(err)
	}
	for _, c := range g.all() {
		if err := setControl(filepath.Join(string(c), "cgroup.procs"), strconv.Itoa(survivor.Process.Pid)); err != nil {
			t.Error(err)
		}
	}
	g.release()
	holding := g.Controllers
	if g.Bound {
		holding = g.all()
	}
	for _, c := range holding {
		if left := (&groups{Cgroup: c}).members(); !slices.Equal(left, []int{survivor.Process.Pid}) {
			t.Errorf("%s has %v", c, left)
		}
	}
	_ = survivor.Process.Kill()
	_ = survivor.Wait()
	eventually(t, "the groups are removed", func() bool {
		SweepGroups(mark, func(string) bool { return false })
		return !slices.ContainsFunc(g.all(), func(c cgroup) bool { _, err := os.Stat(string(c)); return !missing(err) })
	})
}

func TestLimitedStartFails(t *testing.T) {
	t.Parallel()
	spec := limited("true", Limits{Memory: 64 << 20, Processes: 10})
	spec.Launcher = "/no/such/program"
	if e := refused(t, spec); e.Reason != InterpreterNotFound {
		t.Error(e)
	}
	groupless(t, spec.ID)
}

// groupless fails if there is a control group for a task.
func groupless(t *testing.T, id string) {
	t.Helper()
	for name, h := range hierarchies() {
		for _, folder := range append(h.parents(), h.own) {
			if _, err := os.Stat(filepath.Join(folder, groupPrefix+id)); !missing(err) {
				t.Errorf("%q: group left behind: %v", name, err)
			}
		}
	}
}

// TestLimitCannotBeEnforced wants nothing to run then.
func TestLimitCannotBeEnforced(t *testing.T) {
	t.Parallel()
	tooSmall := int64(-1)
	for name, test := range map[string]struct {
		limits Limits
		path   string
		errno  unix.Errno
	}{
		"nice out of range":        {Limits{Nice: 20}, "nice", 0},
		"level without class":      {Limits{IOLevel: 1}, "io level", 0},
		"idle level":               {Limits{IO: IOIdle, IOLevel: 1}, "io level", 0},
		"unknown class":            {Limits{IO: 4}, "io class", 0},
		"too little processor":     {Limits{CPU: 9}, "cpu", 0},
		"negative memory":          {Limits{Memory: -1}, "memory", 0},
		"negative processes":       {Limits{Processes: -1}, "processes", 0},
		"few open files":           {Limits{OpenFiles: 3}, "open files", 0},
		"small files":              {Limits{FileSize: 1}, "file size", 0},
		"negative core size":       {Limits{CoreSize: &tooSmall}, "core size", 0},
		"more files than possible": {Limits{OpenFiles: 1 << 40}, "open files", unix.EPERM},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := limited("echo must not run", test.limits)
			if e := refused(t, spec); e.Reason != LimitUnavailable || e.Path != test.path || e.Errno != test.errno {
				t.Errorf("%+v", e)
			}
			groupless(t, spec.ID)
		})
	}
	t.Run("group taken", func(t *testing.T) {
		t.Parallel()
		spec := limited("echo must not run", Limits{Memory: 1 << 30, Processes: 9})
		g, err := makeGroups(spec.ID, spec.Limits)
		if err != nil {
			t.Fatal(err)
		}
		defer g.release()
		if e := refused(t, spec); e.Reason != LimitUnavailable || e.Path != "memory" || e.Errno != unix.EEXIST {
			t.Errorf("%+v", e)
		}
	})
}

// TestControllersVersion2 enables a controller for groups of version 2 and writes limits as they are written there.
func TestControllersVersion2(t *testing.T) {
	t.Parallel()
	h := hierarchies()[unified]
	if h.own == "" {
		t.Log("no hierarchy of version 2 on this machine")
	} else if has := words(filepath.Join(h.root, "cgroup.controllers")); len(has) > 0 {
		folder, err := h.enable(has[:1])
		if err != nil {
			t.Fatal(err)
		}
		group := filepath.Join(folder, groupPrefix+newID())
		if err := os.Mkdir(group, 0o700); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(group)
		if got := words(filepath.Join(group, "cgroup.controllers")); len(got) == 0 || got[0] != has[0] {
			t.Errorf("the group has %v, want %v", got, has[:1])
		}
		if _, err := h.enable([]string{"no-such"}); !errors.Is(err, unix.EINVAL) {
			t.Errorf("unknown controller: %v", err)
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"memory.max", "memory.swap.max", "cpu.max", "pids.max"} {
		write(t, filepath.Join(dir, name), "")
	}
	if err := (&Limits{Memory: 1 << 20, CPU: 1500, Processes: 7}).write(dir, 2); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"memory.max": "1048576", "memory.swap.max": "0", "cpu.max": "150000 100000", "pids.max": "7",
	} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestBusyGroup keeps away from a folder with processes, whose groups could not be used after that.
func TestBusyGroup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{"cgroup.type": "domain", "cgroup.procs": "17\n", "cgroup.subtree_control": "pids\n"} {
		write(t, filepath.Join(dir, name), content)
	}
	if err := enableIn(dir, []string{"pids"}); err != nil {
		t.Errorf("enabled already: %v", err)
	}
	if err := enableIn(dir, []string{"pids", "cpu"}); !errors.Is(err, unix.EBUSY) {
		t.Errorf("%v", err)
	}
	write(t, filepath.Join(dir, "cgroup.procs"), "")
	write(t, filepath.Join(dir, "cgroup.subtree_control"), "pids\n")
	if err := enableIn(dir, []string{"pids", "cpu"}); err != nil {
		t.Error(err)
	}
	if got := words(filepath.Join(dir, "cgroup.subtree_control")); got[0] != "+cpu" {
		t.Errorf("%q", got)
	}
}

func TestParents(t *testing.T) {
	t.Parallel()
	for own, want := range map[string]string{
		"/c/system.slice/errand-agent.service/errand-agent": "/c/system.slice/errand-agent.service /c/errand",
		"/c/system.slice/errand-agent.service":              "/c/errand",
		"/c":                                                "/c/errand",
	} {
		if got := strings.Join(hierarchy{root: "/c", own: own}.parents(), " "); got != want {
			t.Errorf("%s: %s, want %s", own, got, want)
		}
	}
}

// TestSweepGroups removes what nobody else could know of any more.
func TestSweepGroups(t *testing.T) {
	t.Parallel()
	mark := "-" + newID()
	l := &Limits{Memory: 1 << 30, Processes: 5}
	for _, id := range []string{"1" + mark, "2" + mark, "3" + mark + "x"} {
		g, err := makeGroups(id, l)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(g.release)
	}
	spec := limited("sleep 300", *l)
	spec.ID = "4" + mark
	task := begin(t, spec)
	SweepGroups(mark, func(id string) bool { return id == "2"+mark })
	for id, want := range map[string]bool{"1" + mark: false, "2" + mark: true, "3" + mark + "x": true, spec.ID: true} {
		left := 0
		for _, h := range hierarchies() {
			if _, err := os.Stat(filepath.Join(h.own, groupPrefix+id)); err == nil {
				left++
			}
		}
		if left > 0 != want {
			t.Errorf("%s: %d groups", id, left)
		}
	}
	stop(t, task, true)
	wait(t, task)
	gone(t, task)
}
