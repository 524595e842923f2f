package native

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"errand/internal/api"
	"errand/internal/core"
)

// Subscription is a subscription to events without its secret.
type Subscription struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	URL       string     `json:"url"`
	Types     []string   `json:"types"`    // patterns; none means all
	Commands  []string   `json:"commands"` // ids; none means all
	Batch     int        `json:"batch"`
	Enabled   bool       `json:"enabled"`
	CreatedAt time.Time  `json:"created_at"`
	UpdatedAt time.Time  `json:"updated_at"`
	OldUntil  *time.Time `json:"old_secret_until,omitempty"` // how long the secret before the last rotation signs as well

	Cursor       int64      `json:"cursor"` // the last event that is done with
	DeliveredAt  *time.Time `json:"delivered_at,omitempty"`
	FailingSince *time.Time `json:"failing_since,omitempty"`
	Tries        int        `json:"tries"` // failures since then
	NextTry      *time.Time `json:"next_try,omitempty"`
	LastError    string     `json:"last_error,omitempty"`
	Dead         int        `json:"dead"` // how many events were given up
}

// NewSubscription is a subscription with its secret, which is shown only once.
type NewSubscription struct {
	Subscription
	Secret string `json:"secret,omitempty"`
}

// Subscriptions is a list of subscriptions.
type Subscriptions struct {
	Subscriptions []Subscription `json:"subscriptions"`
}

// Event is what happened. Members that do not apply are left out.
type Event struct {
	Seq        int64     `json:"seq"`
	Time       time.Time `json:"time"`
	Type       string    `json:"type"`
	Invocation string    `json:"invocation"`
	Command    string    `json:"command"`
	Task       string    `json:"task,omitempty"`
	Node       string    `json:"node,omitempty"`
	Cause      string    `json:"cause,omitempty"`
	ExitCode   *int32    `json:"exit_code,omitempty"`
}

// EventLog is a page of events, oldest first.
type EventLog struct {
	Events []Event `json:"events"`
	// Next is after which number the next page begins; without events, where this one did.
	Next int64 `json:"next"`
}

// DeadLetter is an event that was given up.
type DeadLetter struct {
	Event
	FailedAt time.Time `json:"failed_at"`
	Tries    int       `json:"tries"`
	Error    string    `json:"error"`
	Again    bool      `json:"again"` // is to be sent once more
}

// DeadLetters is a list of dead letters, oldest first.
type DeadLetters struct {
	Dead []DeadLetter `json:"dead"`
}

// Replayed is how many dead letters are to be sent once more.
type Replayed struct {
	Again int `json:"again"`
}

// Pong is what the subscriber answered.
type Pong struct {
	Status int `json:"status"` // HTTP
}

func showSubscription(s *core.Subscription) Subscription {
	out := Subscription{
		ID: s.ID.String(), Name: s.Name, URL: s.URL, Types: append([]string{}, s.Types...), Commands: []string{}, Batch: s.Batch,
		Enabled: s.Enabled, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt, OldUntil: moment(s.OldUntil),
		Cursor: s.Cursor, DeliveredAt: moment(s.DeliveredAt), FailingSince: moment(s.FailingSince), Tries: s.Tries, NextTry: moment(s.NextTry),
		LastError: s.LastError, Dead: len(s.Dead),
	}
	for _, id := range s.Commands {
		out.Commands = append(out.Commands, id.String())
	}
	return out
}

func showEvent(e *core.StateEvent) Event {
	out := Event{
		Seq: e.Seq, Time: e.At, Type: e.Type(), Invocation: e.Invocation.String(), Command: e.Command.String(),
		Node: e.NodeID, Cause: e.Cause.String(),
	}
	if e.Kind == core.EventTask {
		out.Task = e.Task().String()
	}
	if e.Exited {
		out.ExitCode = &e.ExitCode
	}
	return out
}

// subscriptionID reads an id; one that cannot be is that of nothing.
func subscriptionID(text string) (core.ID, error) {
	id, ok := core.ParseID(text)
	if !ok {
		return 0, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonAccessNotFound, Detail: "no such subscription"}
	}
	return id, nil
}

func commandIDs(texts []string) ([]core.ID, error) {
	var ids []core.ID
	for _, text := range texts {
		id, ok := api.CommandID(text)
		if !ok {
			return nil, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonInvalidValue, Field: "commands", Detail: "not the id of a command"}
		}
		ids = append(ids, id)
	}
	return ids, nil
}

type subscribe struct {
	Name     string   `json:"name"`
	URL      string   `json:"url"`
	Types    []string `json:"types"`
	Commands []string `json:"commands"`
	Batch    int      `json:"batch"` // most events in one request; 1 if left out
	Disabled bool     `json:"disabled"`
}

func (d *Dialect) subscribe(ctx context.Context, c core.Caller, req *subscribe) (*NewSubscription, error) {
	commands, err := commandIDs(req.Commands)
	if err != nil {
		return nil, err
	}
	s, secret, err := d.env.Service.Subscribe(ctx, c, core.SubscriptionSpec{
		Name: req.Name, URL: req.URL, Types: req.Types, Commands: commands, Batch: req.Batch, Disabled: req.Disabled,
	})
	return &NewSubscription{showSubscription(&s), secret}, err
}

func (d *Dialect) listSubscriptions(ctx context.Context, c core.Caller, _ *empty) (*Subscriptions, error) {
	rows, err := d.env.Service.Subscriptions(ctx, c)
	list := Subscriptions{Subscriptions: make([]Subscription, len(rows))}
	for i := range rows {
		list.Subscriptions[i] = showSubscription(&rows[i])
	}
	return &list, err
}

type oneSubscription struct {
	ID string `json:"-" path:"id"`
}

