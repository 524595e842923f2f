package agent

import (
	"context"
	"errors"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

// powerPatience is how long the system may take to begin its shutdown.
const powerPatience = time.Minute

// endMachine has the system shut down in its own way, and does so itself where there is no such way.
func endMachine(again bool) error {
	program, command := "/sbin/poweroff", unix.LINUX_REBOOT_CMD_POWER_OFF
	if again {
		program, command = "/sbin/reboot", unix.LINUX_REBOOT_CMD_RESTART
	}
	unix.Sync()
	ctx, cancel := context.WithTimeout(context.Background(), powerPatience)
	defer cancel()
	err := exec.CommandContext(ctx, program).Run() //nolint:gosec // one of two fixed programs
	if err == nil {
		return nil
	}
	return errors.Join(err, unix.Reboot(command))
}
