package schedule

import (
	"archive/zip"
	"io"
	"maps"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// database returns all zones of the database that is linked into the program, which Go's installation holds as a file too.
func database(t *testing.T) map[string]*time.Location {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	r, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	zones := map[string]*time.Location{}
	for _, f := range r.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		content, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		if zones[f.Name], err = time.LoadLocationFromTZData(f.Name, data); err != nil {
			t.Fatal(err)
		}
	}
	if len(zones) < 500 {
		t.Fatalf("only %d zones", len(zones))
	}
	return zones
}

// changes returns the moments from 1970 to 2040 at which a zone's clocks are changed.
func changes(zone *time.Location) (at []time.Time) {
	for t := time.Unix(0, 0).In(zone); t.Year() < 2040; {
		_, end := t.ZoneBounds()
		if end.IsZero() {
			return at
		}
		if !end.After(t) { // package time ends a year after 365 days
			t = t.AddDate(0, 0, 1)
			continue
		}
		at = append(at, end)
		t = end
	}
	return at
}

// TestNextInAllZones asks around some changes of the clocks of each zone: what comes next is later, and a match by the wall or late by what
// the clock skipped.
func TestNextInAllZones(t *testing.T) {
	t.Parallel()
	plans := plansOf(t, "0 30 2 * * ?", "0 0 0 * * ?", "0 15 * * * ?", "0 0 */2 * * ?", "30 45 0-3,23 ? * *", "0 0 12 L * ?")
	random := rand.New(rand.NewPCG(4, 1970)) // the same cases each time
	const each = 5
	zones, asked := database(t), 0
	for _, name := range slices.Sorted(maps.Keys(zones)) {
		zone := zones[name]
		all := changes(zone)
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, change := range all[:min(each, len(all))] {
			for _, p := range plans {
				after := change.Add(-4 * time.Hour)
				for range 6 {
					next, ok := p.Next(after, after, zone)
					if !ok || !next.After(after) {
						t.Fatalf("%s: %s: after %v comes %v, %v", name, p, after.In(zone), next, ok)
					}
					if !shown(p.cron, next, zone) {
						t.Fatalf("%s: %s fires at %v", name, p, next)
					}
					after = next
					asked++
				}
			}
		}
	}
	t.Logf("%d zones, %d questions", len(zones), asked)
}

func plansOf(t *testing.T, exprs ...string) (plans []Plan) {
	t.Helper()
	for _, expr := range exprs {
		p, err := Parse(expr)
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, p)
	}
	return plans
}

// shown reports whether the clock on the wall matches a calendar, or did by the time before the last change, which is less than two days ago.
func shown(c *calendar, at time.Time, zone *time.Location) bool {
	if c.matches(wallOf(at, zone)) {
		return true
	}
	start, _ := at.In(zone).ZoneBounds()
	return at.Sub(start) < 48*time.Hour && c.matches(at.UTC().Add(offsetIn(start.Add(-time.Second), zone)))
}

func (c *calendar) matches(wall time.Time) bool {
	return c.dates(wall.Year(), wall.Month())>>wall.Day()&1 != 0 && c.hours>>wall.Hour()&1 != 0 && c.minutes>>wall.Minute()&1 != 0 &&
		c.seconds>>wall.Second()&1 != 0
}

func offsetIn(at time.Time, zone *time.Location) time.Duration {
	_, seconds := at.In(zone).Zone()
	return time.Duration(seconds) * time.Second
}

// wallOf is what the clock shows, as a time in UTC.
func wallOf(at time.Time, zone *time.Location) time.Time { return at.UTC().Add(offsetIn(at, zone)) }

// TestNothingIsPassedOver looks at every second, for a while, between a moment and what Next says comes after it, near one change of the
// clocks of each zone and at any time of any year: unless the clock shows that hour a second time, none matches.
func TestNothingIsPassedOver(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(4, 1970)) // the same cases each time
	plans := plansOf(t, "*/20 7 * * * ?", "3,33 */9 */3 * * ?", "0 40 1,2 * * ?", "15 0 0-23/4 ? * MON-FRI", "0 30 2 * * ?", "59 59 23 L * ?")
	const stretch = 15 * time.Minute
	zones, seconds := database(t), 0
	for _, name := range slices.Sorted(maps.Keys(zones)) {
		zone := zones[name]
		moments := []time.Time{time.Unix(random.Int64N(4e9), 0)}
		if c := changes(zone); len(c) > 0 {
			moments = append(moments, c[random.IntN(len(c))].Add(time.Duration(random.IntN(7200)-3600)*time.Second))
		}
		for _, after := range moments {
			p := plans[random.IntN(len(plans))]
			next, ok := p.Next(after, after, zone)
			if !ok {
				t.Fatalf("%s: %s: nothing after %v", name, p, after)
			}
			for at := after.Add(time.Second); at.Before(next) && at.Before(after.Add(stretch)); at = at.Add(time.Second) {
				seconds++
				if p.cron.matches(wallOf(at, zone)) && !again(at, zone) {
					t.Fatalf("%s: %s: after %v comes %v, but %v matches", name, p, after.In(zone), next, at.In(zone))
				}
			}
		}
	}
	t.Logf("%d seconds looked at", seconds)
}

// again reports whether the clock on the wall showed the same time before.
func again(at time.Time, zone *time.Location) bool {
	start, _ := at.In(zone).ZoneBounds()
	if start.IsZero() {
		return false
	}
	back := offsetIn(start.Add(-time.Second), zone) - offsetIn(start, zone)
	return back > 0 && at.Sub(start) < back
}
