package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"errand/internal/agent/executor"
	"errand/internal/agent/identity"
	"errand/internal/agent/journal"
	"errand/internal/protocol"
)

func id(n int) protocol.Task { return protocol.Task{Invocation: uint64(1000 + n), Index: uint32(n)} }

func script(n int, text string) protocol.Run {
	return protocol.Run{Task: id(n), Spec: protocol.Spec{Content: []byte(text), Type: "shell", KillTree: true}}
}

// lines counts the lines of a file to which commands add one each.
func lines(t *testing.T, path string) int {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return bytes.Count(b, []byte("\n"))
}

func TestOneCommand(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.mu.Lock()
	s.patient = true
	s.mu.Unlock()
	n := newNode(t, s)
	n.config = func(c *Config) {
		c.tempo = &tempo{received: time.Hour, started: time.Hour, output: time.Hour, resend: time.Hour, maxResend: time.Hour}
	}
	before := time.Now()
	n.start()
	s.await("hello", func() bool { return len(s.hellos) > 0 })
	s.run(script(1, "echo out; echo err >&2; exit 7"))
	got := s.result(id(1))
	f := got.finished
	if f.Outcome != protocol.OutcomeExited || f.ExitCode != 7 || f.Stdout != 4 || f.Stderr != 4 || f.End != 8 || f.DrainCut {
		t.Errorf("finished: %+v", f)
	}
	if string(got.out) != "out\n" || string(got.err) != "err\n" {
		t.Errorf("output %q and %q", got.out, got.err)
	}
	if f.Started < before.UnixMicro() || f.Ended < f.Started || f.Ended > time.Now().UnixMicro() {
		t.Errorf("started %d, ended %d", f.Started, f.Ended)
	}
	n.await("the folder to go", func() bool {
		_, err := os.Stat(n.agent.dirOf(id(1)))
		return errors.Is(err, os.ErrNotExist)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	want := s.messages
	want[protocol.KindHello], want[protocol.KindFinished] = 1, 1
	if sum(s.messages) != 2 || s.messages != want {
		t.Errorf("%d messages for Hello and a short task, %d of them Finished", sum(s.messages), s.messages[protocol.KindFinished])
	}
	if h := s.hellos[0]; h.Version != protocol.Version || h.Agent != "1.2.3" || h.BootID == "" || h.StartID == "" || h.OS != "linux" ||
		h.OSName == "" || h.Kernel == "" || h.Arch == "" || h.Zone == "" || h.Clock < before.Add(-time.Minute).UnixMicro() {
		t.Errorf("hello: %+v", h)
	}
}

func sum(counts [256]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// hog is a command that needs a hundred million bytes of memory, and fails without them.
const hog = "head -c 100000000 /dev/zero | tail -c 100000000 >/dev/null"

func TestSpecReachesTheCommand(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.start()
	m := script(1, `pwd; echo "$GREETING"`)
	m.Spec.WorkDir, m.Spec.Env, m.Spec.Launcher = "/usr", map[string]string{"GREETING": "moin"}, "sh"
	s.run(m)
	m = script(3, "nice; ulimit -n; ulimit -c; shopt -q login_shell; echo $PROFILE; "+hog)
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".profile"), []byte("PROFILE=read\nexport PROFILE\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.Spec.Env = map[string]string{"HOME": home}
	m.Spec.Login, m.Spec.Limits = true, &protocol.Limits{Nice: 5, OpenFiles: 77, CoreSize: new(uint64), Memory: 32 << 20}
	s.run(m)
	m = script(2, "sleep 300")
	m.Spec.Timeout = 1
	s.run(m)
	for i, change := range []func(*protocol.Spec){
		func(p *protocol.Spec) { p.User = "nobody-of-that-name" },
		func(p *protocol.Spec) { p.User = "$(reboot)" },
		func(p *protocol.Spec) { p.WorkDir = "/no/such/folder" },
		func(p *protocol.Spec) { p.Launcher = "no-such-interpreter" },
		func(p *protocol.Spec) { p.Launcher = "'" },
		func(p *protocol.Spec) { p.Type = "powershell" },
		func(p *protocol.Spec) { p.Type = "cobol" },
		func(p *protocol.Spec) { p.Limits = &protocol.Limits{OpenFiles: math.MaxUint64} },
	} {
		m := script(10+i, "echo hi")
		change(&m.Spec)
		s.run(m)
	}
	if got := s.result(id(1)); string(got.out) != "/usr\nmoin\n" {
		t.Errorf("output %q of %+v", got.out, got.finished)
	}
	if got := s.result(id(2)); got.finished.Outcome != protocol.OutcomeTimedOut {
		t.Errorf("timeout: %+v", got.finished)
	}
	if got := s.result(id(3)); string(got.out) != "5\n77\n0\nread\n" || got.finished.Outcome != protocol.OutcomeOutOfMemory || got.finished.ExitCode != 137 {
		t.Errorf("limits: %q, %+v", got.out, got.finished)
	}
	for i, want := range []protocol.Outcome{
		protocol.OutcomeUserNotFound, protocol.OutcomeInvalid, protocol.OutcomeDirNotFound, protocol.OutcomeNoInterpreter,
		protocol.OutcomeInvalid, protocol.OutcomeNotApplicable, protocol.OutcomeNotApplicable, protocol.OutcomeLimits,
	} {
		if got := s.result(id(10 + i)).finished; got.Outcome != want || got.Detail == "" || got.Started != 0 || got.Ended == 0 {
			t.Errorf("refusal %d: %+v, want outcome %d", i, got, want)
		}
	}
}

func TestManyShortTasks(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	ran := filepath.Join(t.TempDir(), "ran")
	n.start()
	const count = 300
	for i := range count {
		s.run(script(i, fmt.Sprintf("echo %d >> %s; echo task %d", i, ran, i)))
	}
	for i := range count {
		got := s.result(id(i))
		if want := fmt.Sprintf("task %d\n", i); string(got.out) != want || got.finished.Outcome != protocol.OutcomeExited {
			t.Errorf("task %d: %q, %+v", i, got.out, got.finished)
		}
	}
	if got := lines(t, ran); got != count {
		t.Errorf("%d executions of %d tasks", got, count)
	}
}

// The same delivery ten times: while new, while it runs, after its end, after a restart.
func TestRepeatedDelivery(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.config = func(c *Config) { c.tempo = quick() }
	dir := t.TempDir()
	ran, gate := filepath.Join(dir, "ran"), filepath.Join(dir, "gate")
	n.start()
	m := script(1, fmt.Sprintf("echo x >> %s; until test -e %s; do sleep 0.01; done; echo done", ran, gate))
	for range 10 {
		s.run(m)
	}
	s.await("start", func() bool { return s.job(m.Task).started > 0 })
	for range 10 {
		s.run(m)
	}
	n.stop()
	n.start()
	for range 10 {
		s.run(m)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	first := *s.result(m.Task).finished
	for round := range 2 {
		s.mu.Lock()
		s.job(m.Task).finished, s.job(m.Task).final = nil, false // a server restored from a backup
		s.mu.Unlock()
		for range 10 {
			s.run(m)
		}
		again := *s.result(m.Task).finished
		if again.Outcome != first.Outcome || again.Started != first.Started || again.Ended != first.Ended || again.Stdout != first.Stdout {
			t.Errorf("round %d: %+v, first %+v", round, again, first)
		}
		n.stop()
		n.start()
	}
	if got := lines(t, ran); got != 1 {
		t.Errorf("%d executions", got)
	}
}

func TestStopBeforeRun(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.start()
	ran := filepath.Join(t.TempDir(), "ran")
	s.stop(id(1))
	if got := s.result(id(1)).finished; got.Outcome != protocol.OutcomeNeverStarted {
		t.Errorf("stopped before it came: %+v", got)
	}
	for range 2 {
		s.mu.Lock()
		s.job(id(1)).final = false
		s.mu.Unlock()
		s.run(script(1, "echo x >> "+ran))
		if got := s.result(id(1)).finished; got.Outcome != protocol.OutcomeNeverStarted {
			t.Errorf("came after it was stopped: %+v", got)
		}
		n.stop()
		n.start()
	}
	if got := lines(t, ran); got != 0 {
		t.Error("executed after it was reported as stopped")
	}
}

// A result that only the journal holds is told until it is acknowledged, by the next agent as well.
func TestResultInJournal(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.config = func(c *Config) { c.tempo = quick() }
	s.mu.Lock()
	s.noAcks = true
	s.mu.Unlock()
	n.start()
	s.stop(id(1))
	first := *s.result(id(1)).finished
	n.stop()
	s.mu.Lock()
	s.noAcks, s.job(id(1)).final = false, false
	s.mu.Unlock()
	n.start()
	if got := s.result(id(1)).finished; got.Outcome != protocol.OutcomeNeverStarted || got.Ended != first.Ended {
		t.Errorf("%+v, first %+v", got, first)
	}
	n.await("the agent to forget", func() bool { return len(n.agent.tasks) == 0 })
}

func TestStop(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.config = func(c *Config) { c.MaxRunning, c.tempo = 1, quick() }
	ran := filepath.Join(t.TempDir(), "ran")
	n.start()
	s.run(script(1, "echo begin; sleep 300 & sleep 300"))
	s.await("start", func() bool { return s.job(id(1)).started > 0 })
	s.run(script(2, "echo x >> "+ran))
	s.run(script(3, "echo third"))
	s.await("both to wait", func() bool { return s.job(id(2)).received && s.job(id(3)).received })
	s.stop(id(2))
	if got := s.result(id(2)).finished; got.Outcome != protocol.OutcomeNeverStarted || got.Started != 0 {
		t.Errorf("stopped while waiting: %+v", got)
	}
	s.stop(id(1))
	got := s.result(id(1))
	if got.finished.Outcome != protocol.OutcomeStopped || string(got.out) != "begin\n" {
		t.Errorf("stopped while running: %q, %+v", got.out, got.finished)
	}
	if got := s.result(id(3)); string(got.out) != "third\n" {
		t.Errorf("the next task: %q, %+v", got.out, got.finished)
	}
	s.mu.Lock()
	s.job(id(1)).final = false
	s.mu.Unlock()
	s.stop(id(1)) // too late, and again
	if got := s.result(id(1)).finished; got.Outcome != protocol.OutcomeStopped {
		t.Errorf("stopped after its end: %+v", got)
	}
	if lines(t, ran) != 0 {
		t.Error("a stopped task ran")
	}
}

// Stop finds a task in the moment in which it is started.
func TestStopWhileStarting(t *testing.T) {
	t.Parallel()
	for name, process := range map[string]bool{"before the supervisor": false, "after the supervisor": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			n := newNode(t, s)
			var stopped atomic.Bool
			inStart, goOn := make(chan struct{}), make(chan struct{})
			n.config = func(c *Config) {
				c.tempo = quick()
				c.start = func(ctx context.Context, spec executor.Spec, dir, exe string) (*executor.Task, error) {
					var task *executor.Task
					var err error
					if process {
						task, err = executor.Start(ctx, spec, dir, exe)
					}
					close(inStart)
					<-goOn
					if !process {
						task, err = executor.Start(ctx, spec, dir, exe)
					}
					stopped.Store(true)
					return task, err
				}
			}
			n.start()
			s.run(script(1, "sleep 300"))
			<-inStart
			s.stop(id(1))
			n.await("stop", func() bool { return n.agent.tasks[id(1)].stop })
			close(goOn)
			if got := s.result(id(1)).finished; got.Outcome != protocol.OutcomeStopped || !stopped.Load() {
				t.Errorf("%+v", got)
			}
		})
	}
}

// await waits until an agent's state is as wanted.
func (n *node) await(what string, ok func() bool) {
	n.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(time.Millisecond) {
		n.agent.mu.Lock()
		done := ok()
		n.agent.mu.Unlock()
		if done {
			return
		}
		if time.Now().After(deadline) {
			n.t.Fatalf("gave up waiting for: %s", what)
		}
	}
}

func TestTaskExpiresWhileWaiting(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.config = func(c *Config) { c.MaxRunning, c.tempo = 1, quick() }
	ran := filepath.Join(t.TempDir(), "ran")
	n.start()
	s.run(script(1, "sleep 300"))
	s.await("start", func() bool { return s.job(id(1)).started > 0 })
	m := script(2, "echo x >> "+ran)
	m.TTL = 200
	s.run(m)
	if got := s.result(id(2)).finished; got.Outcome != protocol.OutcomeExpired || got.Started != 0 {
		t.Errorf("%+v", got)
	}
	s.stop(id(1))
	s.result(id(1))
	if lines(t, ran) != 0 {
		t.Error("an expired task ran")
	}
}

// A task that waited longer than it may while no agent ran is not started by the next one, whatever the clock says.
func TestTaskExpiresWhileNoAgentRuns(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := journal.Moment{Wall: noon, Boot: "boot-1", Uptime: time.Hour}
	for name, c := range map[string]struct {
		now  journal.Moment
		want protocol.Outcome
	}{
		"in time":                  {journal.Moment{Wall: noon.Add(9 * time.Minute), Boot: "boot-1", Uptime: time.Hour + 9*time.Minute}, protocol.OutcomeExited},
		"too late":                 {journal.Moment{Wall: noon.Add(11 * time.Minute), Boot: "boot-1", Uptime: time.Hour + 11*time.Minute}, protocol.OutcomeExpired},
		"too late, clock set back": {journal.Moment{Wall: noon.Add(-time.Hour), Boot: "boot-1", Uptime: time.Hour + 11*time.Minute}, protocol.OutcomeExpired},
		"too late, after a reboot": {journal.Moment{Wall: noon.Add(11 * time.Minute), Boot: "boot-2", Uptime: time.Minute}, protocol.OutcomeExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			n := newNode(t, s)
			m := script(1, "echo hi")
			n.journal(journal.Record{Task: m.Task, State: journal.Accepted, At: at, TTL: 10 * time.Minute, Run: m.Append(nil)})
			n.config = func(cfg *Config) { cfg.Clock = func() journal.Moment { return c.now } }
			n.start()
			if got := s.result(m.Task).finished; got.Outcome != c.want {
				t.Errorf("%+v, want outcome %d", got, c.want)
			}
		})
	}
}

// journal writes what an earlier agent could have written.
func (n *node) journal(records ...journal.Record) {
	n.t.Helper()
	j, err := journal.Open(filepath.Join(n.dir, "journal"), time.Now, discard())
	if err != nil {
		n.t.Fatal(err)
	}
	if err := errors.Join(j.Append(records...), j.Close()); err != nil {
		n.t.Fatal(err)
	}
}

// Without a word about it, sixteen commands run at a time and the others wait.
func TestSixteenAtATime(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.start()
	gate := filepath.Join(t.TempDir(), "gate")
	const count = DefaultMaxRunning + 2
	for i := range count {
		s.run(script(i, "until test -e "+gate+"; do sleep 0.05; done"))
	}
	n.await("all to be there and as many as may to run", func() bool {
		at := map[phase]int{}
		for _, t := range n.agent.tasks {
			at[t.phase]++
		}
		if at[running] > 16 {
			t.Fatalf("%d run", at[running])
		}
		return at[running] == 16 && at[waiting] == count-16
	})
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range count {
		s.result(id(i))
	}
}

func TestTooManyWait(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.config = func(c *Config) { c.MaxRunning, c.MaxWaiting, c.tempo = 1, 2, quick() }
	n.start()
	s.run(script(0, "sleep 300"))
	s.await("start", func() bool { return s.job(id(0)).started > 0 })
	for i := range 2 {
		s.run(script(1+i, "true"))
		s.await("the task to wait", func() bool { return s.job(id(1 + i)).received })
	}
	s.run(script(3, "true"))
	if got := s.result(id(3)).finished; got.Outcome != protocol.OutcomeTooMany {
		t.Errorf("%+v", got)
	}
	s.stop(id(0))
	for i := range 3 {
		s.result(id(i))
	}
}

func TestPanicEndsOneTask(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.config = func(c *Config) {
		c.start = func(ctx context.Context, spec executor.Spec, dir, exe string) (*executor.Task, error) {
			if strings.Contains(string(spec.Script), "poison") {
				panic("bad luck")
			}
			return executor.Start(ctx, spec, dir, exe)
		}
	}
	n.start()
	s.run(script(1, "poison"))
	if got := s.result(id(1)).finished; got.Outcome != protocol.OutcomeAgentFault || got.Detail != "bad luck" {
		t.Errorf("%+v", got)
	}
	s.run(script(2, "echo fine"))
	if got := s.result(id(2)); string(got.out) != "fine\n" {
		t.Errorf("the next task: %q, %+v", got.out, got.finished)
	}
}

// fullDisk is a journal that takes nothing while full is set.
type fullDisk struct {
	memory
	full *atomic.Bool
}

func (d fullDisk) Append(records ...journal.Record) error {
	if d.full.Load() {
		return journal.Failing{Err: syscall.ENOSPC}.Append(records...)
	}
	return d.memory.Append(records...)
}

func (d fullDisk) Note(records ...journal.Record) error {
	if d.full.Load() {
		return journal.Failing{Err: syscall.ENOSPC}.Note(records...)
	}
	return d.memory.Note(records...)
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	dir := t.TempDir()
	ran, gate := filepath.Join(dir, "ran"), filepath.Join(dir, "gate")
	var full atomic.Bool
	n.config = func(c *Config) {
		c.MaxRunning, c.tempo = 2, quick()
		c.store = func(dir string) (memory, error) {
			j, err := journal.Open(dir, time.Now, discard())
			return fullDisk{j, &full}, err
		}
	}
	n.start()
	s.run(script(1, "until test -e "+gate+"; do sleep 0.01; done; echo done"))
	s.run(script(2, "sleep 300"))
	s.await("both to run", func() bool { return s.job(id(1)).started > 0 && s.job(id(2)).started > 0 })
	s.run(script(3, "echo x >> "+ran))
	s.await("the third to wait", func() bool { return s.job(id(3)).received })
	full.Store(true)

	s.run(script(4, "echo x >> "+ran))
	if got := s.result(id(4)).finished; got.Outcome != protocol.OutcomeNoSpace {
		t.Errorf("new task on a full disk: %+v", got)
	}
	// What is told must stay true after a restart. So a waiting task that is stopped is not told before it is written down.
	s.stop(id(3))
	n.await("stop", func() bool { return n.agent.tasks[id(3)].phase == ended })
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.result(id(1)); string(got.out) != "done\n" {
		t.Errorf("task that ran already: %q, %+v", got.out, got.finished)
	}
	s.mu.Lock()
	if s.job(id(3)).finished != nil {
		t.Error("told before it was written down")
	}
	s.mu.Unlock()

	full.Store(false)
	if got := s.result(id(3)).finished; got.Outcome != protocol.OutcomeNeverStarted {
		t.Errorf("waiting task that was stopped: %+v", got)
	}
	s.run(script(5, "echo again"))
	if got := s.result(id(5)); string(got.out) != "again\n" {
		t.Errorf("new task with space again: %q, %+v", got.out, got.finished)
	}
	s.stop(id(2))
	s.result(id(2))
	if lines(t, ran) != 0 {
		t.Error("a refused or stopped task ran")
	}
}

// A journal that takes nothing from the beginning.
func TestFailingJournal(t *testing.T) {
	t.Parallel()
	for errno, want := range map[syscall.Errno]protocol.Outcome{
		syscall.ENOSPC: protocol.OutcomeNoSpace,
		syscall.EROFS:  protocol.OutcomeReadOnly,
		syscall.EIO:    protocol.OutcomeAgentFault,
	} {
		t.Run(errno.Error(), func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			n := newNode(t, s)
			n.config = func(c *Config) {
				c.store = func(string) (memory, error) { return journal.Failing{Err: errno}, nil }
				c.start = func(context.Context, executor.Spec, string, string) (*executor.Task, error) {
					t.Error("started without being written down")
					return nil, errors.New("no")
				}
			}
			n.start()
			s.run(script(1, "true"))
			if got := s.result(id(1)).finished; got.Outcome != want {
				t.Errorf("%+v, want outcome %d", got, want)
			}
		})
	}
}

func TestOneAgentPerFolder(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.start()
	s.await("hello", func() bool { return len(s.hellos) > 0 })
	second, err := New(Config{Dir: n.dir, SelfExe: testProgram(t), Dial: s.dial})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Run(t.Context()); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), n.dir) {
		t.Errorf("second agent: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{Dir: t.TempDir()}); err == nil {
		t.Error("no program, no dialer")
	}
	s := newServer(t)
	if _, err := New(Config{Dir: t.TempDir(), SelfExe: "x", Dial: s.dial}); !errors.Is(err, identity.ErrNotEnrolled) {
		t.Errorf("no identity: %v", err)
	}
}

func TestDialIsRepeated(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	var tries atomic.Int32
	n.config = func(c *Config) {
		c.Dial = func(ctx context.Context, id identity.Identity, l Line) (Link, error) {
			if id.NodeID != "web-1" {
				t.Errorf("dialled as %v", id)
			}
			if tries.Add(1) == 1 {
				return nil, errors.New("not yet")
			}
			return s.dial(ctx, id, l)
		}
	}
	n.start()
	s.await("hello", func() bool { return len(s.hellos) > 0 })
}
