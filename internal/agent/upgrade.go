package agent

import (
	"context"

	"errand/internal/protocol"
)

// Upgrader replaces the agent's own program; see package upgrade. Offer and Welcomed do not wait.
type Upgrader interface {
	Offer(m protocol.Upgrade)
	// Welcomed says that the server has taken in the Hello of this agent.
	Welcomed()
	// Run works until ctx ends. An error means that the agent has to end.
	Run(ctx context.Context, report func(protocol.Upgraded)) error
}

// upgrade replaces the program when the server asks for it.
func (a *Agent) upgrade(ctx context.Context) error {
	if a.cfg.Upgrader == nil {
		<-ctx.Done()
		return nil
	}
	return a.cfg.Upgrader.Run(ctx, func(m protocol.Upgraded) {
		_ = a.publish(m.Append(nil)) // if it gets lost, the server asks again
	})
}

// upgraded handles the server's messages about the agent's own program.
func (a *Agent) upgraded(kind protocol.Kind, msg []byte) error {
	if kind == protocol.KindWelcome {
		m, err := protocol.DecodeWelcome(msg)
		if err == nil && m.StartID == a.startID && a.cfg.Upgrader != nil {
			a.cfg.Upgrader.Welcomed()
		}
		return err
	}
	m, err := protocol.DecodeUpgrade(msg)
	if err == nil && a.cfg.Upgrader != nil {
		a.cfg.Upgrader.Offer(m)
	}
	return err
}

// features is what the agent can do: what every agent of this version can and, where its program can be replaced, that.
func (a *Agent) features(all []string) []string {
	if a.cfg.Upgrader == nil {
		return all
	}
	return append(all, protocol.FeatureUpgrade)
}
