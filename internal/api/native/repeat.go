package native

import (
	"context"
	"errors"
	"math"
	"time"

	"errand/internal/core"
	"errand/internal/schedule"
)

// policy says what becomes of moments of a schedule that are no run on time.
type policy struct {
	Overlap string `json:"overlap"`        // skip, queue or allow; skip if left out
	Missed  string `json:"missed"`         // skip, once or catch-up: with a number behind it; skip if left out
	Jitter  int64  `json:"jitter_seconds"` // by how much each node puts its runs off, at most
}

func (p *policy) neutral() (out schedule.Policy, err error) {
	if out.Overlap, err = schedule.ParseOverlap(p.Overlap); err == nil {
		out.Missed, err = schedule.ParseMissed(p.Missed)
	}
	var refused *schedule.Error
	if errors.As(err, &refused) {
		return out, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonInvalidValue, Field: refused.Field, Detail: refused.Reason}
	}
	out.Jitter = seconds64(p.Jitter)
	return out, err
}

// seconds64 is a number of seconds that a caller asks for; what no time.Duration holds is out of every bound anyway.
func seconds64(n int64) time.Duration {
	const most = int64(math.MaxInt64 / time.Second)
	return time.Duration(max(-most, min(n, most))) * time.Second
}

// repeat is when and how an invocation runs again and again, or later.
type repeat struct {
	Mode      string `json:"repeat"` // period, next_reboot or each_reboot
	Frequency string `json:"frequency,omitempty"`
	policy
	Next []time.Time `json:"next,omitempty"` // the next moments of one that was asked for alone
	// Local says that each node goes by its own zone; Next is then for one whose zone is UTC.
	Local bool `json:"local_zone,omitempty"`
}

// nextDue is how many moments of an invocation are shown.
const nextDue = 5

func showRepeat(v *core.Invocation) *repeat {
	return &repeat{
		Mode: string(v.Repeat), Frequency: v.Frequency,
		policy: policy{
			Overlap: v.Policy.Overlap.String(), Missed: v.Policy.Missed.String(), Jitter: int64(v.Policy.Jitter / time.Second),
		},
	}
}

// Run is one run on one node of an invocation that repeats.
type Run struct {
	Due time.Time `json:"due"` // the moment
	Task
}

// History is a page of runs, the latest first.
type History struct {
	Runs []Run  `json:"runs"`
	Next string `json:"next,omitempty"` // for the next page
}

func (d *Dialect) listRuns(ctx context.Context, c core.Caller, req *listTasks) (*History, error) {
	rows, info, err := d.tasks(ctx, c, req, func(f *core.TaskFilter, id core.ID) { f.Schedules = []core.ID{id} })
	page := History{Runs: make([]Run, len(rows)), Next: req.next(info)}
	for i := range rows {
		page.Runs[i] = Run{Due: rows[i].Invocation.Due, Task: showTask(&rows[i])}
	}
	return &page, err
}
