// Package reach is how an agent gets at anything outside its machine: one dialer and one HTTP client, which keep to the same proxy settings and
// trust the same certificates whatever they are used for. Enrolment, the bus and with it every session, and downloads go through here, so
// that none of them can have rules of its own.
package reach

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Config is what decides how things are reached.
type Config struct {
	// Proxy is the address of a proxy that goes before those in the environment; Direct means none at all.
	Proxy string
	// Env looks up HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY; nil knows none of them.
	Env func(string) string
	// CAFile has certificates to trust besides the system's, as PEM. It is read again when it has changed.
	CAFile string
	Log    *slog.Logger
}

// Bounds of one connection; whatever is spoken over it afterwards has bounds of its own.
const (
	dialTimeout      = 10 * time.Second // for one TCP connection, to the proxy or the server
	handshakeTimeout = 20 * time.Second // for each of: the proxy's answer, a TLS handshake
	answerTimeout    = 30 * time.Second // until an HTTP server begins to answer
	idleTimeout      = 90 * time.Second
)

// Reach connects to other machines. Its methods may be called from several goroutines.
type Reach struct {
	rules     rules
	roots     *roots
	dialer    net.Dialer
	transport *http.Transport
}

// New returns a Reach for settings that make sense. Whether the private certificates can be read is not looked at before they are needed; see
// Trust. No error ever repeats a proxy's address, because of the password that may be in it.
func New(c Config) (*Reach, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	rules, err := newRules(c.Proxy, c.Env)
	if err != nil {
		return nil, err
	}
	r := &Reach{rules: rules, roots: &roots{file: c.CAFile, log: c.Log}, dialer: net.Dialer{Timeout: dialTimeout}}
	r.transport = &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) { return r.dial(ctx, "http", address) },
		DialTLSContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return r.DialTLS(ctx, address)
		},
		ResponseHeaderTimeout: answerTimeout, IdleConnTimeout: idleTimeout, MaxIdleConnsPerHost: 2,
	}
	return r, nil
}

// Trust reads the private certificates and says what is wrong with them.
func (r *Reach) Trust() error {
	_, err := r.roots.current()
	return err
}

// Dial connects to "host:port" over TCP, through a proxy if there is one for it. A name is resolved by the proxy, unless the proxy is
// a socks5:// one.
func (r *Reach) Dial(ctx context.Context, address string) (net.Conn, error) {
	return r.dial(ctx, "https", address)
}

// DialTLS is Dial with TLS on top: version 1.2 or later, the host's name in a certificate that descends from the system's or the private ones.
func (r *Reach) DialTLS(ctx context.Context, address string) (net.Conn, error) {
	conn, err := r.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	return r.secure(ctx, conn, address)
}

// Client returns an HTTP client for requests that are over, with the answer read, within a timeout; 0 is for none. All clients share their
// connections. None follows redirects: what a request carries is for the eyes of one server.
func (r *Reach) Client(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout: timeout, Transport: r.transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (r *Reach) dial(ctx context.Context, scheme, address string) (net.Conn, error) {
	proxy, _ := r.rules.proxyFor(scheme, address)
	if proxy == nil {
		return r.dialer.DialContext(ctx, "tcp", address)
	}
	conn, err := r.through(ctx, proxy, address)
	if err != nil {
		return nil, fmt.Errorf("%s through the proxy %s: %w", address, proxy.Redacted(), err)
	}
	return conn, nil
}

// secure makes conn a TLS connection to the host of address, and closes it if that fails.
func (r *Reach) secure(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		conn.Close()
		return nil, err
	}
	conf, err := r.TLS(host)
	if err != nil {
		conn.Close()
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	secured := tls.Client(conn, conf)
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}

// TLS returns what a connection to host is judged by at this moment.
func (r *Reach) TLS(host string) (*tls.Config, error) {
	pool, err := r.roots.current()
	if err != nil {
		return nil, err
	}
	return &tls.Config{RootCAs: pool, ServerName: host, MinVersion: tls.VersionTLS12}, nil
}
