package stacktest

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"errand/internal/api/native"
)

// The stories in this file kill the server in the middle of runs that reach their nodes bit by bit, and look at what the nodes did.

// work and probe are the commands that simulated nodes are told to run.
const (
	work  = "work"
	probe = "probe"
)

// paced orders a run on all nodes of a fleet.
func (f *simulation) paced(pace map[string]any) native.Invocation {
	f.i.t.Helper()
	var v native.Invocation
	f.i.api(http.MethodPost, "invocations", map[string]any{"content": work, "targets": f.names, "pace": pace, "timeout_seconds": 600}, &v)
	return v
}

func (i *installation) run(id string) (v native.Invocation) {
	i.t.Helper()
	i.api(http.MethodGet, "invocations/"+id, nil, &v)
	return v
}

// pace waits until a run is in a state.
func (i *installation) pace(id, state string) (v native.Invocation) {
	i.t.Helper()
	Eventually(i.t, late, func() error {
		if err := i.try(http.MethodGet, "invocations/"+id, nil, &v); err != nil {
			return err
		}
		if v.Pace.State != state {
			return fmt.Errorf("%+v, %v", *v.Pace, v.States)
		}
		return nil
	})
	return v
}

// restart kills the server and starts it again.
func (i *installation) restart() {
	i.t.Helper()
	i.kill(i.server)
	i.startServer()
}

