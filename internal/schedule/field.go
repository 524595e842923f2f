package schedule

import (
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// field is what one field of a cron expression may hold.
type field struct {
	name     string
	min, max int
	open     int      // where * and a/b end
	names    []string // of first, first+1, ...
	first    int
}

var (
	secondField  = field{name: "second", max: 59, open: 59}
	minuteField  = field{name: "minute", max: 59, open: 59}
	hourField    = field{name: "hour", max: 23, open: 23}
	dayField     = field{name: "day of month", min: 1, max: 31, open: 31}
	monthField   = field{name: "month", min: 1, max: 12, open: 12, names: monthNames, first: 1}
	weekdayField = field{name: "day of week", min: 1, max: 7, open: 7, names: dayNames[1:], first: 1}
	yearField    = field{name: "year", min: firstYear, max: lastYear, open: lastYear}

	// In a crontab 7 is another word for 0 and ends no open span, or */7 would be twice the same day.
	crontabWeekdayField = field{name: "day of week", max: 7, open: 6, names: dayNames[:7]}

	monthNames = []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	dayNames   = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"}
)

// span is one item of a list: every step-th value from lo to hi.
type span struct {
	lo, hi, step int
	star         bool // exactly *
	regular      bool // * or with a step: it says how often and not when
}

// set returns the values of the span as bits.
func (s span) set() uint64 {
	var set uint64
	for v := s.lo; v <= s.hi; v += s.step {
		set |= 1 << v
	}
	return set
}

// parseSpan reads *, a, a-b, */n, a/n and a-b/n, where a and b may be names.
func (f field) parseSpan(item string) (span, *Error) {
	base, every, stepped := strings.Cut(item, "/")
	s := span{step: 1, star: item == "*", regular: stepped || item == "*"}
	if stepped {
		var ok bool
		if s.step, ok = number(every); !ok {
			return span{}, syntaxErr(f.name, "%q has no number after the slash", item)
		}
		if s.step < 1 || s.step > f.max {
			return span{}, rangeErr(f.name, "the step in %q has to be from 1 to %d", item, f.max)
		}
	}
	if base == "*" {
		s.lo, s.hi = f.min, f.open
		return s, nil
	}
	from, to, ranged := strings.Cut(base, "-")
	var err *Error
	if s.lo, err = f.value(from); err != nil {
		return span{}, err
	}
	switch {
	case ranged:
		if s.hi, err = f.value(to); err != nil {
			return span{}, err
		}
		if s.hi < s.lo && to == "SUN" {
			s.hi = f.max // FRI-SUN, where SUN alone is 0
		}
		if s.hi < s.lo {
			return span{}, rangeErr(f.name, "%q runs backwards", item)
		}
	case stepped:
		s.hi = max(s.lo, f.open)
	default:
		s.hi = s.lo
	}
	return s, nil
}

// value reads a number or a name.
func (f field) value(word string) (int, *Error) {
	if word == "" {
		return 0, syntaxErr(f.name, "a value is missing")
	}
	for i, name := range f.names {
		if word == name {
			return f.first + i, nil
		}
	}
	n, ok := number(word)
	if !ok {
		return 0, syntaxErr(f.name, "%q is not understood", word)
	}
	if n < f.min || n > f.max {
		return 0, rangeErr(f.name, "%q is not from %d to %d", word, f.min, f.max)
	}
	return n, nil
}

// number reads a few digits with at most one leading zero.
func number(word string) (int, bool) {
	if word == "" || len(word) > 8 || word[0] == '0' && len(word) > 2 {
		return 0, false
	}
	for i := range len(word) {
		if word[i] < '0' || word[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(word)
	return n, err == nil
}

// parseSet reads a list of spans. regular is the part of it that was written with * or a step.
func (f field) parseSet(word string) (set, regular uint64, err *Error) {
	for item := range strings.SplitSeq(word, ",") {
		s, err := f.parseSpan(item)
		if err != nil {
			return 0, 0, err
		}
		set |= s.set()
		if s.regular {
			regular |= s.set()
		}
	}
	return set, regular, nil
}

// parseCalendar reads the six fields from second to day of week and a year, which may be missing.
func parseCalendar(words []string, weekday field, year string) (c *calendar, err *Error) {
	c = &calendar{}
	upper := func(i int) string { return strings.ToUpper(words[i]) }
	if c.seconds, _, err = secondField.parseSet(upper(0)); err != nil {
		return nil, err
	}
	if c.minutes, _, err = minuteField.parseSet(upper(1)); err != nil {
		return nil, err
	}
	if c.hours, c.regular, err = hourField.parseSet(upper(2)); err != nil {
		return nil, err
	}
	if bits.OnesCount64(c.hours) == 24 {
		c.regular = c.hours // 0-23 is * in other words
	}
	if c.monthDay, err = parseMonthDay(upper(3)); err != nil {
		return nil, err
	}
	if c.months, _, err = monthField.parseSet(upper(4)); err != nil {
		return nil, err
	}
	if c.weekday, err = parseWeekday(weekday, upper(5)); err != nil {
		return nil, err
	}
	if c.years, err = parseYears(year); err != nil {
		return nil, err
	}
	return c, c.checkDates()
}

// parseMonthDay reads a list of days and nW, or L or LW alone.
func parseMonthDay(word string) (d monthDay, err *Error) {
	switch word {
	case "?":
		return monthDay{any: true}, nil
	case "L":
		return monthDay{last: true}, nil
	case "LW":
		return monthDay{lastWorkday: true}, nil
	}
	for item := range strings.SplitSeq(word, ",") {
		if strings.HasPrefix(item, "L") {
			return d, syntaxErr(dayField.name, "L stands alone, or as LW")
		}
		if day, isNear := strings.CutSuffix(item, "W"); isNear {
			n, err := dayField.value(day)
			if err != nil {
				return d, err
			}
			d.nearest |= 1 << n
			continue
		}
		s, err := dayField.parseSpan(item)
		if err != nil {
			return d, err
		}
		d.any = d.any || s.star
		d.days |= uint32(s.set())
	}
	return d, nil
}

// parseWeekday reads a list of days and n#m, or L or nL alone.
func parseWeekday(f field, word string) (d weekday, err *Error) {
	if word == "?" {
		return weekday{any: true}, nil
	}
	if day, isLast := strings.CutSuffix(word, "L"); isLast {
		switch {
		case day == "":
			d.days = 1 << time.Sunday
			return d, nil
		case strings.Contains(day, ","):
			return d, syntaxErr(f.name, "L cannot be part of a list")
		}
		n, err := f.value(day)
		if err != nil {
			return d, err
		}
		d.last = 1 << (n % 7)
		return d, nil
	}
	for item := range strings.SplitSeq(word, ",") {
		if day, nth, isNth := strings.Cut(item, "#"); isNth {
			n, err := f.value(day)
			if err != nil {
				return d, err
			}
			week, ok := number(nth)
			if !ok || week < 1 || week > 5 {
				return d, rangeErr(f.name, "%q has to end in #1 to #5", item)
			}
			d.nth[n%7] |= 1 << week
			continue
		}
		s, err := f.parseSpan(item)
		if err != nil {
			return d, err
		}
		d.any = d.any || s.star
		for v := s.lo; v <= s.hi; v += s.step {
			d.days |= 1 << (v % 7)
		}
	}
	return d, nil
}

// parseYears returns nil for every year.
func parseYears(word string) (*yearSet, *Error) {
	if word == "" || word == "?" {
		return nil, nil
	}
	var years yearSet
	every := false
	for item := range strings.SplitSeq(word, ",") {
		s, err := yearField.parseSpan(item)
		if err != nil {
			return nil, err
		}
		every = every || s.star
		for y := s.lo; y <= s.hi; y += s.step {
			years[y-firstYear] = true
		}
	}
	if every {
		return nil, nil
	}
	return &years, nil
}
