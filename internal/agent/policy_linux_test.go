package agent

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"errand/internal/protocol"
	"errand/internal/schedule"
)

// gated returns a plan that fires every minute and whose runs last until the file that is returned as well exists.
func gated(t *testing.T, n int) (m protocol.Run, gate string) {
	gate = filepath.Join(t.TempDir(), "gate")
	return planned1(n, "rate(60s)", "until test -e "+gate+"; do sleep 0.01; done"), gate
}

func open(t *testing.T, gate string) {
	t.Helper()
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// awaitRuns waits until runs of a plan are going on at some times after noon.
func (r *rig) awaitRuns(plan protocol.Task, after ...time.Duration) {
	r.t.Helper()
	for _, a := range after {
		r.s.await("start", func() bool { return r.s.job(runAt(plan, a)).started > 0 })
	}
}

// wantCounts waits until the server was told how many moments of a plan had no run.
func (r *rig) wantCounts(plan protocol.Task, skipped, missed uint64) {
	r.t.Helper()
	var got protocol.Planned
	r.s.await("counts", func() bool {
		got = r.s.job(plan).counts
		return got.Skipped == skipped && got.Missed == missed
	})
}

// TestOverlapSkips: a moment that comes while a run lives is counted and gone.
func TestOverlapSkips(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	m, gate := gated(t, 1)
	r.plan(m)
	for range 4 {
		r.pass(time.Minute)
		r.awaitRuns(m.Task, time.Minute)
	}
	r.wantCounts(m.Task, 3, 0)
	r.stop()
	r.started()
	r.pass(time.Minute)
	r.wantCounts(m.Task, 4, 0)
	open(t, gate)
	r.wantRuns(m.Task, time.Minute)
	r.pass(time.Minute)
	r.wantRuns(m.Task, time.Minute, 6*time.Minute)
	r.s.stop(m.Task)
	if got := r.s.result(m.Task).finished; got.Skipped != 4 || got.Missed != 0 {
		t.Errorf("%+v", got)
	}
}

// TestOverlapQueues: one moment waits, also for the next agent, and runs when the run before has ended.
func TestOverlapQueues(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	m, gate := gated(t, 1)
	m.Spec.Plan.Overlap = protocol.OverlapQueue
	r.plan(m)
	r.pass(time.Minute)
	r.awaitRuns(m.Task, time.Minute)
	r.pass(time.Minute)
	r.pass(time.Minute)
	r.wantCounts(m.Task, 1, 0)
	r.stop()
	r.started()
	r.pass(10 * time.Second)
	if got := r.runs(m.Task); !slices.Equal(got, []time.Duration{time.Minute}) {
		t.Errorf("runs %v", got)
	}
	open(t, gate)
	r.s.result(runAt(m.Task, 2*time.Minute))
	r.wantRuns(m.Task, time.Minute, 2*time.Minute)
	r.wantCounts(m.Task, 1, 0)
}

// TestOverlapAllowed: runs live side by side, each under its own name, up to a limit; a stop ends them all, and a restart of the agent none.
func TestOverlapAllowed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	m, _ := gated(t, 1)
	m.Spec.Plan.Overlap = protocol.OverlapAllow
	r.plan(m)
	var all []time.Duration
	for i := range maxLive + 2 {
		r.pass(time.Minute)
		if at := time.Duration(i+1) * time.Minute; i < maxLive {
			all = append(all, at)
			r.awaitRuns(m.Task, at)
		}
		if i == 1 {
			r.stop()
			r.started()
		}
	}
	r.wantCounts(m.Task, 2, 0)
	r.s.stop(runAt(m.Task, 3*time.Minute)) // one of them
	r.s.result(runAt(m.Task, 3*time.Minute))
	r.pass(time.Minute)
	all = append(all, time.Duration(maxLive+3)*time.Minute)
	r.awaitRuns(m.Task, all[maxLive])
	r.s.stop(m.Task)
	for _, at := range all {
		if got := r.s.result(runAt(m.Task, at)).finished; got.Outcome != protocol.OutcomeStopped {
			t.Errorf("run at %v: %+v", at, got)
		}
	}
	if got := r.s.result(m.Task).finished; got.Outcome != protocol.OutcomeStopped || got.Skipped != 2 {
		t.Errorf("%+v", got)
	}
	r.wantRuns(m.Task, all...)
}

// TestMissedIsMadeUpFor: of what was due while no agent ran, the latest moments run one after another, as many as the plan wants.
func TestMissedIsMadeUpFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		catchUp uint64
		want    []int // minutes after noon
	}{
		{"skip", 0, nil},
		{"once", 1, []int{19}},
		{"catch up", 3, []int{17, 18, 19}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.started()
			m := planned1(1, "rate(60s)", "true")
			m.Spec.Plan.CatchUp = c.catchUp
			r.plan(m)
			r.pass(time.Minute)
			r.wantRuns(m.Task, time.Minute)
			r.stop()
			r.pass(18*time.Minute + 50*time.Second) // off until 12:19:50; 12:02 to 12:19 are missed
			r.started()
			want := []time.Duration{time.Minute}
			for _, minute := range c.want {
				want = append(want, time.Duration(minute)*time.Minute)
				r.s.result(runAt(m.Task, want[len(want)-1]))
			}
			r.wantRuns(m.Task, want...)
			r.pass(10 * time.Second)
			r.wantRuns(m.Task, append(want, 20*time.Minute)...)
			r.wantCounts(m.Task, 0, uint64(18-len(c.want)))
		})
	}
}

