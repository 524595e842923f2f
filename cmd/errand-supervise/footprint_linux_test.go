package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"errand/internal/agent/executor"
)

// TestFootprint measures what is installed: the sizes of the programs, and the memory of the supervisor of a command that waits.
func TestFootprint(t *testing.T) {
	t.Parallel()
	bin := build(t, "errand-agent", "errand-supervise")
	for name, most := range map[string]int64{"errand-agent": 10_000_000, "errand-supervise": 3_000_000} {
		info, err := os.Stat(filepath.Join(bin, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes", name, info.Size())
		if info.Size() > most {
			t.Errorf("%s has %d bytes, want at most %d", name, info.Size(), most)
		}
	}
	spec := executor.Spec{ID: "footprint-" + strconv.Itoa(os.Getpid()), Script: []byte("sleep 300"), Tree: true}
	task, err := executor.Start(t.Context(), spec, filepath.Join(t.TempDir(), "task"), filepath.Join(bin, "errand-supervise"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := task.Stop(true); err != nil {
			t.Error(err)
		}
		if _, err := task.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	const most = 3 << 10
	before := resident(t, task.Supervisor())
	kb := before
	for giveUp := time.Now().Add(30 * time.Second); kb > most && time.Now().Before(giveUp); time.Sleep(10 * time.Millisecond) {
		kb = resident(t, task.Supervisor())
	}
	t.Logf("supervisor: %d kB at its start, %d kB at rest", before, kb)
	if kb > most {
		t.Errorf("the supervisor has %d kB, want at most %d", kb, most)
	}
}

// build makes the programs as they are installed, and returns their folder.
func build(tb testing.TB, names ...string) string {
	tb.Helper()
	bin := tb.TempDir()
	args := []string{"build", "-trimpath", "-ldflags", "-s -w", "-o", bin + "/"}
	for _, name := range names {
		args = append(args, "errand/cmd/"+name)
	}
	cmd := exec.CommandContext(tb.Context(), "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%v: %s", err, out)
	}
	return bin
}

// BenchmarkAdded runs a script through the executor and by a bare fork and exec in turn, so that both meet the same machine, and reports the
// medians: how many times as long it takes, and by how much.
func BenchmarkAdded(b *testing.B) {
	exe := filepath.Join(build(b, "errand-supervise"), "errand-supervise")
	root := b.TempDir()
	var bare, whole []time.Duration
	for i := 0; b.Loop(); i++ {
		began := time.Now()
		if err := exec.CommandContext(b.Context(), "/bin/bash", "-c", "true").Run(); err != nil {
			b.Fatal(err)
		}
		between := time.Now()
		spec := executor.Spec{ID: "added-" + strconv.Itoa(os.Getpid()) + "-" + strconv.Itoa(i), Script: []byte("#!/bin/bash\ntrue")}
		task, err := executor.Start(b.Context(), spec, filepath.Join(root, strconv.Itoa(i)), exe)
		if err != nil {
			b.Fatal(err)
		}
		if exit, err := task.Wait(b.Context()); err != nil || exit.Cause != executor.Exited {
			b.Fatalf("%+v, %v", exit, err)
		}
		bare, whole = append(bare, between.Sub(began)), append(whole, time.Since(between))
	}
	median := func(d []time.Duration) float64 {
		slices.Sort(d)
		return float64(d[len(d)/2]) / float64(time.Millisecond)
	}
	b.ReportMetric(median(whole)/median(bare), "ratio")
	b.ReportMetric(median(whole)-median(bare), "added-ms")
}

// resident returns how many kB of memory a process has.
func resident(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		if value, ok := bytes.CutPrefix(line, []byte("VmRSS:")); ok {
			kb, err := strconv.Atoi(string(bytes.Fields(value)[0]))
			if err != nil {
				t.Fatal(err)
			}
			return kb
		}
	}
	t.Fatalf("no VmRSS in %s", b)
	return 0
}
