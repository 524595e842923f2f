package schedule

import (
	"errors"
	"math"
	"testing"
	"time"
)

func TestMinGap(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, c := range []struct {
		name, expr string
		want       time.Duration
	}{
		{"rate", "rate(5m)", 5 * time.Minute},
		{"at", "at(2030-01-31 08:00:00)", math.MaxInt64},
		{"every second", "* * * * * ?", time.Second},
		{"every 10 seconds", "*/10 * * * * ?", 10 * time.Second},
		{"every 25 seconds, 10 at the turn of the minute", "*/25 * * * * ?", 10 * time.Second},
		{"list of seconds", "0,30,37 * * * * ?", 7 * time.Second},
		{"two seconds of some minutes", "5,55 */2 * * * ?", 50 * time.Second},
		{"the turn of the minute is not reached", "5,55 0 * * * ?", 50 * time.Second},
		{"every minute", "0 * * * * ?", time.Minute},
		{"every 7 minutes, 4 at the turn of the hour", "0 */7 * * * ?", 4 * time.Minute},
		{"every 7 minutes of one hour", "0 */7 3 * * ?", 7 * time.Minute},
		{"hourly", "0 30 * * * ?", time.Hour},
		{"minutes of far hours", "0 10,50 2,14 * * ?", 40 * time.Minute},
		{"over midnight", "0 0 1,23 * * ?", 2 * time.Hour},
		{"over midnight, not every day", "0 0 1,23 ? * MON", 22 * time.Hour},
		{"daily", "0 0 12 * * ?", day},
		{"weekly", "0 0 12 ? * MON", 7 * day},
		{"working days", "0 0 12 ? * MON-FRI", day},
		{"monthly, over February", "0 0 12 15 * ?", 28 * day},
		{"last day of the month", "0 0 12 L * ?", 28 * day},
		{"the 31st", "0 0 12 31 * ?", 31 * day},
		{"the 1st or Monday", "0 0 12 1 * MON", day},
		{"yearly", "0 0 12 1 1 ?", 365 * day},
		{"leap day", "0 0 12 29 2 ?", (4*365 + 1) * day},
		{"two years of one date", "0 0 12 1 1 ? 2027,2029", (365 + 366) * day},
		{"one date", "0 0 12 1 1 ? 2030", math.MaxInt64},
		{"one date, two hours", "0 0 12,15 1 1 ? 2030", 3 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := Parse(c.expr)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.MinGap(); got != c.want {
				t.Errorf("%s: got %v, want %v", c.expr, got, c.want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	now := moment(t, "2026-01-01T00:00:00Z")
	for _, c := range []struct {
		name, expr string
		timeout    time.Duration
		local      string
		want       error
	}{
		{"shortest rate", "rate(60s)", 59 * time.Second, "", nil},
		{"rate too short", "rate(59s)", time.Second, "", ErrTooOften},
		{"rate as long as the timeout", "rate(60s)", time.Minute, "", ErrTooOften},
		{"rate shorter than the timeout", "rate(1h)", 2 * time.Hour, "", ErrTooOften},
		{"longest rate", "rate(7d)", time.Minute, "", nil},
		{"rate too long", "rate(604801s)", time.Minute, "", ErrRange},
		{"shortest cron", "*/10 * * * * ?", 10 * time.Second, "", nil},
		{"cron too short", "*/9 * * * * ?", time.Second, "", ErrTooOften},
		{"cron too short once a minute", "*/25,55 * * * * ?", time.Second, "", ErrTooOften},
		{"cron as long as the timeout", "0 * * * * ?", time.Minute, "", nil},
		{"cron shorter than the timeout", "0 * * * * ?", 61 * time.Second, "", ErrTooOften},
		{"cron, daily, with a timeout of a day", "0 0 12 * * ?", day, "", nil},
		{"cron in the past", "0 0 12 * * ? 2025", time.Minute, "", ErrExpired},
		{"cron on the last day of the past", "0 0 0 1 1 ? 2026", time.Minute, "", ErrExpired},
		{"the same, where it is still that day", "0 0 0 1 1 ? 2026", time.Minute, "America/New_York", nil},
		{"cron in the future", "0 0 12 * * ? 2026", time.Minute, "", nil},
		{"at in the past", "at(2025-12-31 23:59:59)", time.Minute, "", ErrExpired},
		{"at now", "at(2026-01-01 00:00:00)", time.Minute, "", ErrExpired},
		{"at in the future", "at(2026-01-01 00:00:01)", day, "", nil},
		{"at in the past by its zone", "at(2026-01-01 07:00:00 Asia/Shanghai)", time.Minute, "", ErrExpired},
		{"at in the future by its zone", "at(2025-12-31 20:00:00 America/New_York)", time.Minute, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := Parse(c.expr)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Check(now, c.timeout, zone(t, c.local)); !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", c.expr, err, c.want)
			}
		})
	}
	if err := (Plan{}).Check(now, 0, nil); !errors.Is(err, ErrExpired) {
		t.Errorf("no plan: got %v, want %v", err, ErrExpired)
	}
}

func TestCheckSpeaksToPeople(t *testing.T) {
	t.Parallel()
	p, err := Parse("rate(60s)")
	if err != nil {
		t.Fatal(err)
	}
	err = p.Check(moment(t, "2026-01-01T00:00:00Z"), time.Minute, nil)
	if want := `schedule "rate(60s)": the interval has to be longer than the timeout of 1m0s`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestCrontab(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, expr, want string }{
		{"already there", "0 15 10 * * ? GMT+8:00", "15 10 * * *"},
		{"a zone that is always there", "0 15 10 * * ? Asia/Shanghai", "15 10 * * *"},
		{"everything of the fields", "0 */5,7 9-17 1,15W FEB-APR,12 4#2,SUN Asia/Shanghai", "0,5,7,10,15,20,25,30,35,40,45,50,55 9-17 1,15W 2-4,12 0,4#2"},
		{"steps", "0 */5 */6 ? * */3 Asia/Shanghai", "*/5 */6 * * 0,1,4"},
		{"L", "0 0 0 L * ? Asia/Shanghai", "0 0 L * *"},
		{"LW", "0 0 0 LW * ? Asia/Shanghai", "0 0 LW * *"},
		{"last Sunday", "0 0 0 ? * 7L Asia/Shanghai", "0 0 * * 0L"},
		{"a full day field stays restricted", "0 0 0 1-31 * 1-7 Asia/Shanghai", "0 0 1-31 * 0-6"},
		{"a step of days is no star", "0 0 0 */2 * ? Asia/Shanghai", "0 0 1-31/2 * *"},
		{"UTC, same day", "0 30 2 15 * ? UTC", "30 10 15 * *"},
		{"UTC, every day, next day", "0 30 20 * * ? UTC", "30 4 * * *"},
		{"UTC, every day, both days", "0 30 6,20 * * ? UTC", "30 4,14 * * *"},
		{"UTC, weekday, next day", "0 0 20 ? * SAT,SUN UTC", "0 4 * * 0,1"},
		{"Tokyo, weekday, day before", "0 30 0 ? * MON Asia/Tokyo", "30 23 * * 0"},
		{"half an hour", "0 15 10 1 * ? Asia/Kolkata", "45 12 1 * *"},
		{"half an hour over the hour", "0 45 10 1 * ? Asia/Kolkata", "15 13 1 * *"},
		{"half an hour, every hour", "0 0 * * * ? Asia/Kolkata", "30 * * * *"},
		{"quarter of an hour, every minute", "0 * * * * ? GMT+5:45", "* * * * *"},

		{"half an hour, hours torn apart", "0 0,30,45 10 1 * ? Asia/Kolkata", ""},
		{"day of month, next day", "0 30 20 15 * ? UTC", ""},
		{"month, next day", "0 30 20 ? 2 MON UTC", ""},
		{"every day of a month, next day", "0 30 20 * 2 ? UTC", ""},
		{"weekday, both days", "0 0 6,20 ? * MON UTC", ""},
		{"last weekday, next day", "0 0 20 ? * 5L UTC", ""},
		{"second Thursday, next day", "0 0 20 ? * 4#2 UTC", ""},
		{"seconds", "30 15 10 * * ? Asia/Shanghai", ""},
		{"many seconds", "*/30 15 10 * * ? Asia/Shanghai", ""},
		{"year", "0 15 10 * * ? 2030 Asia/Shanghai", ""},
		{"the node's own zone", "0 15 10 * * ?", ""},
		{"clocks that change", "0 15 10 * * ? Europe/Berlin", ""},
		{"rate", "rate(1d)", ""},
		{"at", "at(2030-01-31 08:00:00)", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := Parse(c.expr)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := p.Crontab()
			if got != c.want || ok != (c.want != "") {
				t.Fatalf("%s: got %q, %v, want %q", c.expr, got, ok, c.want)
			}
			if ok {
				sameFirings(t, p, got, moment(t, "2026-01-01T00:00:00Z"))
			}
		})
	}
}

// sameFirings fails unless a plan and a crontab in UTC+8 fire at the same moments.
func sameFirings(t testing.TB, p Plan, crontab string, after time.Time) {
	t.Helper()
	again, err := ParseCrontab(crontab, time.FixedZone("UTC+8", beijing*60))
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		want, wantOK := p.Next(after, after, nil)
		got, ok := again.Next(after, after, nil)
		if ok != wantOK || !got.Equal(want) {
			t.Fatalf("%s after %v: got %v, %v; %s fires at %v, %v", crontab, after, got, ok, p, want, wantOK)
		}
		if !ok {
			return
		}
		after = want
	}
}
