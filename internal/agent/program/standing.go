package program

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"errand/internal/agent"
	"errand/internal/agent/identity"
	"errand/internal/agent/reach"
	"errand/internal/protocol"
)

// retryReenroll is about how long a copy waits when it could not become a node.
const retryReenroll = 30 * time.Second

// asker asks the server, outside the bus, why the bus does not let a node in.
func (o Options) asker(way *reach.Reach) agent.Ask {
	return func(ctx context.Context, id identity.Identity, startID string) (agent.Standing, bool, error) {
		c, err := id.NewClient(way.Client(identity.TryTimeout), o.Version)
		if err != nil {
			return agent.StandingUnknown, false, err
		}
		s, err := c.Standing(ctx, startID)
		var refused *identity.RefusedError
		switch {
		case errors.As(err, &refused) && refused.Reason == protocol.ProblemRefused:
			return agent.StandingRemoved, false, nil
		case err != nil:
			return agent.StandingUnknown, false, err
		case s.Clone:
			return agent.StandingCloned, s.MayReenroll, nil
		}
		return agent.StandingGood, false, nil
	}
}

// Run starts an agent and runs it until ctx ends. When it turns out to be the agent of a copied machine, it goes on as the agent of a node of
// its own.
func Run(ctx context.Context, o Options) error {
	for {
		a, err := Start(ctx, o)
		if err != nil {
			return err
		}
		err = a.Run(ctx)
		if !errors.Is(err, agent.ErrCloned) {
			return err
		}
		o.Log.Error("this machine is a copy of another node", "error", err)
		if err := o.reenroll(ctx, a.StartID()); err != nil {
			return err
		}
	}
}

// reenroll makes this machine a node of its own.
func (o Options) reenroll(ctx context.Context, startID string) error {
	id, err := identity.Load(o.Data)
	if err != nil {
		return err
	}
	way, err := o.reach()
	if err != nil {
		return err
	}
	c, err := id.NewClient(way.Client(identity.TryTimeout), o.Version)
	if err != nil {
		return err
	}
	own, err := c.Reenroll(ctx, o.Data, startID, agent.MachineID(), agent.Facts(o.Version))
	if err != nil {
		wait := retryReenroll/2 + rand.N(retryReenroll) //nolint:gosec // to spread a fleet, not to keep a secret
		o.Log.Warn("the copy has not become a node yet", "error", err, "again_in", wait.Round(time.Millisecond))
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		return nil // the agent finds out whether it still may
	}
	o.Log.Info("the copy is a node of its own now", "copy_of", id.NodeID, "node", own.NodeID)
	return o.settle()
}

// settle takes what the other node left out of the way of a former copy, also after a crash in the middle of it.
func (o Options) settle() error {
	if !identity.Reenrolling(o.Data) {
		return nil
	}
	aside, err := agent.SetAside(o.Data, time.Now())
	if err != nil {
		return fmt.Errorf("end of enrolment: %w", err)
	}
	o.Log.Info("what the other node left is set aside", "folder", aside)
	return identity.Reenrolled(o.Data)
}