// TestCatchingUpGoesOn: what is still owed when the agent ends is owed afterwards, and nothing of it runs twice.
func TestCatchingUpGoesOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	m, gate := gated(t, 1)
	m.Spec.Plan.Expr, m.Spec.Plan.CatchUp = "rate(10m)", 2
	r.plan(m)
	r.pass(45 * time.Minute) // asleep
	r.awaitRuns(m.Task, 30*time.Minute)
	for range 2 {
		r.stop()
		r.started()
	}
	open(t, gate)
	r.s.result(runAt(m.Task, 40*time.Minute))
	r.wantRuns(m.Task, 30*time.Minute, 40*time.Minute)
	r.wantCounts(m.Task, 0, 2)
	r.stop()
	r.started()
	r.wantRuns(m.Task, 30*time.Minute, 40*time.Minute)
}

// A plan with one moment that was missed is over only when that is made up for.
func TestMissedMomentOfAPlanWithoutOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	m := planned1(1, "at(2026-03-01 12:10:00)", "exit 3")
	m.Spec.Plan.CatchUp = 1
	r.plan(m)
	r.stop()
	r.pass(time.Hour)
	r.started()
	if got := r.s.result(m.Task).finished; got.ExitCode != 3 {
		t.Errorf("%+v", got)
	}
	r.wantRuns(m.Task, 10*time.Minute)
}

// What a plan owes goes with it when it is replaced.
func TestRevisionOwesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	m, gate := gated(t, 1)
	m.Spec.Plan.Overlap = protocol.OverlapQueue
	r.plan(m)
	r.pass(time.Minute)
	r.awaitRuns(m.Task, time.Minute)
	r.pass(time.Minute)
	plan := *m.Spec.Plan
	plan.Expr, plan.Revision = "rate(1h)", 2
	m.Spec.Plan = &plan
	r.plan(m)
	r.wantCounts(m.Task, 1, 0)
	open(t, gate)
	r.wantRuns(m.Task, time.Minute)
}

// TestJitter: each run is as much later as the node's share, and still named by its moment.
func TestJitter(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	m := planned1(1, "rate(10m)", "true")
	m.Spec.Plan.Jitter = 5 * 60 * 1000
	share := schedule.Policy{Jitter: 5 * time.Minute}.Share(uint64(r.agent.id.NodeKey), m.Task.Invocation)
	if share < time.Second || share > 5*time.Minute-time.Second {
		t.Fatalf("the share is %v", share) // take another plan
	}
	r.plan(m)
	ten := 10 * time.Minute
	r.pass(ten + share - time.Millisecond)
	r.wantRuns(m.Task)
	r.pass(time.Millisecond)
	r.wantRuns(m.Task, ten)
	r.pass(ten - time.Millisecond)
	r.stop()
	r.started()
	r.wantRuns(m.Task, ten)
	r.pass(time.Millisecond)
	r.wantRuns(m.Task, ten, 2*ten)
	r.wantCounts(m.Task, 0, 0)
}

// TestJitterOfAStart: what runs at each start of the machine is put off as well.
func TestJitterOfAStart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	m := script(1, "true")
	m.Spec.Plan = &protocol.Plan{Boot: protocol.BootEvery, Revision: 1, Jitter: uint64(time.Hour / time.Millisecond)}
	r.plan(m)
	share := schedule.Policy{Jitter: time.Hour}.Share(uint64(r.agent.id.NodeKey), m.Task.Invocation)
	if share < 2*time.Minute {
		t.Fatalf("the share is %v", share) // take another plan
	}
	r.reboot("boot-2") // a minute ago, at ten past noon
	r.pass(share - time.Minute - time.Millisecond)
	r.wantRuns(m.Task)
	r.pass(time.Millisecond)
	r.wantRuns(m.Task, 10*time.Minute+share-time.Minute)
}

// A moment that came while the agent was being replaced is not lost, and does not come twice.
func TestRestartAcrossAMoment(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	m := planned1(1, "rate(5m)", "true")
	r.plan(m)
	r.pass(5*time.Minute - time.Second)
	r.stop()
	r.pass(3 * time.Second)
	for range 2 {
		r.started()
		r.wantRuns(m.Task, 5*time.Minute)
		r.stop()
	}
}

// A clock that was years ahead does not keep the agent from anything.
func TestEndlessMissedMoments(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	m := planned1(1, "* * * * * ?", "true")
	m.Spec.Plan.CatchUp = 2
	r.plan(m)
	r.set(noon.Add(100 * 365 * 24 * time.Hour).Add(500 * time.Millisecond))
	r.node.await("the end of the runs", func() bool { return len(r.agent.plans[m.Task].live) == 0 && len(r.agent.plans[m.Task].mark.Owed) == 0 })
	r.agent.mu.Lock()
	defer r.agent.mu.Unlock()
	if got := r.agent.plans[m.Task].mark.Missed; got < maxCounted-100 || got > maxCounted+100 {
		t.Errorf("%d missed", got)
	}
}

// Policies that no server of ours sends are refused with a reason.
func TestBadPolicies(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.started()
	for i, bad := range []protocol.Plan{{Overlap: 9}, {CatchUp: 1 << 60}, {Jitter: 1 << 60}} {
		m := planned1(10+i, "rate(60s)", "true")
		bad.Expr = m.Spec.Plan.Expr
		m.Spec.Plan = &bad
		r.s.run(m)
		if got := r.s.result(m.Task).finished; got.Outcome != protocol.OutcomeBadSchedule || got.Detail == "" {
			t.Errorf("%+v: %+v", bad, got)
		}
	}
}
