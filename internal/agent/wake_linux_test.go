package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"errand/internal/protocol"
)

func TestRateFires(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	m := planned1(1, "rate(60s)", "echo out; echo err >&2; exit 7")
	m.Spec.Plan.Created = noon.Add(-10 * time.Second).UnixMicro()
	r.plan(m)
	for range 3 {
		r.s.run(m)
	}
	if n := r.agent.active(); n != 0 {
		t.Errorf("a plan counts as %d active tasks", n)
	}
	r.pass(49 * time.Second)
	r.wantRuns(m.Task)
	for i := range 3 {
		r.pass(time.Duration(1+59*min(i, 1)) * time.Second)
		got := r.s.result(runAt(m.Task, time.Duration(50+60*i)*time.Second))
		if got.finished.ExitCode != 7 || string(got.out) != "out\n" || string(got.err) != "err\n" || got.finished.Started == 0 {
			t.Errorf("run %d: %q, %q, %+v", i, got.out, got.err, got.finished)
		}
		r.idle()
	}
	r.wantRuns(m.Task, 50*time.Second, 110*time.Second, 170*time.Second)
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if j := r.s.tasks[m.Task]; j.finished != nil || j.received || j.started != 0 {
		t.Errorf("told about the plan: %+v", j)
	}
	if _, err := os.Stat(r.agent.dirOf(runAt(m.Task, 50*time.Second))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("folder of an old run: %v", err)
	}
}

// While a run lives, or waits for its turn, the plan is silent.
func TestRunsDoNotOverlap(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.config
	r.config = func(c *Config) { first(c); c.MaxRunning = 1 }
	gate := filepath.Join(t.TempDir(), "gate")
	r.started()
	m := planned1(1, "rate(60s)", "until test -e "+gate+"; do sleep 0.01; done")
	r.plan(m)
	r.pass(time.Minute)
	r.s.await("start", func() bool { return r.s.job(runAt(m.Task, time.Minute)).started > 0 })
	r.pass(time.Minute)
	other := planned1(2, "rate(120s)", "echo hi")
	other.Spec.Plan.Created -= int64(time.Minute / time.Microsecond)
	r.plan(other)
	r.pass(time.Minute) // the other one fires, and waits
	r.node.await("the other to wait", func() bool { return len(r.agent.lanes[commandLane].queue) == 1 })
	r.pass(2 * time.Minute)
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.wantRuns(m.Task, time.Minute)
	r.pass(time.Minute)
	r.wantRuns(m.Task, time.Minute, 6*time.Minute)
	r.wantRuns(other.Task, 3*time.Minute)
}

// What was due while no agent ran or the machine slept is not made up for.
func TestMissedRunsAreSkipped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	m := planned1(1, "rate(5m)", "true")
	r.plan(m)
	r.pass(5 * time.Minute)
	r.wantRuns(m.Task, 5*time.Minute)
	r.stop()
	r.pass(13 * time.Minute)
	r.started()
	r.wantRuns(m.Task, 5*time.Minute)
	r.pass(2*time.Minute + 20*time.Second) // a little late is not missed
	r.wantRuns(m.Task, 5*time.Minute, 20*time.Minute)
	r.pass(17 * time.Minute) // asleep
	r.wantRuns(m.Task, 5*time.Minute, 20*time.Minute)
	r.pass(40*time.Minute - (37*time.Minute + 20*time.Second))
	r.wantRuns(m.Task, 5*time.Minute, 20*time.Minute, 40*time.Minute)
}

// Nothing fires at or before the moment that the server names.
func TestPlanBeginsAfter(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	m := planned1(1, "rate(60s)", "true")
	m.After = noon.Add(2 * time.Minute).UnixMicro()
	r.plan(m)
	for range 3 {
		r.pass(time.Minute)
		r.idle()
	}
	r.wantRuns(m.Task, 3*time.Minute)
}

func TestEveryBoot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ran := filepath.Join(t.TempDir(), "ran")
	r.started()
	m := script(1, "echo x >> "+ran)
	m.Spec.Plan = &protocol.Plan{Boot: protocol.BootEvery, Revision: 1}
	r.plan(m)
	for i := range 3 {
		r.pass(time.Hour)
		r.stop()
		r.started()
		r.idle()
		if got := lines(t, ran); got != i {
			t.Errorf("%d runs after %d reboots", got, i)
		}
		r.reboot(fmt.Sprint("later-boot-", i))
		r.s.await("run", func() bool { return lines(t, ran) == i+1 })
		r.idle()
	}
	if got := r.runs(m.Task); len(got) != 3 || got[0] != time.Hour+10*time.Minute {
		t.Errorf("runs %v after noon", got)
	}
	r.s.stop(m.Task)
	if got := r.s.result(m.Task).finished; got.Outcome != protocol.OutcomeStopped {
		t.Errorf("%+v", got)
	}
}

