package core

import (
	"context"
	"errors"
	"slices"
)

// Invocation returns one invocation.
func (s *Service) Invocation(ctx context.Context, c Caller, id ID) (Invocation, error) {
	v, err := s.store.Invocation(ctx, c.Account, id)
	if errors.Is(err, ErrNotFound) {
		return Invocation{}, notFound(ReasonInvocationNotFound, "no invocation %s", id)
	}
	return v, err
}

// scanned is how many rows are read at a time when a listing is filtered by what only the caller can judge.
const scanned = 500

// Invocations lists invocations, newest first. keep, if not nil, selects by what no store can: a status that a dialect derives from
// the counts.
func (s *Service) Invocations(
	ctx context.Context, c Caller, f InvocationFilter, keep func(*Invocation) bool, p PageSpec,
) ([]Invocation, PageInfo, error) {
	f.Account = c.Account
	read := func(p Page) ([]Invocation, int, error) { return s.store.ListInvocations(ctx, f, p) }
	if keep != nil {
		read = kept(read, keep, invocationCursor)
	}
	return list(s.pages, c.Account, "invocations", p, invocationCursor, read)
}

func invocationCursor(v *Invocation) Cursor { return Cursor{A: int64(v.ID)} }

// kept wraps the reader of a listing so that it yields only rows that keep lets through.
func kept[T any](read func(Page) ([]T, int, error), keep func(*T) bool, cursor func(*T) Cursor) func(Page) ([]T, int, error) {
	return func(p Page) ([]T, int, error) {
		var out []T
		total := 0
		for scan := (Page{After: p.After, Limit: scanned}); ; {
			rows, _, err := read(scan)
			if err != nil {
				return nil, 0, err
			}
			for i := range rows {
				if !keep(&rows[i]) {
					continue
				}
				total++
				if (p.After != nil || total > p.Offset) && len(out) < p.Limit {
					out = append(out, rows[i])
				}
			}
			if len(rows) < scanned || len(out) == p.Limit && !p.Count {
				return out, total, nil
			}
			last := cursor(&rows[len(rows)-1])
			scan.After = &last
		}
	}
}

// TaskView is a task together with what a caller needs to make sense of it.
type TaskView struct {
	Task
	Invocation *Invocation
	Target     Node
}

// CountsOf counts tasks by state. Answers that show tasks beside an overall status derive it from those very tasks: the counts of the
// invocation were read a moment before and may say otherwise.
func CountsOf(tasks []TaskView) *Counts {
	var c Counts
	for i := range tasks {
		c[tasks[i].State]++
	}
	return &c
}

// Tasks lists tasks with their invocations and nodes, newest invocation first, then in the order of the targets.
func (s *Service) Tasks(ctx context.Context, c Caller, f TaskFilter, p PageSpec) ([]TaskView, PageInfo, error) {
	f.Account = c.Account
	rows, info, err := list(s.pages, c.Account, "tasks", p,
		func(t *Task) Cursor { return Cursor{A: int64(t.ID.Invocation), B: int64(t.ID.Index)} },
		func(p Page) ([]Task, int, error) { return s.store.ListTasks(ctx, f, p) })
	if err != nil {
		return nil, info, err
	}
	views, err := s.views(ctx, c.Account, rows)
	return views, info, err
}

// TasksOf returns all tasks of some invocations, for listings of invocations that show them.
func (s *Service) TasksOf(ctx context.Context, c Caller, ids []ID, nodes []NodeKey, output bool) (map[ID][]TaskView, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	f := TaskFilter{Account: c.Account, Invocations: ids, Nodes: nodes, Output: output}
	rows, _, err := s.store.ListTasks(ctx, f, Page{Limit: len(ids) * MaxTargets})
	if err != nil {
		return nil, err
	}
	views, err := s.views(ctx, c.Account, rows)
	if err != nil {
		return nil, err
	}
	byID := make(map[ID][]TaskView, len(ids))
	for _, v := range views {
		byID[v.ID.Invocation] = append(byID[v.ID.Invocation], v)
	}
	return byID, nil
}

// views joins tasks with their invocations and nodes.
func (s *Service) views(ctx context.Context, account AccountID, rows []Task) ([]TaskView, error) {
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
	views := make([]TaskView, 0, len(rows))
	for _, t := range rows {
		if v := byID[t.ID.Invocation]; v != nil { // else it was deleted between the two reads
			views = append(views, TaskView{Task: t, Invocation: v, Target: byKey[t.Node]})
		}
	}
	return views, nil
}

func unique[T int64 | ID | NodeKey](s []T) []T {
	slices.Sort(s)
	return slices.Compact(s)
}

// Nodes lists machines, newest first, with their latest signs of life.
func (s *Service) Nodes(ctx context.Context, c Caller, f NodeFilter, p PageSpec) ([]Node, PageInfo, error) {
	f.Account, f.Now = c.Account, s.Now()
	if f.Online != nil {
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
	found, err := s.store.NodesByID(ctx, c.Account, ids)
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
