package core

import (
	"context"
	"errors"
	"slices"

	"errand/internal/target"
)

// Invocation returns one invocation.
func (s *Service) Invocation(ctx context.Context, c Caller, id ID) (Invocation, error) {
	if err := s.allowObjects(ctx, &c, "invocation.list", nil, KindInvocation, texts(id)); err != nil {
		return Invocation{}, err
	}
	return s.invocation(ctx, c.Account, id)
}

func (s *Service) invocation(ctx context.Context, account AccountID, id ID) (Invocation, error) {
	v, err := s.store.Invocation(ctx, account, id)
	if errors.Is(err, ErrNotFound) {
		return Invocation{}, notFound(ReasonInvocationNotFound, "no invocation %s", id)
	}
	return v, err
}

// scanned is how many rows are read at a time when a listing is filtered by what only the caller can judge.
const scanned = 500

// Invocations lists invocations, newest first.
func (s *Service) Invocations(ctx context.Context, c Caller, f InvocationFilter, p PageSpec) ([]Invocation, PageInfo, error) {
	if err := s.allowHistory(ctx, &c, "invocation.list", f.IDs, f.Commands, f.Nodes); err != nil {
		return nil, PageInfo{}, err
	}
	f.Account = c.Account
	return list(s.pages, c.Account, "invocations", p,
		func(v *Invocation) Cursor { return Cursor{A: int64(v.ID)} },
		func(p Page) ([]Invocation, int, error) { return s.store.ListInvocations(ctx, f, p) })
}

// TaskView is a task together with what a caller needs to make sense of it.
//
// For a task of a standing invocation the Task is its latest run, if there was one, in the state that the two come to: the run's
// while it lasts, otherwise that of the standing task. Runs, LatestDue, Skipped and Missed are the standing task's.
type TaskView struct {
	Task
	Invocation *Invocation
	Target     Node
	Repeats    int // how often it has run to an end
	// Delivery is that of its output; nil if there is none, or none yet.
	Delivery *TaskDelivery
}

// CountsOf counts the tasks of an invocation that TasksOf returned, by state. Answers that show tasks beside an overall status derive it
// from those very tasks: the counts of the invocation were read a moment before and may say otherwise. Only where not all tasks can be
// shown, they are what there is to go by.
func CountsOf(v *Invocation, tasks []TaskView) *Counts {
	if len(tasks) >= minShown && len(tasks) < v.Counts.Total() {
		return &v.Counts
	}
	var c Counts
	for i := range tasks {
		c[tasks[i].State]++
	}
	return &c
}

// An answer shows at most so many tasks: any vendor's whole page, and of each invocation as many as any vendor lets it have.
const (
	maxShown = 10_000
	minShown = 200
)

// Tasks lists tasks with their invocations and nodes, newest invocation first, then in the order of the targets.
func (s *Service) Tasks(ctx context.Context, c Caller, f TaskFilter, p PageSpec) ([]TaskView, PageInfo, error) {
	named := slices.Clone(f.Invocations)
	for _, id := range f.IDs {
		named = append(named, id.Invocation)
	}
	if err := s.allowHistory(ctx, &c, "task.list", named, f.Commands, f.Nodes); err != nil {
		return nil, PageInfo{}, err
	}
	f.Account = c.Account
	rows, info, err := list(s.pages, c.Account, "tasks", p,
		func(t *Task) Cursor { return Cursor{A: int64(t.ID.Invocation), B: int64(t.ID.Index)} },
		func(p Page) ([]Task, int, error) { return s.store.ListTasks(ctx, f, p) })
	if err != nil {
		return nil, info, err
	}
	views, err := s.views(ctx, c.Account, rows, f.Output)
	return views, info, err
}

// MostShown is how many tasks of each invocation a page of so many of them shows: 10,000 divided by their number, and never less than 200.
func MostShown(invocations int) int { return max(minShown, maxShown/max(invocations, 1)) }