func TestNextBoot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	m := script(1, "exit 6")
	m.Spec.Plan = &protocol.Plan{Boot: protocol.BootNext, Revision: 1}
	r.plan(m)
	r.s.mu.Lock()
	r.s.deaf = true
	r.s.mu.Unlock()
	for i := range 3 {
		r.reboot(fmt.Sprint("later-boot-", i))
		r.node.await("the end", func() bool { return len(r.agent.plans) == 0 })
	}
	r.s.hearAgain(r.agent)
	if got := r.s.result(m.Task).finished; got.Outcome != protocol.OutcomeExited || got.ExitCode != 6 {
		t.Errorf("%+v", got)
	}
	r.wantRuns(m.Task, 10*time.Minute)
}

// A clock that begins anew with each start of the machine does not name two runs alike.
func TestBootWithAStandingClock(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	m := script(1, "true")
	m.Spec.Plan = &protocol.Plan{Boot: protocol.BootEvery}
	r.plan(m)
	for i := range 3 {
		r.stop()
		r.mu.Lock()
		r.now.Boot, r.now.Wall = fmt.Sprint("later-boot-", i), time.Unix(0, 0)
		r.mu.Unlock()
		r.started()
		r.s.await("run", func() bool { return len(r.s.tasks) == 2+i })
		r.idle()
	}
	for due := range int64(3) {
		id := m.Task
		id.Due = due + 1
		r.s.result(id)
	}
}

func TestNoBootsWithoutBootID(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.now.Boot = ""
	r.started()
	m := script(1, "true")
	m.Spec.Plan = &protocol.Plan{Boot: protocol.BootEvery}
	r.s.run(m)
	if got := r.s.result(m.Task).finished; got.Outcome != protocol.OutcomeNotApplicable {
		t.Errorf("%+v", got)
	}
}

// A cron follows the machine's zone and its change, and the night in which the clocks change.
func TestCronInTheMachinesZone(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	r.zone = berlin
	r.now.Wall = time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
	r.started()
	local := planned1(1, "0 30 2 * * ?", "true")
	fixed := planned1(2, "0 30 2 * * ? * GMT+1:00", "true")
	r.plan(local)
	r.plan(fixed)
	at := func(day, hour, minute int) time.Duration {
		return time.Date(2026, 3, day, hour, minute, 0, 0, time.UTC).Sub(noon)
	}
	for range 2 * 48 {
		r.pass(30 * time.Minute)
		r.idle()
	}
	r.wantRuns(local.Task, at(28, 1, 30), at(29, 1, 30)) // 03:30 in the second night, since there is no 02:30
	r.wantRuns(fixed.Task, at(28, 1, 30), at(29, 1, 30))
	r.mu.Lock()
	r.zone = time.UTC
	r.mu.Unlock()
	for range 6 {
		r.pass(30 * time.Minute)
		r.idle()
	}
	r.wantRuns(local.Task, at(28, 1, 30), at(29, 1, 30), at(30, 2, 30))
	r.wantRuns(fixed.Task, at(28, 1, 30), at(29, 1, 30), at(30, 1, 30))
}

// The clock is set back and forth. No moment fires twice, and no plan falls silent.
func TestClockIsSet(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	m := planned1(1, "rate(10m)", "true")
	r.plan(m)
	ten := 10 * time.Minute
	r.pass(ten)
	r.wantRuns(m.Task, ten)
	r.set(noon.Add(ten - time.Second)) // a correction just after a run
	r.pass(time.Second)
	r.pass(time.Second)
	r.wantRuns(m.Task, ten)
	r.set(noon.Add(4*365*24*time.Hour + time.Minute)) // far ahead
	r.pass(ten - time.Minute)
	far := 4*365*24*time.Hour + ten
	r.wantRuns(m.Task, ten, far)
	r.set(noon.Add(15 * time.Minute)) // and right again
	r.pass(5 * time.Minute)
	r.wantRuns(m.Task, ten, 2*ten, far)
	r.set(noon.Add(2*ten + 30*time.Second)) // forward, across nothing
	r.set(noon.Add(3*ten + 20*time.Second)) // forward, across a moment that is not long ago
	r.wantRuns(m.Task, ten, 2*ten, 3*ten, far)
	r.set(noon.Add(-time.Hour)) // before its creation
	r.stop()
	r.started()
	r.set(noon.Add(4*ten + ten/2))
	r.wantRuns(m.Task, ten, 2*ten, 3*ten, far)
	r.pass(ten / 2)
	r.wantRuns(m.Task, ten, 2*ten, 3*ten, 5*ten, far)
}
