package dispatch

import (
	"context"
	"slices"
	"time"

	"errand/internal/core"
	"errand/internal/protocol"
)

const (
	// rolloutEvery is how often rollouts are looked at that time can move; others are looked at when something happens.
	rolloutEvery = time.Second
	// rolloutShare bounds what that may cost where there are many nodes: one part in so many of the time.
	rolloutShare   = 20
	maxRolloutRest = 30 * time.Second
	// offerAfter is how long a node may leave an Upgrade unanswered before it is sent again.
	offerAfter = 30 * time.Second
)

// moveRollouts leaves word for upgrade.
func (d *Dispatcher) moveRollouts() {
	select {
	case d.moved <- struct{}{}:
	default:
	}
}

// offer is an order for a node and when it was sent.
type offer struct {
	rollout core.ID
	attempt uint64
	sent    time.Time
}

// upgrade moves rollouts of the agent's releases.
func (d *Dispatcher) upgrade(ctx context.Context) error {
	for {
		began := d.now()
		orders, busy, err := d.svc.AdvanceRollouts(ctx)
		if err != nil && ctx.Err() == nil {
			d.log.Error("move rollouts", "error", err)
		}
		d.sendOrders(orders)
		rest := time.NewTimer(max(rolloutEvery/10, min(rolloutShare*d.now().Sub(began), maxRolloutRest)))
		var again <-chan time.Time
		if busy {
			again = time.NewTimer(rolloutEvery).C
		}
		select {
		case <-ctx.Done():
			rest.Stop()
			return nil
		case <-rest.C:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again:
		case <-d.moved:
		}
	}
}

// sendOrders tells nodes what they were not told yet or did not answer.
func (d *Dispatcher) sendOrders(orders []core.UpgradeOrder) {
	now := d.now()
	for i := range orders {
		o := &orders[i]
		d.mu.Lock()
		last, ok := d.offered[o.Node]
		due := !ok || len(o.Manifest) == 0 || last.rollout != o.Rollout || last.attempt != o.Attempt || now.Sub(last.sent) >= offerAfter
		if due {
			d.offered[o.Node] = offer{o.Rollout, o.Attempt, now}
		}
		d.mu.Unlock()
		if !due {
			continue
		}
		m := protocol.Upgrade{
			Rollout: uint64(o.Rollout), Attempt: o.Attempt, Protocol: protocol.Version, Manifest: o.Manifest, Keys: o.Keys,
			Trial: uint64(o.Trial / time.Second), Again: o.Again,
		}
		d.send(o.Node, m.Append(nil))
	}
	if len(orders) == 0 {
		d.mu.Lock()
		clear(d.offered)
		d.mu.Unlock()
	}
}

// welcome tells a node that its Hello was taken in, and has it told what it is to change to.
func (d *Dispatcher) welcome(h *hello) {
	if !slices.Contains(h.Features, protocol.FeatureUpgrade) {
		return
	}
	d.mu.Lock()
	delete(d.offered, h.node) // it may be another process, which knows nothing
	d.mu.Unlock()
	m := protocol.Welcome{StartID: h.StartID}
	d.send(h.node, m.Append(nil))
	d.moveRollouts()
}

// upgraded is what a node says about its upgrade.
type upgraded struct {
	node core.NodeKey
	protocol.Upgraded
}

// heed writes down what nodes say about their upgrades.
func (d *Dispatcher) heed(ctx context.Context) error {
	for {
		batch := d.upgrades.take(ctx, maxBatch)
		if batch == nil {
			return nil
		}
		for i := range batch {
			err := d.svc.ReportUpgrade(ctx, batch[i].node, upgradeReport(&batch[i].Upgraded))
			if err != nil && ctx.Err() == nil {
				d.log.Error("upgrade report", "node", batch[i].node, "error", err)
			}
		}
	}
}

// upgradeReport is what a node says about its upgrade, in the core's words.
func upgradeReport(m *protocol.Upgraded) core.UpgradeReport {
	states := map[protocol.UpgradeState]core.UpgradeState{
		protocol.UpgradeFetching: core.UpgradeFetching, protocol.UpgradeTrying: core.UpgradeTrying, protocol.UpgradeDone: core.UpgradeDone,
		protocol.UpgradeRefused: core.UpgradeRefused, protocol.UpgradeRolledBack: core.UpgradeRolledBack,
	}
	return core.UpgradeReport{
		Rollout: core.ID(m.Rollout), Attempt: m.Attempt, Version: m.Version, State: states[m.State], Detail: m.Detail,
	}
}
