package core

import (
	"context"
	"errors"
)

// Stop ends the tasks of an invocation on the named nodes, or on all. What never left the server is cancelled at once; what may be in a
// node's hands becomes Stopping and ends when the node has answered. Tasks that have ended are left alone.
func (s *Service) Stop(ctx context.Context, c Caller, id ID, nodes []string) error {
	if err := s.allowStop(ctx, &c, "invocation.stop", id, nodes); err != nil {
		return err
	}
	_, err := s.store.Invocation(ctx, c.Account, id)
	if errors.Is(err, ErrNotFound) {
		return notFound(ReasonInvocationNotFound, "no invocation %s", id)
	}
	if err != nil {
		return err
	}
	tasks, _, err := s.store.ListTasks(ctx, TaskFilter{Account: c.Account, Invocations: []ID{id}}, Page{Limit: MaxTargets})
	if err != nil {
		return err
	}
	wanted, err := s.named(ctx, c.Account, tasks, nodes)
	if err != nil {
		return err
	}
	return s.stop(ctx, wanted, func(State) bool { return true })
}

// stop ends tasks that are in one of some states.
func (s *Service) stop(ctx context.Context, ids []TaskID, in func(State) bool) error {
	now := s.Now()
	asked := map[TaskID]Task{}
	err := s.store.ChangeTasks(ctx, ids, func(t *Task) bool {
		delete(asked, t.ID)
		if t.State.Ended() || t.State == Stopping || !in(t.State) {
			return false
		}
		t.StopAskedAt = now
		if t.Tries == 0 && t.State.Waiting() {
			return t.become(Cancelled, CauseInterrupted, now)
		}
		ok := t.become(Stopping, NoCause, now)
		asked[t.ID] = *t
		return ok
	})
	if err != nil {
		return err
	}
	var e Event
	for _, t := range asked {
		e.Stops = append(e.Stops, t)
	}
	s.feed.tell(e)
	told := map[ID]bool{}
	for _, id := range ids {
		if !told[id.Invocation] {
			told[id.Invocation] = true
			s.paceMoved(id.Invocation)
		}
	}
	return nil
}

// named returns the tasks on the named nodes, or all if none is named.
func (s *Service) named(ctx context.Context, account AccountID, tasks []Task, nodes []string) ([]TaskID, error) {
	all := make(map[NodeKey]TaskID, len(tasks))
	ids := make([]TaskID, 0, len(tasks))
	for i := range tasks {
		all[tasks[i].Node] = tasks[i].ID
		ids = append(ids, tasks[i].ID)
	}
	if len(nodes) == 0 {
		return ids, nil
	}
	rows, _, err := s.store.ListNodes(ctx, NodeFilter{Account: account, IDs: nodes, Removed: true}, Page{Limit: len(nodes) * 2})
	if err != nil {
		return nil, err
	}
	ids = ids[:0]
	found := map[string]bool{}
	for i := range rows {
		id, ok := all[rows[i].Key]
		if ok {
			ids = append(ids, id)
		}
		found[rows[i].ID] = found[rows[i].ID] || ok
	}
	for _, n := range nodes {
		hit, exists := found[n]
		switch {
		case !exists:
			return nil, &Error{Code: CodeNotFound, Reason: ReasonTargetNotFound, Field: n, Detail: "no such node"}
		case !hit:
			return nil, &Error{Code: CodeInvalid, Reason: ReasonTargetNotInInvocation, Field: n, Detail: "not a target of this invocation"}
		}
	}
	return ids, nil
}
