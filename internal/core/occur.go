package core

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// minInterval is the shortest time between two runs of a standing task that the vendors allow.
	minInterval = 10 * time.Second
	// spareRuns is how many more runs a node may report than its time allows, for machines that start often.
	spareRuns = 64
	// maxAhead is how far ahead of the server a node's clock may be when it reports a run.
	maxAhead = 24 * time.Hour
)

// occurrence is the run of a standing task that a report speaks of.
type occurrence struct {
	task  Task
	order Invocation
	fresh bool // this report was the first to speak of it
}

var (
	// errNoRun refuses a run that a node made up.
	errNoRun = errors.New("not a run of this task")
	// errOutlet says that the settings of the account have to be read first.
	errOutlet = errors.New("the outlet of the run is not known yet")
)

// occurLanes is how many runs are looked up or made at once: so many share a transaction, instead of each waiting for one of its own.
const occurLanes = 256

// occurrences finds the tasks that stand for the runs named in some reports, and makes those that are new. Runs that cannot be are
// left out.
func (s *Service) occurrences(ctx context.Context, reports []Report) (map[Name]*occurrence, error) {
	var (
		all   sync.WaitGroup
		lanes = make(chan struct{}, occurLanes)
		mu    sync.Mutex
		runs  = map[Name]*occurrence{}
		errs  []error
		asked = map[claimedRun]bool{}
		aside = map[NodeKey]int{}
	)
	for i := range reports {
		r := &reports[i]
		c := claimedRun{r.name(), r.Node}
		if r.Due.IsZero() || asked[c] {
			continue
		}
		asked[c] = true
		lanes <- struct{}{}
		all.Go(func() {
			defer func() { <-lanes }()
			o, err := s.occurrence(ctx, r)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, ErrNotFound), errors.Is(err, errNoRun):
				if aside[r.Node]++; aside[r.Node] == 1 { // a node that makes up runs makes up many
					s.log.Warn("run set aside", "task", r.Task, "node", r.Node, "due", r.Due, "error", err)
				}
			case err != nil:
				errs = append(errs, err)
			case runs[r.name()] == nil || o.fresh:
				runs[r.name()] = o
			}
		})
	}
	all.Wait()
	return runs, errors.Join(errs...)
}

// claimedRun is a run as one node speaks of it.
type claimedRun struct {
	run  Name
	node NodeKey
}

// occurrence finds or makes the task for one run. All nodes for which a moment was due share an invocation.
func (s *Service) occurrence(ctx context.Context, r *Report) (*occurrence, error) {
	o := &occurrence{}
	var account AccountID
	var outlet *Outlet // of its runs that name no place themselves: what the settings say now, not when they were ordered
	for {
		now := s.Now()
		err := s.store.Occur(ctx, r.Task, r.Due, func(standing *Invocation, t *Task, there *Invocation) (Invocation, Task, error) {
			if t.Node != r.Node || !plausible(standing, t, r.Due, now) {
				return Invocation{}, Task{}, errNoRun
			}
			switch account = standing.Account; {
			case there != nil:
				o.order = *there
			case standing.Outlet == SinkOutlet || !s.Delivers():
				o.order = standing.occur(s.ids.Next(now), r.Due, now)
			case outlet == nil:
				return Invocation{}, Task{}, errOutlet
			default:
				o.order = standing.occur(s.ids.Next(now), r.Due, now)
				o.order.Outlet = *outlet
			}
			t.Runs++
			if r.Due.After(t.LatestDue) {
				t.Latest, t.LatestDue = o.order.ID, r.Due
			}
			o.fresh = true
			o.task = Task{
				ID: TaskID{o.order.ID, r.Task.Index}, Node: r.Node, State: Delivering, Tries: 1, SentAt: now, ReceivedAt: now, UpdatedAt: now,
			}
			return o.order, o.task, nil
		}, &o.task)
		if errors.Is(err, ErrTaken) {
			continue // another replica took this id, or made this occurrence, in this very moment
		}
		if errors.Is(err, errOutlet) {
			of, err := s.accountOutlet(ctx, account)
			if err != nil {
				return nil, err
			}
			outlet = &of
			continue
		}
		return o, err
	}
}

// plausible keeps a node from filling the store with runs that never were.
func plausible(v *Invocation, t *Task, due, now time.Time) bool {
	if v.Kind != KindStanding || due.Before(v.CreatedAt.Add(-maxAhead)) || due.After(now.Add(maxAhead)) {
		return false
	}
	return time.Duration(t.Runs) <= now.Sub(v.CreatedAt)/minInterval+spareRuns
}

// occur makes the invocation that one moment of a standing invocation comes to.
func (v *Invocation) occur(id ID, due, now time.Time) Invocation {
	o := *v
	o.ID, o.Kind, o.Schedule, o.Due = id, KindOccurrence, v.ID, due
	o.ClientToken, o.RequestHash = "", ""
	o.CreatedAt, o.UpdatedAt, o.StartedAt, o.EndedAt, o.Counts = now, now, time.Time{}, time.Time{}, Counts{}
	return o
}

// begun tells of runs that are new and not over yet.
func (s *Service) begun(runs map[Name]*occurrence, outcomes map[TaskID]*outcome) {
	for _, o := range runs {
		if !o.fresh {
			continue
		}
		if out := outcomes[o.task.ID]; out != nil && out.known {
			o.task = out.after
		}
		if !o.task.State.Ended() {
			s.feed.tell(Event{New: &o.order, Tasks: []Task{o.task}})
		}
	}
}
