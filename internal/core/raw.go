package core

import (
	"context"
	"io"
)

// Raw is all that is kept of what a task has printed so far to one stream, or to both.
type Raw struct {
	Size uint64
	Gone uint64 // bytes of the whole output that were not kept

	service *Service
	task    Task
	stream  Stream
}

// RawOutput prepares all of a task's output to be written somewhere.
func (s *Service) RawOutput(ctx context.Context, c Caller, id TaskID, stream Stream) (*Raw, error) {
	views, _, err := s.Tasks(ctx, c, TaskFilter{IDs: []TaskID{id}, Output: true}, PageSpec{Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(views) == 0 {
		return nil, notFound(ReasonInvocationNotFound, "no task %s", id)
	}
	r := &Raw{service: s, task: views[0].Task, stream: stream}
	o := &r.task.Output
	end := uint64(0)
	for _, seg := range o.Segments {
		switch stream {
		case Merged:
			r.Size += seg.Len
		case Stdout:
			r.Size += seg.Len - seg.Stderr
		case Stderr:
			r.Size += seg.Stderr
		}
		r.Gone += seg.Off - end
		end = seg.End()
	}
	r.Size += uint64(len(o.Recent.of(stream)))
	r.Gone += r.task.lostEnd()
	return r, nil
}

// Write writes Size bytes, a segment at a time.
func (r *Raw) Write(ctx context.Context, w io.Writer) error {
	return r.service.Full(ctx, &r.task, func(c Chunk) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, err := w.Write(c.of(r.stream))
		return err
	})
}
