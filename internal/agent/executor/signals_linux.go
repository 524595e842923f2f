package executor

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// numSignals counts the signals of Linux on the architectures that an agent runs on.
const numSignals = 64

// restoreSignals gives every signal that this process inherited as ignored its default back. Ignored signals are handed down to commands, which
// expect them as after a login; whoever started the agent (nohup, make, a shell in the background) may have ignored some. It runs before the
// process asks for any signal, so nothing of the Go runtime's own is touched: the runtime does not ignore signals.
func restoreSignals() {
	const ignored = 1 // SIG_IGN
	for sig := uintptr(1); sig <= numSignals; sig++ {
		// The kernel's struct sigaction begins with the handler; all zeros is the default action.
		var now, byDefault [4]uint64
		_, _, err := unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, 0, uintptr(unsafe.Pointer(&now)), 8, 0, 0) //nolint:gosec // the call takes an address
		if err != 0 || now[0] != ignored {
			continue
		}
		// This fails for no signal that can be ignored.
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&byDefault)), 0, 8, 0, 0) //nolint:gosec // the call takes an address
	}
}
