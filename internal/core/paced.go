package core

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// How a run with a Pace moves. What may be released is decided and released in one transaction, by numbers that are counted in it: whoever decides
// and whatever dies in between, there are never more tasks out than Concurrency, and none goes after MaxFailures. Everything else here
// only has it decided again.

// maxRelease is how many tasks one transaction releases, so that nobody else waits long for the writer.
const maxRelease = 2000

// setPace takes over how a new run reaches so many nodes.
func (v *Invocation) setPace(p *Pace, nodes int) error {
	switch {
	case p == nil:
		return nil
	case v.Kind == KindStanding:
		return invalid(ReasonInvalidValue, "pace", "an invocation that repeats has none")
	}
	own := *p
	v.Pace = &own
	return v.Pace.check(nodes)
}

// paceAccepted begins a run with a Pace that has just been stored. If this process dies before, the next one begins it.
func (s *Service) paceAccepted(ctx context.Context, v *Invocation) error {
	if err := s.AdvancePace(ctx, v.ID); err != nil {
		s.log.Error("begin a run", "invocation", v.ID, "error", err) // it is stored, so it is accepted
		return nil
	}
	now, err := s.store.Invocation(ctx, v.Account, v.ID)
	if err == nil {
		*v = now
	}
	return err
}

// paceMoved has it looked at whether a run may go on.
func (s *Service) paceMoved(id ID) {
	s.moved(id)
	s.mu.Lock()
	run, ok := s.paced[id]
	s.mu.Unlock()
	if ok {
		s.feed.tell(Event{Paced: run})
	}
}

// watchPace notes for which run it matters that tasks of an invocation end.
func (s *Service) watchPace(id, run ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paced[id] = run
}

// forgetPace undoes watchPace for a run and its probes.
func (s *Service) forgetPace(run ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, of := range s.paced {
		if of == run {
			delete(s.paced, id)
		}
	}
}

// AdvancePaces moves every run with a Pace as far as it can go.
func (s *Service) AdvancePaces(ctx context.Context) error {
	ids, err := s.store.PacedInvocations(ctx)
	for _, id := range ids {
		if one := s.AdvancePace(ctx, id); one != nil {
			err = errors.Join(err, fmt.Errorf("run %s: %w", id, one))
		}
	}
	return err
}

// AdvancePace moves a run with a Pace as far as it can go now. Any number of processes may call it at any time.
func (s *Service) AdvancePace(ctx context.Context, id ID) error {
	for {
		v, released, err := s.letGoDue(ctx, id)
		if errors.Is(err, ErrNotFound) {
			s.forgetPace(id) // it was removed
			return nil
		}
		if err != nil {
			return err
		}
		if v.Pacing.Done {
			s.forgetPace(id)
			return nil
		}
		s.watchPace(id, id)
		again := released == maxRelease
		switch v.Pacing.State { //nolint:exhaustive // the others wait
		case PaceProbing:
			again, err = s.probe(ctx, &v)
		case PaceAborted:
			again, err = true, s.sweep(ctx, &v)
		}
		if err != nil || !again {
			return err
		}
	}
}

// changePace lets change decide about a run with a Pace, in one transaction, and returns the run as it is then with the tasks that were released.
func (s *Service) changePace(
	ctx context.Context, id ID, change func(v *Invocation, view *paceView, now time.Time) (release int, err error),
) (after Invocation, released []Task, err error) {
	now := s.Now()
	released, err = s.store.PaceInvocation(ctx, id, func(v *Invocation, held func(int) (int, error)) (int, error) {
		now = s.Now() // the transaction may have had to wait
		var broken error
		known := map[int]int{} // counting takes a while where there are many
		view := &paceView{total: v.Counts.Total(), failed: v.Counts.Bad(), held: func(before int) int {
			n, ok := known[before]
			if !ok {
				var err error
				n, err = held(before)
				broken, known[before] = errors.Join(broken, err), n
			}
			return n
		}}
		view.out = v.Counts.Open() - view.held(view.total)
		n, err := change(v, view, now)
		n = min(n, maxRelease)
		v.Pacing.Released += n
		after = *v
		return n, errors.Join(err, broken)
	}, func(t *Task) { s.letGo(t, now) })
	return after, released, err
}

// letGo is the turn of a task: of a node that is connected it goes out at once, by the same row.
func (s *Service) letGo(t *Task, now time.Time) {
	t.Held, t.ReleasedAt, t.UpdatedAt = false, now, now
	if s.Connected(t.Node) && t.become(Delivering, NoCause, now) {
		t.Tries, t.SentAt = 1, now
	}
}

// letGoDue lets go what may go.
func (s *Service) letGoDue(ctx context.Context, id ID) (Invocation, int, error) {
	v, released, err := s.changePace(ctx, id, func(v *Invocation, view *paceView, now time.Time) (int, error) {
		return v.Pacing.advance(v.Pace, view, now), nil
	})
	if err != nil || len(released) == 0 {
		return v, 0, err
	}
	if v.DeliverWithin == NoWaiting {
		if err := s.failOffline(ctx, &v, released); err != nil {
			s.log.Error("look for nodes that are offline", "invocation", v.ID, "error", err) // their tasks wait for their deadline
		}
	}
	s.feed.tell(Event{New: &v, Tasks: released, Released: true})
	return v, len(released), nil
}

