package schedule

import (
	"strings"
	"testing"
	"time"
)

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
