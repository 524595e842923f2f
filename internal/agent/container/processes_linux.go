package container

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// marked finds the processes of this machine that bear the mark in command line or environment or are known from before, and the
// descendants of both. It sees into every container unless this process runs in one itself.
func marked(proc, mark string, known map[processID]bool) ([]processID, error) {
	names, err := os.ReadDir(proc)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	children := map[int][]processID{}
	var queue []processID
	for _, name := range names {
		pid, err := strconv.Atoi(name.Name())
		if err != nil {
			continue
		}
		id, parent, ok := readStat(proc, pid)
		if !ok {
			continue
		}
		children[parent] = append(children[parent], id)
		if known[id] || bears(proc, pid, mark) {
			queue = append(queue, id)
		}
	}
	var found []processID
	seen := map[int]bool{1: true, os.Getpid(): true}
	for ; len(queue) > 0; queue = queue[1:] {
		if id := queue[0]; !seen[id.pid] {
			seen[id.pid] = true
			found = append(found, id)
			queue = append(queue, children[id.pid]...)
		}
	}
	return found, nil
}

// readStat reads a living process's identity and parent, see proc_pid_stat(5).
func readStat(proc string, pid int) (id processID, parent int, ok bool) {
	b, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "stat"))
	if err != nil {
		return processID{}, 0, false
	}
	// The command in parentheses may itself contain parentheses and blanks.
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 20 || fields[0][0] == 'Z' || fields[0][0] == 'X' {
		return processID{}, 0, false
	}
	parent, errParent := strconv.Atoi(string(fields[1]))
	ticks, errTicks := strconv.ParseUint(string(fields[19]), 10, 64)
	return processID{pid, ticks}, parent, errParent == nil && errTicks == nil
}

// bears reports whether the mark is on the process. What another user's process has is none of ours.
func bears(proc string, pid int, mark string) bool {
	for _, name := range []string{"cmdline", "environ"} {
		b, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), name))
		if err == nil && bytes.Contains(b, []byte(mark)) {
			return true
		}
	}
	return false
}

// send signals a process, and no other that has got its number meanwhile. A process that is gone is what the sender wants.
func send(proc string, id processID, sig signal) {
	number := unix.SIGTERM
	if sig == kill {
		number = unix.SIGKILL
	}
	fd, err := unix.PidfdOpen(id.pid, 0)
	if err == nil {
		defer unix.Close(fd)
	}
	if now, _, ok := readStat(proc, id.pid); !ok || now != id {
		return
	}
	if err == nil {
		_ = unix.PidfdSendSignal(fd, number, nil, 0)
	} else if errors.Is(err, unix.ENOSYS) { // before Linux 5.3
		_ = unix.Kill(id.pid, number)
	}
}
