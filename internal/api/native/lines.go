package native

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"errand/internal/api"
	"errand/internal/core"
)

// OutputLine is a line of what a task printed. It is text: bytes that are no UTF-8 are shown as U+FFFD.
type OutputLine struct {
	N      uint64 `json:"n"`                // the first line is number 1
	Stream string `json:"stream,omitempty"` // stdout or stderr; left out if the line stands for bytes that are gone
	Text   string `json:"text"`
	Skip   uint64 `json:"skipped,omitempty"`    // bytes of the line before text
	Cut    uint64 `json:"cut,omitempty"`        // bytes of the line after text
	Gone   uint64 `json:"gone,omitempty"`       // how many bytes of output it stands for that were not kept
	Open   bool   `json:"unfinished,omitempty"` // it has no newline, or none yet
}

// OutputLines is a stretch of what a task printed, by lines.
type OutputLines struct {
	Lines    []OutputLine `json:"lines"`
	Total    uint64       `json:"total_lines"`
	State    string       `json:"state"`    // of the task
	Complete bool         `json:"complete"` // the task has ended: no more lines will come
	Next     uint64       `json:"next"`     // position up to which the output was looked at, for output?from= and stream
}

type getLines struct {
	ID     string `json:"-" path:"id"`
	Stream string `json:"-" query:"stream"`    // merged, stdout or stderr
	From   int    `json:"-" query:"from_line"` // 1 if left out; -100 for the last hundred
	Count  int    `json:"-" query:"count"`     // 1 to 5000; 256 if left out
}

const usualLines = 256

func noTask() error {
	return &core.Error{Code: core.CodeNotFound, Reason: core.ReasonInvocationNotFound, Detail: "no such task"}
}

func (d *Dialect) getLines(ctx context.Context, c core.Caller, req *getLines) (*OutputLines, error) {
	id, ok := api.TaskID(req.ID)
	if !ok {
		return nil, noTask()
	}
	of, err := stream(req.Stream)
	if err != nil {
		return nil, err
	}
	spec := core.LinesSpec{Stream: of, From: int64(req.From), Count: req.Count}
	if spec.From == 0 {
		spec.From = 1
	}
	if spec.Count == 0 {
		spec.Count = usualLines
	}
	l, err := d.env.Service.Lines(ctx, c, id, spec)
	if err != nil {
		return nil, err
	}
	return &OutputLines{Lines: showLines(l.Lines), Total: l.Total, State: l.Task.State.String(), Complete: l.Complete, Next: l.Next}, nil
}

func showLines(lines []core.Line) []OutputLine {
	out := make([]OutputLine, len(lines))
	for i := range lines {
		l := &lines[i]
		out[i] = OutputLine{
			N: l.N, Stream: streamName(l.Stream), Text: strings.ToValidUTF8(string(l.Text), "\uFFFD"), Skip: l.Skip, Cut: l.Cut, Gone: l.Gone,
			Open: l.Open,
		}
	}
	return out
}

// streamName is the word for a stream; none for both.
func streamName(s core.Stream) string {
	switch s {
	case core.Stdout:
		return "stdout"
	case core.Stderr:
		return "stderr"
	case core.Merged:
	}
	return ""
}

// Matches is what a search found in the output of a task.
type Matches struct {
	Matches  []OutputLine `json:"matches"`
	Total    uint64       `json:"total"`       // lines that match, in the whole output
	Lines    uint64       `json:"total_lines"` // lines searched
	Complete bool         `json:"complete"`    // the task has ended: no more will come
}

type searchOutput struct {
	ID     string `json:"-" path:"id"`
	Stream string `json:"-" query:"stream"`
	Query  string `json:"-" query:"q"`
	Regex  bool   `json:"-" query:"regex"`       // q is a regular expression in the syntax of RE2
	Fold   bool   `json:"-" query:"ignore_case"` // letters match whatever their case
	From   int    `json:"-" query:"from_line"`   // the first line to return; all are counted
	Limit  int    `json:"-" query:"limit"`       // 1 to 1000; 100 if left out
}

func (d *Dialect) searchOutput(ctx context.Context, c core.Caller, req *searchOutput) (*Matches, error) {
	id, ok := api.TaskID(req.ID)
	if !ok {
		return nil, noTask()
	}
	of, err := stream(req.Stream)
	if err != nil {
		return nil, err
	}
	if req.From < 0 {
		return nil, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonFilter, Field: "from_line", Detail: "1 or more"}
	}
	if req.Limit == 0 {
		req.Limit = usualPage
	}
	f, err := d.env.Service.SearchOutput(ctx, c, id, core.SearchSpec{
		Stream: of, Query: req.Query, Regex: req.Regex, Fold: req.Fold, From: uint64(req.From), Limit: req.Limit,
	})
	if err != nil {
		return nil, err
	}
	return &Matches{Matches: showLines(f.Matches), Total: f.Total, Lines: f.Lines, Complete: f.Complete}, nil
}

type getRaw struct {
	ID     string `json:"-" path:"id"`
	Stream string `json:"-" query:"stream"`
}

// rawOutput is all of what a task printed, as a download.
type rawOutput struct {
	file *core.Raw
	name string
}

// goneHeader says how many bytes of an output were not kept, if any.
const goneHeader = "Errand-Output-Gone"

func (d *Dialect) getRaw(ctx context.Context, c core.Caller, req *getRaw) (*rawOutput, error) {
	id, ok := api.TaskID(req.ID)
	if !ok {
		return nil, noTask()
	}
	of, err := stream(req.Stream)
	if err != nil {
		return nil, err
	}
	raw, err := d.env.Service.RawOutput(ctx, c, id, of)
	if err != nil {
		return nil, err
	}
	name := id.String()
	if of != core.Merged {
		name += "." + streamName(of)
	}
	return &rawOutput{raw, name + ".log"}, nil
}

// write streams the output. Its length is announced, so that a download that breaks off is known as such.
func (o *rawOutput) write(w http.ResponseWriter, r *api.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", o.name))
	// What nodes print is hostile: no browser shall take it for a page.
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.FormatUint(o.file.Size, 10))
	if o.file.Gone > 0 {
		h.Set(goneHeader, strconv.FormatUint(o.file.Gone, 10))
	}
	slow := slowly(w)
	_ = o.file.Write(r.Context(), slow) // whoever gets less than was announced knows that it is not all
}
