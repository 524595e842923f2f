package core

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// Until is what somebody waits for of an invocation.
type Until struct {
	Percent int  // of its tasks have ended, 1 to 100
	Failure bool // a task ended badly, or all have ended
}

// ParseUntil reads all, any-failure or percent:90.
func ParseUntil(text string) (Until, error) {
	switch text {
	case "all":
		return Until{Percent: 100}, nil
	case "any-failure":
		return Until{Percent: 100, Failure: true}, nil
	}
	if number, ok := strings.CutPrefix(text, "percent:"); ok {
		n, err := strconv.Atoi(number)
		if err == nil && n >= 1 && n <= 100 && number == strconv.Itoa(n) {
			return Until{Percent: n}, nil
		}
	}
	return Until{}, invalid(ReasonFilter, "until", "all, any-failure or percent:N with N from 1 to 100")
}

// Met reports whether it has come to that.
func (u Until) Met(v *Invocation) bool {
	total, open := v.Counts.Total(), v.Counts.Open()
	return u.Failure && v.Counts.Bad() > 0 || (total-open)*100 >= u.Percent*total
}

const (
	// awaitAgain is how often somebody who waits for an invocation looks at the store, for what another replica stored.
	awaitAgain = time.Second
	// awaitRest is how long they look at nothing after they were woken: tasks of a large run end by the thousand.
	awaitRest = 100 * time.Millisecond
)

// Await returns an invocation when it has come to what the caller waits for, or after the time that it is told to wait; met tells the two apart.
func (s *Service) Await(ctx context.Context, c Caller, id ID, until Until, wait time.Duration) (v Invocation, met bool, err error) {
	patience := time.NewTimer(wait)
	defer patience.Stop()
	again := time.NewTicker(awaitAgain)
	defer again.Stop()
	over := wait <= 0
	for {
		changed, leave := s.awaited.join(id)
		v, err = s.Invocation(ctx, c, id)
		met = err == nil && until.Met(&v)
		if err != nil || met || over {
			leave()
			return v, met, err
		}
		woken := false
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-patience.C:
			over = true
		case <-changed:
			woken = true
		case <-again.C:
		}
		leave()
		if err != nil {
			return v, false, err
		}
		if !woken {
			continue
		}
		rest := time.NewTimer(awaitRest)
		select {
		case <-ctx.Done():
		case <-patience.C:
			over = true
		case <-rest.C:
		}
		rest.Stop()
	}
}

// moved wakes those who wait for an invocation.
func (s *Service) moved(id ID) { s.awaited.wake(func(yield func(ID) bool) { yield(id) }) }
