package tat

import (
	"context"

	"errand/internal/core"
)

// window is the part of a task's output that the vendor keeps: the first 24 KB of both streams, in order of arrival.
var window = core.Window{Head: 24 << 10, Stream: core.Merged}

// The vendor's words for where an invocation runs and why. There are only servers here.
const (
	kindCVM        = "CVM"
	kindLighthouse = "LIGHTHOUSE"
	sourceUser     = "USER"
	sourceInvoker  = "INVOKER"
)

// source says what made an invocation run.
func source(v *core.Invocation) string {
	if v.Schedule != 0 {
		return sourceInvoker
	}
	return sourceUser
}

func (d *Dialect) describeInvocations(
	ctx context.Context, c core.Caller, req *describeInvocationsRequest,
) (*describeInvocationsResponse, error) {
	spec, err := req.begin(req.InvocationIds, "InvocationIds")
	if err != nil {
		return nil, err
	}
	f, err := req.filter()
	if err != nil {
		return nil, err
	}
	rows, info, err := d.env.Service.Invocations(ctx, c, f, spec)
	if err != nil {
		return nil, err
	}
	ids := make([]core.ID, len(rows))
	for i := range rows {
		ids[i] = rows[i].ID
	}
	tasks, err := d.env.Service.TasksOf(ctx, c, ids, nil, false, core.MostShown(len(ids)))
	if err != nil {
		return nil, err
	}
	resp := &describeInvocationsResponse{TotalCount: info.Total, InvocationSet: make([]invocation, len(rows))}
	for i := range rows {
		resp.InvocationSet[i] = showInvocation(&rows[i], tasks[rows[i].ID])
	}
	return resp, nil
}

func (req *describeInvocationsRequest) filter() (f core.InvocationFilter, err error) {
	f.Kinds = core.Runs
	if len(req.InvocationIds) > 0 {
		f.IDs, err = invocationIDs(req.InvocationIds, "InvocationIds")
		return f, err
	}
	nothing := false
	err = req.eachFilter(codeFilterValues, func(name string, values []string) error {
		switch name {
		case "invocation-id":
			ids, err := invocationIDs(values, name)
			f.IDs = narrow(f.IDs, ids, 0)
			return err
		case "command-id":
			ids, err := commandIDs(values, name)
			f.Commands = narrow(f.Commands, ids, 0)
			return err
		case "command-created-by":
			by, err := oneOf(name, values, createdByUser, createdByTAT)
			nothing = nothing || !by[createdByUser]
			return err
		case "instance-kind":
			kind, err := oneOf(name, values, kindCVM, kindLighthouse)
			nothing = nothing || !kind[kindCVM]
			return err
		}
		return unknownFilter(name)
	})
	if nothing {
		f.IDs = []core.ID{0}
	}
	return f, err
}

func showInvocation(v *core.Invocation, tasks []core.TaskView) invocation {
	infos := make([]taskBasicInfo, len(tasks))
	for i := range tasks {
		t := &tasks[i]
		infos[i] = taskBasicInfo{taskPrefix + t.ID.String(), taskStatuses[t.State], showInstance(t.Target.ID)}
	}
	var params string
	if v.ParamsEnabled {
		params = showParameters(mask(v.Content, merged(v.Defaults, v.Params)))
	}
	return invocation{
		InvocationId: invocationPrefix + v.ID.String(), CommandId: commandPrefix + v.Command.String(), InvocationStatus: fold(core.CountsOf(v, tasks)),
		InvocationTaskBasicInfoSet: infos, Description: v.Description, StartTime: clockOrNull(v.StartedAt), EndTime: clockOrNull(v.EndedAt),
		CreatedTime: clock(v.CreatedAt), UpdatedTime: clock(v.UpdatedAt), Parameters: params,
		DefaultParameters: showParameters(mask(v.Content, v.Defaults)), InstanceKind: kindCVM, Username: user(&v.Definition),
		InvocationSource: source(v), CommandContent: encode(v.Content), CommandType: commandTypes[v.Type], Timeout: seconds(v.Timeout),
		WorkingDirectory: workDir(&v.Definition), OutputCOSBucketUrl: v.Sink.Bucket, OutputCOSKeyPrefix: v.Sink.Prefix, CommandName: v.Name,
	}
}

