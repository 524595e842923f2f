package dispatch

import (
	"sync"
	"testing"
	"time"

	"errand/internal/core"
	"errand/internal/protocol"
)

// waits is how many reports and greetings wait for the store, and how many bytes of output they hold.
func (r *rig) waits() (items, bytes int) {
	r.t.Helper()
	for _, q := range append(r.bulk[:], r.small) {
		q.mu.Lock()
		items += len(q.items)
		for i := range q.items {
			bytes += len(q.items[i].Chunk.Data)
		}
		q.mu.Unlock()
	}
	r.hellos.mu.Lock()
	defer r.hellos.mu.Unlock()
	return items + len(r.hellos.items), bytes
}

// evicted returns the nodes that are to be disconnected.
func (r *rig) evicted() (nodes []core.NodeKey) {
	for {
		select {
		case e := <-r.excesses:
			nodes = append(nodes, e.node)
		default:
			return nodes
		}
	}
}

// only fails unless exactly one node is to be disconnected.
func (r *rig) only(want core.Node) {
	r.t.Helper()
	if got := r.evicted(); len(got) != 1 || got[0] != want.Key {
		r.t.Errorf("to be disconnected: %v, want %v", got, want.Key)
	}
}

// TestHostileFloods lets one node send what it likes while the store takes nothing. What waits in memory stays bounded, the node is to be
// disconnected, once, and another node is heard as before.
func TestHostileFloods(t *testing.T) {
	t.Parallel()
	task := protocol.Task{Invocation: 1 << 40}
	chunk := func(n int) protocol.Chunk {
		return protocol.Chunk{Spans: []protocol.Span{{Stream: 1, Len: uint32(n)}}, Data: make([]byte, n)}
	}
	tests := map[string]struct {
		message interface{ Append([]byte) []byte }
		times   int
		items   int // that may wait at most
		evicted bool
	}{
		"beats":            {&protocol.Beat{Clock: 1}, messageBurst + 1000, 0, true},
		"hellos":           {&protocol.Hello{OS: "linux"}, 5000, helloBurst, true},
		"unknown starts":   {&protocol.Started{Task: task}, messageBurst + 1000, maxWaiting / reportCost, true},
		"unknown results":  {&protocol.Finished{Task: task, Outcome: protocol.OutcomeExited}, messageBurst + 1000, maxWaiting / reportCost, true},
		"made up plans":    {&protocol.Planned{Task: task, Revision: 9}, messageBurst + 1000, maxWaiting / reportCost, true},
		"made up runs":     {&protocol.Started{Task: protocol.Task{Invocation: 1, Due: 5}}, messageBurst + 1000, maxWaiting / reportCost, true},
		"small output":     {&protocol.Output{Task: task, Chunk: chunk(10 << 10)}, 5000, maxWaiting / (10 << 10), false},
		"output in bulk":   {&protocol.Output{Task: task, Chunk: chunk(bulkSize)}, 2000, maxWaiting / bulkCost, false},
		"largest output":   {&protocol.Output{Task: task, Chunk: chunk(1000 << 10)}, 600, 17, true},
		"the server's own": {&protocol.Stop{Task: task}, 5000, 0, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			hostile, honest := r.scene.Node("hostile"), r.scene.Node("honest")
			msg := tt.message.Append(nil)
			for range tt.times {
				r.Receive(int64(hostile.Key), msg)
			}
			items, bytes := r.waits()
			if items > tt.items || bytes > maxWaiting {
				t.Errorf("%d wait, with %d bytes", items, bytes)
			}
			if tt.evicted {
				r.only(hostile)
			}
			r.say(honest, &protocol.Hello{OS: "linux"})
			r.say(honest, &protocol.Output{Task: task, Chunk: chunk(bulkSize)})
			r.say(honest, &protocol.Finished{Task: task, Outcome: protocol.OutcomeExited})
			if after, _ := r.waits(); after != items+3 {
				t.Errorf("of three messages of another node %d were heard", after-items)
			}
			if got := r.evicted(); len(got) > 0 {
				t.Errorf("disconnected: %v", got)
			}
		})
	}
}

// TestFloodIsForgiven hears a node again when it has been quiet, and keeps nothing about it.
func TestFloodIsForgiven(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	n := r.scene.Node("n")
	for range 3 * helloBurst {
		r.say(n, &protocol.Hello{OS: "linux"})
	}
	r.only(n)
	r.scene.Advance(evictEvery)
	r.say(n, &protocol.Hello{OS: "linux"})
	if items, _ := r.waits(); items != helloBurst+1 {
		t.Errorf("%d greetings wait", items)
	}
	r.scene.Advance(forgetAfter + time.Second)
	r.meter.forget(r.scene.Now())
	if len(r.meter.nodes) > 0 {
		t.Errorf("%d nodes are remembered", len(r.meter.nodes))
	}
	r.say(n, &protocol.Received{Task: protocol.Task{Invocation: 1}})
	if len(r.shares.waiting) != 1 {
		t.Errorf("%v waits", r.shares.waiting)
	}
	r.shares.release(r.small.take(t.Context(), maxBatch))
	if len(r.shares.waiting) > 0 {
		t.Errorf("%v is still counted", r.shares.waiting)
	}
}

// TestManyHonestNodesAtOnce lets ten thousand nodes come back from an outage in the same moment, each with a greeting and ten results: none is
// held back.
func TestManyHonestNodesAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const nodes, results = 10_000, 10
	var all sync.WaitGroup
	for part := range 4 {
		all.Go(func() {
			for i := part; i < nodes; i += 4 {
				r.say(core.Node{Key: core.NodeKey(i + 1)}, &protocol.Hello{OS: "linux"})
				for n := range results {
					task := protocol.Task{Invocation: uint64(n + 1), Index: uint32(i)}
					r.say(core.Node{Key: core.NodeKey(i + 1)}, &protocol.Finished{Task: task, Outcome: protocol.OutcomeExited})
				}
			}
		})
	}
	all.Wait()
	if items, _ := r.waits(); items != nodes*(1+results) {
		t.Errorf("%d messages wait, want %d", items, nodes*(1+results))
	}
	if got := r.evicted(); len(got) > 0 {
		t.Errorf("%d nodes disconnected", len(got))
	}
}
