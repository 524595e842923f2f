package executor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// escape lists scripts whose processes try to outlive them, each holding the output open.
var escape = map[string]string{
	"background":     "{ sleep 300 & } ; echo ready; sleep 300",
	"sessions":       "setsid sleep 300 & setsid setsid sleep 300 & echo ready; sleep 300",
	"daemon":         "( ( setsid sleep 300 & ) & ) ; echo ready; sleep 300",
	"deaf":           "trap '' TERM; echo ready; while :; do sleep 300; done",
	"deaf daemon":    "( ( trap '' TERM; setsid sleep 300 & ) & ) ; echo ready; sleep 300",
	"stopped":        "sleep 300 & kill -STOP $!; echo ready; wait",
	"other user":     "env -i setpriv --reuid 1 --clear-groups sleep 300 & echo ready; wait",
	"breeder":        "trap '' TERM; f() { trap '' TERM; while :; do sleep 0.01 & wait; done; }; f & f & f & echo ready; f",
	"bare":           "env -i setsid env -i sleep 300 & echo ready; exec env -i sleep 300",
	"leader is gone": "trap 'exit 3' TERM; ( trap '' TERM; sleep 300; sleep 300 ) & echo ready; while :; do sleep 0.01; done",
}

// tracking are the two ways to keep track of a command's processes.
var tracking = map[string]func(testing.TB, Spec) Spec{
	"group":    func(_ testing.TB, s Spec) Spec { return s },
	"no group": withoutCgroup,
}

// TestTimeoutEndsWholeTree ends commands whose time is up. All run at once, because most of it is waiting.
func TestTimeoutEndsWholeTree(t *testing.T) {
	t.Parallel()
	const timeout, grace = 1500 * time.Millisecond, 300 * time.Millisecond
	tasks := make(map[string]*Task)
	for name, script := range escape {
		for group, prepare := range tracking {
			spec := prepare(t, shell(script))
			spec.Timeout, spec.TimeoutGrace, spec.Tree = timeout, grace, true
			tasks[name+", "+group] = begin(t, spec)
		}
	}
	for name, task := range tasks {
		t.Run(name, func(t *testing.T) {
			exit := wait(t, task)
			took := exit.EndedAt.Sub(exit.StartedAt)
			if exit.Cause != TimedOut || exit.Survivors != 0 || exit.DrainIncomplete {
				t.Errorf("%+v", exit)
			}
			if took < timeout || strings.Contains(name, "deaf") && took < timeout+grace {
				t.Errorf("ended too early, after %s", took)
			}
			if strings.HasPrefix(name, "leader") && exit.Code != 3 {
				t.Errorf("code %d", exit.Code)
			}
			if !printed(t, task, "ready") {
				t.Error("output lost")
			}
			noMembers(t, task)
		})
	}
}

// noMembers fails if any process of a task lives.
func noMembers(t *testing.T, task *Task) {
	t.Helper()
	if left := members(t, task); len(left) > 0 {
		t.Errorf("still running: %v", left)
	}
}

func TestTimeoutDefaults(t *testing.T) {
	t.Parallel()
	spec := shell("{ sleep 300 & } ; sleep 300")
	spec.Timeout, spec.Tree = 200*time.Millisecond, true
	task := begin(t, spec)
	exit := wait(t, task)
	if took := exit.EndedAt.Sub(exit.StartedAt); exit.Cause != TimedOut || exit.Signal != 15 || exit.Code != 143 || took > 5*time.Second {
		t.Errorf("%+v after %s", exit, took)
	}
	noMembers(t, task)
}

