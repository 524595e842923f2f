package schedule

import (
	"fmt"
	"testing"
	"time"

	"github.com/adhocore/gronx"
	"pgregory.net/rapid"
)

// drawShared draws an expression with seconds that gronx reads as ParseCrontab and, but for the numbers of weekdays, Parse do. Left out is
// where the two differ on purpose:
//
//   - gronx demands both days if one of the day fields begins with */n, as some crons do; here either is enough.
//   - gronx takes an open step of weekdays (3/2) to end on Saturday, where Parse counts to 7, Sunday.
//   - gronx knows neither L alone in day of week nor LW, takes 02030 for a year, and is lenient with ranges that run backwards.
func drawShared(t *rapid.T) []string {
	small := func(lo, hi int) string {
		text, _, _ := drawSet(t, lo, hi, nil)
		return text
	}
	day, weekday := "*", "*"
	n, m := rapid.IntRange(1, 28).Draw(t, "day"), rapid.IntRange(1, 6).Draw(t, "weekday")
	switch rapid.IntRange(0, 5).Draw(t, "kind of day") {
	case 0:
		day = fmt.Sprintf("%d,%d", n, n+2)
	case 1:
		day = fmt.Sprintf("%d-28/%d", n, m)
	case 2:
		day = "L"
	case 3:
		day = fmt.Sprintf("%dW", n)
	}
	switch rapid.IntRange(0, 6).Draw(t, "kind of weekday") {
	case 0:
		weekday = fmt.Sprintf("%d", m)
	case 1:
		weekday = fmt.Sprintf("%d-6", m)
	case 2:
		weekday = fmt.Sprintf("%s,%s", dayNames[m], dayNames[m-1])
	case 3:
		weekday = fmt.Sprintf("%dL", m)
	case 4:
		weekday = fmt.Sprintf("%d#%d", m, 1+n%4)
	}
	return []string{small(0, 59), small(0, 59), small(0, 23), day, small(1, 12), weekday}
}

// TestAgainstGronx compares firings with those of an independent implementation. As its own search gives up early, it is mostly asked
// whether a moment fires.
func TestAgainstGronx(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := drawShared(t)
		five := fmt.Sprintf("%s %s %s %s %s", f[1], f[2], f[3], f[4], f[5])
		six := f[0] + " " + five
		start := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "after"), 0).UTC()
		for _, expr := range []string{five, six} {
			p, err := ParseCrontab(expr, time.UTC)
			if expr == six {
				p, err = Parse(expr) // in the fields that are drawn, 1 to 6 are Monday to Saturday for both
			}
			if err != nil {
				t.Fatal(err)
			}
			after := start
			for range 5 {
				next, ok := p.Next(after, after, nil)
				if !ok {
					t.Fatalf("%s does not fire after %v", expr, after)
				}
				if due, err := gronx.New().IsDue(expr, next); err != nil || !due {
					t.Fatalf("%s fires at %v, but gronx says %v, %v", expr, next, due, err)
				}
				if theirs, err := gronx.NextTickAfter(expr, after, false); err == nil && theirs.Before(next) {
					t.Fatalf("%s fires at %v, but gronx fires at %v", expr, next, theirs)
				}
				between := after.Add(time.Duration(rapid.Int64Range(1, max(1, int64(next.Sub(after)/time.Second)-1)).Draw(t, "between")) * time.Second)
				if due, _ := gronx.New().IsDue(expr, between); due && expr == six && between.Before(next) {
					t.Fatalf("%s fires at %v, but gronx fires at %v", expr, next, between)
				}
				after = next
			}
		}
	})
}
