package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// claimFor is how long a process may send for a subscription before it has to say that it still does. A request takes less.
	claimFor = 30 * time.Second
	// turnRequests is how many requests one claim is good for; then it is the turn of other subscriptions.
	turnRequests = 100
	// scanEvents is how many events are looked at together.
	scanEvents = 200
	// Pauses between tries grow from firstPause by doubling to longestPause; each is shortened at random, so that subscribers that failed
	// together are not called together. After tryFor an event is given up.
	firstPause   = 5 * time.Second
	longestPause = time.Hour
	tryFor       = 24 * time.Hour
	// maxDead is how many dead letters a subscription keeps, the newest. It comes by at most one a day.
	maxDead = 100
	// maxLastError is how much is kept of what went wrong, in bytes.
	maxLastError = 300
	// statusGone is the answer by which a subscriber says that it will never take anything again (RFC 9110, 410 Gone).
	statusGone = 410
)

// Webhook is one request to a subscriber.
type Webhook struct {
	Subscription ID
	URL          string
	Secrets      []string // each signs the request
	Batch        bool     // Events travel as a list, even if there is only one
	Events       []StateEvent
}

// Post carries a webhook to its subscriber and returns the HTTP status of the answer. An error means that there was none.
type Post func(ctx context.Context, w *Webhook) (status int, err error)

// errClaimLost says that a subscription was changed, or claimed by another process, since this one claimed it.
var errClaimLost = errors.New("claim lost")

// ClaimSubscriptions takes the right to send for subscriptions for which something waits. Each has to be passed to Notify.
func (s *Service) ClaimSubscriptions(ctx context.Context, most int) ([]Subscription, error) {
	now := s.Now()
	return s.store.ClaimSubscriptions(ctx, now, now.Add(claimFor), most)
}

// Notified counts what became of events.
type Notified struct{ Delivered, Failed, Dead int }

// Notify sends what waits for a claimed subscription, in order, until nothing is left, the subscriber does not take it, others are to have
// their turn or ctx ends. shorten returns a random duration up to the one it is given.
//
// An event counts as sent when the store knows it. What was sent right before a crash, or while somebody else changed the subscription,
// is sent again.
func (s *Service) Notify(ctx context.Context, sub Subscription, shorten func(time.Duration) time.Duration) (n Notified, err error) {
	t := turn{Service: s, sub: &sub, shorten: shorten}
	for range turnRequests {
		more, err := t.next(ctx)
		if err != nil || !more {
			return t.count, err
		}
	}
	return t.count, t.release(ctx)
}

// turn is one claim of a subscription, while it is used.
type turn struct {
	*Service
	sub     *Subscription
	shorten func(time.Duration) time.Duration
	count   Notified
}

// parcel is what the next request is about.
type parcel struct {
	events  []StateEvent
	through int64 // the cursor after it; for a dead letter, its number
	dead    bool  // is a dead letter
}

// next makes one request, or passes over events that nobody wants, and reports whether to go on.
func (t *turn) next(ctx context.Context) (more bool, err error) {
	p, err := t.parcel(ctx)
	switch {
	case ctx.Err() != nil || err == nil && p == nil:
		return false, t.release(ctx)
	case err != nil:
		return false, fmt.Errorf("events for subscription %s: %w", t.sub.ID, err)
	case len(p.events) == 0:
		return t.settle(ctx, func(row *Subscription, _ time.Time) { row.done(p) })
	}
	w, err := t.webhook(p)
	if err != nil {
		return false, err
	}
	status, err := t.post(ctx, w)
	switch {
	case err != nil && ctx.Err() != nil:
		return false, t.release(ctx) // it was us who gave up
	case err == nil && status >= 200 && status < 300:
		t.count.Delivered += len(p.events)
		return t.settle(ctx, func(row *Subscription, now time.Time) {
			row.done(p)
			row.DeliveredAt, row.LastError = now, ""
		})
	case err == nil:
		err = fmt.Errorf("status %d", status)
	}
	t.count.Failed += len(p.events)
	why := strings.ToValidUTF8(err.Error()[:min(len(err.Error()), maxLastError)], "")
	t.log.Warn("webhook failed", "account", t.sub.Account, "subscription", t.sub.ID, "tries", t.sub.Tries+1, "error", why)
	return t.settle(ctx, func(row *Subscription, now time.Time) {
		row.LastError = why
		switch {
		case status == statusGone:
			row.Enabled = false
		case p.dead:
			row.bury(p, 1, now)
		default:
			t.failed(row, p, now)
		}
	})
}

// parcel is what to send next; nil if nothing waits. After a failure events travel alone, so that one which the subscriber cannot take
// keeps back no other longer than it must.
func (t *turn) parcel(ctx context.Context) (*parcel, error) {
	for _, d := range t.sub.Dead {
		if d.Again {
			events, err := t.store.ListEvents(ctx, EventFilter{Account: t.sub.Account, Seqs: []int64{d.Seq}, Nodes: true}, 1)
			return &parcel{events: events, through: d.Seq, dead: true}, err
		}
	}
	if t.sub.NextTry.After(t.Now()) {
		return nil, nil
	}
	events, err := t.store.ListEvents(ctx, EventFilter{Account: t.sub.Account, After: t.sub.Cursor, Nodes: true}, scanEvents)
	if err != nil || len(events) == 0 {
		return nil, err
	}
	most := t.sub.Batch
	if t.sub.Tries > 0 {
		most = 1
	}
	p := &parcel{}
	for i := range events {
		p.through = events[i].Seq
		if !t.sub.Wants(&events[i]) {
			continue
		}
		if p.events = append(p.events, events[i]); len(p.events) == most {
			break
		}
	}
	return p, nil
}

