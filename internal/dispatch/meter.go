package dispatch

import (
	"sync"
	"time"

	"errand/internal/core"
)

// What one node may send, so that none can exhaust the server. The bounds are far above what an agent does: one with ten thousand tasks tells of
// all of them at once after an outage, and 16 commands that print without pause are held back by the server's answers.
const (
	messageRate  = 2_000 // messages a second
	messageBurst = 50_000
	byteRate     = 64 << 20 // bytes a second
	byteBurst    = 512 << 20
	// A Hello makes the server look up and repeat everything that is open for the node.
	helloRate  = 1
	helloBurst = 20
	// What cannot be understood, or is not a node's to say.
	faultRate  = 1
	faultBurst = 50
	// maxWaiting is how many bytes of one node's reports wait in memory for the store, with reportCost for each, and bulkCost for those that
	// are written apart.
	maxWaiting = 16 << 20
	reportCost = 512
	bulkCost   = 256 << 10
	// evictEvery is how often a node that goes on is disconnected, and spoken of in the log.
	evictEvery = 10 * time.Second
	// forgetAfter is when nothing is left of any bucket.
	forgetAfter = time.Minute
)

// meter measures what each node sends.
type meter struct {
	mu    sync.Mutex
	nodes map[core.NodeKey]*usage
}

// usage is what one node has sent lately.
type usage struct {
	messages, bytes, hellos, faults bucket

	last    time.Time // message
	evicted time.Time
	dropped int // messages since it was evicted last
}

// bucket fills with what is sent and empties at a rate.
type bucket struct {
	level float64
	at    time.Time
}

// take reports whether n more fits into the bucket, and puts it in if so.
func (b *bucket) take(n, rate, burst float64, now time.Time) bool {
	if passed := now.Sub(b.at).Seconds(); passed > 0 {
		b.level = max(0, b.level-passed*rate)
		b.at = now
	}
	if b.level+n > burst {
		return false
	}
	b.level += n
	return true
}

// excess is a node that has to be disconnected.
type excess struct {
	node    core.NodeKey
	what    string
	dropped int
}

// message takes a message of a node into account and reports whether it may be looked at. e is not nil if the node has to be disconnected.
func (m *meter) message(node core.NodeKey, size int, now time.Time) (ok bool, e *excess) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.of(node, now)
	if u.messages.take(1, messageRate, messageBurst, now) && u.bytes.take(float64(size), byteRate, byteBurst, now) {
		return true, nil
	}
	return false, u.over(node, "too much at a time", now)
}

// hello does the same for a Hello.
func (m *meter) hello(node core.NodeKey, now time.Time) (ok bool, e *excess) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.of(node, now)
	if u.hellos.take(1, helloRate, helloBurst, now) {
		return true, nil
	}
	return false, u.over(node, "too many greetings", now)
}

// fault does the same for a message that is refused, and reports whether to speak of it.
func (m *meter) fault(node core.NodeKey, now time.Time) (ok bool, e *excess) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.of(node, now)
	if u.faults.take(1, faultRate, faultBurst, now) {
		return true, nil
	}
	return false, u.over(node, "too much that is not a node's to say", now)
}

func (m *meter) of(node core.NodeKey, now time.Time) *usage {
	u := m.nodes[node]
	if u == nil {
		u = &usage{}
		m.nodes[node] = u
	}
	u.last = now
	return u
}

func (u *usage) over(node core.NodeKey, what string, now time.Time) *excess {
	u.dropped++
	if now.Sub(u.evicted) < evictEvery {
		return nil
	}
	e := &excess{node, what, u.dropped}
	u.evicted, u.dropped = now, 0
	return e
}

// forget drops what is known of nodes that have long been silent.
func (m *meter) forget(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for node, u := range m.nodes {
		if now.Sub(u.last) > forgetAfter {
			delete(m.nodes, node)
		}
	}
}

// shares counts what of each node waits in memory.
type shares struct {
	mu      sync.Mutex
	waiting map[core.NodeKey]int
}

func cost(r *core.Report) int {
	n := len(r.Chunk.Data)
	if n >= bulkSize {
		return max(n, bulkCost)
	}
	return n + reportCost
}

// claim reports whether a report may wait, and counts it if so.
func (s *shares) claim(r *core.Report) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.waiting[r.Node] + cost(r)
	if n > maxWaiting {
		return false
	}
	s.waiting[r.Node] = n
	return true
}

// release counts reports out that do not wait any more.
func (s *shares) release(reports []core.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range reports {
		r := &reports[i]
		if s.waiting[r.Node] -= cost(r); s.waiting[r.Node] <= 0 {
			delete(s.waiting, r.Node)
		}
	}
}
