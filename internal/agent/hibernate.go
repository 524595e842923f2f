package agent

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"errand/internal/agent/identity"
)

// Standing is what the server has to say about a node that it does not let in.
type Standing int

// The standings.
const (
	StandingUnknown Standing = iota // the server could not be asked, or did not say
	StandingGood                    // it may connect: what kept it out passes
	StandingRemoved                 // it is not, or no longer, a node of this server
	StandingCloned                  // another machine is connected with the same identity
)

// ErrCloned means that this machine is a copy of a node that is connected elsewhere, and shall enrol as a node of its own.
var ErrCloned = errors.New("this machine is a copy of another node")

// Ask asks the server about a node that it does not let in. enrol says that the server lets a copy become a node of its own.
type Ask func(ctx context.Context, id identity.Identity, startID string) (s Standing, enrol bool, err error)

// patience is how many refusals are put down to trouble of the server as long as it cannot be asked.
const patience = 3

// hibernation is how an agent waits that is not wanted. Commands go on meanwhile, and their results are kept.
type hibernation struct {
	first, most time.Duration

	refusals int
	pause    time.Duration
}

// refused is called when the server does not let this node in. It sleeps if the server means it; rest says that it did. The error is
// ErrCloned if this machine has to become another node.
func (a *Agent) refused(ctx context.Context, h *hibernation) (rest bool, err error) {
	h.refusals++
	if h.refusals == 1 {
		h.pause = h.first
	}
	standing, enrol := StandingUnknown, false
	if a.cfg.Ask != nil {
		if standing, enrol, err = a.cfg.Ask(ctx, a.present(), a.startID); err != nil && ctx.Err() == nil {
			a.log.Warn("refused, and the server cannot be asked why", "error", err)
		}
	}
	why := "unknown"
	switch standing {
	case StandingGood:
		return false, nil
	case StandingCloned:
		if enrol {
			return false, fmt.Errorf("%w; it becomes a node of its own", ErrCloned)
		}
		why = "another machine is connected with the same identity"
	case StandingRemoved:
		why = "the server does not know this node, or removed it"
	case StandingUnknown:
		if h.refusals < patience {
			return false, nil
		}
	}
	wait := h.pause - rand.N(h.pause/4+1) //nolint:gosec // to spread a fleet, not to keep a secret
	h.pause = min(2*h.pause, h.most)
	a.log.Error("hibernating: the server does not let this node in", "reason", why, "again_in", wait.Round(time.Millisecond))
	select {
	case <-a.cfg.Wake: // was meant for a sleep that is over
	default:
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-a.relink: // perhaps with another key
		h.pause = h.first
	case <-a.cfg.Wake:
		h.pause = h.first
		a.log.Info("woken from hibernation")
	}
	return true, nil
}
