// Package broker is the NATS server inside the server process, for installations without a NATS cluster of their own. It lets a node in when
// it holds the key of an enrolled machine, and confines it to its own subjects.
package broker

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"errand/internal/protocol"
)

// Config is what a Broker is made of.
type Config struct {
	Listen string // HOST:PORT; port 0 takes a free one
	TLS    *tls.Config
	Log    *slog.Logger
	// Admit returns the key of the node that may connect with this nkey.
	Admit func(ctx context.Context, publicKey string) (key int64, err error)
	// Gone is called when the connection of a node has ended and no other took its place.
	Gone func(key int64)
	// Probe asks a node for a sign of life. nil leaves nodes alone, so that only what they say by themselves counts.
	Probe func(key int64) error
	// Cloned is called when a node was refused because another process with its key is connected and alive; nil ignores it.
	Cloned func(Clone)
	// Silence is how long a connected node may leave a Probe unanswered before another process with its key may take its place; 0 means
	// DefaultSilence.
	Silence time.Duration
	// Guard is how often is looked at what connections do; 0 means every ten seconds.
	Guard time.Duration
}

// Broker is a running NATS server.
type Broker struct {
	ns     *server.Server
	all    *server.Account // of the nodes
	system *server.Account
	secret string // proves this process's own connections
	watch  *nats.Conn
	config Config

	stopGuard context.CancelFunc
	guarded   sync.WaitGroup

	mu       sync.Mutex
	links    map[int64]*link  // by node key
	nodes    map[uint64]int64 // node keys by connection
	deciding map[int64]bool   // which of two processes with this key may stay
}

// maxPending is how many bytes may wait in the broker for one connection to take them. Who is slower is disconnected.
const maxPending = 64 << 20

// Start runs a broker.
func Start(c Config) (*Broker, error) {
	host, portText, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("agent address: %w", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("agent address %q: %w", c.Listen, err)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	if c.Silence == 0 {
		c.Silence = DefaultSilence
	}
	if c.Guard == 0 {
		c.Guard = guardEvery
	}
	b := &Broker{config: c, secret: secret(), links: map[int64]*link{}, nodes: map[uint64]int64{}, deciding: map[int64]bool{}}
	ns, err := server.NewServer(&server.Options{
		ServerName: "errand", Host: host, Port: port, NoSigs: true, NoLog: false,
		TLS: true, TLSConfig: c.TLS, TLSTimeout: 10, AuthTimeout: 15,
		AlwaysEnableNonce: true, CustomClientAuthentication: b,
		Accounts: []*server.Account{server.NewAccount("NODES"), server.NewAccount("SYSTEM")}, SystemAccount: "SYSTEM",
		MaxPayload: protocol.MaxMessage, MaxControlLine: 1024, MaxSubs: maxSubs, MaxPending: maxPending,
		PingInterval: 30 * time.Second, MaxPingsOut: 2, WriteDeadline: 10 * time.Second,
	})
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	ns.SetLoggerV2(&logger{log: c.Log}, false, false, false)
	b.ns = ns
	// The server works on copies of the accounts it was given.
	var nodesErr, systemErr error
	b.all, nodesErr = ns.LookupAccount("NODES")
	b.system, systemErr = ns.LookupAccount("SYSTEM")
	if err := errors.Join(nodesErr, systemErr); err != nil {
		return nil, fmt.Errorf("broker accounts: %w", err)
	}
	ns.Start()
	if !ns.ReadyForConnections(15 * time.Second) {
		ns.Shutdown()
		return nil, fmt.Errorf("broker does not listen on %s", c.Listen)
	}
	if err := b.watchDisconnects(); err != nil {
		ns.Shutdown()
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	b.stopGuard = stop
	b.guarded.Go(func() { b.guard(ctx) })
	return b, nil
}

// Addr is where nodes connect.
func (b *Broker) Addr() *net.TCPAddr {
	addr, _ := b.ns.Addr().(*net.TCPAddr)
	return addr
}

// Connect opens a connection of this process that may use all subjects.
func (b *Broker) Connect() (*nats.Conn, error) { return b.connect(ownNodes) }

// Kick ends the connection of a node. Whether it may come back is Admit's to say.
func (b *Broker) Kick(key int64) error {
	b.mu.Lock()
	l := b.links[key]
	b.mu.Unlock()
	if l != nil {
		_ = b.ns.DisconnectClientByID(l.id) // fails when it has just ended by itself
	}
	return nil
}

// Stop ends all connections and the broker.
func (b *Broker) Stop() {
	b.stopGuard()
	b.guarded.Wait()
	b.watch.Close()
	b.ns.Shutdown()
	b.ns.WaitForShutdown()
}

// Names under which this process connects to its own broker.
const (
	ownNodes  = "server"
	ownSystem = "watch"
)

func (b *Broker) connect(user string) (*nats.Conn, error) {
	nc, err := nats.Connect("", nats.InProcessServer(b.ns), nats.UserInfo(user, b.secret), nats.Name(user))
	if err != nil {
		return nil, fmt.Errorf("connect to own broker: %w", err)
	}
	return nc, nil
}

// Check admits a connection: this process by its secret, a node by its signature over the server's nonce.
func (b *Broker) Check(c server.ClientAuthentication) bool {
	opts := c.GetOpts()
	if opts.Nkey == "" {
		switch {
		case opts.Password != b.secret: // the secret is random for each start, so timing tells nothing useful
			return false
		case opts.Username == ownSystem:
			c.RegisterUser(&server.User{Username: ownSystem, Account: b.system})
		default:
			c.RegisterUser(&server.User{Username: ownNodes, Account: b.all})
		}
		return true
	}
	key, err := b.admit(c)
	if err != nil {
		b.config.Log.Warn("node refused", "key", opts.Nkey, "source", c.RemoteAddress(), "error", err)
		return false
	}
	c.RegisterUser(&server.User{
		Username: strconv.FormatInt(key, 10), Account: b.all,
		Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: []string{protocol.Out(key), protocol.SessionsOut(key)}},
			Subscribe: &server.SubjectPermission{Allow: []string{protocol.In(key), protocol.SessionsIn(key)}},
		},
	})
	if b.ns.GetClient(c.GetID()) == nil {
		b.left(c.GetID()) // it did not wait for the answer, and no event tells of it
	}
	return true
}

func verify(publicKey, signature string, nonce []byte) error {
	if !nkeys.IsValidPublicUserKey(publicKey) {
		return errors.New("not a user key")
	}
	sig, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	k, err := nkeys.FromPublicKey(publicKey)
	if err != nil {
		return err
	}
	return k.Verify(nonce, sig)
}

// watchDisconnects follows the broker's own events to learn when nodes go away.
func (b *Broker) watchDisconnects() error {
	nc, err := b.connect(ownSystem)
	if err != nil {
		return err
	}
	b.watch = nc
	_, err = nc.Subscribe("$SYS.ACCOUNT.NODES.DISCONNECT", func(m *nats.Msg) {
		var e struct {
			Client struct {
				ID uint64 `json:"id"`
			} `json:"client"`
		}
		if err := json.Unmarshal(m.Data, &e); err != nil {
			b.config.Log.Error("broker event", "error", err)
			return
		}
		b.left(e.Client.ID)
	})
	if err != nil {
		return fmt.Errorf("watch connections: %w", err)
	}
	return nc.Flush()
}

func secret() string {
	var s [32]byte
	_, _ = rand.Read(s[:]) // never fails: crypto/rand aborts the process instead
	return base64.RawURLEncoding.EncodeToString(s[:])
}
