package program

import (
	"runtime/debug"
	"testing"
)

func TestMemoryBound(t *testing.T) { //nolint:paralleltest // the bound is the process's
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	boundMemory(func(string) string { return "1GiB" })
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("the environment's bound became %d", got)
	}
	boundMemory(func(string) string { return "" })
	if got := debug.SetMemoryLimit(-1); got != memoryBound {
		t.Errorf("bound %d, want %d", got, memoryBound)
	}
}
