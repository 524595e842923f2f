package core_test

import (
	"testing"
	"time"

	"errand/internal/api/scene"
	"errand/internal/core"
)

// TestZonedTrigger reads a crontab in a zone, over the change of the clocks, and one without a zone in UTC+8.
func TestZonedTrigger(t *testing.T) {
	t.Parallel()
	s := scene.New(t)
	berlin, err := core.ZonedTrigger("Europe/Berlin", "30 2 * * *")
	if err != nil {
		t.Fatal(err)
	}
	utc, err := core.ZonedTrigger("", "0 12 * * *")
	if err != nil {
		t.Fatal(err)
	}
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		trigger core.Trigger
		zone    *time.Location
		hour    int
	}{
		{"a zone", berlin, zone, 2},
		{"none", utc, time.UTC, 12},
		{"a vendor's", core.Trigger{Crontab: "0 9 * * *"}, time.FixedZone("", 8*60*60), 9},
	} {
		moments, err := s.Service.Moments(t.Context(), s.Caller, tt.trigger, 50)
		if err != nil || len(moments) != 50 {
			t.Fatalf("%s: %d moments, %v", tt.name, len(moments), err)
		}
		for _, m := range moments {
			if got := m.In(tt.zone).Hour(); got != tt.hour {
				t.Errorf("%s: %v is at %d", tt.name, m, got)
			}
		}
	}
	if zone, crontab := berlin.Zoned(); zone != "Europe/Berlin" || crontab != "30 2 * * *" {
		t.Errorf("%q %q", zone, crontab)
	}
	if zone, _ := (core.Trigger{Crontab: "0 9 * * *"}).Zoned(); zone != "Etc/GMT-8" {
		t.Errorf("%q", zone)
	}
	s.Node("a")
	spec := core.ScheduleSpec{Origin: core.OriginTAT, Command: script(t, s.Service, s.Caller, core.Definition{}), Trigger: utc, Targets: []string{"a"}}
	if _, err := s.Service.CreateSchedule(t.Context(), s.Caller, spec); core.AsError(err).Reason != core.ReasonScheduleInvalid {
		t.Errorf("a zone from a vendor's caller: %v", err)
	}
	spec.Trigger = core.Trigger{Crontab: "0 9 * * *"}
	made, err := s.Service.CreateSchedule(t.Context(), s.Caller, spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Service.ChangeSchedule(t.Context(), s.Caller, made.ID, core.ScheduleChange{Origin: core.OriginTAT, Trigger: &utc}); core.AsError(err).Reason != core.ReasonScheduleInvalid {
		t.Errorf("a zone from a vendor's caller: %v", err)
	}
}
