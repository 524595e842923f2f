package core

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// Bounds on subscriptions.
const (
	MaxSubscriptions = 20   // of one account
	MaxBatch         = 100  // events in one request
	maxURL           = 2048 // bytes
	maxTypes         = 20
	maxCommands      = 100
	signingOverlap   = 24 * time.Hour // how long the old secret signs as well after a rotation
)

// Subscription sends an account's events to a web address, one after another, until each is taken or given up.
type Subscription struct {
	ID        ID
	Account   AccountID
	Name      string
	URL       string
	Sealed    []byte    // secret that signs the requests
	OldSealed []byte    // the one before; it signs as well until OldUntil
	OldUntil  time.Time // zero if there is none
	Types     []string  // patterns of event types; none means all
	Commands  []ID      // only events of these commands; none means all
	Batch     int       // most events in one request
	Enabled   bool
	CreatedAt time.Time
	UpdatedAt time.Time

	Cursor       int64     // the last event that is done with
	DeliveredAt  time.Time // last request that was taken
	FailingSince time.Time // first failure to send the next event; zero if there was none
	Tries        int       // failures since then
	NextTry      time.Time
	LastError    string    // of the last failure; empty once a request was taken
	ClaimedUntil time.Time // the end of one process's right to send
	Dead         []DeadLetter
}

// DeadLetter is an event that was given up.
type DeadLetter struct {
	Seq   int64     `json:"seq"`
	At    time.Time `json:"at"` // of the last try
	Tries int       `json:"tries"`
	Error string    `json:"error"`
	Again bool      `json:"again,omitempty"` // is to be tried once more
}

// Wants reports whether the subscription is about an event.
func (s *Subscription) Wants(e *StateEvent) bool {
	switch e.Kind {
	case EventOutput:
		return false
	case EventNode:
		if len(s.Types) == 0 || !slices.ContainsFunc(s.Types, func(t string) bool { return strings.HasPrefix(t, nodeEvents) }) {
			return false
		}
	case EventAccepted, EventStarted, EventEnded, EventPaced, EventTask, EventPing:
	}
	if len(s.Commands) > 0 && !slices.Contains(s.Commands, e.Command) {
		return false
	}
	if len(s.Types) == 0 {
		return true
	}
	name := e.Type()
	return slices.ContainsFunc(s.Types, func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return ok && err == nil
	})
}

// retryNow forgets past failures, and takes the right to send from whoever has it.
func (s *Subscription) retryNow() {
	s.FailingSince, s.Tries, s.NextTry, s.LastError, s.ClaimedUntil = time.Time{}, 0, time.Time{}, "", time.Time{}
}

// sealedFor is what secrets of a subscription are sealed for.
func (s *Subscription) sealedFor() string { return "subscription " + s.ID.String() }

// newSigningSecret makes a secret in the form of Standard Webhooks: whsec_ and 32 random bytes in base64.
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
func newSigningSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: crypto/rand aborts the process instead
	return "whsec_" + base64.StdEncoding.EncodeToString(b)
}

// SubscriptionSpec is an order for a subscription.
type SubscriptionSpec struct {
	Name     string
	URL      string
	Types    []string
	Commands []ID
	Batch    int // 0 means 1
	Disabled bool
}

// SubscriptionChange holds what to change of a subscription; nil leaves a field as it is.
type SubscriptionChange struct {
	Name         *string
	URL          *string
	Types        *[]string
	Commands     *[]ID
	Batch        *int
	Enabled      *bool
	RotateSecret bool
}

