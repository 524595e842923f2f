package native

import (
	"context"
	"errors"
	"strings"
	"time"

	"errand/internal/api"
	"errand/internal/core"
)

// pacePlan is how a run reaches its nodes bit by bit. Shares are numbers, or percentages of all targets.
type pacePlan struct {
	Concurrency string   `json:"concurrency,omitempty"` // tasks out at a time: 20 or 10%
	Steps       []string `json:"steps,omitempty"`       // cumulative: 1, 10%, 100%
	// MaxFailures is how many tasks may end badly, or not run, before the run is paused; 0 for none. Left out, any number.
	MaxFailures string `json:"max_failures,omitempty"`
	// Probe is a command that has to succeed on the nodes of a step before the next one begins.
	Probe               string `json:"probe,omitempty"`
	ProbeTimeoutSeconds int64  `json:"probe_timeout_seconds,omitempty"` // 60 if left out
	PauseAfterStep      bool   `json:"pause_after_step,omitempty"`      // somebody has to resume the run for each further step
}

func (p *pacePlan) neutral() (*core.Pace, error) {
	if p == nil {
		return nil, nil
	}
	out := &core.Pace{Probe: p.Probe, PauseAfterStep: p.PauseAfterStep}
	var err error
	if out.Concurrency, err = share("concurrency", p.Concurrency); err != nil {
		return nil, err
	}
	for _, text := range p.Steps {
		step, err := share("steps", text)
		if err == nil && text == "" {
			err = &api.ParamError{Name: "steps", Err: errors.New("empty")}
		}
		if err != nil {
			return nil, err
		}
		out.Steps = append(out.Steps, step)
	}
	if p.MaxFailures != "" {
		out.MaxFailures = &core.Share{}
		if strings.TrimSuffix(p.MaxFailures, "%") != "0" {
			if *out.MaxFailures, err = share("max_failures", p.MaxFailures); err != nil {
				return nil, err
			}
		}
	}
	out.ProbeTimeout, err = period("probe_timeout_seconds", p.ProbeTimeoutSeconds)
	return out, err
}

func share(name, text string) (core.Share, error) {
	s, err := core.ParseShare(text)
	if err != nil {
		return s, &api.ParamError{Name: name, Err: errors.New(core.AsError(err).Detail)}
	}
	return s, nil
}

// Pace is how a run reaches its nodes, and how far it has come.
type Pace struct {
	pacePlan
	State      string    `json:"state"`         // running, paused, probing, finished or aborted
	Why        string    `json:"why,omitempty"` // it is paused or aborted
	Step       int       `json:"step"`          // from 1
	StepsTotal int       `json:"steps_total"`
	Bounds     []int     `json:"bounds"`              // where each step ends, by number of targets
	Released   int       `json:"released"`            // tasks whose turn has come
	Failures   int       `json:"failures"`            // since the run was begun or resumed
	ProbeRun   string    `json:"probe_run,omitempty"` // the latest probe, a run of its own
	Since      time.Time `json:"since"`
}

func showPace(v *core.Invocation) *Pace {
	p, g := v.Pace, v.Pacing
	if p == nil || g == nil {
		return nil
	}
	out := &Pace{
		pacePlan: pacePlan{
			Concurrency: p.Concurrency.String(), Probe: p.Probe, ProbeTimeoutSeconds: int64(p.ProbeTimeout / time.Second), PauseAfterStep: p.PauseAfterStep,
		},
		State: string(g.Shown()), Why: g.Why, Bounds: p.Bounds(v.Counts.Total()), Released: g.Released, Failures: max(0, v.Counts.Bad()-g.Forgiven), Since: g.Since,
	}
	out.StepsTotal = len(out.Bounds)
	out.Step = min(g.Step+1, out.StepsTotal)
	for _, step := range p.Steps {
		out.Steps = append(out.Steps, step.String())
	}
	if p.MaxFailures != nil {
		if out.MaxFailures = p.MaxFailures.String(); out.MaxFailures == "" {
			out.MaxFailures = "0"
		}
	}
	if g.Probe != 0 {
		out.ProbeRun = g.Probe.String()
	}
	return out
}

type steerInvocation struct {
	ID string `json:"-" path:"id"`
}

func (d *Dialect) pauseInvocation(ctx context.Context, c core.Caller, req *steerInvocation) (*Invocation, error) {
	return d.steer(ctx, c, req, d.env.Service.PauseRun)
}

func (d *Dialect) resumeInvocation(ctx context.Context, c core.Caller, req *steerInvocation) (*Invocation, error) {
	return d.steer(ctx, c, req, d.env.Service.ResumeRun)
}

func (d *Dialect) abortInvocation(ctx context.Context, c core.Caller, req *steerInvocation) (*Invocation, error) {
	return d.steer(ctx, c, req, d.env.Service.AbortRun)
}

func (d *Dialect) steer(
	ctx context.Context, c core.Caller, req *steerInvocation, verb func(context.Context, core.Caller, core.ID) (core.Invocation, error),
) (*Invocation, error) {
	id, err := invocationID(req.ID)
	if err != nil {
		return nil, err
	}
	v, err := verb(ctx, c, id)
	if err != nil {
		return nil, err
	}
	return d.show(ctx, c, &v)
}
