package schedule

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// written is a cron expression drawn together with what it means, told by slow and obvious functions that share nothing with the parser.
type written struct {
	second, minute, hour, day, month, weekday, year string

	hasSecond, hasMinute, hasHour, regularHour, hasMonth, hasYear func(int) bool
	hasDate                                                       func(time.Time) bool
}

func (w written) String() string {
	return strings.Join([]string{w.second, w.minute, w.hour, w.day, w.month, w.weekday, w.year}, " ")
}

// drawSet draws a list of values, ranges and steps.
func drawSet(t *rapid.T, lo, hi int, names []string) (text string, has, regular func(int) bool) {
	var items []string
	set, reg := map[int]bool{}, map[int]bool{} // reg has those written with * or a step
	value := func(from int, label string) (int, string) {
		v := rapid.IntRange(from, hi).Draw(t, label)
		if names != nil && rapid.Bool().Draw(t, "name") {
			return v, names[v-lo]
		}
		return v, fmt.Sprintf([]string{"%d", "%02d"}[rapid.IntRange(0, 1).Draw(t, "zero")], v)
	}
	for range rapid.SampledFrom([]int{1, 1, 1, 2, 3}).Draw(t, "items") {
		a, from := value(lo, "from")
		step := rapid.IntRange(1, min(hi, hi-lo+1)).Draw(t, "step")
		switch rapid.IntRange(0, 5).Draw(t, "form") {
		case 0:
			items = append(items, "*")
			for v := lo; v <= hi; v++ {
				set[v], reg[v] = true, true
			}
		case 1:
			items = append(items, from)
			set[a] = true
		case 2:
			b, to := value(a, "to")
			items = append(items, from+"-"+to)
			for v := a; v <= b; v++ {
				set[v] = true
			}
		case 3:
			items = append(items, fmt.Sprintf("*/%d", step))
			for v := lo; v <= hi; v += step {
				set[v], reg[v] = true, true
			}
		case 4:
			items = append(items, fmt.Sprintf("%s/%d", from, step))
			for v := a; v <= hi; v += step {
				set[v], reg[v] = true, true
			}
		case 5:
			b, to := value(a, "to")
			items = append(items, fmt.Sprintf("%s-%s/%d", from, to, step))
			for v := a; v <= b; v += step {
				set[v], reg[v] = true, true
			}
		}
	}
	whole := len(set) == hi-lo+1
	return strings.Join(items, ","), func(v int) bool { return set[v] }, func(v int) bool { return reg[v] || whole }
}

func isWorkday(t time.Time) bool {
	return t.Weekday() != time.Saturday && t.Weekday() != time.Sunday
}

// nearestWorkday looks at all days of the month for the one closest to day n.
func nearestWorkday(month time.Time, n int) int {
	best, distance := 0, 100
	for d := time.Date(month.Year(), month.Month(), 1, 0, 0, 0, 0, time.UTC); d.Month() == month.Month(); d = d.AddDate(0, 0, 1) {
		if away := max(d.Day()-n, n-d.Day()); isWorkday(d) && away < distance {
			best, distance = d.Day(), away
		}
	}
	return best
}

