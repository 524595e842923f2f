package core

import (
	"context"
	"slices"
	"time"
)

// Waiting is a task that waits for its node.
type Waiting struct {
	TaskView
	Deadline time.Time // when it is given up; zero while its turn has not come
}

// maxBacklog is how many tasks of one node's backlog are shown.
const maxBacklog = 10_000

// waiting are the states of tasks that their node does not have, as far as is known.
func waitingStates() []State { return []State{Queued, Delivering, Deferred} }

// Backlog returns the tasks that wait for a node, in the order in which it will get them: at most the 10,000 latest. Those whose turn has not come
// are among them, but their place may change.
func (s *Service) Backlog(ctx context.Context, c Caller, node string) ([]Waiting, error) {
	n, err := s.backlogNode(ctx, &c, "task.list", node)
	if err != nil {
		return nil, err
	}
	rows, err := s.backlog(ctx, &n, maxBacklog)
	if err != nil {
		return nil, err
	}
	views, err := s.views(ctx, c.Account, rows, false)
	list := make([]Waiting, len(views))
	for i := range views {
		list[i] = Waiting{TaskView: views[i], Deadline: views[i].Invocation.Deadline(&views[i].Task)}
	}
	slices.Reverse(list) // tasks are listed newest first, and handed over oldest first; a node has one of each invocation
	return list, err
}

// CancelBacklog ends the tasks that wait for a node and returns how many. A node that is there may begin one before it hears of this; then that is stopped.
func (s *Service) CancelBacklog(ctx context.Context, c Caller, node string) (int, error) {
	n, err := s.backlogNode(ctx, &c, "invocation.stop", node)
	if err != nil {
		return 0, err
	}
	rows, err := s.backlog(ctx, &n, MaxTargets)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	ids := make([]TaskID, len(rows))
	about := make([]ID, len(rows))
	for i := range rows {
		ids[i], about[i] = rows[i].ID, rows[i].ID.Invocation
	}
	if !c.unlimited() { // whoever may not stop one of these stops none
		if err := s.allowObjects(ctx, &c, "invocation.stop", nil, KindInvocation, texts(about...)); err != nil {
			return 0, err
		}
	}
	return len(ids), s.stop(ctx, ids, State.Waiting)
}

func (s *Service) backlogNode(ctx context.Context, c *Caller, verb, id string) (Node, error) {
	if err := s.allowObjects(ctx, c, verb, nil, KindNode, []string{id}); err != nil {
		return Node{}, err
	}
	found, err := s.store.NodesByID(ctx, c.Account, []string{id})
	if err != nil {
		return Node{}, err
	}
	n, ok := found[id]
	if !ok {
		return n, notFound(ReasonTargetNotFound, "no node %s", id)
	}
	return n, nil
}

// backlog reads the tasks that wait for a node, the latest first. What the node has said to have is none of it.
func (s *Service) backlog(ctx context.Context, n *Node, most int) ([]Task, error) {
	rows, _, err := s.store.ListTasks(ctx, TaskFilter{Account: n.Account, Nodes: []NodeKey{n.Key}, States: waitingStates()}, Page{Limit: most})
	return slices.DeleteFunc(rows, func(t Task) bool { return !t.ReceivedAt.IsZero() }), err
}
