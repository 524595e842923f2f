package native

import (
	"context"
	"errors"
	"time"

	"errand/internal/api"
	"errand/internal/core"
)

// trigger is when a schedule fires: crontab and zone, or at.
type trigger struct {
	Crontab string `json:"crontab,omitempty"` // five fields: minute hour day-of-month month day-of-week
	Zone    string `json:"zone,omitempty"`    // in which they are read, such as Europe/Berlin; UTC if left out
	At      string `json:"at,omitempty"`      // once, RFC 3339
}

func (t *trigger) neutral() (core.Trigger, error) {
	switch {
	case (t.Crontab == "") == (t.At == ""):
		return core.Trigger{}, &api.ParamError{Name: "crontab", Err: errors.New("want either crontab or at")}
	case t.At == "":
		return core.ZonedTrigger(t.Zone, t.Crontab)
	case t.Zone != "":
		return core.Trigger{}, &api.ParamError{Name: "zone", Err: errors.New("a time has its own")}
	}
	at, err := time.Parse(time.RFC3339, t.At)
	if err != nil {
		return core.Trigger{}, &api.ParamError{Name: "at", Err: errors.New("want a time such as 2006-01-02T15:04:05Z")}
	}
	return core.Trigger{At: at.UTC().Truncate(time.Second)}, nil
}

func showTrigger(t core.Trigger) (out trigger) {
	out.Zone, out.Crontab = t.Zoned()
	if !t.At.IsZero() {
		out.At = t.At.Format(time.RFC3339)
	}
	return out
}

// Schedule is an order to run a stored command again and again, or once later, that the server itself carries out.
type Schedule struct {
	ID      string `json:"id"`
	Name    string `json:"name,omitempty"`
	Command string `json:"command"` // id of the stored command
	trigger
	Enabled bool              `json:"enabled"`
	Next    *time.Time        `json:"next,omitempty"` // when it fires next
	Targets []string          `json:"targets"`        // ids of nodes
	Params  map[string]string `json:"params,omitempty"`
	User    string            `json:"user,omitempty"` // instead of the command's
	Queue   int64             `json:"queue_seconds"`  // how long a task waits for its node
	Origin  string            `json:"origin"`
	By      string            `json:"by"` // in whose name it runs
	Created time.Time         `json:"created_at"`
	Updated time.Time         `json:"updated_at"`
}

// Schedules is a page of schedules, the latest first.
type Schedules struct {
	Schedules []Schedule `json:"schedules"`
	Next      string     `json:"next,omitempty"` // cursor of the next page
}

func showSchedule(v *core.ScheduleView) Schedule {
	s := Schedule{
		ID: v.ID.String(), Name: v.Name, Command: v.Command.String(), trigger: showTrigger(v.Trigger), Enabled: v.Enabled, Next: moment(v.Next),
		Targets: append([]string{}, v.Targets...), User: v.User, Queue: int64(v.DeliverWithin / time.Second), Origin: string(v.Origin), By: v.Principal,
		Created: v.CreatedAt, Updated: v.UpdatedAt,
	}
	for name, value := range v.Params {
		if s.Params == nil {
			s.Params = map[string]string{}
		}
		if v.Hidden[name] {
			value = "****"
		}
		s.Params[name] = value
	}
	return s
}

// scheduleID reads the id of a schedule in a path.
func scheduleID(text string) (core.ID, error) {
	id, ok := api.ScheduleID(text)
	if !ok {
		return 0, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonScheduleNotFound, Detail: "no such schedule"}
	}
	return id, nil
}

type listSchedules struct {
	Command string `json:"-" query:"command"` // id of a stored command
	paging
}

func (d *Dialect) listSchedules(ctx context.Context, c core.Caller, req *listSchedules) (*Schedules, error) {
	page, err := req.spec()
	if err != nil {
		return nil, err
	}
	var f core.ScheduleFilter
	if req.Command != "" {
		id, ok := api.CommandID(req.Command)
		if !ok {
			return nil, &api.ParamError{Name: "command", Err: errors.New("not an id")}
		}
		f.Commands = []core.ID{id}
	}
	rows, info, err := d.env.Service.Schedules(ctx, c, f, page)
	out := Schedules{Schedules: make([]Schedule, len(rows)), Next: req.next(info)}
	for i := range rows {
		out.Schedules[i] = showSchedule(&rows[i])
	}
	return &out, err
}

