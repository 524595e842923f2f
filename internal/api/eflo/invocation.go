package eflo

import (
	"context"
	"strconv"

	"errand/internal/api"
	"errand/internal/api/alibaba"
	"errand/internal/core"
)

// describeInvocations returns one invocation, or none: the product documents no error for an unknown id.
func (d *Dialect) describeInvocations(
	ctx context.Context, c core.Caller, req *describeInvocationsRequest,
) (*describeInvocationsResponse, error) {
	resp := &describeInvocationsResponse{Invocations: invocationSet{Invocation: []invocation{}}}
	id, ok := api.InvocationID(req.InvokeId)
	if !ok {
		return resp, nil
	}
	var keys []core.NodeKey
	if req.NodeId != "" {
		var err error
		if keys, err = d.service.NodeKeys(ctx, c, []string{api.NodeID(req.NodeId)}); err != nil {
			return nil, err
		}
	}
	v, err := d.service.Invocation(ctx, c, id)
	if core.ReasonInvocationNotFound.Is(err) || err == nil && !v.Kind.Prints() {
		return resp, nil // files have an operation of their own
	}
	if err != nil {
		return nil, err
	}
	tasks, err := d.service.TasksOf(ctx, c, []core.ID{id}, keys, req.IncludeOutput, core.MostShown(1))
	if err != nil {
		return nil, err
	}
	if req.NodeId != "" && len(tasks[id]) == 0 {
		return resp, nil // the invocation was not for this machine
	}
	shown, err := d.show(ctx, &v, tasks[id], req)
	if err != nil {
		return nil, err
	}
	resp.Invocations.Invocation = append(resp.Invocations.Invocation, shown)
	return resp, nil
}

func (d *Dialect) show(
	ctx context.Context, v *core.Invocation, tasks []core.TaskView, req *describeInvocationsRequest,
) (invocation, error) {
	status := alibaba.Overall(core.CountsOf(v, tasks))
	encoding := alibaba.ParseEncoding(req.ContentEncoding, alibaba.Base64)
	shown := make([]invokeNode, len(tasks))
	for i := range tasks {
		var err error
		if shown[i], err = d.showNode(ctx, &tasks[i], encoding, req.IncludeOutput); err != nil {
			return invocation{}, err
		}
	}
	return invocation{
		InvokeId: invocationPrefix + v.ID.String(), CommandName: v.Name, CommandDescription: v.Description,
		CommandContent: encoding.Text(v.Content), Parameters: alibaba.Parameters(v), RepeatMode: alibaba.RepeatMode(v.Repeat), Frequency: v.Frequency,
		Timeout: int64(v.Timeout.Seconds()), Username: v.User, WorkingDir: v.WorkDir, CreationTime: alibaba.Time(v.CreatedAt),
		InvocationStatus: status.Invocation, InvokeStatus: status.Invoke, InvokeNodes: invokeNodeSet{shown},
	}, nil
}

func (d *Dialect) showNode(ctx context.Context, t *core.TaskView, encoding alibaba.Encoding, output bool) (invokeNode, error) {
	out := core.Shown{Dropped: alibaba.Hidden(&t.Task)}
	if output {
		var err error
		if out, err = d.service.Show(ctx, &t.Task, alibaba.Window()); err != nil {
			return invokeNode{}, err
		}
	}
	status, cause := alibaba.TaskStatus(&t.Task), causes[t.Cause].Of(&t.Task)
	return invokeNode{
		NodeId: api.ShowNode(nodePrefix, t.Target.ID), InvocationStatus: status.Invocation, NodeInvokeStatus: status.Invoke,
		ErrorCode: cause.Code, ErrorInfo: cause.Info, ExitCode: alibaba.ExitCode(&t.Task), Output: encoding.Text(out.Text),
		Dropped: int64(out.Dropped),
		Repeats: int64(t.Repeats), Timed: strconv.FormatBool(alibaba.Timed(t.Invocation)),
		CreationTime: alibaba.Time(t.Invocation.CreatedAt), StartTime: alibaba.Time(t.StartedAt),
		FinishTime: alibaba.Time(alibaba.FinishTime(&t.Task, t.Invocation)), StopTime: alibaba.Time(t.StopAskedAt),
		UpdateTime: alibaba.Time(t.UpdatedAt),
	}, nil
}
