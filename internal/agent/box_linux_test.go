package agent

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"errand/internal/agent/container"
	"errand/internal/protocol"
)

// process1 stands for a container: a script that runs on this machine.
type process1 struct {
	cmd  *exec.Cmd
	done chan struct{}
}

func (p *process1) Wait() (int, error) {
	<-p.done
	if s, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return 128 + int(s.Signal()), nil
	}
	return p.cmd.ProcessState.ExitCode(), nil
}

func (p *process1) Kill(context.Context, time.Duration) error {
	err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
	return err
}

// enterHere knows one container, "web", as whose user the file names everything it is told.
func enterHere(_ context.Context, ref container.Ref, script *container.Exec) (boxed, error) {
	switch {
	case ref.Name == "odd":
		return nil, errors.New("something else")
	case ref.Name != "web":
		return nil, &container.Error{Fault: container.NotFound, Detail: ref.Name}
	case script == nil:
		return nil, nil
	}
	p := &process1{cmd: exec.Command("sh", "-c", string(script.Script), script.User, script.WorkDir), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = script.Stdout, script.Stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func boxing(n int, text string) protocol.Run {
	m := script(n, text)
	m.Spec.ContainerName = "web"
	return m
}

func TestCommandInContainer(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.config = func(c *Config) { c.tempo, c.enter = quick(), enterHere }
	n.start()
	ran := filepath.Join(t.TempDir(), "ran")
	m := boxing(1, "echo x >> "+ran+"\r\necho $0 in $1\r\necho oops >&2\r\nsleep 0.2\r\nseq 100000\r\nexit 7\r\n")
	m.Spec.User, m.Spec.WorkDir = "joe", "/srv"
	s.run(m)
	s.await("first line", func() bool { return s.job(m.Task).started > 0 && len(s.job(m.Task).out) > 0 })
	got := s.result(m.Task)
	if f := got.finished; f.Outcome != protocol.OutcomeExited || f.ExitCode != 7 || f.Started == 0 || f.Ended < f.Started || f.Stderr != 5 ||
		string(got.out) != "joe in /srv\n"+string(seq(100000)) || string(got.err) != "oops\n" || got.gaps != 0 {
		t.Errorf("%d bytes and %q, %+v", len(got.out), got.err, f)
	}
	s.mu.Lock()
	s.job(m.Task).final = false
	s.mu.Unlock()
	s.run(m)
	s.result(m.Task)
	if lines(t, ran) != 1 {
		t.Errorf("%d executions", lines(t, ran))
	}
	n.await("the folder to go", func() bool {
		_, err := os.Stat(n.agent.dirOf(m.Task))
		return errors.Is(err, os.ErrNotExist)
	})
}

func TestCommandInContainerIsEnded(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.config = func(c *Config) { c.tempo, c.enter = quick(), enterHere }
	n.start()
	long := "echo begun; sleep 300 & sleep 300"
	stopped, late, left := boxing(1, long), boxing(2, long), boxing(3, long)
	late.Spec.Timeout = 1
	for _, m := range []protocol.Run{stopped, late, left} {
		s.run(m)
		s.await("output", func() bool { return len(s.job(m.Task).out) > 0 })
	}
	s.stop(stopped.Task)
	if got := s.result(stopped.Task); got.finished.Outcome != protocol.OutcomeStopped || string(got.out) != "begun\n" {
		t.Errorf("%q, %+v", got.out, got.finished)
	}
	if got := s.result(late.Task); got.finished.Outcome != protocol.OutcomeTimedOut || string(got.out) != "begun\n" {
		t.Errorf("%q, %+v", got.out, got.finished)
	}
	n.stop()
	n.start()
	if got := s.result(left.Task); got.finished.Outcome != protocol.OutcomeInterrupted || string(got.out) != "begun\n" || got.finished.Started == 0 {
		t.Errorf("%q, %+v", got.out, got.finished)
	}
}

func TestContainerRefuses(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.config = func(c *Config) { c.tempo, c.enter = quick(), enterHere }
	n.start()
	for i, c := range []struct {
		want   protocol.Outcome
		change func(*protocol.Spec)
	}{
		{protocol.OutcomeContainerNotFound, func(p *protocol.Spec) { p.ContainerName = "db" }},
		{protocol.OutcomeContainerRuntimeError, func(p *protocol.Spec) { p.ContainerName = "odd" }},
		{protocol.OutcomeContainerNotFound, func(p *protocol.Spec) { p.ContainerName, p.DryRun = "db", true }},
		{protocol.OutcomeNotApplicable, func(p *protocol.Spec) { p.Type = "bat" }},
		{protocol.OutcomeInvalid, func(p *protocol.Spec) { p.Launcher = "python3" }},
		{protocol.OutcomeExited, func(p *protocol.Spec) { p.DryRun = true }},
	} {
		m := boxing(i, "echo ran")
		c.change(&m.Spec)
		s.run(m)
		if got := s.result(m.Task); got.finished.Outcome != c.want || got.finished.Started != 0 || len(got.out) != 0 {
			t.Errorf("%q, %+v, want outcome %d", got.out, got.finished, c.want)
		}
	}
}

// Without a container runtime on the machine the vendors' word for that is the answer.
func TestNoContainerRuntime(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.start()
	m := boxing(1, "true")
	m.Spec.ContainerName, m.Spec.ContainerID = "", "rkt://abc"
	s.run(m)
	if got := s.result(m.Task).finished; got.Outcome != protocol.OutcomeContainerUnsupported || got.Detail == "" {
		t.Errorf("%+v", got)
	}
}
