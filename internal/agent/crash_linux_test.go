package agent

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"errand/internal/agent/journal"
	"errand/internal/protocol"
)

// process is an agent in a process of its own.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	pipe *pipe
	read chan struct{} // closed when all it said was heard
}

func startProcess(t *testing.T, s *server, dir string, env ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(testProgram(t)), read: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), append(env, agentDir+"="+dir)...)
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.pipe = &pipe{
		server: s,
		in:     newCourier(func(msg []byte) { _ = writeFrame(in, msg) }), // a dead agent hears nothing
		out:    newCourier(s.hear),
	}
	s.mu.Lock()
	s.link = p.pipe
	s.mu.Unlock()
	go func() {
		defer close(p.read)
		r := bufio.NewReader(out)
		for {
			msg, err := readFrame(r)
			if err != nil {
				return
			}
			_ = p.pipe.Publish(msg)
		}
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends the process as if the power had failed for it alone.
func (p *process) kill() {
	if p.cmd.ProcessState != nil {
		return
	}
	_ = p.cmd.Process.Kill()
	<-p.read
	_ = p.cmd.Wait()
	p.pipe.Close()
}

// gone waits for a process that kills itself.
func (p *process) gone() {
	p.t.Helper()
	select {
	case <-p.read:
	case <-time.After(60 * time.Second):
		p.t.Fatal("the agent did not die")
	}
	p.kill()
}

func TestAgentKilledWhileACommandRuns(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	dir, files := t.TempDir(), t.TempDir()
	enrol(t, dir)
	ran, gate := filepath.Join(files, "ran"), filepath.Join(files, "gate")
	first := startProcess(t, s, dir)
	s.run(script(1, fmt.Sprintf("echo x >> %s; echo before; until test -e %s; do sleep 0.01; done; echo after; exit 3", ran, gate)))
	s.await("output", func() bool { return string(s.job(id(1)).out) == "before\n" })
	first.kill()
	second := startProcess(t, s, dir)
	s.await("the second agent", func() bool { return len(s.hellos) == 2 })
	s.run(script(1, "echo must not run >> "+ran))
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got := s.result(id(1))
	if string(got.out) != "before\nafter\n" || got.finished.ExitCode != 3 || got.finished.Outcome != protocol.OutcomeExited {
		t.Errorf("%q, %+v", got.out, got.finished)
	}
	if n := lines(t, ran); n != 1 {
		t.Errorf("%d executions", n)
	}
	second.kill()
}

// The command ended while no agent was there, and the result has to come all the same.
func TestCommandEndsWhileNoAgentRuns(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	dir, files := t.TempDir(), t.TempDir()
	enrol(t, dir)
	gate, over := filepath.Join(files, "gate"), filepath.Join(files, "over")
	first := startProcess(t, s, dir)
	s.run(script(1, fmt.Sprintf("until test -e %s; do sleep 0.01; done; seq 100000; echo end > %s; exit 3", gate, over)))
	s.await("start", func() bool { return s.job(id(1)).started > 0 })
	first.kill()
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for lines(t, over) == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	startProcess(t, s, dir)
	got := s.result(id(1))
	if !bytes.Equal(got.out, seq(100000)) || got.finished.ExitCode != 3 {
		t.Errorf("%d bytes, %+v", len(got.out), got.finished)
	}
}

// seq is what seq(1) prints.
func seq(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintln(&b, i+1)
	}
	return b.Bytes()
}

func TestAgentKilledBetweenJournalAndStart(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	dir := t.TempDir()
	enrol(t, dir)
	ran := filepath.Join(t.TempDir(), "ran")
	first := startProcess(t, s, dir, agentGap+"=1")
	s.run(script(1, "echo x >> "+ran))
	first.gone()
	startProcess(t, s, dir)
	if got := s.result(id(1)).finished; got.Outcome != protocol.OutcomeInterrupted || got.Started != 0 {
		t.Errorf("%+v", got)
	}
	if lines(t, ran) != 0 {
		t.Error("it was started")
	}
}

// An agent that is killed again and again in the middle of everything loses nothing and repeats nothing.
func TestAgentKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	dir := t.TempDir()
	enrol(t, dir)
	ran := filepath.Join(t.TempDir(), "ran")
	const count = 60
	chance := rand.New(rand.NewPCG(3, 4))
	for round := range 8 {
		p := startProcess(t, s, dir)
		for i := range count / 6 {
			if n := round*count/6 + i; n < count {
				s.run(script(n, fmt.Sprintf("echo %d >> %s; seq 5000; exit 5", n, ran)))
			}
		}
		time.Sleep(time.Duration(20+chance.IntN(150)) * time.Millisecond) // a moment to be killed in
		p.kill()
	}
	startProcess(t, s, dir)
	interrupted := 0
	for i := range count {
		got := s.result(id(i))
		f := got.finished
		if f.Outcome == protocol.OutcomeInterrupted || f.Outcome == protocol.OutcomeSupervisorGone && f.Started == 0 {
			interrupted++ // the agent was killed before there was a command
			continue
		}
		if f.Outcome != protocol.OutcomeExited || !bytes.Equal(got.out, seq(5000)) || f.ExitCode != 5 || got.gaps != 0 {
			t.Errorf("task %d: %d bytes, %+v", i, len(got.out), f)
		}
	}
	b, err := os.ReadFile(ran)
	if err != nil {
		t.Fatal(err)
	}
	times := map[string]int{}
	for _, line := range bytes.Fields(b) {
		times[string(line)]++
		if times[string(line)] > 1 {
			t.Errorf("task %s was executed %d times", line, times[string(line)])
		}
	}
	if len(times)+interrupted < count {
		t.Errorf("%d executed, %d interrupted, of %d", len(times), interrupted, count)
	}
}

