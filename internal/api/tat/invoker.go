package tat

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"errand/internal/core"
)

// The vendor's limits on invokers.
// https://www.tencentcloud.com/document/product/1147/46700
const (
	maxInvokerName    = 120 // characters
	maxInvokerTargets = 100
)

// The vendor's words for why and when an invoker runs.
const (
	typeSchedule     = "SCHEDULE"
	policyOnce       = "ONCE"
	policyRecurrence = "RECURRENCE"
)

// onTime is the reason of a record of what ran.
const onTime = "Start an invocation at scheduled time"

func (d *Dialect) createInvoker(ctx context.Context, c core.Caller, req *createInvokerRequest) (*createInvokerResponse, error) {
	switch {
	case req.Name == nil:
		return nil, missing("Name")
	case req.Type == nil:
		return nil, missing("Type")
	case req.CommandId == nil:
		return nil, missing("CommandId")
	case len(req.InstanceIds) == 0:
		return nil, missing("InstanceIds")
	case req.ScheduleSettings == nil:
		return nil, missing("ScheduleSettings")
	}
	command, err := commandID(req.CommandId)
	if err != nil {
		return nil, err
	}
	change, err := req.change(codeTooLong)
	if err != nil {
		return nil, err
	}
	spec := core.ScheduleSpec{
		Origin: core.OriginTAT, Region: req.region, Name: *change.Name, Command: command, Trigger: *change.Trigger, Targets: change.Targets,
		NeedOnline: true, Style: style, KillTree: true, DeliverWithin: deliverWithin, Tags: coreTags(req.Tags), Limits: change.Limits,
	}
	apply(&spec.Params, change.Params)
	apply(&spec.User, change.User)
	made, err := d.env.Service.CreateSchedule(ctx, c, spec)
	if err != nil {
		return nil, err
	}
	return &createInvokerResponse{InvokerId: invokerPrefix + made.ID.String()}, nil
}

func (d *Dialect) modifyInvoker(ctx context.Context, c core.Caller, req *modifyInvokerRequest) (*emptyResponse, error) {
	id, err := invokerID(req.InvokerId)
	if err != nil {
		return nil, err
	}
	change, err := req.change(codeValueLimit)
	if err != nil {
		return nil, err
	}
	change.NeedAgent = true
	if req.CommandId != nil {
		command, err := commandID(req.CommandId)
		if err != nil {
			return nil, renamed(err, codeCommandID, codeID)
		}
		change.Command = &command
	}
	if err := d.env.Service.ChangeSchedule(ctx, c, id, change); err != nil {
		return nil, d.readOnly(ctx, c, id, err)
	}
	return &emptyResponse{}, nil
}

// change reads the fields that were sent, apart from the command. tooMany is the action's code for too many instances.
func (f *invokerFields) change(tooMany code) (ch core.ScheduleChange, err error) {
	l := limits()
	ch = core.ScheduleChange{Origin: core.OriginTAT, Name: f.Name, User: f.Username, Limits: l}
	switch {
	case f.Name != nil && *f.Name == "":
		return ch, refuse(codeRange, "Name", "empty")
	case f.Name != nil && utf8.RuneCountInString(*f.Name) > maxInvokerName:
		return ch, refuse(codeTooLong, "Name", "more than %d characters", maxInvokerName)
	case f.Type != nil && *f.Type != typeSchedule:
		return ch, refuse(codeRange, "Type", "%.64q is not %s", *f.Type, typeSchedule)
	case f.Username != nil && utf8.RuneCountInString(*f.Username) > maxUser:
		return ch, refuse(codeTooLong, "Username", "more than %d characters", maxUser)
	case len(f.InstanceIds) > maxInvokerTargets:
		return ch, refuse(tooMany, "InstanceIds", "more than %d", maxInvokerTargets)
	}
	if f.InstanceIds != nil {
		if ch.Targets, err = targets(f.InstanceIds); err != nil {
			return ch, err
		}
	}
	if f.Parameters != nil {
		values, err := parseParameters("Parameters", f.Parameters)
		if err != nil {
			return ch, err
		}
		ch.Params = &values
	}
	if f.ScheduleSettings != nil {
		ch.Trigger, err = f.ScheduleSettings.trigger()
	}
	return ch, err
}