// TasksOf returns the first tasks of some invocations, at most so many of each, for listings of invocations that show them. That the caller may
// see these was judged when they were listed.
func (s *Service) TasksOf(
	ctx context.Context, c Caller, ids []ID, nodes []NodeKey, output bool, each int,
) (map[ID][]TaskView, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	f := TaskFilter{Account: c.Account, Invocations: ids, Nodes: nodes, Output: output, Each: each}
	rows, _, err := s.store.ListTasks(ctx, f, Page{Limit: len(ids) * f.Each})
	if err != nil {
		return nil, err
	}
	views, err := s.views(ctx, c.Account, rows, output)
	if err != nil {
		return nil, err
	}
	byID := make(map[ID][]TaskView, len(ids))
	for _, v := range views {
		byID[v.Invocation.ID] = append(byID[v.Invocation.ID], v)
	}
	return byID, nil
}

// views joins tasks with their invocations and nodes, and standing tasks with their latest runs.
func (s *Service) views(ctx context.Context, account AccountID, rows []Task, output bool) ([]TaskView, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	var ids []ID
	var keys []NodeKey
	for i := range rows {
		ids = append(ids, rows[i].ID.Invocation)
		keys = append(keys, rows[i].Node)
	}
	ids, keys = unique(ids), unique(keys)
	invocations, _, err := s.store.ListInvocations(ctx, InvocationFilter{Account: account, IDs: ids}, Page{Limit: len(ids)})
	if err != nil {
		return nil, err
	}
	nodes, err := s.NodesByKey(ctx, account, keys)
	if err != nil {
		return nil, err
	}
	byID := make(map[ID]*Invocation, len(invocations))
	for i := range invocations {
		byID[invocations[i].ID] = &invocations[i]
	}
	byKey := make(map[NodeKey]Node, len(nodes))
	for _, n := range nodes {
		byKey[n.Key] = n
	}
	latest, err := s.latest(ctx, account, rows, output)
	if err != nil {
		return nil, err
	}
	views := make([]TaskView, 0, len(rows))
	for _, t := range rows {
		v := byID[t.ID.Invocation]
		if v == nil {
			continue // it was deleted between the two reads
		}
		view := TaskView{Task: t, Invocation: v, Target: byKey[t.Node]}
		if v.Kind == KindStanding {
			view.standing(latest)
		} else if t.State.Ended() && !t.StartedAt.IsZero() {
			view.Repeats = 1
		}
		views = append(views, view)
	}
	return views, s.joinDeliveries(ctx, views)
}

