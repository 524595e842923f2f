package schedule

import (
	"math"
	"time"
)

// widest is more than any zone is away from Greenwich and more than any clock was ever changed by, in seconds.
const widest = 2 * secondsPerDay

// stretch is a time in which the clocks of a zone are not changed: Unix seconds from start until before end, which are the ends of int64
// where there is no change at all.
type stretch struct {
	start, end int64
	offset     int64 // from UTC, in seconds
	before     int64 // the offset of the stretch before; the same as offset if there is none
}

func stretchAt(sec int64, zone *time.Location) stretch {
	t := time.Unix(sec, 0).In(zone)
	s := stretch{start: math.MinInt64, end: math.MaxInt64, offset: offsetAt(t)}
	s.before = s.offset
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		s.start = start.Unix()
		s.before = offsetAt(start.Add(-time.Second))
	}
	if !end.IsZero() {
		s.end = end.Unix()
		if s.end <= sec { // package time ends a year after 365 days, also when it is a leap year and today is the last day
			s.end = sec - sec%secondsPerDay + secondsPerDay
		}
	}
	return s
}

func offsetAt(t time.Time) int64 {
	_, offset := t.Zone()
	return int64(offset)
}

// instant returns when a zone's clock shows a time, given in seconds as if the wall were in Greenwich: the first of two moments, and for
// a time that is skipped the moment later by what is skipped.
func instant(wall int64, zone *time.Location) int64 {
	for s := stretchAt(wall-widest, zone); ; s = stretchAt(s.end, zone) {
		switch {
		case s.end != math.MaxInt64 && wall-s.offset >= s.end:
		case s.start != math.MinInt64 && wall-s.offset < s.start:
			return wall - s.before
		default:
			return wall - s.offset
		}
	}
}
