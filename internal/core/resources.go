package core

import "math"

// Resources bounds what a run may use on each node; zero values bound nothing. A node that cannot enforce a limit does not start the
// run.
type Resources struct {
	Nice    int     // -20 to 19
	IO      IOClass // who waits for whom at a disk
	IOLevel int     // 0, which comes first, to 7

	// Of all processes together, those that the script leaves behind included.
	CPU       int64 // thousandths of a core
	Memory    int64 // bytes
	Processes int64 // threads included

	// Of each process.
	OpenFiles int64
	FileSize  int64  // bytes of a file that it writes
	CoreSize  *int64 // bytes of a core dump; 0 allows none
}

// IOClass is how urgent access to disks is.
type IOClass string

// The classes; empty leaves it to the node.
const (
	IORealtime   IOClass = "realtime"
	IOBestEffort IOClass = "best-effort"
	IOIdle       IOClass = "idle"
)

// The least that a limit can be: what the kernel can express, what a shell needs to start, and what the agent's supervisor can live with
// itself.
const (
	minCPU       = 10
	minMemory    = 4 << 20
	minOpenFiles = 32
	minFileSize  = 2 << 20

	maxCPU       = 1_000_000
	maxProcesses = 4 << 20 // the kernel's own
)

// checkResources judges the limits of an order.
func (v *Invocation) checkResources() error {
	inContainer := v.ContainerID != "" || v.ContainerName != ""
	if (v.File != nil || inContainer) && (v.Resources != nil || v.Login || v.Power) {
		return &Error{
			Code: CodeInvalid, Reason: ReasonUnsupported, Field: "resources",
			Detail: "limits, login profiles and power actions are for scripts that run on the machine itself",
		}
	}
	r := v.Resources
	if r == nil {
		return nil
	}
	switch {
	case r.Nice < -20 || r.Nice > 19:
		return invalid(ReasonInvalidValue, "nice", "%d is outside -20 to 19", r.Nice)
	case r.IO != "" && r.IO != IORealtime && r.IO != IOBestEffort && r.IO != IOIdle:
		return invalid(ReasonInvalidValue, "io_class", "%q is none of realtime, best-effort and idle", r.IO)
	case r.IOLevel < 0 || r.IOLevel > 7:
		return invalid(ReasonInvalidValue, "io_level", "%d is outside 0 to 7", r.IOLevel)
	case r.IOLevel > 0 && r.IO != IORealtime && r.IO != IOBestEffort:
		return invalid(ReasonInvalidValue, "io_level", "only the classes realtime and best-effort have levels")
	}
	for _, limit := range []struct {
		field             string
		value             int64
		smallest, largest int64
	}{
		{"cpu_millicores", r.CPU, minCPU, maxCPU},
		{"memory_bytes", r.Memory, minMemory, math.MaxInt64},
		{"pids", r.Processes, 1, maxProcesses},
		{"open_files", r.OpenFiles, minOpenFiles, math.MaxInt64},
		{"file_bytes", r.FileSize, minFileSize, math.MaxInt64},
	} {
		if limit.value != 0 && (limit.value < limit.smallest || limit.value > limit.largest) {
			return invalid(ReasonInvalidValue, limit.field, "%d is outside %d to %d", limit.value, limit.smallest, limit.largest)
		}
	}
	if r.CoreSize != nil && *r.CoreSize < 0 {
		return invalid(ReasonInvalidValue, "core_bytes", "%d is negative", *r.CoreSize)
	}
	return nil
}