type createSchedule struct {
	Name    string `json:"name"`
	Command string `json:"command"` // id of a stored command
	trigger
	// Target is an expression for nodes, or Targets their ids. Which nodes it fits is decided now, not when the schedule fires.
	Target  string            `json:"target"`
	Exclude string            `json:"exclude"`
	Targets []string          `json:"targets"`
	Params  map[string]string `json:"params"`
	User    string            `json:"user"`
	Queue   *int64            `json:"queue_seconds"`
}

// scheduleLimits are what a schedule may be.
func scheduleLimits() core.Limits { return core.Limits{Name: 128, User: 255} }

const maxScheduleName = 128 // characters

func (d *Dialect) createSchedule(ctx context.Context, c core.Caller, req *createSchedule) (*Schedule, error) {
	command, err := commandID(req.Command)
	if err != nil {
		return nil, err
	}
	spec := core.ScheduleSpec{
		Origin: core.OriginNative, Name: req.Name, Command: command, Params: req.Params, User: req.User, Style: style, KillTree: true, Limits: scheduleLimits(),
	}
	if len(req.Name) > maxScheduleName {
		return nil, &api.ParamError{Name: "name", Err: errors.New("too long")}
	}
	if spec.Trigger, err = req.trigger.neutral(); err != nil {
		return nil, err
	}
	if req.Queue != nil {
		if spec.DeliverWithin, err = period("queue_seconds", *req.Queue); err != nil {
			return nil, err
		}
		if *req.Queue == 0 {
			spec.DeliverWithin = core.NoWaiting
		}
	}
	if spec.Targets, err = d.chosen(ctx, c, req.Target, req.Exclude, req.Targets); err != nil {
		return nil, err
	}
	made, err := d.env.Service.CreateSchedule(ctx, c, spec)
	if err != nil {
		return nil, err
	}
	return d.getSchedule(ctx, c, &oneSchedule{ID: made.ID.String()})
}

// chosen are the ids of nodes that an expression fits now, or those that were named.
func (d *Dialect) chosen(ctx context.Context, c core.Caller, expr, exclude string, ids []string) ([]string, error) {
	if expr == "" && exclude == "" {
		return api.NodeIDs(ids), nil
	}
	if len(ids) > 0 {
		return nil, &api.ParamError{Name: "targets", Err: errors.New("want either target or targets")}
	}
	return d.env.Service.SelectedIDs(ctx, c, core.Selection{Expr: expr, Exclude: exclude})
}

type oneSchedule struct {
	ID string `json:"-" path:"id"`
}

func (d *Dialect) getSchedule(ctx context.Context, c core.Caller, req *oneSchedule) (*Schedule, error) {
	id, err := scheduleID(req.ID)
	if err != nil {
		return nil, err
	}
	rows, _, err := d.env.Service.Schedules(ctx, c, core.ScheduleFilter{IDs: []core.ID{id}}, core.PageSpec{Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonScheduleNotFound, Detail: "no such schedule"}
	}
	out := showSchedule(&rows[0])
	return &out, nil
}

type changeSchedule struct {
	ID      string             `json:"-" path:"id"`
	Name    *string            `json:"name"`
	Command *string            `json:"command"`
	Trigger *trigger           `json:"trigger"`
	Targets []string           `json:"targets"`
	Params  *map[string]string `json:"params"`
	User    *string            `json:"user"`
	Enabled *bool              `json:"enabled"`
}

