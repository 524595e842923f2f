package native

import (
	"context"
	"errors"
	"slices"
	"time"
	"unicode/utf8"

	"errand/internal/api"
	"errand/internal/core"
)

// Invocation is an order to run something on some nodes, with the number of its tasks in each state that has any. Secrets are never shown, and
// parameters not where any of them is secret.
type Invocation struct {
	ID          string            `json:"id"`
	Name        string            `json:"name,omitempty"`
	Reason      string            `json:"reason,omitempty"`
	Kind        string            `json:"kind"`              // once, standing, file, push, fetch, occurrence or probe
	Origin      string            `json:"origin,omitempty"`  // through which API it came: native, ecs, eflo, tat or zos
	By          string            `json:"by,omitempty"`      // who ordered it
	Command     string            `json:"command,omitempty"` // the stored command
	Type        string            `json:"type,omitempty"`
	Content     string            `json:"content,omitempty"`
	ContentRaw  []byte            `json:"content_base64,omitempty"` // instead of content that is not text
	Params      map[string]string `json:"params,omitempty"`
	Launcher    string            `json:"launcher,omitempty"`
	User        string            `json:"user,omitempty"`
	WorkDir     string            `json:"work_dir,omitempty"`
	ContainerID string            `json:"container_id,omitempty"`
	Container   string            `json:"container_name,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`

	TimeoutSeconds int64      `json:"timeout_seconds,omitempty"`
	QueueSeconds   int64      `json:"queue_seconds"` // how long a task waits for its node
	Pace           *Pace      `json:"pace,omitempty"`
	RetryOf        string     `json:"retry_of,omitempty"`      // the invocation of which it repeats some tasks
	RetriedBy      []string   `json:"retried_by,omitempty"`    // those that repeat some of its tasks, the latest first; not in listings
	Repeat         *repeat    `json:"schedule,omitempty"`      // of one that repeats
	Of             string     `json:"occurrence_of,omitempty"` // what repeats, of one of its runs
	ProbeOf        string     `json:"probe_of,omitempty"`      // the run that waits for this one to go on
	Due            *time.Time `json:"due,omitempty"`           // the moment of an occurrence or a probe

	Target  string `json:"target,omitempty"` // the expression by which its nodes were chosen, as it was written
	Exclude string `json:"exclude,omitempty"`
	Pick    string `json:"pick,omitempty"`
	Seed    uint64 `json:"seed,omitempty"`

	CreatedAt time.Time      `json:"created_at"`
	StartedAt *time.Time     `json:"started_at,omitempty"` // first process
	EndedAt   *time.Time     `json:"ended_at,omitempty"`   // last task
	Tasks     int            `json:"tasks"`
	Open      int            `json:"open"`
	States    map[string]int `json:"states"`

	Met *bool `json:"met,omitempty"` // of a call that waits: whether it has come to that
}

// show shows an invocation alone, with what takes more than its row.
func (d *Dialect) show(ctx context.Context, c core.Caller, v *core.Invocation) (*Invocation, error) {
	out := showInvocation(v)
	if out.Repeat != nil {
		out.Repeat.Next, out.Repeat.Local = v.NextDue(d.env.Service.Now(), nextDue)
	}
	retries, err := d.env.Service.RetriesOf(ctx, c, v.ID)
	if core.ReasonDenied.Is(err) {
		return &out, nil // who may do something with a run need not be able to see others
	}
	for i := range retries {
		out.RetriedBy = append(out.RetriedBy, retries[i].ID.String())
	}
	return &out, err
}

func showInvocation(v *core.Invocation) Invocation {
	out := Invocation{
		ID: v.ID.String(), Name: v.Name, Reason: v.Reason, Kind: v.Kind.String(), Origin: string(v.Origin), By: v.Principal,
		Type: string(v.Type), Launcher: v.Launcher, User: v.User, WorkDir: v.WorkDir, ContainerID: v.ContainerID, Container: v.ContainerName,
		TimeoutSeconds: int64(v.Timeout / time.Second), QueueSeconds: int64(v.Queue() / time.Second),
		CreatedAt: v.CreatedAt, StartedAt: moment(v.StartedAt), EndedAt: moment(v.EndedAt),
		Target: v.Selection.Expr, Exclude: v.Selection.Exclude, Pick: v.Selection.Pick.String(), Seed: v.Selection.Seed,
		Pace: showPace(v), Tasks: v.Counts.Total(), Open: v.Counts.Open(), States: map[string]int{},
	}
	if utf8.Valid(v.Content) {
		out.Content = string(v.Content)
	} else {
		out.ContentRaw = v.Content
	}
	if v.Saved {
		out.Command = v.Command.String()
	}
	if !v.Hidden {
		out.Params = v.Params
	}
	for _, t := range v.Tags {
		if out.Tags == nil {
			out.Tags = map[string]string{}
		}
		out.Tags[t.Key] = t.Value
	}
	if v.RetryOf != 0 {
		out.RetryOf = v.RetryOf.String()
	}
	switch v.Kind { //nolint:exhaustive // no other kind has to do with moments
	case core.KindStanding:
		out.Repeat = showRepeat(v)
	case core.KindOccurrence:
		out.Of, out.Due = v.Schedule.String(), moment(v.Due)
	case core.KindProbe:
		out.ProbeOf, out.Due = v.Schedule.String(), moment(v.Due)
	}
	for s, n := range v.Counts {
		if n > 0 {
			out.States[core.State(s).String()] = int(n)
		}
	}
	return out
}

// Invocations is a page of invocations, the latest first.
type Invocations struct {
	Invocations []Invocation `json:"invocations"`
	Next        string       `json:"next,omitempty"` // cursor of the next page
}

