package scene

import (
	"context"

	"errand/internal/core"
	"errand/internal/deliver"
)

// Buckets is the option of a scene with an object store that has these buckets. Nothing is uploaded: what a delivery comes to is for the test
// to say.
func Buckets(names ...string) func(*core.Config) {
	return func(c *core.Config) {
		o := objects{}
		for _, name := range names {
			o[name] = true
		}
		c.ObjectStore = o
	}
}

type objects map[string]bool

func (objects) Check(sink core.Sink) core.DeliveryFault {
	if _, err := deliver.ParsePlace(sink.Bucket, sink.Prefix); err != nil {
		return core.FaultNoBucket
	}
	return core.NoFault
}

func (o objects) Find(ctx context.Context, sink core.Sink) core.DeliveryFault {
	bucket, err := deliver.ParsePlace(sink.Bucket, sink.Prefix)
	switch {
	case bucket == "silent": // never answers
		<-ctx.Done()
		return core.FaultUnreachable
	case err != nil || !o[bucket]:
		return core.FaultNoBucket
	}
	return core.NoFault
}

// Settle ends the delivery of a task's output: with this fault, or at this place if it is none.
func (s *Scene) Settle(id core.TaskID, fault core.DeliveryFault, uri string) {
	s.tb.Helper()
	due, err := s.Service.ClaimDeliveries(s.tb.Context(), 1000)
	if err != nil {
		s.tb.Fatal(err)
	}
	for _, d := range due {
		switch {
		case d.Task != id:
			continue
		case fault == core.NoFault:
			err = s.Service.Delivered(s.tb.Context(), d, uri)
		default:
			_, err = s.Service.Undelivered(s.tb.Context(), d, fault, false)
		}
		if err != nil {
			s.tb.Fatal(err)
		}
		return
	}
	s.tb.Fatalf("no delivery of %s is due", id)
}