// TestTimeoutEndsProcessOnly ends the script's own process only.
func TestTimeoutEndsProcessOnly(t *testing.T) {
	t.Parallel()
	spec := shell("trap '' TERM; sleep 300 & echo $!; while :; do sleep 0.01; done")
	spec.Timeout, spec.TimeoutGrace = 300*time.Millisecond, -1
	task := begin(t, spec)
	child := pidIn(t, task)
	exit := wait(t, task)
	if exit.Cause != TimedOut || exit.Signal != 9 || !exit.DrainIncomplete {
		t.Errorf("%+v", exit)
	}
	if !alive(child) {
		t.Error("the child was ended too")
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	t.Run("tree", func(t *testing.T) {
		t.Parallel()
		task := begin(t, shell("trap 'echo bye; exit 5' TERM; setsid sleep 300 & echo ready; while :; do sleep 0.01; done"))
		eventually(t, "ready", func() bool { return printed(t, task, "ready") })
		stop(t, task, true)
		exit := wait(t, task)
		if exit.Cause != Stopped || exit.Code != 5 || exit.Signal != 0 || exit.DrainIncomplete {
			t.Errorf("%+v", exit)
		}
		if !printed(t, task, "bye") {
			t.Error("last words lost")
		}
		noMembers(t, task)
		if err := task.Stop(true); !errors.Is(err, ErrFinished) {
			t.Errorf("second stop: %v", err)
		}
	})
	t.Run("tree, deaf", func(t *testing.T) {
		t.Parallel()
		spec := shell("trap '' TERM; echo ready; while :; do sleep 0.01; done")
		spec.Grace = 300 * time.Millisecond
		task := begin(t, spec)
		eventually(t, "ready", func() bool { return printed(t, task, "ready") })
		asked := time.Now()
		stop(t, task, true)
		stop(t, task, true) // harmless
		exit := wait(t, task)
		if exit.Cause != Stopped || exit.Signal != 9 || exit.EndedAt.Sub(asked) < 300*time.Millisecond {
			t.Errorf("%+v", exit)
		}
		noMembers(t, task)
	})
	t.Run("process", func(t *testing.T) {
		t.Parallel()
		task := begin(t, shell("sleep 300 >/dev/null 2>&1 & echo $!; exec sleep 300"))
		child := pidIn(t, task)
		eventually(t, "child has let go of the output", func() bool {
			out, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/1", child))
			err, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/2", child))
			return out == os.DevNull && err == os.DevNull
		})
		stop(t, task, false)
		exit := wait(t, task)
		if exit.Cause != Stopped || exit.Signal != 15 || exit.Code != 143 || exit.DrainIncomplete {
			t.Errorf("%+v", exit)
		}
		if !alive(child) {
			t.Error("the child was ended too")
		}
	})
	t.Run("after the end", func(t *testing.T) {
		t.Parallel()
		task := begin(t, shell("exit 3"))
		wait(t, task)
		if err := task.Stop(true); !errors.Is(err, ErrFinished) {
			t.Error(err)
		}
		if exit := wait(t, task); exit.Cause != Exited || exit.Code != 3 {
			t.Errorf("%+v", exit)
		}
	})
}

func stop(t *testing.T, task *Task, tree bool) {
	t.Helper()
	if err := task.Stop(tree); err != nil {
		t.Fatal(err)
	}
}

// TestChildKeepsOutputOpen leaves children behind that hold the output open: the result does not wait for them, and they can go
// on printing.
func TestChildKeepsOutputOpen(t *testing.T) {
	t.Parallel()
	t.Run("silent", func(t *testing.T) {
		t.Parallel()
		gate, said := fifo(t), filepath.Join(t.TempDir(), "said")
		task := begin(t, shell("{ read x; echo late && echo could print > "+said+"; } < "+gate+" & echo done"))
		exit := wait(t, task) // while the child waits for us
		if exit.Cause != Exited || exit.Code != 0 || !exit.DrainIncomplete || exit.Stdout != 5 {
			t.Errorf("%+v", exit)
		}
		if task.Running() || !alive(task.Supervisor()) {
			t.Error("the task should be over, its supervisor not")
		}
		write(t, gate, "go\n")
		eventually(t, "child has printed", func() bool { _, err := os.Stat(said); return err == nil })
		eventually(t, "supervisor's end", func() bool { return !alive(task.Supervisor()) })
		if again := wait(t, task); again != exit {
			t.Errorf("%+v became %+v", exit, again)
		}
		if printed(t, task, "late") {
			t.Error("output changed after the end")
		}
		if task.plan.Cgroup != "" {
			if _, err := os.Stat(string(task.plan.Cgroup)); !missing(err) {
				t.Errorf("control group left behind: %v", err)
			}
		}
	})
	t.Run("chatty", func(t *testing.T) {
		t.Parallel()
		task := begin(t, shell("while :; do echo x; sleep 0.01; done & exit 4"))
		exit := wait(t, task)
		if exit.Code != 4 || !exit.DrainIncomplete || exit.Stdout == 0 {
			t.Errorf("%+v", exit)
		}
	})
	t.Run("detached", func(t *testing.T) {
		t.Parallel()
		task := begin(t, shell("sleep 300 >/dev/null 2>&1 & echo $!"))
		child := pidIn(t, task)
		if exit := wait(t, task); exit.DrainIncomplete || exit.Cause != Exited {
			t.Errorf("%+v", exit)
		}
		eventually(t, "supervisor's end", func() bool { return !alive(task.Supervisor()) })
		if !alive(child) {
			t.Error("the daemon was ended")
		}
		if len(task.plan.members()) > 0 {
			t.Error("the daemon is still in the task's control group")
		}
	})
	t.Run("closed output", func(t *testing.T) {
		t.Parallel()
		exit, _ := run(t, shell("exec >&- 2>&-; sleep 0.1; exit 6"))
		if exit.Code != 6 || exit.DrainIncomplete {
			t.Errorf("%+v", exit)
		}
	})
}

// TestSurvivesItsStarter starts a task from a process that ends at once, and takes it up from here.
func TestSurvivesItsStarter(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "task")
	gate := fifo(t)
	parent := exec.CommandContext(t.Context(), self(t), startAndExit, dir, "echo ready; read x < "+gate+"; echo $x; exit 8")
	if out, err := parent.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	task, err := Attach(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !task.Running() || !alive(task.Supervisor()) || task.StartedAt().IsZero() || task.ID() == "" || task.Dir() != dir {
		t.Errorf("running %t, supervisor %d, started %s", task.Running(), task.Supervisor(), task.StartedAt())
	}
	if p, err := readProcess(task.Supervisor()); err != nil || p.session != p.pid || p.ticks != task.state.Ticks {
		t.Errorf("supervisor %+v, %v", p, err)
	}
	if err := Remove(dir); !errors.Is(err, ErrRunning) {
		t.Errorf("removing a running task: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := task.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for a short time: %v", err)
	}
	write(t, gate, "went on\n")
	exits := make([]Exit, 4)
	var group sync.WaitGroup
	for i := range exits {
		group.Go(func() { exits[i] = wait(t, task) })
	}
	group.Wait()
	for _, exit := range exits {
		if exit.Cause != Exited || exit.Code != 8 || exit != exits[0] {
			t.Errorf("%+v", exit)
		}
	}
	if !printed(t, task, "ready\nwent on\n") {
		t.Error("output lost")
	}
	again, err := Attach(dir)
	if err != nil {
		t.Fatal(err)
	}
	if exit := wait(t, again); exit != exits[0] || again.Running() {
		t.Errorf("%+v", exit)
	}
	if err := Remove(dir); err != nil {
		t.Error(err)
	}
	if _, err := Attach(dir); !missing(err) {
		t.Errorf("after removal: %v", err)
	}
}

// TestSurvivesStop stops a task that another process started.
func TestSurvivesStop(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "task")
	parent := exec.CommandContext(t.Context(), self(t), startAndExit, dir, "setsid sleep 300 & sleep 300")
	if out, err := parent.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	task, err := Attach(dir)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, task, true)
	if exit := wait(t, task); exit.Cause != Stopped || exit.Signal != 15 {
		t.Errorf("%+v", exit)
	}
	noMembers(t, task)
}

