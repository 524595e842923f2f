package schedule

import (
	"math"
	"math/bits"
	"time"
)

// The years a year field can name.
const (
	firstYear = 1970
	lastYear  = 2099
)

// patience is how many years a plan without a year field may stay silent. The rarest is a day that exists only if 29 February falls on one
// weekday: 28 years apart as a rule, 40 across a century that is not a leap year.
const patience = 40

const secondsPerDay = 24 * 60 * 60

// calendar is a cron expression: sets of values, as bits.
type calendar struct {
	seconds, minutes, hours uint64
	regular                 uint64 // the hours that also fire when the clock shows them a second time
	monthDay                monthDay
	months                  uint64 // from bit 1
	weekday                 weekday
	years                   *yearSet // nil: all
}

// yearSet holds the years from firstYear on.
type yearSet [lastYear - firstYear + 1]bool

// monthDay is a day-of-month field.
type monthDay struct {
	any         bool
	days        uint32 // from bit 1
	nearest     uint32 // nW, the same way
	last        bool
	lastWorkday bool
}

// weekday is a day-of-week field; sets are from bit 0, Sunday.
type weekday struct {
	any  bool
	days uint8
	last uint8    // nL
	nth  [7]uint8 // n#m: from bit 1, for each day
}

// dates returns the matching days of a month, from bit 1.
func (c *calendar) dates(year int, month time.Month) uint32 {
	if !c.hasYear(year) || c.months>>month&1 == 0 {
		return 0
	}
	m := monthOf(year, month)
	switch {
	case c.monthDay.any && c.weekday.any:
		return m.all()
	case c.monthDay.any:
		return c.weekday.in(m)
	case c.weekday.any:
		return c.monthDay.in(m)
	}
	return c.monthDay.in(m) | c.weekday.in(m)
}

func (c *calendar) hasYear(year int) bool {
	return c.years == nil || year >= firstYear && year <= lastYear && c.years[year-firstYear]
}

// month is the shape of a month.
type month struct {
	length int          // in days
	first  time.Weekday // of day 1
}

func monthOf(year int, m time.Month) month {
	return month{
		length: time.Date(year, m+1, 0, 0, 0, 0, 0, time.UTC).Day(),
		first:  time.Date(year, m, 1, 0, 0, 0, 0, time.UTC).Weekday(),
	}
}

// all returns all days, from bit 1.
func (m month) all() uint32 {
	return uint32(1)<<(m.length+1) - 2
}

func (m month) weekday(day int) time.Weekday {
	return time.Weekday((int(m.first) + day - 1) % 7)
}

// firstOn returns the first day that is a given weekday.
func (m month) firstOn(wd int) int {
	return 1 + (wd-int(m.first)+7)%7
}

// workday returns the day from Monday to Friday that is nearest to a day and in the same month.
func (m month) workday(day int) int {
	switch m.weekday(day) {
	case time.Saturday:
		if day == 1 {
			return 3
		}
		return day - 1
	case time.Sunday:
		if day == m.length {
			return day - 2
		}
		return day + 1
	}
	return day
}

func (d *monthDay) in(m month) uint32 {
	days := d.days & m.all()
	for rest := d.nearest & m.all(); rest != 0; rest &= rest - 1 {
		days |= 1 << m.workday(bits.TrailingZeros32(rest))
	}
	if d.last {
		days |= 1 << m.length
	}
	if d.lastWorkday {
		days |= 1 << m.workday(m.length)
	}
	return days
}

func (d *weekday) in(m month) uint32 {
	var days uint32
	for wd := range 7 {
		first := m.firstOn(wd)
		if d.days>>wd&1 != 0 {
			days |= 0x10204081 << first
		}
		if d.last>>wd&1 != 0 {
			days |= 1 << (first + (m.length-first)/7*7)
		}
		for rest := d.nth[wd]; rest != 0; rest &= rest - 1 {
			days |= 1 << (first + 7*(bits.TrailingZeros8(rest)-1))
		}
	}
	return days & m.all()
}

// checkDates refuses a calendar with a day field that no date ever matches, even if the other one does.
func (c *calendar) checkDates() *Error {
	byDay, byWeekday := *c, *c
	byDay.weekday = weekday{any: true}
	byWeekday.monthDay = monthDay{any: true}
	for _, only := range []struct {
		field    string
		calendar *calendar
	}{{dayField.name, &byDay}, {weekdayField.name, &byWeekday}} {
		if _, ok := only.calendar.nextDay(time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC)); !ok {
			return rangeErr(only.field, "none of the months and years has such a day")
		}
	}
	return nil
}

// nextDay returns the first matching day not before a day, both as midnight UTC.
func (c *calendar) nextDay(from time.Time) (time.Time, bool) {
	year, month, day := from.Date()
	for limit := c.lastYearAfter(year); year <= limit; year++ {
		for ; month <= time.December; month++ {
			if days := c.dates(year, month) >> day << day; days != 0 {
				return time.Date(year, month, bits.TrailingZeros32(days), 0, 0, 0, 0, time.UTC), true
			}
			day = 1
		}
		month = time.January
	}
	return time.Time{}, false
}

// lastYearAfter bounds a search that starts in a year.
func (c *calendar) lastYearAfter(year int) int {
	if c.years == nil {
		return year + patience
	}
	for i := lastYear - firstYear; i >= 0; i-- {
		if c.years[i] {
			return firstYear + i
		}
	}
	return 0
}

