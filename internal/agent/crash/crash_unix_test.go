//go:build unix

package crash

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary is also the program that crashes, in the way and the folder that the environment names.
const crashBy, crashIn = "ERRAND_TEST_CRASH_BY", "ERRAND_TEST_CRASH_IN"

func TestMain(m *testing.M) {
	if how := os.Getenv(crashBy); how != "" {
		die(how, os.Getenv(crashIn))
	}
	os.Exit(m.Run())
}

func die(how, dir string) {
	r, err := Open(dir, "1.2.3", time.Now())
	if err != nil {
		os.Exit(3)
	}
	switch how {
	case "panic":
		go func() { panic("out of the blue") }()
		select {}
	case "fatal":
		m := map[int]int{}
		for i := range 8 {
			go func() {
				for {
					m[i]++
				}
			}()
		}
		select {}
	case "kill", "abort":
		sig := map[string]syscall.Signal{"kill": syscall.SIGKILL, "abort": syscall.SIGABRT}[how]
		_ = syscall.Kill(os.Getpid(), sig)
		select {}
	case "orderly":
		if r.Close() != nil {
			os.Exit(4)
		}
		os.Exit(0)
	}
}

func run(t *testing.T, how, dir string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = []string{crashBy + "=" + how, crashIn + "=" + dir}
	out, err := cmd.CombinedOutput()
	if (err == nil) != (how == "orderly") {
		t.Fatalf("%s: %v\n%s", how, err, out)
	}
}

// One process dies in every way, one after another in the same folder.
func TestEnds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "crash")
	for i, c := range []struct {
		how    string
		says   string // of the report; empty for none
		sudden int
	}{
		{"panic", "panic: out of the blue", 1},
		{"orderly", "", 1},
		{"kill", "", 2},
		{"fatal", "maps.fatal", 3},
		{"abort", "SIGABRT", 4},
	} {
		run(t, c.how, dir)
		r, err := Open(dir, "1.2.3", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if r.Starts.Count != 2*(i+1) || r.Starts.Sudden != c.sudden || r.Fresh != (c.says != "") {
			t.Errorf("%s: %+v, fresh %v", c.how, r.Starts, r.Fresh)
		}
		if c.says != "" {
			if s := r.Last.Summary(4 << 10); !strings.Contains(s, c.says) || !strings.HasPrefix(s, "version 1.2.3, build ") || !strings.Contains(s, "goroutine ") {
				t.Errorf("%s: %s", c.how, s)
			}
			if info, err := os.Stat(r.Last.File); err != nil || info.Mode().Perm() != 0o600 || time.Since(r.Last.Time) > time.Minute {
				t.Errorf("%s: %v, %v, %v", c.how, info, err, r.Last.Time)
			}
			if s := r.Last.Summary(20); len(s) > 20 {
				t.Errorf("%q is longer than was asked for", s)
			}
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, currentName)); err == nil {
		t.Error("an orderly end left something behind")
	}
	for range keep + 2 {
		run(t, "panic", dir)
	}
	r, err := Open(dir, "1.2.3", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if files, _ := filepath.Glob(filepath.Join(dir, prefix+"*")); len(files) != keep {
		t.Errorf("kept %v", files)
	}
}
