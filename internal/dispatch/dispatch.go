// Package dispatch moves tasks between the store and the nodes: it delivers what was committed, collects what nodes report, repeats what was
// not answered and gives up what stays silent. What it holds in memory is a copy of what is open in the store, rebuilt at each start; losing it
// loses nothing.
package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"errand/internal/core"
	"errand/internal/telemetry"
)

// Sender is the way to the nodes.
type Sender interface {
	// Send publishes a message for one node and does not wait.
	Send(node int64, msg []byte) error
}

// Config is what a Dispatcher is made of.
type Config struct {
	Service *core.Service
	Feed    *core.Feed
	Bus     Sender
	// Kick ends the connection of a node; nil leaves nodes connected whatever they send.
	Kick    func(node int64) error
	Now     func() time.Time
	Log     *slog.Logger
	Metrics *telemetry.Metrics
	// Fill holds, for the dialects that have them, how built-in parameters are filled in.
	Fill map[core.Origin]Fill
	// Uploader is the object store that output is delivered to, nil if there is none; Names names the objects in it, for each dialect
	// through which an invocation came in.
	Uploader Uploader
	Names    map[core.Origin]ObjectName
	// Keep is how long results are kept; TidyAfter is when that is looked at for the first time after Start, and then once a minute.
	Keep      core.Retention
	TidyAfter time.Duration
	// Shorten returns a random duration up to the one it is given, for pauses between tries.
	Shorten func(time.Duration) time.Duration
}

// Fill completes a script for one node with what only the server knows about it.
type Fill func(script []byte, v *core.Invocation, n *core.Node) []byte

// Dispatcher runs the server's loops.
type Dispatcher struct {
	svc     *core.Service
	bus     Sender
	now     func() time.Time
	log     *slog.Logger
	metrics *telemetry.Metrics
	fill    map[core.Origin]Fill

	uploader Uploader
	names    map[core.Origin]ObjectName

	keep      core.Retention
	tidyAfter time.Duration
	shorten   func(time.Duration) time.Duration

	kick     func(node int64) error
	meter    *meter
	shares   *shares
	excesses chan excess

	events   *queue[core.Event]
	alarm    chan struct{} // a schedule may fire sooner than repeat expects
	moved    chan struct{} // to upgrade: a rollout may move
	paces    *paceable
	hellos   *queue[hello]
	upgrades *queue[upgraded]
	small    *queue[core.Report] // reports that fit into rows
	bulk     [bulkLanes]*queue[core.Report]

	mu      sync.Mutex
	open    map[core.ID]*invocation
	byNode  map[core.NodeKey]map[core.TaskID]*task
	offered map[core.NodeKey]offer         // orders to change to another version, until there are none
	skew    map[core.NodeKey]time.Duration // how far a node's clock is behind ours, where it matters

	stop context.CancelFunc
	done chan error
}

const (
	// bulkLanes is how many tasks' long outputs are written at the same time, apart from everything else.
	bulkLanes = 4
	// What nodes say waits in memory for the store. Beyond these numbers it is dropped, so that no node can exhaust the server: nodes repeat
	// what is not answered, more and more slowly.
	maxReports = 1 << 17
	maxBulk    = 128 // in each lane, of at most protocol.MaxMessage each
	maxHellos  = 1 << 16
)

// New puts a Dispatcher together.
func New(c Config) *Dispatcher {
	d := &Dispatcher{
		svc: c.Service, bus: c.Bus, now: c.Now, log: c.Log, metrics: c.Metrics, fill: c.Fill, uploader: c.Uploader, names: c.Names,
		kick: c.Kick, meter: &meter{nodes: map[core.NodeKey]*usage{}}, shares: &shares{waiting: map[core.NodeKey]int{}}, excesses: make(chan excess, 64),
		keep: c.Keep, tidyAfter: c.TidyAfter, shorten: c.Shorten,
		events: newQueue[core.Event](0), hellos: newQueue[hello](maxHellos), upgrades: newQueue[upgraded](maxHellos),
		offered: map[core.NodeKey]offer{}, small: newQueue[core.Report](maxReports),
		open: map[core.ID]*invocation{}, byNode: map[core.NodeKey]map[core.TaskID]*task{}, skew: map[core.NodeKey]time.Duration{},
		done: make(chan error, 1), alarm: make(chan struct{}, 1),
		moved: make(chan struct{}, 1), paces: newPaceable(),
	}
	if d.kick == nil {
		d.kick = func(int64) error { return nil }
	}
	for i := range d.bulk {
		d.bulk[i] = newQueue[core.Report](maxBulk)
	}
	c.Feed.Listen(func(e core.Event) {
		if e.Rescheduled {
			d.ring()
			return
		}
		if e.RolledOut {
			d.moveRollouts()
			return
		}
		if e.Paced != 0 {
			d.paces.add(e.Paced)
			return
		}
		d.events.put(e)
	})
	return d
}

// Start takes up what is open in the store and starts the loops. Nodes that connect afterwards get what waits for them.
func (d *Dispatcher) Start(ctx context.Context) error {
	err := d.svc.Open(ctx, func(v core.Invocation, tasks []core.Task) error {
		_, err := d.add(ctx, &v, tasks)
		return err
	})
	if err != nil {
		return fmt.Errorf("take up open invocations: %w", err)
	}
	ctx, d.stop = context.WithCancel(context.WithoutCancel(ctx))
	loops := []func(context.Context) error{
		d.deliver, d.greet, d.tend, d.flush, d.repeat, d.tidy, d.notify, d.upload, d.evict, d.upgrade, d.heed, d.pace,
		func(ctx context.Context) error { return d.collect(ctx, d.small) },
	}
	for _, lane := range d.bulk {
		loops = append(loops, func(ctx context.Context) error { return d.collect(ctx, lane) })
	}
	errs := make(chan error, len(loops))
	for _, loop := range loops {
		go func() { errs <- loop(ctx) }()
	}
	go func() {
		var all error
		for range loops {
			all = errors.Join(all, <-errs)
		}
		d.done <- all
	}()
	return nil
}

// Stop ends the loops and waits for them; what they were about to do is in the store.
func (d *Dispatcher) Stop() error {
	d.stop()
	return <-d.done
}

// Open is how many tasks have not ended, as far as this process knows.
func (d *Dispatcher) Open() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, v := range d.open {
		n += len(v.tasks)
	}
	return n
}
