package native

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"errand/internal/api"
	"errand/internal/core"
)

// StreamEvent is what an event of the stream says. Members that do not apply are left out; those of subscriptions' events mean the same there.
type StreamEvent struct {
	Seq        int64      `json:"seq"`
	Time       time.Time  `json:"time"`
	Type       string     `json:"type"` // errand.task.failed, errand.task.output, errand.invocation.ended, errand.node.offline, ...
	Invocation string     `json:"invocation,omitempty"`
	Kind       string     `json:"kind,omitempty"` // of the invocation
	Schedule   string     `json:"schedule,omitempty"`
	Due        *time.Time `json:"due,omitempty"`
	Command    *named     `json:"command,omitempty"`

	Task     string `json:"task,omitempty"`
	Node     *named `json:"node,omitempty"`
	State    string `json:"state,omitempty"`
	Cause    string `json:"cause,omitempty"`
	ExitCode *int32 `json:"exit_code,omitempty"`
	Signal   uint8  `json:"signal,omitempty"`
	Late     bool   `json:"late,omitempty"`

	Tasks  int            `json:"tasks,omitempty"`
	States map[string]int `json:"states,omitempty"`

	StartedAt *time.Time `json:"started_at,omitempty"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`

	// Of output:
	From   uint64        `json:"from,omitempty"`   // position of the first byte among the bytes of both streams
	To     uint64        `json:"to,omitempty"`     // position after the last byte
	Gone   uint64        `json:"gone,omitempty"`   // bytes right before From that were not kept
	Pieces []streamPiece `json:"pieces,omitempty"` // in the order of arrival
}

type named struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// streamPiece is printed by one stream without a break: as Text, or as Data where it is no UTF-8 or is cut within a character.
type streamPiece struct {
	Stream string `json:"stream"`
	Text   string `json:"text,omitempty"`
	Data   []byte `json:"data,omitempty"` // as base64
}

type getStream struct {
	Invocation string `json:"-" query:"invocation"`
	Task       string `json:"-" query:"task"`
	Node       string `json:"-" query:"node"`
	// Types are invocation, task, output and node, with commas between them. If left out, it is what a named invocation, task or node is about, and
	// everything but output if none is named.
	Types string `json:"-" query:"types"`
	// From is the id of an event: the stream begins after it. 0 is the beginning of what is kept, "now" the end. If left out, the stream begins at
	// the header Last-Event-ID, if there is one, and otherwise at the beginning of a named invocation or task, and with what happens from now on if
	// none is named.
	From string `json:"-" query:"from"`

	resumed string
}

var followKinds = map[string]core.FollowKinds{
	"invocation": core.FollowInvocations, "task": core.FollowTasks, "output": core.FollowOutput, "node": core.FollowNodes,
}

// lastEventID is the header with which browsers resume.
const lastEventID = "Last-Event-ID"

// eventStream is an answer that goes on as long as the caller likes.
type eventStream struct{ following *core.Following }

func (d *Dialect) getStream(ctx context.Context, c core.Caller, req *getStream) (*eventStream, error) {
	spec := core.FollowSpec{Node: req.Node}
	if req.resumed != "" {
		req.From = req.resumed
	}
	bad := func(field, format string, args ...any) error {
		return &core.Error{Code: core.CodeInvalid, Reason: core.ReasonFilter, Field: field, Detail: fmt.Sprintf(format, args...)}
	}
	if req.Invocation != "" {
		id, ok := api.InvocationID(req.Invocation)
		if !ok {
			return nil, noInvocation()
		}
		spec.Invocation = id
	}
	if req.Task != "" {
		id, ok := api.TaskID(req.Task)
		if !ok {
			return nil, noTask()
		}
		spec.Task = &id
	}
	named := spec.Invocation != 0 || spec.Task != nil
	switch {
	case req.Types != "":
		for name := range strings.SplitSeq(req.Types, ",") {
			kind, ok := followKinds[name]
			if !ok {
				return nil, bad("types", "invocation, task, output or node, and not %.100q", name)
			}
			spec.Kinds |= kind
		}
	case named:
		spec.Kinds = core.FollowInvocations | core.FollowTasks | core.FollowOutput
	case spec.Node != "":
		spec.Kinds = core.FollowTasks | core.FollowOutput | core.FollowNodes
	default:
		spec.Kinds = core.FollowInvocations | core.FollowTasks | core.FollowNodes
	}
	switch from, ok := core.ParsePosition(req.From); {
	case req.From == "now" || req.From == "" && !named:
		spec.Now = true
	case req.From != "" && !ok:
		return nil, bad("from", "the id of an event, 0 or now")
	default:
		spec.From = from
	}
	f, err := d.env.Service.Follow(ctx, c, spec)
	if err != nil {
		return nil, err
	}
	return &eventStream{f}, nil
}

