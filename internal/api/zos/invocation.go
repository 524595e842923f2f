package zos

import (
	"context"
	"slices"
	"strings"
	"time"

	"errand/internal/api"
	"errand/internal/core"
)

const (
	maxTargets         = 200
	maxTimeout         = 60 // seconds
	maxInvocationsPage = 10000

	// deliverWithin is how long a node that was online may take to accept a task.
	deliverWithin = time.Minute
	// shownOutput is how many bytes of each stream are shown, from its beginning. The vendor states no size; the others show as much.
	shownOutput = 24 << 10
	// defaultMaxAnswer bounds the content and output, in bytes, of all invocations on one page: ten thousand of them with full output
	// would not fit into memory. A page that is too large is refused, not shortened.
	defaultMaxAnswer = 64 << 20
	// maxInstances bounds, in the same way, how many instances all of them have.
	maxInstances = 100_000
	// batchTasks is about how many tasks are read at a time.
	batchTasks = 2000
)

// invokeCommand runs a stored command. What is wrong with an instance by now refuses the call; what goes wrong later is its task's error.
func (d *Dialect) invokeCommand(ctx context.Context, c core.Caller, req *invokeCommandRequest) (*invokeCommandResponse, error) {
	id, err := commandID(req.CommandID)
	if err != nil {
		return nil, err
	}
	if req.InstanceIDs != nil && len(req.InstanceIDs) == 0 {
		return nil, empty("instanceIds")
	}
	timeout := defaultTimeout
	if req.Timeout != nil {
		switch {
		case *req.Timeout < 1:
			return nil, refuse(core.ReasonTooSmall, "timeout", "less than 1 second")
		case *req.Timeout > maxTimeout:
			return nil, refuse(core.ReasonTooLarge, "timeout", "more than %d seconds", maxTimeout)
		}
		timeout = time.Duration(*req.Timeout) * time.Second
	}
	v, err := d.env.Service.Run(ctx, c, core.RunSpec{
		Origin: core.OriginZOS, Region: d.region(), Command: id, Override: core.Override{Timeout: &timeout},
		Targets: api.NodeIDs(req.InstanceIDs), NeedOnline: true, KillTree: true, DeliverWithin: deliverWithin,
		// Parameters cannot be passed here, so a command of another dialect that needs one is refused rather than run without it.
		Style:  core.ParamStyle{Required: true},
		Limits: core.Limits{Targets: maxTargets},
	})
	if err != nil {
		return nil, err
	}
	return &invokeCommandResponse{InvocationID: v.ID.String()}, nil
}

func (d *Dialect) describeCommandInvocations(
	ctx context.Context, c core.Caller, req *describeCommandInvocationsRequest,
) (*describeCommandInvocationsResponse, error) {
	page, err := req.spec(maxInvocationsPage)
	if err != nil {
		return nil, err
	}
	keep, err := statusFilter(req.InvocationStatuses)
	if err != nil {
		return nil, err
	}
	nodes, err := d.env.Service.NodeKeys(ctx, c, api.NodeIDs(req.InstanceIDs))
	if err != nil {
		return nil, err
	}
	rows, info, err := d.env.Service.Invocations(ctx, c, core.InvocationFilter{
		Kinds: core.Runs,
		IDs:   filterIDs(req.InvocationIDs, api.InvocationID), Commands: filterIDs(req.CommandIDs, api.CommandID), Nodes: nodes,
		Keep: keep,
	}, page)
	if err != nil {
		return nil, err
	}
	shown, err := d.showInvocations(ctx, c, rows)
	if err != nil {
		return nil, err
	}
	return &describeCommandInvocationsResponse{DataSet: shown, TotalCount: info.Total}, nil
}

// statusFilter selects invocations by their overall status, which only the dialect can tell; nil selects all.
func statusFilter(list []string) (func(*core.Invocation) bool, error) {
	if len(list) == 0 {
		return nil, nil
	}
	var wanted []invocationStatus
	for _, s := range list {
		status, ok := parseInvocationStatus(s)
		if !ok {
			return nil, refuse(core.ReasonInvalidValue, "invocationStatuses", "%.64q is not a status of an invocation", s)
		}
		wanted = append(wanted, status)
	}
	return func(v *core.Invocation) bool { return slices.Contains(wanted, fold(&v.Counts)) }, nil
}

