package core_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/scene"
	"errand/internal/core"
)

// pacedRun orders a run at a pace on nodes named n0, n1 and so on, all of which are connected.
func pacedRun(t *testing.T, s *scene.Scene, nodes int, pace core.Pace, change ...func(*core.RunSpec)) (core.Invocation, []core.Node) {
	t.Helper()
	list := make([]core.Node, nodes)
	ids := make([]string, nodes)
	for i := range list {
		list[i] = s.Node(fmt.Sprintf("n%d", i))
		ids[i] = list[i].ID
	}
	s.Online(list...)
	spec := order(ids...)
	spec.Pace = &pace
	for _, fn := range change {
		fn(&spec)
	}
	return run(t, s, spec), list
}

// now reads a run again.
func now(t *testing.T, s *scene.Scene, id core.ID) core.Invocation {
	t.Helper()
	v, err := s.Service.Invocation(t.Context(), s.Caller, id)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// advance does what dispatch does all the time.
func advance(t *testing.T, s *scene.Scene, id core.ID) core.Invocation {
	t.Helper()
	if err := s.Service.AdvancePaces(t.Context()); err != nil {
		t.Fatal(err)
	}
	return now(t, s, id)
}

// TestPaceBegins lets the first step go in the call that orders the run, and the rest bit by bit.
func TestPaceBegins(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	var events []core.Event
	s.Feed.Listen(func(e core.Event) { events = append(events, e) })
	v, nodes := pacedRun(t, s, 6, core.Pace{Concurrency: core.Share{Count: 2}, Steps: []core.Share{{Count: 1}}})
	if diff := cmp.Diff(core.Counts{core.Delivering: 1, core.Queued: 5}, v.Counts); diff != "" || v.Pacing.Released != 1 {
		t.Errorf("%s %+v", diff, v.Pacing)
	}
	var released []core.Task
	for _, e := range events {
		if e.Released && e.New.ID == v.ID {
			released = append(released, e.Tasks...)
		}
	}
	if len(released) != 1 || released[0].Node != nodes[0].Key || released[0].State != core.Delivering || released[0].Tries != 1 {
		t.Errorf("%+v", released)
	}
	if held := state(t, s, v, nodes[3]); !held.Held || held.State != core.Queued || !held.Invocation.Deadline(&held.Task).IsZero() {
		t.Errorf("%+v", held.Task)
	}
	s.Advance(time.Hour) // far beyond any deadline: nobody waits for what is held
	s.Online(nodes...)
	s.Exit(v.ID, nodes[0], 0, "out\n", "")
	v = advance(t, s, v.ID)
	if diff := cmp.Diff(core.Counts{core.Succeeded: 1, core.Delivering: 2, core.Queued: 3}, v.Counts); diff != "" {
		t.Error(diff)
	}
	second := state(t, s, v, nodes[1])
	if want := s.Now().Add(time.Minute); !second.ReleasedAt.Equal(s.Now()) || !v.Deadline(&second.Task).Equal(want) || v.TTL(&second.Task, s.Now()) != time.Minute {
		t.Errorf("%+v, deadline %v", second.Task, v.Deadline(&second.Task))
	}
	first := state(t, s, v, nodes[0])
	var what []core.Milestone
	for _, m := range first.Timeline(&v) {
		what = append(what, m.What)
	}
	want := []core.Milestone{core.Accepted, core.Enqueued, core.Released, core.Sent, core.Started, core.FirstByte, core.Stored, core.Ended}
	if diff := cmp.Diff(want, what); diff != "" { // the scene's command ends a second after it is reported
		t.Error(diff)
	}
	for _, n := range nodes[1:] {
		s.Exit(v.ID, n, 0, "", "")
		v = advance(t, s, v.ID)
	}
	if v.Pacing.Shown() != core.PaceFinished || v.Counts.Of(core.Succeeded) != 6 {
		t.Errorf("%+v %v", v.Pacing, v.Counts)
	}
}

// TestReplicasPaceTogether has many advance a run at the same time, while its tasks end; there are never more out than may be.
func TestReplicasPaceTogether(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	v, nodes := pacedRun(t, s, 24, core.Pace{Concurrency: core.Share{Count: 3}})
	var all sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := s.Service.AdvancePace(t.Context(), v.ID); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range nodes {
		for state(t, s, v, nodes[i]).Held { // until the others let it go
			if got := now(t, s, v.ID); got.Counts.Of(core.Delivering, core.Running) > 3 {
				t.Fatalf("%v", got.Counts)
			}
		}
		s.Exit(v.ID, nodes[i], 0, "", "")
	}
	close(stop)
	all.Wait()
	if v = advance(t, s, v.ID); v.Pacing.State != core.PaceFinished || v.Pacing.Released != 24 {
		t.Errorf("%+v", v.Pacing)
	}
}

// TestPaceWithoutWaiting ends tasks whose nodes are offline when their turn comes, which counts as a failure.
func TestPaceWithoutWaiting(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	v, nodes := pacedRun(t, s, 4, core.Pace{Concurrency: core.Share{Count: 1}, MaxFailures: &core.Share{}}, func(o *core.RunSpec) { o.DeliverWithin = core.NoWaiting })
	s.Service.Gone(nodes[1].Key)
	s.Service.Gone(nodes[2].Key)
	s.Exit(v.ID, nodes[0], 0, "", "")
	if v = advance(t, s, v.ID); v.Counts.Of(core.Queued) != 3 {
		t.Errorf("%v: a node that has only just gone is online", v.Counts)
	}
	s.Advance(time.Minute)
	if _, err := s.Service.Expire(t.Context(), &v, []core.TaskID{s.Task(v.ID, nodes[1])}); err != nil {
		t.Fatal(err)
	}
	v = advance(t, s, v.ID)
	if v.Pacing.Shown() != core.PacePaused || v.Pacing.Why != "1 of 4 nodes failed" || v.Counts.Of(core.DeliveryFailed) != 1 {
		t.Errorf("%+v %v", v.Pacing, v.Counts)
	}
	s.Advance(time.Hour)
	s.Online(nodes[3])
	if v, err := s.Service.ResumeRun(t.Context(), s.Caller, v.ID); err != nil || v.Counts.Of(core.DeliveryFailed) != 2 {
		t.Errorf("%v %v", v.Counts, err)
	}
	if v = advance(t, s, v.ID); v.Pacing.Shown() != core.PacePaused {
		t.Errorf("%+v %v", v.Pacing, v.Counts)
	}
}

// TestProbeThatCannotBe pauses a run when there is nowhere to probe, and when the probe is refused.
func TestProbeThatCannotBe(t *testing.T) {
	t.Parallel()
	pace := core.Pace{Steps: []core.Share{{Count: 1}}, Probe: "true"}
	t.Run("no node did well", func(t *testing.T) {
		t.Parallel()
		s := scene.New(t)
		v, nodes := pacedRun(t, s, 3, pace)
		s.Exit(v.ID, nodes[0], 1, "", "")
		v = advance(t, s, v.ID)
		if v.Pacing.Shown() != core.PacePaused || !strings.Contains(v.Pacing.Why, "on no node of the step did it end well") || v.Pacing.Step != 1 {
			t.Errorf("%+v", v.Pacing)
		}
		v, err := s.Service.ResumeRun(t.Context(), s.Caller, v.ID)
		if err != nil || v.Counts.Of(core.Delivering) != 2 {
			t.Errorf("%v %v", v.Counts, err)
		}
	})
	t.Run("over the quota", func(t *testing.T) {
		t.Parallel()
		s := scene.New(t)
		v, nodes := pacedRun(t, s, 3, pace)
		if err := s.Service.SetQuota(t.Context(), s.Caller, s.Caller.Account, core.QuotaInvocations, new(int64)); err != nil {
			t.Fatal(err)
		}
		s.Exit(v.ID, nodes[0], 0, "", "")
		if v = advance(t, s, v.ID); v.Pacing.Shown() != core.PacePaused || !strings.HasPrefix(v.Pacing.Why, "there was no probe: ") {
			t.Errorf("%+v", v.Pacing)
		}
	})
}

// TestProbeRuns shows what a probe is, and that the run goes on when it went well.
func TestProbeRuns(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	v, nodes := pacedRun(t, s, 4, core.Pace{Steps: []core.Share{{Count: 2}}, Probe: "is it well", ProbeTimeout: 5 * time.Second}, func(o *core.RunSpec) { o.User = "root" })
	s.Exit(v.ID, nodes[0], 1, "", "")
	s.Exit(v.ID, nodes[1], 0, "", "")
	for range 3 { // however often it is looked at
		v = advance(t, s, v.ID)
	}
	probes, info, err := s.Service.Invocations(t.Context(), s.Caller, core.InvocationFilter{Kinds: []core.InvocationKind{core.KindProbe}}, core.PageSpec{Limit: 9, Count: true})
	if err != nil || info.Total != 1 || v.Pacing.Shown() != core.PaceProbing || v.Pacing.Probe != probes[0].ID {
		t.Fatalf("%d probes, %v, %+v", info.Total, err, v.Pacing)
	}
	p := probes[0]
	if p.Schedule != v.ID || string(p.Content) != "is it well" || p.User != "root" || p.Timeout != 5*time.Second || p.Principal != core.RootUser || p.Counts.Total() != 1 {
		t.Errorf("%+v", p)
	}
	if orders, _, err := s.Service.Invocations(t.Context(), s.Caller, core.InvocationFilter{Kinds: core.Orders}, core.PageSpec{Limit: 9}); err != nil || len(orders) != 1 {
		t.Errorf("vendors are shown %d runs, %v", len(orders), err)
	}
	s.Exit(p.ID, nodes[1], 0, "", "")
	if v = advance(t, s, v.ID); v.Counts.Of(core.Delivering) != 2 || v.Pacing.Step != 1 {
		t.Errorf("%+v %v", v.Pacing, v.Counts)
	}
}

// TestStoppedRunAtAPace ends the whole run, held tasks and all.
func TestStoppedRunAtAPace(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	v, nodes := pacedRun(t, s, 5, core.Pace{Concurrency: core.Share{Count: 1}})
	if _, err := s.Service.RemoveNode(t.Context(), s.Caller, nodes[4].ID); err != nil {
		t.Fatal(err)
	}
	if v = now(t, s, v.ID); v.Counts.Of(core.DeliveryFailed) != 1 {
		t.Errorf("%v: a node that is gone waits for its turn", v.Counts)
	}
	if err := s.Service.Stop(t.Context(), s.Caller, v.ID, nil); err != nil {
		t.Fatal(err)
	}
	s.Report(v.ID, nodes[0], core.Report{Kind: core.ReportEnded, State: core.Cancelled})
	v = advance(t, s, v.ID)
	if v.Pacing.State != core.PaceFinished || v.Counts.Open() != 0 || v.Counts.Of(core.Cancelled) != 4 {
		t.Errorf("%+v %v", v.Pacing, v.Counts)
	}
}

// TestAbort ends what has not started, of runs with a pace and without one.
func TestAbort(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	var stops []core.Task
	s.Feed.Listen(func(e core.Event) { stops = append(stops, e.Stops...) })
	v, nodes := pacedRun(t, s, 5, core.Pace{Concurrency: core.Share{Count: 2}})
	plain := run(t, s, order(nodes[0].ID, nodes[1].ID))
	for _, id := range []core.ID{v.ID, plain.ID} {
		s.Report(id, nodes[0], core.Report{Kind: core.ReportStarted, At: s.Now()})
		for range 2 {
			if _, err := s.Service.AbortRun(t.Context(), s.Caller, id); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff(core.Counts{core.Running: 1, core.Stopping: 1, core.Cancelled: 3}, now(t, s, v.ID).Counts); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(core.Counts{core.Running: 1, core.Stopping: 1}, now(t, s, plain.ID).Counts); diff != "" {
		t.Error(diff)
	}
	if len(stops) != 2 {
		t.Errorf("%d nodes are told to stop", len(stops))
	}
	v = now(t, s, v.ID)
	if v.Pacing.Shown() != core.PaceAborted || v.Pacing.Why != "aborted by root" || !v.Pacing.Done {
		t.Errorf("%+v", v.Pacing)
	}
	for _, verb := range []func() (core.Invocation, error){
		func() (core.Invocation, error) { return s.Service.PauseRun(t.Context(), s.Caller, v.ID) },
		func() (core.Invocation, error) { return s.Service.ResumeRun(t.Context(), s.Caller, v.ID) },
	} {
		if _, err := verb(); !core.ReasonAlreadyEnded.Is(err) {
			t.Errorf("after the end: %v", err)
		}
	}
	if _, err := s.Service.PauseRun(t.Context(), s.Caller, plain.ID); core.AsError(err).Code != core.CodeConflict {
		t.Errorf("without a pace: %v", err)
	}
	if _, err := s.Service.AbortRun(t.Context(), s.Caller, 7); !core.ReasonInvocationNotFound.Is(err) {
		t.Errorf("unknown: %v", err)
	}
}

// TestRightsOverPaces asks for the right to each verb, about the run and its nodes, and to run a probe of one's own.
func TestRightsOverPaces(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	v, _ := pacedRun(t, s, 2, core.Pace{Concurrency: core.Share{Count: 1}})
	person(t, s, "pauser", `{"Version":"1","Statement":[{"Effect":"Allow","Action":"errand:invocation.pause","Resource":"*"}]}`)
	person(t, s, "starter", `{"Version":"1","Statement":[{"Effect":"Allow","Action":"errand:invocation.invoke","Resource":"*"}]}`)
	pauser, starter := by(t, s, keyOf(t, s, "pauser").AccessKey), by(t, s, keyOf(t, s, "starter").AccessKey)
	if v, err := s.Service.PauseRun(t.Context(), pauser, v.ID); err != nil || v.Pacing.Why != "paused by pauser" {
		t.Errorf("%+v %v", v.Pacing, err)
	}
	_, err := s.Service.ResumeRun(t.Context(), pauser, v.ID)
	reason(t, "resume", err, core.ReasonDenied)
	_, err = s.Service.AbortRun(t.Context(), pauser, v.ID)
	reason(t, "abort", err, core.ReasonDenied)
	_, err = s.Service.Retry(t.Context(), pauser, v.ID, core.RetrySpec{})
	reason(t, "retry", err, core.ReasonDenied)
	_, err = s.Service.Backlog(t.Context(), pauser, "n0")
	reason(t, "backlog", err, core.ReasonDenied)
	_, err = s.Service.CancelBacklog(t.Context(), pauser, "n0")
	reason(t, "cancel backlog", err, core.ReasonDenied)

	cmd, err := s.Service.CreateCommand(t.Context(), s.Caller, core.CommandSpec{Definition: core.Definition{
		Name: "c", Type: core.Shell, Content: []byte("true"), Timeout: time.Minute,
	}})
	if err != nil {
		t.Fatal(err)
	}
	spec := core.RunSpec{Origin: core.OriginNative, Command: cmd.ID, Targets: []string{"n0", "n1"}, Pace: &core.Pace{PauseAfterStep: true}}
	if _, err := s.Service.Run(t.Context(), starter, spec); err != nil {
		t.Error(err)
	}
	spec.Pace.Probe = "rm -rf /"
	_, err = s.Service.Run(t.Context(), starter, spec)
	reason(t, "a probe of one's own", err, core.ReasonDenied)
}

func TestPaceIsRefused(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	s.Node("n")
	spec := order("n")
	spec.Pace = &core.Pace{Steps: []core.Share{{Count: 1}}}
	spec.Repeat, spec.Frequency = core.Period, "rate(600s)"
	_, err := s.Service.Run(t.Context(), s.Caller, spec)
	reason(t, "of what repeats", err, core.ReasonInvalidValue)
	spec = order("n")
	spec.Pace = &core.Pace{Steps: []core.Share{{Percent: 50}, {Percent: 10}}, ProbeTimeout: time.Second}
	_, err = s.Service.Run(t.Context(), s.Caller, spec)
	reason(t, "out of bounds", err, core.ReasonInvalidValue)
}
