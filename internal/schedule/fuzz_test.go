package schedule

import (
	"testing"
	"time"
)

// checkPlan holds for whatever a stranger wrote: later firings come later, and none takes long.
func checkPlan(t *testing.T, p Plan, again Plan) {
	t.Helper()
	created := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	local := time.FixedZone("here", -3*60*60-30*60)
	after := created
	for range 5 {
		next, ok := p.Next(after, created, local)
		same, sameOK := again.Next(after, created, local)
		if ok != sameOK || !next.Equal(same) {
			t.Fatalf("%q after %v: %v, %v, but parsed again %v, %v", p, after, next, ok, same, sameOK)
		}
		if !ok {
			break
		}
		if !next.After(after) {
			t.Fatalf("%q: after %v comes %v", p, after, next)
		}
		after = next
	}
	if gap := p.MinGap(); gap <= 0 {
		t.Fatalf("%q: the smallest gap is %v", p, gap)
	}
	if err := p.Check(created, time.Minute, local); err != nil && err.Error() == "" {
		t.Fatalf("%q is refused without a word", p)
	}
	if crontab, ok := p.Crontab(); ok {
		sameFirings(t, p, crontab, created)
	}
}

func FuzzParse(f *testing.F) {
	for _, expr := range []string{
		"* * * * * ?", "0 15 10 ? * 6L", "0 0/5 14,18 * * ?", "0 0 9-17 LW JAN-DEC ? 2030/2 GMT+8:00", "0 0 0 29 2 ? Europe/Berlin",
		"0 0 0 15W * 4#2 * America/New_York", "0 0 9-7 * * ?", "0 0 0 ? FEB MON#5 Asia/Shanghai", "rate(5m)", "RATE (1000 D)",
		"at(2030-01-31 08:00:00)", "at(2026-03-29T02:30:00 Europe/Berlin)", "0 0 0 30 2 MON 2026 UTC", "0 */30 20 ? * SUN,1-3/2 GMT-3:30",
	} {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		p, err := Parse(expr)
		if err != nil {
			return
		}
		again, err := Parse(p.String())
		if err != nil {
			t.Fatalf("%q is understood only once: %v", expr, err)
		}
		checkPlan(t, p, again)
	})
}

func FuzzParseCrontab(f *testing.F) {
	for _, expr := range []string{"0 0 1 * *", "*/5 9-17 * * 1-5", "0 0 13 * FRI-SUN", "15,45 0/6 L 2,JUL ?", "0 0 ? * 7#5", "0 0 31 2 *", "* * 1W * 0L"} {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		zone := time.FixedZone("UTC+8", beijing*60)
		p, err := ParseCrontab(expr, zone)
		if err != nil {
			return
		}
		again, err := ParseCrontab(p.String(), zone)
		if err != nil {
			t.Fatalf("%q is understood only once: %v", expr, err)
		}
		checkPlan(t, p, again)
		if crontab, ok := p.Crontab(); !ok {
			t.Fatalf("%q in UTC+8 is no crontab in UTC+8", expr)
		} else {
			sameFirings(t, p, crontab, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		}
	})
}
