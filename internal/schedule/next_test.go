package schedule

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// moment reads a time for a test.
func moment(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	if name == "" {
		return nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// firings returns as many firings as are asked for, and none for those there are not.
func firings(p Plan, after, created time.Time, local *time.Location, n int) []string {
	var got []string
	for range n {
		next, ok := p.Next(after, created, local)
		if !ok {
			return append(got, "none")
		}
		got = append(got, next.Format(time.RFC3339Nano))
		after = next
	}
	return got
}

// nextCase says which firings follow a moment; "none" ends the list.
type nextCase struct {
	name  string
	expr  string
	after string
	want  []string
}

func testNext(t *testing.T, parse func(string) (Plan, error), cases []nextCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := parse(c.expr)
			if err != nil {
				t.Fatal(err)
			}
			after := moment(t, c.after)
			if diff := cmp.Diff(c.want, firings(p, after, after, nil, len(c.want))); diff != "" {
				t.Errorf("%s after %s (-want +got):\n%s", c.expr, c.after, diff)
			}
		})
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	testNext(t, Parse, []nextCase{
		// Plain times. 1 January 2026 is a Thursday.
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

		// Steps.
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

		// Days of the week: 1 is Monday, 7 is Sunday.
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

		// Months.
		{"month by name", "0 0 0 1 FEB ?", "2026-01-01T00:00:00Z", []string{"2026-02-01T00:00:00Z", "2027-02-01T00:00:00Z"}},
		{"range of month names, any case", "0 0 0 1 nov-Dec ?", "2026-01-01T00:00:00Z", []string{"2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", "2027-11-01T00:00:00Z"}},
		{"short months are left out", "0 0 0 31 * ?", "2026-01-31T00:00:00Z", []string{"2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z", "2026-07-31T00:00:00Z", "2026-08-31T00:00:00Z"}},
		{"the 30th leaves out February", "0 0 0 30 1-3 ?", "2026-01-30T00:00:00Z", []string{"2026-03-30T00:00:00Z"}},

		// Leap days.
		{"leap day", "0 0 0 29 2 ?", "2026-01-01T00:00:00Z", []string{"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"}},
		{"leap day past a century without", "0 0 0 29 2 ?", "2096-02-29T00:00:00Z", []string{"2104-02-29T00:00:00Z"}},
		{"leap day in the year 2000", "0 0 0 29 2 ?", "1999-01-01T00:00:00Z", []string{"2000-02-29T00:00:00Z"}},
		{"leap day in named years", "0 0 0 29 2 ? 2027-2031", "2026-01-01T00:00:00Z", []string{"2028-02-29T00:00:00Z", "none"}},
		{"leap day is a fifth Sunday", "0 0 0 ? 2 SUN#5", "2026-01-01T00:00:00Z", []string{"2032-02-29T00:00:00Z", "2060-02-29T00:00:00Z", "2088-02-29T00:00:00Z", "2128-02-29T00:00:00Z"}},
		{"L in February of a leap year", "0 0 0 L 2 ?", "2027-03-01T00:00:00Z", []string{"2028-02-29T00:00:00Z", "2029-02-28T00:00:00Z"}},

		// L, W and #. August 2026 begins on a Saturday; May 2026 ends on a Sunday.
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

		// Either day is enough if both are restricted.
		{"day of month or day of week", "0 0 0 13 * FRI", "2026-02-10T00:00:00Z", []string{"2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z", "2026-02-27T00:00:00Z", "2026-03-06T00:00:00Z", "2026-03-13T00:00:00Z"}},
		{"day of month or last Friday", "0 0 0 1 * 5L", "2026-01-01T00:00:00Z", []string{"2026-01-30T00:00:00Z", "2026-02-01T00:00:00Z", "2026-02-27T00:00:00Z"}},
		{"L or weekday", "0 0 0 L * MON", "2026-01-26T00:00:00Z", []string{"2026-01-31T00:00:00Z", "2026-02-02T00:00:00Z"}},
		{"a full range restricts like any other", "0 0 0 1-31 * MON", "2026-01-01T00:00:00Z", []string{"2026-01-02T00:00:00Z"}},
		{"a step restricts", "0 0 0 */30 * MON", "2026-01-01T00:00:00Z", []string{"2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z", "2026-01-19T00:00:00Z", "2026-01-26T00:00:00Z", "2026-01-31T00:00:00Z"}},
		{"a star in a list lifts the restriction", "0 0 0 5,* * MON", "2026-01-01T00:00:00Z", []string{"2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z"}},
		{"29 February or Mondays, in a named year", "0 0 0 29 2 MON 2028", "2026-01-01T00:00:00Z", []string{"2028-02-07T00:00:00Z", "2028-02-14T00:00:00Z", "2028-02-21T00:00:00Z", "2028-02-28T00:00:00Z", "2028-02-29T00:00:00Z", "none"}},

		// Years.
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

		// Rates and moments.
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

		// Zones, in the seventh or eighth field.
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
	})
}

