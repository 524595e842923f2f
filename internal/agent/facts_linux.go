package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"errand/internal/protocol"
)

// osName returns what the distribution calls itself, see os-release(5).
func osName() string {
	for _, path := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if v, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
				return strings.Trim(v, `"'`)
			}
		}
	}
	return "Linux"
}

func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

func bootID() string { return firstLine("/proc/sys/kernel/random/boot_id") }

func installationID() string {
	if id := firstLine("/etc/machine-id"); id != "" {
		return id
	}
	return firstLine("/var/lib/dbus/machine-id")
}

// hardwareID is what the firmware calls the machine; only root can read it.
func hardwareID() string { return firstLine("/sys/class/dmi/id/product_uuid") }

// diskID is the serial number of the disk with the root file system, where that is on one.
func diskID() string {
	var st unix.Stat_t
	if err := unix.Stat("/", &st); err != nil {
		return ""
	}
	folder, err := filepath.EvalSymlinks(fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)))
	if err != nil {
		return ""
	}
	if _, err := os.Stat(filepath.Join(folder, "partition")); err == nil {
		folder = filepath.Dir(folder)
	}
	for _, name := range []string{"serial", "wwid", "device/serial", "device/wwid"} {
		if id := firstLine(filepath.Join(folder, name)); id != "" {
			return id
		}
	}
	return ""
}

func firstLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return strings.TrimSpace(line)
}

// resident returns the process's memory in use, in bytes.
func resident() uint64 {
	fields := strings.Fields(firstLine("/proc/self/statm"))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}

// uptime counts the time asleep as well.
func uptime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// features names what this machine can do, beginning with the kinds of scripts it runs.
func features() []string {
	return []string{
		"shell", protocol.FeatureSchedule, protocol.FeatureFile, protocol.FeatureDryRun, protocol.FeatureContainer, protocol.FeatureSession,
		protocol.FeatureLimits, protocol.FeatureLogin, protocol.FeaturePower, protocol.FeaturePolicy, protocol.FeatureSecret,
		protocol.FeatureTransfer,
	}
}