func lastOfMonth(t time.Time) int {
	return time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

func isoWeekday(t time.Time) int {
	return (int(t.Weekday())+6)%7 + 1
}

func drawMonthDay(t *rapid.T) (string, func(time.Time) bool) {
	n := rapid.IntRange(1, 31).Draw(t, "day")
	switch rapid.IntRange(0, 6).Draw(t, "kind of day") {
	case 0:
		return "L", func(d time.Time) bool { return d.Day() == lastOfMonth(d) }
	case 1:
		return "LW", func(d time.Time) bool { return d.Day() == nearestWorkday(d, lastOfMonth(d)) }
	case 2:
		return fmt.Sprintf("%dW", n), func(d time.Time) bool { return n <= lastOfMonth(d) && d.Day() == nearestWorkday(d, n) }
	case 3:
		return "?", nil
	case 4:
		return "*", nil
	}
	text, has, _ := drawSet(t, 1, 31, nil)
	if strings.Contains(","+text+",", ",*,") {
		return text, nil
	}
	return text, func(d time.Time) bool { return has(d.Day()) }
}

func drawWeekday(t *rapid.T) (string, func(time.Time) bool) {
	n := rapid.IntRange(1, 7).Draw(t, "weekday")
	switch rapid.IntRange(0, 7).Draw(t, "kind of weekday") {
	case 0:
		return "L", func(d time.Time) bool { return d.Weekday() == time.Sunday }
	case 1:
		return fmt.Sprintf("%dL", n), func(d time.Time) bool { return isoWeekday(d) == n && d.Day()+7 > lastOfMonth(d) }
	case 2:
		week := rapid.IntRange(1, 5).Draw(t, "week")
		return fmt.Sprintf("%d#%d", n, week), func(d time.Time) bool { return isoWeekday(d) == n && (d.Day()+6)/7 == week }
	case 3, 4:
		return "?", nil
	case 5:
		return "*", nil
	}
	text, has, _ := drawSet(t, 1, 7, dayNames[1:])
	if strings.Contains(","+text+",", ",*,") {
		return text, nil
	}
	return text, func(d time.Time) bool { return has(isoWeekday(d)) }
}

func drawCron(t *rapid.T) written {
	var w written
	w.second, w.hasSecond, _ = drawSet(t, 0, 59, nil)
	w.minute, w.hasMinute, _ = drawSet(t, 0, 59, nil)
	w.hour, w.hasHour, w.regularHour = drawSet(t, 0, 23, nil)
	w.month, w.hasMonth, _ = drawSet(t, 1, 12, monthNames)
	w.year, w.hasYear = "*", func(int) bool { return true }
	if rapid.IntRange(0, 3).Draw(t, "with a year") == 0 {
		text, has, _ := drawSet(t, 1970, 2099, nil)
		w.year = text
		if !strings.Contains(","+text+",", ",*,") {
			w.hasYear = has
		}
	}
	var byDay, byWeekday func(time.Time) bool
	w.day, byDay = drawMonthDay(t)
	w.weekday, byWeekday = drawWeekday(t)
	w.hasDate = func(d time.Time) bool {
		if !w.hasYear(d.Year()) || !w.hasMonth(int(d.Month())) {
			return false
		}
		switch {
		case byDay == nil && byWeekday == nil:
			return true
		case byDay == nil:
			return byWeekday(d)
		case byWeekday == nil:
			return byDay(d)
		}
		return byDay(d) || byWeekday(d)
	}
	return w
}

// next goes through days, hours, minutes and seconds in UTC one by one until a limit.
func (w written) next(after, limit time.Time) (time.Time, bool) {
	for t := after.Truncate(time.Second).Add(time.Second); t.Before(limit); {
		switch {
		case !w.hasDate(t):
			t = t.Truncate(24*time.Hour).AddDate(0, 0, 1)
		case !w.hasHour(t.Hour()):
			t = t.Truncate(time.Hour).Add(time.Hour)
		case !w.hasMinute(t.Minute()):
			t = t.Truncate(time.Minute).Add(time.Minute)
		case !w.hasSecond(t.Second()):
			t = t.Add(time.Second)
		default:
			return t, true
		}
	}
	return time.Time{}, false
}

// TestNextAgainstCounting compares Next in UTC with looking at every second.
func TestNextAgainstCounting(t *testing.T) {
	t.Parallel()
	first, last := time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(2105, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	rapid.Check(t, func(t *rapid.T) {
		w := drawCron(t)
		p, err := Parse(w.String() + " UTC")
		if err != nil {
			// Only a day that never comes may be refused.
			start := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
			if _, ok := w.next(start, start.AddDate(2, 0, 0)); ok && w.day != "*" && w.day != "?" && w.weekday != "*" && w.weekday != "?" {
				return // the other day comes
			} else if ok {
				t.Fatalf("%v, but it fires", err)
			}
			return
		}
		after := time.Unix(rapid.Int64Range(first, last).Draw(t, "after"), rapid.Int64Range(0, 1e9-1).Draw(t, "nanoseconds")).UTC()
		for range 4 {
			limit := after.AddDate(1, 2, 0)
			want, ok := w.next(after, limit)
			got, gotOK := p.Next(after, time.Time{}, nil)
			if ok && (!gotOK || !got.Equal(want)) || !ok && gotOK && got.Before(limit) {
				t.Fatalf("%v after %v: got %v, %v, want %v, %v", w, after, got, gotOK, want, ok)
			}
			if !ok {
				return
			}
			after = want
		}
	})
}

// firingMinutes goes through a span of real minutes in a zone and returns those that fire, as the package comment has it.
func (w written) firingMinutes(from, to time.Time, zone *time.Location) []time.Time {
	offset := func(t time.Time) time.Duration {
		_, seconds := t.In(zone).Zone()
		return time.Duration(seconds) * time.Second
	}
	matches := func(wall time.Time) bool {
		return w.hasDate(wall) && w.hasHour(wall.Hour()) && w.hasMinute(wall.Minute())
	}
	var fires []time.Time
	var shownTwiceUntil time.Time // by the wall
	for t := from; t.Before(to); t = t.Add(time.Minute) {
		wall := t.UTC().Add(offset(t))
		change := offset(t) - offset(t.Add(-time.Minute))
		if change < 0 {
			shownTwiceUntil = wall.Add(-change)
		}
		for skipped := time.Duration(0); skipped < change; skipped += time.Minute {
			if matches(wall.Add(skipped - change)) {
				fires = append(fires, t.Add(skipped))
			}
		}
		if matches(wall) && (!wall.Before(shownTwiceUntil) || w.regularHour(wall.Hour())) {
			fires = append(fires, t)
		}
	}
	slices.SortFunc(fires, time.Time.Compare)
	return slices.CompactFunc(fires, time.Time.Equal)
}

func zonesThatChange() []string {
	return []string{
		"Africa/Cairo", "Africa/Casablanca", "America/Asuncion", "America/Caracas", "America/Havana", "America/New_York", "America/Nuuk",
		"America/Santiago", "America/Sao_Paulo", "America/St_Johns", "Antarctica/Casey", "Antarctica/Troll", "Asia/Beirut", "Asia/Gaza",
		"Asia/Kathmandu", "Asia/Pyongyang", "Asia/Tehran", "Atlantic/Azores", "Australia/Lord_Howe", "Europe/Berlin", "Europe/Dublin",
		"Europe/Istanbul", "Europe/Moscow", "Pacific/Apia", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Kiritimati", "Pacific/Norfolk",
	}
}

// TestNextAgainstTheWallClock compares Next around changes of the clocks with looking at every minute.
func TestNextAgainstTheWallClock(t *testing.T) {
	t.Parallel()
	first, last := time.Date(1985, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(2095, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	rapid.Check(t, func(t *rapid.T) {
		loc, err := time.LoadLocation(rapid.SampledFrom(zonesThatChange()).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		w := drawCron(t)
		w.second = "0"
		if rapid.Bool().Draw(t, "every day") {
			w.day, w.month, w.weekday, w.year = "*", "*", "?", "*"
			w.hasDate = func(time.Time) bool { return true }
		}
		p, err := Parse(w.String() + " " + loc.String())
		if err != nil {
			return // a day that never comes
		}
		around := time.Unix(rapid.Int64Range(first, last).Draw(t, "around"), 0).In(loc)
		if _, end := around.ZoneBounds(); !end.IsZero() {
			around = end
		}
		from := around.Truncate(time.Minute).Add(-28 * time.Hour)
		to := from.Add(60 * time.Hour)
		after := from.Add(-time.Second)
		// The walk begins a day earlier, to have seen a change just before the span.
		for _, want := range w.firingMinutes(from.Add(-24*time.Hour), to, loc) {
			if want.Before(from) {
				continue
			}
			got, ok := p.Next(after, time.Time{}, nil)
			if !ok || !got.Equal(want) {
				t.Fatalf("%v after %v: got %v, %v, want %v", p, after.In(loc), got, ok, want.In(loc))
			}
			after = got
		}
		if got, ok := p.Next(after, time.Time{}, nil); ok && got.Before(to) {
			t.Fatalf("%v after %v: got %v, want none before %v", p, after.In(loc), got, to.In(loc))
		}
	})
}

// TestMinGapIsNeverUndercut follows random plans in UTC for a while.
func TestMinGapIsNeverUndercut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p, err := Parse(drawCron(t).String())
		if err != nil {
			return
		}
		gap := p.MinGap()
		last := time.Time{}
		after := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "after"), 0)
		for range 200 {
			next, ok := p.Next(after, after, nil)
			if !ok || next.Year() > lastYear {
				return
			}
			if !last.IsZero() && next.Sub(last) < gap {
				t.Fatalf("%v: %v and %v are closer than %v", p, last, next, gap)
			}
			last, after = next, next
		}
	})
}

