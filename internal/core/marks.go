package core

import (
	"context"
	"time"
)

// TaskMark is as much of a task as a picture of all tasks of an invocation needs.
type TaskMark struct {
	Index      uint32
	Node       NodeKey
	State      State
	Held       bool // its turn has not come
	ReleasedAt time.Time
	SentAt     time.Time
	ReceivedAt time.Time
	StartedAt  time.Time
	EndedAt    time.Time
}

// TaskMarks returns all tasks of an invocation in the order of its targets, however many they are: some megabytes for 50,000. Whoever shows them
// to many asks once for all.
func (s *Service) TaskMarks(ctx context.Context, c Caller, id ID) ([]TaskMark, error) {
	if err := s.allowHistory(ctx, &c, "task.list", []ID{id}, nil, nil); err != nil {
		return nil, err
	}
	if _, err := s.invocation(ctx, c.Account, id); err != nil {
		return nil, err
	}
	return s.store.TaskMarks(ctx, id)
}
