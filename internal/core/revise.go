package core

import (
	"context"
	"maps"

	"errand/internal/policy"
)

// Revision changes a standing invocation. Nil fields leave things as they are; what runs goes on as it was started.
type Revision struct {
	Content       []byte
	ParamsEnabled *bool
	Params        map[string]string
	Frequency     *string
	Targets       []string          // nodes to add
	Extra         map[string]string // merged
	Style         ParamStyle
	Limits        Limits
}

// Revise changes a standing invocation that is not over. Its nodes go on with the new plan as soon as they hear of it.
func (s *Service) Revise(ctx context.Context, c Caller, id ID, r Revision) (Invocation, error) {
	about, err := s.resources(ctx, &c, KindInvocation, texts(id))
	if err == nil && len(r.Targets) > 0 {
		var joining []policy.Resource
		joining, err = s.resources(ctx, &c, KindNode, r.Targets)
		about = append(about, joining...)
	}
	if err != nil {
		return Invocation{}, err
	}
	if err := c.Allow("invocation.modify", nil, about...); err != nil {
		return Invocation{}, err
	}
	v, err := s.invocation(ctx, c.Account, id)
	if err != nil {
		return Invocation{}, err
	}
	if err := s.revise(&v, &r); err != nil {
		return Invocation{}, err
	}
	joining, err := s.joining(ctx, c, &v, &r)
	if err != nil {
		return Invocation{}, err
	}
	if r.Content != nil {
		if v.Command, err = s.commandBehind(ctx, c, &RunSpec{
			Save: v.Saved, Region: v.Region, ResourceGroup: v.ResourceGroup, Tags: v.Tags, Extra: v.Extra,
		}, v.Definition); err != nil {
			return Invocation{}, err
		}
	}
	var tasks []Task
	err = s.store.ReviseInvocation(ctx, c.Account, id, func(now *Invocation) ([]Task, error) {
		command := v.Command
		v = *now
		if err := s.revise(&v, &r); err != nil { // somebody else may have changed or ended it meanwhile
			return nil, err
		}
		v.Command = command
		tasks = s.addTasks(&v, joining)
		*now = v
		return tasks, nil
	})
	if err != nil {
		return Invocation{}, err
	}
	open, err := s.store.OpenTasks(ctx, id)
	if err != nil {
		return Invocation{}, err
	}
	s.feed.tell(Event{New: &v, Tasks: open, Revised: true})
	return v, nil
}

// revise applies what does not need the store.
func (s *Service) revise(v *Invocation, r *Revision) error {
	switch {
	case v.Kind != KindStanding:
		return &Error{Code: CodeConflict, Reason: ReasonNotStanding, Detail: "the invocation does not repeat"}
	case v.Counts.Open() == 0:
		return &Error{Code: CodeConflict, Reason: ReasonAlreadyEnded, Detail: "the invocation is over"}
	case r.Frequency != nil && v.Repeat != Period:
		return &Error{Code: CodeConflict, Reason: ReasonNotStanding, Field: "frequency", Detail: "the invocation has none"}
	}
	if r.Content != nil {
		v.Content = r.Content
	}
	if r.ParamsEnabled != nil {
		v.ParamsEnabled = *r.ParamsEnabled
	}
	if r.Params != nil {
		v.Params = r.Params
	}
	if r.Frequency != nil {
		v.Frequency = *r.Frequency
	}
	if len(r.Extra) > 0 {
		v.Extra = maps.Clone(v.Extra)
		if v.Extra == nil {
			v.Extra = map[string]string{}
		}
		maps.Copy(v.Extra, r.Extra)
	}
	v.Revision++
	v.RevisedAt = s.Now()
	l := r.Limits
	if err := v.Definition.check(&l); err != nil {
		return err
	}
	if r.Frequency != nil {
		if err := v.checkRepeat(v.RevisedAt, &l); err != nil {
			return err
		}
	}
	return v.fillIn(r.Style, &l)
}

// joining resolves the nodes to add that are not there already.
func (s *Service) joining(ctx context.Context, c Caller, v *Invocation, r *Revision) ([]Node, error) {
	if len(r.Targets) == 0 {
		return nil, nil
	}
	nodes, err := s.targets(ctx, c.Account, v, &RunSpec{Targets: r.Targets, Limits: r.Limits})
	if err != nil {
		return nil, err
	}
	tasks, _, err := s.store.ListTasks(ctx, TaskFilter{Account: c.Account, Invocations: []ID{v.ID}}, Page{Limit: MaxTargets})
	if err != nil {
		return nil, err
	}
	there := make(map[NodeKey]bool, len(tasks))
	for i := range tasks {
		there[tasks[i].Node] = true
	}
	fresh := nodes[:0]
	for _, n := range nodes {
		if !there[n.Key] {
			fresh = append(fresh, n)
		}
	}
	if r.Limits.Targets > 0 && len(tasks)+len(fresh) > r.Limits.Targets {
		return nil, limited(ReasonTargetsTooMany, "targets", "more than %d", r.Limits.Targets)
	}
	return fresh, nil
}

// addTasks makes tasks for nodes that join an invocation, behind those that are there.
func (s *Service) addTasks(v *Invocation, nodes []Node) []Task {
	first, needs := v.Counts.Total(), v.needs()
	tasks := make([]Task, len(nodes))
	for i := range nodes {
		tasks[i] = s.newTask(v, uint32(first+i), &nodes[i], needs, v.RevisedAt)
	}
	return tasks
}