// webhook is the request that carries a parcel.
func (t *turn) webhook(p *parcel) (*Webhook, error) {
	secrets, err := t.secrets(t.sub)
	return &Webhook{Subscription: t.sub.ID, URL: t.sub.URL, Secrets: secrets, Batch: t.sub.Batch > 1, Events: p.events}, err
}

// secrets opens the secrets that sign a subscription's requests.
func (s *Service) secrets(sub *Subscription) ([]string, error) {
	sealed := [][]byte{sub.Sealed}
	if s.Now().Before(sub.OldUntil) {
		sealed = append(sealed, sub.OldSealed)
	}
	secrets := make([]string, len(sealed))
	for i, b := range sealed {
		var err error
		if secrets[i], err = s.sealer.Open(b, sub.sealedFor()); err != nil {
			return nil, fmt.Errorf("secret of subscription %s: %w", sub.ID, err)
		}
	}
	return secrets, nil
}

// settle writes down what became of a request, if the claim still holds, and extends the claim. It reports whether to go on.
func (t *turn) settle(ctx context.Context, change func(*Subscription, time.Time)) (more bool, err error) {
	return t.write(ctx, func(row *Subscription, now time.Time) {
		change(row, now)
		row.ClaimedUntil = now.Add(claimFor)
		if !row.Enabled || row.NextTry.After(now) {
			row.ClaimedUntil = now
		}
	})
}

// release ends the claim.
func (t *turn) release(ctx context.Context) error {
	_, err := t.write(ctx, func(row *Subscription, now time.Time) { row.ClaimedUntil = now })
	return err
}

// write changes the subscription's row if the claim still holds, and reports whether it does afterwards.
func (t *turn) write(ctx context.Context, change func(*Subscription, time.Time)) (claimed bool, err error) {
	now := t.Now()
	// What was sent should be known as sent even if we are being stopped.
	err = t.store.ChangeSubscription(context.WithoutCancel(ctx), t.sub.Account, t.sub.ID, func(row *Subscription) (bool, error) {
		if !row.ClaimedUntil.Equal(t.sub.ClaimedUntil) || row.Cursor != t.sub.Cursor {
			return true, errClaimLost
		}
		change(row, now)
		*t.sub = *row
		return true, nil
	})
	switch {
	case errors.Is(err, errClaimLost) || errors.Is(err, ErrNotFound):
		return false, nil // whoever changed it sees to the rest
	case err != nil:
		return false, err
	}
	return t.sub.ClaimedUntil.After(now), nil
}

// done notes that what a parcel holds is done with.
func (s *Subscription) done(p *parcel) {
	if p.dead {
		s.unbury(p.through)
		return
	}
	s.Cursor, s.FailingSince, s.Tries, s.NextTry = p.through, time.Time{}, 0, time.Time{}
}

// failed notes that a try failed: the events wait for the next one or, when they have been tried for long enough, are given up.
func (t *turn) failed(row *Subscription, p *parcel, now time.Time) {
	row.Tries++
	if row.FailingSince.IsZero() {
		row.FailingSince = now
	}
	end := row.FailingSince.Add(tryFor)
	if now.Before(end) {
		row.NextTry = now.Add(t.shorten(pause(row.Tries)))
		if row.NextTry.After(end) {
			row.NextTry = end
		}
		return
	}
	t.count.Dead++
	row.bury(p, row.Tries, now)
	row.done(p)
}

// pause is the longest time to wait after so many failures.
func pause(tries int) time.Duration {
	d := firstPause
	for range tries - 1 {
		if d *= 2; d >= longestPause {
			return longestPause
		}
	}
	return d
}

// bury makes the events of a parcel dead letters, or notes another failure of one.
func (s *Subscription) bury(p *parcel, tries int, now time.Time) {
	for i := range p.events {
		seq := p.events[i].Seq
		before := s.unbury(seq)
		s.Dead = append(s.Dead, DeadLetter{Seq: seq, At: now, Tries: before + tries, Error: s.LastError})
	}
	s.Dead = s.Dead[max(0, len(s.Dead)-maxDead):]
}

// unbury takes a dead letter off the list and returns how often it had been tried.
func (s *Subscription) unbury(seq int64) (tries int) {
	s.Dead = slices.DeleteFunc(s.Dead, func(d DeadLetter) bool {
		if d.Seq == seq {
			tries = d.Tries
		}
		return d.Seq == seq
	})
	return tries
}

// Ping sends a subscriber an event that means nothing, at once and whether the subscription is enabled or not, and returns the status of
// the answer.
func (s *Service) Ping(ctx context.Context, c Caller, id ID) (status int, err error) {
	sub, err := s.subscription(ctx, &c, "event.replay", id)
	if err != nil {
		return 0, err
	}
	secrets, err := s.secrets(&sub)
	if err != nil {
		return 0, err
	}
	status, err = s.post(ctx, &Webhook{
		Subscription: id, URL: sub.URL, Secrets: secrets, Batch: sub.Batch > 1,
		Events: []StateEvent{{Account: c.Account, At: s.Now(), Kind: EventPing, Invocation: s.NewID()}},
	})
	if err != nil {
		return 0, &Error{Code: CodeUnavailable, Reason: ReasonUnsupported, Detail: "no answer: " + err.Error()}
	}
	return status, nil
}
