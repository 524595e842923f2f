package webhook

import (
	"fmt"
	"net/url"
	"time"

	"errand/internal/core"
)

// contentType is how CloudEvents 1.0 travel in JSON, alone or in a list.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
func contentType(w *core.Webhook) string {
	if w.Batch {
		return "application/cloudevents-batch+json"
	}
	return "application/cloudevents+json"
}

// Event is a CloudEvent in JSON.
type Event struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject,omitempty"`
	Time            time.Time `json:"time"`
	Sequence        string    `json:"sequence,omitempty"` // sorts as text in the order of events
	DataContentType string    `json:"datacontenttype"`
	Data            Data      `json:"data"`
}

// Data is what happened. Members that do not apply are left out.
type Data struct {
	Invocation string     `json:"invocation,omitempty"`
	Kind       string     `json:"kind,omitempty"` // once, standing, occurrence or file
	Schedule   string     `json:"schedule,omitempty"`
	Due        *time.Time `json:"due,omitempty"`
	Command    *Command   `json:"command,omitempty"`

	Task     string `json:"task,omitempty"`
	Node     *Node  `json:"node,omitempty"`
	State    string `json:"state,omitempty"`
	Cause    string `json:"cause,omitempty"`
	ExitCode *int32 `json:"exit_code,omitempty"`
	Signal   uint8  `json:"signal,omitempty"`
	Late     bool   `json:"late,omitempty"`

	Tasks  int            `json:"tasks,omitempty"`
	States map[string]int `json:"states,omitempty"` // how many tasks are in each

	StartedAt *time.Time `json:"started_at,omitempty"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
}

// Command is the command that runs.
type Command struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// Node is the machine it runs on.
type Node struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// requestID is the same for a repeated request and for no other one. It must not contain a full stop, which separates it from the
// time in what is signed.
func requestID(w *core.Webhook) string {
	first, last := &w.Events[0], &w.Events[len(w.Events)-1]
	if len(w.Events) == 1 {
		return eventID(w, first)
	}
	return fmt.Sprintf("%s-%d", eventID(w, first), last.Seq)
}

func eventID(w *core.Webhook, e *core.StateEvent) string {
	if e.Kind == core.EventPing {
		return fmt.Sprintf("%s-%s", w.Subscription, e.Invocation)
	}
	return fmt.Sprintf("%s-%d", w.Subscription, e.Seq)
}

func cloudEvent(w *core.Webhook, e *core.StateEvent) Event {
	out := Event{
		SpecVersion: "1.0", ID: eventID(w, e), Source: fmt.Sprintf("/accounts/%s/invocations/%s", e.Account, e.Invocation),
		Type: e.Type(), Subject: e.Invocation.String(), Time: e.At, Sequence: fmt.Sprintf("%019d", e.Seq), DataContentType: "application/json",
	}
	switch e.Kind {
	case core.EventPing:
		out.Source, out.Subject = fmt.Sprintf("/accounts/%s/subscriptions/%s", e.Account, w.Subscription), ""
		out.Sequence = ""
		return out
	case core.EventTask:
		out.Subject = e.Task().String()
	case core.EventNode:
		out.Source, out.Subject = fmt.Sprintf("/accounts/%s/nodes/%s", e.Account, url.PathEscape(e.NodeID)), e.NodeID
		out.Data = Data{Node: &Node{ID: e.NodeID, Name: e.NodeName}}
		return out
	case core.EventAccepted, core.EventStarted, core.EventEnded, core.EventPaced, core.EventOutput:
	}
	out.Data = data(e)
	return out
}

func data(e *core.StateEvent) Data {
	d := Data{
		Invocation: e.Invocation.String(), Command: &Command{ID: e.Command.String(), Name: e.CommandName}, Due: moment(e.Due),
		StartedAt: moment(e.StartedAt), EndedAt: moment(e.EndedAt),
	}
	if e.Schedule != 0 {
		d.Schedule = e.Schedule.String()
	}
	d.Kind = e.InvocationKind.String()
	if e.Kind != core.EventTask {
		d.Tasks, d.States = e.Counts.Total(), map[string]int{}
		for s, n := range e.Counts {
			if n > 0 {
				d.States[core.State(s).String()] = int(n)
			}
		}
		return d
	}
	d.Task, d.Node, d.State, d.Cause = e.Task().String(), &Node{ID: e.NodeID, Name: e.NodeName}, e.State.String(), e.Cause.String()
	d.Signal, d.Late = e.Signal, e.Late
	if e.Exited {
		d.ExitCode = &e.ExitCode
	}
	return d
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