// Subscribe makes a subscription to what happens from now on, and returns it with the secret, which is shown only this once.
func (s *Service) Subscribe(ctx context.Context, c Caller, spec SubscriptionSpec) (Subscription, string, error) {
	if err := c.Allow("event.subscribe", nil, resource("subscription", "", nil)); err != nil {
		return Subscription{}, "", err
	}
	if spec.Batch == 0 {
		spec.Batch = 1
	}
	sub := Subscription{
		Account: c.Account, Name: spec.Name, URL: spec.URL, Types: spec.Types, Commands: spec.Commands, Batch: spec.Batch, Enabled: !spec.Disabled,
	}
	if err := sub.check(); err != nil {
		return Subscription{}, "", err
	}
	secret := newSigningSecret()
	for {
		now := s.Now()
		sub.ID, sub.CreatedAt, sub.UpdatedAt = s.ids.Next(now), now, now
		sub.Sealed = s.sealer.Seal(secret, sub.sealedFor())
		err := s.store.InsertSubscription(ctx, &sub, func(have int) error {
			if have >= MaxSubscriptions {
				return limited(ReasonQuotaObjects, "", "the account has %d subscriptions", have)
			}
			return nil
		})
		if errors.Is(err, ErrTaken) {
			continue // another replica took this id
		}
		if err != nil {
			return Subscription{}, "", err
		}
		c.Trail.note("subscription/" + sub.ID.String())
		return sub, secret, nil
	}
}

// check refuses what no subscription may be like.
func (s *Subscription) check() error {
	if err := checkText("name", s.Name, 0, maxDescription); err != nil {
		return err
	}
	if err := checkTarget(s.URL); err != nil {
		return err
	}
	switch {
	case len(s.Types) > maxTypes:
		return limited(ReasonTooLong, "types", "more than %d", maxTypes)
	case len(s.Commands) > maxCommands:
		return limited(ReasonTooLong, "commands", "more than %d", maxCommands)
	case s.Batch < 1:
		return invalid(ReasonTooSmall, "batch", "less than 1")
	case s.Batch > MaxBatch:
		return invalid(ReasonTooLarge, "batch", "more than %d", MaxBatch)
	}
	for _, pattern := range s.Types {
		if err := checkPattern(pattern); err != nil {
			return err
		}
	}
	return nil
}

// checkTarget refuses what is not the address of a web server. Where it leads is looked at when it is called.
func checkTarget(text string) error {
	if text == "" {
		return invalid(ReasonMissing, "url", "empty")
	}
	if len(text) > maxURL {
		return invalid(ReasonTooLong, "url", "more than %d bytes", maxURL)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return invalid(ReasonInvalidValue, "url", "want https://HOST[:PORT][/PATH]")
	case u.User != nil:
		return invalid(ReasonInvalidValue, "url", "a name and password have no place in it: requests are signed")
	case strings.Contains(text, "#"):
		return invalid(ReasonInvalidValue, "url", "a fragment is never sent")
	}
	return nil
}

func noSubscription(id ID) error { return notFound(ReasonAccessNotFound, "no subscription %s", id) }

// Subscriptions lists the account's subscriptions, oldest first.
func (s *Service) Subscriptions(ctx context.Context, c Caller) ([]Subscription, error) {
	if err := c.Allow("event.list", nil, resource("subscription", "", nil)); err != nil {
		return nil, err
	}
	return s.store.ListSubscriptions(ctx, c.Account)
}

// Subscription returns one subscription.
func (s *Service) Subscription(ctx context.Context, c Caller, id ID) (Subscription, error) {
	return s.subscription(ctx, &c, "event.list", id)
}

// subscription reads a subscription for somebody who may do this with it.
func (s *Service) subscription(ctx context.Context, c *Caller, verb string, id ID) (Subscription, error) {
	if err := c.Allow(verb, nil, resource("subscription", id.String(), nil)); err != nil {
		return Subscription{}, err
	}
	sub, err := s.store.Subscription(ctx, c.Account, id)
	if errors.Is(err, ErrNotFound) {
		err = noSubscription(id)
	}
	return sub, err
}

// ChangeSubscription changes a subscription and returns it, with the new secret if there is one. It begins to send at once, where it
// stopped: nothing that happened while it was disabled is left out.
func (s *Service) ChangeSubscription(
	ctx context.Context, c Caller, id ID, ch SubscriptionChange,
) (sub Subscription, secret string, err error) {
	if ch.RotateSecret {
		secret = newSigningSecret()
	}
	sub, err = s.changeSubscription(ctx, &c, "event.modify", id, func(row *Subscription) error {
		set(&row.Name, ch.Name)
		set(&row.URL, ch.URL)
		set(&row.Types, ch.Types)
		set(&row.Commands, ch.Commands)
		set(&row.Batch, ch.Batch)
		set(&row.Enabled, ch.Enabled)
		row.UpdatedAt = s.Now()
		if ch.RotateSecret {
			row.OldSealed, row.OldUntil = row.Sealed, row.UpdatedAt.Add(signingOverlap)
			row.Sealed = s.sealer.Seal(secret, row.sealedFor())
		}
		row.retryNow()
		return row.check()
	})
	if err != nil {
		return Subscription{}, "", err
	}
	return sub, secret, nil
}

