package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"errand/internal/agent/journal"
	"errand/internal/protocol"
)

// A plan ends like its last run when nothing will be due any more.
func TestPlanEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	at := planned1(1, "at(2026-03-01 12:10:00)", "echo hi; kill -9 $$")
	years := planned1(2, "0 0 12 1 3 ? 2026-2027", "exit 3")
	past := planned1(3, "at(2026-03-01 11:00:00)", "true")
	r.plan(at)
	r.plan(years)
	r.s.run(past)
	if got := r.s.result(past.Task).finished; got.Outcome != protocol.OutcomeScheduleOver || got.Ended == 0 || got.Started != 0 {
		t.Errorf("over from the beginning: %+v", got)
	}
	r.pass(10 * time.Minute)
	run, end := r.s.result(runAt(at.Task, 10*time.Minute)), r.s.result(at.Task)
	if string(run.out) != "hi\n" || len(end.out) != 0 || end.finished.Signal != 9 || end.finished.ExitCode != 137 || end.finished.End != 0 ||
		end.finished.Outcome != protocol.OutcomeExited || end.finished.Started != run.finished.Started || end.finished.Ended != run.finished.Ended {
		t.Errorf("run %q %+v, plan %q %+v", run.out, run.finished, end.out, end.finished)
	}
	r.stop()
	r.pass(365*24*time.Hour - 10*time.Minute - time.Second)
	r.started()
	r.pass(time.Second)
	if got := r.s.result(years.Task).finished; got.Outcome != protocol.OutcomeExited || got.ExitCode != 3 {
		t.Errorf("after the last year: %+v", got)
	}
	r.wantRuns(years.Task, 365*24*time.Hour)
	r.s.mu.Lock()
	r.s.job(at.Task).final = false
	r.s.mu.Unlock()
	r.s.run(at) // again, long after
	if got := r.s.result(at.Task).finished; got.Signal != 9 {
		t.Errorf("told again: %+v", got)
	}
	r.wantRuns(at.Task, 10*time.Minute)
}

// A plan whose only run was missed is over, and a run that lasts keeps its plan from ending.
func TestPlanWaitsForItsLastRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	gate := filepath.Join(t.TempDir(), "gate")
	r.started()
	long := planned1(1, "at(2026-03-01 12:10:00)", "until test -e "+gate+"; do sleep 0.01; done; exit 4")
	missed := planned1(2, "at(2026-03-01 12:20:00)", "true")
	r.plan(long)
	r.plan(missed)
	r.pass(10 * time.Minute)
	r.s.await("start", func() bool { return r.s.job(runAt(long.Task, 10*time.Minute)).started > 0 })
	r.stop()
	r.pass(time.Hour)
	r.started()
	if got := r.s.result(missed.Task).finished; got.Outcome != protocol.OutcomeScheduleOver {
		t.Errorf("%+v", got)
	}
	r.s.mu.Lock()
	if r.s.job(long.Task).finished != nil {
		t.Error("the plan ended before its run")
	}
	r.s.mu.Unlock()
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := r.s.result(long.Task).finished; got.ExitCode != 4 {
		t.Errorf("%+v", got)
	}
}

func TestPlanRevised(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	m := planned1(1, "rate(60s)", "echo one")
	old := m
	r.plan(m)
	r.pass(time.Minute)
	r.wantRuns(m.Task, time.Minute)
	plan := *m.Spec.Plan
	plan.Expr, plan.Revision = "rate(5m)", 2
	m.Spec.Plan, m.Spec.Content = &plan, []byte("echo two")
	r.plan(m)
	r.stop()
	answers := func() int { return len(r.s.job(m.Task).planned) }
	before := 0
	r.s.await("all answers so far", func() bool { before = answers(); return true })
	r.started() // the revision is remembered
	r.s.await("a greeting with the plan", func() bool { return answers() > before })
	r.s.run(old)
	r.s.await("answer to the old revision", func() bool { return answers() > before+1 && r.s.job(m.Task).planned[answers()-1] == 2 })
	for range 4 {
		r.pass(time.Minute)
	}
	r.wantRuns(m.Task, time.Minute, 5*time.Minute)
	if got := r.s.result(runAt(m.Task, 5*time.Minute)); string(got.out) != "two\n" {
		t.Errorf("%q", got.out)
	}
	plan.Expr, plan.Revision = "at(2020-01-01 00:00:00)", 3
	r.s.run(m)
	if got := r.s.result(m.Task); got.finished.Outcome != protocol.OutcomeExited || len(got.out) != 0 {
		t.Errorf("revised to nothing: %q, %+v", got.out, got.finished)
	}
}

func TestBadPlansHarmNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.config
	r.config = func(c *Config) { first(c); c.MaxWaiting = 2 }
	r.started()
	good := planned1(1, "rate(60s)", "true")
	r.plan(good)
	for i, bad := range []protocol.Plan{
		{Expr: "0 0 9-7 * * ?"},
		{Expr: ""},
		{Expr: "rate(0s)"},
		{Expr: strings.Repeat("*", 100_000)},
		{Boot: 77},
	} {
		m := script(10+i, "true")
		m.Spec.Plan = &bad
		r.s.run(m)
		if got := r.s.result(m.Task).finished; got.Outcome != protocol.OutcomeBadSchedule || got.Detail == "" || len(got.Detail) > maxDetail {
			t.Errorf("%.30q: %+v", bad.Expr, got)
		}
	}
	r.plan(planned1(2, "rate(60s)", "true"))
	third := planned1(3, "rate(60s)", "true")
	r.s.run(third)
	if got := r.s.result(third.Task).finished; got.Outcome != protocol.OutcomeTooMany {
		t.Errorf("one plan too many: %+v", got)
	}
	revised := *good.Spec.Plan
	revised.Expr, revised.Revision = "nonsense", 2
	good.Spec.Plan = &revised
	r.pass(time.Minute)
	r.wantRuns(good.Task, time.Minute)
	r.s.run(good)
	if got := r.s.result(good.Task).finished; got.Outcome != protocol.OutcomeBadSchedule {
		t.Errorf("bad revision: %+v", got)
	}
	run := script(5, "true")
	run.Task.Due = 5
	r.agent.inbox <- run.Append(nil) // nobody may ask for a run itself
	r.agent.inbox <- (&protocol.Planned{Task: run.Task}).Append(nil)
	r.pass(time.Minute)
	r.wantRuns(id(2), time.Minute, 2*time.Minute)
	r.wantRuns(id(5))
}

func TestStopPlan(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	never := planned1(1, "rate(60s)", "true")
	long := planned1(2, "rate(60s)", "echo hi; sleep 300")
	idle := planned1(3, "rate(60s)", "true")
	late := planned1(4, "rate(60s)", "true")
	failing := planned1(5, "rate(60s)", "true")
	failing.Spec.User = "nobody-of-that-name"
	never.Spec.Plan.Created = noon.Add(time.Hour).UnixMicro()
	for _, m := range []protocol.Run{never, long, idle, failing} {
		r.plan(m)
	}
	r.pass(time.Minute)
	run := runAt(long.Task, time.Minute)
	r.s.await("start", func() bool { return string(r.s.job(run).out) == "hi\n" })
	r.s.result(runAt(idle.Task, time.Minute))
	r.s.result(runAt(failing.Task, time.Minute))
	for _, m := range []protocol.Run{never, long, idle, late, failing} {
		r.s.stop(m.Task)
	}
	for task, want := range map[protocol.Task]protocol.Outcome{
		never.Task: protocol.OutcomeNeverStarted, long.Task: protocol.OutcomeStopped, idle.Task: protocol.OutcomeStopped,
		late.Task: protocol.OutcomeNeverStarted, failing.Task: protocol.OutcomeNeverStarted, run: protocol.OutcomeStopped,
	} {
		if got := r.s.result(task).finished; got.Outcome != want {
			t.Errorf("%v: %+v, want outcome %d", task, got, want)
		}
	}
	for range 2 {
		for _, m := range []protocol.Run{never, long, idle, late} {
			r.s.mu.Lock()
			r.s.job(m.Task).final = false
			r.s.mu.Unlock()
			r.s.run(m)
			r.s.stop(m.Task)
			r.s.result(m.Task)
		}
		r.pass(time.Hour)
		r.stop()
		r.started()
	}
	r.wantRuns(long.Task, time.Minute)
	r.wantRuns(late.Task)
}

