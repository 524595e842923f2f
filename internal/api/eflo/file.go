package eflo

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
	if spec.Targets, err = nodes(req.NodeIdList); err != nil {
		return nil, err
	}
	spec.Origin, spec.Region = core.OriginEFLO, d.regions.Or(req.RegionId)
	v, err := d.service.Run(ctx, c, spec)
	if err != nil {
		return nil, err
	}
	return &sendFileResponse{InvokeId: filePrefix + v.ID.String()}, nil
}

// describeSendFileResults returns one transfer, or none: the product documents no error for an unknown id.
func (d *Dialect) describeSendFileResults(
	ctx context.Context, c core.Caller, req *describeSendFileResultsRequest,
) (*describeSendFileResultsResponse, error) {
	resp := &describeSendFileResultsResponse{TotalCount: "0", Invocations: fileSet{Invocation: []file{}}}
	id, ok := api.InvocationID(req.InvokeId)
	if !ok {
		return resp, nil
	}
	v, err := d.service.Invocation(ctx, c, id)
	if core.ReasonInvocationNotFound.Is(err) || err == nil && v.Kind != core.KindFile {
		return resp, nil
	}
	if err != nil {
		return nil, err
	}
	var keys []core.NodeKey
	if req.NodeId != "" {
		if keys, err = d.service.NodeKeys(ctx, c, []string{api.NodeID(req.NodeId)}); err != nil {
			return nil, err
		}
	}
	tasks, err := d.service.TasksOf(ctx, c, []core.ID{id}, keys, false, core.MostShown(1))
	if err != nil {
		return nil, err
	}
	if req.NodeId != "" && len(tasks[id]) == 0 {
		return resp, nil // the file was not for this machine
	}
	resp.Invocations.Invocation = append(resp.Invocations.Invocation, showFile(&v, tasks[id]))
	resp.TotalCount = strconv.Itoa(len(resp.Invocations.Invocation))
	return resp, nil
}

func showFile(v *core.Invocation, tasks []core.TaskView) file {
	f := v.File
	content, kind := alibaba.FileContent(v)
	shown := make([]fileNode, len(tasks))
	for i := range tasks {
		t := &tasks[i]
		cause := fileCause(&t.Task)
		shown[i] = fileNode{
			NodeId: api.ShowNode(nodePrefix, t.Target.ID), InvocationStatus: alibaba.FileStatus(&t.Task),
			ErrorCode: cause.Code, ErrorInfo: cause.Info,
			CreationTime: alibaba.Time(v.CreatedAt), StartTime: alibaba.Time(t.StartedAt),
			FinishTime: alibaba.Time(alibaba.FinishTime(&t.Task, v)), UpdateTime: alibaba.Time(t.UpdatedAt),
		}
	}
	return file{
		Name: f.Name, TargetDir: f.Dir, Content: content, ContentType: kind, Description: v.Description,
		FileOwner: alibaba.FileOwner(f.Owner), FileGroup: alibaba.FileOwner(f.Group), FileMode: f.Mode, Overwrite: f.Overwrite,
		NodeCount: int64(v.Counts.Total()), CreationTime: alibaba.Time(v.CreatedAt),
		InvocationStatus: alibaba.FilesStatus(core.CountsOf(v, tasks)), InvokeNodes: fileNodeSet{shown},
	}
}