func (d *Dialect) describeInvocationTasks(
	ctx context.Context, c core.Caller, req *describeInvocationTasksRequest,
) (*describeInvocationTasksResponse, error) {
	spec, err := req.begin(req.InvocationTaskIds, "InvocationTaskIds")
	if err != nil {
		return nil, err
	}
	f, err := d.taskFilter(ctx, c, req)
	if err != nil {
		return nil, err
	}
	f.Output = req.HideOutput != nil && !*req.HideOutput
	rows, info, err := d.env.Service.Tasks(ctx, c, f, spec)
	if err != nil {
		return nil, err
	}
	resp := &describeInvocationTasksResponse{TotalCount: info.Total, InvocationTaskSet: make([]invocationTask, len(rows))}
	for i := range rows {
		var out core.Shown
		if f.Output {
			if out, err = d.env.Service.Show(ctx, &rows[i].Task, window); err != nil {
				return nil, err
			}
		} else {
			out.Dropped = beyond(rows[i].Printed())
		}
		resp.InvocationTaskSet[i] = showTask(&rows[i], out)
	}
	return resp, nil
}

// beyond is how much of an output of this length does not fit the window; for answers without the output, which then need not be read.
func beyond(printed uint64) uint64 {
	size := uint64(window.Size())
	return printed - min(printed, size)
}

func (d *Dialect) taskFilter(ctx context.Context, c core.Caller, req *describeInvocationTasksRequest) (f core.TaskFilter, err error) {
	f.Kinds = core.Runs
	if len(req.InvocationTaskIds) > 0 {
		f.IDs, err = taskIDs(req.InvocationTaskIds, "InvocationTaskIds")
		return f, err
	}
	err = req.eachFilter(codeFilter, func(name string, values []string) error {
		switch name {
		case "invocation-task-id":
			ids, err := taskIDs(values, name)
			f.IDs = narrow(f.IDs, ids, core.TaskID{})
			return err
		case "invocation-id":
			ids, err := invocationIDs(values, name)
			f.Invocations = narrow(f.Invocations, ids, 0)
			return err
		case "instance-id":
			ids, err := instanceIDs(values, name)
			if err != nil {
				return err
			}
			keys, err := d.env.Service.NodeKeys(ctx, c, ids)
			f.Nodes = narrow(f.Nodes, keys, -1)
			return err
		case "command-id":
			ids, err := commandIDs(values, name)
			f.Commands = narrow(f.Commands, ids, 0)
			return err
		}
		return unknownFilter(name)
	})
	return f, err
}

func showTask(t *core.TaskView, out core.Shown) invocationTask {
	v := t.Invocation
	shown := invocationTask{
		InvocationId: invocationPrefix + v.ID.String(), InvocationTaskId: taskPrefix + t.ID.String(), CommandId: commandPrefix + v.Command.String(),
		TaskStatus: taskStatuses[t.State], InstanceId: showInstance(t.Target.ID), StartTime: clockOrNull(t.StartedAt),
		CreatedTime: clock(v.CreatedAt), UpdatedTime: clock(t.UpdatedAt), ErrorInfo: errorInfo(&t.Task), InvocationSource: source(v),
		CommandName: v.Name,
		TaskResult: taskResult{
			ExitCode: exitCode(&t.Task), Output: encode(out.Text), ExecStartTime: clockOrNull(t.StartedAt), Dropped: out.Dropped,
		},
		CommandDocument: commandDocument{
			Content: encode(v.Content), CommandType: commandTypes[v.Type], Timeout: seconds(v.Timeout), WorkingDirectory: workDir(&v.Definition),
			Username: user(&v.Definition), OutputCOSBucketUrl: v.Sink.Bucket, OutputCOSKeyPrefix: v.Sink.Prefix,
		},
	}
	if !t.State.Ended() {
		return shown
	}
	shown.EndTime = clockOrNull(t.EndedAt)
	if !t.StartedAt.IsZero() && t.State != core.Lost { // of a lost task only the server's guess is known
		shown.TaskResult.ExecEndTime = clockOrNull(t.EndedAt)
	}
	showDelivery(t, &shown.TaskResult)
	return shown
}
