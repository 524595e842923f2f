//go:build unix

package upgrade

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Supported says whether programs can be replaced here.
const Supported = true

// The variables in which a launcher tells the programs that it starts where it lies, and whether it watches. They take them out of their
// environment.
const (
	launchedBy = "ERRAND_AGENT_LAUNCHED_BY"
	onTrial    = "ERRAND_AGENT_ON_TRIAL"
)

// Launched returns how this process was started; false if no launcher did.
func Launched() (Launch, bool) {
	l := Launch{Path: os.Getenv(launchedBy), By: true, Trial: os.Getenv(onTrial) != ""}
	for _, name := range []string{launchedBy, onTrial} {
		_ = os.Unsetenv(name) // the names are valid
	}
	return l, l.Path != ""
}

// lock keeps other launchers, and agents that change the folder, out until unlock.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return func() {
		_ = unix.Flock(int(f.Fd()), unix.LOCK_UN) // closing does it as well, unless a child is just being forked
		f.Close()
	}, nil
}

// Exec replaces this process by a program, which learns where its launcher lies; empty for the launcher itself. It returns only if that is not
// possible.
func Exec(program, launcher string, args []string) error {
	env := os.Environ()
	if launcher != "" {
		env = append(env, launchedBy+"="+launcher)
	}
	return fmt.Errorf("execute %s: %w", program, unix.Exec(program, args, env))
}

// How long a child on trial may take to end: after it has proved itself, and after it was asked to.
const (
	proveGrace = 15 * time.Second
	stopGrace  = 20 * time.Second
)

// Try runs a program on trial and returns when it has ended, or was ended because it did not prove itself in time. over means that this
// process was asked to end instead, and with it the program; the trial goes on with the next start. The processes that the program started
// stay.
func (l *Launcher) Try(ctx context.Context, c Choice, launcher string, args []string) (over bool, err error) {
	// The child is to end with this process. The kernel means the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	child := exec.Command(c.Program, args[1:]...) //nolint:gosec,noctx // verified, and ended below in our own way
	child.Args[0] = args[0]
	child.Env = append(os.Environ(), launchedBy+"="+launcher, onTrial+"=1")
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	child.SysProcAttr = dieWithParent()
	l.Log.Info("new version on trial", "version", c.Version, "window", c.Window)
	if err := child.Start(); err != nil {
		return false, l.Condemn(c.Version, "it could not be started: "+err.Error())
	}
	ended, how := make(chan struct{}), error(nil)
	go func() {
		how = child.Wait()
		close(ended)
	}()
	over, reason := l.watch(ctx, c, child.Process, ended)
	if reason == "" {
		reason = "it ended before the server had welcomed it: " + ending(how)
	}
	switch {
	case over:
		return true, l.uncount()
	case l.Proved(c.Version):
		return false, nil
	}
	l.Log.Error("new version did not prove itself", "version", c.Version, "reason", reason)
	return false, l.Condemn(c.Version, reason)
}

// watch waits for the end of a child on trial, or brings it about. reason is why it was ended; empty if it ended by itself.
func (l *Launcher) watch(ctx context.Context, c Choice, child *os.Process, ended <-chan struct{}) (over bool, reason string) {
	late := time.NewTimer(c.Window)
	defer late.Stop()
	select {
	case <-ended:
		return false, ""
	case <-ctx.Done():
		end(child, ended, unix.SIGTERM, stopGrace)
		return true, ""
	case <-late.C:
	}
	grace := time.Duration(0)
	if l.Proved(c.Version) {
		grace = proveGrace // it is about to end by itself
	}
	select {
	case <-ended:
	case <-time.After(grace):
		end(child, ended, unix.SIGKILL, stopGrace)
	}
	return false, fmt.Sprintf("the server did not welcome it within %s", c.Window)
}

// end sends a signal to a child and, if it takes too long, kills it.
func end(child *os.Process, ended <-chan struct{}, signal unix.Signal, grace time.Duration) {
	_ = child.Signal(signal) // it may have ended
	select {
	case <-ended:
	case <-time.After(grace):
		_ = child.Kill()
		<-ended
	}
}

func ending(err error) string {
	if err == nil {
		return "exit status 0"
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.String()
	}
	return strings.TrimSpace(err.Error())
}
