package bus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"time"

	"github.com/nats-io/nats.go"

	"errand/internal/protocol"
)

// ServerName is the name in the broker's certificate. The nodes' trust is in the installation's own CA, not in host names, so that a
// broker may be reached by any address.
const ServerName = "errand"

// NodeConfig is what a node needs to connect.
type NodeConfig struct {
	URLs      []string
	CA        []byte // PEM
	Key       int64  // names the subjects
	PublicKey string // nkey
	Sign      func(nonce []byte) ([]byte, error)
	Introduce Introduction
	Log       *slog.Logger
	// Dial makes each connection to "host:port", names included, within a time of its own; nil is for TCP without a proxy.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Message is called for each message of the server, one after another.
	Message func(msg []byte)
	// Session is called for each message to a session on this node, one after another; nil leaves them alone. It must not wait.
	Session func(n *Node, session uint64, msg []byte)
	// Connected is called after each connection and reconnection.
	Connected func()
	// Refused is called, once, when a broker of the installation has twice in a row not let the node in; no more attempts follow. May be nil.
	Refused func()
}

// Node is a node's end of the bus.
type Node struct {
	nc  *nats.Conn
	key int64
	out string
}

// ErrOffline says that there is no connection right now.
var ErrOffline = errors.New("not connected")

// Dial starts to connect and returns at once; the connection is made and kept in the background until Close.
func Dial(c NodeConfig) (*Node, error) {
	common, err := options(c)
	if err != nil {
		return nil, err
	}
	connected := func(nc *nats.Conn) {
		c.Log.Info("connected", "url", nc.ConnectedUrlRedacted())
		c.Connected()
	}
	nc, err := nats.Connect("", append(common,
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.CustomReconnectDelay(reconnectDelay),
		nats.ReconnectBufSize(-1), // what cannot be sent now is repeated from the journal, not from memory
		nats.PingInterval(20*time.Second),
		nats.MaxPingsOutstanding(2),
		nats.ClosedHandler(func(nc *nats.Conn) {
			if errors.Is(nc.LastError(), nats.ErrAuthorization) && c.Refused != nil {
				c.Refused()
			}
		}),
		nats.ConnectHandler(connected),
		nats.ReconnectHandler(connected),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				c.Log.Warn("connection lost", "error", err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { c.Log.Warn("bus", "error", err) }),
	)...)
	if err != nil {
		return nil, fmt.Errorf("connect to %v: %w", c.URLs, err)
	}
	if _, err := nc.Subscribe(protocol.In(c.Key), func(m *nats.Msg) { c.Message(m.Data) }); err != nil {
		nc.Close()
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	n := &Node{nc: nc, key: c.Key, out: protocol.Out(c.Key)}
	if c.Session != nil {
		if err := n.listenSessions(c.Session); err != nil {
			nc.Close()
			return nil, err
		}
	}
	return n, nil
}

// Knock connects once, in the way of Dial, and ends the connection when it is known that the server takes the key.
func Knock(c NodeConfig) error {
	common, err := options(c)
	if err != nil {
		return err
	}
	nc, err := nats.Connect("", append(common, nats.NoReconnect())...)
	if err != nil {
		return fmt.Errorf("connect to %v: %w", c.URLs, err)
	}
	nc.Close()
	return nil
}

// options are those of every connection of a node.
func options(c NodeConfig) ([]nats.Option, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(c.CA) {
		return nil, errors.New("the server's CA certificate cannot be read")
	}
	return []nats.Option{
		servers(c.URLs),
		through(c.Dial),
		nats.Timeout(connectTimeout),
		nats.Name(c.Introduce.String()),
		nats.Nkey(c.PublicKey, c.Sign),
		nats.Secure(&tls.Config{
			RootCAs: roots, ServerName: ServerName, MinVersion: tls.VersionTLS13,
			CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256},
		}),
	}, nil
}

func servers(urls []string) nats.Option {
	return func(o *nats.Options) error {
		o.Servers = urls
		return nil
	}
}

// connectTimeout is for a TCP connection, and again for all that is said before the first message. It leaves a broker the time to find out
// whether another connection with the same key is still alive.
const connectTimeout = 10 * time.Second

// dialer is what NATS wants of a dialer.
type dialer func(ctx context.Context, address string) (net.Conn, error)

// Dial connects.
func (d dialer) Dial(_, address string) (net.Conn, error) { return d(context.Background(), address) }

// through has connections made by dial, which is given names as they are: only the proxy may be able to resolve them.
func through(dial func(context.Context, string) (net.Conn, error)) nats.Option {
	return func(o *nats.Options) error {
		if dial != nil {
			o.CustomDialer, o.SkipHostLookup = dialer(dial), true
		}
		return nil
	}
}

// reconnectDelay is full jitter between 0.2 s and a bound that doubles up to 30 s, so that a fleet does not come back all at once.
func reconnectDelay(attempts int) time.Duration {
	most := min(30*time.Second, 400*time.Millisecond<<min(attempts, 10))
	return 200*time.Millisecond + rand.N(most) //nolint:gosec // to spread a fleet, not to keep a secret
}

// Publish sends a message to the server; ErrOffline if there is no connection.
func (n *Node) Publish(msg []byte) error {
	if !n.nc.IsConnected() {
		return ErrOffline
	}
	return n.nc.Publish(n.out, msg)
}

// Peer returns the address of the broker, and whether there is a connection.
func (n *Node) Peer() (address string, connected bool) {
	return n.nc.ConnectedUrlRedacted(), n.nc.IsConnected()
}

// Confirm waits until the broker has all that was published.
func (n *Node) Confirm(within time.Duration) error { return n.nc.FlushTimeout(within) }

// Close ends the connection after what was published has left.
func (n *Node) Close() {
	_ = n.nc.FlushTimeout(time.Second) // a courtesy: what does not leave now is repeated later
	n.nc.Close()
}