// TestSupervisorKilled makes sure that a command does not go on unnoticed.
func TestSupervisorKilled(t *testing.T) {
	t.Parallel()
	for name, script := range escape {
		if name == "bare" || name == "other user" {
			continue // nothing but a group connects such processes with the task, see the next test
		}
		for group, prepare := range tracking {
			t.Run(name+", "+group, func(t *testing.T) {
				t.Parallel()
				killSupervisor(t, begin(t, prepare(t, shell(script))))
			})
		}
	}
}

// TestSupervisorKilledWhileStarting has a supervisor that is killed after it has started the command and before it could say so. That the
// command never ran would be a lie.
func TestSupervisorKilledWhileStarting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ran, killed := filepath.Join(dir, "ran"), filepath.Join(dir, "killed")
	if err := os.WriteFile(killed, []byte("#!/bin/sh\necho x >>"+ran+"\nkill -9 $$\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	task, err := Start(t.Context(), shell("true"), filepath.Join(dir, "task"), killed)
	if err != nil {
		t.Fatal(err)
	}
	if exit := wait(t, task); exit.Cause != SupervisorKilled || !exit.StartedAt.IsZero() {
		t.Errorf("%+v", exit)
	}
	if _, err := os.Stat(ran); err != nil {
		t.Error(err)
	}
}

// TestSupervisorKilledBare needs the control group to find a command without the task's variable.
func TestSupervisorKilledBare(t *testing.T) {
	t.Parallel()
	task := begin(t, shell(escape["bare"]))
	if task.plan.Cgroup == "" {
		t.Log("no control groups here, so such processes would be lost")
		return
	}
	killSupervisor(t, task)
}

func killSupervisor(t *testing.T, task *Task) {
	t.Helper()
	eventually(t, "ready", func() bool { return printed(t, task, "ready") })
	script := task.state.ScriptPID
	if err := unix.Kill(task.Supervisor(), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	exit := wait(t, task)
	if exit.Cause != SupervisorKilled || exit.Code != -1 || exit.Stdout != 6 || exit.Survivors != 0 || !exit.StartedAt.Equal(task.StartedAt()) {
		t.Errorf("%+v", exit)
	}
	if alive(script) {
		t.Error("the script goes on")
	}
	noMembers(t, task)
	if err := task.Stop(true); !errors.Is(err, ErrFinished) {
		t.Errorf("stop: %v", err)
	}
	again, err := Attach(task.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if second := wait(t, again); second != exit {
		t.Errorf("%+v became %+v", exit, second)
	}
	if _, _, _, end := readAll(t, task.Dir(), 100); !end {
		t.Error("output has no end")
	}
}

// TestRebooted pretends that the machine was restarted since.
func TestRebooted(t *testing.T) {
	t.Parallel()
	task := begin(t, shell("echo ready; sleep 300"))
	eventually(t, "ready", func() bool { return printed(t, task, "ready") })
	before := task.plan
	before.BootID = "another"
	if err := overwriteJSON(filepath.Join(task.Dir(), planFile), before, 4096, false); err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(task.Supervisor(), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "supervisor's end", func() bool { return !task.Running() })
	again, err := Attach(task.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if exit := wait(t, again); exit.Cause != Rebooted || exit.Code != -1 || exit.Stdout != 6 {
		t.Errorf("%+v", exit)
	}
	if !alive(task.state.ScriptPID) {
		t.Error("a process was killed that only looks like one from before the reboot")
	}
}

// TestTornFolder attaches to what an agent can leave that was killed inside Start.
func TestTornFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Attach(dir); !missing(err) {
		t.Errorf("empty folder: %v", err)
	}
	write(t, filepath.Join(dir, planFile), "")
	task, err := Attach(dir)
	if err != nil {
		t.Fatal(err)
	}
	if exit := wait(t, task); exit.Cause != SupervisorKilled {
		t.Errorf("%+v", exit)
	}
}

// TestStartCancelled gives up on a supervisor that does not answer.
func TestStartCancelled(t *testing.T) {
	t.Parallel()
	deaf := filepath.Join(t.TempDir(), "deaf")
	pid := filepath.Join(t.TempDir(), "pid")
	write(t, deaf, "#!/bin/sh\necho $$ > "+pid+"\nexec sleep 300\n")
	if err := os.Chmod(deaf, 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			if b, err := os.ReadFile(pid); err == nil && len(b) > 0 {
				cancel()
			}
			time.Sleep(time.Millisecond)
		}
	}()
	dir := filepath.Join(t.TempDir(), "task")
	if _, err := Start(ctx, shell("true"), dir, deaf); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(dir); !missing(err) {
		t.Errorf("folder left behind: %v", err)
	}
}

// TestNoZombies runs many short tasks, some with orphans.
func TestNoZombies(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	exe := self(t)
	ids := make(chan int)
	var group sync.WaitGroup
	var mu sync.Mutex
	var supervisors []int
	for range 4 {
		group.Go(func() {
			for i := range ids {
				dir := filepath.Join(root, newID())
				task, err := Start(t.Context(), shell("( sleep 0.001 & ) ; true"), dir, exe)
				if err != nil {
					t.Error(err)
					continue
				}
				if exit := wait(t, task); exit.Cause != Exited || exit.Code != 0 {
					t.Errorf("task %d: %+v", i, exit)
				}
				mu.Lock()
				supervisors = append(supervisors, task.Supervisor())
				mu.Unlock()
				if err := Remove(dir); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 200 {
		ids <- i
	}
	close(ids)
	group.Wait()
	eventually(t, "all supervisors are gone", func() bool {
		list, err := processes()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			for _, pid := range supervisors {
				if p.pid == pid && p.parent == os.Getpid() {
					return false // zombies included
				}
			}
		}
		return true
	})
}

// TestReaps makes sure that a supervisor collects the orphans of a command that still runs.
func TestReaps(t *testing.T) {
	t.Parallel()
	gate := fifo(t)
	task := begin(t, shell("for i in 1 2 3 4 5 6 7 8 9; do ( sleep 0.01 & ) ; done; echo ready; read x < "+gate))
	eventually(t, "ready", func() bool { return printed(t, task, "ready") })
	eventually(t, "orphans are gone", func() bool {
		list, err := processes()
		if err != nil {
			t.Fatal(err)
		}
		children := 0
		for _, p := range list {
			if p.parent == task.Supervisor() {
				children++
			}
		}
		return children == 1
	})
	write(t, gate, "\n")
	wait(t, task)
}

// TestBigOutputInConstantMemory checks the supervisor's memory and the totals.
func TestBigOutputInConstantMemory(t *testing.T) {
	t.Parallel()
	const each = 150_000_000
	gate := fifo(t)
	spec := shell("head -c 150000000 /dev/zero & head -c 150000000 /dev/zero >&2; wait; read x < " + gate)
	spec.OutputCap = 8 << 20
	task := begin(t, spec)
	o, err := Open(task.Dir())
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "output", func() bool {
		got, err := o.Totals()
		if err != nil {
			t.Fatal(err)
		}
		return got == Totals{each, each}
	})
	peak := memory(t, task.Supervisor(), "VmHWM")
	write(t, gate, "\n")
	if exit := wait(t, task); exit.Totals != (Totals{each, each}) || exit.OutputErrno != 0 {
		t.Errorf("%+v", exit)
	}
	data, _, skipped, end := readAll(t, task.Dir(), 1<<20)
	if len(data) != 8<<20 || skipped != 2*each-8<<20 || !end {
		t.Errorf("read %d bytes, skipped %d, end %t", len(data), skipped, end)
	}
	t.Logf("the supervisor's memory never exceeded %d kB", peak)
	if peak > peakKB {
		t.Errorf("supervisor took %d kB, want at most %d", peak, peakKB)
	}
}

// TestTrim waits for a supervisor with nothing to do to become small.
func TestTrim(t *testing.T) {
	t.Parallel()
	task := begin(t, shell("read x < "+fifo(t)))
	before := memory(t, task.Supervisor(), "VmRSS")
	eventually(t, "supervisor is small", func() bool { return memory(t, task.Supervisor(), "VmRSS") <= quietKB })
	t.Logf("supervisor of %d kB, later %d kB", before, memory(t, task.Supervisor(), "VmRSS"))
	stop(t, task, true)
	if exit := wait(t, task); exit.Cause != Stopped {
		t.Errorf("%+v", exit)
	}
}

func TestCleanMappings(t *testing.T) {
	t.Parallel()
	const smaps = `00400000-00660000 r-xp 00000000 fe:00 9981826                            /tmp/program
Size:               2432 kB
Rss:                2368 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
00660000-008f2000 r--p 00260000 fe:00 9981826                            /tmp/program
Anonymous:             4 kB
008f2000-00917000 rw-p 004f2000 fe:00 9981826                            /tmp/program
Anonymous:             0 kB
3de1d0800000-3de1d1000000 rw-p 00000000 00:00 0
Anonymous:             0 kB
7fff3d8f4000-7fff3d8f6000 r-xp 00000000 00:00 0                          [vdso]
Anonymous:             0 kB
`
	want := []mapping{{0x400000, 0x660000}}
	if diff := cmp.Diff(want, cleanMappings(smaps), cmp.AllowUnexported(mapping{})); diff != "" {
		t.Error(diff)
	}
}

func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	for events, want := range map[string]bool{
		"low 0\noom 1\noom_kill 1\noom_group_kill 0\n": true,
		"low 0\noom 0\noom_kill 0\n":                   false,
		"":                                             false,
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "memory.events"), events)
		s := &supervisor{plan: plan{groups: groups{Cgroup: cgroup(dir)}}, exited: true, status: unix.WaitStatus(unix.SIGKILL)}
		s.judge()
		if got := s.exit.Cause == OutOfMemory; got != want || s.exit.Code != 137 {
			t.Errorf("%q: %+v", events, s.exit)
		}
	}
	for _, g := range []groups{{}, {Cgroup: "/no/such"}} {
		if g.outOfMemory() {
			t.Error("a group that does not exist ran out of memory")
		}
	}
}
