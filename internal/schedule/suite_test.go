package schedule

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// nextCase says which firings follow a moment; "none" ends the list.
type nextCase struct {
	name  string
	expr  string
	after string
	want  []string
}

// refusal says why an expression is not taken.
type refusal struct {
	name, expr string
	kind       error
	field      string
}

// chapter is a part of the specification: cases that say what fires, or what is refused.
type chapter struct {
	title   string
	crontab bool   // five fields in UTC+8
	local   string // the node's zone; empty if it is not known
	created string // of the plan; empty if that is when it is asked
	next    []nextCase
	refused []refusal
}

func (c *chapter) parse(expr string) (Plan, error) {
	if c.crontab {
		return ParseCrontab(expr, time.FixedZone("UTC+8", beijing*60))
	}
	return Parse(expr)
}

// TestSuite holds the implementation to the specification below.
func TestSuite(t *testing.T) {
	t.Parallel()
	for _, c := range suite() {
		t.Run(c.title, func(t *testing.T) {
			t.Parallel()
			for _, n := range c.next {
				c.holds(t, &n)
			}
			for _, r := range c.refused {
				c.refuses(t, &r)
			}
		})
	}
}

func (c *chapter) holds(t *testing.T, n *nextCase) {
	t.Helper()
	p, err := c.parse(n.expr)
	if err != nil {
		t.Errorf("%s: %v", n.name, err)
		return
	}
	after := moment(t, n.after)
	created := after
	if c.created != "" {
		created = moment(t, c.created)
	}
	if diff := cmp.Diff(n.want, firings(p, after, created, zone(t, c.local), len(n.want))); diff != "" {
		t.Errorf("%s: %s after %s (-want +got):\n%s", n.name, n.expr, n.after, diff)
	}
}

func (c *chapter) refuses(t *testing.T, r *refusal) {
	t.Helper()
	p, err := c.parse(r.expr)
	var refused *Error
	if !errors.As(err, &refused) || !errors.Is(err, r.kind) || refused.Field != r.field {
		t.Errorf("%s: %q: got %v, want %v in %q", r.name, r.expr, err, r.kind, r.field)
	}
	if p != (Plan{}) {
		t.Errorf("%s: a refused plan is %v", r.name, p)
	}
}

// TestSuiteIsWhole counts the cases of the specification, each of which has a name of its own in its chapter.
func TestSuiteIsWhole(t *testing.T) {
	t.Parallel()
	fires, refused := 0, 0
	for _, c := range suite() {
		seen := map[string]bool{}
		for _, n := range c.next {
			if seen[n.name] {
				t.Errorf("%s: two cases are called %q", c.title, n.name)
			}
			seen[n.name] = true
		}
		for _, r := range c.refused {
			if seen[r.name] {
				t.Errorf("%s: two cases are called %q", c.title, r.name)
			}
			seen[r.name] = true
		}
		fires, refused = fires+len(c.next), refused+len(c.refused)
	}
	t.Logf("%d cases that fire, %d that are refused", fires, refused)
	if fires < 120 || refused < 120 {
		t.Errorf("only %d cases that fire and %d that are refused", fires, refused)
	}
}

