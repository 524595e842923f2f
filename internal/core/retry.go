package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// RetrySpec says which tasks of a run to repeat.
type RetrySpec struct {
	// States are those of the tasks; none means all that did not do what was asked: bad ends, and those that were cancelled before they started.
	States []State
	// Nodes narrows it to these. Without States it then does not matter how their tasks ended.
	Nodes []string
}

// Retried is what became of the order to repeat a run.
type Retried struct {
	Invocation
	Skipped []SkippedNode
}

// SkippedNode is a node on which a run would have been repeated.
type SkippedNode struct{ ID, Why string }

// wants reports whether a task is to be repeated.
func (r *RetrySpec) wants(t *Task) bool {
	switch {
	case len(r.States) > 0:
		return slices.Contains(r.States, t.State)
	case len(r.Nodes) > 0:
		return t.State.Ended()
	}
	return t.State.Bad() || t.State == Cancelled
}

// Retry runs the same again, with the same parameters, secrets, limits and pace, on exactly those nodes of a run where it did not come to what was
// asked. The new invocation names the old one as RetryOf. Nodes that were removed since, or cordoned, are left out and named. It is refused while
// one of the named nodes is still at it.
func (s *Service) Retry(ctx context.Context, c Caller, id ID, spec RetrySpec) (Retried, error) {
	if err := s.allowObjects(ctx, &c, "invocation.list", nil, KindInvocation, texts(id)); err != nil {
		return Retried{}, err
	}
	old, err := s.invocation(ctx, c.Account, id)
	if err != nil {
		return Retried{}, err
	}
	if err := old.retries(&spec); err != nil {
		return Retried{}, err
	}
	tasks, err := s.retriedTasks(ctx, &old, &spec)
	if err != nil {
		return Retried{}, err
	}
	keys := make([]NodeKey, len(tasks))
	for i := range tasks {
		keys[i] = tasks[i].Node
	}
	nodes, err := s.NodesByKey(ctx, c.Account, keys)
	if err != nil {
		return Retried{}, err
	}
	out := Retried{Skipped: skipNodes(&nodes)}
	if len(nodes) == 0 {
		why := make([]string, len(out.Skipped))
		for i, n := range out.Skipped {
			why[i] = n.ID + ": " + n.Why
		}
		return out, &Error{Code: CodeConflict, Reason: ReasonInvalidValue, Detail: "no node is left to run it on: " + clip(strings.Join(why, ", "), 500)}
	}
	// In the order of the targets, on which steps of a pace rest.
	place := make(map[NodeKey]int, len(keys))
	for i, key := range keys {
		place[key] = i
	}
	slices.SortFunc(nodes, func(a, b Node) int { return place[a.Key] - place[b.Key] })
	if err := s.allowRetry(ctx, &c, &old, nodes); err != nil {
		return out, err
	}
	out.Invocation, err = s.retry(ctx, c, &old, nodes)
	return out, err
}

// retries refuses what cannot be repeated.
func (v *Invocation) retries(spec *RetrySpec) error {
	switch v.Kind {
	case KindOnce, KindFile, KindPush, KindFetch:
	case KindStanding, KindOccurrence, KindProbe:
		return &Error{Code: CodeConflict, Reason: ReasonInvalidValue, Detail: "what nobody ordered to run once cannot be repeated: " + v.Kind.String()}
	}
	for _, state := range spec.States {
		if !state.Ended() {
			return invalid(ReasonInvalidValue, "states", "%s is no end", state)
		}
	}
	return nil
}

// retriedTasks finds the tasks to repeat, in their order.
func (s *Service) retriedTasks(ctx context.Context, v *Invocation, spec *RetrySpec) ([]Task, error) {
	all, _, err := s.store.ListTasks(ctx, TaskFilter{Account: v.Account, Invocations: []ID{v.ID}}, Page{Limit: MaxTargets})
	if err != nil {
		return nil, err
	}
	named, err := s.named(ctx, v.Account, all, spec.Nodes)
	if err != nil {
		return nil, err
	}
	among := make(map[TaskID]bool, len(named))
	for _, id := range named {
		among[id] = true
	}
	var tasks []Task
	for i := range all {
		switch t := &all[i]; {
		case !among[t.ID]:
		case len(spec.Nodes) > 0 && !t.State.Ended():
			return nil, &Error{Code: CodeConflict, Reason: ReasonInvalidValue, Field: "nodes", Detail: "a named node has not come to an end: " + t.State.String()}
		case spec.wants(t):
			tasks = append(tasks, *t)
		}
	}
	if len(tasks) == 0 {
		return nil, &Error{Code: CodeConflict, Reason: ReasonInvalidValue, Detail: fmt.Sprintf("nothing to repeat: of %d tasks none ended that way", len(all))}
	}
	return tasks, nil
}