// TestCrontabOfRandomPlans moves random plans from random zones to UTC+8 and compares firings.
func TestCrontabOfRandomPlans(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawCron(t)
		w.second, w.year = "0", "*"
		minutes := rapid.IntRange(-14*4, 14*4).Draw(t, "quarters") * 15
		sign := "+"
		if minutes < 0 {
			sign, minutes = "-", -minutes
		}
		p, err := Parse(fmt.Sprintf("%v GMT%s%d:%02d", w, sign, minutes/60, minutes%60))
		if err != nil {
			return
		}
		crontab, ok := p.Crontab()
		if !ok {
			return
		}
		again, err := ParseCrontab(crontab, time.FixedZone("UTC+8", beijing*60))
		if err != nil {
			t.Fatal(err)
		}
		after := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "after"), 0)
		for range 20 {
			want, _ := p.Next(after, after, nil)
			if got, _ := again.Next(after, after, nil); !got.Equal(want) {
				t.Fatalf("%v after %v: %v, but %s: %v", p, after, want, crontab, got)
			}
			after = want
		}
	})
}

// TestNextInAllOfACentury follows a nightly plan through every change of the clocks of a hundred years.
func TestNextInAllOfACentury(t *testing.T) {
	t.Parallel()
	for _, name := range zonesThatChange() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nightly, err := Parse("0 30 2 * * ? " + name)
			if err != nil {
				t.Fatal(err)
			}
			from, to := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
			for after := from; after.Before(to); {
				next, ok := nightly.Next(after, after, nil)
				if gap := next.Sub(after); !ok || gap <= 0 || gap > 49*time.Hour {
					t.Fatalf("after %v comes %v, %v", after, next, ok)
				}
				after = next
			}
		})
	}
}

func TestSmallestStep(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		set := rapid.Uint64().Draw(t, "set")
		want := 1 << 62
		for a := range 64 {
			for b := a + 1; b < 64; b++ {
				if set>>a&1 == 1 && set>>b&1 == 1 {
					want = min(want, b-a)
				}
			}
		}
		if got := smallestStep(set); got != want && bits.OnesCount64(set) > 1 {
			t.Fatalf("%b: got %d, want %d", set, got, want)
		}
	})
}
