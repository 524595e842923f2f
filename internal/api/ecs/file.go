package ecs

import (
	"context"
	"strconv"

	"errand/internal/api"
	"errand/internal/api/alibaba"
	"errand/internal/core"
)

// filePrefix stands before the ids of files, which otherwise are those of commands.
const filePrefix = "f-"

func (d *Dialect) sendFile(ctx context.Context, c core.Caller, req *sendFileRequest) (*sendFileResponse, error) {
	spec, err := req.Spec(req.Hash)
	if err != nil {
		return nil, err
	}
	if spec.Targets, err = instances(req.InstanceId); err != nil {
		return nil, err
	}
	spec.Origin, spec.Region = core.OriginECS, req.RegionId
	spec.ResourceGroup, spec.Tags = req.ResourceGroupId, alibaba.Tags(req.Tag)
	v, err := d.service.Run(ctx, c, spec)
	if err != nil {
		return nil, err
	}
	return &sendFileResponse{InvokeId: filePrefix + v.ID.String()}, nil
}

func (d *Dialect) describeSendFileResults(
	ctx context.Context, c core.Caller, req *describeSendFileResultsRequest,
) (*describeSendFileResultsResponse, error) {
	page, err := req.paging.spec()
	if err != nil {
		return nil, err
	}
	f := core.InvocationFilter{
		Kinds: []core.InvocationKind{core.KindFile}, CommandName: req.Name, ResourceGroup: req.ResourceGroupId, Tags: alibaba.Tags(req.Tag),
	}
	if err := core.CheckTags(f.Tags, alibaba.MaxTags); err != nil {
		return nil, err
	}
	if req.InvokeId != "" {
		f.IDs = []core.ID{invocationID(req.InvokeId)}
	}
	if req.InstanceId != "" {
		if f.Nodes, err = d.service.NodeKeys(ctx, c, []string{api.NodeID(req.InstanceId)}); err != nil {
			return nil, err
		}
	}
	if req.InvocationStatus != "" {
		f.Keep = func(v *core.Invocation) bool { return alibaba.FilesStatus(&v.Counts) == req.InvocationStatus }
	}
	rows, info, err := d.service.Invocations(ctx, c, f, page)
	if err != nil {
		return nil, err
	}
	ids := make([]core.ID, len(rows))
	for i := range rows {
		ids[i] = rows[i].ID
	}
	tasks, err := d.service.TasksOf(ctx, c, ids, f.Nodes, false, core.MostShown(len(ids)))
	if err != nil {
		return nil, err
	}
	resp := &describeSendFileResultsResponse{paged: req.answer(page, info), Invocations: fileSet{Invocation: make([]file, len(rows))}}
	for i := range rows {
		resp.Invocations.Invocation[i] = showFile(&rows[i], tasks[rows[i].ID])
	}
	return resp, nil
}

func showFile(v *core.Invocation, tasks []core.TaskView) file {
	f := v.File
	content, kind := alibaba.FileContent(v)
	shown := make([]fileInstance, len(tasks))
	for i := range tasks {
		t := &tasks[i]
		cause := fileCause(&t.Task)
		shown[i] = fileInstance{
			InstanceId: api.ShowNode(nodePrefix, t.Target.ID), InvocationStatus: alibaba.FileStatus(&t.Task),
			ErrorCode: cause.Code, ErrorInfo: cause.Info,
			CreationTime: alibaba.Time(v.CreatedAt), StartTime: alibaba.Time(t.StartedAt),
			FinishTime: alibaba.Time(alibaba.FinishTime(&t.Task, v)), UpdateTime: alibaba.Time(t.UpdatedAt),
		}
	}
	return file{
		InvokeId: filePrefix + v.ID.String(), Name: f.Name, TargetDir: f.Dir, Content: content, ContentType: kind,
		Description: v.Description, FileOwner: alibaba.FileOwner(f.Owner), FileGroup: alibaba.FileOwner(f.Group), FileMode: f.Mode,
		Overwrite: strconv.FormatBool(f.Overwrite), VmCount: int64(v.Counts.Total()), CreationTime: alibaba.Time(v.CreatedAt),
		InvocationStatus: alibaba.FilesStatus(core.CountsOf(v, tasks)), Tags: tagSet{showTags(v.Tags)},
		InvokeInstances: fileInstanceSet{shown},
	}
}
