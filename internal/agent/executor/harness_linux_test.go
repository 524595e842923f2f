package executor

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be the supervisor, as every program with an agent in it must, and the short-lived
// parent of one.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == SuperviseArg {
		os.Exit(Supervise(os.Args[2]))
	}
	if len(os.Args) == 3 && os.Args[1] == supervisePortably {
		os.Exit(supervisePortable(os.Args[2]))
	}
	if len(os.Args) == 4 && os.Args[1] == startAndExit {
		os.Exit(startOnly(os.Args[2], os.Args[3]))
	}
	os.Exit(m.Run())
}

// patience is how long a test waits for what takes no time on an idle machine.
const patience = 30 * time.Second

// newID returns a task id that no other test has, in this process or another.
func newID() string { return strings.ToLower(rand.Text()) }

// shell returns a Spec for a script.
func shell(script string) Spec { return Spec{ID: newID(), Script: []byte(script)} }

// begin starts a task in a new folder. Whatever of it is left when the test ends is killed.
func begin(t testing.TB, spec Spec) *Task {
	t.Helper()
	task, err := Start(t.Context(), spec, filepath.Join(t.TempDir(), "task"), self(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := killOrphans(task.plan, task.state); err != nil {
			t.Error(err)
		}
	})
	return task
}

// refused starts a task that must not start, and returns why.
func refused(t *testing.T, spec Spec) *StartError {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "task")
	task, err := Start(t.Context(), spec, dir, self(t))
	if err == nil {
		t.Fatalf("task started, supervisor %d", task.Supervisor())
	}
	var e *StartError
	if !errors.As(err, &e) {
		t.Fatalf("not a start error: %v", err)
	}
	if _, err := os.Stat(dir); !missing(err) {
		t.Errorf("folder left behind: %v", err)
	}
	return e
}

func self(t testing.TB) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// wait returns how a task ended.
func wait(t testing.TB, task *Task) Exit {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	exit, err := task.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return exit
}

// run runs a task to its end and returns its merged output too.
func run(t testing.TB, spec Spec) (Exit, string) {
	t.Helper()
	task := begin(t, spec)
	exit := wait(t, task)
	data, _, _, end := readAll(t, task.Dir(), 1<<20)
	if !end {
		t.Error("output has no end")
	}
	return exit, string(data)
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// printed reports whether a task has printed text.
func printed(t testing.TB, task *Task, text string) bool {
	t.Helper()
	data, _, _, _ := readAll(t, task.Dir(), 1<<20)
	return strings.Contains(string(data), text)
}

// members lists the living processes of a task.
func members(t testing.TB, task *Task) map[int]bool {
	t.Helper()
	found, err := findOrphans(task.plan, task.state)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// withoutCgroup makes a Spec's control group unavailable by taking its name.
func withoutCgroup(t testing.TB, spec Spec) Spec {
	t.Helper()
	g, err := makeGroups(spec.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.release)
	return spec
}

const startAndExit = "start-and-exit"

// startOnly starts a task that runs the given script, and nothing else.
func startOnly(dir, script string) int {
	exe, err := os.Executable()
	if err != nil {
		return 1
	}
	if _, err := Start(context.Background(), shell(script), dir, exe); err != nil {
		return 1
	}
	return 0
}

// memory returns a line of /proc/PID/status in kB.
func memory(t testing.TB, pid int, name string) int {
	t.Helper()
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			kb, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			if err != nil {
				t.Fatal(err)
			}
			return kb
		}
	}
	t.Fatalf("no %s in status of process %d", name, pid)
	return 0
}