// skipNodes takes out the nodes on which nothing runs any more.
func skipNodes(nodes *[]Node) (skipped []SkippedNode) {
	*nodes = slices.DeleteFunc(*nodes, func(n Node) bool {
		why := ""
		switch {
		case !n.RemovedAt.IsZero():
			why = "removed since"
		case !n.CordonedAt.IsZero():
			why = n.cordonedText()
		default:
			return false
		}
		skipped = append(skipped, SkippedNode{n.ID, why})
		return true
	})
	return skipped
}

// allowRetry is Allow for ordering all of it anew.
func (s *Service) allowRetry(ctx context.Context, c *Caller, v *Invocation, nodes []Node) error {
	order := RunSpec{File: v.File, Transfer: v.Transfer, Tags: v.Tags, Pace: v.Pace}
	for i := range nodes {
		order.Targets = append(order.Targets, nodes[i].ID)
	}
	if v.Saved {
		order.Command = v.Command
	}
	return s.allowRun(ctx, c, &order)
}

func (s *Service) retry(ctx context.Context, c Caller, old *Invocation, nodes []Node) (Invocation, error) {
	if err := s.room(ctx, c.Account, QuotaInvocations); err != nil {
		return Invocation{}, err
	}
	v := *old
	v.Principal, v.RetryOf = c.Principal, old.ID
	v.Selection = Selection{} // that was another choice
	v.ClientToken, v.RequestHash, v.Schedule = "", "", 0
	v.Due, v.StartedAt, v.EndedAt, v.Pacing = time.Time{}, time.Time{}, time.Time{}, nil
	if v.Pace != nil {
		if err := v.Pace.check(len(nodes)); err != nil {
			return Invocation{}, err
		}
	}
	if v.Kind == KindPush {
		if _, err := s.store.Parcel(ctx, v.Transfer.Parcel); errors.Is(err, ErrNotFound) {
			return Invocation{}, &Error{Code: CodeConflict, Reason: ReasonAlreadyEnded, Detail: "the file is not kept any more: push it again"}
		} else if err != nil {
			return Invocation{}, err
		}
	}
	var err error
	if v.Outlet, err = s.outlet(ctx, &v); err != nil {
		return Invocation{}, err
	}
	s.overlay(nodes)
	if v, err = s.insert(ctx, v, nodes, ""); err != nil {
		return Invocation{}, err
	}
	c.Trail.note("invocation/" + v.ID.String())
	if v.Kind == KindPush {
		err = s.passParcel(ctx, &v)
	}
	if err == nil && v.Pace != nil {
		err = s.paceAccepted(ctx, &v)
	}
	return v, err
}

// passParcel makes the file of a push belong to the invocation that needs it longest.
func (s *Service) passParcel(ctx context.Context, v *Invocation) error {
	now := s.Now()
	return s.store.ChangeParcel(ctx, v.Transfer.Parcel, func(p *Parcel) (bool, error) {
		p.Invocation, p.UpdatedAt = v.ID, now
		return true, nil
	})
}

// RetriesOf returns the invocations that repeat tasks of one, the latest first: at most the last hundred.
func (s *Service) RetriesOf(ctx context.Context, c Caller, id ID) ([]Invocation, error) {
	if err := s.allowObjects(ctx, &c, "invocation.list", nil, KindInvocation, texts(id)); err != nil {
		return nil, err
	}
	rows, _, err := s.store.ListInvocations(ctx, InvocationFilter{Account: c.Account, RetryOf: id}, Page{Limit: 100})
	return rows, err
}
