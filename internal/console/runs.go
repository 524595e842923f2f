package console

import (
	"bytes"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"errand/internal/core"
)

// pageSize is how many rows a listing shows at a time.
const pageSize = 50

// runRow is a run as listings show it.
type runRow struct {
	ID        string
	State     string // overall, as runState has it
	Name      string // what it is called, or its first line
	By        string
	Origin    string
	Tasks     int
	Open      int
	Done      int
	Bar       []segment
	Tallies   []tally
	CreatedAt time.Time
	Took      time.Duration
}

// segment is a stretch of a bar that shows parts of a whole.
type segment struct {
	Tone     string
	X, Width float64 // in percent
	Count    int
}

// tally is how many are in a state.
type tally struct {
	State string
	Count int
}

type runsView struct {
	Query   string
	State   string // all, open or ended
	Runs    []runRow
	Next    string
	Newest  string // the first row's id, by which the page sees that there are newer ones
	New     int    // how many there are
	Problem string // with the query
	Filters []string
}

// shownKinds are what the list of runs is about: what was asked for, whatever it was.
var shownKinds = []core.InvocationKind{core.KindOnce, core.KindStanding, core.KindFile, core.KindPush, core.KindFetch}

func (c *Console) runs(r *request) (answer, error) {
	q := r.URL.Query()
	v := runsView{Query: strings.TrimSpace(q.Get("q")), State: q.Get("state"), Filters: []string{"all", "open", "failed", "mine"}}
	if !slices.Contains(v.Filters, v.State) {
		v.State = "all"
	}
	f := core.InvocationFilter{Kinds: shownKinds}
	switch v.State {
	case "open":
		f.Open = true
	case "failed":
		f.Keep = func(v *core.Invocation) bool { return v.Counts.Open() == 0 && v.Counts.Of(failedStates...) > 0 }
	case "mine":
		f.Principal = r.caller.Principal
	}
	var err error
	if v.Problem, err = c.query(r, v.Query, &f); err != nil {
		return answer{}, err
	}
	spec := core.PageSpec{Limit: pageSize, Token: q.Get("cursor")}
	// What is newer than the page stays out of it, and is only counted: rows do not move under the reader's eyes.
	since, patch := core.ParseID(q.Get("newest"))
	if patch {
		spec.Limit += mostNew
	}
	rows, info, err := c.Service.Invocations(r.Context(), r.caller, f, spec)
	if err != nil {
		return answer{}, err
	}
	if patch {
		v.New = slices.IndexFunc(rows, func(v core.Invocation) bool { return v.ID <= since })
		if v.New < 0 {
			v.New = len(rows)
		}
		rows = rows[v.New:min(v.New+pageSize, len(rows))]
	}
	for i := range rows {
		v.Runs = append(v.Runs, c.row(&rows[i]))
	}
	v.Next = info.Next
	if len(v.Runs) > 0 && spec.Token == "" {
		v.Newest = v.Runs[0].ID
	}
	a := answer{view: "runs", nav: "runs", title: r.t.text("runs.title"), data: v, follow: "types=invocation,task"}
	if v.Problem != "" {
		a.status = statusOf(core.CodeInvalid)
	}
	return a, nil
}

// mostNew is how many new runs are counted; more are as many.
const mostNew = 100

// query reads the words of a filter: by:NAME, node:ID, origin:DIALECT, and a name. It returns what is wrong with it.
func (c *Console) query(r *request, text string, f *core.InvocationFilter) (problem string, err error) {
	var name []string
	for word := range strings.FieldsSeq(text) {
		field, value, ok := strings.Cut(word, ":")
		switch {
		case !ok:
			name = append(name, word)
		case field == "by":
			f.Principal = value
		case field == "origin":
			f.Origin = core.Origin(value)
		case field == "node":
			if f.Nodes, err = c.Service.NodeKeys(r.Context(), r.caller, []string{value}); err != nil {
				return "", err
			}
		default:
			return r.t.text("runs.filter.unknown", field), nil
		}
	}
	f.CommandName = strings.Join(name, " ")
	return "", nil
}

func (c *Console) row(v *core.Invocation) runRow {
	row := runRow{
		ID: v.ID.String(), State: runState(v), Name: runName(v), By: v.Principal, Origin: string(v.Origin), Tasks: v.Counts.Total(), Open: v.Counts.Open(), Done: v.Counts.Total() - v.Counts.Open(),
		Bar: bar(&v.Counts), Tallies: tallies(&v.Counts), CreatedAt: v.CreatedAt, Took: c.took(v),
	}
	return row
}

// took is how long a run lasted, or lasts by now.
func (c *Console) took(v *core.Invocation) time.Duration {
	if v.EndedAt.IsZero() {
		return c.Now().Sub(v.CreatedAt)
	}
	return v.EndedAt.Sub(v.CreatedAt)
}

// runState is the state of a run as a whole.
func runState(v *core.Invocation) string {
	n := &v.Counts
	if g := v.Pacing; g != nil {
		switch shown := g.Shown(); shown {
		case core.PacePaused, core.PaceAborted, core.PaceProbing:
			if n.Open() > 0 || shown == core.PaceAborted {
				return string(shown)
			}
		case core.PaceRunning, core.PaceFinished:
		}
	}
	switch {
	case v.Kind == core.KindStanding && n.Open() > 0:
		return "scheduled"
	case n.Of(core.Running, core.Stopping) > 0:
		return "running"
	case n.Open() > 0 && n.Open() < n.Total():
		return "running"
	case n.Open() > 0:
		return "queued"
	case n.Of(core.Succeeded) == n.Total():
		return "succeeded"
	case n.Of(core.Cancelled, core.Terminated)+n.Of(core.Succeeded) == n.Total():
		return "cancelled"
	}
	return "failed"
}

// maxName is how much of a run's first line stands for its name, in bytes.
const maxName = 120

// runName is what a run is called: its own name, or the first line of its script that says something.
func runName(v *core.Invocation) string {
	if v.Name != "" {
		return v.Name
	}
	if v.File != nil {
		return v.File.Name
	}
	if v.Transfer != nil && v.Transfer.To != nil {
		return v.Transfer.To.Name
	} else if v.Transfer != nil {
		return strings.Join(v.Transfer.Paths, ", ")
	}
	for line := range bytes.Lines(v.Content) {
		text := strings.TrimSpace(strings.ToValidUTF8(string(line), "\uFFFD"))
		if text == "" || strings.HasPrefix(text, "#!") {
			continue
		}
		if len(text) > maxName {
			cut := maxName
			for !utf8.RuneStart(text[cut]) {
				cut--
			}
			text = text[:cut] + "…"
		}
		return text
	}
	return v.ID.String()
}

// bar shows the parts of a run's tasks.
func bar(n *core.Counts) []segment {
	total := n.Total()
	if total == 0 {
		return nil
	}
	var by [6]int
	for s, count := range n {
		by[slices.Index(tones, toneOf(core.State(s)))] += int(count)
	}
	var list []segment
	at := 0.0
	for i, count := range by {
		if count == 0 {
			continue
		}
		width := 100 * float64(count) / float64(total)
		list = append(list, segment{Tone: tones[i], X: at, Width: width, Count: count})
		at += width
	}
	return list
}

// tallies are the states that some tasks are in, ends first.
func tallies(n *core.Counts) []tally {
	var list []tally
	for _, tone := range tones {
		for s, count := range n {
			if count > 0 && toneOf(core.State(s)) == tone {
				list = append(list, tally{core.State(s).String(), int(count)})
			}
		}
	}
	return list
}
