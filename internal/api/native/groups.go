package native

import (
	"context"
	"strings"

	"errand/internal/api"
	"errand/internal/core"
)

// Group is tasks that ended in the same way and printed the same.
type Group struct {
	Key      string `json:"key"` // the same in every invocation
	State    string `json:"state"`
	Cause    string `json:"cause,omitempty"`
	ExitCode *int32 `json:"exit_code,omitempty"`
	Signal   uint8  `json:"signal,omitempty"`
	Count    int    `json:"count"`
	// Nodes are the names of the nodes, folded: web[001-380,384]. MoreNodes of them are left out where that would be very long.
	Nodes     string `json:"nodes"`
	MoreNodes int    `json:"more_nodes,omitempty"`
	Sample    string `json:"sample_task"`
	Head      string `json:"head"`      // how the sample's output begins
	Bytes     uint64 `json:"bytes"`     // of the sample's output
	Reference bool   `json:"reference"` // the largest group that succeeded
}

// Groups is what became of an invocation, the largest groups first.
type Groups struct {
	Groups  []Group `json:"groups"`
	Total   int     `json:"total"`   // groups on all pages
	Ended   int     `json:"ended"`   // tasks in them
	Running int     `json:"running"` // tasks that have not ended
	Next    string  `json:"next,omitempty"`
}

type listGroups struct {
	ID     string `json:"-" path:"id"`
	Stream string `json:"-" query:"stream"` // what is compared: stdout, stderr or, if left out, both
	paging
}

// stream reads the name of a stream.
func stream(text string) (core.Stream, error) {
	switch text {
	case "", "merged":
		return core.Merged, nil
	case "stdout":
		return core.Stdout, nil
	case "stderr":
		return core.Stderr, nil
	}
	return 0, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonFilter, Field: "stream", Detail: "merged, stdout or stderr"}
}

func noInvocation() error {
	return &core.Error{Code: core.CodeNotFound, Reason: core.ReasonInvocationNotFound, Detail: "no such invocation"}
}

func (d *Dialect) listGroups(ctx context.Context, c core.Caller, req *listGroups) (*Groups, error) {
	id, ok := api.InvocationID(req.ID)
	if !ok {
		return nil, noInvocation()
	}
	of, err := stream(req.Stream)
	if err != nil {
		return nil, err
	}
	page, err := req.spec()
	if err != nil {
		return nil, err
	}
	g, info, err := d.env.Service.Results(ctx, c, id, of, page)
	if err != nil {
		return nil, err
	}
	out := Groups{Groups: make([]Group, len(g.Groups)), Total: g.Total, Ended: g.Ended, Running: g.Open, Next: req.next(info)}
	for i := range g.Groups {
		out.Groups[i] = showGroup(&g.Groups[i])
	}
	return &out, nil
}

func showGroup(g *core.Group) Group {
	out := Group{
		Key: g.GroupKey.String(), State: g.State.String(), Cause: g.Cause.String(), Signal: g.Signal, Count: g.Tasks,
		Sample: g.Sample.String(), Head: strings.ToValidUTF8(string(g.Head), "\uFFFD"), Bytes: g.Bytes, Reference: g.Reference,
	}
	if g.Exited {
		out.ExitCode = &g.ExitCode
	}
	out.Nodes, out.MoreNodes = g.Folded(maxFolded)
	return out
}

// maxFolded is how many bytes of folded names a group shows.
const maxFolded = 16 << 10

func groupKey(text string) (core.GroupKey, error) {
	key, ok := core.ParseGroupKey(text)
	if !ok {
		return key, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonInvocationNotFound, Detail: "no such group"}
	}
	return key, nil
}

type listGroupTasks struct {
	ID  string `json:"-" path:"id"`
	Key string `json:"-" path:"key"`
	paging
}

func (d *Dialect) listGroupTasks(ctx context.Context, c core.Caller, req *listGroupTasks) (*Tasks, error) {
	id, ok := api.InvocationID(req.ID)
	if !ok {
		return nil, noInvocation()
	}
	key, err := groupKey(req.Key)
	if err != nil {
		return nil, err
	}
	page, err := req.spec()
	if err != nil {
		return nil, err
	}
	rows, info, err := d.env.Service.GroupTasks(ctx, c, id, key, page)
	if err != nil {
		return nil, err
	}
	out := Tasks{Tasks: make([]Task, len(rows)), Next: req.next(info)}
	for i := range rows {
		out.Tasks[i] = showTask(&rows[i])
	}
	return &out, nil
}

// Diff is how the output of one group differs from that of another.
type Diff struct {
	Against   string     `json:"against"`   // the key of the other group, whose lines are the old ones
	OldTask   string     `json:"old_task"`  // whose output stands for that group
	NewTask   string     `json:"new_task"`  // and for this one
	Hunks     []DiffHunk `json:"hunks"`     // none if they printed the same
	Truncated bool       `json:"truncated"` // there is more than was compared, or than is shown
}

// DiffHunk is a stretch in which the outputs differ.
type DiffHunk struct {
	Stream   string     `json:"stream"`
	OldStart int        `json:"old_start"`
	NewStart int        `json:"new_start"`
	Lines    []DiffLine `json:"lines"`
}

// DiffLine is a line of a hunk.
type DiffLine struct {
	Op   string `json:"op"` // " ", "-" or "+"
	Text string `json:"text"`
}

type getDiff struct {
	ID      string `json:"-" path:"id"`
	Key     string `json:"-" path:"key"`
	Against string `json:"-" query:"against"` // the largest group that succeeded if left out
}

func (d *Dialect) getDiff(ctx context.Context, c core.Caller, req *getDiff) (*Diff, error) {
	id, ok := api.InvocationID(req.ID)
	if !ok {
		return nil, noInvocation()
	}
	key, err := groupKey(req.Key)
	if err != nil {
		return nil, err
	}
	var against *core.GroupKey
	if req.Against != "" {
		other, err := groupKey(req.Against)
		if err != nil {
			return nil, err
		}
		against = &other
	}
	cmp, err := d.env.Service.Compare(ctx, c, id, key, against)
	if err != nil {
		return nil, err
	}
	out := Diff{
		Against: cmp.Against.String(), OldTask: cmp.Sample.String(), NewTask: cmp.Other.String(), Hunks: make([]DiffHunk, len(cmp.Hunks)),
		Truncated: cmp.Truncated,
	}
	for i, h := range cmp.Hunks {
		hunk := DiffHunk{Stream: streamName(h.Stream), OldStart: h.OldStart, NewStart: h.NewStart, Lines: make([]DiffLine, len(h.Lines))}
		for j, l := range h.Lines {
			hunk.Lines[j] = DiffLine{Op: string(l.Op), Text: l.Text}
		}
		out.Hunks[i] = hunk
	}
	return &out, nil
}
