package core_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/scene"
	"errand/internal/core"
)

var toBucket = core.Sink{Bucket: "oss://bucket", Prefix: "p"}

// deliverAll switches the delivery of all output of the scene's account on or off.
func deliverAll(t *testing.T, s *scene.Scene, on bool) {
	t.Helper()
	err := s.Service.ChangeSettings(t.Context(), s.Caller, func(a *core.AccountSettings) error {
		b := &a.InvocationDelivery.Bucket
		b.Enabled, b.Bucket, b.Prefix, b.Encryption, b.KeyID = on, "all-output", "logs", core.EncryptKMS, "key"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOutlet(t *testing.T) {
	t.Parallel()
	s := scene.New(t, scene.Buckets())
	s.Online(s.Node("n"))
	none := scene.New(t)
	none.Online(none.Node("n"))
	deliverAll(t, none, true)
	own := func(o *core.RunSpec) { o.Sink = toBucket }
	for _, tt := range []struct {
		name    string
		scene   *scene.Scene
		account bool
		change  func(*core.RunSpec)
		want    core.Outlet
	}{
		{"nowhere", s, false, func(*core.RunSpec) {}, core.NoOutlet},
		{"own", s, false, own, core.SinkOutlet},
		{"account", s, true, func(*core.RunSpec) {}, core.AccountOutlet},
		{"both", s, true, own, core.SinkOutlet},
		{"dry run", s, true, func(o *core.RunSpec) { o.Sink, o.Repeat = toBucket, core.DryRun }, core.NoOutlet},
		{"file", s, true, func(o *core.RunSpec) { o.File = &core.File{Name: "f", Dir: "/d"} }, core.NoOutlet},
		{"no object store", none, true, own, core.NoOutlet},
	} {
		if tt.scene == s {
			deliverAll(t, s, tt.account)
		}
		spec := order("n")
		tt.change(&spec)
		if v := run(t, tt.scene, spec); v.Outlet != tt.want {
			t.Errorf("%s: outlet %d, want %d", tt.name, v.Outlet, tt.want)
		}
	}
}

// TestSinkOfOneRun: the place that is given beside a definition is not part of the command that is kept.
func TestSinkOfOneRun(t *testing.T) {
	t.Parallel()
	s := scene.New(t, scene.Buckets())
	s.Online(s.Node("n"))
	spec := order("n")
	spec.Save, spec.Override.Sink = true, &toBucket
	v := run(t, s, spec)
	if v.Sink != toBucket {
		t.Errorf("the run goes to %+v", v.Sink)
	}
	if cmd, err := s.Service.Command(t.Context(), s.Caller, v.Command); err != nil || cmd.Sink != (core.Sink{}) {
		t.Errorf("the command goes to %+v, %v", cmd.Sink, err)
	}
}

// TestDeliveryOfEachEnd follows tasks to all kinds of ends.
func TestDeliveryOfEachEnd(t *testing.T) {
	t.Parallel()
	s := scene.New(t, scene.Buckets())
	n := s.Node("n")
	start := func() core.Invocation {
		spec := order("n")
		spec.Sink, spec.DeliverWithin = toBucket, time.Hour
		return run(t, s, spec)
	}
	begin := func(v core.Invocation) {
		s.Report(v.ID, n, core.Report{Kind: core.ReportStarted, At: s.Now()})
	}
	stop := func(v core.Invocation) {
		t.Helper()
		if err := s.Service.Stop(t.Context(), s.Caller, v.ID, nil); err != nil {
			t.Fatal(err)
		}
	}
	end := func(v core.Invocation, r core.Report) {
		r.Kind = core.ReportEnded
		s.Report(v.ID, n, r)
	}
	expire := func(v core.Invocation) {
		t.Helper()
		s.Advance(2 * time.Hour)
		if _, err := s.Service.Expire(t.Context(), &v, []core.TaskID{s.Task(v.ID, n)}); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		do    func(core.Invocation)
		state core.State
		fault core.DeliveryFault
	}{
		"exit":            {func(v core.Invocation) { s.Exit(v.ID, n, 3, "out", "") }, core.Failed, core.NoFault},
		"silent exit":     {func(v core.Invocation) { s.Exit(v.ID, n, 0, "", "") }, core.Succeeded, core.NoFault},
		"not started":     {func(v core.Invocation) { end(v, core.Report{State: core.StartFailed, Cause: core.CauseExecFailed}) }, core.StartFailed, core.FaultNotRun},
		"cancelled":       {stop, core.Cancelled, core.FaultNotRun},
		"never delivered": {expire, core.DeliveryFailed, core.FaultNotRun},
		"lost":            {func(v core.Invocation) { begin(v); expire(v) }, core.Lost, core.NoFault},
		"stopped": {func(v core.Invocation) {
			begin(v)
			stop(v)
			end(v, core.Report{State: core.Terminated, Started: s.Now()})
		}, core.Terminated, core.NoFault},
		"exception, early": {func(v core.Invocation) { end(v, core.Report{State: core.Exception}) }, core.Exception, core.FaultNotRun},
	} {
		v := start()
		if d := state(t, s, v, n).Delivery; d != nil {
			t.Errorf("%s: delivery before the end: %+v", name, d)
		}
		tt.do(v)
		got := state(t, s, v, n)
		if got.State != tt.state || got.Delivery == nil {
			t.Errorf("%s: %v, delivery %+v", name, got.State, got.Delivery)
			continue
		}
		want := core.OutputPending
		if tt.fault != core.NoFault {
			want = core.OutputUndelivered
		}
		if d := got.Delivery; d.State != want || d.Fault != tt.fault || d.NextTry.IsZero() != (want == core.OutputUndelivered) {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// TestDeliveryOfLateResult: what replaces a presumed end is delivered again, whatever is under way.
func TestDeliveryOfLateResult(t *testing.T) {
	t.Parallel()
	s := scene.New(t, scene.Buckets())
	n := s.Node("n")
	spec := order("n")
	spec.Sink = toBucket
	v := run(t, s, spec)
	id := s.Task(v.ID, n)
	s.Advance(time.Hour)
	if _, err := s.Service.Expire(t.Context(), &v, []core.TaskID{id}); err != nil {
		t.Fatal(err)
	}
	if d := state(t, s, v, n).Delivery; d == nil || d.Fault != core.FaultNotRun {
		t.Fatalf("%+v", d)
	}
	s.Advance(time.Minute)
	s.Exit(v.ID, n, 0, "late", "")
	if d := state(t, s, v, n).Delivery; d.State != core.OutputPending || d.Fault != core.NoFault || !d.Since.Equal(s.Now()) {
		t.Errorf("%+v", d)
	}
	s.Settle(id, core.NoFault, "oss://bucket/x")
	if got := state(t, s, v, n); got.State != core.Succeeded || !got.Late || got.Delivery.URI != "oss://bucket/x" {
		t.Errorf("%v, %+v", got.State, got.Delivery)
	}
}

// TestRetries: waits grow, and an hour after the end of the task there are no more.
func TestRetries(t *testing.T) {
	t.Parallel()
	s := scene.New(t, scene.Buckets())
	n := s.Node("n")
	spec := order("n")
	spec.Sink = toBucket
	v := run(t, s, spec)
	s.Exit(v.ID, n, 7, "out", "")
	before := state(t, s, v, n)
	ended := s.Now()
	var waits []time.Duration
	for {
		due, err := s.Service.ClaimDeliveries(t.Context(), 9)
		if err != nil || len(due) != 1 {
			t.Fatalf("%d due, %v", len(due), err)
		}
		if again, err := s.Service.ClaimDeliveries(t.Context(), 9); err != nil || len(again) != 0 {
			t.Fatalf("claimed twice: %+v, %v", again, err)
		}
		next, err := s.Service.Undelivered(t.Context(), due[0], core.FaultUnreachable, true)
		if err != nil {
			t.Fatal(err)
		}
		if next.IsZero() {
			break
		}
		if d := state(t, s, v, n).Delivery; d.State != core.OutputPending || d.Fault != core.FaultUnreachable || !d.NextTry.Equal(next) {
			t.Fatalf("%+v", d)
		}
		waits = append(waits, next.Sub(s.Now()))
		s.Advance(next.Sub(s.Now()))
	}
	want := []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second}
	if diff := cmp.Diff(want, waits[:min(len(want), len(waits))]); diff != "" {
		t.Errorf("first waits (-want +got):\n%s", diff)
	}
	for _, wait := range waits[len(want):] {
		if wait != 5*time.Minute {
			t.Errorf("a later wait is %v", wait)
		}
	}
	if passed := s.Now().Sub(ended); passed < 55*time.Minute || passed > time.Hour {
		t.Errorf("given up after %v", passed)
	}
	after := state(t, s, v, n)
	if after.Delivery.State != core.OutputUndelivered || after.Delivery.Tries != len(waits)+1 {
		t.Errorf("%+v", after.Delivery)
	}
	if diff := cmp.Diff(before.Task, after.Task); diff != "" {
		t.Errorf("the result itself changed (-before +after):\n%s", diff)
	}
}

// TestClaimIsLost: who is too slow has no say any more.
func TestClaimIsLost(t *testing.T) {
	t.Parallel()
	s := scene.New(t, scene.Buckets())
	n := s.Node("n")
	spec := order("n")
	spec.Sink = toBucket
	v := run(t, s, spec)
	s.Exit(v.ID, n, 0, "out", "")
	claim := func(want int) core.TaskDelivery {
		t.Helper()
		due, err := s.Service.ClaimDeliveries(t.Context(), 9)
		if err != nil || len(due) != want {
			t.Fatalf("%d due, want %d, %v", len(due), want, err)
		}
		return append(due, core.TaskDelivery{})[0]
	}
	slow := claim(1)
	s.Advance(20 * time.Second)
	if err := s.Service.HoldDelivery(t.Context(), &slow); err != nil {
		t.Fatal(err)
	}
	s.Advance(20 * time.Second)
	claim(0) // it is held
	s.Advance(20 * time.Second)
	quick := claim(1)
	if err := s.Service.HoldDelivery(t.Context(), &slow); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("hold what is lost: %v", err)
	}
	if err := s.Service.Delivered(t.Context(), slow, "slow"); err != nil {
		t.Error(err)
	}
	if d := state(t, s, v, n).Delivery; d.State != core.OutputPending {
		t.Errorf("%+v", d)
	}
	if err := s.Service.Delivered(t.Context(), quick, "quick"); err != nil {
		t.Error(err)
	}
	if d := state(t, s, v, n).Delivery; d.State != core.OutputDelivered || d.URI != "quick" || d.Tries != 2 || d.Fault != core.NoFault {
		t.Errorf("%+v", d)
	}
}

// TestConsign finds out where output goes, also when that has changed since the command ran.
func TestConsign(t *testing.T) {
	t.Parallel()
	s := scene.New(t, scene.Buckets())
	n := s.Node("n")
	deliverAll(t, s, true)
	spec := order("n")
	own := spec
	own.Sink = toBucket
	var due []core.TaskDelivery
	for _, spec := range []core.RunSpec{own, spec} {
		v := run(t, s, spec)
		s.Exit(v.ID, n, 0, "out", "")
		due = append(due, *state(t, s, v, n).Delivery)
	}
	consign := func(d core.TaskDelivery) core.Consignment {
		t.Helper()
		c, err := s.Service.Consign(t.Context(), &d)
		if err != nil || string(c.Output.Recent.Data) != "out" || c.Target.ID != "n" {
			t.Fatalf("%+v, %v", c, err)
		}
		return c
	}
	if c := consign(due[0]); c.Sink != toBucket || c.Place != nil {
		t.Errorf("%+v, %+v", c.Sink, c.Place)
	}
	if c := consign(due[1]); c.Sink != (core.Sink{Bucket: "oss://all-output", Prefix: "logs"}) || c.Place.KeyID != "key" {
		t.Errorf("%+v, %+v", c.Sink, c.Place)
	}
	deliverAll(t, s, false)
	if c := consign(due[1]); c.Sink != (core.Sink{}) {
		t.Errorf("to where nothing shall go any more: %+v", c.Sink)
	}
	s.Advance(48 * time.Hour)
	if n, err := s.Service.Retain(t.Context(), core.Retention{Age: time.Hour}); err != nil || n != 2 {
		t.Fatalf("%d removed, %v", n, err)
	}
	if _, err := s.Service.Consign(t.Context(), &due[0]); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("what was removed: %v", err)
	}
	if left, err := s.Service.ClaimDeliveries(t.Context(), 9); err != nil || len(left) != 0 {
		t.Errorf("left: %+v, %v", left, err)
	}
}

// TestDeliveryOfRuns delivers each run of a standing order, as its account says when it runs.
func TestDeliveryOfRuns(t *testing.T) {
	t.Parallel()
	s := scene.New(t, scene.Buckets())
	n := s.Node("n")
	s.Online(n)
	repeated := func(sink core.Sink) core.Invocation {
		spec := order("n")
		spec.Sink, spec.Repeat, spec.Frequency = sink, core.Period, "rate(2m)"
		v := run(t, s, spec)
		s.Report(v.ID, n, core.Report{Kind: core.ReportPlanned})
		return v
	}
	occur := func(v core.Invocation) {
		t.Helper()
		s.Advance(2 * time.Minute)
		s.Report(v.ID, n, core.Report{
			Task: core.TaskID{Invocation: v.ID}, Due: s.Now(), Kind: core.ReportEnded, State: core.Succeeded, Exited: true, Started: s.Now(), Ended: s.Now(),
		})
	}
	due := func(want int) {
		t.Helper()
		claimed, err := s.Service.ClaimDeliveries(t.Context(), 9)
		if err != nil || len(claimed) != want {
			t.Fatalf("%d deliveries, want %d, %v", len(claimed), want, err)
		}
		for _, d := range claimed {
			if err := s.Service.Delivered(t.Context(), d, "done"); err != nil {
				t.Fatal(err)
			}
		}
	}
	own, plain := repeated(toBucket), repeated(core.Sink{})
	occur(own)
	occur(plain)
	due(1)
	deliverAll(t, s, true)
	occur(own)
	occur(plain)
	due(2)
	for _, v := range []core.Invocation{own, plain} {
		shown := state(t, s, v, n)
		if v.ID == own.ID && (shown.Delivery == nil || shown.Delivery.URI != "done" || shown.Delivery.Task != shown.ID) {
			t.Errorf("beside the latest run: %+v", shown.Delivery)
		}
		if err := s.Service.Stop(t.Context(), s.Caller, v.ID, nil); err != nil {
			t.Fatal(err)
		}
	}
	due(0) // standing tasks print nothing
}

func TestFindSink(t *testing.T) {
	t.Parallel()
	s := scene.New(t, scene.Buckets("there"))
	if !s.Service.Delivers() {
		t.Error("no object store")
	}
	for bucket, want := range map[string]core.DeliveryFault{"there": core.NoFault, "missing": core.FaultNoBucket, "silent": core.NoFault} {
		if got := s.Service.FindSink(t.Context(), core.Sink{Bucket: "oss://" + bucket}); got != want {
			t.Errorf("%s: %v, want %v", bucket, got, want)
		}
	}
	if got := s.Service.CheckSink(core.Sink{Bucket: "oss://Not A Bucket"}); got != core.FaultNoBucket {
		t.Errorf("a strange name: %v", got)
	}
}

func TestFaultTexts(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for f := range core.DeliveryFault(core.NumFaults + 1) {
		if seen[f.String()] {
			t.Errorf("fault %d says %q", f, f)
		}
		seen[f.String()] = true
	}
}