// showInvocations renders invocations with all their tasks, reading the tasks of some at a time.
func (d *Dialect) showInvocations(ctx context.Context, c core.Caller, rows []core.Invocation) ([]invocation, error) {
	out := make([]invocation, 0, len(rows))
	size, instances, each := 0, 0, core.MostShown(len(rows))
	for len(rows) > 0 {
		n := batch(rows, each)
		ids := make([]core.ID, n)
		for i := range ids {
			ids[i] = rows[i].ID
		}
		tasks, err := d.env.Service.TasksOf(ctx, c, ids, nil, true, each)
		if err != nil {
			return nil, err
		}
		for i := range n {
			shown, err := d.showInvocation(ctx, &rows[i], tasks[rows[i].ID])
			if err != nil {
				return nil, err
			}
			size += shown.size()
			instances += len(shown.InvocationInstances)
			out = append(out, shown)
			switch {
			case len(out) == 1:
			case instances > maxInstances:
				return nil, refuse(core.ReasonTooLarge, "pageSize", "the page has more than %d instances, ask for a smaller one", maxInstances)
			case size > d.maxAnswer:
				return nil, refuse(core.ReasonTooLarge, "pageSize", "the page has more than %d bytes of output, ask for a smaller one", d.maxAnswer)
			}
		}
		rows = rows[n:]
	}
	return out, nil
}

// batch is how many invocations, at least one, have about batchTasks tasks to show together.
func batch(rows []core.Invocation, each int) int {
	tasks := 0
	for i := range rows {
		if tasks += min(rows[i].Counts.Total(), each); tasks > batchTasks {
			return max(i, 1)
		}
	}
	return len(rows)
}

func (v *invocation) size() int {
	n := len(v.Content)
	for i := range v.InvocationInstances {
		n += len(v.InvocationInstances[i].Output)
		if e := v.InvocationInstances[i].OutputError; e != nil {
			n += len(*e)
		}
	}
	return n
}

func (d *Dialect) showInvocation(ctx context.Context, v *core.Invocation, tasks []core.TaskView) (invocation, error) {
	out := invocation{
		InvocationID: v.ID.String(), CommandID: v.Command.String(), CommandName: v.Name, CommandType: typeOf(v.Type),
		// As written, not as run: other dialects fill in parameters, some of which are secret.
		Content: string(v.Content),
		Timeout: int64(v.Timeout / time.Second), CreateTime: clock(v.CreatedAt), InvocationInstances: make([]instance, len(tasks)),
	}
	for i := range tasks {
		var err error
		if out.InvocationInstances[i], err = d.showInstance(ctx, &tasks[i]); err != nil {
			return out, err
		}
	}
	out.InvocationStatus = fold(core.CountsOf(v, tasks))
	return out, nil
}

func (d *Dialect) showInstance(ctx context.Context, t *core.TaskView) (instance, error) {
	stdout, err := d.output(ctx, &t.Task, core.Stdout)
	if err != nil {
		return instance{}, err
	}
	stderr, err := d.output(ctx, &t.Task, core.Stderr)
	if err != nil {
		return instance{}, err
	}
	exists := t.Target.Key != 0 && t.Target.RemovedAt.IsZero()
	out := instance{
		InstanceID: api.ShowNode("", t.Target.ID), InstanceName: t.Target.Name, InstanceExist: exists,
		TaskStatus: statusOf(t.State), ExitCode: exitCode(&t.Task), ErrorCode: errorOf(&t.Task, exists),
		Output: stdout, OutputError: textOrNull(stderr), ExecStartTime: clockOrNull(t.StartedAt),
	}
	if !t.StartedAt.IsZero() && t.State.Ended() && !t.State.Presumed() {
		out.ExecEndTime = clockOrNull(t.EndedAt)
	}
	return out, nil
}

// output is the beginning of one stream as text; what is not UTF-8 in it becomes the replacement character.
func (d *Dialect) output(ctx context.Context, t *core.Task, s core.Stream) (string, error) {
	shown, err := d.env.Service.Show(ctx, t, core.Window{Stream: s, Head: shownOutput, Text: true})
	return strings.ToValidUTF8(string(shown.Text), "\uFFFD"), err
}

// exitCode is null until a process ended; of one that a signal ended it is 128 and the signal's number, as shells have it.
func exitCode(t *core.Task) *int64 {
	var n int64
	switch {
	case !t.State.Ended():
		return nil
	case t.Exited:
		n = int64(t.ExitCode)
	case t.Signal != 0:
		n = 128 + int64(t.Signal)
	default:
		return nil
	}
	return &n
}