// trigger reads when an invoker runs. What belongs to the other policy is passed over: answers show the next run of recurring invokers too.
func (s *scheduleSettings) trigger() (*core.Trigger, error) {
	switch {
	case s.Policy == nil:
		return nil, missing("ScheduleSettings.Policy")
	case *s.Policy == policyOnce && s.InvokeTime == nil:
		return nil, missing("ScheduleSettings.InvokeTime")
	case *s.Policy == policyOnce:
		at, err := time.Parse(time.RFC3339, *s.InvokeTime)
		if err != nil {
			return nil, refuse(codeTimeFormat, "ScheduleSettings.InvokeTime", "%.64q is no time in ISO 8601, such as 2030-01-31T08:00:00+08:00", *s.InvokeTime)
		}
		return &core.Trigger{At: at.Truncate(time.Second).UTC()}, nil
	case *s.Policy == policyRecurrence && s.Recurrence == nil:
		return nil, missing("ScheduleSettings.Recurrence")
	case *s.Policy == policyRecurrence && strings.TrimSpace(*s.Recurrence) == "":
		return nil, refuse(codeCronExpression, "ScheduleSettings.Recurrence", "empty")
	case *s.Policy == policyRecurrence:
		return &core.Trigger{Crontab: *s.Recurrence}, nil
	default:
		return nil, refuse(codeRange, "ScheduleSettings.Policy", "%.64q is neither %s nor %s", *s.Policy, policyOnce, policyRecurrence)
	}
}

func (d *Dialect) deleteInvoker(ctx context.Context, c core.Caller, req *invokerRequest) (*emptyResponse, error) {
	id, err := invokerID(req.InvokerId)
	if err != nil {
		return nil, err
	}
	if err := d.env.Service.DeleteSchedule(ctx, c, id); err != nil {
		return nil, d.readOnly(ctx, c, id, err)
	}
	return &emptyResponse{}, nil
}

func (d *Dialect) enableInvoker(ctx context.Context, c core.Caller, req *invokerRequest) (*emptyResponse, error) {
	return d.switchInvoker(ctx, c, req, true)
}

// disableInvoker keeps an invoker from running. What runs already goes on.
func (d *Dialect) disableInvoker(ctx context.Context, c core.Caller, req *invokerRequest) (*emptyResponse, error) {
	return d.switchInvoker(ctx, c, req, false)
}

func (d *Dialect) switchInvoker(ctx context.Context, c core.Caller, req *invokerRequest, on bool) (*emptyResponse, error) {
	id, err := invokerID(req.InvokerId)
	if err != nil {
		return nil, err
	}
	if err := d.env.Service.EnableSchedule(ctx, c, id, on); err != nil {
		return nil, d.readOnly(ctx, c, id, err)
	}
	return &emptyResponse{}, nil
}

func (d *Dialect) describeInvokers(
	ctx context.Context, c core.Caller, req *describeInvokersRequest,
) (*describeInvokersResponse, error) {
	spec, err := req.begin(req.InvokerIds, "InvokerIds")
	if err != nil {
		return nil, err
	}
	f, err := req.filter()
	if err != nil {
		return nil, err
	}
	others, err := d.standing(ctx, c, f)
	if err != nil {
		return nil, err
	}
	_, info, err := d.env.Service.Schedules(ctx, c, f, core.PageSpec{Limit: 1, Count: true})
	if err != nil {
		return nil, err
	}
	// However the two kinds mix, as many rows before the page are invokers of this API as it has not room for others.
	skip := min(max(0, spec.Offset-len(others)), info.Total)
	own, _, err := d.env.Service.Schedules(ctx, c, f, core.PageSpec{Offset: skip, Limit: spec.Limit + len(others)})
	if err != nil {
		return nil, err
	}
	shown, err := d.mixInvokers(ctx, c, own, others, spec.Offset-skip, spec.Limit)
	return &describeInvokersResponse{TotalCount: info.Total + len(others), InvokerSet: shown}, err
}

