package executor

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestUserWithSupplementaryGroups gives a command all groups of its user, and none of the agent's.
func TestUserWithSupplementaryGroups(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "task")
	d, err := draw(t.Context(), shell("id -u; id -g; id -G"), dir)
	if err != nil {
		t.Fatal(err)
	}
	d.User, d.group = &credential{UID: 65534, GID: 65534, Groups: []uint32{65534, 4, 27}}, 65534
	if err := d.occupy(dir); err != nil {
		t.Fatal(err)
	}
	task := &Task{dir: dir, plan: d.plan}
	if err := task.launch(t.Context(), self(t), nil); err != nil {
		t.Fatal(err)
	}
	wait(t, task)
	if data, _, _, _ := readAll(t, dir, 1000); string(data) != "65534\n65534\n65534 4 27\n" {
		t.Errorf("%q", data)
	}
}

// TestHardLimitIsInherited lets a command raise what is low for the sake of old programs.
func TestHardLimitIsInherited(t *testing.T) {
	t.Parallel()
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &own); err != nil {
		t.Fatal(err)
	}
	if _, output := run(t, shell("ulimit -Hn")); strings.TrimSpace(output) != strconv.FormatUint(own.Max, 10) {
		t.Errorf("%q, want %d", output, own.Max)
	}
}

// TestDeadlineCountsSleep looks at the clock that a supervisor's timer goes by.
func TestDeadlineCountsSleep(t *testing.T) {
	t.Parallel()
	const boottime = "7" // CLOCK_BOOTTIME
	task := begin(t, shell("sleep 300"))
	infos, err := filepath.Glob("/proc/" + strconv.Itoa(task.Supervisor()) + "/fdinfo/*")
	if err != nil {
		t.Fatal(err)
	}
	clocks := ""
	for _, info := range infos {
		b, err := os.ReadFile(info)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if clock, ok := strings.CutPrefix(line, "clockid:"); ok {
				clocks += strings.TrimSpace(clock)
			}
		}
	}
	if clocks != boottime {
		t.Errorf("timers of clocks %q, want %q", clocks, boottime)
	}
}

// TestOutOfMemoryScores leave a command to the kernel before its supervisor.
func TestOutOfMemoryScores(t *testing.T) {
	t.Parallel()
	task := begin(t, shell("sleep 300"))
	supervisor := supervisorScore
	if !mayUseMore(t) {
		supervisor = commandScore // lowering is refused
	}
	for pid, want := range map[int]string{task.Supervisor(): supervisor, task.state.ScriptPID: commandScore} {
		if got, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/oom_score_adj"); strings.TrimSpace(string(got)) != want {
			t.Errorf("%q, %v, want %s", got, err, want)
		}
	}
}

// mayUseMore reports whether this process has CAP_SYS_RESOURCE.
func mayUseMore(t *testing.T) bool {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if set, ok := strings.CutPrefix(line, "CapEff:"); ok {
			caps, err := strconv.ParseUint(strings.TrimSpace(set), 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			return caps>>24&1 == 1
		}
	}
	return false
}