// suite is the specification by example. Moments are written with the offset that the clock on the wall had.
func suite() []chapter {
	return []chapter{
		{
			title: "Plain times. 1 January 2026 is a Thursday",
			next: []nextCase{
				{"every second", "* * * * * ?", "2026-01-01T00:00:58Z", []string{"2026-01-01T00:00:59Z", "2026-01-01T00:01:00Z"}},
				{"every second, strictly after", "* * * * * ?", "2026-01-01T00:00:00.5Z", []string{"2026-01-01T00:00:01Z"}},
				{"a firing is not after itself", "0 0 0 * * ?", "2026-01-01T00:00:00Z", []string{"2026-01-02T00:00:00Z"}},
				{"just before a firing", "0 0 0 * * ?", "2025-12-31T23:59:59.999999999Z", []string{"2026-01-01T00:00:00Z"}},
				{"every minute", "0 * * * * ?", "2026-01-01T23:58:30Z", []string{"2026-01-01T23:59:00Z", "2026-01-02T00:00:00Z"}},
				{"daily, question mark in day of week", "0 15 10 * * ?", "2026-01-01T10:15:00Z", []string{"2026-01-02T10:15:00Z"}},
				{"daily, question mark in day of month", "0 15 10 ? * *", "2026-01-01T10:14:59Z", []string{"2026-01-01T10:15:00Z"}},
				{"daily, both stars", "0 15 10 * * *", "2026-01-01T12:00:00Z", []string{"2026-01-02T10:15:00Z"}},
				{"daily, both question marks", "0 15 10 ? * ?", "2026-01-01T12:00:00Z", []string{"2026-01-02T10:15:00Z"}},
				{"list of hours", "0 0 10,14,16 * * ?", "2026-01-01T10:00:00Z", []string{"2026-01-01T14:00:00Z", "2026-01-01T16:00:00Z", "2026-01-02T10:00:00Z"}},
				{"list out of order with a double", "0 0 16,10,10 * * ?", "2026-01-01T00:00:00Z", []string{"2026-01-01T10:00:00Z", "2026-01-01T16:00:00Z"}},
				{"range of minutes", "0 0-2 14 * * ?", "2026-01-01T14:00:30Z", []string{"2026-01-01T14:01:00Z", "2026-01-01T14:02:00Z", "2026-01-02T14:00:00Z"}},
				{"all of second, minute and hour", "59 59 23 31 12 ?", "2026-01-01T00:00:00Z", []string{"2026-12-31T23:59:59Z", "2027-12-31T23:59:59Z"}},
				{"one leading zero", "05 08 09 07 06 ?", "2026-01-01T00:00:00Z", []string{"2026-06-07T09:08:05Z"}},
				{"runs of blanks", " \t0  0\t12   *  * ? \r\n", "2026-01-01T00:00:00Z", []string{"2026-01-01T12:00:00Z"}},
			},
		},
		{
			title: "Steps",
			next: []nextCase{
				{"step from a value", "0 0/30 9-17 * * ?", "2026-01-01T17:00:00Z", []string{"2026-01-01T17:30:00Z", "2026-01-02T09:00:00Z"}},
				{"step from a value that is not 0", "0 3/20 * * * ?", "2026-01-01T00:00:00Z", []string{"2026-01-01T00:03:00Z", "2026-01-01T00:23:00Z", "2026-01-01T00:43:00Z", "2026-01-01T01:03:00Z"}},
				{"step of a star", "*/25 0 0 1 1 ?", "2026-01-01T00:00:00Z", []string{"2026-01-01T00:00:25Z", "2026-01-01T00:00:50Z", "2027-01-01T00:00:00Z"}},
				{"step of a range", "0 10-40/15 0 1 1 ?", "2026-01-01T00:00:00Z", []string{"2026-01-01T00:10:00Z", "2026-01-01T00:25:00Z", "2026-01-01T00:40:00Z", "2027-01-01T00:10:00Z"}},
				{"step longer than its range", "0 10-12/50 0 1 1 ?", "2026-01-01T00:00:00Z", []string{"2026-01-01T00:10:00Z", "2027-01-01T00:10:00Z"}},
				{"largest step", "0 */59 0 1 1 ?", "2026-01-01T00:00:00Z", []string{"2026-01-01T00:59:00Z", "2027-01-01T00:00:00Z"}},
				{"step of days starts every month anew", "0 0 0 */10 * ?", "2026-01-20T00:00:00Z", []string{"2026-01-21T00:00:00Z", "2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z"}},
				{"step of months", "0 0 0 1 */5 ?", "2026-01-01T00:00:00Z", []string{"2026-06-01T00:00:00Z", "2026-11-01T00:00:00Z", "2027-01-01T00:00:00Z"}},
				{"step of weekdays counts from Monday", "0 0 0 ? * */3", "2026-01-01T00:00:00Z", []string{"2026-01-04T00:00:00Z", "2026-01-05T00:00:00Z", "2026-01-08T00:00:00Z"}},
				{"list of steps and values", "0 0/30,5,50-52 0 1 1 ?", "2026-01-01T00:00:00Z", []string{"2026-01-01T00:05:00Z", "2026-01-01T00:30:00Z", "2026-01-01T00:50:00Z", "2026-01-01T00:51:00Z"}},
			},
		},
		{
			title: "Days of the week: 1 is Monday, 7 is Sunday",
			next: []nextCase{
				{"weekday by name", "0 0 12 ? * WED", "2026-01-01T00:00:00Z", []string{"2026-01-07T12:00:00Z"}},
				{"weekday by name, any case", "0 0 12 ? * wEd", "2026-01-01T00:00:00Z", []string{"2026-01-07T12:00:00Z"}},
				{"1 is Monday", "0 0 12 ? * 1", "2026-01-01T00:00:00Z", []string{"2026-01-05T12:00:00Z"}},
				{"7 is Sunday", "0 0 12 ? * 7", "2026-01-01T00:00:00Z", []string{"2026-01-04T12:00:00Z", "2026-01-11T12:00:00Z"}},
				{"range of names", "0 0 12 ? * MON-FRI", "2026-01-01T12:00:00Z", []string{"2026-01-02T12:00:00Z", "2026-01-05T12:00:00Z"}},
				{"range up to Sunday", "0 0 12 ? * SAT-SUN", "2026-01-01T12:00:00Z", []string{"2026-01-03T12:00:00Z", "2026-01-04T12:00:00Z", "2026-01-10T12:00:00Z"}},
				{"range of a name and a number", "0 0 12 ? * SAT-7", "2026-01-01T12:00:00Z", []string{"2026-01-03T12:00:00Z", "2026-01-04T12:00:00Z", "2026-01-10T12:00:00Z"}},
				{"list of names", "0 0 12 ? * TUE,THU", "2026-01-01T12:00:00Z", []string{"2026-01-06T12:00:00Z", "2026-01-08T12:00:00Z"}},
				{"weekday from a value every 2", "0 0 12 ? * 3/2", "2026-01-01T12:00:00Z", []string{"2026-01-02T12:00:00Z", "2026-01-04T12:00:00Z", "2026-01-07T12:00:00Z"}},
				{"weekday in one month", "0 10,44 14 ? 3 WED", "2026-01-01T00:00:00Z", []string{"2026-03-04T14:10:00Z", "2026-03-04T14:44:00Z", "2026-03-11T14:10:00Z"}},
			},
		},
		{
			title: "Months",
			next: []nextCase{
				{"month by name", "0 0 0 1 FEB ?", "2026-01-01T00:00:00Z", []string{"2026-02-01T00:00:00Z", "2027-02-01T00:00:00Z"}},
				{"range of month names, any case", "0 0 0 1 nov-Dec ?", "2026-01-01T00:00:00Z", []string{"2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", "2027-11-01T00:00:00Z"}},
				{"short months are left out", "0 0 0 31 * ?", "2026-01-31T00:00:00Z", []string{"2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z", "2026-07-31T00:00:00Z", "2026-08-31T00:00:00Z"}},
				{"the 30th leaves out February", "0 0 0 30 1-3 ?", "2026-01-30T00:00:00Z", []string{"2026-03-30T00:00:00Z"}},
			},
		},
		{
			title: "Leap days",
			next: []nextCase{
				{"leap day", "0 0 0 29 2 ?", "2026-01-01T00:00:00Z", []string{"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"}},
				{"leap day past a century without", "0 0 0 29 2 ?", "2096-02-29T00:00:00Z", []string{"2104-02-29T00:00:00Z"}},
				{"leap day in the year 2000", "0 0 0 29 2 ?", "1999-01-01T00:00:00Z", []string{"2000-02-29T00:00:00Z"}},
				{"leap day in named years", "0 0 0 29 2 ? 2027-2031", "2026-01-01T00:00:00Z", []string{"2028-02-29T00:00:00Z", "none"}},
				{"leap day is a fifth Sunday", "0 0 0 ? 2 SUN#5", "2026-01-01T00:00:00Z", []string{"2032-02-29T00:00:00Z", "2060-02-29T00:00:00Z", "2088-02-29T00:00:00Z", "2128-02-29T00:00:00Z"}},
				{"L in February of a leap year", "0 0 0 L 2 ?", "2027-03-01T00:00:00Z", []string{"2028-02-29T00:00:00Z", "2029-02-28T00:00:00Z"}},
			},
		},
		{
			title: "L, W and #. August 2026 begins on a Saturday; May 2026 ends on a Sunday",
			next: []nextCase{
				{"L in day of month", "0 15 10 L * ?", "2026-01-31T10:15:00Z", []string{"2026-02-28T10:15:00Z", "2026-03-31T10:15:00Z", "2026-04-30T10:15:00Z"}},
				{"lower case l", "0 15 10 l * ?", "2026-01-31T10:15:00Z", []string{"2026-02-28T10:15:00Z"}},
				{"L in day of week is Sunday", "0 0 0 ? * L", "2026-01-01T00:00:00Z", []string{"2026-01-04T00:00:00Z", "2026-01-11T00:00:00Z"}},
				{"6L is the last Saturday", "0 15 10 ? * 6L", "2026-01-01T00:00:00Z", []string{"2026-01-31T10:15:00Z", "2026-02-28T10:15:00Z", "2026-03-28T10:15:00Z"}},
				{"7L is the last Sunday", "0 0 0 ? * 7L", "2026-05-01T00:00:00Z", []string{"2026-05-31T00:00:00Z", "2026-06-28T00:00:00Z"}},
				{"FRIL is the last Friday", "0 0 0 ? * FRIL", "2026-01-01T00:00:00Z", []string{"2026-01-30T00:00:00Z"}},
				{"W on a working day", "0 0 0 15W 1 ?", "2026-01-01T00:00:00Z", []string{"2026-01-15T00:00:00Z"}},
				{"W on a Saturday goes back", "0 0 0 15W 8 ?", "2026-01-01T00:00:00Z", []string{"2026-08-14T00:00:00Z"}},
				{"W on a Sunday goes on", "0 0 0 15W 2 ?", "2026-01-01T00:00:00Z", []string{"2026-02-16T00:00:00Z"}},
				{"1W on a Saturday stays in the month", "0 0 0 1W 8 ?", "2026-01-01T00:00:00Z", []string{"2026-08-03T00:00:00Z"}},
				{"1W on a Sunday", "0 0 0 1W 2 ?", "2026-01-01T00:00:00Z", []string{"2026-02-02T00:00:00Z"}},
				{"31W on a Sunday stays in the month", "0 0 0 31W 5 ?", "2026-01-01T00:00:00Z", []string{"2026-05-29T00:00:00Z"}},
				{"31W leaves out shorter months", "0 0 0 31W * ?", "2026-03-31T00:00:00Z", []string{"2026-05-29T00:00:00Z", "2026-07-31T00:00:00Z"}},
				{"29W in February needs a leap year", "0 0 0 29W 2 ?", "2026-01-01T00:00:00Z", []string{"2028-02-29T00:00:00Z"}},
				{"list of W", "0 0 0 1W,15w * ?", "2026-02-01T00:00:00Z", []string{"2026-02-02T00:00:00Z", "2026-02-16T00:00:00Z", "2026-03-02T00:00:00Z"}},
				{"LW", "0 0 0 LW * ?", "2026-01-01T00:00:00Z", []string{"2026-01-30T00:00:00Z", "2026-02-27T00:00:00Z", "2026-03-31T00:00:00Z"}},
				{"LW when the last day is a Sunday", "0 0 0 LW 5 ?", "2026-01-01T00:00:00Z", []string{"2026-05-29T00:00:00Z"}},
				{"4#2 is the second Thursday", "0 0 0 ? * 4#2", "2026-01-01T00:00:00Z", []string{"2026-01-08T00:00:00Z", "2026-02-12T00:00:00Z"}},
				{"1#1 is the first Monday", "0 0 0 ? * 1#1", "2026-01-06T00:00:00Z", []string{"2026-02-02T00:00:00Z"}},
				{"SUN#1", "0 0 0 ? * sun#1", "2026-01-01T00:00:00Z", []string{"2026-01-04T00:00:00Z", "2026-02-01T00:00:00Z"}},
				{"#5 leaves out months with four", "0 0 0 ? * 4#5", "2026-01-01T00:00:00Z", []string{"2026-01-29T00:00:00Z", "2026-04-30T00:00:00Z"}},
				{"list of #", "0 0 0 ? * 1#1,1#3", "2026-01-01T00:00:00Z", []string{"2026-01-05T00:00:00Z", "2026-01-19T00:00:00Z", "2026-02-02T00:00:00Z"}},
			},
		},
		{
			title: "Either day is enough if both are restricted",
			next: []nextCase{
				{"day of month or day of week", "0 0 0 13 * FRI", "2026-02-10T00:00:00Z", []string{"2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z", "2026-02-27T00:00:00Z", "2026-03-06T00:00:00Z", "2026-03-13T00:00:00Z"}},
				{"day of month or last Friday", "0 0 0 1 * 5L", "2026-01-01T00:00:00Z", []string{"2026-01-30T00:00:00Z", "2026-02-01T00:00:00Z", "2026-02-27T00:00:00Z"}},
				{"L or weekday", "0 0 0 L * MON", "2026-01-26T00:00:00Z", []string{"2026-01-31T00:00:00Z", "2026-02-02T00:00:00Z"}},
				{"a full range restricts like any other", "0 0 0 1-31 * MON", "2026-01-01T00:00:00Z", []string{"2026-01-02T00:00:00Z"}},
				{"a step restricts", "0 0 0 */30 * MON", "2026-01-01T00:00:00Z", []string{"2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z", "2026-01-19T00:00:00Z", "2026-01-26T00:00:00Z", "2026-01-31T00:00:00Z"}},
				{"a star in a list lifts the restriction", "0 0 0 5,* * MON", "2026-01-01T00:00:00Z", []string{"2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z"}},
				{"29 February or Mondays, in a named year", "0 0 0 29 2 MON 2028", "2026-01-01T00:00:00Z", []string{"2028-02-07T00:00:00Z", "2028-02-14T00:00:00Z", "2028-02-21T00:00:00Z", "2028-02-28T00:00:00Z", "2028-02-29T00:00:00Z", "none"}},
			},
		},
		{
			title: "Years",
			next: []nextCase{
				{"one year", "0 0 0 1 1 ? 2030", "2026-01-01T00:00:00Z", []string{"2030-01-01T00:00:00Z", "none"}},
				{"a year that is over", "0 0 0 1 1 ? 2020", "2026-01-01T00:00:00Z", []string{"none"}},
				{"range of years", "0 0 0 1 6 ? 2027-2028", "2026-01-01T00:00:00Z", []string{"2027-06-01T00:00:00Z", "2028-06-01T00:00:00Z", "none"}},
				{"every second year", "0 0 0 1 1 ? 2022/2", "2026-01-01T00:00:00Z", []string{"2028-01-01T00:00:00Z", "2030-01-01T00:00:00Z"}},
				{"every third year of all", "0 0 0 1 1 ? */3", "2026-01-01T00:00:00Z", []string{"2027-01-01T00:00:00Z", "2030-01-01T00:00:00Z"}},
				{"far apart years", "0 0 0 1 1 ? */50", "2026-01-01T00:00:00Z", []string{"2070-01-01T00:00:00Z", "none"}},
				{"list of years", "0 0 0 1 1 ? 2029,2027", "2026-01-01T00:00:00Z", []string{"2027-01-01T00:00:00Z", "2029-01-01T00:00:00Z", "none"}},
				{"star for the year", "0 0 0 1 1 ? *", "2026-01-01T00:00:00Z", []string{"2027-01-01T00:00:00Z"}},
				{"question mark for the year", "0 0 0 1 1 ? ?", "2026-01-01T00:00:00Z", []string{"2027-01-01T00:00:00Z"}},
				{"the last year", "0 0 0 31 12 ? 2099", "2026-01-01T00:00:00Z", []string{"2099-12-31T00:00:00Z", "none"}},
				{"before the first year", "0 0 0 1 1 ? 1970", "0001-01-01T00:00:00Z", []string{"1970-01-01T00:00:00Z", "none"}},
				{"the end of time", "0 0 0 * * ?", "9999-12-31T00:00:00Z", []string{"10000-01-01T00:00:00Z", "none"}},
			},
		},
		{
			title: "Rates and moments",
			next: []nextCase{
				{"rate starts one interval after creation", "rate(5m)", "2026-01-01T00:00:07.25Z", []string{"2026-01-01T00:05:07.25Z", "2026-01-01T00:10:07.25Z"}},
				{"rate in seconds", "rate(90s)", "2026-01-01T00:00:00Z", []string{"2026-01-01T00:01:30Z"}},
				{"rate in hours", "rate(36h)", "2026-01-01T00:00:00Z", []string{"2026-01-02T12:00:00Z"}},
				{"rate in days", "rate(7d)", "2026-01-01T00:00:00Z", []string{"2026-01-08T00:00:00Z"}},
				{"rate, any case and blanks", " RATE (\t5 M ) ", "2026-01-01T00:00:00Z", []string{"2026-01-01T00:05:00Z"}},
				{"rate with a leading zero", "rate(05m)", "2026-01-01T00:00:00Z", []string{"2026-01-01T00:05:00Z"}},
				{"longest rate", "rate(1000d)", "2026-01-01T00:00:00Z", []string{"2028-09-27T00:00:00Z"}},
				{"at without a zone is UTC", "at(2026-06-07 08:09:10)", "2026-01-01T00:00:00Z", []string{"2026-06-07T08:09:10Z", "none"}},
				{"at in UTC", "at(2026-06-07 08:09:10 UTC)", "2026-01-01T00:00:00Z", []string{"2026-06-07T08:09:10Z", "none"}},
				{"at with a T", "at(2026-06-07T08:09:10)", "2026-01-01T00:00:00Z", []string{"2026-06-07T08:09:10Z", "none"}},
				{"at in a zone", "at(2026-06-07 08:09:10 Asia/Shanghai)", "2026-01-01T00:00:00Z", []string{"2026-06-07T08:09:10+08:00", "none"}},
				{"at with an offset", "at(2026-06-07 08:09:10 GMT-3:30)", "2026-01-01T00:00:00Z", []string{"2026-06-07T08:09:10-03:30", "none"}},
				{"at, any case and blanks", "\tAt (  2026-06-07   08:09:10  GMT  ) ", "2026-01-01T00:00:00Z", []string{"2026-06-07T08:09:10Z", "none"}},
				{"at in the past", "at(2026-06-07 08:09:10)", "2026-06-08T00:00:00Z", []string{"none"}},
				{"at is now", "at(2026-06-07 08:09:10)", "2026-06-07T08:09:10Z", []string{"none"}},
				{"at on a leap day", "at(2028-02-29 00:00:00)", "2026-01-01T00:00:00Z", []string{"2028-02-29T00:00:00Z", "none"}},
			},
		},
		{
			title: "Zones, in the seventh or eighth field",
			next: []nextCase{
				{"zone by name", "0 0 8 * * ? Asia/Shanghai", "2026-01-01T00:00:00Z", []string{"2026-01-02T08:00:00+08:00"}},
				{"year and zone by name", "0 0 8 1 * ? 2026 Asia/Tokyo", "2026-11-30T22:00:00Z", []string{"2026-12-01T08:00:00+09:00", "none"}},
				{"offset ahead", "0 0 8 * * ? GMT+8:00", "2026-01-01T00:00:00Z", []string{"2026-01-02T08:00:00+08:00"}},
				{"offset behind", "0 0 8 * * ? GMT-7:00", "2026-01-01T00:00:00Z", []string{"2026-01-01T08:00:00-07:00"}},
				{"offset with minutes", "0 0 8 * * ? GMT+5:45", "2026-01-01T00:00:00Z", []string{"2026-01-01T08:00:00+05:45"}},
				{"offset of nothing", "0 0 8 * * ? GMT-0:00", "2026-01-01T00:00:00Z", []string{"2026-01-01T08:00:00Z"}},
				{"widest offset", "0 0 8 * * ? GMT+14:00", "2026-01-01T00:00:00Z", []string{"2026-01-02T08:00:00+14:00"}},
				{"GMT", "0 0 8 * * ? GMT", "2026-01-01T00:00:00Z", []string{"2026-01-01T08:00:00Z"}},
				{"UTC with a star for the year", "0 0 8 * * ? * UTC", "2026-01-01T00:00:00Z", []string{"2026-01-01T08:00:00Z"}},
				{"zone with a question mark for the year", "0 0 8 * * ? ? GMT+1:00", "2026-01-01T00:00:00Z", []string{"2026-01-01T08:00:00+01:00"}},
				{"zone with two slashes", "0 0 8 * * ? America/Argentina/Ushuaia", "2026-01-01T00:00:00Z", []string{"2026-01-01T08:00:00-03:00"}},
				{"the date is the zone's", "0 0 1 1 1 ? Asia/Tokyo", "2026-01-01T00:00:00Z", []string{"2027-01-01T01:00:00+09:00"}},
				{"year ends by the zone's clock", "0 30 23 31 12 ? 2026 America/New_York", "2026-12-31T23:30:00Z", []string{"2026-12-31T23:30:00-05:00", "none"}},
				{"expired by the zone's clock", "0 0 * 31 12 ? 2026 GMT+14:00", "2026-12-31T10:00:00Z", []string{"none"}},
			},
		},
		{
			title: "Europe/Berlin: 29 March 2026 02:00 to 03:00, 25 October 2026 03:00 to 02:00",
			next: []nextCase{
				{"Berlin, forward: a skipped time is late", "0 30 2 * * ? Europe/Berlin", "2026-03-28T12:00:00Z", []string{"2026-03-29T03:30:00+02:00", "2026-03-30T02:30:00+02:00"}},
				{"Berlin, forward: the first skipped second", "0 0 2 * * ? Europe/Berlin", "2026-03-28T12:00:00Z", []string{"2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"}},
				{"Berlin, forward: the last skipped second", "59 59 2 * * ? Europe/Berlin", "2026-03-28T12:00:00Z", []string{"2026-03-29T03:59:59+02:00", "2026-03-30T02:59:59+02:00"}},
				{"Berlin, forward: a time before is not moved", "59 59 1 * * ? Europe/Berlin", "2026-03-28T12:00:00Z", []string{"2026-03-29T01:59:59+01:00", "2026-03-30T01:59:59+02:00"}},
				{"Berlin, forward: a late one and one on time are one", "0 30 2,3 * * ? Europe/Berlin", "2026-03-28T12:00:00Z", []string{"2026-03-29T03:30:00+02:00", "2026-03-30T02:30:00+02:00"}},
				{"Berlin, forward: late ones and others take turns", "0 15,45 2-3 29 3 ? 2026 Europe/Berlin", "2026-01-01T00:00:00Z", []string{"2026-03-29T03:15:00+02:00", "2026-03-29T03:45:00+02:00", "none"}},
				{"Berlin, forward: hourly", "0 0 * * * ? Europe/Berlin", "2026-03-29T00:00:00Z", []string{"2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00"}},
				{"Berlin, forward: every two hours", "0 0 */2 * * ? Europe/Berlin", "2026-03-28T23:00:00Z", []string{"2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00", "2026-03-29T06:00:00+02:00"}},
				{"Berlin, forward: minutes", "0 0/20 1-3 * * ? Europe/Berlin", "2026-03-29T00:20:00Z", []string{"2026-03-29T01:40:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T03:20:00+02:00", "2026-03-29T03:40:00+02:00", "2026-03-30T01:00:00+02:00"}},
				{"Berlin, forward: asked in the middle", "0 30 2 * * ? Europe/Berlin", "2026-03-29T01:10:00Z", []string{"2026-03-29T03:30:00+02:00"}},
				{"Berlin, forward: asked after it", "0 30 2 * * ? Europe/Berlin", "2026-03-29T01:30:00Z", []string{"2026-03-30T02:30:00+02:00"}},
				{"Berlin, forward: only that date", "0 30 2 29 3 ? 2026 Europe/Berlin", "2026-01-01T00:00:00Z", []string{"2026-03-29T03:30:00+02:00", "none"}},
				{"Berlin, back: once a night", "0 30 2 * * ? Europe/Berlin", "2026-10-24T12:00:00Z", []string{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
				{"Berlin, back: asked between the two", "0 30 2 * * ? Europe/Berlin", "2026-10-25T00:45:00Z", []string{"2026-10-26T02:30:00+01:00"}},
				{"Berlin, back: hourly is every real hour", "0 30 * * * ? Europe/Berlin", "2026-10-24T23:00:00Z", []string{"2026-10-25T01:30:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-25T03:30:00+01:00"}},
				{"Berlin, back: a step is regular too", "0 0 */2 * * ? Europe/Berlin", "2026-10-24T22:00:00Z", []string{"2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T04:00:00+01:00"}},
				{"Berlin, back: a range names its hours", "0 0 1-3 * * ? Europe/Berlin", "2026-10-24T22:00:00Z", []string{"2026-10-25T01:00:00+02:00", "2026-10-25T02:00:00+02:00", "2026-10-25T03:00:00+01:00"}},
				{"Berlin, back: all hours are every hour", "0 0 0-23 * * ? Europe/Berlin", "2026-10-25T00:00:00Z", []string{"2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00"}},
				{"Berlin, back: minutes of a named hour", "0 */30 2 * * ? Europe/Berlin", "2026-10-24T12:00:00Z", []string{"2026-10-25T02:00:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-26T02:00:00+01:00"}},
				{"Berlin, back: a mixed list goes by the item", "0 0 2,1/3 * * ? Europe/Berlin", "2026-10-24T22:00:00Z", []string{"2026-10-25T01:00:00+02:00", "2026-10-25T02:00:00+02:00", "2026-10-25T04:00:00+01:00"}},
				{"Berlin, back: every second", "* * * * * ? Europe/Berlin", "2026-10-25T00:59:58Z", []string{"2026-10-25T02:59:59+02:00", "2026-10-25T02:00:00+01:00"}},
				{"Berlin, back: the end of a year list", "0 30 * 25 10 ? 2026 Europe/Berlin", "2026-10-25T21:45:00Z", []string{"2026-10-25T23:30:00+01:00", "none"}},
				{"Berlin: at a skipped time", "at(2026-03-29 02:30:00 Europe/Berlin)", "2026-01-01T00:00:00Z", []string{"2026-03-29T03:30:00+02:00", "none"}},
				{"Berlin: at a time that comes twice", "at(2026-10-25 02:30:00 Europe/Berlin)", "2026-01-01T00:00:00Z", []string{"2026-10-25T02:30:00+02:00", "none"}},
				{"Berlin: years without a change of the rules", "0 30 2 L 3 ? 2099 Europe/Berlin", "2026-01-01T00:00:00Z", []string{"2099-03-31T02:30:00+02:00", "none"}},
			},
		},
		{
			title: "America/New_York: 8 March 2026 02:00 to 03:00, 1 November 2026 02:00 to 01:00",
			next: []nextCase{
				{"New York, forward: a skipped time is late", "0 30 2 * * ? America/New_York", "2026-03-07T12:00:00Z", []string{"2026-03-08T03:30:00-04:00", "2026-03-09T02:30:00-04:00"}},
				{"New York, forward: hourly", "0 0 * * * ? America/New_York", "2026-03-08T06:00:00Z", []string{"2026-03-08T03:00:00-04:00", "2026-03-08T04:00:00-04:00"}},
				{"New York, forward: weekdays still count", "0 30 2 ? * SUN America/New_York", "2026-03-07T12:00:00Z", []string{"2026-03-08T03:30:00-04:00", "2026-03-15T02:30:00-04:00"}},
				{"New York, back: once a night", "0 30 1 * * ? America/New_York", "2026-10-31T12:00:00Z", []string{"2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"}},
				{"New York, back: hourly is every real hour", "0 0 * * * ? America/New_York", "2026-11-01T04:00:00Z", []string{"2026-11-01T01:00:00-04:00", "2026-11-01T01:00:00-05:00", "2026-11-01T02:00:00-05:00"}},
				{"New York, back: minutes", "0 */30 * * * ? America/New_York", "2026-11-01T05:15:00Z", []string{"2026-11-01T01:30:00-04:00", "2026-11-01T01:00:00-05:00", "2026-11-01T01:30:00-05:00", "2026-11-01T02:00:00-05:00"}},
				{"New York: at a skipped time", "at(2026-03-08 02:00:00 America/New_York)", "2026-01-01T00:00:00Z", []string{"2026-03-08T03:00:00-04:00", "none"}},
				{"New York: at a time that comes twice", "at(2026-11-01 01:59:59 America/New_York)", "2026-01-01T00:00:00Z", []string{"2026-11-01T01:59:59-04:00", "none"}},
			},
		},
		{
			title: "Australia/Lord_Howe: 4 October 2026 02:00 to 02:30, 5 April 2026 02:00 to 01:30",
			next: []nextCase{
				{"Lord Howe, forward: half an hour late", "0 10 2 * * ? Australia/Lord_Howe", "2026-10-03T12:00:00Z", []string{"2026-10-04T02:40:00+11:00", "2026-10-05T02:10:00+11:00"}},
				{"Lord Howe, forward: one firing of two", "0 10,40 2 * * ? Australia/Lord_Howe", "2026-10-03T12:00:00Z", []string{"2026-10-04T02:40:00+11:00", "2026-10-05T02:10:00+11:00"}},
				{"Lord Howe, forward: a time that is not skipped", "0 45 2 * * ? Australia/Lord_Howe", "2026-10-03T12:00:00Z", []string{"2026-10-04T02:45:00+11:00"}},
				{"Lord Howe, back: once a night", "0 45 1 * * ? Australia/Lord_Howe", "2026-04-04T12:00:00Z", []string{"2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"}},
				{"Lord Howe, back: hourly, shown twice", "0 45 * * * ? Australia/Lord_Howe", "2026-04-04T14:00:00Z", []string{"2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30", "2026-04-05T02:45:00+10:30"}},
				{"Lord Howe, back: hourly, shown once", "0 15 * * * ? Australia/Lord_Howe", "2026-04-04T14:00:00Z", []string{"2026-04-05T01:15:00+11:00", "2026-04-05T02:15:00+10:30"}},
				{"Lord Howe: at a skipped time", "at(2026-10-04 02:15:00 Australia/Lord_Howe)", "2026-01-01T00:00:00Z", []string{"2026-10-04T02:45:00+11:00", "none"}},
			},
		},
		{
			title: "At midnight, by a day, by two hours",
			next: []nextCase{
				{"Beirut, back to the day before: hourly on that day", "0 30 * 24 10 ? Asia/Beirut", "2026-10-24T20:00:00Z", []string{"2026-10-24T23:30:00+03:00", "2026-10-24T23:30:00+02:00", "2027-10-24T00:30:00+03:00"}},
				{"Beirut, forward at midnight", "0 0 0 * * ? Asia/Beirut", "2026-03-28T12:00:00Z", []string{"2026-03-29T01:00:00+03:00", "2026-03-30T00:00:00+03:00"}},
				{"Samoa leaves out a day", "0 0 12 * * ? Pacific/Apia", "2011-12-29T00:00:00Z", []string{"2011-12-29T12:00:00-10:00", "2011-12-31T12:00:00+14:00", "2012-01-01T12:00:00+14:00"}},
				{"Samoa: only the day that was left out", "0 0 12 30 12 ? 2011 Pacific/Apia", "2011-01-01T00:00:00Z", []string{"2011-12-31T12:00:00+14:00", "none"}},
				{"Troll, forward by two hours", "0 30 1,2 * * ? Antarctica/Troll", "2026-03-28T12:00:00Z", []string{"2026-03-29T03:30:00+02:00", "2026-03-29T04:30:00+02:00", "2026-03-30T01:30:00+02:00"}},
				{"Dublin, whose winter time is the exception", "0 30 1 * * ? Europe/Dublin", "2026-10-24T12:00:00Z", []string{"2026-10-25T01:30:00+01:00", "2026-10-26T01:30:00Z"}},
			},
		},
		{
			title:   "Five crontab fields, read in UTC+8",
			crontab: true,
			next: []nextCase{
				{"monthly, the vendor's sample", "0 0 1 * *", "2026-01-01T00:00:00Z", []string{"2026-02-01T00:00:00+08:00", "2026-03-01T00:00:00+08:00"}},
				{"every minute", "* * * * *", "2026-01-01T00:00:30Z", []string{"2026-01-01T08:01:00+08:00"}},
				{"every five minutes", "*/5 * * * *", "2026-01-01T00:03:00Z", []string{"2026-01-01T08:05:00+08:00", "2026-01-01T08:10:00+08:00"}},
				{"0 is Sunday", "0 9 * * 0", "2026-01-01T00:00:00Z", []string{"2026-01-04T09:00:00+08:00"}},
				{"7 is Sunday", "0 9 * * 7", "2026-01-01T00:00:00Z", []string{"2026-01-04T09:00:00+08:00"}},
				{"1 is Monday", "0 9 * * 1", "2026-01-01T00:00:00Z", []string{"2026-01-05T09:00:00+08:00"}},
				{"working days", "0 9 * * 1-5", "2026-01-02T02:00:00Z", []string{"2026-01-05T09:00:00+08:00"}},
				{"0-7 is every day", "0 9 * * 0-7", "2026-01-02T02:00:00Z", []string{"2026-01-03T09:00:00+08:00", "2026-01-04T09:00:00+08:00"}},
				{"Saturday to 7", "0 9 * * 6-7", "2026-01-02T02:00:00Z", []string{"2026-01-03T09:00:00+08:00", "2026-01-04T09:00:00+08:00", "2026-01-10T09:00:00+08:00"}},
				{"names up to Sunday", "0 9 * * fri-sun", "2026-01-01T02:00:00Z", []string{"2026-01-02T09:00:00+08:00", "2026-01-03T09:00:00+08:00", "2026-01-04T09:00:00+08:00", "2026-01-09T09:00:00+08:00"}},
				{"names from Sunday", "0 9 * * SUN-TUE", "2026-01-01T02:00:00Z", []string{"2026-01-04T09:00:00+08:00", "2026-01-05T09:00:00+08:00", "2026-01-06T09:00:00+08:00", "2026-01-11T09:00:00+08:00"}},
				{"step of days counts from Sunday", "0 9 * * */2", "2026-01-03T02:00:00Z", []string{"2026-01-04T09:00:00+08:00", "2026-01-06T09:00:00+08:00", "2026-01-08T09:00:00+08:00", "2026-01-10T09:00:00+08:00"}},
				{"an open step ends on Saturday", "0 9 * * 3/2", "2026-01-03T02:00:00Z", []string{"2026-01-07T09:00:00+08:00", "2026-01-09T09:00:00+08:00", "2026-01-14T09:00:00+08:00"}},
				{"either day is enough", "0 0 13 * 5", "2026-02-12T18:00:00Z", []string{"2026-02-20T00:00:00+08:00", "2026-02-27T00:00:00+08:00"}},
				{"last day", "0 0 L * *", "2026-02-01T00:00:00Z", []string{"2026-02-28T00:00:00+08:00"}},
				{"last Sunday", "0 0 * * 0L", "2026-02-01T00:00:00Z", []string{"2026-02-22T00:00:00+08:00"}},
				{"second Thursday", "0 0 ? * 4#2", "2026-02-01T00:00:00Z", []string{"2026-02-12T00:00:00+08:00"}},
				{"month name", "0 0 1 JUL ?", "2026-02-01T00:00:00Z", []string{"2026-07-01T00:00:00+08:00"}},
			},
		},
		{
			title: "On a node in America/New_York",
			local: "America/New_York",
			next: []nextCase{
				{"cron, node in New York", "0 0 8 * * ?", "2026-01-01T00:00:00Z", []string{"2026-01-01T08:00:00-05:00"}},
				{"cron with a zone, node elsewhere", "0 0 8 * * ? Asia/Tokyo", "2026-01-01T00:00:00Z", []string{"2026-01-02T08:00:00+09:00"}},
				{"at without a zone, node elsewhere", "at(2026-01-01 08:00:00)", "2026-01-01T00:00:00Z", []string{"2026-01-01T08:00:00Z"}},
			},
		},
		{
			title: "On a node in Asia/Kathmandu",
			local: "Asia/Kathmandu",
			next: []nextCase{
				{"cron, node in Kathmandu", "0 0 8 * * ?", "2026-01-01T00:00:00Z", []string{"2026-01-01T08:00:00+05:45"}},
			},
		},
		{
			title: "On a node whose zone is not known",
			next: []nextCase{
				{"cron, unknown node", "0 0 8 * * ?", "2026-01-01T00:00:00Z", []string{"2026-01-01T08:00:00Z"}},
			},
		},
		{
			title: "On a node in Europe/Berlin",
			local: "Europe/Berlin",
			next: []nextCase{
				{"rate across a change of the clocks", "rate(1d)", "2026-03-28T12:00:00Z", []string{"2026-03-29T14:00:00+02:00"}},
			},
		},
		{
			title:   "Rates created at 2026-01-01T00:03:00Z",
			created: "2026-01-01T00:03:00Z",
			next: []nextCase{
				{"at creation", "rate(10m)", "2026-01-01T00:03:00Z", []string{"2026-01-01T00:13:00Z"}},
				{"before creation", "rate(10m)", "2025-01-01T00:00:00Z", []string{"2026-01-01T00:13:00Z"}},
				{"at a firing", "rate(10m)", "2026-01-01T00:13:00Z", []string{"2026-01-01T00:23:00Z"}},
				{"just before a firing", "rate(10m)", "2026-01-01T00:22:59.999Z", []string{"2026-01-01T00:23:00Z"}},
				{"between", "rate(10m)", "2026-01-01T12:00:00Z", []string{"2026-01-01T12:03:00Z"}},
			},
		},
		{
			title:   "Rates created at 2026-01-01T00:00:00.75Z",
			created: "2026-01-01T00:00:00.75Z",
			next: []nextCase{
				{"parts of a second, just before", "rate(60s)", "2026-01-01T00:01:00.5Z", []string{"2026-01-01T00:01:00.75Z"}},
				{"parts of a second, just after", "rate(60s)", "2026-01-01T00:01:00.8Z", []string{"2026-01-01T00:02:00.75Z"}},
			},
		},
		{
			title:   "Rates created at 0001-01-01T00:00:00Z",
			created: "0001-01-01T00:00:00Z",
			next: []nextCase{
				{"longer than a time.Duration", "rate(1d)", "9999-12-30T12:00:00Z", []string{"9999-12-31T00:00:00Z"}},
			},
		},
		{
			title: "Refused: not an expression",
			refused: []refusal{
				{"nothing", "", ErrSyntax, ""},
				{"blanks", " \t ", ErrSyntax, ""},
				{"five fields", "0 12 * * ?", ErrSyntax, ""},
				{"nine fields", "0 0 12 * * ? 2030 UTC UTC", ErrSyntax, ""},
				{"a word", "daily", ErrSyntax, ""},
				{"an abbreviation of other crons", "@daily", ErrSyntax, ""},
				{"NUL", "0 0 12 * * ?\x00", ErrSyntax, ""},
				{"not ASCII", "0 0 12 * * \u00bf", ErrSyntax, ""},
				{"not UTF-8", "0 0 12 * * \xff", ErrSyntax, ""},
				{"vertical tab", "0 0 12 *\v* ?", ErrSyntax, ""},
				{"too long", "0 0 12 * * ?" + strings.Repeat(" ", 501), ErrSyntax, ""},
				{"too long a list", "0 " + strings.Repeat("1,", 300) + "1 12 * * ?", ErrSyntax, ""},
			},
		},
		{
			title: "Refused: out of range",
			refused: []refusal{
				{"second too large", "60 0 12 * * ?", ErrRange, "second"},
				{"second is negative", "-1 0 12 * * ?", ErrSyntax, "second"},
				{"second is a question mark", "? 0 12 * * ?", ErrSyntax, "second"},
				{"minute too large", "0 60 12 * * ?", ErrRange, "minute"},
				{"minute is a fraction", "0 1.5 12 * * ?", ErrSyntax, "minute"},
				{"hour too large", "0 0 24 * * ?", ErrRange, "hour"},
				{"hour is L", "0 0 L * * ?", ErrSyntax, "hour"},
				{"day 0", "0 0 12 0 * ?", ErrRange, "day of month"},
				{"day 32", "0 0 12 32 * ?", ErrRange, "day of month"},
				{"month 0", "0 0 12 1 0 ?", ErrRange, "month"},
				{"month 13", "0 0 12 1 13 ?", ErrRange, "month"},
				{"month by no name", "0 0 12 1 JANU ?", ErrSyntax, "month"},
				{"month is a question mark", "0 0 12 1 ? ?", ErrSyntax, "month"},
				{"weekday 0", "0 0 12 ? * 0", ErrRange, "day of week"},
				{"weekday 8", "0 0 12 ? * 8", ErrRange, "day of week"},
				{"weekday by no name", "0 0 12 ? * MOO", ErrSyntax, "day of week"},
				{"year before 1970", "0 0 12 1 1 ? 1969 UTC", ErrRange, "year"},
				{"year after 2099", "0 0 12 1 1 ? 2100 UTC", ErrRange, "year"},
				{"year after 2099, alone", "0 0 12 1 1 ? 2026-2100", ErrRange, "year"},
				{"year of two digits", "0 0 12 1 1 ? 26 UTC", ErrRange, "year"},
			},
		},
		{
			title: "Refused: not a number",
			refused: []refusal{
				{"two leading zeros", "0 15 008 ? * *", ErrSyntax, "hour"},
				{"leading zeros of nothing", "000 15 8 ? * *", ErrSyntax, "second"},
				{"leading zero of a year", "0 0 12 1 1 ? 02030", ErrSyntax, "year"},
				{"plus sign", "0 +5 12 * * ?", ErrSyntax, "minute"},
				{"hexadecimal", "0 0x5 12 * * ?", ErrSyntax, "minute"},
				{"endless number", "0 99999999999999999999 12 * * ?", ErrSyntax, "minute"},
			},
		},
		{
			title: "Refused: ranges",
			refused: []refusal{
				{"reverse range, which ends other agents", "0 0 9-7 * * ?", ErrRange, "hour"},
				{"reverse range of days", "0 0 9 20-10 * ?", ErrRange, "day of month"},
				{"reverse range of months", "0 0 9 1 NOV-FEB ?", ErrRange, "month"},
				{"reverse range of weekdays", "0 0 9 ? * SUN-MON", ErrRange, "day of week"},
				{"reverse range of weekdays by number", "0 0 9 ? * 6-2", ErrRange, "day of week"},
				{"reverse range of years", "0 0 9 1 1 ? 2031-2030", ErrRange, "year"},
				{"reverse range with a step", "0 40-10/5 9 * * ?", ErrRange, "minute"},
				{"range beyond the end", "0 50-60 9 * * ?", ErrRange, "minute"},
				{"range without an end", "0 0 9- * * ?", ErrSyntax, "hour"},
				{"range without a beginning", "0 0 -9 * * ?", ErrSyntax, "hour"},
				{"range of three", "0 0 1-3-5 * * ?", ErrSyntax, "hour"},
				{"range of a star", "0 0 *-5 * * ?", ErrSyntax, "hour"},
				{"wrong dash", "0 0 1~5 * * ?", ErrSyntax, "hour"},
			},
		},
		{
			title: "Refused: lists",
			refused: []refusal{
				{"empty list item at the end", "0 0 9, * * ?", ErrSyntax, "hour"},
				{"empty list item at the beginning", "0 ,5 9 * * ?", ErrSyntax, "minute"},
				{"empty list item in the middle", "0 0 9 1,,5 * ?", ErrSyntax, "day of month"},
				{"only a comma", "0 0 9 ? * ,", ErrSyntax, "day of week"},
				{"blank in a list", "0 0 9, 10 * * ?", ErrSyntax, "hour"},
			},
		},
		{
			title: "Refused: steps",
			refused: []refusal{
				{"step 0", "0 */0 * * * ?", ErrRange, "minute"},
				{"step 0 from a value", "0 5/0 * * * ?", ErrRange, "minute"},
				{"step too large", "0 */60 * * * ?", ErrRange, "minute"},
				{"hour step too large", "0 0 0/24 * * ?", ErrRange, "hour"},
				{"day step too large", "0 0 0 1/32 * ?", ErrRange, "day of month"},
				{"no step", "0 */ * * * ?", ErrSyntax, "minute"},
				{"two steps", "0 */5/5 * * * ?", ErrSyntax, "minute"},
				{"step of a negative", "0 */-5 * * * ?", ErrSyntax, "minute"},
				{"step of a name", "0 0 0 1 */FEB ?", ErrSyntax, "month"},
				{"step of nothing", "0 /5 * * * ?", ErrSyntax, "minute"},
				{"step of a question mark", "0 0 0 ?/5 * ?", ErrSyntax, "day of month"},
				{"double star", "0 ** * * * ?", ErrSyntax, "minute"},
			},
		},
		{
			title: "Refused: L, W and # where they do not belong",
			refused: []refusal{
				{"question mark in a list", "0 0 0 1,? * ?", ErrSyntax, "day of month"},
				{"two question marks in one field", "0 0 0 ?? * ?", ErrSyntax, "day of month"},
				{"L in a list of days", "0 0 0 L,15 * ?", ErrSyntax, "day of month"},
				{"L at the end of a list of days", "0 0 0 15,L * ?", ErrSyntax, "day of month"},
				{"L in a range of days", "0 0 0 L-3 * ?", ErrSyntax, "day of month"},
				{"LW in a list", "0 0 0 LW,15 * ?", ErrSyntax, "day of month"},
				{"15L", "0 0 0 15L * ?", ErrSyntax, "day of month"},
				{"L in a list of weekdays", "0 0 0 ? * MON,5L", ErrSyntax, "day of week"},
				{"L at the beginning of a list of weekdays", "0 0 0 ? * 5L,1", ErrSyntax, "day of week"},
				{"L in a range of weekdays", "0 0 0 ? * 1-5L", ErrSyntax, "day of week"},
				{"8L", "0 0 0 ? * 8L", ErrRange, "day of week"},
				{"W alone", "0 0 0 W * ?", ErrSyntax, "day of month"},
				{"W of a range", "0 0 0 1-15W * ?", ErrSyntax, "day of month"},
				{"WL", "0 0 0 WL * ?", ErrSyntax, "day of month"},
				{"32W", "0 0 0 32W * ?", ErrRange, "day of month"},
				{"W in day of week", "0 0 0 ? * 3W", ErrSyntax, "day of week"},
				{"# in day of month", "0 0 0 3#2 * ?", ErrSyntax, "day of month"},
				{"#0", "0 0 0 ? * 3#0", ErrRange, "day of week"},
				{"#6", "0 0 0 ? * 3#6", ErrRange, "day of week"},
				{"# of nothing", "0 0 0 ? * #2", ErrSyntax, "day of week"},
				{"# and nothing", "0 0 0 ? * 3#", ErrRange, "day of week"},
				{"# twice", "0 0 0 ? * 3#1#2", ErrRange, "day of week"},
				{"# of a range", "0 0 0 ? * 1-5#2", ErrSyntax, "day of week"},
			},
		},
		{
			title: "Refused: days that never come",
			refused: []refusal{
				{"30 February", "0 0 0 30 2 ?", ErrRange, "day of month"},
				{"30 and 31 February", "0 0 0 30,31 FEB ?", ErrRange, "day of month"},
				{"30 February, with a weekday", "0 0 0 30 2 MON", ErrRange, "day of month"},
				{"31st of the short months", "0 0 0 31 2,4,6,9,11 ?", ErrRange, "day of month"},
				{"31W of a short month", "0 0 0 31W 4 ?", ErrRange, "day of month"},
				{"leap day in years without", "0 0 0 29 2 ? 2026-2027", ErrRange, "day of month"},
				{"fifth Monday of a February without", "0 0 0 ? 2 MON#5 2028", ErrRange, "day of week"},
			},
		},
		{
			title: "Refused: zones",
			refused: []refusal{
				{"zone without a slash", "0 0 12 * * ? Japan", ErrRange, "zone"},
				{"zone that does not exist", "0 0 12 * * ? Europe/Atlantis", ErrRange, "zone"},
				{"zone that is a path", "0 0 12 * * ? ../../etc/passwd", ErrRange, "zone"},
				{"zone that is an absolute path", "0 0 12 * * ? /etc/localtime", ErrRange, "zone"},
				{"zone that is a directory", "0 0 12 * * ? America/", ErrRange, "zone"},
				{"local", "0 0 12 * * ? Local", ErrRange, "zone"},
				{"abbreviation", "0 0 12 * * ? CST", ErrRange, "zone"},
				{"lower case utc", "0 0 12 * * ? utc", ErrRange, "zone"},
				{"offset with a leading zero", "0 0 12 * * ? GMT+08:00", ErrRange, "zone"},
				{"offset without minutes", "0 0 12 * * ? GMT+8", ErrRange, "zone"},
				{"offset of 15 hours", "0 0 12 * * ? GMT+15:00", ErrRange, "zone"},
				{"offset of 60 minutes", "0 0 12 * * ? GMT+8:60", ErrRange, "zone"},
				{"offset with something before", "0 0 12 * * ? XGMT+8:00", ErrRange, "zone"},
				{"offset with something after", "0 0 12 * * ? GMT+8:000", ErrRange, "zone"},
				{"offset from UTC", "0 0 12 * * ? UTC+8:00", ErrRange, "zone"},
				{"year where the zone belongs", "0 0 12 * * ? * 2030", ErrRange, "zone"},
			},
		},
		{
			title: "Refused: rates",
			refused: []refusal{
				{"rate of nothing", "rate()", ErrSyntax, "rate"},
				{"rate without a number", "rate(m)", ErrSyntax, "rate"},
				{"rate without a unit", "rate(5)", ErrSyntax, "rate"},
				{"rate of another vendor", "rate(5 minutes)", ErrSyntax, "rate"},
				{"rate in weeks", "rate(1w)", ErrSyntax, "rate"},
				{"rate of 0", "rate(0s)", ErrRange, "rate"},
				{"rate that is negative", "rate(-5m)", ErrSyntax, "rate"},
				{"rate that is a fraction", "rate(1.5h)", ErrSyntax, "rate"},
				{"rate of two", "rate(1h30m)", ErrSyntax, "rate"},
				{"rate above 1000 days", "rate(1001d)", ErrRange, "rate"},
				{"rate above 1000 days in seconds", "rate(86400001s)", ErrRange, "rate"},
				{"rate that overflows", "rate(99999999999999999999d)", ErrSyntax, "rate"},
				{"rate that is not closed", "rate(5m", ErrSyntax, ""},
				{"rate with something after", "rate(5m) UTC", ErrSyntax, ""},
				{"rate in two brackets", "rate((5m))", ErrSyntax, "rate"},
				{"another function", "cron(0 0 12 * * ?)", ErrSyntax, ""},
				{"no function", "(5m)", ErrSyntax, ""},
			},
		},
		{
			title: "Refused: moments",
			refused: []refusal{
				{"at of nothing", "at()", ErrSyntax, "at"},
				{"at without a time", "at(2030-01-31)", ErrSyntax, "at"},
				{"at without seconds", "at(2030-01-31 08:00)", ErrSyntax, "at"},
				{"at with parts of a second", "at(2030-01-31 08:00:00.5)", ErrSyntax, "at"},
				{"at without leading zeros", "at(2030-1-31 08:00:00)", ErrSyntax, "at"},
				{"at on 30 February", "at(2030-02-30 08:00:00)", ErrRange, "at"},
				{"at on a leap day that is none", "at(2030-02-29 08:00:00)", ErrRange, "at"},
				{"at in the 13th month", "at(2030-13-01 08:00:00)", ErrRange, "at"},
				{"at 24:00", "at(2030-01-31 24:00:00)", ErrRange, "at"},
				{"at a leap second", "at(2030-06-30 23:59:60)", ErrRange, "at"},
				{"at with slashes", "at(2030/01/31 08:00:00)", ErrRange, "at"},
				{"at with a Z", "at(2030-01-31T08:00:00Z)", ErrSyntax, "at"},
				{"at in no zone", "at(2030-01-31 08:00:00 CET)", ErrRange, "zone"},
				{"at in two zones", "at(2030-01-31 08:00:00 UTC UTC)", ErrSyntax, "at"},
			},
		},
		{
			title:   "Refused: crontabs",
			crontab: true,
			refused: []refusal{
				{"nothing", "", ErrSyntax, ""},
				{"four fields", "0 0 1 *", ErrSyntax, ""},
				{"six fields", "0 0 0 1 * *", ErrSyntax, ""},
				{"rate", "rate(5m)", ErrSyntax, ""},
				{"abbreviation", "@daily", ErrSyntax, ""},
				{"NUL", "0 0 1 * \x00", ErrSyntax, ""},
				{"too long", "0 0 1 * *" + strings.Repeat(" ", 504), ErrSyntax, ""},
				{"minute 60", "60 0 1 * *", ErrRange, "minute"},
				{"weekday 8", "0 0 * * 8", ErrRange, "day of week"},
				{"weekday 8, last", "0 0 * * 8L", ErrRange, "day of week"},
				{"reverse range", "0 9-7 * * *", ErrRange, "hour"},
				{"reverse range of weekdays", "0 0 * * 5-0", ErrRange, "day of week"},
				{"reverse range of names", "0 0 * * FRI-MON", ErrRange, "day of week"},
				{"empty item", "0 0 * * 1,", ErrSyntax, "day of week"},
				{"30 February", "0 0 30 2 *", ErrRange, "day of month"},
			},
		},
	}
}