// joinDeliveries adds to tasks the deliveries of their output. It costs nothing where there can be none.
func (s *Service) joinDeliveries(ctx context.Context, views []TaskView) error {
	var ids []TaskID
	for i := range views {
		if views[i].Invocation.Outlet != NoOutlet {
			ids = append(ids, views[i].ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := s.store.DeliveriesOf(ctx, ids)
	for i := range views {
		if d, ok := found[views[i].ID]; ok {
			views[i].Delivery = &d
		}
	}
	return err
}

// latest reads the latest runs of those of the tasks that are standing ones.
func (s *Service) latest(ctx context.Context, account AccountID, rows []Task, output bool) (map[TaskID]Task, error) {
	var ids []TaskID
	for i := range rows {
		if rows[i].Latest != 0 {
			ids = append(ids, TaskID{rows[i].Latest, rows[i].ID.Index})
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	runs, _, err := s.store.ListTasks(ctx, TaskFilter{Account: account, IDs: ids, Output: output}, Page{Limit: len(ids)})
	byID := make(map[TaskID]Task, len(runs))
	for i := range runs {
		byID[runs[i].ID] = runs[i]
	}
	return byID, err
}

// standing puts the latest run in the place of a standing task.
func (v *TaskView) standing(latest map[TaskID]Task) {
	own := v.Task
	v.Repeats = int(own.Runs)
	run, ok := latest[TaskID{own.Latest, own.ID.Index}]
	if !ok {
		return // it never ran, or its run is not kept any more
	}
	if !run.State.Ended() {
		v.Repeats--
	}
	v.Task = run
	v.Runs, v.Skipped, v.Missed, v.LatestDue = own.Runs, own.Skipped, own.Missed, own.LatestDue
	if !own.StopAskedAt.IsZero() {
		v.StopAskedAt = own.StopAskedAt
	}
	switch {
	case own.State.Ended():
		v.State, v.Cause = own.State, own.Cause
	case own.State == Stopping:
		v.State, v.Cause = Stopping, NoCause
	case run.State.Ended():
		v.State, v.Cause = own.State, NoCause
	}
}

func unique[T int64 | ID | NodeKey](s []T) []T {
	slices.Sort(s)
	return slices.Compact(s)
}

// Nodes lists machines, newest first, with their latest signs of life.
func (s *Service) Nodes(ctx context.Context, c Caller, f NodeFilter, p PageSpec) ([]Node, PageInfo, error) {
	named := slices.Clone(f.IDs)
	if len(f.Keys) > 0 {
		rows, err := s.NodesByKey(ctx, c.Account, f.Keys)
		if err != nil {
			return nil, PageInfo{}, err
		}
		for i := range rows {
			named = append(named, rows[i].ID)
		}
	}
	if err := s.allowObjects(ctx, &c, "node.list", nil, KindNode, named); err != nil {
		return nil, PageInfo{}, err
	}
	f.Account, f.Now = c.Account, s.Now()
	if f.Online != nil || target.Mentions(f.Expr, target.Online) {
		if err := s.FlushSeen(ctx); err != nil { // so that the store's rows are as fresh as memory
			return nil, PageInfo{}, err
		}
	}
	rows, info, err := list(s.pages, c.Account, "nodes", p,
		func(n *Node) Cursor { return Cursor{A: int64(n.Key)} },
		func(p Page) ([]Node, int, error) { return s.store.ListNodes(ctx, f, p) })
	s.overlay(rows)
	return rows, info, err
}

// NodesByID returns those of the named nodes that exist.
func (s *Service) NodesByID(ctx context.Context, c Caller, ids []string) (map[string]Node, error) {
	if err := s.allowObjects(ctx, &c, "node.list", nil, KindNode, ids); err != nil {
		return nil, err
	}
	return s.nodesByID(ctx, c.Account, ids)
}

func (s *Service) nodesByID(ctx context.Context, account AccountID, ids []string) (map[string]Node, error) {
	found, err := s.store.NodesByID(ctx, account, ids)
	for id, n := range found {
		one := []Node{n}
		s.overlay(one)
		found[id] = one[0]
	}
	return found, err
}

// NodeKeys returns the keys of the named nodes, removed ones included, for filters: history outlives its machines. An unknown name adds
// a key that no node has, so that a filter by unknown nodes matches nothing.
func (s *Service) NodeKeys(ctx context.Context, c Caller, ids []string) ([]NodeKey, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows, _, err := s.store.ListNodes(ctx, NodeFilter{Account: c.Account, IDs: ids, Removed: true}, Page{Limit: MaxTargets})
	keys := []NodeKey{-1}
	for i := range rows {
		keys = append(keys, rows[i].Key)
	}
	return keys, err
}

// NodesByKey returns the nodes with these keys, removed ones included.
func (s *Service) NodesByKey(ctx context.Context, account AccountID, keys []NodeKey) ([]Node, error) {
	rows, _, err := s.store.ListNodes(ctx, NodeFilter{Account: account, Keys: keys, Removed: true}, Page{Limit: len(keys)})
	return rows, err
}

// Loads counts the tasks of some nodes.
func (s *Service) Loads(ctx context.Context, nodes []Node) (map[NodeKey]NodeLoad, error) {
	keys := make([]NodeKey, len(nodes))
	for i := range nodes {
		keys[i] = nodes[i].Key
	}
	return s.store.NodeLoads(ctx, keys)
}
