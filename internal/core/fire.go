package core

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// fireWithin is how late a schedule still fires. What the server missed for longer, because it was not running, is left out.
	fireWithin = time.Minute
	// fireFor is how long one replica has for the schedules it has claimed; then another one takes them over. It is short enough for
	// them to fire all the same.
	fireFor = 20 * time.Second
	// maxFirings is how many firings of one schedule are kept: a month of one that fires every five minutes.
	maxFirings = 10_000
)

// NextSchedule returns when the next schedule has to be fired; zero if none is waiting.
func (s *Service) NextSchedule(ctx context.Context) (time.Time, error) {
	return s.store.NextSchedule(ctx, s.Now())
}

// ClaimSchedules returns schedules that have to be fired now, at most so many, for the caller alone, who has some seconds to do so. If it does not,
// they can be claimed again.
func (s *Service) ClaimSchedules(ctx context.Context, most int) ([]Schedule, error) {
	now := s.Now()
	return s.store.ClaimSchedules(ctx, now, now.Add(fireFor), most)
}

// Fire carries out a schedule for the moment for which it was claimed, and notes what became of it. However often that is tried, by however many
// replicas and with whatever interruption, there is one invocation: the store has room for one at each moment of a schedule. A moment that
// cannot be served, because the command or all nodes are gone or the moment is too long ago, becomes a firing with a Problem. The zero Firing says
// that there was nothing to do any more.
func (s *Service) Fire(ctx context.Context, claimed *Schedule) (Firing, error) {
	sc, err := s.store.Schedule(ctx, claimed.Account, claimed.ID)
	switch {
	case errors.Is(err, ErrNotFound):
		return Firing{}, nil
	case err != nil:
		return Firing{}, err
	case !sc.Next.Equal(claimed.Next): // was disabled or changed meanwhile, or somebody else was faster
		return Firing{}, nil
	}
	now := s.Now()
	f := Firing{Account: sc.Account, Schedule: sc.ID, Due: sc.Next}
	run := s.runScheduled
	if now.Sub(sc.Next) >= fireWithin {
		run = s.missed
	}
	f.Invocation, err = run(ctx, &sc)
	if refusal := AsError(err); err != nil && refusal.Code == CodeInternal {
		return Firing{}, fmt.Errorf("fire schedule %s: %w", sc.ID, err)
	} else if err != nil {
		f.Problem = refusal.Error()
	}
	return f, s.note(ctx, &f, now)
}

// note stores what became of a moment and moves the schedule on. What is late by less than fireWithin is still to come.
func (s *Service) note(ctx context.Context, f *Firing, now time.Time) error {
	from := now.Add(-fireWithin)
	if f.Due.After(from) {
		from = f.Due
	}
	for {
		f.ID = s.ids.Next(now)
		err := s.store.InsertFiring(ctx, *f, maxFirings, func(row *Schedule) { row.Next = row.after(from) })
		switch {
		case errors.Is(err, ErrTaken): // another replica took this id
		case errors.Is(err, ErrNotFound):
			return nil // the schedule was deleted while it fired
		default:
			return err
		}
	}
}

// runScheduled runs what a schedule asks for. Rights were judged when it was made or changed; now it counts that its owner may still act.
func (s *Service) runScheduled(ctx context.Context, sc *Schedule) (ID, error) {
	_, err := s.Caller(ctx, AccessKey{Account: sc.Account, Principal: sc.Principal})
	if ReasonKeyDisabled.Is(err) {
		err = &Error{Code: CodeDenied, Reason: ReasonDenied, Detail: "its owner " + sc.Principal + " is disabled or gone"}
	}
	if err != nil {
		return 0, err
	}
	present, err := s.present(ctx, sc)
	switch {
	case err != nil:
		return 0, err
	case len(present) == 0:
		return 0, notFound(ReasonTargetNotFound, "none of its nodes is there any more")
	}
	v, err := s.Run(ctx, Caller{Account: sc.Account, Principal: sc.Principal, Root: true}, sc.order(present))
	return v.ID, err
}

// missed finds what ran at a moment that is long over: nothing, unless whoever ran it could not note so any more.
func (s *Service) missed(ctx context.Context, sc *Schedule) (ID, error) {
	v, err := s.store.InvocationByDue(ctx, sc.ID, sc.Next)
	if errors.Is(err, ErrNotFound) {
		err = &Error{
			Code: CodeUnavailable, Reason: ReasonScheduleExpired,
			Detail: fmt.Sprintf("missed: the server came to it %v late", s.Now().Sub(sc.Next).Round(time.Second)),
		}
	}
	return v.ID, err
}

// retainFirings removes firings that are older than results may become; 0 keeps them for ever.
func (s *Service) retainFirings(ctx context.Context, age time.Duration) error {
	if age <= 0 {
		return nil
	}
	for {
		n, err := s.store.DeleteFirings(ctx, FirstID(s.Now().Add(-age)), retainRows)
		if err != nil || n == 0 {
			return err
		}
	}
}
