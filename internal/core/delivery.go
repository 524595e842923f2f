package core

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Outlet is where a copy of what the tasks of an invocation print goes. The numbers are stored: new ones are added at the end.
type Outlet uint8

// The outlets.
const (
	NoOutlet      Outlet = iota
	SinkOutlet           // to the invocation's own Sink
	AccountOutlet        // to where the settings of its account say when it is delivered
)

// DeliveryState is how far the delivery of a task's output is. The numbers are stored: new ones are added at the end.
type DeliveryState uint8

// The states of a delivery. It begins when its task ends.
const (
	OutputPending DeliveryState = iota // under way, or waiting for another try
	OutputDelivered
	OutputUndelivered // given up
)

// DeliveryFault is why a delivery did not work. The numbers are stored: new ones are added at the end.
type DeliveryFault uint8

// The faults of deliveries.
const (
	NoFault          DeliveryFault = iota
	FaultOther                     // something else
	FaultUnreachable               // the object store did not answer
	FaultDenied                    // the operator's key must not write there
	FaultNoBucket                  // no bucket has that name
	FaultImmutable                 // an object of that name must not be replaced
	FaultObjectName                // no object can have that name
	FaultNotRun                    // the task never ran, so that it has no output
	NumFaults        = int(iota)
)

var faultTexts = [NumFaults]string{
	"", "the output could not be stored", "the object store cannot be reached", "access to the bucket is denied", "the bucket does not exist",
	"the object exists and must not be changed", "the name of the object is not allowed", "the command was not run",
}

func (f DeliveryFault) String() string {
	if int(f) < NumFaults {
		return faultTexts[f]
	}
	return fmt.Sprintf("fault %d", uint8(f))
}

// TaskDelivery is the delivery of one task's output to an object store. The task knows nothing of it: its result is the same whatever
// becomes of the delivery.
type TaskDelivery struct {
	Task      TaskID
	Account   AccountID
	State     DeliveryState
	Fault     DeliveryFault // of the last try
	URI       string        // where the output is; empty until it is there
	Tries     int           // that were begun
	Since     time.Time     // when the task ended, by the server's clock
	NextTry   time.Time     // zero when it is over
	UpdatedAt time.Time
}

// Deliveries keeps deliveries, at most one for each task. Stores make them as Invocation.Deliver says, in the transaction in which a
// task ends, and delete them with their invocations.
type Deliveries interface {
	// ClaimDeliveries returns deliveries whose NextTry has come, the longest due first and at most so many, with NextTry set to until and
	// another try counted.
	ClaimDeliveries(ctx context.Context, now, until time.Time, most int) ([]TaskDelivery, error)
	// ChangeDelivery writes what became of a delivery whose NextTry is still claim; ErrNotFound if there is no such delivery any more.
	ChangeDelivery(ctx context.Context, d TaskDelivery, claim time.Time) error
	// DeliveriesOf returns the deliveries of those of the named tasks that have one.
	DeliveriesOf(ctx context.Context, ids []TaskID) (map[TaskID]TaskDelivery, error)
}

// ObjectStore is the store that output is delivered to, as far as calls ask for it.
type ObjectStore interface {
	// Check reports whether a place can exist, without looking there.
	Check(sink Sink) DeliveryFault
	// Find reports whether its bucket exists.
	Find(ctx context.Context, sink Sink) DeliveryFault
}

const (
	// findWithin is how long a call waits for the object store to say whether a bucket exists.
	findWithin = 2 * time.Second
	// deliverFor is how long one replica has for a delivery that it claimed, unless it asks for more time. Then another one begins anew.
	deliverFor = 30 * time.Second
	// A delivery that did not work is tried again after firstRetry, then after ever longer times up to maxRetry, until its task ended
	// retryFor ago.
	firstRetry = 5 * time.Second
	maxRetry   = 5 * time.Minute
	retryFor   = time.Hour

	// HoldEvery is how often whoever delivers asks for more time.
	HoldEvery = deliverFor / 3
)

// Delivers reports whether there is an object store for output.
func (s *Service) Delivers() bool { return s.depot != nil }

// CheckSink reports whether output could ever be delivered to a place. There must be an object store.
func (s *Service) CheckSink(sink Sink) DeliveryFault { return s.depot.Check(sink) }

// FindSink is CheckSink and asks the object store for the bucket. A store that does not know within two seconds is believed to have it: what
// is wrong will show when output is delivered.
func (s *Service) FindSink(ctx context.Context, sink Sink) DeliveryFault {
	ctx, cancel := context.WithTimeout(ctx, findWithin)
	defer cancel()
	if fault := s.depot.Find(ctx, sink); fault == FaultNoBucket {
		return fault
	}
	return NoFault
}

// outlet decides where what a new invocation prints goes. Nothing is printed by files and by dry runs.
func (s *Service) outlet(ctx context.Context, v *Invocation) (Outlet, error) {
	switch {
	case !s.Delivers() || !v.Kind.Prints() || v.Repeat == DryRun:
		return NoOutlet, nil
	case v.Sink.Bucket != "":
		return SinkOutlet, nil
	}
	return s.accountOutlet(ctx, v.Account)
}

