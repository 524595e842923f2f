package tat

import (
	"context"

	"errand/internal/core"
)

// noStorage is what became of output that was to be uploaded.
const noStorage = "no object storage is connected to this server"

// findBucket refuses a bucket of which the object store is sure that it does not exist.
func (d *Dialect) findBucket(ctx context.Context, f *placeFields) error {
	if f.OutputCOSBucketUrl == nil || *f.OutputCOSBucketUrl == "" || !d.env.Service.Delivers() {
		return nil
	}
	if d.env.Service.FindSink(ctx, core.Sink{Bucket: *f.OutputCOSBucketUrl}) != core.NoFault {
		return refuse(codeNoBucket, "OutputCOSBucketUrl", "%q", *f.OutputCOSBucketUrl)
	}
	return nil
}

// ObjectName is what the output of a task is stored as.
func ObjectName(_ *core.Invocation, t *core.Task, _ *core.Node) (invocation, task string) {
	return invocationPrefix + t.ID.Invocation.String(), taskPrefix + t.ID.String()
}

// showDelivery says what became of the output of a task that has ended. The vendor has no word for an upload that is under way.
func showDelivery(t *core.TaskView, shown *taskResult) {
	switch d := t.Delivery; {
	case d == nil && t.Invocation.Outlet == core.NoOutlet && t.Invocation.Sink.Bucket != "":
		shown.OutputUploadCOSErrorInfo = noStorage
	case d == nil:
	case d.State == core.OutputDelivered:
		shown.OutputUrl = d.URI
	case d.State == core.OutputUndelivered:
		shown.OutputUploadCOSErrorInfo = d.Fault.String()
	}
}
