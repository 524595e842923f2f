package program

import (
	"net"
	"strconv"
	"time"
)

// systemd is the service manager that started this process, if one did; see sd_notify(3).
type systemd struct {
	socket   string        // empty for none
	watchdog time.Duration // how long it waits for a sign of life before it restarts us; 0 for ever
}

// newSystemd reads what the service manager put into the environment.
func newSystemd(env func(string) string, pid int) systemd {
	s := systemd{socket: env("NOTIFY_SOCKET")}
	if of := env("WATCHDOG_PID"); of != "" && of != strconv.Itoa(pid) {
		return s
	}
	if us, err := strconv.ParseInt(env("WATCHDOG_USEC"), 10, 64); err == nil && us > 0 {
		s.watchdog = time.Duration(us) * time.Microsecond
	}
	return s
}

// notify says something. It does not matter if nobody hears it: then nobody waits for it either.
func (s systemd) notify(state string) {
	if s.socket == "" {
		return
	}
	// An address that begins with @ is an abstract one, for Go as for systemd.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.socket, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = conn.Write([]byte(state))
}

func (s systemd) ready() { s.notify("READY=1") }

func (s systemd) stopping() { s.notify("STOPPING=1") }

// alive is called for as long as every loop of the agent goes round.
func (s systemd) alive() {
	if s.watchdog > 0 {
		s.notify("WATCHDOG=1")
	}
}

// vouch says that all is well in place of a child whose word does not count, until stop.
func (s systemd) vouch() (stop func()) {
	s.ready()
	if s.watchdog == 0 {
		return func() {}
	}
	tick, over := time.NewTicker(s.watchdog/4), make(chan struct{})
	go func() {
		for {
			select {
			case <-over:
				return
			case <-tick.C:
				s.alive()
			}
		}
	}()
	return func() {
		tick.Stop()
		close(over)
	}
}

// deadline is what leaves a sign of life time to arrive; 0 when nobody waits for one.
func (s systemd) deadline() time.Duration {
	return s.watchdog / 2
}
