package ecs

import (
	"context"

	"errand/internal/api"
	"errand/internal/api/alibaba"
	"errand/internal/core"
)

func (d *Dialect) describeInvocations(
	ctx context.Context, c core.Caller, req *describeInvocationsRequest,
) (*describeInvocationsResponse, error) {
	page, err := req.paging.spec()
	if err != nil {
		return nil, err
	}
	f, err := d.invocationFilter(ctx, c, req)
	if err != nil {
		return nil, err
	}
	rows, info, err := d.service.Invocations(ctx, c, f, page)
	if err != nil {
		return nil, err
	}
	ids := make([]core.ID, len(rows))
	for i := range rows {
		ids[i] = rows[i].ID
	}
	// Output is shown only to those who name what they want to see.
	output := req.IncludeOutput && (req.InvokeId != "" || req.InstanceId != "")
	tasks, err := d.service.TasksOf(ctx, c, ids, f.Nodes, output, core.MostShown(len(ids)))
	if err != nil {
		return nil, err
	}
	resp := &describeInvocationsResponse{
		paged: req.answer(page, info), Invocations: invocationSet{Invocation: make([]invocation, len(rows))},
	}
	show := shower{service: d.service, encoding: alibaba.ParseEncoding(req.ContentEncoding, alibaba.Base64), output: output}
	for i := range rows {
		if resp.Invocations.Invocation[i], err = show.invocation(ctx, &rows[i], tasks[rows[i].ID]); err != nil {
			return nil, err
		}
	}
	return resp, nil
}

func (d *Dialect) invocationFilter(
	ctx context.Context, c core.Caller, req *describeInvocationsRequest,
) (core.InvocationFilter, error) {
	f := core.InvocationFilter{Kinds: kinds(req.InvokeId), ResourceGroup: req.ResourceGroupId, Tags: alibaba.Tags(req.Tag)}
	if err := core.CheckTags(f.Tags, alibaba.MaxTags); err != nil {
		return f, err
	}
	if req.InvokeId != "" {
		f.IDs = []core.ID{invocationID(req.InvokeId)}
	}
	if req.CommandId != "" {
		f.Commands = []core.ID{commandID(req.CommandId)}
	}
	if req.CommandType != "" {
		if f.Type = commandType(req.CommandType); f.Type == "" {
			f.Type = core.CommandType(req.CommandType) // nothing has it
		}
	}
	want := req.InvokeStatus
	if req.InstanceId != "" {
		var err error
		f.Nodes, err = d.service.NodeKeys(ctx, c, []string{api.NodeID(req.InstanceId)})
		if want != "" && want != alibaba.PartialFailed { // which the vendor ignores: one machine cannot fail in part
			f.States = statesAlone(want)
		}
		f.Keep = keep("", req.Timed)
		return f, err
	}
	// The vendor ignores these two beside an InstanceId.
	f.CommandName, f.Repeat = req.CommandName, alibaba.ParseRepeatMode(req.RepeatMode)
	f.Keep = keep(want, req.Timed)
	return f, nil
}

// invocationID reads an id for a filter. What cannot be an id becomes zero, which nothing has.
func invocationID(s string) core.ID {
	id, _ := api.InvocationID(s)
	return id
}

// kinds are what a listing of commands is about. A single run of a schedule is listed only to those who name it: another vendor may
// have told them its id.
func kinds(named string) []core.InvocationKind {
	if named != "" {
		return []core.InvocationKind{core.KindOnce, core.KindStanding, core.KindOccurrence}
	}
	return core.Orders
}

// keep is the part of the filter that goes by the overall status and by whether an invocation will run again; nil if nothing does.
func keep(status string, timed *bool) func(*core.Invocation) bool {
	if status == "" && timed == nil {
		return nil
	}
	return func(v *core.Invocation) bool {
		return (status == "" || hasStatus(alibaba.Overall(&v.Counts), status)) && (timed == nil || *timed == alibaba.Timed(v))
	}
}

// shower renders invocations and their tasks.
type shower struct {
	service  *core.Service
	encoding alibaba.Encoding
	output   bool
}

// invocation renders one. Its words are about the tasks given, whatever happened on other machines.
func (s *shower) invocation(ctx context.Context, v *core.Invocation, tasks []core.TaskView) (invocation, error) {
	status := alibaba.Overall(core.CountsOf(v, tasks))
	shown := make([]invokeInstance, len(tasks))
	for i := range tasks {
		var err error
		if shown[i], err = s.instance(ctx, &tasks[i]); err != nil {
			return invocation{}, err
		}
	}
	return invocation{
		InvokeId: invocationPrefix + v.ID.String(), CommandId: commandPrefix + v.Command.String(),
		CommandName: v.Name, CommandType: commandTypes[v.Type], CommandDescription: v.Description,
		CommandContent: s.encoding.Text(v.Content), Parameters: alibaba.Parameters(v),
		InvocationStatus: status.Invocation, InvokeStatus: status.Invoke,
		RepeatMode: alibaba.RepeatMode(v.Repeat), Frequency: v.Frequency, Timed: alibaba.Timed(v), Timeout: int64(v.Timeout.Seconds()),
		Username: v.User, WorkingDir: v.WorkDir, Launcher: v.Launcher, TerminationMode: alibaba.Termination(v),
		ContainerId: v.ContainerID, ContainerName: v.ContainerName, OssOutputDelivery: showSink(v.Sink), CreationTime: alibaba.Time(v.CreatedAt),
		Tags: tagSet{showTags(v.Tags)}, InvokeInstances: invokeInstanceSet{shown},
	}, nil
}

