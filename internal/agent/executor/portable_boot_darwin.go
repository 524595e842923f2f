package executor

import "golang.org/x/sys/unix"

// portableBoot names this start of the machine.
func portableBoot() string {
	id, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return ""
	}
	return id
}
