package native

import (
	"context"
	"time"

	"errand/internal/api"
	"errand/internal/core"
)

// Task is what became of an invocation on one node.
type Task struct {
	ID       string     `json:"id"`
	Of       string     `json:"invocation"`
	Node     string     `json:"node"`
	NodeName string     `json:"node_name,omitempty"`
	State    string     `json:"state"`
	Held     bool       `json:"held,omitempty"` // its run has not come to this node yet
	Cause    string     `json:"cause,omitempty"`
	Detail   string     `json:"detail,omitempty"`
	ExitCode *int32     `json:"exit_code,omitempty"` // once the process has ended by itself
	Signal   uint8      `json:"signal,omitempty"`    // number of the signal that ended it
	Created  time.Time  `json:"created_at"`
	Started  *time.Time `json:"started_at,omitempty"`
	Ended    *time.Time `json:"ended_at,omitempty"`
	Stdout   uint64     `json:"stdout_bytes"` // printed in all, as far as known
	Stderr   uint64     `json:"stderr_bytes"`

	// Of an invocation that repeats, whose task is otherwise the latest run while that lasts:
	Runs      uint32     `json:"runs,omitempty"`       // how many began
	LatestDue *time.Time `json:"latest_due,omitempty"` // the moment of the latest
	Skipped   uint32     `json:"skipped,omitempty"`    // moments without a run, because another run lived
	Missed    uint32     `json:"missed,omitempty"`     // moments without a run, because the node was off or asleep
}

// Tasks is a page of an invocation's tasks, in the order of its targets.
type Tasks struct {
	Tasks []Task `json:"tasks"`
	Next  string `json:"next,omitempty"` // for the next page
}

type listTasks struct {
	ID string `json:"-" path:"id"`
	paging
}

type filterTasks struct {
	State []string `json:"-" query:"state"` // in any of these states; also open, ended and failed
	Node  []string `json:"-" query:"node"`  // on any of these
	listTasks
}

func (d *Dialect) listTasks(ctx context.Context, c core.Caller, req *filterTasks) (*Tasks, error) {
	in, err := states(req.State, "state")
	if err != nil {
		return nil, err
	}
	nodes, err := d.env.Service.NodeKeys(ctx, c, api.NodeIDs(req.Node))
	if err != nil {
		return nil, err
	}
	rows, info, err := d.tasks(ctx, c, &req.listTasks, func(f *core.TaskFilter, id core.ID) {
		f.Invocations, f.States, f.Nodes = []core.ID{id}, in, nodes
	})
	page := Tasks{Tasks: make([]Task, len(rows)), Next: req.next(info)}
	for i := range rows {
		page.Tasks[i] = showTask(&rows[i])
	}
	return &page, err
}

// tasks lists tasks that belong to an invocation which the caller may see.
func (d *Dialect) tasks(
	ctx context.Context, c core.Caller, req *listTasks, of func(*core.TaskFilter, core.ID),
) ([]core.TaskView, core.PageInfo, error) {
	id, err := invocationID(req.ID)
	if err != nil {
		return nil, core.PageInfo{}, err
	}
	page, err := req.spec()
	if err != nil {
		return nil, core.PageInfo{}, err
	}
	if _, err := d.env.Service.Invocation(ctx, c, id); err != nil {
		return nil, core.PageInfo{}, err
	}
	var f core.TaskFilter
	of(&f, id)
	return d.env.Service.Tasks(ctx, c, f, page)
}

func showTask(v *core.TaskView) Task {
	t := Task{
		ID: v.ID.String(), Of: v.ID.Invocation.String(), Node: v.Target.ID, NodeName: v.Target.Name, Created: v.Invocation.CreatedAt,
		State: v.State.String(), Held: v.Held, Cause: v.Cause.String(), Detail: v.Detail, Signal: v.Signal,
		Started: moment(v.StartedAt), Ended: moment(v.EndedAt), Stdout: v.Stdout, Stderr: v.Stderr,
		Runs: v.Runs, LatestDue: moment(v.LatestDue), Skipped: v.Skipped, Missed: v.Missed,
	}
	if v.Exited {
		t.ExitCode = &v.ExitCode
	}
	return t
}

// Output is a stretch of what a task printed.
type Output struct {
	Task
	Open bool `json:"open"` // the task has not ended: more may come
	// Pieces follow each other in the order of arrival. Where the middle of a very large output is gone, the next one begins later.
	Pieces []OutputPiece `json:"pieces"`
	Next   uint64        `json:"next"` // the position to go on from
}

// OutputPiece is printed by one stream without a break.
type OutputPiece struct {
	Stream string `json:"stream"` // stdout or stderr
	Offset uint64 `json:"offset"` // of the first byte among the bytes of both streams
	Data   []byte `json:"data"`   // as base64
}

type getOutput struct {
	ID   string `json:"-" path:"id"`
	From int    `json:"-" query:"from"` // position among the bytes of both streams
	Wait int    `json:"-" query:"wait"` // seconds to wait for more, at most 60
}

// maxOutputWait is for how many seconds a call may wait for output.
const maxOutputWait = 60

func (d *Dialect) getOutput(ctx context.Context, c core.Caller, req *getOutput) (*Output, error) {
	id, ok := api.TaskID(req.ID)
	switch {
	case !ok:
		return nil, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonInvocationNotFound, Detail: "no such task"}
	case req.From < 0:
		return nil, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonFilter, Field: "from", Detail: "0 or more"}
	case req.Wait < 0 || req.Wait > maxOutputWait:
		return nil, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonFilter, Field: "wait", Detail: "0 to 60 seconds"}
	}
	w, err := d.env.Service.Watch(ctx, c, id, uint64(req.From), time.Duration(req.Wait)*time.Second)
	if err != nil {
		return nil, err
	}
	out := Output{Task: showTask(&w.TaskView), Open: !w.State.Ended(), Pieces: []OutputPiece{}, Next: w.Next}
	for _, chunk := range w.Chunks {
		out.Pieces = append(out.Pieces, pieces(chunk)...)
	}
	return &out, nil
}

// pieces takes a chunk apart by streams.
func pieces(c core.Chunk) []OutputPiece {
	names := map[core.Stream]string{core.Stdout: "stdout", core.Stderr: "stderr"} //nolint:exhaustive // no byte is of both
	out := make([]OutputPiece, 0, len(c.Spans))
	off, data := c.Off, c.Data
	for _, s := range c.Spans {
		out = append(out, OutputPiece{Stream: names[s.Stream], Offset: off, Data: data[:s.Len]})
		off, data = off+uint64(s.Len), data[s.Len:]
	}
	return out
}
