package executor

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// trim gives back the memory that starting took. Most of it are pages of the executable that only initialisation
// touched; they are shared with the agent and come back by themselves when needed, but while they are mapped they count
// as this process's own, and there may be many supervisors.
func trim() {
	debug.FreeOSMemory() // first, for it touches many pages itself
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	for _, m := range cleanMappings(string(maps)) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_DONTNEED)
	}
}

// mapping is a range of addresses.
type mapping struct{ start, end uintptr }

// cleanMappings picks from the text of /proc/PID/smaps what can be read from its file again: mappings that are not
// writable and hold no changed page, such as relocation leaves behind.
func cleanMappings(smaps string) []mapping {
	var clean []mapping
	var current mapping
	candidate := false
	for line := range strings.Lines(smaps) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
		case !strings.HasSuffix(f[0], ":"): // start-end permissions offset device inode path
			candidate = len(f) == 6 && strings.HasPrefix(f[1], "r-") && strings.HasPrefix(f[5], "/")
			current = parseMapping(f[0])
		case f[0] == "Anonymous:" && candidate && f[1] == "0":
			clean = append(clean, current)
		}
	}
	return clean
}

// parseMapping reads start-end in hexadecimal digits.
func parseMapping(addresses string) mapping {
	from, to, _ := strings.Cut(addresses, "-")
	start, err := strconv.ParseUint(from, 16, strconv.IntSize)
	if err != nil {
		return mapping{}
	}
	end, err := strconv.ParseUint(to, 16, strconv.IntSize)
	if err != nil {
		return mapping{}
	}
	return mapping{uintptr(start), uintptr(end)}
}
