package core_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/scene"
	"errand/internal/core"
)

func readSettings(t *testing.T, s *scene.Scene) core.AccountSettings {
	t.Helper()
	got, err := s.Service.Settings(t.Context(), s.Caller)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestChangeSettings keeps all of a change or nothing.
func TestChangeSettings(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	change := func(f func(*core.AccountSettings) error) error {
		return s.Service.ChangeSettings(t.Context(), s.Caller, f)
	}
	want := core.DefaultSettings()
	if diff := cmp.Diff(want, readSettings(t, s)); diff != "" {
		t.Errorf("never changed (-want +got):\n%s", diff)
	}
	if err := change(func(a *core.AccountSettings) error {
		a.Sessions.Enabled = false
		a.AgentUpgrade.Custom, a.AgentUpgrade.Windows = true, []core.DailyWindow{{From: 60, To: 0}}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want.Sessions.Enabled = false
	want.AgentUpgrade.Custom, want.AgentUpgrade.Windows = true, []core.DailyWindow{{From: 60, To: 0}}

	refusal := errors.New("no")
	if err := change(func(a *core.AccountSettings) error {
		a.Sessions.Enabled = true
		return refusal
	}); !errors.Is(err, refusal) {
		t.Errorf("refused by the caller: %v", err)
	}
	if err := change(func(a *core.AccountSettings) error {
		a.Sessions.Enabled = true
		a.ResourceUsage.CPU = 96
		return nil
	}); !core.ReasonTooLarge.Is(err) {
		t.Errorf("one good, one bad: %v", err)
	}
	if err := change(func(*core.AccountSettings) error { return nil }); err != nil {
		t.Errorf("no change: %v", err)
	}
	if diff := cmp.Diff(want, readSettings(t, s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.Caller.Account++
	if diff := cmp.Diff(core.DefaultSettings(), readSettings(t, s)); diff != "" {
		t.Errorf("another account's (-want +got):\n%s", diff)
	}
}

// TestWindowMinutes measures windows that end on the next day, too. The bounds of all settings are tested through the API that has them.
func TestWindowMinutes(t *testing.T) {
	t.Parallel()
	for w, want := range map[core.DailyWindow]int{
		{From: 0, To: 60}: 60, {From: 1410, To: 30}: 60, {From: 5, To: 5}: 0, {From: 1, To: 0}: 1439,
	} {
		if got := w.Minutes(); got != want {
			t.Errorf("%v: %d minutes, want %d", w, got, want)
		}
	}
	s := scene.New(t)
	for _, w := range []core.DailyWindow{{From: -1, To: 90}, {From: 0, To: 1440}, {From: 1440, To: 60}, {From: 60, To: -60}} {
		err := s.Service.ChangeSettings(t.Context(), s.Caller, func(a *core.AccountSettings) error {
			a.AgentUpgrade.Windows = []core.DailyWindow{w}
			return nil
		})
		if !core.ReasonInvalidValue.Is(err) {
			t.Errorf("%v: %v", w, err)
		}
	}
}
