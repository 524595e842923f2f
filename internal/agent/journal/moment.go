package journal

import "time"

// Moment is a point in time that can be compared with a later one although the clock was set meanwhile.
type Moment struct {
	Wall   time.Time
	Boot   string        // identifies the run of the machine; empty if unknown
	Uptime time.Duration // since that run began, time asleep included
}

// Since returns how long ago an earlier moment was. Between two runs of the machine only the wall clock can tell, and
// the answer is never negative.
func (m Moment) Since(earlier Moment) time.Duration {
	if m.Boot != "" && m.Boot == earlier.Boot {
		return max(0, m.Uptime-earlier.Uptime)
	}
	return max(0, m.Wall.Round(0).Sub(earlier.Wall.Round(0)))
}