// A Stop for one run ends that one, also before it is due.
func TestStopOneRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	m := planned1(1, "rate(60s)", "test -e /nonexistent || sleep 300")
	r.plan(m)
	r.pass(time.Minute)
	r.s.await("start", func() bool { return r.s.job(runAt(m.Task, time.Minute)).started > 0 })
	r.s.stop(runAt(m.Task, time.Minute))
	if got := r.s.result(runAt(m.Task, time.Minute)).finished; got.Outcome != protocol.OutcomeStopped {
		t.Errorf("%+v", got)
	}
	r.idle()
	r.s.stop(runAt(m.Task, 2*time.Minute))
	if got := r.s.result(runAt(m.Task, 2*time.Minute)).finished; got.Outcome != protocol.OutcomeNeverStarted {
		t.Errorf("%+v", got)
	}
	r.pass(time.Minute)
	r.pass(time.Minute)
	r.s.await("third", func() bool { return r.s.job(runAt(m.Task, 3*time.Minute)).started > 0 })
	r.s.mu.Lock()
	if j := r.s.job(runAt(m.Task, 2*time.Minute)); j.started != 0 {
		t.Error("it ran although it had been stopped")
	}
	r.s.mu.Unlock()
	r.s.stop(m.Task)
	r.s.result(m.Task)
}

// The word of a server that knows no such plan ends it.
func TestPlanDisowned(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	m := planned1(1, "rate(60s)", "true")
	r.plan(m)
	r.agent.inbox <- (&protocol.Ack{Task: m.Task, Final: true}).Append(nil)
	if got := r.s.result(m.Task).finished; got.Outcome != protocol.OutcomeNeverStarted {
		t.Errorf("%+v", got)
	}
}

func TestPlanSurvivesRestart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir := t.TempDir()
	ran, gate := filepath.Join(dir, "ran"), filepath.Join(dir, "gate")
	r.started()
	m := planned1(1, "rate(60s)", fmt.Sprintf("echo x >> %s; until test -e %s; do sleep 0.01; done; echo done", ran, gate))
	r.plan(m)
	for i := range 3 {
		r.stop()
		r.started()
		r.s.await("a greeting with plans", func() bool { return len(r.s.job(m.Task).planned) >= i+2 })
	}
	r.pass(time.Minute)
	r.s.await("start", func() bool { return r.s.job(runAt(m.Task, time.Minute)).started > 0 })
	for range 3 {
		r.stop()
		r.pass(time.Minute)
		r.started()
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := r.s.result(runAt(m.Task, time.Minute)); string(got.out) != "done\n" {
		t.Errorf("%q, %+v", got.out, got.finished)
	}
	r.pass(time.Minute)
	r.wantRuns(m.Task, time.Minute, 5*time.Minute)
	if got := lines(t, ran); got != 2 {
		t.Errorf("%d executions", got)
	}
}

// What the journal says about a run that an earlier agent was about to start.
func TestRunInJournal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		starting, stopped bool
		want              protocol.Outcome
		runs              int
	}{
		"not about to be started":          {want: protocol.OutcomeExited, runs: 1},
		"about to be started":              {starting: true, want: protocol.OutcomeInterrupted},
		"not started, and stopped":         {stopped: true, want: protocol.OutcomeNeverStarted},
		"about to be started, and stopped": {starting: true, stopped: true, want: protocol.OutcomeInterrupted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			ran := filepath.Join(t.TempDir(), "ran")
			m := planned1(1, "rate(60s)", "echo x >> "+ran)
			run := runAt(m.Task, 0)
			k := mark{Due: run.Due, Stopped: c.stopped}
			records := []journal.Record{
				{Task: m.Task, State: journal.Planned, At: r.now, Run: m.Append(nil)},
				k.record(m.Task),
				{Task: run, State: journal.Accepted, At: r.now},
			}
			if c.starting {
				records = append(records, journal.Record{Task: run, State: journal.Starting, At: r.now})
			}
			r.journal(records...)
			r.started()
			if got := r.s.result(run).finished; got.Outcome != c.want {
				t.Errorf("%+v, want outcome %d", got, c.want)
			}
			if c.stopped {
				if got := r.s.result(m.Task).finished; got.Outcome != protocol.OutcomeNeverStarted {
					t.Errorf("plan: %+v", got)
				}
			} else {
				r.pass(time.Minute)
				r.wantRuns(m.Task, 0, time.Minute)
				c.runs++
			}
			if got := lines(t, ran); got != c.runs {
				t.Errorf("%d executions, want %d", got, c.runs)
			}
		})
	}
}

