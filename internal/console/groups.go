package console

import (
	"errand/internal/core"
	"errand/internal/linediff"
)

// mostGroups is how many groups the page of a run shows.
const mostGroups = 20

type groupsView struct {
	Groups  []groupCard
	Total   int // groups there are
	Open    int
	Compare bool // there is one to compare the others with
}

// groupCard is nodes that ended in the same way and printed the same.
type groupCard struct {
	Key, State, Cause string
	Exited            bool
	ExitCode          int32
	Signal            uint8
	Count             int
	Nodes             string // folded
	More              int    // names that are not in it
	Sample            string // a task
	Lines             [][]span
	Bytes             uint64
	Cut               bool // the output is longer than what is shown
	Reference         bool
	Failed            bool
}

// groups are the largest groups of a run, made ready once for all who look at it. Whether a reader may see them is asked for each.
func (c *Console) groups(r *request, of *core.Invocation) (groupsView, error) {
	if err := c.mayListTasks(r, of.ID); err != nil {
		return groupsView{}, err
	}
	return c.grouped.get(of, c.Now(), func() (groupsView, error) { return c.readGroups(r, of.ID) })
}

func (c *Console) readGroups(r *request, id core.ID) (groupsView, error) {
	all, _, err := c.Service.Results(r.Context(), r.caller, id, core.Merged, core.PageSpec{Limit: mostGroups})
	if err != nil {
		return groupsView{}, err
	}
	v := groupsView{Total: all.Total, Open: all.Open}
	for i := range all.Groups {
		g := &all.Groups[i]
		card := groupCard{
			Key: g.String(), State: g.State.String(), Cause: g.Cause.String(), Exited: g.Exited, ExitCode: g.ExitCode, Signal: g.Signal, Count: g.Tasks,
			Sample: g.Sample.String(), Lines: paintAll(g.Head), Bytes: g.Bytes, Cut: g.Bytes > uint64(len(g.Head)), Reference: g.Reference,
			Failed: toneOf(g.State) == "bad" || toneOf(g.State) == "lost",
		}
		card.Nodes, card.More = g.Folded(mostFolded)
		v.Compare = v.Compare || g.Reference
		v.Groups = append(v.Groups, card)
	}
	return v, nil
}

// paintAll paints a piece of output.
func paintAll(b []byte) [][]span {
	var s style
	var painted [][]span
	for _, line := range splitLines(b) {
		painted = append(painted, s.paint(line))
	}
	return painted
}

type diffView struct {
	Run, Name   string
	Mine, Other groupCard
	Hunks       []diffHunk
	Truncated   bool
	Same        bool
}

type diffHunk struct {
	Stream             string
	OldStart, NewStart int
	Lines              []diffLine
}

type diffLine struct {
	Op, Tone string // tone: "ok" for a line of the reference, "bad" for one that differs from it
	Text     string
	Old, New int // numbers; 0 for none
}

// diff shows how the output of a group differs from that of the largest good one, or of another that is named.
func (c *Console) diff(r *request) (answer, error) {
	v, err := c.invocation(r)
	if err != nil {
		return answer{}, err
	}
	key, ok := core.ParseGroupKey(r.URL.Query().Get("group"))
	if !ok {
		return answer{}, &core.Error{Code: core.CodeNotFound, Detail: r.URL.Query().Get("group")}
	}
	var against *core.GroupKey
	if text := r.URL.Query().Get("against"); text != "" {
		other, ok := core.ParseGroupKey(text)
		if !ok {
			return answer{}, &core.Error{Code: core.CodeNotFound, Detail: text}
		}
		against = &other
	}
	cmp, err := c.Service.Compare(r.Context(), r.caller, v.ID, key, against)
	if err != nil {
		return answer{}, err
	}
	d := diffView{Run: v.ID.String(), Name: runName(&v), Truncated: cmp.Truncated, Same: len(cmp.Hunks) == 0}
	groups, err := c.groups(r, &v)
	if err != nil {
		return answer{}, err
	}
	d.Mine, d.Other = groupCard{Key: key.String(), State: key.State.String()}, groupCard{Key: cmp.Against.String(), State: cmp.Against.State.String()}
	for _, g := range groups.Groups {
		switch g.Key {
		case d.Mine.Key:
			d.Mine = g
		case d.Other.Key:
			d.Other = g
		}
	}
	for _, h := range cmp.Hunks {
		d.Hunks = append(d.Hunks, showHunk(h))
	}
	return answer{view: "diff", nav: "runs", title: r.t.text("diff.title"), data: d}, nil
}

func showHunk(h core.StreamHunk) diffHunk {
	out := diffHunk{Stream: streamName(h.Stream), OldStart: h.OldStart, NewStart: h.NewStart}
	before, after := h.OldStart, h.NewStart
	for _, l := range h.Lines {
		line := diffLine{Op: string(rune(l.Op)), Text: plain(l.Text)}
		switch l.Op {
		case linediff.Same:
			line.Old, line.New = before, after
			before++
			after++
		case linediff.Removed:
			line.Old, line.Tone = before, "ok"
			before++
		case linediff.Added:
			line.New, line.Tone = after, "bad"
			after++
		}
		out.Lines = append(out.Lines, line)
	}
	return out
}

// plain is a line of output without colours.
func plain(text string) string {
	out := ""
	for _, sp := range new(style).paint([]byte(text)) {
		out += sp.Text
	}
	return out
}

func streamName(s core.Stream) string {
	switch s {
	case core.Stdout:
		return "stdout"
	case core.Stderr:
		return "stderr"
	case core.Merged:
	}
	return "merged"
}

func streamOf(name string) core.Stream {
	switch name {
	case "stdout":
		return core.Stdout
	case "stderr":
		return core.Stderr
	}
	return core.Merged
}
