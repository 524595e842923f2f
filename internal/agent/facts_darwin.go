package agent

import (
	"time"

	"golang.org/x/sys/unix"
)

func osName() string {
	if version := sysctl("kern.osproductversion"); version != "" {
		return "macOS " + version
	}
	return "macOS"
}

func kernel() string { return sysctl("kern.osrelease") }

func bootID() string { return sysctl("kern.bootsessionuuid") }

// installationID is not to be had without other programs.
func installationID() string { return "" }

func sysctl(name string) string {
	value, err := unix.Sysctl(name)
	if err != nil {
		return ""
	}
	return value
}

// uptime counts the time asleep as well: CLOCK_MONOTONIC does here.
func uptime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

func scriptKinds() []string { return []string{"shell"} }
