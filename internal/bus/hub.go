package bus

import (
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"errand/internal/protocol"
)

// queue is the group in which replicas share the nodes' messages.
const queue = "servers"

// Hub is the server's end of the bus.
type Hub struct{ nc *nats.Conn }

// NewHub speaks through an established connection that may use all subjects.
func NewHub(nc *nats.Conn) *Hub { return &Hub{nc: nc} }

// Send publishes a message for one node. It does not wait and does not know whether the node is there.
func (h *Hub) Send(key int64, msg []byte) error {
	if err := h.nc.Publish(protocol.In(key), msg); err != nil {
		return fmt.Errorf("send to node %d: %w", key, err)
	}
	return nil
}

// Receive calls fn for each message of any node, with the sender's key as proved by the subject. Calls come one after another. msg is fn's to
// keep.
func (h *Hub) Receive(fn func(key int64, msg []byte)) error {
	sub, err := h.nc.QueueSubscribe(protocol.OutAll, queue, func(m *nats.Msg) {
		if key, ok := protocol.NodeOf(m.Subject); ok {
			fn(key, m.Data)
		}
	})
	if err != nil {
		return fmt.Errorf("subscribe to nodes: %w", err)
	}
	// Messages wait in memory while the store is busy. A flood beyond this is dropped, and the nodes repeat what matters.
	if err := sub.SetPendingLimits(1<<18, 256<<20); err != nil {
		return fmt.Errorf("limit pending messages: %w", err)
	}
	return nil
}

// Flush waits until everything sent so far has left the process.
func (h *Hub) Flush(d time.Duration) error { return h.nc.FlushTimeout(d) }

// Close ends the connection; messages not yet handled are left to repeats.
func (h *Hub) Close() { h.nc.Close() }
