package broker_test

import (
	"log/slog"
	"testing"
	"time"

	"errand/internal/bus"
)

// TestSessions carries messages of sessions both ways, each to where it belongs.
func TestSessions(t *testing.T) {
	t.Parallel()
	a, b := newMachine(t, 1), newMachine(t, 2)
	r := start(t, a, b)
	got := make(chan string, 10)
	dial := func(m *machine) *bus.Node {
		up := make(chan struct{}, 10)
		n, err := bus.Dial(bus.NodeConfig{
			URLs: []string{"tls://" + r.Addr().String()}, CA: r.ca.PEM, Key: m.key, PublicKey: m.public, Sign: m.pair.Sign,
			Log: slog.New(slog.DiscardHandler), Message: func([]byte) {}, Connected: func() { up <- struct{}{} },
			Session: func(n *bus.Node, session uint64, msg []byte) {
				if err := n.PublishSession(session, append([]byte("echo "), msg...)); err != nil {
					t.Error(err)
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(n.Close)
		<-up
		// Of what the node sends on its own subject the broker has seen all, so it has seen the subscriptions before it too.
		if err := n.Publish([]byte("up")); err != nil {
			t.Fatal(err)
		}
		<-r.heard
		return n
	}
	na := dial(a)
	dial(b)
	stop, err := r.hub.ListenSession(1, 5, func(m []byte) { got <- string(m) })
	if err != nil {
		t.Fatal(err)
	}
	expect := func(want string) {
		t.Helper()
		select {
		case m := <-got:
			if m != want {
				t.Errorf("heard %q, want %q", m, want)
			}
		case <-time.After(wait):
			t.Fatalf("did not hear %q", want)
		}
	}
	for _, m := range []struct {
		node    int64
		session uint64
		text    string
	}{{1, 6, "another session"}, {2, 5, "another node"}, {1, 5, "this one"}} {
		if err := r.hub.SendSession(m.node, m.session, []byte(m.text)); err != nil {
			t.Fatal(err)
		}
	}
	expect("echo this one")
	stop()
	if err := r.hub.Flush(wait); err != nil {
		t.Fatal(err)
	}
	if err := na.PublishSession(5, []byte("late")); err != nil {
		t.Fatal(err)
	}
	if err := na.Publish([]byte("after it")); err != nil {
		t.Fatal(err)
	}
	r.expect(t, "errand.out.1 after it")
	select {
	case m := <-got:
		t.Errorf("heard %q after the end", m)
	default:
	}
}
