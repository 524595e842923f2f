package schedule

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// beijing is the clock by which Tencent TAT reads and writes crontabs (ScheduleSettings, Recurrence), in minutes ahead of UTC.
const beijing = 8 * 60

const (
	minutesPerDay = 24 * 60
	everyMonth    = 1<<13 - 2
)

// Crontab returns the plan as five crontab fields in UTC+8, which [ParseCrontab] understands and which fire at exactly the same moments
// from now on. ok is false if there are none: they exist for a cron without a year, firing at second 0, in a zone of its own whose clocks
// are not changed any more, if moving it to UTC+8 moves no firing to another date, or only days of the week.
func (p Plan) Crontab() (crontab string, ok bool) {
	if p.kind != Cron || p.cron.years != nil || p.cron.seconds != 1 || p.zone == nil {
		return "", false
	}
	s := stretchAt(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), p.zone)
	if s.end != math.MaxInt64 || s.offset%60 != 0 {
		return "", false
	}
	c, ok := p.cron.moved(beijing - int(s.offset/60))
	if !ok {
		return "", false
	}
	return strings.Join([]string{
		minuteField.format(c.minutes), hourField.format(c.hours), c.monthDay.format(), monthField.format(c.months), c.weekday.format(),
	}, " "), true
}

// moved returns the calendar with the same firings on a clock that is some minutes ahead, if hours times minutes still describe them.
func (c *calendar) moved(ahead int) (*calendar, bool) {
	m := *c
	m.hours, m.minutes = 0, 0
	var carries [3]bool // to the day before, the same day, the day after
	for hour := range 24 {
		for minute := range 60 {
			if c.hours>>hour&1 == 0 || c.minutes>>minute&1 == 0 {
				continue
			}
			at := hour*60 + minute + ahead + minutesPerDay
			carries[at/minutesPerDay] = true
			m.hours |= 1 << (at % minutesPerDay / 60)
			m.minutes |= 1 << (at % 60)
		}
	}
	times := func(c *calendar) int { return bits.OnesCount64(c.hours) * bits.OnesCount64(c.minutes) }
	if times(&m) != times(c) {
		return nil, false
	}
	switch carries {
	case [3]bool{1: true}:
		return &m, true
	case [3]bool{0: true}:
		return &m, m.moveDays(6)
	case [3]bool{2: true}:
		return &m, m.moveDays(1)
	}
	return &m, m.everyDay()
}

// everyDay reports whether all dates match.
func (c *calendar) everyDay() bool {
	return c.monthDay.any && c.weekday.any && c.months == everyMonth && c.years == nil
}

// moveDays moves all dates by some days of the week, if the dates are plain days of the week.
func (c *calendar) moveDays(by int) bool {
	if c.everyDay() {
		return true
	}
	days := c.weekday.days
	if c.weekday != (weekday{days: days}) || !c.monthDay.any || c.months != everyMonth {
		return false
	}
	c.weekday.days = (days<<by | days>>(7-by)) & 0x7f
	return true
}

// format writes a set as * or in steps of it, if that is what it is, or as a list of ranges.
func (f field) format(set uint64) string {
	step := smallestStep(set)
	if step < math.MaxInt && lowest(set) == f.min && highest(set)+step > f.open && isRegular(set, step) {
		if step == 1 {
			return "*"
		}
		return "*/" + strconv.Itoa(step)
	}
	return strings.Join(ranges(set), ",")
}

func isRegular(set uint64, step int) bool {
	return set == span{lo: lowest(set), hi: highest(set), step: step}.set()
}

// ranges writes a set as ranges and single values. It writes no star, which in a day field would say something else than all values.
func ranges(set uint64) []string {
	if step := smallestStep(set); bits.OnesCount64(set) > 2 && step > 1 && isRegular(set, step) {
		return []string{fmt.Sprintf("%d-%d/%d", lowest(set), highest(set), step)}
	}
	var items []string
	for set != 0 {
		low := lowest(set)
		length := bits.TrailingZeros64(^(set >> low))
		if length < 3 {
			length = 1
			items = append(items, strconv.Itoa(low))
		} else {
			items = append(items, fmt.Sprintf("%d-%d", low, low+length-1))
		}
		set &^= (1<<length - 1) << low
	}
	return items
}

func (d *monthDay) format() string {
	switch {
	case d.any:
		return "*"
	case d.last:
		return "L"
	case d.lastWorkday:
		return "LW"
	}
	items := ranges(uint64(d.days))
	for rest := uint64(d.nearest); rest != 0; rest &= rest - 1 {
		items = append(items, strconv.Itoa(lowest(rest))+"W")
	}
	return strings.Join(items, ",")
}

func (d *weekday) format() string {
	switch {
	case d.any:
		return "*"
	case d.last != 0:
		return strconv.Itoa(bits.TrailingZeros8(d.last)) + "L"
	}
	items := ranges(uint64(d.days))
	for wd, nth := range d.nth {
		for ; nth != 0; nth &= nth - 1 {
			items = append(items, fmt.Sprintf("%d#%d", wd, bits.TrailingZeros8(nth)))
		}
	}
	return strings.Join(items, ",")
}
