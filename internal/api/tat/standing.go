package tat

import (
	"cmp"
	"context"
	"slices"
	"time"

	"errand/internal/core"
	"errand/internal/schedule"
)

// Standing invocations of other vendors are shown as invokers if this one has words for their times. They can be read here and not changed.

// standing lists those that have not been stopped, newest first. Who may not see invocations sees none.
func (d *Dialect) standing(ctx context.Context, c core.Caller, f core.ScheduleFilter) ([]core.Invocation, error) {
	query := core.InvocationFilter{
		Kinds: []core.InvocationKind{core.KindStanding}, Repeat: core.Period, Open: true, IDs: f.IDs, Commands: f.Commands,
	}
	fits := func(v *core.Invocation) bool {
		_, ok := triggerOf(v)
		return ok && v.Counts.Open() > v.Counts.Of(core.Stopping)
	}
	var all []core.Invocation
	for page := (core.PageSpec{Limit: scanned}); ; {
		rows, info, err := d.env.Service.Invocations(ctx, c, query, page)
		switch {
		case core.ReasonDenied.Is(err):
			return nil, nil
		case err != nil:
			return nil, err
		}
		all = append(all, slices.DeleteFunc(rows, func(v core.Invocation) bool { return !fits(&v) })...)
		if info.Next == "" {
			return all, nil
		}
		page.Token = info.Next
	}
}

// triggerOf says in this vendor's words when a standing invocation runs, if that is possible.
func triggerOf(v *core.Invocation) (t core.Trigger, ok bool) {
	plan, err := schedule.Parse(v.Frequency)
	switch {
	case err != nil:
	case plan.Kind() == schedule.At:
		t.At, ok = plan.Next(time.Time{}, v.CreatedAt, nil)
	default:
		t.Crontab, ok = plan.Crontab()
	}
	return t, ok
}

// mixInvokers shows some invokers and standing invocations in the order of their ids, from the position skip on and no more than limit.
func (d *Dialect) mixInvokers(
	ctx context.Context, c core.Caller, own []core.ScheduleView, others []core.Invocation, skip, limit int,
) ([]invoker, error) {
	type row struct {
		id    core.ID
		own   *core.ScheduleView
		other *core.Invocation
	}
	rows := make([]row, 0, len(own)+len(others))
	for i := range own {
		rows = append(rows, row{id: own[i].ID, own: &own[i]})
	}
	for i := range others {
		rows = append(rows, row{id: others[i].ID, other: &others[i]})
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(b.id, a.id) })
	rows = rows[min(skip, len(rows)):]
	rows = rows[:min(limit, len(rows))]
	var ids []core.ID
	for _, r := range rows {
		if r.other != nil {
			ids = append(ids, r.id)
		}
	}
	tasks, err := d.env.Service.TasksOf(ctx, c, ids, nil, false, core.MostShown(len(ids)))
	if err != nil {
		return nil, err
	}
	now := d.env.Service.Now()
	shown := make([]invoker, len(rows))
	for i, r := range rows {
		if r.own != nil {
			shown[i] = showInvoker(r.own)
		} else {
			shown[i] = showStanding(r.other, tasks[r.id], now)
		}
	}
	return shown, nil
}

func showStanding(v *core.Invocation, tasks []core.TaskView, now time.Time) invoker {
	instances := make([]string, len(tasks))
	for i := range tasks {
		instances[i] = showInstance(tasks[i].Target.ID)
	}
	trigger, _ := triggerOf(v) // or it would not be here
	var next time.Time
	if plan, err := schedule.Parse(v.Frequency); err == nil {
		next, _ = plan.Next(now, v.CreatedAt, nil)
	}
	updated := v.CreatedAt
	if !v.RevisedAt.IsZero() {
		updated = v.RevisedAt
	}
	return invoker{
		InvokerId: invokerPrefix + v.ID.String(), Name: v.Name, Type: typeSchedule, CommandId: commandPrefix + v.Command.String(),
		Username: v.User, Parameters: showParameters(mask(v.Content, v.Params)), InstanceIds: instances, Enable: true,
		ScheduleSettings: showTrigger(trigger, next), CreatedTime: clock(v.CreatedAt), UpdatedTime: clock(updated), Tags: showTags(v.Tags),
	}
}

// readOnly explains why an invoker that can be seen cannot be found by those who want to change it.
func (d *Dialect) readOnly(ctx context.Context, c core.Caller, id core.ID, err error) error {
	if !core.ReasonScheduleNotFound.Is(err) {
		return err
	}
	others, failed := d.standing(ctx, c, core.ScheduleFilter{IDs: []core.ID{id}})
	switch {
	case failed != nil:
		return failed
	case len(others) > 0:
		return refuse(codeOperationDenied, "InvokerId", "it was made through another API, which alone can change or stop it")
	}
	return err
}
