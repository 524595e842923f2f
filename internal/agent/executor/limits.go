package executor

import "fmt"

// Limits bounds what a command and everything below it may use; zero values bound nothing. A command whose limits cannot be enforced does
// not start.
type Limits struct {
	Nice    int     `json:"nice,omitempty"` // -20 to 19
	IO      IOClass `json:"io,omitempty"`
	IOLevel int     `json:"io_level,omitempty"` // 0, which comes first, to 7; IOIdle has none

	// Together for all processes of the command, also for those that it leaves behind.
	CPU       int64 `json:"cpu,omitempty"`       // in thousandths of a core
	Memory    int64 `json:"memory,omitempty"`    // bytes, swap included
	Processes int64 `json:"processes,omitempty"` // threads included

	// For each process.
	OpenFiles int64  `json:"open_files,omitempty"`
	FileSize  int64  `json:"file_size,omitempty"` // bytes of a file that is written
	CoreSize  *int64 `json:"core_size,omitempty"` // bytes of a core dump; 0 allows none
}

// IOClass is who waits for whom at a disk.
type IOClass uint8

// The classes, with the numbers of ioprio_set(2).
const (
	IORealtime   IOClass = 1
	IOBestEffort IOClass = 2
	IOIdle       IOClass = 3
)

// A supervisor must be able to live with these itself, for it cannot always undo what it sets for the command.
const (
	minOpenFiles = 32
	minFileSize  = 2 * segmentSize
)

// controllers lists the resources that only a control group can limit, by the kernel's name.
func (l *Limits) controllers() (names []string) {
	if l == nil {
		return nil
	}
	add := func(name string, limit int64) {
		if limit != 0 {
			names = append(names, name)
		}
	}
	add("cpu", l.CPU)
	add("memory", l.Memory)
	add("pids", l.Processes)
	return names
}

func (l *Limits) validate() error {
	if l == nil {
		return nil
	}
	refuse := func(what string, value int64) error {
		return &StartError{Reason: LimitUnavailable, Path: what, Detail: fmt.Sprintf("out of range: %d", value)}
	}
	switch {
	case l.Nice < -20 || l.Nice > 19:
		return refuse("nice", int64(l.Nice))
	case l.IO > IOIdle:
		return refuse("io class", int64(l.IO))
	case l.IOLevel < 0 || l.IOLevel > 7 || l.IOLevel > 0 && l.IO != IORealtime && l.IO != IOBestEffort:
		return refuse("io level", int64(l.IOLevel))
	case l.CPU != 0 && l.CPU < 10: // one of the hundred milliseconds of a period, the kernel's least
		return refuse("cpu", l.CPU)
	case l.Memory < 0:
		return refuse("memory", l.Memory)
	case l.Processes < 0:
		return refuse("processes", l.Processes)
	case l.OpenFiles != 0 && l.OpenFiles < minOpenFiles:
		return refuse("open files", l.OpenFiles)
	case l.FileSize != 0 && l.FileSize < minFileSize:
		return refuse("file size", l.FileSize)
	case l.CoreSize != nil && *l.CoreSize < 0:
		return refuse("core size", *l.CoreSize)
	}
	return nil
}