// Days without a server: everything arrives afterwards.
func TestRunsWhileOffline(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	m := planned1(1, "rate(1h)", "seq 3")
	r.plan(m)
	r.s.mu.Lock()
	r.s.deaf = true
	r.s.mu.Unlock()
	const count = 30
	for i := range count {
		r.pass(time.Hour)
		r.node.await("run", func() bool { p := r.agent.plans[m.Task]; return len(p.live) == 0 && len(p.unsent) == i+1 })
		if i%10 == 9 {
			r.stop()
			r.started()
			r.node.await("all results", func() bool { return len(r.agent.plans[m.Task].unsent) == i+1 })
		}
	}
	r.s.hearAgain(r.agent)
	var want []time.Duration
	for i := range count {
		want = append(want, time.Duration(i+1)*time.Hour)
		if got := r.s.result(runAt(m.Task, want[i])); string(got.out) != "1\n2\n3\n" {
			t.Errorf("run %d: %q, %+v", i, got.out, got.finished)
		}
	}
	r.wantRuns(m.Task, want...)
	r.node.await("the plan to forget", func() bool { return len(r.agent.plans[m.Task].unsent) == 0 })
}

// After very many runs without a server the oldest lose their output, and then all.
func TestResultsAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.s.deaf = true
	m := planned1(1, "rate(1m)", "true")
	records := []journal.Record{{Task: m.Task, State: journal.Planned, At: r.now, Run: m.Append(nil)}}
	const spare = 2
	for i := range maxResults + spare {
		run := runAt(m.Task, time.Duration(i-maxResults-spare)*time.Minute)
		f := protocol.Finished{Task: run, Outcome: protocol.OutcomeExited, Started: run.Due, Ended: run.Due + 1, Stdout: 5}
		records = append(records, journal.Record{Task: run, State: journal.Accepted}, journal.Record{Task: run, State: journal.Ended, Result: f.Append(nil)})
	}
	last := runAt(m.Task, -time.Minute)
	k := mark{Due: last.Due}
	r.journal(append(records, k.record(m.Task))...)
	lost := filepath.Join(r.dir, "tasks", nameOf(runAt(m.Task, -maxResults*time.Minute)))
	if err := os.MkdirAll(lost, 0o700); err != nil {
		t.Fatal(err)
	}
	r.started()
	r.node.await("an output to go", func() bool {
		_, err := os.Stat(lost)
		return errors.Is(err, os.ErrNotExist)
	})
	r.node.await("the oldest to go", func() bool { return len(r.agent.plans[m.Task].unsent) == maxResults })
	lean := 0
	r.agent.mu.Lock()
	for _, u := range r.agent.plans[m.Task].unsent {
		if u.lean {
			lean++
		}
	}
	newest := r.agent.tasks[last]
	r.agent.mu.Unlock()
	if lean != maxResults-maxOutputs || newest.lean {
		t.Errorf("%d results without output, the newest: %v", lean, newest.lean)
	}
	r.s.hearAgain(r.agent)
	r.s.result(last)
	oldest := r.s.result(runAt(m.Task, -maxResults*time.Minute))
	if !strings.Contains(oldest.finished.Detail, outputDropped) || oldest.finished.Stdout != 5 || oldest.finished.End != 0 {
		t.Errorf("%+v", oldest.finished)
	}
}

