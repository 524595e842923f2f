package core

import (
	"context"
	"slices"
	"time"

	"errand/internal/schedule"
)

// Upcoming is a moment at which something will run: what Schedule says, or a standing invocation.
type Upcoming struct {
	At         time.Time
	Schedule   *Schedule
	Invocation *Invocation
	// Local says that each node goes by the clock of its own zone; At is then the moment on one whose zone is UTC.
	Local bool
}

// maxUpcoming is how many moments of one thing that repeats are told.
const maxUpcoming = 1000

// NextDue returns the next moments of a standing invocation after a time, at most so many. There are none of one that waits for starts of machines. local
// is as in Upcoming. Jitter, and what a policy makes of missed moments, is each node's own.
func (v *Invocation) NextDue(after time.Time, most int) (moments []time.Time, local bool) {
	if v.Kind != KindStanding || v.Repeat != Period || v.Counts.Open() == 0 {
		return nil, false
	}
	plan, err := schedule.Parse(v.Frequency)
	if err != nil {
		return nil, false // was checked when it was stored
	}
	for len(moments) < most {
		next, ok := plan.Next(after, v.CreatedAt, nil)
		if !ok {
			break
		}
		after = next.UTC()
		moments = append(moments, after)
	}
	return moments, plan.Kind() == schedule.Cron && plan.Zone() == nil
}

// Upcoming returns what will run up to a moment, in the order of time, at most so many: what enabled schedules and standing invocations say. A
// caller who may see only one of the two is shown that.
func (s *Service) Upcoming(ctx context.Context, c Caller, until time.Time, most int) ([]Upcoming, error) {
	most = min(most, maxUpcoming)
	denied := s.allowSchedules(ctx, &c, "schedule.list", nil)
	var list []Upcoming
	if denied == nil {
		fires, err := s.upcomingSchedules(ctx, c.Account, until, most)
		if err != nil {
			return nil, err
		}
		list = fires
	}
	if err := s.allowHistory(ctx, &c, "invocation.list", nil, nil, nil); err != nil {
		if denied != nil {
			return nil, denied
		}
		return list, nil
	}
	runs, err := s.upcomingRuns(ctx, c.Account, until, most)
	if err != nil {
		return nil, err
	}
	return sooner(append(list, runs...), most), nil
}

// sooner sorts moments and keeps the first.
func sooner(list []Upcoming, most int) []Upcoming {
	slices.SortStableFunc(list, func(a, b Upcoming) int { return a.At.Compare(b.At) })
	return list[:min(len(list), most)]
}

func (s *Service) upcomingSchedules(ctx context.Context, account AccountID, until time.Time, most int) (list []Upcoming, err error) {
	for p := (Page{Limit: scanned}); ; {
		rows, _, err := s.store.ListSchedules(ctx, ScheduleFilter{Account: account}, p)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			sc := &rows[i]
			for at, n := sc.Next, 0; sc.Enabled && !at.IsZero() && !at.After(until) && n < most; at, n = sc.after(at), n+1 {
				list = append(list, Upcoming{At: at, Schedule: sc})
			}
		}
		list = sooner(list, most)
		if len(rows) < scanned {
			return list, nil
		}
		p.After = &Cursor{A: int64(rows[len(rows)-1].ID)}
	}
}

func (s *Service) upcomingRuns(ctx context.Context, account AccountID, until time.Time, most int) (list []Upcoming, err error) {
	now := s.Now()
	f := InvocationFilter{Account: account, Kinds: []InvocationKind{KindStanding}, Repeat: Period, Open: true}
	for p := (Page{Limit: scanned}); ; {
		rows, _, err := s.store.ListInvocations(ctx, f, p)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			moments, local := rows[i].NextDue(now, most)
			for _, at := range moments {
				if at.After(until) {
					break
				}
				list = append(list, Upcoming{At: at, Invocation: &rows[i], Local: local})
			}
		}
		list = sooner(list, most)
		if len(rows) < scanned {
			return list, nil
		}
		p.After = &Cursor{A: int64(rows[len(rows)-1].ID)}
	}
}
