package schedule

import (
	"errors"
	"strings"
	"testing"
	"time"
)

type refusal struct {
	name, expr string
	kind       error
	field      string
}

func testRefused(t *testing.T, parse func(string) (Plan, error), cases []refusal) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := parse(c.expr)
			var refused *Error
			if !errors.As(err, &refused) || !errors.Is(err, c.kind) || refused.Field != c.field {
				t.Fatalf("%q: got %v, want %v in %q", c.expr, err, c.kind, c.field)
			}
			if p != (Plan{}) {
				t.Errorf("a refused plan is %v", p)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	testRefused(t, Parse, []refusal{
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

		{"two leading zeros", "0 15 008 ? * *", ErrSyntax, "hour"},
		{"leading zeros of nothing", "000 15 8 ? * *", ErrSyntax, "second"},
		{"leading zero of a year", "0 0 12 1 1 ? 02030", ErrSyntax, "year"},
		{"plus sign", "0 +5 12 * * ?", ErrSyntax, "minute"},
		{"hexadecimal", "0 0x5 12 * * ?", ErrSyntax, "minute"},
		{"endless number", "0 99999999999999999999 12 * * ?", ErrSyntax, "minute"},

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

		{"empty list item at the end", "0 0 9, * * ?", ErrSyntax, "hour"},
		{"empty list item at the beginning", "0 ,5 9 * * ?", ErrSyntax, "minute"},
		{"empty list item in the middle", "0 0 9 1,,5 * ?", ErrSyntax, "day of month"},
		{"only a comma", "0 0 9 ? * ,", ErrSyntax, "day of week"},
		{"blank in a list", "0 0 9, 10 * * ?", ErrSyntax, "hour"},

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

		{"30 February", "0 0 0 30 2 ?", ErrRange, "day of month"},
		{"30 and 31 February", "0 0 0 30,31 FEB ?", ErrRange, "day of month"},
		{"30 February, with a weekday", "0 0 0 30 2 MON", ErrRange, "day of month"},
		{"31st of the short months", "0 0 0 31 2,4,6,9,11 ?", ErrRange, "day of month"},
		{"31W of a short month", "0 0 0 31W 4 ?", ErrRange, "day of month"},
		{"leap day in years without", "0 0 0 29 2 ? 2026-2027", ErrRange, "day of month"},
		{"fifth Monday of a February without", "0 0 0 ? 2 MON#5 2028", ErrRange, "day of week"},

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
	})
}

func TestParseCrontabRefuses(t *testing.T) {
	t.Parallel()
	testRefused(t, func(expr string) (Plan, error) { return ParseCrontab(expr, time.UTC) }, []refusal{
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
	})
}

func TestErrorSpeaksToPeople(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ expr, want string }{
		{"0 0 9-7 * * ?", `schedule "0 0 9-7 * * ?": hour: "9-7" runs backwards`},
		{"0 0 12 30 2 ?", `schedule "0 0 12 30 2 ?": day of month: none of the months and years has such a day`},
		{"0 0 12 * *", `schedule "0 0 12 * *": it has 5 fields instead of 6 to 8`},
		{"every day\x1b[31m", `schedule "every day\x1b[31m": byte 9 is not printable ASCII`},
	} {
		if _, err := Parse(c.expr); err == nil || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
	if _, err := Parse(strings.Repeat("0", 1<<20)); err == nil || len(err.Error()) > 1000 {
		t.Errorf("a very long expression is echoed whole")
	}
}

func TestPlanRemembers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		expr     string
		kind     Kind
		word     string
		zone     string
		interval time.Duration
	}{
		{"0  15 8 ? * mon", Cron, "cron", "", 0},
		{"0 15 8 ? * MON Europe/Berlin", Cron, "cron", "Europe/Berlin", 0},
		{"0 15 8 ? * MON 2030 GMT+8:00", Cron, "cron", "GMT+8:00", 0},
		{"0 15 8 ? * MON GMT", Cron, "cron", "UTC", 0},
		{"rate( 5 m )", Rate, "rate", "", 5 * time.Minute},
		{"at(2030-01-31 08:00:00)", At, "at", "UTC", 0},
		{"at(2030-01-31 08:00:00 Asia/Tokyo)", At, "at", "Asia/Tokyo", 0},
	} {
		p, err := Parse(c.expr)
		if err != nil {
			t.Fatal(err)
		}
		zone := ""
		if p.Zone() != nil {
			zone = p.Zone().String()
		}
		if p.String() != c.expr || p.Kind() != c.kind || p.Kind().String() != c.word || zone != c.zone || p.Interval() != c.interval {
			t.Errorf("%q: got %q, %v, zone %q, interval %v", c.expr, p, p.Kind(), zone, p.Interval())
		}
	}
	if got, want := Kind(0).String(), "Kind(0)"; got != want {
		t.Errorf("no kind is %q, want %q", got, want)
	}
}