// changeSubscription changes a subscription for somebody who may do this with it, and returns it.
func (s *Service) changeSubscription(
	ctx context.Context, c *Caller, verb string, id ID, change func(*Subscription) error,
) (sub Subscription, err error) {
	if err := c.Allow(verb, nil, resource("subscription", id.String(), nil)); err != nil {
		return Subscription{}, err
	}
	err = s.store.ChangeSubscription(ctx, c.Account, id, func(row *Subscription) (bool, error) {
		err := change(row)
		sub = *row
		return true, err
	})
	switch {
	case errors.Is(err, ErrNotFound):
		return Subscription{}, noSubscription(id)
	case err != nil:
		return Subscription{}, err
	}
	return sub, nil
}

// Unsubscribe deletes a subscription with its dead letters.
func (s *Service) Unsubscribe(ctx context.Context, c Caller, id ID) error {
	if err := c.Allow("event.unsubscribe", nil, resource("subscription", id.String(), nil)); err != nil {
		return err
	}
	err := s.store.ChangeSubscription(ctx, c.Account, id, func(*Subscription) (bool, error) { return false, nil })
	if errors.Is(err, ErrNotFound) {
		return noSubscription(id)
	}
	return err
}

// Moment is a place in the order of events: a number, or else a time.
type Moment struct {
	Seq int64
	At  time.Time
}

// Replay lets a subscription go on with the events from a moment on, whether it has sent them before or not. Events that are no longer
// kept are left out; a moment that is yet to come leaves out everything up to now.
func (s *Service) Replay(ctx context.Context, c Caller, id ID, from Moment) (Subscription, error) {
	newest, err := s.store.LastEvent(ctx, time.Time{})
	if err != nil {
		return Subscription{}, err
	}
	before := from.Seq - 1
	if from.Seq == 0 {
		if before, err = s.store.LastEvent(ctx, from.At); err != nil {
			return Subscription{}, err
		}
	}
	return s.changeSubscription(ctx, &c, "event.replay", id, func(row *Subscription) error {
		row.Cursor = min(max(before, 0), newest)
		row.retryNow()
		return nil
	})
}

// DeadEvent is a dead letter with the event it is about.
type DeadEvent struct {
	DeadLetter
	StateEvent
}

// DeadLetters lists the events that a subscription has given up, oldest first, for as long as events are kept.
func (s *Service) DeadLetters(ctx context.Context, c Caller, id ID) ([]DeadEvent, error) {
	sub, err := s.subscription(ctx, &c, "event.list", id)
	if err != nil || len(sub.Dead) == 0 {
		return nil, err
	}
	letters := make(map[int64]DeadLetter, len(sub.Dead))
	seqs := make([]int64, len(sub.Dead))
	for i, d := range sub.Dead {
		letters[d.Seq], seqs[i] = d, d.Seq
	}
	events, err := s.store.ListEvents(ctx, EventFilter{Account: c.Account, Seqs: seqs, Nodes: true}, len(seqs))
	dead := make([]DeadEvent, len(events))
	for i := range events {
		dead[i] = DeadEvent{letters[events[i].Seq], events[i]}
	}
	return dead, err
}

// ReplayDead lets a subscription send dead letters once more: one of them, or all if seq is 0. What is taken is no longer a dead letter. It
// returns how many are to be sent.
func (s *Service) ReplayDead(ctx context.Context, c Caller, id ID, seq int64) (n int, err error) {
	_, err = s.changeSubscription(ctx, &c, "event.replay", id, func(row *Subscription) error {
		n = 0
		for i := range row.Dead {
			if seq == 0 || row.Dead[i].Seq == seq {
				row.Dead[i].Again = true
				n++
			}
		}
		if seq != 0 && n == 0 {
			return notFound(ReasonAccessNotFound, "no dead letter %d", seq)
		}
		row.NextTry = time.Time{}
		return nil
	})
	return n, err
}
