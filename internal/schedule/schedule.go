package schedule

import (
	"fmt"
	"math"
	"time"
	_ "time/tzdata" // a minimal system has no zones of its own
)

// Kind is the form of a plan.
type Kind uint8

// The kinds. The zero value is the kind of the zero Plan, which never fires.
const (
	Cron Kind = iota + 1 // whenever the wall clock matches
	Rate                 // every so often, counted from its creation
	At                   // once
)

// String names the kind as the vendors do.
func (k Kind) String() string {
	switch k {
	case Cron:
		return "cron"
	case Rate:
		return "rate"
	case At:
		return "at"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// What the vendors demand of a schedule when a task is created (ECS RunCommand, Frequency).
const (
	minRate    = time.Minute
	maxRate    = 7 * 24 * time.Hour
	minCronGap = 10 * time.Second
)

// Plan is when something repeats. It is immutable and safe for concurrent use. The zero value never fires.
type Plan struct {
	expr     string
	kind     Kind
	zone     *time.Location
	interval time.Duration // Rate; whole seconds
	at       time.Time     // At
	cron     *calendar     // Cron
}

// OnceAt returns the plan that fires at one moment, cut to the second.
func OnceAt(at time.Time) Plan {
	at = at.Truncate(time.Second).UTC()
	return Plan{expr: at.Format("at(2006-01-02 15:04:05)"), kind: At, zone: time.UTC, at: at}
}

// Kind returns the form the plan was written in.
func (p Plan) Kind() Kind {
	return p.kind
}

// Zone returns the zone the plan names, UTC for an at that names none, and nil if it goes by the clock of the node it runs on.
func (p Plan) Zone() *time.Location {
	return p.zone
}

// Interval returns the interval of a rate, and 0 for other kinds.
func (p Plan) Interval() time.Duration {
	return p.interval
}

// String returns the plan as it was written.
func (p Plan) String() string {
	return p.expr
}

// Next returns the first firing strictly after a moment, in the plan's zone; ok is false when there is none any more. local stands in
// for a plan without a zone, nil meaning UTC. A rate fires at created + k*interval, k >= 1; created does not matter to other kinds.
//
// It takes microseconds, also for plans that wait forty years for a 29 February on a Monday.
func (p Plan) Next(after, created time.Time, local *time.Location) (next time.Time, ok bool) {
	if after.Year() > 9999 {
		return time.Time{}, false
	}
	if after.Year() < 1 {
		after = time.Time{}
	}
	zone := p.zoneOr(local)
	switch p.kind {
	case Cron:
		if sec, ok := p.cron.next(after.Unix(), zone); ok {
			return time.Unix(sec, 0).In(zone), true
		}
	case Rate:
		if year := created.Year(); year >= 1 && year <= 9999 {
			return p.nextOfRate(after, created).In(zone), true
		}
	case At:
		if p.at.After(after) {
			return p.at.In(zone), true
		}
	}
	return time.Time{}, false
}

// nextOfRate counts in seconds, because a time.Duration ends after 292 years.
func (p Plan) nextOfRate(after, created time.Time) time.Time {
	elapsed := after.Unix() - created.Unix()
	if after.Nanosecond() < created.Nanosecond() {
		elapsed--
	}
	interval := int64(p.interval / time.Second)
	k := int64(1)
	if elapsed > 0 {
		k += elapsed / interval
	}
	return time.Unix(created.Unix()+k*interval, int64(created.Nanosecond()))
}

func (p Plan) zoneOr(local *time.Location) *time.Location {
	switch {
	case p.zone != nil:
		return p.zone
	case local != nil:
		return local
	}
	return time.UTC
}

// MinGap returns the smallest distance between two firings, or the longest possible duration if there are no two. For a cron it is the
// exact smallest distance on the calendar and the clock face, over all dates the plan can fire on until 2099; a change of the clocks may
// bring two firings closer together.
func (p Plan) MinGap() time.Duration {
	switch p.kind {
	case Cron:
		return p.cron.minGap()
	case Rate:
		return p.interval
	case At:
	}
	return math.MaxInt64
}

// Check refuses what the vendors refuse when a task is created: a rate below 60 s, above 7 days or not longer than timeout; a cron that
// fires within less than 10 s or timeout; a plan with no firing after now. The error is an [*Error]. local is as for [Plan.Next].
func (p Plan) Check(now time.Time, timeout time.Duration, local *time.Location) error {
	gap := p.MinGap()
	switch {
	case p.kind == Rate && gap < minRate:
		return p.refuse(ErrTooOften, "the interval is shorter than %v", minRate)
	case p.kind == Rate && gap > maxRate:
		return p.refuse(ErrRange, "the interval is longer than 7 days")
	case p.kind == Rate && gap <= timeout:
		return p.refuse(ErrTooOften, "the interval has to be longer than the timeout of %v", timeout)
	case p.kind == Cron && gap < minCronGap:
		return p.refuse(ErrTooOften, "two runs are only %v apart, less than %v", gap, minCronGap)
	case p.kind == Cron && gap < timeout:
		return p.refuse(ErrTooOften, "two runs are only %v apart, less than the timeout of %v", gap, timeout)
	}
	if _, ok := p.Next(now, now, local); !ok {
		return p.refuse(ErrExpired, "it has no run after %s", now.UTC().Format(time.RFC3339))
	}
	return nil
}

func (p Plan) refuse(kind error, format string, args ...any) error {
	return &Error{Expr: p.expr, Reason: fmt.Sprintf(format, args...), Kind: kind}
}