// quiet fails the test if the server lets anything begin in a time that is longer than it takes to look at every run.
func (f *simulation) quiet(content string, begun int) {
	f.i.t.Helper()
	deadline := time.Now().Add(2500 * time.Millisecond)
	for time.Now().Before(deadline) {
		if n, _, _ := f.numbers(content); n != begun {
			f.i.t.Fatalf("%d have begun, not %d", n, begun)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestStepsThroughKills kills the server in each of three steps, right after a task began or ended.
func TestStepsThroughKills(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.startServer()
	f := i.simulate(16, func(node, _ string) (time.Duration, int64) {
		return time.Duration(20+int(node[2])%7*15) * time.Millisecond, 0
	})
	bounds := []int{1, 4, 16}
	f.look = func(node, _ string) string {
		index := slices.Index(f.names, node)
		step := slices.IndexFunc(bounds, func(b int) bool { return index < b })
		if step > 0 && len(f.ended[work]) < bounds[step-1] {
			return fmt.Sprintf("%s of step %d begins although only %d have ended", node, step+1, len(f.ended[work]))
		}
		return ""
	}
	v := f.paced(map[string]any{"concurrency": "3", "steps": []string{"1", "25%", "100%"}, "max_failures": "0"})
	if v.Pace.StepsTotal != 3 || !slices.Equal(v.Pace.Bounds, bounds) {
		t.Errorf("%+v", *v.Pace)
	}
	for _, begun := range []int{1, 3, 7, 11} {
		f.until(work, begun)
		i.restart()
	}
	v = i.pace(v.ID, "finished")
	if v.States["succeeded"] != 16 || v.Pace.Released != 16 || v.Pace.Step != 3 {
		t.Errorf("%v %+v", v.States, *v.Pace)
	}
	f.check(work, 3)
}

// TestBudgetThroughKills lets all nodes but the first four fail.
func TestBudgetThroughKills(t *testing.T) {
	t.Parallel()
	const budget, concurrency = 2, 3
	i := install(t)
	i.startServer()
	f := i.simulate(20, func(node, _ string) (time.Duration, int64) {
		if node < "n04" {
			return 30 * time.Millisecond, 0
		}
		return 60 * time.Millisecond, 1
	})
	v := f.paced(map[string]any{"concurrency": "3", "max_failures": "2"})
	f.until(work, 5)
	i.restart() // while the first of those run that fail
	v = i.pace(v.ID, "paused")
	settled := func(good int) int {
		Eventually(t, late, func() error { // a paused run lets go nothing more, but something may be on its way
			if v = i.run(v.ID); v.Open > v.Tasks-v.Pace.Released {
				return fmt.Errorf("%v", v.States)
			}
			return nil
		})
		begun, _, _ := f.numbers(work)
		if failed := begun - good; failed <= budget || failed > budget+concurrency {
			t.Errorf("%d failed before the run was paused", failed)
		}
		return begun
	}
	first := settled(4)
	i.restart()
	f.quiet(work, first)
	if v = i.run(v.ID); v.Pace.State != "paused" || v.Pace.Why == "" || v.Pace.Failures <= budget || v.Pace.Released != first {
		t.Errorf("%+v", *v.Pace)
	}

	// Whoever resumes it forgives what failed before, and nothing else.
	i.api(http.MethodPost, "invocations/"+v.ID+"/resume", nil, &v)
	f.until(work, first+1)
	i.restart()
	i.pace(v.ID, "paused")
	second := settled(first)
	f.quiet(work, second)
	f.check(work, concurrency)
	i.api(http.MethodPost, "invocations/"+v.ID+"/abort", nil, &v)
	if v = i.pace(v.ID, "aborted"); v.States["cancelled"] != 20-second || v.States["failed"] != second-4 || v.Open != 0 {
		t.Errorf("%v", v.States)
	}
}

// TestProbeThroughKills kills the server while a probe is under way, and when it has just failed.
func TestProbeThroughKills(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.startServer()
	f := i.simulate(8, func(_, content string) (time.Duration, int64) {
		if content == work {
			return 20 * time.Millisecond, 0
		}
		return 0, 0
	})
	f.look = func(node, content string) string {
		if content == work && f.live[probe] > 0 {
			return node + " begins during a probe"
		}
		return ""
	}
	v := f.paced(map[string]any{"steps": []string{"2", "6"}, "probe": probe, "concurrency": "2"})
	f.until(probe, 2)
	i.restart()
	f.quiet(work, 2)
	if v = i.run(v.ID); v.Pace.State != "probing" || v.Pace.ProbeRun == "" {
		t.Errorf("%+v", *v.Pace)
	}
	var about native.Invocation
	i.api(http.MethodGet, "invocations/"+v.Pace.ProbeRun, nil, &about)
	if about.Kind != "probe" || about.ProbeOf != v.ID || about.Tasks != 2 {
		t.Errorf("%+v", about)
	}
	i.kill(i.server)
	f.finish(probe, 0) // which the server hears of when it is back
	i.startServer()
	f.until(probe, 6)
	f.finish(probe, 1, "n03")
	f.finish(probe, 0)
	i.restart()
	v = i.pace(v.ID, "paused")
	f.quiet(work, 6)
	if v.Pace.Why != "the probe failed on 1 of 4 nodes" || v.Pace.Step != 3 {
		t.Errorf("%+v", *v.Pace)
	}
	i.api(http.MethodPost, "invocations/"+v.ID+"/resume", nil, &v)
	if v = i.pace(v.ID, "finished"); v.States["succeeded"] != 8 {
		t.Errorf("%v", v.States)
	}
	f.check(work, 2)
	if n, _, _ := f.numbers(probe); n != 6 {
		t.Errorf("%d nodes were probed, want each of the first two steps once", n)
	}
}

// TestPauseThroughKills kills the server when it has just said that a run is paused, and when it has just resumed it.
func TestPauseThroughKills(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.startServer()
	f := i.simulate(10, nil)
	v := f.paced(map[string]any{"concurrency": "3"})
	f.until(work, 3)
	f.finish(work, 0, "n00")
	f.until(work, 4)
	i.api(http.MethodPost, "invocations/"+v.ID+"/pause", nil, &v)
	i.kill(i.server)
	f.finish(work, 0)
	i.startServer()
	f.quiet(work, 4)
	for range 2 { // a repeat changes nothing
		i.api(http.MethodPost, "invocations/"+v.ID+"/pause", nil, &v)
	}
	if v.Pace.State != "paused" || v.Pace.Why != "paused by root" || v.Pace.Released != 4 {
		t.Errorf("%+v", *v.Pace)
	}
	for range 2 {
		i.api(http.MethodPost, "invocations/"+v.ID+"/resume", nil, &v)
	}
	i.restart()
	for begun := 7; begun < 10; begun++ {
		f.until(work, begun)
		f.quiet(work, begun)
		f.finish(work, 0, f.names[begun-3])
	}
	f.until(work, 10)
	f.finish(work, 0)
	if v = i.pace(v.ID, "finished"); v.States["succeeded"] != 10 {
		t.Errorf("%v", v.States)
	}
	f.check(work, 3)
	if err := i.try(http.MethodPost, "invocations/"+v.ID+"/pause", nil, &v); err == nil {
		t.Error("paused when it was over")
	}
}

// TestAbortThroughKills kills the server while it aborts a run.
func TestAbortThroughKills(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.startServer()
	f := i.simulate(12, nil)
	v := f.paced(map[string]any{"concurrency": "3"})
	f.until(work, 3)
	Eventually(t, soon, func() error {
		if v = i.run(v.ID); v.States["running"] != 3 {
			return fmt.Errorf("%v", v.States)
		}
		return nil
	})
	answered := make(chan error, 1)
	go func() {
		var w native.Invocation
		answered <- i.try(http.MethodPost, "invocations/"+v.ID+"/abort", nil, &w)
	}()
	time.Sleep(3 * time.Millisecond) // before, in the middle or after: it has to be right in any case
	i.kill(i.server)
	heard := <-answered
	f.finish(work, 0, "n00")
	i.startServer()
	if v = i.run(v.ID); heard != nil && v.Pace.State == "running" {
		f.until(work, 4) // it never heard of it, so it goes on
		i.api(http.MethodPost, "invocations/"+v.ID+"/abort", nil, &v)
		i.restart()
	}
	v = i.pace(v.ID, "aborted")
	begun, _, _ := f.numbers(work)
	f.quiet(work, begun)
	f.finish(work, 0)
	Eventually(t, late, func() error {
		if v = i.run(v.ID); v.Open > 0 {
			return fmt.Errorf("%v", v.States)
		}
		return nil
	})
	if v.States["succeeded"]+v.States["terminated"] != begun || v.States["cancelled"] != 12-begun {
		t.Errorf("%v, of which %d began", v.States, begun)
	}
	f.check(work, 3)
	i.api(http.MethodPost, "invocations/"+v.ID+"/abort", nil, &v) // a repeat changes nothing
	if err := i.try(http.MethodPost, "invocations/"+v.ID+"/resume", nil, &v); err == nil {
		t.Error("resumed after it was aborted")
	}
}