func TestNextWhenTheClocksChange(t *testing.T) {
	t.Parallel()
	testNext(t, Parse, []nextCase{
		// Europe/Berlin: 29 March 2026 02:00 to 03:00, 25 October 2026 03:00 to 02:00.
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

		// America/New_York: 8 March 2026 02:00 to 03:00, 1 November 2026 02:00 to 01:00.
		{"New York, forward: a skipped time is late", "0 30 2 * * ? America/New_York", "2026-03-07T12:00:00Z", []string{"2026-03-08T03:30:00-04:00", "2026-03-09T02:30:00-04:00"}},
		{"New York, forward: hourly", "0 0 * * * ? America/New_York", "2026-03-08T06:00:00Z", []string{"2026-03-08T03:00:00-04:00", "2026-03-08T04:00:00-04:00"}},
		{"New York, forward: weekdays still count", "0 30 2 ? * SUN America/New_York", "2026-03-07T12:00:00Z", []string{"2026-03-08T03:30:00-04:00", "2026-03-15T02:30:00-04:00"}},
		{"New York, back: once a night", "0 30 1 * * ? America/New_York", "2026-10-31T12:00:00Z", []string{"2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"}},
		{"New York, back: hourly is every real hour", "0 0 * * * ? America/New_York", "2026-11-01T04:00:00Z", []string{"2026-11-01T01:00:00-04:00", "2026-11-01T01:00:00-05:00", "2026-11-01T02:00:00-05:00"}},
		{"New York, back: minutes", "0 */30 * * * ? America/New_York", "2026-11-01T05:15:00Z", []string{"2026-11-01T01:30:00-04:00", "2026-11-01T01:00:00-05:00", "2026-11-01T01:30:00-05:00", "2026-11-01T02:00:00-05:00"}},
		{"New York: at a skipped time", "at(2026-03-08 02:00:00 America/New_York)", "2026-01-01T00:00:00Z", []string{"2026-03-08T03:00:00-04:00", "none"}},
		{"New York: at a time that comes twice", "at(2026-11-01 01:59:59 America/New_York)", "2026-01-01T00:00:00Z", []string{"2026-11-01T01:59:59-04:00", "none"}},

		// Australia/Lord_Howe: 4 October 2026 02:00 to 02:30, 5 April 2026 02:00 to 01:30.
		{"Lord Howe, forward: half an hour late", "0 10 2 * * ? Australia/Lord_Howe", "2026-10-03T12:00:00Z", []string{"2026-10-04T02:40:00+11:00", "2026-10-05T02:10:00+11:00"}},
		{"Lord Howe, forward: one firing of two", "0 10,40 2 * * ? Australia/Lord_Howe", "2026-10-03T12:00:00Z", []string{"2026-10-04T02:40:00+11:00", "2026-10-05T02:10:00+11:00"}},
		{"Lord Howe, forward: a time that is not skipped", "0 45 2 * * ? Australia/Lord_Howe", "2026-10-03T12:00:00Z", []string{"2026-10-04T02:45:00+11:00"}},
		{"Lord Howe, back: once a night", "0 45 1 * * ? Australia/Lord_Howe", "2026-04-04T12:00:00Z", []string{"2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"}},
		{"Lord Howe, back: hourly, shown twice", "0 45 * * * ? Australia/Lord_Howe", "2026-04-04T14:00:00Z", []string{"2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30", "2026-04-05T02:45:00+10:30"}},
		{"Lord Howe, back: hourly, shown once", "0 15 * * * ? Australia/Lord_Howe", "2026-04-04T14:00:00Z", []string{"2026-04-05T01:15:00+11:00", "2026-04-05T02:15:00+10:30"}},
		{"Lord Howe: at a skipped time", "at(2026-10-04 02:15:00 Australia/Lord_Howe)", "2026-01-01T00:00:00Z", []string{"2026-10-04T02:45:00+11:00", "none"}},

		// At midnight, by a day, by two hours.
		{"Beirut, back to the day before: hourly on that day", "0 30 * 24 10 ? Asia/Beirut", "2026-10-24T20:00:00Z", []string{"2026-10-24T23:30:00+03:00", "2026-10-24T23:30:00+02:00", "2027-10-24T00:30:00+03:00"}},
		{"Beirut, forward at midnight", "0 0 0 * * ? Asia/Beirut", "2026-03-28T12:00:00Z", []string{"2026-03-29T01:00:00+03:00", "2026-03-30T00:00:00+03:00"}},
		{"Samoa leaves out a day", "0 0 12 * * ? Pacific/Apia", "2011-12-29T00:00:00Z", []string{"2011-12-29T12:00:00-10:00", "2011-12-31T12:00:00+14:00", "2012-01-01T12:00:00+14:00"}},
		{"Samoa: only the day that was left out", "0 0 12 30 12 ? 2011 Pacific/Apia", "2011-01-01T00:00:00Z", []string{"2011-12-31T12:00:00+14:00", "none"}},
		{"Troll, forward by two hours", "0 30 1,2 * * ? Antarctica/Troll", "2026-03-28T12:00:00Z", []string{"2026-03-29T03:30:00+02:00", "2026-03-29T04:30:00+02:00", "2026-03-30T01:30:00+02:00"}},
		{"Dublin, whose winter time is the exception", "0 30 1 * * ? Europe/Dublin", "2026-10-24T12:00:00Z", []string{"2026-10-25T01:30:00+01:00", "2026-10-26T01:30:00Z"}},
	})
}

