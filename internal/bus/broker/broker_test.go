package broker_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"errand/internal/bus"
	"errand/internal/bus/broker"
	"errand/internal/protocol"
)

const wait = 10 * time.Second

// rig is a broker that admits the nodes made by node, with the server's end of the bus.
type rig struct {
	*broker.Broker
	ca    *broker.CA
	hub   *bus.Hub
	gone  chan int64
	keys  map[string]int64
	heard chan string
}

func start(t *testing.T, admitted ...*machine) *rig {
	t.Helper()
	return startWith(t, func(*broker.Config) {}, admitted...)
}

func startWith(t *testing.T, change func(*broker.Config), admitted ...*machine) *rig {
	t.Helper()
	ca, _, err := broker.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	tlsConfig, err := ca.ServerTLS(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{ca: ca, gone: make(chan int64, 10), keys: map[string]int64{}, heard: make(chan string, 100)}
	for _, m := range admitted {
		r.keys[m.public] = m.key
	}
	config := broker.Config{
		Listen: "127.0.0.1:0", TLS: tlsConfig, Log: slog.New(slog.DiscardHandler),
		Admit: func(_ context.Context, public string) (int64, error) {
			key, ok := r.keys[public]
			if !ok {
				return 0, errors.New("unknown node")
			}
			return key, nil
		},
		Gone: func(key int64) { r.gone <- key },
	}
	change(&config)
	r.Broker, err = broker.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	nc, err := r.Connect()
	if err != nil {
		t.Fatal(err)
	}
	r.hub = bus.NewHub(nc)
	if err := r.hub.Receive(func(key int64, msg []byte) {
		r.heard <- protocol.Out(key) + " " + string(msg)
	}); err != nil {
		t.Fatal(err)
	}
	if err := r.hub.Flush(wait); err != nil {
		t.Fatal(err)
	}
	return r
}

type machine struct {
	key    int64
	pair   nkeys.KeyPair
	public string
}

func newMachine(t *testing.T, key int64) *machine {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return &machine{key, pair, public}
}

// dial connects a machine the way an agent does.
func (r *rig) dial(t *testing.T, m *machine, message func([]byte)) *bus.Node {
	t.Helper()
	connected := make(chan struct{}, 10)
	n, err := bus.Dial(bus.NodeConfig{
		URLs: []string{"tls://" + r.Addr().String()}, CA: r.ca.PEM, Key: m.key, PublicKey: m.public, Sign: m.pair.Sign,
		Log: slog.New(slog.DiscardHandler), Message: message, Connected: func() { connected <- struct{}{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	select {
	case <-connected:
	case <-time.After(wait):
		t.Fatal("does not connect")
	}
	return n
}

func (r *rig) expect(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-r.heard:
		if got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	case <-time.After(wait):
		t.Errorf("did not hear %q", want)
	}
}

func TestBothWays(t *testing.T) {
	t.Parallel()
	a, b := newMachine(t, 1), newMachine(t, 2)
	r := start(t, a, b)
	got := make(chan string, 10)
	na := r.dial(t, a, func(m []byte) { got <- "a " + string(m) })
	r.dial(t, b, func(m []byte) { got <- "b " + string(m) })
	if err := na.Publish([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	r.expect(t, "errand.out.1 hello")
	// The subscription was sent before the greeting on the same connection, so it is in force.
	if err := r.hub.Send(1, []byte("run")); err != nil {
		t.Fatal(err)
	}
	select {
	case m := <-got:
		if m != "a run" {
			t.Errorf("got %q", m)
		}
	case <-time.After(wait):
		t.Error("node 1 heard nothing")
	}
	na.Close()
	select {
	case key := <-r.gone:
		if key != 1 {
			t.Errorf("node %d is gone", key)
		}
	case <-time.After(wait):
		t.Error("nobody noticed that node 1 left")
	}
}

// TestKick ends a node's connection; it comes back unless Admit says otherwise.
func TestKick(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	r := start(t, m)
	n := r.dial(t, m, func([]byte) {})
	if err := r.Kick(1); err != nil {
		t.Fatal(err)
	}
	select {
	case <-r.gone:
	case <-time.After(wait):
		t.Fatal("still connected")
	}
	// The node may not have noticed yet and speak into a connection that is gone, so it says it until it is heard.
	deadline := time.After(wait)
	for heard := false; !heard; {
		_ = n.Publish([]byte("back"))
		select {
		case got := <-r.heard:
			heard = got == "errand.out.1 back"
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			t.Fatal("does not come back")
		}
	}
	if err := r.Kick(99); err != nil {
		t.Errorf("a node that is not there: %v", err)
	}
}

// TestHostileNode uses a valid key with a raw client and tries everything that is not its own.
func TestHostileNode(t *testing.T) {
	t.Parallel()
	victim, hostile := newMachine(t, 1), newMachine(t, 2)
	r := start(t, victim, hostile)
	read := make(chan string, 10)
	r.dial(t, victim, func([]byte) {})
	denied := make(chan error, 100)
	nc, err := nats.Connect("tls://"+r.Addr().String(), nats.Nkey(hostile.public, hostile.pair.Sign), r.trust(t),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { denied <- err }))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	wanted := 0
	for _, subject := range []string{
		protocol.In(1), "errand.in.*", "errand.>", ">", protocol.OutAll, "$SYS.>", "_INBOX.>",
		protocol.SessionIn(1, 5), protocol.SessionsIn(1), protocol.SessionsOut(1), "errand.tin.*.*",
	} {
		wanted++
		if _, err := nc.Subscribe(subject, func(m *nats.Msg) { read <- m.Subject }); err != nil {
			t.Fatal(err)
		}
	}
	for _, subject := range []string{
		protocol.Out(1), protocol.In(1), protocol.In(2), "$SYS.REQ.SERVER.PING", "anything",
		protocol.SessionOut(1, 5), protocol.SessionIn(1, 5), protocol.SessionIn(2, 5), protocol.SessionOut(2, 5) + ".x",
	} {
		wanted++
		if err := nc.Publish(subject, []byte("forged")); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Publish(protocol.Out(2), []byte("own")); err != nil {
		t.Fatal(err)
	}
	if err := r.hub.Send(1, []byte("secret")); err != nil {
		t.Fatal(err)
	}
	for range wanted {
		select {
		case <-denied:
		case <-time.After(wait):
			t.Fatal("something was allowed")
		}
	}
	r.expect(t, "errand.out.2 own")
	select {
	case s := <-read:
		t.Errorf("read a message on %s", s)
	case s := <-r.heard:
		t.Errorf("forged %q", s)
	default:
	}
}

func (r *rig) trust(t *testing.T) nats.Option {
	t.Helper()
	return func(o *nats.Options) error {
		cfg, err := r.ca.ServerTLS(time.Now())
		if err != nil {
			return err
		}
		cfg.InsecureSkipVerify = true
		cfg.Certificates = nil
		o.Secure, o.TLSConfig = true, cfg
		return nil
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	known, unknown := newMachine(t, 1), newMachine(t, 2)
	r := start(t, known)
	url := "tls://" + r.Addr().String()
	tests := map[string][]nats.Option{
		"no key":             {},
		"a password":         {nats.UserInfo("server", "guess")},
		"unknown key":        {nats.Nkey(unknown.public, unknown.pair.Sign)},
		"another's key":      {nats.Nkey(known.public, unknown.pair.Sign)},
		"not a key":          {nats.Nkey("UXXXX", unknown.pair.Sign)},
		"an empty signature": {nats.Nkey(known.public, func([]byte) ([]byte, error) { return nil, nil })},
	}
	for name, opts := range tests {
		nc, err := nats.Connect(url, append(opts, r.trust(t), nats.MaxReconnects(0))...)
		if err == nil {
			nc.Close()
			t.Errorf("%s: admitted", name)
		}
	}
	if _, err := nats.Connect("nats://"+r.Addr().String(), nats.Nkey(known.public, known.pair.Sign)); err == nil {
		t.Error("admitted without TLS")
	}
}

// TestWrongAuthority keeps a node from speaking to a broker that its own installation does not vouch for.
func TestWrongAuthority(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	r := start(t, m)
	other, _, err := broker.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	n, err := bus.Dial(bus.NodeConfig{
		URLs: []string{"tls://" + r.Addr().String()}, CA: other.PEM, Key: 1, PublicKey: m.public, Sign: m.pair.Sign,
		Log: slog.New(slog.DiscardHandler), Message: func([]byte) {}, Connected: func() { t.Error("connected") },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	time.Sleep(300 * time.Millisecond) // nothing to wait for: the point is that nothing happens
	if err := n.Publish([]byte("x")); !errors.Is(err, bus.ErrOffline) {
		t.Errorf("published: %v", err)
	}
}
