package dispatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"errand/internal/core"
	"errand/internal/deliver"
)

const (
	// uploadEvery is how often ended tasks are looked for whose output is to be delivered; it is looked again whenever an upload is over.
	uploadEvery = time.Second
	// uploadLanes is how many outputs are uploaded at the same time. Each holds one part of a few megabytes in memory.
	uploadLanes = 4
)

// Uploader is the way to the object store.
type Uploader interface {
	// Put stores an object of exactly size bytes from r, in the place of one that has its name.
	Put(ctx context.Context, o deliver.Object, r io.Reader, size int64) error
}

// ObjectName is what the object that holds a task's output is called after: the names of the invocation and of the task in it, as the dialect's
// callers know them.
type ObjectName func(v *core.Invocation, t *core.Task, n *core.Node) (invocation, task string)

// upload delivers output to the object store. Which of the servers uploads is decided by a claim in the store. Whoever dies between an upload
// and the note of it leaves the same object to be uploaded once more.
func (d *Dispatcher) upload(ctx context.Context) error {
	if d.uploader == nil {
		return nil
	}
	var lanes sync.WaitGroup
	defer lanes.Wait()
	busy := make(chan struct{}, uploadLanes)
	over := make(chan struct{}, 1)
	tick := time.NewTicker(uploadEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-over:
		}
		for _, c := range d.claimUploads(ctx, uploadLanes-len(busy)) {
			busy <- struct{}{}
			lanes.Go(func() {
				d.carry(ctx, c)
				<-busy
				select {
				case over <- struct{}{}:
				default: // the loop is about to look anyway
				}
			})
		}
	}
}

func (d *Dispatcher) claimUploads(ctx context.Context, most int) []core.TaskDelivery {
	if most == 0 {
		return nil
	}
	claimed, err := d.svc.ClaimDeliveries(ctx, most)
	if err != nil && ctx.Err() == nil {
		d.log.Error("claim deliveries", "error", err)
	}
	return claimed
}

// carry makes one try at a delivery and notes what became of it. If that cannot be noted, it is tried again when the claim ends.
func (d *Dispatcher) carry(ctx context.Context, c core.TaskDelivery) {
	var uri string
	var again bool
	var err error
	c = d.hold(ctx, c, func(ctx context.Context) { uri, again, err = d.put(ctx, c) })
	if ctx.Err() != nil {
		return
	}
	outcome := "finished"
	if err == nil {
		err = d.svc.Delivered(ctx, c, uri)
	} else {
		outcome, err = d.failed(ctx, c, again, err)
	}
	if err != nil && ctx.Err() == nil {
		d.log.Error("note delivery", "task", c.Task, "error", err)
	}
	d.metrics.Uploads.WithLabelValues(outcome).Inc()
}

// hold runs work, extends the claim on its delivery meanwhile, and returns the delivery as it is claimed in the end. When the claim is
// lost, work is cancelled: nothing that it does would count.
func (d *Dispatcher) hold(ctx context.Context, c core.TaskDelivery, work func(context.Context)) core.TaskDelivery {
	working, cancel := context.WithCancel(ctx)
	defer cancel()
	over := make(chan struct{})
	go func() {
		defer close(over)
		work(working)
	}()
	tick := time.NewTicker(core.HoldEvery)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return c
		case <-tick.C:
		}
		err := d.svc.HoldDelivery(ctx, &c)
		switch {
		case errors.Is(err, core.ErrNotFound):
			cancel()
		case err != nil && ctx.Err() == nil:
			d.log.Error("hold delivery", "task", c.Task, "error", err)
		}
	}
}

// failed notes that a try did not work.
func (d *Dispatcher) failed(ctx context.Context, c core.TaskDelivery, again bool, why error) (outcome string, err error) {
	next, err := d.svc.Undelivered(ctx, c, FaultOf(why), again)
	if next.IsZero() {
		d.log.Warn("output given up", "account", c.Account, "task", c.Task, "tries", c.Tries, "error", why)
		return "failed", err
	}
	d.log.Info("output not delivered yet", "account", c.Account, "task", c.Task, "tries", c.Tries, "next", next, "error", why)
	return "repeated", err
}

// FaultOf tells what an error of the object store, or of the name of a place in it, means for a delivery.
func FaultOf(err error) core.DeliveryFault {
	if err == nil {
		return core.NoFault
	}
	return faults[deliver.FaultOf(err)]
}

var faults = map[deliver.Fault]core.DeliveryFault{
	deliver.FaultOther:       core.FaultOther,
	deliver.FaultUnreachable: core.FaultUnreachable,
	deliver.FaultDenied:      core.FaultDenied,
	deliver.FaultNoBucket:    core.FaultNoBucket,
	deliver.FaultImmutable:   core.FaultImmutable,
	deliver.FaultInvalidName: core.FaultObjectName,
}

var encryptions = map[core.Encryption]deliver.Encryption{
	core.EncryptInherit: deliver.EncryptAsBucket,
	core.EncryptManaged: deliver.EncryptAES256,
	core.EncryptKMS:     deliver.EncryptKMS,
}

// put uploads the output of a task and returns where it is, or whether another try makes sense.
func (d *Dispatcher) put(ctx context.Context, c core.TaskDelivery) (uri string, again bool, err error) {
	g, err := d.svc.Consign(ctx, &c)
	if err != nil {
		return "", true, err
	}
	bucket, err := deliver.ParsePlace(g.Sink.Bucket, g.Sink.Prefix)
	if err != nil {
		return "", false, err
	}
	name, ok := d.names[g.Invocation.Origin]
	if !ok {
		return "", false, fmt.Errorf("nothing names objects for %q", g.Invocation.Origin)
	}
	invocation, task := name(g.Invocation, &g.Task, &g.Target)
	o := deliver.Object{Bucket: bucket, Key: deliver.ObjectName(g.Sink.Prefix, invocation, task)}
	if g.Place != nil {
		o.Encryption, o.KeyID = encryptions[g.Place.Encryption], g.Place.KeyID
	}
	if again, err = d.stream(ctx, &g.Task, o); err != nil {
		return "", again, err
	}
	return deliver.URI(g.Sink.Bucket, bucket, o.Key), false, nil
}

// stream uploads the output of a task while it reads it.
func (d *Dispatcher) stream(ctx context.Context, t *core.Task, o deliver.Object) (again bool, err error) {
	r, w := io.Pipe()
	read := make(chan error, 1)
	go func() {
		err := d.svc.Full(ctx, t, func(c core.Chunk) error {
			_, err := w.Write(c.Data)
			return err
		})
		_ = w.CloseWithError(err) // which never fails
		read <- err
	}()
	err = d.uploader.Put(ctx, o, r, int64(t.Output.Kept()))
	_ = r.Close() // neither does this; it ends the reading
	if unread := <-read; err != nil && unread != nil && !errors.Is(unread, io.ErrClosedPipe) {
		return true, err
	}
	return deliver.Retryable(err), err
}
