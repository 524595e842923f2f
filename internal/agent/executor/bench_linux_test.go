package executor

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// BenchmarkTask compares a whole task, from Start to its durable exit record, with bare fork and exec of the same script.
func BenchmarkTask(b *testing.B) {
	b.Run("task", func(b *testing.B) {
		root := b.TempDir()
		exe := self(b)
		for i := 0; b.Loop(); i++ {
			task, err := Start(b.Context(), shell("true"), filepath.Join(root, strconv.Itoa(i)), exe)
			if err != nil {
				b.Fatal(err)
			}
			if exit, err := task.Wait(b.Context()); err != nil || exit.Cause != Exited {
				b.Fatalf("%+v, %v", exit, err)
			}
		}
	})
	b.Run("fork", func(b *testing.B) {
		for b.Loop() {
			if err := exec.CommandContext(b.Context(), defaultShell(), "-c", "true").Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkOutput measures how fast a command's output is taken, kept and dropped.
func BenchmarkOutput(b *testing.B) {
	const size = 300_000_000
	b.SetBytes(size)
	for b.Loop() {
		task := begin(b, shell("head -c "+strconv.Itoa(size)+" /dev/zero"))
		if exit := wait(b, task); exit.Stdout != size {
			b.Fatalf("%+v", exit)
		}
	}
}