func (d *Dialect) getSubscription(ctx context.Context, c core.Caller, req *oneSubscription) (*Subscription, error) {
	id, err := subscriptionID(req.ID)
	if err != nil {
		return nil, err
	}
	s, err := d.env.Service.Subscription(ctx, c, id)
	out := showSubscription(&s)
	return &out, err
}

type changeSubscription struct {
	ID           string    `json:"-" path:"id"`
	Name         *string   `json:"name"`
	URL          *string   `json:"url"`
	Types        *[]string `json:"types"`
	Commands     *[]string `json:"commands"`
	Batch        *int      `json:"batch"`
	Enabled      *bool     `json:"enabled"`
	RotateSecret bool      `json:"rotate_secret"`
}

func (d *Dialect) changeSubscription(ctx context.Context, c core.Caller, req *changeSubscription) (*NewSubscription, error) {
	id, err := subscriptionID(req.ID)
	if err != nil {
		return nil, err
	}
	ch := core.SubscriptionChange{
		Name: req.Name, URL: req.URL, Types: req.Types, Batch: req.Batch, Enabled: req.Enabled, RotateSecret: req.RotateSecret,
	}
	if req.Commands != nil {
		commands, err := commandIDs(*req.Commands)
		if err != nil {
			return nil, err
		}
		ch.Commands = &commands
	}
	s, secret, err := d.env.Service.ChangeSubscription(ctx, c, id, ch)
	return &NewSubscription{showSubscription(&s), secret}, err
}

func (d *Dialect) unsubscribe(ctx context.Context, c core.Caller, req *oneSubscription) (*empty, error) {
	id, err := subscriptionID(req.ID)
	if err != nil {
		return nil, err
	}
	return &empty{}, d.env.Service.Unsubscribe(ctx, c, id)
}

func (d *Dialect) ping(ctx context.Context, c core.Caller, req *oneSubscription) (*Pong, error) {
	id, err := subscriptionID(req.ID)
	if err != nil {
		return nil, err
	}
	status, err := d.env.Service.Ping(ctx, c, id)
	return &Pong{Status: status}, err
}

type replay struct {
	ID   string `json:"-" path:"id"`
	From any    `json:"from"` // the number of an event, or a time; left out: what happens from now on
}

func (d *Dialect) replay(ctx context.Context, c core.Caller, req *replay) (*Subscription, error) {
	id, err := subscriptionID(req.ID)
	if err != nil {
		return nil, err
	}
	from, err := place(req.From)
	if err != nil {
		return nil, err
	}
	s, err := d.env.Service.Replay(ctx, c, id, from)
	out := showSubscription(&s)
	return &out, err
}

// place reads a place in the order of events.
func place(v any) (m core.Moment, err error) {
	bad := &core.Error{
		Code: core.CodeInvalid, Reason: core.ReasonInvalidValue, Field: "from", Detail: "want the number of an event or a time such as 2026-01-02T15:04:05Z",
	}
	switch v := v.(type) {
	case nil:
		return m, nil
	case json.Number:
		if m.Seq, err = v.Int64(); err != nil || m.Seq < 1 {
			return m, bad
		}
	case string:
		if m.At, err = time.Parse(time.RFC3339, v); err != nil || m.At.IsZero() {
			return m, bad
		}
	default:
		return m, bad
	}
	return m, nil
}

func (d *Dialect) listDead(ctx context.Context, c core.Caller, req *oneSubscription) (*DeadLetters, error) {
	id, err := subscriptionID(req.ID)
	if err != nil {
		return nil, err
	}
	rows, err := d.env.Service.DeadLetters(ctx, c, id)
	list := DeadLetters{Dead: make([]DeadLetter, len(rows))}
	for i := range rows {
		r := &rows[i]
		list.Dead[i] = DeadLetter{Event: showEvent(&r.StateEvent), FailedAt: r.DeadLetter.At, Tries: r.Tries, Error: r.Error, Again: r.Again}
	}
	return &list, err
}

func (d *Dialect) replayAllDead(ctx context.Context, c core.Caller, req *oneSubscription) (*Replayed, error) {
	return d.again(ctx, c, req.ID, 0)
}

type oneDead struct {
	ID  string `json:"-" path:"id"`
	Seq string `json:"-" path:"seq"`
}

func (d *Dialect) replayDead(ctx context.Context, c core.Caller, req *oneDead) (*Replayed, error) {
	seq, err := strconv.ParseInt(req.Seq, 10, 64)
	if err != nil || seq < 1 {
		return nil, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonAccessNotFound, Detail: "no such dead letter"}
	}
	return d.again(ctx, c, req.ID, seq)
}

// again lets a dead letter be sent once more; 0 means all.
func (d *Dialect) again(ctx context.Context, c core.Caller, subscription string, seq int64) (*Replayed, error) {
	id, err := subscriptionID(subscription)
	if err != nil {
		return nil, err
	}
	n, err := d.env.Service.ReplayDead(ctx, c, id, seq)
	return &Replayed{Again: n}, err
}

type listEvents struct {
	After int `json:"-" query:"after"` // number of an event; left out, from the beginning
	Limit int `json:"-" query:"limit"` // 1 to 1000; 100 if left out
}

const defaultEvents = 100

func (d *Dialect) listEvents(ctx context.Context, c core.Caller, req *listEvents) (*EventLog, error) {
	if req.Limit == 0 {
		req.Limit = defaultEvents
	}
	rows, err := d.env.Service.Events(ctx, c, int64(req.After), req.Limit)
	log := EventLog{Events: make([]Event, len(rows)), Next: int64(req.After)}
	for i := range rows {
		log.Events[i], log.Next = showEvent(&rows[i]), rows[i].Seq
	}
	return &log, err
}
