package agent

import (
	"context"
	"math/rand/v2"
	"time"

	"errand/internal/agent/identity"
	"errand/internal/protocol"
)

// Keys replaces the key of this node. See identity.Rotator.
type Keys interface {
	Rotate(ctx context.Context, present identity.Identity) (identity.Identity, error)
	Settle(present identity.Identity) error
}

// retryRekey is about how long after a failure the next attempt is made.
const retryRekey = 5 * time.Minute

// rekey replaces the node's key when the server asks for it, and goes on with what an earlier agent has begun.
func (a *Agent) rekey(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	if a.cfg.Keys == nil || !identity.Rotating(a.cfg.Dir) {
		timer.Stop()
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case after := <-a.rotateAfter:
			timer.Reset(after)
		case <-a.greeted:
			a.settleKey()
		case <-timer.C:
			if wait := a.rotate(ctx); wait > 0 {
				timer.Reset(wait)
			}
		}
	}
}

// rotate makes one attempt to replace the key, and returns when to make the next one; zero for none.
func (a *Agent) rotate(ctx context.Context) time.Duration {
	if a.cfg.Keys == nil {
		return 0
	}
	next, err := a.cfg.Keys.Rotate(ctx, a.present())
	if err != nil {
		wait := a.cfg.tempo.rekey/2 + rand.N(a.cfg.tempo.rekey) //nolint:gosec // to spread a fleet, not to keep a secret
		a.log.Warn("the key is not replaced yet", "error", err, "again_in", wait.Round(time.Millisecond))
		return wait
	}
	if next.Same(a.present()) {
		return 0
	}
	a.mu.Lock()
	a.login = next
	a.mu.Unlock()
	a.log.Info("the key was replaced")
	nudge(a.relink)
	return 0
}

// settleKey removes what is left of a key that was replaced, after a connection with the new one.
func (a *Agent) settleKey() {
	if a.cfg.Keys == nil {
		return
	}
	if err := a.cfg.Keys.Settle(a.present()); err != nil {
		a.log.Warn("the key before is still on disk", "error", err)
	}
}

// present is the identity with which the node connects now.
func (a *Agent) present() identity.Identity {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.login
}

// asksForKey handles a Rotate.
func (a *Agent) asksForKey(m protocol.Rotate) {
	select {
	case <-a.rotateAfter: // the latest word counts
	default:
	}
	a.rotateAfter <- duration(m.After, time.Second)
}
