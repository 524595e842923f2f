package agent

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// never is a time in seconds since 1970 that no clock reaches.
const never = 1 << 40

// watchClock calls set when somebody has set the clock or the machine has slept, until ctx ends. Where the system does not
// tell, it returns at once.
func watchClock(ctx context.Context, set func()) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return
	}
	f := os.NewFile(uintptr(fd), "timerfd")
	defer f.Close()
	defer context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })()
	for {
		spec := unix.ItimerSpec{Value: unix.Timespec{Sec: never}}
		if err := unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &spec, nil); err != nil {
			return
		}
		if _, err := f.Read(make([]byte, 8)); !errors.Is(err, unix.ECANCELED) {
			return
		}
		set()
	}
}