func (req *describeInvokersRequest) filter() (f core.ScheduleFilter, err error) {
	if len(req.InvokerIds) > 0 {
		f.IDs, err = invokerIDs(req.InvokerIds, "InvokerIds")
		return f, err
	}
	err = req.eachFilter(codeFilter, func(name string, values []string) error {
		switch name {
		case "invoker-id":
			ids, err := invokerIDs(values, name)
			f.IDs = narrow(f.IDs, ids, 0)
			return err
		case "command-id":
			ids, err := commandIDs(values, name)
			f.Commands = narrow(f.Commands, ids, 0)
			return renamed(err, codeCommandID, codeFilter)
		case "invoker-type":
			_, err := oneOf(name, values, typeSchedule)
			return err
		}
		return unknownFilter(name)
	})
	return f, err
}

func showInvoker(s *core.ScheduleView) invoker {
	instances := make([]string, len(s.Targets))
	for i, id := range s.Targets {
		instances[i] = showInstance(id)
	}
	return invoker{
		InvokerId: invokerPrefix + s.ID.String(), Name: s.Name, Type: typeSchedule, CommandId: commandPrefix + s.Command.String(),
		Username: s.User, Parameters: showParameters(hide(s.Hidden, s.Params)), InstanceIds: instances, Enable: s.Enabled,
		ScheduleSettings: showTrigger(s.Trigger, s.Next), CreatedTime: clock(s.CreatedAt), UpdatedTime: clock(s.UpdatedAt),
		Tags: showTags(s.Tags),
	}
}

// showTrigger shows when an invoker runs. What runs once shows its time for ever, a recurring one its next run if there is one.
func showTrigger(t core.Trigger, next time.Time) shownScheduleSettings {
	switch {
	case t.Crontab == "":
		return shownScheduleSettings{Policy: policyOnce, InvokeTime: clock(t.At)}
	case next.IsZero():
		return shownScheduleSettings{Policy: policyRecurrence, Recurrence: t.Crontab}
	default:
		return shownScheduleSettings{Policy: policyRecurrence, Recurrence: t.Crontab, InvokeTime: clock(next)}
	}
}

func (d *Dialect) describeInvokerRecords(
	ctx context.Context, c core.Caller, req *describeInvokerRecordsRequest,
) (*describeInvokerRecordsResponse, error) {
	if len(req.InvokerIds) > maxIDs {
		return nil, refuse(codeTooLong, "InvokerIds", "more than %d", maxIDs)
	}
	spec, err := page(req.Limit, req.Offset)
	if err != nil {
		return nil, err
	}
	var f core.FiringFilter
	if len(req.InvokerIds) > 0 {
		if f.Schedules, err = invokerIDs(req.InvokerIds, "InvokerIds"); err != nil {
			return nil, err
		}
	}
	rows, info, err := d.env.Service.Firings(ctx, c, f, spec)
	if err != nil {
		return nil, err
	}
	resp := &describeInvokerRecordsResponse{TotalCount: info.Total, InvokerRecordSet: make([]invokerRecord, len(rows))}
	for i := range rows {
		resp.InvokerRecordSet[i] = showRecord(&rows[i])
	}
	return resp, nil
}

// showRecord shows a run. One that did not take place has no invocation; one whose invocation is not kept any more has no result.
func showRecord(f *core.FiringView) invokerRecord {
	r := invokerRecord{InvokerId: invokerPrefix + f.Schedule.String(), InvokeTime: clock(f.Due), Reason: onTime}
	switch {
	case f.Invocation == 0:
		r.Reason, r.Result = f.Problem, invocationFailed
		return r
	case f.Run != nil:
		r.Result = fold(&f.Run.Counts)
	}
	r.InvocationId = invocationPrefix + f.Invocation.String()
	return r
}