type listInvocations struct {
	State   string   `json:"-" query:"state"`   // open, ended, failed: with a task that did not end well
	Kind    []string `json:"-" query:"kind"`    // once, standing, file, push, fetch, occurrence, probe; all but the last two if left out
	Name    string   `json:"-" query:"name"`    // exact
	By      string   `json:"-" query:"by"`      // who ordered it
	Node    []string `json:"-" query:"node"`    // with any of these among its targets
	Origin  string   `json:"-" query:"origin"`  // native, ecs, eflo, tat, zos
	Command string   `json:"-" query:"command"` // id of the stored command
	Since   string   `json:"-" query:"since"`   // made then or later, RFC 3339
	RetryOf string   `json:"-" query:"retry_of"`
	paging
}

func (d *Dialect) listInvocations(ctx context.Context, c core.Caller, req *listInvocations) (*Invocations, error) {
	page, err := req.spec()
	if err != nil {
		return nil, err
	}
	f, err := req.filter()
	if err != nil {
		return nil, err
	}
	if len(req.Node) > 0 {
		if f.Nodes, err = d.env.Service.NodeKeys(ctx, c, api.NodeIDs(req.Node)); err != nil {
			return nil, err
		}
	}
	rows, info, err := d.env.Service.Invocations(ctx, c, f, page)
	out := Invocations{Invocations: make([]Invocation, len(rows)), Next: req.next(info)}
	for i := range rows {
		out.Invocations[i] = showInvocation(&rows[i])
	}
	return &out, err
}

// kinds are all kinds of invocations; those that nobody ordered come last.
var kinds = []core.InvocationKind{
	core.KindOnce, core.KindStanding, core.KindFile, core.KindPush, core.KindFetch, core.KindOccurrence, core.KindProbe,
}

func (req *listInvocations) filter() (f core.InvocationFilter, err error) {
	f = core.InvocationFilter{CommandName: req.Name, Principal: req.By, Origin: core.Origin(req.Origin), Kinds: kinds[:len(kinds)-2]}
	if len(req.Kind) > 0 {
		f.Kinds = nil
	}
	for _, word := range req.Kind {
		i := slices.IndexFunc(kinds, func(k core.InvocationKind) bool { return k.String() == word })
		if i < 0 {
			return f, &api.ParamError{Name: "kind", Err: errors.New("want once, standing, file, push, fetch, occurrence or probe")}
		}
		f.Kinds = append(f.Kinds, kinds[i])
	}
	switch req.State {
	case "":
	case "open":
		f.Open = true
	case "ended":
		f.Keep = func(v *core.Invocation) bool { return v.Counts.Open() == 0 }
	case "failed":
		f.Keep = func(v *core.Invocation) bool { return v.Counts.Bad() > 0 }
	default:
		return f, &api.ParamError{Name: "state", Err: errors.New("want open, ended or failed")}
	}
	for _, id := range []struct {
		name, text string
		read       func(string) (core.ID, bool)
		take       func(core.ID)
	}{
		{"command", req.Command, api.CommandID, func(id core.ID) { f.Commands = []core.ID{id} }},
		{"retry_of", req.RetryOf, api.InvocationID, func(id core.ID) { f.RetryOf = id }},
	} {
		if id.text == "" {
			continue
		}
		n, ok := id.read(id.text)
		if !ok {
			return f, &api.ParamError{Name: id.name, Err: errors.New("not an id")}
		}
		id.take(n)
	}
	if req.Since != "" {
		since, err := time.Parse(time.RFC3339Nano, req.Since)
		if err != nil {
			return f, &api.ParamError{Name: "since", Err: errors.New("want a time such as 2006-01-02T15:04:05Z")}
		}
		f.From = core.FirstID(since)
	}
	return f, nil
}

type cancelInvocation struct {
	ID    string   `json:"-" path:"id"`
	Nodes []string `json:"nodes"` // only on these; left out, on all
}

// cancelInvocation ends the tasks that have not ended: those that run are stopped.
func (d *Dialect) cancelInvocation(ctx context.Context, c core.Caller, req *cancelInvocation) (*Invocation, error) {
	id, err := invocationID(req.ID)
	if err != nil {
		return nil, err
	}
	if err := d.env.Service.Stop(ctx, c, id, api.NodeIDs(req.Nodes)); err != nil {
		return nil, err
	}
	v, err := d.env.Service.Invocation(ctx, c, id)
	if err != nil {
		return nil, err
	}
	return d.show(ctx, c, &v)
}

// TaskDetail is a task with the moments of its life.
type TaskDetail struct {
	Task
	Timeline []Moment `json:"timeline"`
}

// Moment is when something happened to a task.
type Moment struct {
	At   time.Time `json:"at"`
	What string    `json:"what"` // accepted, queued, released, sent, received, started, first_byte, ended or stored
}

type getTask struct {
	ID string `json:"-" path:"id"`
}

func (d *Dialect) getTask(ctx context.Context, c core.Caller, req *getTask) (*TaskDetail, error) {
	missing := &core.Error{Code: core.CodeNotFound, Reason: core.ReasonInvocationNotFound, Detail: "no such task"}
	id, ok := api.TaskID(req.ID)
	if !ok {
		return nil, missing
	}
	rows, _, err := d.env.Service.Tasks(ctx, c, core.TaskFilter{IDs: []core.TaskID{id}, Output: true}, core.PageSpec{Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, missing
	}
	out := TaskDetail{Task: showTask(&rows[0])}
	for _, m := range rows[0].Timeline(rows[0].Invocation) {
		out.Timeline = append(out.Timeline, Moment{m.At, string(m.What)})
	}
	return &out, nil
}
