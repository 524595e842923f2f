//go:build unix

package program

import (
	"net"
	"os"
	"strconv"
	"testing"
	"time"
)

// manager is a service manager's end of the socket.
func manager(t *testing.T) (address string, heard func() string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "sd") //nolint:usetesting // a socket needs a short path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	address = dir + "/notify"
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return address, func() string {
		b := make([]byte, 256)
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

func TestSystemd(t *testing.T) {
	t.Parallel()
	address, heard := manager(t)
	env := func(extra map[string]string) func(string) string {
		return func(name string) string {
			if name == "NOTIFY_SOCKET" {
				return address
			}
			return extra[name]
		}
	}
	s := newSystemd(env(map[string]string{"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": strconv.Itoa(os.Getpid())}), os.Getpid())
	if s.deadline() != 1500*time.Millisecond {
		t.Errorf("deadline %v", s.deadline())
	}
	for _, c := range []struct {
		say  func()
		want string
	}{{s.ready, "READY=1"}, {s.alive, "WATCHDOG=1"}, {s.stopping, "STOPPING=1"}} {
		c.say()
		if got := heard(); got != c.want {
			t.Errorf("heard %q, want %q", got, c.want)
		}
	}
	// A watchdog that is meant for another process, and none.
	for _, extra := range []map[string]string{{"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "x"}, nil} {
		s := newSystemd(env(extra), os.Getpid())
		s.alive()
		s.ready()
		if got := heard(); got != "READY=1" || s.deadline() != 0 {
			t.Errorf("%v: heard %q, deadline %v", extra, got, s.deadline())
		}
	}
	none := newSystemd(func(string) string { return "" }, 1)
	none.ready()
	newSystemd(func(string) string { return "/nowhere" }, 1).ready()
}
