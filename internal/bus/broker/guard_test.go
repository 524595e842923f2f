package broker_test

import (
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"errand/internal/bus"
	"errand/internal/bus/broker"
	"errand/internal/protocol"
)

// raw connects with a node's key and no manners.
func (r *rig) raw(t *testing.T, m *machine, opts ...nats.Option) (nc *nats.Conn, closed chan struct{}) {
	t.Helper()
	closed = make(chan struct{})
	opts = append(opts, nats.Nkey(m.public, m.pair.Sign), r.trust(t), nats.NoReconnect(), nats.Name(bus.Introduction{Start: "x"}.String()),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	nc, err := nats.Connect("tls://"+r.Addr().String(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc, closed
}

// TestHostileConnection ends the connection of a node that does more than any agent, also where it reaches nobody; others do not notice.
func TestHostileConnection(t *testing.T) {
	t.Parallel()
	for name, attack := range map[string]func(nc *nats.Conn) error{
		"publishing where it may not": func(nc *nats.Conn) error { return nc.Publish(protocol.Out(1), []byte("x")) },
		"messages of sessions":        func(nc *nats.Conn) error { return nc.Publish(protocol.SessionOut(2, 5), []byte("x")) },
		"subscriptions": func(nc *nats.Conn) error {
			_, err := nc.Subscribe(protocol.In(2), func(*nats.Msg) {})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			victim, hostile := newMachine(t, 1), newMachine(t, 2)
			r := startWith(t, func(c *broker.Config) { c.Guard = 500 * time.Millisecond }, victim, hostile)
			n := r.dial(t, victim, func([]byte) {})
			nc, closed := r.raw(t, hostile)
			var attacking sync.WaitGroup
			attacking.Go(func() {
				for attack(nc) == nil {
					if nc.NumSubscriptions() > 100 {
						return
					}
				}
			})
			await(t, closed, "the hostile node is disconnected")
			attacking.Wait()
			if err := n.Publish([]byte("fine")); err != nil {
				t.Fatal(err)
			}
			r.expect(t, "errand.out.1 fine")
		})
	}
}

// TestOneConnectionPerKey keeps a node from filling the broker with connections: each new one of the same process ends the one before.
func TestOneConnectionPerKey(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	r := start(t, m)
	var before chan struct{}
	for range 10 {
		_, closed := r.raw(t, m)
		if before != nil {
			await(t, before, "the connection before is ended")
		}
		before = closed
	}
}

// TestTooLarge ends a connection that sends more than a message may have.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	r := start(t, m)
	nc, closed := r.raw(t, m)
	if err := nc.Publish(protocol.Out(1), make([]byte, protocol.MaxMessage+1)); err == nil {
		await(t, closed, "the connection is ended")
	}
	if err := nc.Publish(protocol.Out(1), make([]byte, protocol.MaxMessage)); err != nil {
		t.Errorf("the largest message: %v", err)
	}
}
