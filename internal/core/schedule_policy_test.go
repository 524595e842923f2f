package core_test

import (
	"testing"
	"time"

	"errand/internal/api/scene"
	"errand/internal/core"
	"errand/internal/schedule"
)

// TestAgentTooOldForPolicies gives no plan to an agent that would carry it out without its policy.
func TestAgentTooOldForPolicies(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	n := s.Node("n")
	facts := core.Facts{Platform: n.Platform, Agent: "0.9", Features: []string{"shell", "schedule"}}
	if err := s.Service.Introduce(t.Context(), n.Key, facts); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		policy schedule.Policy
		cause  core.Cause
	}{
		{schedule.Policy{}, core.NoCause},
		{schedule.Policy{Overlap: schedule.QueueOverlap}, core.CauseAgentTooOld},
		{schedule.Policy{Missed: schedule.RunOnce}, core.CauseAgentTooOld},
		{schedule.Policy{Jitter: time.Second}, core.CauseAgentTooOld},
	} {
		spec := order("n")
		spec.Repeat, spec.Frequency, spec.Policy = core.Period, "rate(1h)", test.policy
		if got := state(t, s, run(t, s, spec), n); got.Cause != test.cause {
			t.Errorf("%+v: %s, %s", test.policy, got.State, got.Cause)
		}
	}
}

// TestMisfires takes over how many moments had no run, in whatever order that is told, and at the end.
func TestMisfires(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	n := s.Node("n")
	spec := order("n")
	spec.Repeat, spec.Frequency = core.Period, "rate(1h)"
	v := run(t, s, spec)
	for _, told := range []struct{ skipped, missed, wantSkipped, wantMissed uint32 }{{0, 0, 0, 0}, {2, 1, 2, 1}, {1, 3, 2, 3}, {2, 3, 2, 3}} {
		s.Report(v.ID, n, core.Report{Kind: core.ReportPlanned, Skipped: told.skipped, Missed: told.missed})
		if got := state(t, s, v, n); got.State != core.Scheduled || got.Skipped != told.wantSkipped || got.Missed != told.wantMissed {
			t.Errorf("after %+v: %s, %d skipped, %d missed", told, got.State, got.Skipped, got.Missed)
		}
	}
	s.Report(v.ID, n, core.Report{Kind: core.ReportEnded, State: core.DeliveryFailed, Cause: core.CauseScheduleOver, Skipped: 4, Missed: 5})
	if got := state(t, s, v, n); got.Cause != core.CauseScheduleOver || got.Skipped != 4 || got.Missed != 5 {
		t.Errorf("at the end: %s, %d skipped, %d missed", got.Cause, got.Skipped, got.Missed)
	}
}