// nextWall returns the first matching wall clock time not before one, both in seconds as if the wall were in Greenwich. Only the given
// hours count.
func (c *calendar) nextWall(from int64, hours uint64) (int64, bool) {
	t := time.Unix(from, 0).UTC()
	day := t.Truncate(24 * time.Hour)
	second := int(t.Sub(day) / time.Second)
	if c.dates(t.Year(), t.Month())>>t.Day()&1 != 0 {
		if at, ok := c.nextSecond(second, hours); ok {
			return day.Unix() + int64(at), true
		}
	}
	at, ok := c.nextSecond(0, hours)
	if !ok {
		return 0, false
	}
	day, ok = c.nextDay(day.AddDate(0, 0, 1))
	return day.Unix() + int64(at), ok
}

// nextSecond returns the first matching second of a day not before one.
func (c *calendar) nextSecond(from int, hours uint64) (int, bool) {
	hour, minute, second := from/3600, from/60%60, from%60
	if hours>>hour&1 != 0 {
		if c.minutes>>minute&1 != 0 {
			if s, ok := nextBit(c.seconds, second); ok {
				return hour*3600 + minute*60 + s, true
			}
		}
		if m, ok := nextBit(c.minutes, minute+1); ok {
			return hour*3600 + m*60 + lowest(c.seconds), true
		}
	}
	h, ok := nextBit(hours, hour+1)
	return h*3600 + lowest(c.minutes)*60 + lowest(c.seconds), ok
}

// next returns the first firing after a moment, both in Unix seconds.
func (c *calendar) next(after int64, zone *time.Location) (int64, bool) {
	from := after + 1
	limit := time.Date(c.lastYearAfter(time.Unix(from, 0).UTC().Year())+1, time.January, 3, 0, 0, 0, 0, time.UTC).Unix()
	for from <= limit {
		s := stretchAt(from, zone)
		if at, ok := c.nextIn(s, from); ok {
			return at, true
		}
		// Later stretches show nothing that was not searched just now, unless the clock was about to be set back.
		resume := s.end
		if s.end-from > widest {
			wall, ok := c.nextWall(from+s.offset, c.hours)
			if !ok {
				return 0, false
			}
			resume = max(resume, wall-widest)
		}
		from = resume
	}
	return 0, false
}

// nextIn returns the first firing not before a moment that lies in a stretch, if it lies there too. The package comment has the rules.
func (c *calendar) nextIn(s stretch, from int64) (int64, bool) {
	best := s.end
	if s.before < s.offset { // times that the clock skipped, by the clock before
		if wall, ok := c.nextWall(from+s.before, c.hours); ok && wall < s.start+s.offset {
			best = min(best, wall-s.before)
		}
	}
	wall := from + s.offset
	if again := s.start + s.before; s.before > s.offset && wall < again { // times that the clock shows a second time
		if wall, ok := c.nextWall(wall, c.regular); ok && wall < again {
			best = min(best, wall-s.offset)
		}
		wall = again
	}
	if wall, ok := c.nextWall(wall, c.hours); ok {
		best = min(best, wall-s.offset)
	}
	return best, best < s.end
}

// minGap is MinGap. Two neighbours differ first in the second, the minute, the hour or the day, and each case has its own smallest gap.
func (c *calendar) minGap() time.Duration {
	gap := smallestStep(c.seconds)
	low, high := lowest(c.seconds), highest(c.seconds)
	for _, part := range []struct {
		set  uint64
		unit int
	}{{c.minutes, 60}, {c.hours, 3600}} {
		if step := smallestStep(part.set); step != math.MaxInt {
			gap = min(gap, step*part.unit+low-high)
		}
		low += lowest(part.set) * part.unit
		high += highest(part.set) * part.unit
	}
	if days := c.smallestDayStep(); days != math.MaxInt {
		gap = min(gap, days*secondsPerDay+low-high)
	}
	if gap == math.MaxInt {
		return math.MaxInt64
	}
	return time.Duration(gap) * time.Second
}

// smallestDayStep returns the smallest distance of two matching dates, or math.MaxInt.
func (c *calendar) smallestDayStep() int {
	smallest, last := math.MaxInt, math.MinInt
	for year, day := firstYear, 0; year <= lastYear; year++ {
		for m := time.January; m <= time.December; m++ {
			for days := c.dates(year, m); days != 0; days &= days - 1 {
				d := day + bits.TrailingZeros32(days)
				if last != math.MinInt {
					smallest = min(smallest, d-last)
				}
				last = d
			}
			if smallest == 1 {
				return smallest
			}
			day += monthOf(year, m).length
		}
	}
	return smallest
}

// smallestStep returns the smallest distance of two values of a set, or math.MaxInt.
func smallestStep(set uint64) int {
	smallest := math.MaxInt
	for rest := set & (set - 1); rest != 0; rest &= rest - 1 {
		smallest = min(smallest, lowest(rest)-lowest(set))
		set &= set - 1
	}
	return smallest
}

// nextBit returns the lowest value of a set that is not below from.
func nextBit(set uint64, from int) (int, bool) {
	set = set >> from << from
	return lowest(set), set != 0
}

func lowest(set uint64) int {
	return bits.TrailingZeros64(set)
}

func highest(set uint64) int {
	return bits.Len64(set) - 1
}