// So does one that carries out plans: no moment fires twice, and all that ran is told.
func TestAgentKilledWhilePlansFire(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	dir := t.TempDir()
	enrol(t, dir)
	ran := filepath.Join(t.TempDir(), "ran")
	chance := rand.New(rand.NewPCG(5, 6))
	const plans = 5
	for i := range plans {
		m := script(i, fmt.Sprintf("basename $(dirname $0) >> %s; seq 500; exit 5", ran))
		m.Spec.Plan = &protocol.Plan{Expr: "rate(1s)", Created: time.Now().Add(time.Duration(i) * 200 * time.Millisecond).UnixMicro()}
		s.run(m)
	}
	executed := func() int {
		b, _ := os.ReadFile(ran) // nothing has run before it exists
		return bytes.Count(b, []byte("\n"))
	}
	for round := 0; round < 8 || round < 80 && executed() < plans; round++ { // on a busy machine an agent hardly gets to start anything
		p := startProcess(t, s, dir)
		time.Sleep(time.Duration(300+chance.IntN(700)) * time.Millisecond) // a moment to be killed in
		p.kill()
	}
	startProcess(t, s, dir)
	for i := range plans {
		s.stop(id(i))
	}
	for i := range plans {
		s.result(id(i))
	}
	b, err := os.ReadFile(ran)
	if err != nil {
		t.Fatal(err)
	}
	times := map[protocol.Task]int{}
	for _, line := range bytes.Fields(b) {
		run, ok := taskNamed(string(line))
		if times[run]++; !ok || times[run] > 1 || run.Due == 0 {
			t.Errorf("run %s was executed %d times", line, times[run])
		}
	}
	if len(times) < plans {
		t.Errorf("only %d runs", len(times))
	}
	for run := range times {
		got := s.result(run)
		switch f := got.finished; f.Outcome {
		case protocol.OutcomeExited:
			if f.ExitCode != 5 || !bytes.Equal(got.out, seq(500)) {
				t.Errorf("run %v: %d bytes, %+v", run, len(got.out), f)
			}
		case protocol.OutcomeStopped, protocol.OutcomeSupervisorGone, protocol.OutcomeInterrupted: // the agent was killed in the middle of the start
		default:
			t.Errorf("run %v: %+v", run, f)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for run, j := range s.tasks {
		if run.Due != 0 && j.finished != nil && j.finished.Outcome == protocol.OutcomeExited && times[run] != 1 {
			t.Errorf("run %v was told but not executed", run)
		}
	}
}

func TestSupervisorKilled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reboot bool
		want   protocol.Outcome
	}{
		"alone":            {false, protocol.OutcomeSupervisorGone},
		"with the machine": {true, protocol.OutcomeRebooted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			n := newNode(t, s)
			n.config = func(c *Config) { c.tempo = quick() }
			n.start()
			s.run(script(1, "echo begun; sleep 300"))
			s.await("output", func() bool { return string(s.job(id(1)).out) == "begun\n" })
			n.agent.mu.Lock()
			pid := n.agent.tasks[id(1)].process.Supervisor()
			n.agent.mu.Unlock()
			n.stop()
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			if c.reboot {
				pretendOtherBoot(t, filepath.Join(n.agent.dirOf(id(1)), "spec.json"))
			}
			n.start()
			got := s.result(id(1))
			if got.finished.Outcome != c.want || string(got.out) != "begun\n" || got.finished.Started == 0 {
				t.Errorf("%q, %+v", got.out, got.finished)
			}
		})
	}
}

