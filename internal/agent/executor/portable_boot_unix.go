//go:build unix && !darwin

package executor

import (
	"os"
	"strings"
)

// portableBoot names this start of the machine, where it has a name.
func portableBoot() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