// resume takes the header of a browser that comes again; it goes before what the address says, which is still where the stream first began.
func (req *getStream) resume(id string) { req.resumed = id }

// retryAfter is how long browsers wait before they come again, in milliseconds.
const retryAfter = 1000

// write streams events as Server-Sent Events. https://html.spec.whatwg.org/multipage/server-sent-events.html
func (s *eventStream) write(w http.ResponseWriter, r *api.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // proxies shall pass it on as it comes
	out, control := slowly(w), http.NewResponseController(w)
	begin := fmt.Sprintf("retry: %d\n\n", retryAfter)
	if s.following.Lost {
		begin += "event: gap\ndata: {\"type\":\"errand.gap\"}\n\n"
	}
	if _, err := io.WriteString(out, begin); err != nil {
		return
	}
	var b bytes.Buffer
	// Whatever ends it, the caller comes again and goes on where it was.
	_ = s.following.Run(r.Context(), func(items []*core.Followed) error {
		b.Reset()
		for _, i := range items {
			b.Write(i.Text(encodeFollowed))
			if b.Len() >= flushAt {
				if _, err := out.Write(b.Bytes()); err != nil {
					return err
				}
				b.Reset()
			}
		}
		if len(items) == 0 { // an id without data moves on where the browser resumes, and is no event
			fmt.Fprintf(&b, ": \nid: %s\n\n", s.following.At())
		}
		if _, err := out.Write(b.Bytes()); err != nil {
			return err
		}
		return control.Flush()
	})
}

// flushAt is how much is gathered before it is written, in bytes.
const flushAt = 32 << 10

// encodeFollowed is an item as an event of the stream.
func encodeFollowed(i *core.Followed) []byte {
	e := i.Event
	name := "task"
	switch {
	case i.Output != nil:
		name = "output"
	case e.Kind == core.EventNode:
		name = "node"
	case e.Kind != core.EventTask:
		name = "invocation"
	}
	data, err := json.Marshal(showFollowed(i))
	if err != nil {
		data = []byte("{}") // it is made of nothing that has no form in JSON
	}
	return fmt.Appendf(nil, "id: %s\nevent: %s\ndata: %s\n\n", i.At, name, data)
}

func showFollowed(i *core.Followed) *StreamEvent {
	e := i.Event
	out := &StreamEvent{Seq: e.Seq, Time: e.At, Type: e.Type()}
	if e.Node != 0 {
		out.Node = &named{e.NodeID, e.NodeName}
	}
	if e.Kind == core.EventNode {
		return out
	}
	out.Invocation, out.Kind = e.Invocation.String(), e.InvocationKind.String()
	if i.Output != nil {
		out.Type, out.Task = (&core.StateEvent{Kind: core.EventOutput}).Type(), e.Task().String()
		out.From, out.To, out.Gone, out.Pieces = i.Output.Off, i.Output.End(), i.Before, streamPieces(i.Output)
		return out
	}
	out.Command, out.Due, out.StartedAt, out.EndedAt = &named{e.Command.String(), e.CommandName}, moment(e.Due), moment(e.StartedAt), moment(e.EndedAt)
	if e.Schedule != 0 {
		out.Schedule = e.Schedule.String()
	}
	if e.Kind != core.EventTask {
		out.Tasks, out.States = e.Counts.Total(), map[string]int{}
		for s, n := range e.Counts {
			if n > 0 {
				out.States[core.State(s).String()] = int(n)
			}
		}
		return out
	}
	out.Task, out.State, out.Cause, out.Signal, out.Late = e.Task().String(), e.State.String(), e.Cause.String(), e.Signal, e.Late
	if e.Exited {
		out.ExitCode = &e.ExitCode
	}
	return out
}

func streamPieces(c *core.Chunk) []streamPiece {
	list := make([]streamPiece, 0, len(c.Spans))
	data := c.Data
	for _, s := range c.Spans {
		p := streamPiece{Stream: streamName(s.Stream)}
		if b := data[:s.Len]; utf8.Valid(b) {
			p.Text = string(b)
		} else {
			p.Data = b
		}
		data = data[s.Len:]
		list = append(list, p)
	}
	return list
}
