package native

import (
	"cmp"
	"context"
	"errors"
	"time"

	"errand/internal/api"
	"errand/internal/core"
)

// Rollout is an order to change nodes to a release.
type Rollout struct {
	ID               string         `json:"id"`
	Account          string         `json:"account,omitempty"` // whose nodes; left out, everybody's
	Version          string         `json:"version"`
	State            string         `json:"state"` // running, paused, frozen, finished, aborted or replaced
	Reason           string         `json:"reason,omitempty"`
	Stages           []int          `json:"stages"` // percent
	Stage            int            `json:"stage"`  // position in stages, from 0
	StageDoneAt      *time.Time     `json:"stage_done_at,omitempty"`
	PauseSeconds     int64          `json:"pause_seconds"`
	Parallel         int            `json:"parallel"`
	MaxFailures      int            `json:"max_failures"`
	MaxFailedPercent int            `json:"max_failed_percent"`
	TrialSeconds     int64          `json:"trial_seconds"`
	Again            bool           `json:"again"`
	Nodes            int            `json:"nodes"`  // that it concerns, as far as is known
	Counts           map[string]int `json:"counts"` // nodes by state: offered, fetching, trying, done, refused, rolled-back, lost
	CreatedAt        time.Time      `json:"created_at"`
	UpdatedAt        time.Time      `json:"updated_at"`
}

// Rollouts is a list of rollouts, the latest first.
type Rollouts struct {
	Rollouts []Rollout `json:"rollouts"`
}

// RolloutNode is what became of a node.
type RolloutNode struct {
	Node      string    `json:"node"`
	Account   string    `json:"account"`
	State     string    `json:"state"`
	From      string    `json:"from"`
	Detail    string    `json:"detail,omitempty"`
	OfferedAt time.Time `json:"offered_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// RolloutNodes is what became of the nodes that a rollout was offered to, failures first.
type RolloutNodes struct {
	Nodes []RolloutNode `json:"nodes"`
}

func showRollout(v *core.RolloutView) Rollout {
	out := Rollout{
		ID: v.ID.String(), Version: v.Version, State: string(v.State), Reason: v.Reason, Stages: v.Plan.Stages, Stage: v.Stage,
		StageDoneAt: moment(v.StageDone), PauseSeconds: int64(v.Plan.Pause / time.Second), Parallel: v.Plan.Parallel,
		MaxFailures: v.Plan.Failures, MaxFailedPercent: v.Plan.Percent, TrialSeconds: int64(v.Plan.Trial / time.Second), Again: v.Plan.Again,
		Nodes: v.Nodes, Counts: map[string]int{}, CreatedAt: v.CreatedAt, UpdatedAt: v.UpdatedAt,
	}
	if v.Account != 0 {
		out.Account = v.Account.String()
	}
	for state, n := range v.Count {
		out.Counts[state.String()] = n
	}
	return out
}

func (d *Dialect) listRollouts(ctx context.Context, c core.Caller, _ *empty) (*Rollouts, error) {
	rows, err := d.env.Service.Rollouts(ctx, c)
	list := Rollouts{Rollouts: make([]Rollout, len(rows))}
	for i := range rows {
		list.Rollouts[i] = showRollout(&rows[i])
	}
	return &list, err
}

// startRollout holds what differs from the usual plan.
type startRollout struct {
	Version          string `json:"version"`
	Account          string `json:"account"` // left out, all nodes of the installation
	Stages           []int  `json:"stages"`
	PauseSeconds     *int64 `json:"pause_seconds"`
	Parallel         int    `json:"parallel"`
	MaxFailures      *int   `json:"max_failures"`
	MaxFailedPercent *int   `json:"max_failed_percent"`
	TrialSeconds     int64  `json:"trial_seconds"`
	Again            bool   `json:"again"`
}

// maxSeconds is more than any of the times of a plan may be, and little enough to be counted in nanoseconds.
const maxSeconds = 1 << 31

func period(name string, n int64) (time.Duration, error) {
	if n < 0 || n > maxSeconds {
		return 0, &api.ParamError{Name: name, Err: errors.New("out of range")}
	}
	return time.Duration(n) * time.Second, nil
}

func (req *startRollout) plan() (core.RolloutPlan, error) {
	p := core.DefaultRolloutPlan()
	if len(req.Stages) > 0 {
		p.Stages = req.Stages
	}
	var errs [2]error
	if req.PauseSeconds != nil {
		p.Pause, errs[0] = period("pause_seconds", *req.PauseSeconds)
	}
	if req.TrialSeconds != 0 {
		p.Trial, errs[1] = period("trial_seconds", req.TrialSeconds)
	}
	p.Parallel, p.Again = cmp.Or(req.Parallel, p.Parallel), req.Again
	if req.MaxFailures != nil {
		p.Failures = *req.MaxFailures
	}
	if req.MaxFailedPercent != nil {
		p.Percent = *req.MaxFailedPercent
	}
	return p, cmp.Or(errs[0], errs[1])
}

func (d *Dialect) startRollout(ctx context.Context, c core.Caller, req *startRollout) (*Rollout, error) {
	plan, err := req.plan()
	if err != nil {
		return nil, err
	}
	var account core.AccountID
	if req.Account != "" {
		account = cmp.Or(accountID(req.Account), -1)
	}
	r, err := d.env.Service.StartRollout(ctx, c, account, req.Version, plan)
	if err != nil {
		return nil, err
	}
	return d.rollout(ctx, c, r.ID)
}

func (d *Dialect) rollout(ctx context.Context, c core.Caller, id core.ID) (*Rollout, error) {
	v, err := d.env.Service.Rollout(ctx, c, id)
	out := showRollout(&v)
	return &out, err
}

type ofRollout struct {
	ID string `json:"-" path:"id"`
}

// rolloutID reads an id; 0 for one that nothing can have.
func rolloutID(text string) core.ID {
	id, _ := core.ParseID(text)
	return id
}

func (d *Dialect) getRollout(ctx context.Context, c core.Caller, req *ofRollout) (*Rollout, error) {
	return d.rollout(ctx, c, rolloutID(req.ID))
}

type changeRollout struct {
	ID     string `json:"-" path:"id"`
	Action string `json:"action"` // pause, resume, retry or abort
}

func (d *Dialect) changeRollout(ctx context.Context, c core.Caller, req *changeRollout) (*Rollout, error) {
	switch a := core.RolloutAction(req.Action); a {
	case core.PauseRollout, core.ResumeRollout, core.RetryRollout, core.AbortRollout:
		if _, err := d.env.Service.ChangeRollout(ctx, c, rolloutID(req.ID), a); err != nil {
			return nil, err
		}
		return d.rollout(ctx, c, rolloutID(req.ID))
	}
	return nil, &api.ParamError{Name: "action", Err: errors.New("want pause, resume, retry or abort")}
}

func (d *Dialect) listRolloutNodes(ctx context.Context, c core.Caller, req *ofRollout) (*RolloutNodes, error) {
	rows, err := d.env.Service.RolloutNodes(ctx, c, rolloutID(req.ID))
	list := RolloutNodes{Nodes: make([]RolloutNode, len(rows))}
	for i := range rows {
		n := &rows[i]
		list.Nodes[i] = RolloutNode{
			Node: n.NodeID, Account: n.Account.String(), State: n.State.String(), From: n.From, Detail: n.Detail,
			OfferedAt: n.OfferedAt, UpdatedAt: n.UpdatedAt,
		}
	}
	return &list, err
}