func (s *shower) instance(ctx context.Context, t *core.TaskView) (invokeInstance, error) {
	out := core.Shown{Dropped: alibaba.Hidden(&t.Task)}
	if s.output {
		var err error
		if out, err = s.service.Show(ctx, &t.Task, alibaba.Window()); err != nil {
			return invokeInstance{}, err
		}
	}
	status, cause := alibaba.TaskStatus(&t.Task), causes[t.Cause].Of(&t.Task)
	return invokeInstance{
		InstanceId: api.ShowNode(nodePrefix, t.Target.ID), InvocationStatus: status.Invocation, InstanceInvokeStatus: status.Invoke,
		ErrorCode: cause.Code, ErrorInfo: cause.Info, ExitCode: alibaba.ExitCode(&t.Task), Output: s.encoding.Text(out.Text),
		Dropped: int64(out.Dropped),
		Repeats: int64(t.Repeats), Timed: alibaba.Timed(t.Invocation),
		CreationTime: alibaba.Time(t.Invocation.CreatedAt), StartTime: alibaba.Time(t.StartedAt),
		FinishTime: alibaba.Time(alibaba.FinishTime(&t.Task, t.Invocation)), StopTime: alibaba.Time(t.StopAskedAt),
		UpdateTime: alibaba.Time(t.UpdatedAt), ossOutput: showDelivery(t.Delivery),
	}, nil
}

func (d *Dialect) describeInvocationResults(
	ctx context.Context, c core.Caller, req *describeInvocationResultsRequest,
) (*describeInvocationResultsResponse, error) {
	page, err := req.paging.spec()
	if err != nil {
		return nil, err
	}
	if err := d.checkHistory(ctx, c, req); err != nil {
		return nil, err
	}
	f, err := d.taskFilter(ctx, c, req)
	if err != nil {
		return nil, err
	}
	rows, info, err := d.service.Tasks(ctx, c, f, page)
	if err != nil {
		return nil, err
	}
	results := make([]invocationResult, len(rows))
	encoding := alibaba.ParseEncoding(req.ContentEncoding, alibaba.Base64)
	for i := range rows {
		out, err := d.service.Show(ctx, &rows[i].Task, alibaba.Window())
		if err != nil {
			return nil, err
		}
		results[i] = showResult(&rows[i], out, encoding)
	}
	return &describeInvocationResultsResponse{
		Invocation: invocationResults{paged: req.answer(page, info), InvocationResults: invocationResultSet{results}},
	}, nil
}

func (d *Dialect) taskFilter(ctx context.Context, c core.Caller, req *describeInvocationResultsRequest) (core.TaskFilter, error) {
	f := core.TaskFilter{Kinds: kinds(req.InvokeId), ResourceGroup: req.ResourceGroupId, Tags: alibaba.Tags(req.Tag), Output: true}
	if err := core.CheckTags(f.Tags, alibaba.MaxTags); err != nil {
		return f, err
	}
	switch {
	case req.IncludeHistory:
		f.Kinds, f.Schedules = []core.InvocationKind{core.KindOccurrence}, []core.ID{invocationID(req.InvokeId)}
	case req.InvokeId != "":
		f.Invocations = []core.ID{invocationID(req.InvokeId)}
	}
	if req.CommandId != "" {
		f.Commands = []core.ID{commandID(req.CommandId)}
	}
	if req.InvokeRecordStatus != "" {
		f.States = statesOf(req.InvokeRecordStatus)
	}
	if req.InstanceId == "" {
		return f, nil
	}
	var err error
	f.Nodes, err = d.service.NodeKeys(ctx, c, []string{api.NodeID(req.InstanceId)})
	return f, err
}

// checkHistory lets a history be asked only of what can have one: a named invocation that runs more than once. An invocation that
// does not exist has an empty result like without history.
func (d *Dialect) checkHistory(ctx context.Context, c core.Caller, req *describeInvocationResultsRequest) error {
	if !req.IncludeHistory {
		return nil
	}
	if req.InvokeId == "" {
		return alibaba.Missing("InvokeId")
	}
	v, err := d.service.Invocation(ctx, c, invocationID(req.InvokeId))
	switch {
	case core.ReasonInvocationNotFound.Is(err):
		return nil
	case err != nil:
		return err
	case v.Repeat != core.Period && v.Repeat != core.EachReboot:
		return alibaba.Refuse(alibaba.OperationRefused)
	}
	return nil
}

func showResult(t *core.TaskView, out core.Shown, encoding alibaba.Encoding) invocationResult {
	v, id := t.Invocation, t.Invocation.ID
	if v.Kind == core.KindOccurrence {
		id = v.Schedule // callers know a run only as part of the whole
	}
	status, cause := alibaba.TaskStatus(&t.Task), causes[t.Cause].Of(&t.Task)
	return invocationResult{
		InvokeId: invocationPrefix + id.String(), CommandId: commandPrefix + v.Command.String(),
		InstanceId: api.ShowNode(nodePrefix, t.Target.ID), InvocationStatus: status.Invocation, InvokeRecordStatus: status.Invoke,
		ErrorCode: cause.Code, ErrorInfo: cause.Info, ExitCode: alibaba.ExitCode(&t.Task),
		Output: encoding.Text(out.Text), Dropped: int64(out.Dropped),
		Repeats: int64(t.Repeats), StartTime: alibaba.Time(t.StartedAt),
		FinishedTime: alibaba.Time(alibaba.FinishTime(&t.Task, v)), StopTime: alibaba.Time(t.StopAskedAt),
		Username: v.User, Launcher: v.Launcher, TerminationMode: alibaba.Termination(v),
		ContainerId: v.ContainerID, ContainerName: v.ContainerName, OssOutputDelivery: showSink(v.Sink), ossOutput: showDelivery(t.Delivery),
		Tags: tagSet{showTags(v.Tags)},
	}
}