// changeSchedule changes what is given; from then on the schedule runs in the caller's name.
func (d *Dialect) changeSchedule(ctx context.Context, c core.Caller, req *changeSchedule) (*Schedule, error) {
	id, err := scheduleID(req.ID)
	if err != nil {
		return nil, err
	}
	ch := core.ScheduleChange{Origin: core.OriginNative, Name: req.Name, Params: req.Params, User: req.User, Limits: scheduleLimits()}
	if len(req.Targets) > 0 {
		ch.Targets = api.NodeIDs(req.Targets)
	}
	if req.Command != nil {
		command, err := commandID(*req.Command)
		if err != nil {
			return nil, err
		}
		ch.Command = &command
	}
	if req.Trigger != nil {
		t, err := req.Trigger.neutral()
		if err != nil {
			return nil, err
		}
		ch.Trigger = &t
	}
	if req.Name != nil || req.Command != nil || req.Trigger != nil || req.Targets != nil || req.Params != nil || req.User != nil {
		if err := d.env.Service.ChangeSchedule(ctx, c, id, ch); err != nil {
			return nil, err
		}
	}
	if req.Enabled != nil {
		if err := d.env.Service.EnableSchedule(ctx, c, id, *req.Enabled); err != nil {
			return nil, err
		}
	}
	return d.getSchedule(ctx, c, &oneSchedule{ID: req.ID})
}

func (d *Dialect) deleteSchedule(ctx context.Context, c core.Caller, req *oneSchedule) (*empty, error) {
	id, err := scheduleID(req.ID)
	if err != nil {
		return nil, err
	}
	return &empty{}, d.env.Service.DeleteSchedule(ctx, c, id)
}

// Firing is what became of one moment of a schedule.
type Firing struct {
	Due        time.Time `json:"due"`
	Invocation string    `json:"invocation,omitempty"` // what ran
	Problem    string    `json:"problem,omitempty"`    // why nothing did
	States     any       `json:"states,omitempty"`     // number of its tasks in each state, as long as it is kept
}

// Firings is a page of firings, the latest first.
type Firings struct {
	Firings []Firing `json:"firings"`
	Next    string   `json:"next,omitempty"` // cursor of the next page
}

type listFirings struct {
	ID string `json:"-" path:"id"`
	paging
}

func (d *Dialect) listFirings(ctx context.Context, c core.Caller, req *listFirings) (*Firings, error) {
	id, err := scheduleID(req.ID)
	if err != nil {
		return nil, err
	}
	page, err := req.spec()
	if err != nil {
		return nil, err
	}
	rows, info, err := d.env.Service.Firings(ctx, c, core.FiringFilter{Schedules: []core.ID{id}}, page)
	out := Firings{Firings: make([]Firing, len(rows)), Next: req.next(info)}
	for i := range rows {
		f := Firing{Due: rows[i].Due, Problem: rows[i].Problem}
		if rows[i].Invocation != 0 {
			f.Invocation = rows[i].Invocation.String()
		}
		if rows[i].Run != nil {
			f.States = showInvocation(rows[i].Run).States
		}
		out.Firings[i] = f
	}
	return &out, err
}

// previewSchedule asks when a schedule would fire that is not there yet, or one that is.
type previewSchedule struct {
	ID string `json:"id"` // of a schedule; instead of a trigger
	trigger
	Count int `json:"count"` // moments to tell; 5 if left out, at most 100
}

// Moments are when a schedule would fire next.
type Moments struct {
	Moments []time.Time `json:"moments"`
}

const (
	usualMoments = 5
	mostMoments  = 100
)

func (d *Dialect) previewSchedule(ctx context.Context, c core.Caller, req *previewSchedule) (*Moments, error) {
	if req.Count == 0 {
		req.Count = usualMoments
	}
	if req.Count < 1 || req.Count > mostMoments {
		return nil, &api.ParamError{Name: "count", Err: errors.New("want 1 to 100")}
	}
	if req.ID != "" {
		s, err := d.getSchedule(ctx, c, &oneSchedule{ID: req.ID})
		if err != nil {
			return nil, err
		}
		req.trigger = s.trigger
	}
	t, err := req.trigger.neutral()
	if err != nil {
		return nil, err
	}
	moments, err := d.env.Service.Moments(ctx, c, t, req.Count)
	return &Moments{Moments: append([]time.Time{}, moments...)}, err
}
