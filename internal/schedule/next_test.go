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
	p, err := Parse("rate(1d)")
	if err != nil {
		t.Fatal(err)
	}
	if next, ok := p.Next(moment(t, "2026-01-01T00:00:00Z"), time.Unix(1<<60, 0), nil); ok {
		t.Errorf("created after the end of time, it fires at %v", next)
	}
}
