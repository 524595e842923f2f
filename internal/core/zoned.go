package core

import (
	"context"
	"strings"
	"time"
)

// zoneMark stands before the name of a zone in a crontab that is not read in UTC+8, as in cron programs.
const zoneMark = "CRON_TZ="

// ZonedTrigger is a trigger whose crontab is read in a zone; empty means UTC.
func ZonedTrigger(zone, crontab string) (Trigger, error) {
	if zone == "" {
		zone = "UTC"
	}
	if _, err := time.LoadLocation(zone); err != nil || strings.ContainsAny(zone, " \t") || zone == "Local" {
		return Trigger{}, invalid(ReasonScheduleInvalid, "zone", "no time zone %.64q", zone)
	}
	if strings.HasPrefix(crontab, zoneMark) {
		return Trigger{}, invalid(ReasonScheduleInvalid, "crontab", "the zone stands apart")
	}
	return Trigger{Crontab: zoneMark + zone + " " + crontab}, nil
}

// Zoned is the zone and the crontab of a trigger, both empty if it has none.
func (t Trigger) Zoned() (zone, crontab string) {
	if t.Crontab == "" {
		return "", ""
	}
	if rest, ok := strings.CutPrefix(t.Crontab, zoneMark); ok {
		zone, crontab, _ = strings.Cut(rest, " ")
		return zone, crontab
	}
	return "Etc/GMT-8", t.Crontab // whose sign is the other way round: UTC+8
}

// clock is the crontab of a trigger and the zone in which it is read.
func (t Trigger) clock() (*time.Location, string) {
	if !strings.HasPrefix(t.Crontab, zoneMark) {
		return crontabZone, t.Crontab
	}
	name, crontab := t.Zoned()
	zone, err := time.LoadLocation(name)
	if err != nil {
		zone = time.UTC // was checked when it was stored
	}
	return zone, crontab
}

// checkOrigin keeps zones from the vendors' callers, whose crontabs have none.
func (t Trigger) checkOrigin(o Origin) error {
	if o != OriginNative && strings.HasPrefix(t.Crontab, zoneMark) {
		return invalid(ReasonScheduleInvalid, "schedule", "a crontab has five fields")
	}
	return nil
}

// Moments tells when a trigger fires next, most times.
func (s *Service) Moments(_ context.Context, c Caller, t Trigger, most int) ([]time.Time, error) {
	if err := c.Allow("schedule.list", nil, resource("schedule", "", nil)); err != nil {
		return nil, err
	}
	at := s.Now()
	if err := t.check(at); err != nil {
		return nil, err
	}
	var moments []time.Time
	for len(moments) < most {
		if at = t.after(at); at.IsZero() {
			break
		}
		moments = append(moments, at)
	}
	return moments, nil
}
