package agent

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// hardwareOf describes this machine. What its GPU is called is not to be had without other programs.
func hardwareOf() hardware {
	h := hardware{cpus: uint64(runtime.NumCPU())}
	if size, err := unix.SysctlUint64("hw.memsize"); err == nil {
		h.memory = size
	}
	return h
}
