package dispatch

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/core"
	"errand/internal/telemetry"
)

// subscribe makes a receiver's subscription.
func (r *rig) subscribe(to *receiver, spec core.SubscriptionSpec) core.ID {
	r.t.Helper()
	spec.URL = to.URL + "/hook"
	s, secret, err := r.scene.Service.Subscribe(r.t.Context(), r.scene.Caller, spec)
	if err != nil {
		r.t.Fatal(err)
	}
	to.trust(secret)
	r.shorten = func(d time.Duration) time.Duration { return d }
	return s.ID
}

// serveAll does what the loop would do now, and returns how many subscriptions were claimed.
func (r *rig) serveAll() int {
	r.t.Helper()
	claimed, err := r.svc.ClaimSubscriptions(r.t.Context(), 100)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, s := range claimed {
		r.serve(r.t.Context(), s)
	}
	return len(claimed)
}

func (r *rig) subscription(id core.ID) core.Subscription {
	r.t.Helper()
	s, err := r.scene.Service.Subscription(r.t.Context(), r.scene.Caller, id)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *rig) same(what string, want, got any) {
	r.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

var ofOneRun = []string{
	"invocation.accepted", "invocation.started", "task.running", "task.failed", "invocation.ended",
}

// story runs a command on a node to its end.
func (r *rig) story(n core.Node) core.Invocation {
	r.t.Helper()
	v := r.run("n")
	r.scene.Report(v.ID, n, core.Report{Kind: core.ReportStarted, At: r.scene.Now()})
	r.scene.Exit(v.ID, n, 3, "secret output", "")
	return v
}

func online(r *rig) core.Node {
	r.t.Helper()
	n := r.scene.Node("n")
	r.scene.Online(n)
	return n
}

// TestNotify looks at what a receiver gets of a run.
func TestNotify(t *testing.T) {
	t.Parallel()
	r, to := newRig(t), newReceiver(t)
	n := online(r)
	id := r.subscribe(to, core.SubscriptionSpec{})
	v := r.story(n)
	r.same("claimed", 1, r.serveAll())
	events := to.take()
	r.same("types", ofOneRun, types(events))
	r.same("claimed when nothing waits", 0, r.serveAll())
	for i, e := range events {
		if want := fmt.Sprintf("%s-%d", id, i+2); e.ID != want { // the first event is of the node
			t.Errorf("event %d has the id %s", i, e.ID)
		}
		if i > 0 && e.Sequence <= events[i-1].Sequence {
			t.Errorf("%s comes after %s", e.Sequence, events[i-1].Sequence)
		}
		if want := fmt.Sprintf("/accounts/%s/invocations/%s", r.scene.Caller.Account, v.ID); e.Source != want || e.Data.Invocation != v.ID.String() {
			t.Errorf("%+v", e)
		}
	}
	e := events[3]
	task := core.TaskID{Invocation: v.ID}.String()
	if e.Subject != task || e.Data.Task != task || e.Data.State != "failed" || e.Data.Cause != "exit_nonzero" || *e.Data.ExitCode != 3 || e.Data.Node.ID != "n" {
		t.Errorf("%+v", e)
	}
	r.same("states of the invocation", map[string]int{"failed": 1}, events[4].Data.States)
	r.same("wrong signatures", 0, to.wrong())
}

// TestNotifyRetries lets a receiver refuse everything for a day, and then only one event.
func TestNotifyRetries(t *testing.T) {
	t.Parallel()
	r, to := newRig(t), newReceiver(t)
	n := online(r)
	id := r.subscribe(to, core.SubscriptionSpec{})
	to.set(status(http.StatusInternalServerError))
	r.story(n)
	began := r.scene.Now()
	var pauses []time.Duration
	for {
		r.same("claimed", 1, r.serveAll())
		s := r.subscription(id)
		if len(s.Dead) > 0 {
			break
		}
		if s.LastError != "status 500" || s.FailingSince != began || s.Tries != len(pauses)+1 || s.Cursor != 1 {
			t.Fatalf("%+v", s)
		}
		pause := s.NextTry.Sub(r.scene.Now())
		pauses = append(pauses, pause)
		r.scene.Advance(pause - time.Second)
		r.same("claimed too early", 0, r.serveAll())
		r.scene.Advance(time.Second)
	}
	want := []time.Duration{5 * time.Second}
	for sum := want[0]; sum < 24*time.Hour; sum += want[len(want)-1] {
		want = append(want, min(2*want[len(want)-1], time.Hour, 24*time.Hour-sum))
	}
	r.same("pauses", want, pauses)
	ids := to.requests()
	r.same("requests", len(pauses)+2, len(ids)) // the last one is about the next event
	r.same("ids", 2, len(slices.Compact(ids)))
	s := r.subscription(id)
	r.same("dead letters", []core.DeadLetter{{Seq: 2, At: r.scene.Now(), Tries: len(pauses) + 1, Error: "status 500"}}, s.Dead)
	r.same("tries of the next event", 1, s.Tries)

	to.set(func(id string) int {
		if strings.HasSuffix(id, "-2") {
			return http.StatusBadRequest
		}
		return http.StatusOK
	})
	r.scene.Advance(5 * time.Second)
	r.serveAll()
	r.same("types", ofOneRun[1:], to.types())
	if s := r.subscription(id); s.Tries != 0 || !s.FailingSince.IsZero() || s.LastError != "" || s.DeliveredAt != r.scene.Now() {
		t.Errorf("%+v", s)
	}
	dead, err := r.svc.DeadLetters(t.Context(), r.scene.Caller, id)
	if err != nil || len(dead) != 1 || dead[0].Type() != "errand.invocation.accepted" || dead[0].Tries != len(pauses)+1 {
		t.Errorf("%+v, %v", dead, err)
	}

	// Once more: first it is still refused, then not.
	to.requests()
	for _, seq := range []int64{2, 0} {
		if n, err := r.svc.ReplayDead(t.Context(), r.scene.Caller, id, seq); err != nil || n != 1 {
			t.Errorf("%d, %v", n, err)
		}
		r.serveAll()
		r.same("requests", ids[:1], to.requests())
		to.set(nil)
	}
	r.same("types", ofOneRun[:1], to.types())
	if s := r.subscription(id); len(s.Dead) != 0 || s.Cursor != 6 {
		t.Errorf("%+v", s)
	}
	if _, err := r.svc.ReplayDead(t.Context(), r.scene.Caller, id, 1); core.AsError(err).Code != core.CodeNotFound {
		t.Errorf("what is no longer dead: %v", err)
	}
}

func TestNotifyGone(t *testing.T) {
	t.Parallel()
	r, to := newRig(t), newReceiver(t)
	n := online(r)
	id := r.subscribe(to, core.SubscriptionSpec{})
	to.set(status(http.StatusGone))
	r.story(n)
	r.serveAll()
	if s := r.subscription(id); s.Enabled || s.LastError != "status 410" || s.Cursor != 1 {
		t.Errorf("%+v", s)
	}
	r.scene.Advance(48 * time.Hour)
	r.same("claimed", 0, r.serveAll())
	r.same("requests", 1, len(to.requests()))

	// When it is enabled, it goes on where it stopped.
	to.set(nil)
	on := true
	if _, _, err := r.svc.ChangeSubscription(t.Context(), r.scene.Caller, id, core.SubscriptionChange{Enabled: &on}); err != nil {
		t.Fatal(err)
	}
	r.serveAll()
	r.same("types", ofOneRun, to.types())
}

// TestNotifyBatches sends several events at a time, and after a failure one at a time.
func TestNotifyBatches(t *testing.T) {
	t.Parallel()
	r, to := newRig(t), newReceiver(t)
	n := online(r)
	id := r.subscribe(to, core.SubscriptionSpec{Batch: 3})
	to.set(status(http.StatusServiceUnavailable))
	r.story(n)
	r.serveAll()
	to.set(nil)
	r.scene.Advance(5 * time.Second)
	r.serveAll()
	r.same("types", ofOneRun, to.types())
	r.same("requests", []string{id.String() + "-2-4", id.String() + "-2", id.String() + "-3-5", id.String() + "-6"}, to.requests())
	r.same("wrong signatures", 0, to.wrong())
}

// TestNotifyChoice sends what was asked for, and nothing of another account.
func TestNotifyChoice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	n := online(r)
	stranger := newReceiver(t)
	other := core.Caller{Account: 42, Root: true}
	if _, _, err := r.svc.Subscribe(t.Context(), other, core.SubscriptionSpec{URL: stranger.URL}); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		spec core.SubscriptionSpec
		want []string
	}{
		{core.SubscriptionSpec{Types: []string{"*"}}, ofOneRun},
		{core.SubscriptionSpec{Types: []string{"errand.invocation.*"}}, []string{ofOneRun[0], ofOneRun[1], ofOneRun[4]}},
		{core.SubscriptionSpec{Types: []string{"errand.task.failed", "errand.*.ended"}}, ofOneRun[3:]},
		{core.SubscriptionSpec{Types: []string{"errand.task.lost"}}, nil},
		{core.SubscriptionSpec{Commands: []core.ID{1}}, nil},
	}
	receivers := make([]*receiver, len(tests))
	ids := make([]core.ID, len(tests))
	for i, tt := range tests {
		receivers[i] = newReceiver(t)
		ids[i] = r.subscribe(receivers[i], tt.spec)
	}
	v := r.story(n)
	r.same("claimed", len(tests), r.serveAll())
	for i, tt := range tests {
		r.same(fmt.Sprintf("types of %d", i), tt.want, receivers[i].types())
		r.same("cursor", int64(6), r.subscription(ids[i]).Cursor)
	}
	change := core.SubscriptionChange{Commands: &[]core.ID{1, v.Command}}
	if _, _, err := r.svc.ChangeSubscription(t.Context(), r.scene.Caller, ids[4], change); err != nil {
		t.Fatal(err)
	}
	if _, err := r.svc.Replay(t.Context(), r.scene.Caller, ids[4], core.Moment{Seq: 1}); err != nil {
		t.Fatal(err)
	}
	r.serveAll()
	r.same("types of one command", ofOneRun, receivers[4].types())
	r.same("what the other account hears", 0, len(stranger.requests()))
	if rows, err := r.svc.Events(t.Context(), other, 0, 100); err != nil || len(rows) != 0 {
		t.Errorf("the other account reads %d events, %v", len(rows), err)
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	r, to := newRig(t), newReceiver(t)
	n := online(r)
	id := r.subscribe(to, core.SubscriptionSpec{})
	r.story(n)
	r.scene.Advance(time.Minute)
	r.scene.Online(n)
	second := r.scene.Now()
	r.story(n)
	r.serveAll()
	first := to.requests()
	r.same("types", slices.Concat(ofOneRun, ofOneRun), to.types())
	for _, tt := range []struct {
		from core.Moment
		want []string
	}{
		{core.Moment{Seq: 9}, first[7:]},
		{core.Moment{At: second}, first[5:]},
		{core.Moment{At: second.Add(-time.Hour)}, first},
		{core.Moment{At: second.Add(time.Hour)}, nil},
		{core.Moment{Seq: 1000}, nil},
		{core.Moment{}, nil},
	} {
		if _, err := r.svc.Replay(t.Context(), r.scene.Caller, id, tt.from); err != nil {
			t.Fatal(err)
		}
		r.serveAll()
		r.same(fmt.Sprintf("replayed from %v", tt.from), tt.want, to.requests())
	}
	to.types()
	r.story(n)
	r.serveAll()
	r.same("what follows", ofOneRun, to.types())

	// Events leave with the results, and their dead letters with them.
	to.set(status(http.StatusInternalServerError))
	r.story(n)
	r.serveAll()
	r.scene.Advance(25 * time.Hour)
	r.serveAll()
	r.keep = core.Retention{Age: time.Hour}
	r.retain(t.Context())
	to.set(nil)
	dead, err := r.svc.DeadLetters(t.Context(), r.scene.Caller, id)
	if s := r.subscription(id); len(s.Dead) != 1 || len(dead) != 0 || err != nil {
		t.Errorf("%+v, %v, %v", s.Dead, dead, err)
	}
	if _, err := r.svc.Replay(t.Context(), r.scene.Caller, id, core.Moment{Seq: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.svc.ReplayDead(t.Context(), r.scene.Caller, id, 0); err != nil {
		t.Fatal(err)
	}
	to.types()
	r.serveAll()
	if s := r.subscription(id); len(s.Dead) != 0 {
		t.Errorf("a dead letter without its event: %+v", s.Dead)
	}
	r.same("what is gone", []string(nil), to.types())
}

// TestTwoLoops lets two servers send for one subscription.
func TestTwoLoops(t *testing.T) {
	t.Parallel()
	r, to := newRig(t), newReceiver(t)
	n := online(r)
	r.subscribe(to, core.SubscriptionSpec{})
	twin := &rig{New(Config{
		Service: r.scene.Service, Feed: r.scene.Feed, Bus: r.wire, Now: r.scene.Now, Log: slog.New(slog.DiscardHandler),
		Metrics: telemetry.NewMetrics(nil), Shorten: r.shorten,
	}), t, r.scene, r.wire}
	r.start()
	twin.start()
	const stories = 8
	for range stories {
		r.story(n)
	}
	var want []string
	for range stories {
		want = append(want, ofOneRun...)
	}
	r.same("types", want, to.await(len(want)))
	r.same("requests", len(want), len(to.requests()))
}

// TestSentTwice lets a process go away between sending and writing that down; its successor sends the same again.
func TestSentTwice(t *testing.T) {
	t.Parallel()
	r, to := newRig(t), newReceiver(t)
	n := online(r)
	id := r.subscribe(to, core.SubscriptionSpec{})
	r.story(n)

	// It hangs for so long that its claim ends.
	var hung atomic.Bool
	to.set(func(string) int {
		if hung.CompareAndSwap(false, true) {
			r.scene.Advance(30 * time.Second)
			r.same("claimed by the successor", 1, r.serveAll())
		}
		return http.StatusOK
	})
	r.serveAll()
	ids := to.requests()
	r.same("requests", 6, len(ids))
	r.same("the first one", ids[0], ids[1])
	r.same("different ones", 5, len(slices.Compact(slices.Sorted(slices.Values(ids)))))
	r.same("cursor", int64(6), r.subscription(id).Cursor)

	// It is stopped before it hears the answer.
	r.scene.Online(n)
	r.story(n)
	claimed, err := r.svc.ClaimSubscriptions(t.Context(), 1)
	if err != nil || len(claimed) != 1 {
		t.Fatalf("%d, %v", len(claimed), err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	to.set(func(string) int {
		stop()
		<-stopped
		return http.StatusOK
	})
	r.serve(ctx, claimed[0])
	close(stopped)
	to.set(nil)
	r.same("claimed again", 1, r.serveAll())
	ids = to.requests()
	r.same("requests", 6, len(ids))
	r.same("the first one", ids[0], ids[1])
	if s := r.subscription(id); s.Cursor != 11 || s.Tries != 0 {
		t.Errorf("%+v", s)
	}
}

// TestNotifyChanged changes a subscription while a request is under way: what the request meant no longer counts.
func TestNotifyChanged(t *testing.T) {
	t.Parallel()
	r, to := newRig(t), newReceiver(t)
	n := online(r)
	id := r.subscribe(to, core.SubscriptionSpec{})
	r.story(n)
	var once sync.Once
	to.set(func(string) int {
		once.Do(func() {
			if _, err := r.svc.Replay(t.Context(), r.scene.Caller, id, core.Moment{Seq: 5}); err != nil {
				t.Error(err)
			}
		})
		return http.StatusOK
	})
	r.serveAll()
	r.same("cursor", int64(4), r.subscription(id).Cursor)
	r.serveAll()
	r.same("types", []string{ofOneRun[0], ofOneRun[3], ofOneRun[4]}, to.types())
	to.set(func(string) int {
		if err := r.svc.Unsubscribe(t.Context(), r.scene.Caller, id); err != nil {
			t.Error(err)
		}
		return http.StatusOK
	})
	r.story(n)
	r.serveAll()
	r.same("requests after the end", 1, len(to.types()))
}

// TestSilentReceiver lets one receiver never answer; the others hear all the same.
func TestSilentReceiver(t *testing.T) {
	t.Parallel()
	r, silent, to := newRig(t), newReceiver(t), newReceiver(t)
	n := online(r)
	hold := make(chan struct{})
	silent.set(func(string) int { <-hold; return http.StatusOK })
	t.Cleanup(func() { close(hold) })
	r.subscribe(silent, core.SubscriptionSpec{})
	r.subscribe(to, core.SubscriptionSpec{})
	r.start()
	for range 3 {
		r.story(n)
		r.same("types", ofOneRun, to.await(len(ofOneRun)))
	}
	r.same("what the silent one took", 0, len(silent.types()))
	r.same("requests to the silent one", 1, len(silent.requests()))
}

// TestRotation signs with the old secret as well for a day.
func TestRotation(t *testing.T) {
	t.Parallel()
	r, to := newRig(t), newReceiver(t)
	id := r.subscribe(to, core.SubscriptionSpec{Disabled: true})
	_, fresh, err := r.svc.ChangeSubscription(t.Context(), r.scene.Caller, id, core.SubscriptionChange{RotateSecret: true})
	old := to.secret
	if err != nil || fresh == old || !strings.HasPrefix(fresh, "whsec_") {
		t.Fatalf("%v", err)
	}
	for _, tt := range []struct {
		after  time.Duration
		secret string
		broken int
	}{{0, old, 0}, {0, fresh, 0}, {24 * time.Hour, fresh, 0}, {0, old, 1}} {
		r.scene.Advance(tt.after)
		to.trust(tt.secret)
		if status, err := r.svc.Ping(t.Context(), r.scene.Caller, id); err != nil || status != http.StatusNoContent {
			t.Errorf("%d, %v", status, err)
		}
		r.same("wrong signatures", tt.broken, to.wrong())
	}
	r.same("pings", []string{"ping", "ping", "ping", "ping"}, to.types())
	r.same("ids", 4, len(slices.Compact(slices.Sorted(slices.Values(to.requests())))))
	to.Close()
	if _, err := r.svc.Ping(t.Context(), r.scene.Caller, id); core.AsError(err).Code != core.CodeUnavailable {
		t.Errorf("nobody answers: %v", err)
	}
}
