package executor

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// process is what /proc tells about one.
type process struct {
	pid, parent, session int
	ticks                uint64 // start time since boot
	zombie               bool
}

// readProcess parses /proc/PID/stat, see proc_pid_stat(5).
func readProcess(pid int) (process, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, err
	}
	// The command in parentheses may itself contain parentheses and blanks.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 20 {
		return process{}, fmt.Errorf("stat of process %d: %q", pid, b)
	}
	p := process{pid: pid, zombie: fields[0] == "Z" || fields[0] == "X"}
	if p.parent, err = strconv.Atoi(fields[1]); err != nil {
		return process{}, err
	}
	if p.session, err = strconv.Atoi(fields[3]); err != nil {
		return process{}, err
	}
	p.ticks, err = strconv.ParseUint(fields[19], 10, 64)
	return p, err
}

// processes lists what is running now. Processes that come or go meanwhile may be missing.
func processes() ([]process, error) {
	d, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	list := make([]process, 0, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, err := readProcess(pid); err == nil {
			list = append(list, p)
		}
	}
	return list, nil
}

// descendants returns the living processes below the given ones, those not included.
func descendants(list []process, roots ...int) []process {
	children := make(map[int][]process)
	for _, p := range list {
		children[p.parent] = append(children[p.parent], p)
	}
	var found []process
	for len(roots) > 0 {
		below := children[roots[0]]
		delete(children, roots[0])
		roots = roots[1:]
		for _, p := range below {
			roots = append(roots, p.pid)
			if !p.zombie {
				found = append(found, p)
			}
		}
	}
	return found
}

// bootID identifies the present run of the machine.
func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("boot id: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
