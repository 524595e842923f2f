package bus

import (
	"fmt"

	"github.com/nats-io/nats.go"

	"errand/internal/protocol"
)

// maxSessionPending is how many bytes of one session may wait in this process to be looked at. Whoever keeps to the window of the protocol
// never has that many under way; what is beyond is dropped, and sent again by whoever means well.
const maxSessionPending = 4 << 20

// SendSession publishes a message for a session on a node. It does not wait and does not know whether the node is there.
func (h *Hub) SendSession(key int64, session uint64, msg []byte) error {
	if err := h.nc.Publish(protocol.SessionIn(key, session), msg); err != nil {
		return fmt.Errorf("send to session %d of node %d: %w", session, key, err)
	}
	return nil
}

// ListenSession calls fn for each message of a session on a node, one after another, until stop is called. Nobody but that node can have sent
// them. msg is fn's to keep; a slow fn holds up nothing but its own session.
func (h *Hub) ListenSession(key int64, session uint64, fn func(msg []byte)) (stop func(), err error) {
	sub, err := h.nc.Subscribe(protocol.SessionOut(key, session), func(m *nats.Msg) { fn(m.Data) })
	if err != nil {
		return nil, fmt.Errorf("listen to session %d of node %d: %w", session, key, err)
	}
	if err := sub.SetPendingLimits(-1, maxSessionPending); err != nil {
		return nil, fmt.Errorf("limit pending messages: %w", err)
	}
	return func() { _ = sub.Unsubscribe() }, nil // fails only when the connection has ended
}

// PublishSession sends a message of one of the node's sessions to the server; ErrOffline if there is no connection.
func (n *Node) PublishSession(session uint64, msg []byte) error {
	if !n.nc.IsConnected() {
		return ErrOffline
	}
	return n.nc.Publish(protocol.SessionOut(n.key, session), msg)
}

// listenSessions calls fn for each message to one of the node's sessions.
func (n *Node) listenSessions(fn func(n *Node, session uint64, msg []byte)) error {
	_, err := n.nc.Subscribe(protocol.SessionsIn(n.key), func(m *nats.Msg) {
		if session, ok := protocol.SessionOf(m.Subject); ok {
			fn(n, session, m.Data)
		}
	})
	if err != nil {
		return fmt.Errorf("subscribe to sessions: %w", err)
	}
	return nil
}
