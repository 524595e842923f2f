package native

import (
	"context"
	"errors"
	"time"

	"errand/internal/api"
	"errand/internal/core"
)

type retryInvocation struct {
	ID string `json:"-" path:"id"`
	// States are the ends to repeat. Left out: everything that failed, timed out, was lost or did not run, stopped runs excepted.
	States []string `json:"states"`
	// Only are the nodes to repeat it on; left out, all. Without States it does not matter how it ended there.
	Only []string `json:"only"`
}

// Retry is the run that repeats another one.
type Retry struct {
	Invocation
	Skipped []SkippedNode `json:"skipped,omitempty"` // nodes that were left out
}

// SkippedNode is a node on which a run is not repeated.
type SkippedNode struct {
	Node string `json:"node"`
	Why  string `json:"why"`
}

func (d *Dialect) retryInvocation(ctx context.Context, c core.Caller, req *retryInvocation) (*Retry, error) {
	id, err := invocationID(req.ID)
	if err != nil {
		return nil, err
	}
	spec := core.RetrySpec{Nodes: api.NodeIDs(req.Only)}
	if spec.States, err = states(req.States, "states"); err != nil {
		return nil, err
	}
	r, err := d.env.Service.Retry(ctx, c, id, spec)
	if err != nil {
		return nil, err
	}
	v, err := d.show(ctx, c, &r.Invocation)
	if err != nil {
		return nil, err
	}
	out := &Retry{Invocation: *v}
	for _, n := range r.Skipped {
		out.Skipped = append(out.Skipped, SkippedNode{n.ID, n.Why})
	}
	return out, nil
}

// groups are words for several states.
var groups = map[string]func(core.State) bool{
	"open": func(s core.State) bool { return !s.Ended() }, "ended": core.State.Ended, "failed": core.State.Bad,
}

// states reads the names of states, and of groups of them.
func states(words []string, field string) (list []core.State, err error) {
	for _, word := range words {
		before := len(list)
		for s := range core.State(core.NumStates) {
			if in := groups[word]; in != nil && in(s) || in == nil && s.String() == word {
				list = append(list, s)
			}
		}
		if len(list) == before {
			return nil, &api.ParamError{Name: field, Err: errors.New("no such state of tasks")}
		}
	}
	return list, nil
}

// Waiting is a task that waits for its node.
type Waiting struct {
	Task
	Name     string     `json:"name,omitempty"`     // of the run
	By       string     `json:"by,omitempty"`       // who ordered it
	Deadline *time.Time `json:"deadline,omitempty"` // when it is given up
}

// Backlog is a page of what waits for a node, in the order in which it will get it.
type Backlog struct {
	Tasks []Waiting `json:"tasks"`
	Next  string    `json:"next,omitempty"` // cursor of the next page
}

type ofBacklog struct {
	ID string `json:"-" path:"id"`
	paging
}

func (d *Dialect) getBacklog(ctx context.Context, c core.Caller, req *ofBacklog) (*Backlog, error) {
	rows, err := d.env.Service.Backlog(ctx, c, api.NodeID(req.ID))
	if err != nil {
		return nil, err
	}
	rows, next, err := cut(&req.paging, rows, false, func(w *core.Waiting) string { return w.ID.String() })
	out := &Backlog{Tasks: make([]Waiting, len(rows)), Next: next}
	for i := range rows {
		w := &rows[i]
		out.Tasks[i] = Waiting{
			Task: showTask(&w.TaskView), Name: w.Invocation.Name, By: w.Invocation.Principal, Deadline: moment(w.Deadline),
		}
	}
	return out, err
}

// Cancelled is how many tasks were ended.
type Cancelled struct {
	Cancelled int `json:"cancelled"`
}

type cancelBacklog struct {
	ID string `json:"-" path:"id"`
}

func (d *Dialect) cancelBacklog(ctx context.Context, c core.Caller, req *cancelBacklog) (*Cancelled, error) {
	n, err := d.env.Service.CancelBacklog(ctx, c, api.NodeID(req.ID))
	return &Cancelled{n}, err
}
