package broker_test

import "testing"

// TestManySessions lets the server listen to more sessions than a node may have subscriptions.
func TestManySessions(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	r := start(t, m)
	const sessions = 200
	got := make(chan string, sessions)
	for i := range uint64(sessions) {
		stop, err := r.hub.ListenSession(1, i+1, func(m []byte) { got <- string(m) })
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
	}
	if err := r.hub.Flush(wait); err != nil {
		t.Fatal(err)
	}
	n := r.dial(t, m, func([]byte) {})
	for i := range uint64(sessions) {
		if err := n.PublishSession(i+1, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	for range sessions {
		await(t, got, "every session is heard")
	}
}