func TestNextOfACrontab(t *testing.T) {
	t.Parallel()
	beijing := time.FixedZone("UTC+8", 8*60*60)
	parse := func(expr string) (Plan, error) { return ParseCrontab(expr, beijing) }
	testNext(t, parse, []nextCase{
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
	})
}

// TestNextInALocalZone covers plans without a zone, which go by the node's.
func TestNextInALocalZone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, expr, local, after, want string
	}{
		{"cron, node in New York", "0 0 8 * * ?", "America/New_York", "2026-01-01T00:00:00Z", "2026-01-01T08:00:00-05:00"},
		{"cron, node in Kathmandu", "0 0 8 * * ?", "Asia/Kathmandu", "2026-01-01T00:00:00Z", "2026-01-01T08:00:00+05:45"},
		{"cron, unknown node", "0 0 8 * * ?", "", "2026-01-01T00:00:00Z", "2026-01-01T08:00:00Z"},
		{"cron with a zone, node elsewhere", "0 0 8 * * ? Asia/Tokyo", "America/New_York", "2026-01-01T00:00:00Z", "2026-01-02T08:00:00+09:00"},
		{"at without a zone, node elsewhere", "at(2026-01-01 08:00:00)", "America/New_York", "2026-01-01T00:00:00Z", "2026-01-01T08:00:00Z"},
		{"rate across a change of the clocks", "rate(1d)", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T14:00:00+02:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := Parse(c.expr)
			if err != nil {
				t.Fatal(err)
			}
			after := moment(t, c.after)
			if got := firings(p, after, after, zone(t, c.local), 1)[0]; got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestNextKeepsThePhaseOfARate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, expr, created, after, want string
	}{
		{"at creation", "rate(10m)", "2026-01-01T00:03:00Z", "2026-01-01T00:03:00Z", "2026-01-01T00:13:00Z"},
		{"before creation", "rate(10m)", "2026-01-01T00:03:00Z", "2025-01-01T00:00:00Z", "2026-01-01T00:13:00Z"},
		{"at a firing", "rate(10m)", "2026-01-01T00:03:00Z", "2026-01-01T00:13:00Z", "2026-01-01T00:23:00Z"},
		{"just before a firing", "rate(10m)", "2026-01-01T00:03:00Z", "2026-01-01T00:22:59.999Z", "2026-01-01T00:23:00Z"},
		{"between", "rate(10m)", "2026-01-01T00:03:00Z", "2026-01-01T12:00:00Z", "2026-01-01T12:03:00Z"},
		{"parts of a second, just before", "rate(60s)", "2026-01-01T00:00:00.75Z", "2026-01-01T00:01:00.5Z", "2026-01-01T00:01:00.75Z"},
		{"parts of a second, just after", "rate(60s)", "2026-01-01T00:00:00.75Z", "2026-01-01T00:01:00.8Z", "2026-01-01T00:02:00.75Z"},
		{"longer than a time.Duration", "rate(1d)", "0001-01-01T00:00:00Z", "9999-12-30T12:00:00Z", "9999-12-31T00:00:00Z"},
		{"creation beyond all calendars", "rate(1d)", "-", "2026-01-01T00:00:00Z", "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := Parse(c.expr)
			if err != nil {
				t.Fatal(err)
			}
			created := time.Unix(1<<60, 0)
			if c.created != "-" {
				created = moment(t, c.created)
			}
			if got := firings(p, moment(t, c.after), created, nil, 1)[0]; got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestNextOfOnceAt(t *testing.T) {
	t.Parallel()
	p := OnceAt(moment(t, "2026-06-07T08:09:10.5+08:00"))
	if got, want := p.String(), "at(2026-06-07 00:09:10)"; got != want {
		t.Errorf("String is %q, want %q", got, want)
	}
	start := moment(t, "2026-01-01T00:00:00Z")
	want := []string{"2026-06-07T00:09:10Z", "none"}
	if diff := cmp.Diff(want, firings(p, start, start, zone(t, "Asia/Tokyo"), 3)); diff != "" {
		t.Errorf("firings (-want +got):\n%s", diff)
	}
	again, err := Parse(p.String())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, firings(again, start, start, nil, 3)); diff != "" {
		t.Errorf("firings when parsed again (-want +got):\n%s", diff)
	}
}

func TestZeroPlanNeverFires(t *testing.T) {
	t.Parallel()
	var p Plan
	now := moment(t, "2026-01-01T00:00:00Z")
	if next, ok := p.Next(now, now, nil); ok {
		t.Errorf("it fires at %v", next)
	}
}

// TestNextFromTheEndsOfTime asks about moments that no calendar has.
func TestNextFromTheEndsOfTime(t *testing.T) {
	t.Parallel()
	for _, expr := range []string{"0 0 0 * * ? Europe/Berlin", "rate(5m)", "at(2026-01-01 00:00:00)"} {
		p, err := Parse(expr)
		if err != nil {
			t.Fatal(err)
		}
		if next, ok := p.Next(time.Unix(1<<60, 0), time.Time{}, nil); ok {
			t.Errorf("%s fires after the end of time, at %v", expr, next)
		}
		if next, ok := p.Next(time.Unix(-1<<60, 0), time.Time{}, nil); !ok || next.Year() > 2026 {
			t.Errorf("%s fires at %v, %v when asked from the beginning of time", expr, next, ok)
		}
	}
}
