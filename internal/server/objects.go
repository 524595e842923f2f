package server

import (
	"context"
	"errors"

	"errand/internal/api/ecs"
	"errand/internal/api/tat"
	"errand/internal/core"
	"errand/internal/deliver"
	"errand/internal/dispatch"
)

// objects is the operator's object store as calls know it.
type objects struct{ *deliver.Store }

// openObjects returns nil if no object store is configured.
func openObjects(c *Config) (*objects, error) {
	if c.S3.Endpoint == "" {
		if c.S3 != (deliver.Config{}) {
			return nil, errors.New("object store: its endpoint is missing")
		}
		return nil, nil
	}
	store, err := deliver.New(c.S3, c.Log)
	if err != nil {
		return nil, err
	}
	return &objects{store}, nil
}

// Check implements core.ObjectStore.
func (o *objects) Check(sink core.Sink) core.DeliveryFault {
	_, err := deliver.ParsePlace(sink.Bucket, sink.Prefix)
	return dispatch.FaultOf(err)
}

// Find implements core.ObjectStore.
func (o *objects) Find(ctx context.Context, sink core.Sink) core.DeliveryFault {
	bucket, err := deliver.ParsePlace(sink.Bucket, sink.Prefix)
	if err == nil {
		err = o.CheckBucket(ctx, bucket)
	}
	return dispatch.FaultOf(err)
}

// objectNames lists how each dialect's callers know a task. Dialects that have no delivery of their own follow the one whose settings can
// ask for it.
func objectNames() map[core.Origin]dispatch.ObjectName {
	return map[core.Origin]dispatch.ObjectName{
		core.OriginNative: ecs.ObjectName, core.OriginECS: ecs.ObjectName, core.OriginEFLO: ecs.ObjectName, core.OriginZOS: ecs.ObjectName,
		core.OriginTAT: tat.ObjectName,
	}
}
