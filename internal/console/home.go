package console

import (
	"time"

	"errand/internal/core"
)

type homeView struct {
	Nodes, Online, Offline int
	Running                []runRow
	Attention              []runRow  // failed within the last day
	Lost                   []nodeRow // went away within the last hour
	Hours                  []hour
	Today, Failed          int
	Agents                 []share
}

// hour is one column of the day's activity.
type hour struct {
	X, Y, Height, BadY, BadHeight float64
	Runs, Bad                     int
	At                            time.Time
}

// share is how many have something in common.
type share struct {
	Name  string
	Count int
}

// The page looks at so much of what there is, so that it costs the same whatever there is.
const (
	homeRuns  = 500
	homeShown = 8
	homeNodes = 1000
)

func (c *Console) home(r *request) (answer, error) {
	v := homeView{}
	ctx, now := r.Context(), c.Now()
	rows, _, err := c.Service.Invocations(ctx, r.caller, core.InvocationFilter{Kinds: shownKinds}, core.PageSpec{Limit: homeRuns})
	if err != nil {
		return answer{}, err
	}
	v.activity(rows, now)
	for i := range rows {
		state := runState(&rows[i])
		switch {
		case state == "paused" && len(v.Attention) < homeShown:
			v.Attention = append(v.Attention, c.row(&rows[i]))
		case (state == "failed" || state == "aborted") && now.Sub(rows[i].CreatedAt) < 24*time.Hour && len(v.Attention) < homeShown:
			v.Attention = append(v.Attention, c.row(&rows[i]))
		case (state == "running" || state == "queued") && len(v.Running) < homeShown:
			v.Running = append(v.Running, c.row(&rows[i]))
		}
	}
	if v.Nodes, err = c.count(r, false); err != nil {
		return answer{}, err
	}
	if v.Online, err = c.count(r, true); err != nil {
		return answer{}, err
	}
	v.Offline = v.Nodes - v.Online
	away := false
	gone, _, err := c.Service.Nodes(ctx, r.caller, core.NodeFilter{Online: &away}, core.PageSpec{Limit: homeNodes})
	if err != nil {
		return answer{}, err
	}
	for i := range gone {
		if !gone[i].LastSeen.IsZero() && now.Sub(gone[i].LastSeen) < time.Hour && len(v.Lost) < homeShown {
			v.Lost = append(v.Lost, c.nodeRow(&gone[i]))
		}
	}
	return answer{view: "home", nav: "home", title: r.t.text("home.title"), data: v, follow: "types=invocation,task,node"}, nil
}

// activity counts the runs of the last 24 hours by the hour.
func (v *homeView) activity(rows []core.Invocation, now time.Time) {
	const hours, width, height = 24, 100.0 / 24, 40.0
	v.Hours = make([]hour, hours)
	first := now.Truncate(time.Hour).Add(-(hours - 1) * time.Hour)
	most := 1
	for i := range v.Hours {
		v.Hours[i].At = first.Add(time.Duration(i) * time.Hour)
	}
	for i := range rows {
		at := int(rows[i].CreatedAt.Sub(first) / time.Hour)
		if rows[i].CreatedAt.Before(first) || at >= hours {
			continue
		}
		h := &v.Hours[at]
		h.Runs++
		v.Today++
		if runState(&rows[i]) == "failed" {
			h.Bad++
			v.Failed++
		}
		most = max(most, h.Runs)
	}
	for i := range v.Hours {
		h := &v.Hours[i]
		h.X = float64(i) * width
		h.Height = height * float64(h.Runs) / float64(most)
		h.Y = height - h.Height
		h.BadHeight = height * float64(h.Bad) / float64(most)
		h.BadY = height - h.BadHeight
	}
}