// failOffline ends tasks that were released for nodes that are offline, where nobody wants to wait for them.
func (s *Service) failOffline(ctx context.Context, v *Invocation, released []Task) error {
	var keys []NodeKey
	for i := range released {
		if released[i].State == Queued {
			keys = append(keys, released[i].Node)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	nodes, err := s.NodesByKey(ctx, v.Account, keys)
	if err != nil {
		return err
	}
	s.overlay(nodes)
	now := s.Now()
	online := make(map[NodeKey]bool, len(nodes))
	for i := range nodes {
		online[nodes[i].Key] = nodes[i].Online(now)
	}
	at := map[TaskID]int{}
	var ids []TaskID
	for i := range released {
		if t := &released[i]; t.State == Queued && !online[t.Node] {
			at[t.ID] = i
			ids = append(ids, t.ID)
		}
	}
	err = s.store.ChangeTasks(ctx, ids, func(t *Task) bool {
		changed := t.State == Queued && t.become(DeliveryFailed, CauseAgentOffline, now)
		released[at[t.ID]] = *t
		return changed
	})
	if err == nil && len(ids) > 0 {
		s.feed.tell(Event{Paced: v.ID})
	}
	return err
}

// probe orders the probe of a step that is over, or takes note of its end, and reports whether the run may go on for that.
func (s *Service) probe(ctx context.Context, v *Invocation) (moved bool, err error) {
	p, err := s.store.InvocationByDue(ctx, v.ID, v.Pacing.ProbeDue)
	if errors.Is(err, ErrNotFound) {
		p, err = s.orderProbe(ctx, v)
		if refusal := AsError(err); err != nil && refusal.Code != CodeInternal {
			return true, s.judge(ctx, v, 0, "there was no probe: "+refusal.Error())
		}
	}
	if err != nil {
		return false, err
	}
	s.watchPace(p.ID, v.ID)
	bad := p.Counts.Total() - p.Counts.Of(Succeeded)
	switch {
	case p.Counts.Open() == 0 && bad > 0:
		return true, s.judge(ctx, v, p.ID, fmt.Sprintf("the probe failed on %d of %d nodes", bad, p.Counts.Total()))
	case p.Counts.Open() == 0:
		return true, s.judge(ctx, v, p.ID, "")
	case v.Pacing.Probe == p.ID:
		return false, nil
	}
	_, _, err = s.changePace(ctx, v.ID, func(now *Invocation, _ *paceView, _ time.Time) (int, error) {
		if now.Pacing.ProbeDue.Equal(v.Pacing.ProbeDue) {
			now.Pacing.Probe = p.ID
		}
		return 0, nil
	})
	// It may have ended before anybody watched for that.
	return err == nil, err
}

// judge ends the step whose probe is over.
func (s *Service) judge(ctx context.Context, v *Invocation, probe ID, why string) error {
	_, _, err := s.changePace(ctx, v.ID, func(row *Invocation, view *paceView, now time.Time) (int, error) {
		if row.Pacing.State == PaceProbing && row.Pacing.ProbeDue.Equal(v.Pacing.ProbeDue) {
			row.Pacing.Probe = probe
			row.Pacing.probed(row.Pace, len(row.Pace.Bounds(view.total)), why, now)
		}
		return 0, nil
	})
	return err
}

// orderProbe runs the probe of the step that is over. However often that is tried, there is one: of the run, at this moment.
func (s *Service) orderProbe(ctx context.Context, v *Invocation) (Invocation, error) {
	bounds := v.Pace.Bounds(v.Counts.Total())
	from, to := 0, bounds[min(v.Pacing.Step, len(bounds)-1)]
	if v.Pacing.Step > 0 {
		from = bounds[v.Pacing.Step-1]
	}
	var keys []NodeKey
	cursor := &Cursor{A: int64(v.ID), B: int64(from) - 1}
	for from < to {
		rows, _, err := s.store.ListTasks(ctx, TaskFilter{Account: v.Account, Invocations: []ID{v.ID}}, Page{After: cursor, Limit: min(to-from, scanned)})
		if err != nil || len(rows) == 0 {
			return Invocation{}, err
		}
		for i := range rows {
			if rows[i].State == Succeeded {
				keys = append(keys, rows[i].Node)
			}
		}
		from += len(rows)
		cursor = &Cursor{A: int64(v.ID), B: int64(from) - 1}
	}
	var targets []string
	if len(keys) > 0 {
		nodes, err := s.NodesByKey(ctx, v.Account, keys)
		if err != nil {
			return Invocation{}, err
		}
		for i := range nodes {
			if nodes[i].RemovedAt.IsZero() {
				targets = append(targets, nodes[i].ID)
			}
		}
	}
	if len(targets) == 0 {
		return Invocation{}, &Error{Code: CodeUnavailable, Reason: ReasonTargetsMissing, Detail: "on no node of the step did it end well"}
	}
	kind := v.Type
	if kind == "" {
		kind = Shell
	}
	// Rights were judged when the run was ordered.
	return s.Run(ctx, Caller{Account: v.Account, Principal: v.Principal, Root: true}, RunSpec{
		Origin: v.Origin, Region: v.Region, Reason: "probe of " + v.ID.String(), Targets: targets, KillTree: true, probe: true,
		Definition: Definition{Name: v.Name, Type: kind, Content: []byte(v.Pace.Probe), User: v.User, Timeout: v.Pace.ProbeTimeout},
		Schedule:   v.ID, Due: v.Pacing.ProbeDue,
	})
}

// sweep ends what has not started of a run that was aborted.
func (s *Service) sweep(ctx context.Context, v *Invocation) error {
	if err := s.stopWaiting(ctx, v.Account, v.ID); err != nil {
		return err
	}
	_, _, err := s.changePace(ctx, v.ID, func(v *Invocation, view *paceView, _ time.Time) (int, error) {
		v.Pacing.Done = v.Pacing.State == PaceAborted && view.held(view.total) == 0
		return 0, nil
	})
	return err
}

// stopWaiting ends the tasks of an invocation that have not started: those that never left the server at once, the others when their nodes answer.
func (s *Service) stopWaiting(ctx context.Context, account AccountID, id ID) error {
	f := TaskFilter{Account: account, Invocations: []ID{id}, States: []State{Queued, Delivering, Deferred}}
	for p := (Page{Limit: maxRelease}); ; {
		rows, _, err := s.store.ListTasks(ctx, f, p)
		if err != nil || len(rows) == 0 {
			return err
		}
		last := rows[len(rows)-1].ID
		p.After = &Cursor{A: int64(last.Invocation), B: int64(last.Index)}
		ids := make([]TaskID, len(rows))
		for i := range rows {
			ids[i] = rows[i].ID
		}
		if err := s.stop(ctx, ids, State.Waiting); err != nil {
			return err
		}
	}
}

// PauseRun keeps a run with a Pace from releasing anything more, until it is resumed. What is out goes on.
func (s *Service) PauseRun(ctx context.Context, c Caller, id ID) (Invocation, error) {
	return s.steer(ctx, c, "invocation.pause", id, func(v *Invocation, _ *paceView, now time.Time) error {
		if v.Pacing.over() {
			return paceOver(v)
		}
		v.Pacing.pause("paused by "+c.Principal, now)
		return nil
	})
}

// ResumeRun lets a run with a Pace go on that was paused, by whatever. Failures from before do not count any more.
func (s *Service) ResumeRun(ctx context.Context, c Caller, id ID) (Invocation, error) {
	return s.steer(ctx, c, "invocation.resume", id, func(v *Invocation, view *paceView, now time.Time) error {
		switch g := v.Pacing; {
		case g.over():
			return paceOver(v)
		case g.Paused:
			g.Paused, g.Why, g.Forgiven, g.Since = false, "", view.failed, now
		}
		return nil
	})
}

func paceOver(v *Invocation) error {
	return &Error{Code: CodeConflict, Reason: ReasonAlreadyEnded, Detail: "the run is " + string(v.Pacing.State)}
}

// AbortRun ends what has not started of a run, with a Pace or without one. What runs goes on. A task that is on its way to its node may begin before
// the node hears of this; then it is stopped.
func (s *Service) AbortRun(ctx context.Context, c Caller, id ID) (Invocation, error) {
	if err := s.allowStop(ctx, &c, "invocation.abort", id, nil); err != nil {
		return Invocation{}, err
	}
	v, err := s.invocation(ctx, c.Account, id)
	if err != nil {
		return v, err
	}
	if v.Pacing == nil {
		err = s.stopWaiting(ctx, c.Account, id)
	} else {
		_, _, err = s.changePace(ctx, id, func(v *Invocation, _ *paceView, now time.Time) (int, error) {
			if g := v.Pacing; !g.over() {
				g.State, g.Paused, g.Why, g.Since = PaceAborted, false, "aborted by "+c.Principal, now
			}
			return 0, nil
		})
		if err == nil {
			err = s.AdvancePace(ctx, id)
		}
	}
	if err != nil {
		return v, err
	}
	return s.invocation(ctx, c.Account, id)
}

// steer changes a run with a Pace because somebody asks for it.
func (s *Service) steer(
	ctx context.Context, c Caller, verb string, id ID, change func(v *Invocation, view *paceView, now time.Time) error,
) (Invocation, error) {
	if err := s.allowStop(ctx, &c, verb, id, nil); err != nil {
		return Invocation{}, err
	}
	v, err := s.invocation(ctx, c.Account, id)
	switch {
	case err != nil:
		return v, err
	case v.Pacing == nil:
		return v, &Error{Code: CodeConflict, Reason: ReasonInvalidValue, Detail: "the run was let go all at once"}
	}
	_, _, err = s.changePace(ctx, id, func(v *Invocation, view *paceView, now time.Time) (int, error) { return 0, change(v, view, now) })
	if err == nil {
		err = s.AdvancePace(ctx, id)
	}
	if err != nil {
		return v, err
	}
	return s.invocation(ctx, c.Account, id)
}
