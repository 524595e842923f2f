package native

import (
	"context"
	"errors"
	"time"

	"errand/internal/api"
	"errand/internal/core"
)

// Upcoming is a moment at which something will run.
type Upcoming struct {
	At    time.Time `json:"at"`
	Kind  string    `json:"kind"` // schedule, which the server carries out, or standing, which its nodes carry out by themselves
	ID    string    `json:"id"`   // of the schedule or the invocation
	Name  string    `json:"name,omitempty"`
	By    string    `json:"by,omitempty"`
	Nodes int       `json:"nodes"` // on how many
	// Local says that each node goes by its own zone; At is the moment on one whose zone is UTC.
	Local bool `json:"local_zone,omitempty"`
}

// UpcomingList is what will run, in the order of time.
type UpcomingList struct {
	Upcoming []Upcoming `json:"upcoming"`
}

type listUpcoming struct {
	Until string `json:"-" query:"until"` // RFC 3339; a week from now if left out
	Limit int    `json:"-" query:"limit"` // 1 to 1000; 100 if left out
}

const usualAhead = 7 * 24 * time.Hour

func (d *Dialect) listUpcoming(ctx context.Context, c core.Caller, req *listUpcoming) (*UpcomingList, error) {
	until := d.env.Service.Now().Add(usualAhead)
	if req.Until != "" {
		var err error
		if until, err = time.Parse(time.RFC3339Nano, req.Until); err != nil {
			return nil, &api.ParamError{Name: "until", Err: errors.New("want a time such as 2006-01-02T15:04:05Z")}
		}
	}
	size := paging{Limit: req.Limit}
	page, err := size.spec()
	if err != nil {
		return nil, err
	}
	rows, err := d.env.Service.Upcoming(ctx, c, until, page.Limit)
	out := UpcomingList{Upcoming: make([]Upcoming, len(rows))}
	for i := range rows {
		u := &rows[i]
		if s := u.Schedule; s != nil {
			out.Upcoming[i] = Upcoming{At: u.At, Kind: "schedule", ID: s.ID.String(), Name: s.Name, By: s.Principal, Nodes: len(s.Targets)}
		} else {
			v := u.Invocation
			out.Upcoming[i] = Upcoming{
				At: u.At, Kind: v.Kind.String(), ID: v.ID.String(), Name: v.Name, By: v.Principal, Nodes: v.Counts.Open(), Local: u.Local,
			}
		}
	}
	return &out, err
}

// reviseInvocation holds what to change of an invocation that repeats; what is left out stays.
type reviseInvocation struct {
	ID        string            `json:"-" path:"id"`
	Content   *string           `json:"content"`
	Params    map[string]string `json:"params"`
	Frequency *string           `json:"frequency"`
	Targets   []string          `json:"targets"` // nodes to add
}

func (d *Dialect) reviseInvocation(ctx context.Context, c core.Caller, req *reviseInvocation) (*Invocation, error) {
	id, err := invocationID(req.ID)
	if err != nil {
		return nil, err
	}
	r := core.Revision{Params: req.Params, Frequency: req.Frequency, Targets: api.NodeIDs(req.Targets), Style: style, Limits: runLimits()}
	if req.Content != nil {
		r.Content = []byte(*req.Content)
	}
	if req.Content != nil || req.Params != nil {
		enabled := len(req.Params) > 0
		if req.Params == nil { // those from before go on to be filled in
			v, err := d.env.Service.Invocation(ctx, c, id)
			if err != nil {
				return nil, err
			}
			enabled = v.ParamsEnabled
		}
		r.ParamsEnabled = &enabled
	}
	v, err := d.env.Service.Revise(ctx, c, id, r)
	if err != nil {
		return nil, err
	}
	if fresh, err := d.env.Service.Invocation(ctx, c, id); err == nil { // with the tasks that joined, for who may see them
		v = fresh
	}
	return d.show(ctx, c, &v)
}
