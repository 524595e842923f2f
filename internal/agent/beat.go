package agent

import (
	"context"
	"math/rand/v2"
	"time"

	"errand/internal/protocol"
)

// Bounds and default of the time between two Beats; the server says which.
const (
	usualHeartbeat = time.Minute
	minHeartbeat   = 5 * time.Second
	maxHeartbeat   = 10 * time.Minute
)

// beat says Hello after each connection, and that the node is alive.
func (a *Agent) beat(ctx context.Context) error {
	every := a.id.Heartbeat
	if every == 0 {
		every = usualHeartbeat
	}
	every = min(max(every, minHeartbeat), maxHeartbeat)
	// A fleet that was started at once need not beat at once for ever.
	timer := time.NewTimer(rand.N(every)) //nolint:gosec // see above
	defer timer.Stop()
	for {
		a.pass(loopBeat)
		select {
		case <-ctx.Done():
			return nil
		case <-a.called(loopBeat):
		case <-a.greet:
			a.hello()
		case <-a.probe:
			a.pulse()
		case <-timer.C:
			a.pulse()
			timer.Reset(every)
		}
	}
}

// pulse says that the node is alive.
func (a *Agent) pulse() {
	m := protocol.Beat{Clock: a.cfg.Clock().Wall.UnixMicro(), Active: a.active()}
	if a.publish(m.Append(nil)) == nil { // the next one will do
		a.confirm()
	}
}

// hello introduces the node, and has everything that the server may not know reported again.
func (a *Agent) hello() {
	f := Facts(a.cfg.Version)
	m := protocol.Hello{
		Version: protocol.Version, Agent: f.Agent, BootID: f.BootID, StartID: a.startID, Hostname: f.Hostname,
		OS: f.OS, OSName: f.OSName, Kernel: f.Kernel, Arch: f.Arch, IPs: f.IPs, Zone: f.Zone, Features: a.features(f.Features),
		Clock: a.cfg.Clock().Wall.UnixMicro(), Active: a.active(), Machine: a.machine, Crash: a.untold(),
		CPUs: f.CPUs, Memory: f.Memory, GPUs: f.GPUs,
	}
	if err := a.publish(m.Append(nil)); err != nil {
		return // another Hello follows the next connection
	}
	a.reconnected()
	if a.confirm() {
		a.told = true
	}
}

// confirmTimeout is how long is waited for the other end to have a heartbeat.
const confirmTimeout = 5 * time.Second

// confirm notes that the other end has what was published, if it does.
func (a *Agent) confirm() bool {
	a.mu.Lock()
	c, ok := a.link.(Connection)
	a.mu.Unlock()
	if !ok || c.Confirm(confirmTimeout) != nil {
		return false
	}
	a.mu.Lock()
	a.heard = time.Now()
	a.mu.Unlock()
	return true
}

// untold is what the server does not know yet of how the agent before this one ended.
func (a *Agent) untold() string {
	if a.told || a.recorder == nil || !a.recorder.Fresh {
		return ""
	}
	return a.recorder.Last.Summary(protocol.MaxCrash)
}

// reconnected has all that the server may not know reported again.
func (a *Agent) reconnected() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.tasks {
		t.reconnected(a.cfg.tempo)
		a.schedule(t, time.Now())
	}
}

// active counts the tasks that wait or run.
func (a *Agent) active() (n uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.tasks {
		if t.phase != ended && t.phase != planned {
			n++
		}
	}
	return n
}