// One run in a thousand may print more than all others.
func TestOutputsAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	m := planned1(1, "rate(1m)", "true")
	r.plan(m)
	a := r.agent
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.plans[m.Task]
	for i := range 20 {
		u := &task{id: runAt(m.Task, time.Duration(i)), phase: ended, saved: true, result: protocol.Finished{Stdout: 1 << 40}}
		p.unsent = append(p.unsent, u)
	}
	a.trim(p)
	for i, u := range p.unsent {
		if want := i < 4; u.lean != want {
			t.Errorf("output %d of 20 dropped: %v", i, u.lean)
		}
	}
	for len(a.agenda) > 0 { // they are made up
		a.agenda.Pop()
	}
}

// A damaged journal may hide that a plan is over or another, so nothing fires until the server asks again.
func TestPlanRestsAfterDamage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := planned1(1, "rate(60s)", "true")
	path := filepath.Join(r.dir, "journal", "journal")
	r.journal(journal.Record{Task: m.Task, State: journal.Planned, At: r.now, Run: m.Append(nil)})
	size := fileSize(t, path)
	lost := script(2, "true")
	r.journal(journal.Record{Task: lost.Task, State: journal.Accepted, At: r.now, Run: lost.Append(nil)})
	r.journal(journal.Record{Task: id(3), State: journal.Ended, Result: (&protocol.Finished{Task: id(3), Outcome: protocol.OutcomeExited}).Append(nil)})
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[size+30] ^= 0xff
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r.started()
		r.pass(time.Minute)
		r.wantRuns(m.Task)
		r.stop()
	}
	r.s.mu.Lock()
	if len(r.s.job(m.Task).planned) > 0 {
		t.Error("a plan that rests was confirmed")
	}
	r.s.mu.Unlock()
	r.started()
	r.plan(m)
	r.pass(time.Minute)
	r.wantRuns(m.Task, 3*time.Minute)
	r.stop()
	r.started()
	r.pass(time.Minute)
	r.wantRuns(m.Task, 3*time.Minute, 4*time.Minute)
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// On a full disk nothing fires, and the plan goes on afterwards.
func TestPlanOnAFullDisk(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var full atomic.Bool
	first := r.config
	r.config = func(c *Config) {
		first(c)
		c.store = func(dir string) (memory, error) {
			j, err := journal.Open(dir, func() time.Time { return noon }, discard())
			return fullDisk{j, &full}, err
		}
	}
	ran := filepath.Join(t.TempDir(), "ran")
	r.started()
	m := planned1(1, "rate(60s)", "echo x >> "+ran)
	r.plan(m)
	full.Store(true)
	r.pass(time.Minute)
	if got := r.s.result(runAt(m.Task, time.Minute)).finished; got.Outcome != protocol.OutcomeNoSpace {
		t.Errorf("%+v", got)
	}
	refused := planned1(2, "rate(60s)", "true")
	r.s.run(refused)
	if got := r.s.result(refused.Task).finished; got.Outcome != protocol.OutcomeNoSpace {
		t.Errorf("new plan: %+v", got)
	}
	full.Store(false)
	r.pass(time.Minute)
	r.wantRuns(m.Task, time.Minute, 2*time.Minute)
	if got := lines(t, ran); got != 1 {
		t.Errorf("%d executions", got)
	}
}

// A planned task may write a file as well.
func TestPlanWritesAFile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir := t.TempDir()
	r.started()
	m := planned1(1, "rate(60s)", "content")
	m.Spec.File = &protocol.File{Name: "f", Dir: dir}
	r.plan(m)
	r.pass(time.Minute)
	r.wantRuns(m.Task, time.Minute)
	r.pass(time.Minute)
	r.wantRuns(m.Task, time.Minute, 2*time.Minute)
	if a, b := r.s.result(runAt(m.Task, time.Minute)).finished, r.s.result(runAt(m.Task, 2*time.Minute)).finished; a.Outcome != protocol.OutcomeExited ||
		b.Outcome != protocol.OutcomeFileExists {
		t.Errorf("%+v and %+v", a, b)
	}
}
