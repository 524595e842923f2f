package console

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"errand/internal/core"
)

// pageLines is how many lines the page shows without JavaScript, and how many the browser's program fetches at a time.
const pageLines = 256

// mostMatches is how many matches a search names; it counts all.
const mostMatches = 200

type outputView struct {
	taskRow
	Run, RunName string
	Stream       string
	Streams      []string
	Self         string // the page's address without its query
	Lines        []lineView
	Total        uint64
	From         uint64 // the first line that is shown
	Before       uint64 // where the lines before begin; 0 for none
	After        uint64
	Complete     bool
	Query        string
	Matches      []lineView
	Found        uint64
	Problem      string
	Moments      []moment
	CreatedAt    time.Time
	Stdout       uint64
	Stderr       uint64
	Previous     string // the task of the node before, and of the one after
	Following    string
	Command      string
}

// lineView is a line as pages and the browser's program show it.
type lineView struct {
	N      uint64 `json:"n"`
	Stderr bool   `json:"e,omitempty"`
	Spans  []span `json:"s"`
	Cut    uint64 `json:"cut,omitempty"`  // bytes of the line that are not shown
	Gone   uint64 `json:"gone,omitempty"` // bytes that were not kept
}

type moment struct {
	What  string
	At    time.Time
	Since time.Duration // from the run's beginning
}

func showLines(list []core.Line) []lineView {
	var s style
	out := make([]lineView, len(list))
	for i := range list {
		l := &list[i]
		out[i] = lineView{N: l.N, Stderr: l.Stream == core.Stderr, Spans: s.paint(l.Text), Cut: l.Cut, Gone: l.Gone}
	}
	return out
}

// taskID is the task that an address names.
func taskID(r *request) (core.TaskID, error) {
	id, ok := core.ParseTaskID(r.PathValue("id"))
	if !ok {
		return id, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonInvocationNotFound}
	}
	return id, nil
}

// output is what one node printed.
func (c *Console) output(r *request) (answer, error) {
	id, err := taskID(r)
	if err != nil {
		return answer{}, err
	}
	q := r.URL.Query()
	v := outputView{
		Stream: streamName(streamOf(q.Get("stream"))), Streams: []string{"merged", "stdout", "stderr"}, Self: root + "tasks/" + id.String(),
		Query: q.Get("q"), From: 1,
	}
	if n, err := strconv.ParseUint(q.Get("line"), 10, 63); err == nil && n > 0 {
		v.From = max(1, n-min(n, 5)) // with a little of what comes before
	}
	got, err := c.Service.Lines(r.Context(), r.caller, id, core.LinesSpec{Stream: streamOf(v.Stream), From: int64(v.From), Count: pageLines})
	if err != nil {
		return answer{}, err
	}
	t := &got.Task
	v.taskRow, v.Lines, v.Total, v.Complete = c.taskRow(t), showLines(got.Lines), got.Total, got.Complete
	v.Stdout, v.Stderr, v.CreatedAt = t.Stdout, t.Stderr, t.Invocation.CreatedAt
	v.Run, v.RunName = t.Invocation.ID.String(), runName(t.Invocation)
	if v.From > 1 {
		v.Before = max(1, v.From-min(v.From-1, pageLines))
	}
	if n := len(v.Lines); n > 0 && v.Lines[n-1].N < v.Total {
		v.After = v.Lines[n-1].N + 1
	}
	for _, m := range t.Timeline(t.Invocation) {
		v.Moments = append(v.Moments, moment{string(m.What), m.At, m.At.Sub(t.Invocation.CreatedAt)})
	}
	if id.Index > 0 {
		v.Previous = core.TaskID{Invocation: id.Invocation, Index: id.Index - 1}.String()
	}
	if int(id.Index)+1 < t.Invocation.Counts.Total() {
		v.Following = core.TaskID{Invocation: id.Invocation, Index: id.Index + 1}.String()
	}
	if v.Query != "" {
		found, err := c.Service.SearchOutput(r.Context(), r.caller, id, core.SearchSpec{
			Stream: streamOf(v.Stream), Query: v.Query, Fold: true, Limit: mostMatches,
		})
		if err != nil {
			v.Problem = core.AsError(err).Detail
		}
		v.Matches, v.Found = showLines(found.Matches), found.Total
	}
	return answer{view: "output", nav: "runs", title: v.Node, data: v, follow: "types=task,output&task=" + id.String()}, nil
}

// linesOf are lines for the browser's program.
func (c *Console) linesOf(r *request) (answer, error) {
	id, err := taskID(r)
	if err != nil {
		return answer{}, err
	}
	q := r.URL.Query()
	from, err := strconv.ParseInt(q.Get("from"), 10, 64)
	if err != nil {
		return answer{}, &core.Error{Code: core.CodeInvalid, Field: "from", Detail: "not a number"}
	}
	got, err := c.Service.Lines(r.Context(), r.caller, id, core.LinesSpec{Stream: streamOf(q.Get("stream")), From: from, Count: pageLines})
	if err != nil {
		return answer{}, err
	}
	return jsonAnswer(map[string]any{
		"lines": showLines(got.Lines), "total": got.Total, "complete": got.Complete, "state": got.Task.State.String(),
	}), nil
}

// searchOf finds lines for the browser's program.
func (c *Console) searchOf(r *request) (answer, error) {
	id, err := taskID(r)
	if err != nil {
		return answer{}, err
	}
	q := r.URL.Query()
	found, err := c.Service.SearchOutput(r.Context(), r.caller, id, core.SearchSpec{
		Stream: streamOf(q.Get("stream")), Query: q.Get("q"), Fold: true, Limit: core.MaxMatches,
	})
	if err != nil {
		return answer{}, err
	}
	numbers := make([]uint64, len(found.Matches))
	for i := range found.Matches {
		numbers[i] = found.Matches[i].N
	}
	return jsonAnswer(map[string]any{"lines": numbers, "total": found.Total}), nil
}

// rawOf is all that was printed, as a file.
func (c *Console) rawOf(r *request) (answer, error) {
	id, err := taskID(r)
	if err != nil {
		return answer{}, err
	}
	stream := streamOf(r.URL.Query().Get("stream"))
	raw, err := c.Service.RawOutput(r.Context(), r.caller, id, stream)
	if err != nil {
		return answer{}, err
	}
	return answer{write: func(w http.ResponseWriter) error {
		h := w.Header()
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Content-Length", strconv.FormatUint(raw.Size, 10))
		h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s.%s.txt"`, id, strings.ReplaceAll(streamName(stream), "merged", "output")))
		h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
		return raw.Write(r.Context(), w)
	}}, nil
}