// pretendOtherBoot makes a task one from before the machine was started.
func pretendOtherBoot(t *testing.T, plan string) {
	t.Helper()
	b, err := os.ReadFile(plan)
	if err != nil {
		t.Fatal(err)
	}
	var p map[string]any
	if err := json.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	p["boot_id"] = "another"
	if b, err = json.Marshal(p); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(plan, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Without its journal an agent still knows from the folders what was started.
func TestJournalLost(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.config = func(c *Config) { c.tempo = quick() }
	files := t.TempDir()
	ran, gate := filepath.Join(files, "ran"), filepath.Join(files, "gate")
	m := script(1, fmt.Sprintf("echo x >> %s; until test -e %s; do sleep 0.01; done; echo done", ran, gate))
	n.start()
	s.run(m)
	s.await("start", func() bool { return s.job(m.Task).started > 0 })
	n.stop()
	if err := os.RemoveAll(filepath.Join(n.dir, "journal")); err != nil {
		t.Fatal(err)
	}
	n.start()
	s.run(m)
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.result(m.Task); string(got.out) != "done\n" {
		t.Errorf("%q, %+v", got.out, got.finished)
	}
	s.mu.Lock()
	s.job(m.Task).final = false
	s.mu.Unlock()
	s.run(m)
	s.result(m.Task)
	if got := lines(t, ran); got != 1 {
		t.Errorf("%d executions", got)
	}
}

func TestJournalDamaged(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	at := machineClock()()
	var sizes []int64
	path := filepath.Join(n.dir, "journal", "journal")
	for i := range 3 {
		m := script(i, fmt.Sprintf("echo %d", i))
		n.journal(journal.Record{Task: m.Task, State: journal.Accepted, At: at, Run: m.Append(nil)})
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, info.Size())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[sizes[0]+50] ^= 0xff
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	n.start()
	if got := s.result(id(0)).finished; got.Outcome != protocol.OutcomeInterrupted {
		t.Errorf("the lost record could have been about this task: %+v", got)
	}
	if got := s.result(id(2)); string(got.out) != "2\n" {
		t.Errorf("task after the damage: %q, %+v", got.out, got.finished)
	}
	s.run(script(1, "echo 1"))
	if got := s.result(id(1)); string(got.out) != "1\n" {
		t.Errorf("task of the lost record, when it came again: %q, %+v", got.out, got.finished)
	}
}

// The folders of tasks that are over do not stay behind.
func TestFoldersAreCleanedUp(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.journal(journal.Record{Task: id(1), State: journal.Done, At: machineClock()(), Result: []byte("x")})
	old := filepath.Join(n.dir, "tasks", nameOf(id(1)))
	other := filepath.Join(n.dir, "tasks", "not-a-task")
	for _, dir := range []string{old, other} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	n.start()
	s.await("hello", func() bool { return len(s.hellos) > 0 })
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("folder of a finished task: %v", err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Errorf("a folder that is not ours: %v", err)
	}
}

// 300 MB of output pass an agent without leaving traces in its memory.
func TestMemory(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	dir := t.TempDir()
	enrol(t, dir)
	p := startProcess(t, s, dir)
	s.await("hello", func() bool { return len(s.hellos) > 0 })
	if got := p.status("VmHWM"); got > idleKB {
		t.Errorf("idle: %d kB resident", got)
	}
	s.run(script(1, "head -c 300000000 /dev/zero"))
	if got := s.result(id(1)); got.finished.Stdout != 300_000_000 || len(got.out) != 64<<20 {
		t.Errorf("%d bytes kept, %+v", len(got.out), got.finished)
	}
	if got := p.status("VmHWM"); got > peakKB {
		t.Errorf("peak: %d kB resident", got)
	}
}

// status reads a number of kilobytes from what the kernel says about the process.
func (p *process) status(name string) int {
	p.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		if value, ok := bytes.CutPrefix(line, []byte(name+":")); ok {
			n, err := strconv.Atoi(string(bytes.Fields(value)[0]))
			if err != nil {
				p.t.Fatal(err)
			}
			return n
		}
	}
	p.t.Fatalf("no %s in %s", name, b)
	return 0
}

// TestControlGroupsDoNotStay removes those of a command whose supervisor was killed, and those that only the kernel still knows.
func TestControlGroupsDoNotStay(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprintf("folder lost: %t", lost), func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			n := newNode(t, s)
			n.config = func(c *Config) { c.tempo = quick() }
			n.start()
			m := script(1, "echo $$; sleep 300")
			m.Spec.Limits = &protocol.Limits{Memory: 1 << 30, Processes: 20}
			s.run(m)
			s.await("output", func() bool { return len(s.job(id(1)).out) > 0 })
			n.agent.mu.Lock()
			supervisor := n.agent.tasks[id(1)].process.Supervisor()
			n.agent.mu.Unlock()
			n.stop()
			if got := groupsOf(t, n.agent); len(got) == 0 {
				t.Fatal("no groups")
			}
			if err := syscall.Kill(supervisor, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			if lost {
				script, err := strconv.Atoi(string(bytes.TrimSpace(s.job(id(1)).out)))
				if err != nil {
					t.Fatal(err)
				}
				for _, g := range groupsOf(t, n.agent) {
					_ = os.WriteFile(filepath.Join(g, "cgroup.kill"), []byte("1"), 0)
				}
				_ = syscall.Kill(-script, syscall.SIGKILL)
				if err := os.RemoveAll(n.agent.dirOf(id(1))); err != nil {
					t.Fatal(err)
				}
				n.await("the processes to go", func() bool { return syscall.Kill(-script, 0) != nil })
			}
			n.start()
			s.result(id(1))
			if got := groupsOf(t, n.agent); len(got) > 0 {
				t.Errorf("left behind: %q", got)
			}
		})
	}
}

// groupsOf lists an agent's control groups.
func groupsOf(t *testing.T, a *Agent) (found []string) {
	t.Helper()
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasSuffix(path, "-"+a.mark) {
			found = append(found, path)
		}
		return nil // groups come and go
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