// accountOutlet is the outlet of invocations that name no place themselves.
func (s *Service) accountOutlet(ctx context.Context, account AccountID) (Outlet, error) {
	settings, err := s.settings(ctx, account)
	if err != nil || !settings.InvocationDelivery.Bucket.Enabled {
		return NoOutlet, err
	}
	return AccountOutlet, nil
}

// Delivers reports whether ends of the invocation's tasks begin deliveries. Standing tasks print nothing; their runs do.
func (v *Invocation) Delivers() bool { return v.Outlet != NoOutlet && v.Kind != KindStanding }

// Deliver returns the delivery that begins when a task comes to its end. When a late result replaces a presumed end, it begins again.
func (v *Invocation) Deliver(t *Task) TaskDelivery {
	d := TaskDelivery{Task: t.ID, Account: v.Account, Since: t.UpdatedAt, NextTry: t.UpdatedAt, UpdatedAt: t.UpdatedAt}
	if t.StartedAt.IsZero() && t.Output.Empty() {
		d.State, d.Fault, d.NextTry = OutputUndelivered, FaultNotRun, time.Time{}
	}
	return d
}

// ClaimDeliveries returns deliveries that are due, at most so many, for the caller alone, who has half a minute for each of them and may ask for
// more by HoldDelivery.
func (s *Service) ClaimDeliveries(ctx context.Context, most int) ([]TaskDelivery, error) {
	now := s.Now()
	return s.store.ClaimDeliveries(ctx, now, now.Add(deliverFor), most)
}

// HoldDelivery extends the claim on a delivery. ErrNotFound says that it is lost: the task was removed, or has another result, or another replica
// was asked to go on.
func (s *Service) HoldDelivery(ctx context.Context, d *TaskDelivery) error {
	held := *d
	held.NextTry = s.Now().Add(deliverFor)
	if err := s.store.ChangeDelivery(ctx, held, d.NextTry); err != nil {
		return err
	}
	*d = held
	return nil
}

// Consignment is what has to be known to carry out a delivery.
type Consignment struct {
	TaskView // with the output
	Sink     Sink
	// Place is where Sink is taken from, if it was the settings of the account.
	Place *BucketDelivery
}

// Consign finds out what to deliver and to where. ErrNotFound says that there is nothing to deliver any more.
func (s *Service) Consign(ctx context.Context, d *TaskDelivery) (Consignment, error) {
	rows, _, err := s.store.ListTasks(ctx, TaskFilter{Account: d.Account, IDs: []TaskID{d.Task}, Output: true}, Page{Limit: 1})
	if err != nil {
		return Consignment{}, err
	}
	views, err := s.views(ctx, d.Account, rows, true)
	if err != nil {
		return Consignment{}, err
	}
	if len(views) == 0 {
		return Consignment{}, fmt.Errorf("task %s: %w", d.Task, ErrNotFound)
	}
	c := Consignment{TaskView: views[0], Sink: views[0].Invocation.Sink}
	if c.Invocation.Outlet != AccountOutlet {
		return c, nil
	}
	settings, err := s.settings(ctx, d.Account)
	c.Place = &settings.InvocationDelivery.Bucket
	if c.Place.Enabled { // otherwise that has changed, and there is no place any more
		c.Sink = Sink{Bucket: "oss://" + c.Place.Bucket, Prefix: c.Place.Prefix} // as the vendor writes it who has such settings
	}
	return c, err
}

// Delivered notes that output is where it should be.
func (s *Service) Delivered(ctx context.Context, d TaskDelivery, uri string) error {
	claim := d.NextTry
	d.State, d.Fault, d.URI, d.NextTry, d.UpdatedAt = OutputDelivered, NoFault, uri, time.Time{}, s.Now()
	return s.settle(ctx, d, claim)
}

// Undelivered notes that a try did not work. If another one may and it is not too late, it returns when that will be, otherwise the zero time.
func (s *Service) Undelivered(ctx context.Context, d TaskDelivery, fault DeliveryFault, again bool) (next time.Time, err error) {
	now, claim := s.Now(), d.NextTry
	if at := now.Add(backOff(d.Tries)); again && at.Before(d.Since.Add(retryFor)) {
		next = at
	}
	d.Fault, d.NextTry, d.UpdatedAt = fault, next, now
	if next.IsZero() {
		d.State = OutputUndelivered
	}
	return next, s.settle(ctx, d, claim)
}

// settle writes a delivery. What became of it does not count if somebody else has taken it over, or the task is gone.
func (s *Service) settle(ctx context.Context, d TaskDelivery, claim time.Time) error {
	err := s.store.ChangeDelivery(ctx, d, claim)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// backOff is how long to wait after so many tries.
func backOff(tries int) time.Duration {
	wait := firstRetry
	for i := 1; i < tries && wait < maxRetry; i++ {
		wait *= 2
	}
	return min(wait, maxRetry)
}
