package console

import (
	"slices"
	"time"

	"errand/internal/core"
)

type timelineView struct {
	Bars       []percentileBar
	Phases     []string
	Stragglers []straggler
	Total      int
	Open       int
	Scale      []tick
}

// percentileBar shows when so many percent of the tasks had come to each milestone.
type percentileBar struct {
	Percent int // 100 is the slowest
	Steps   []step
}

// step is the stretch of a bar that leads to a milestone.
type step struct {
	Name     string
	X, Width float64 // in percent of the longest bar
	At       time.Duration
	Tasks    int // that came to it
}

type tick struct {
	X  float64
	At time.Duration
}

type straggler struct {
	taskRow
	At time.Duration // from the run's beginning to the task's end, or to now
}

// percentiles are those that the bars are for.
var percentiles = []int{50, 95, 99, 100}

// milestones are those that most tasks have, in their order.
var milestones = []string{"released", "sent", "received", "started", "ended"}

// mostStragglers is how many of the slowest tasks are named.
const mostStragglers = 10

// timeline makes the picture of when a run's tasks came how far. All times count from the run's beginning.
func (c *Console) timeline(r *request, v *core.Invocation) (timelineView, error) {
	marks, err := c.marks(r, v)
	if err != nil {
		return timelineView{}, err
	}
	out := timelineView{Total: len(marks), Open: v.Counts.Open()}
	offsets := make([][]time.Duration, len(milestones))
	type late struct {
		index uint32
		at    time.Duration
	}
	var slow []late
	for i := range marks {
		m := &marks[i]
		for j, at := range []time.Time{m.ReleasedAt, m.SentAt, m.ReceivedAt, m.StartedAt, m.EndedAt} {
			if !at.IsZero() {
				offsets[j] = append(offsets[j], max(0, at.Sub(v.CreatedAt)))
			}
		}
		end := m.EndedAt
		if end.IsZero() {
			end = c.Now()
		}
		slow = append(slow, late{m.Index, end.Sub(v.CreatedAt)})
	}
	longest := time.Millisecond
	for j := range offsets {
		slices.Sort(offsets[j])
		if n := len(offsets[j]); n > 0 {
			longest = max(longest, offsets[j][n-1])
		}
	}
	for j, name := range milestones {
		if len(offsets[j]) > 0 {
			out.Phases = append(out.Phases, name)
		}
	}
	for _, percent := range percentiles {
		bar := percentileBar{Percent: percent}
		x := 0.0
		for j, name := range milestones {
			if len(offsets[j]) == 0 {
				continue
			}
			at := percentile(offsets[j], percent)
			end := max(x, 100*float64(at)/float64(longest))
			bar.Steps = append(bar.Steps, step{Name: name, X: x, Width: end - x, At: at, Tasks: len(offsets[j])})
			x = end
		}
		out.Bars = append(out.Bars, bar)
	}
	for i := range 5 {
		out.Scale = append(out.Scale, tick{X: float64(i) * 25, At: longest * time.Duration(i) / 4})
	}
	slices.SortFunc(slow, func(a, b late) int { return int(b.at - a.at) })
	slow = slow[:min(len(slow), mostStragglers)]
	ids := make([]core.TaskID, len(slow))
	at := map[string]time.Duration{}
	for i, l := range slow {
		ids[i] = core.TaskID{Invocation: v.ID, Index: l.index}
		at[ids[i].String()] = l.at
	}
	if len(ids) == 0 {
		return out, nil
	}
	rows, _, err := c.tasks(r, core.TaskFilter{IDs: ids}, len(ids), "")
	if err != nil {
		return out, err
	}
	for _, row := range rows {
		out.Stragglers = append(out.Stragglers, straggler{row, at[row.ID]})
	}
	slices.SortFunc(out.Stragglers, func(a, b straggler) int { return int(b.At - a.At) })
	return out, nil
}

// percentile is the value below or at which so many percent of sorted values are.
func percentile(sorted []time.Duration, percent int) time.Duration {
	i := (len(sorted)*percent + 99) / 100
	return sorted[max(i, 1)-1]
}
