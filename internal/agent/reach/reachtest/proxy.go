// Package reachtest is the far side that agents reach things through in tests: proxies on loopback that speak HTTP and SOCKS5, ask for a password,
// resolve names that nobody else knows, and can be taken down and brought up again; and an authority that makes certificates.
package reachtest

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// User and Password are what the proxies want to hear.
const (
	User     = "agent"
	Password = "open sesame/2"
)

// Proxy forwards connections.
type Proxy struct {
	// Addr is where it listens; it stays the same after Down and Up.
	Addr string

	tb    testing.TB
	serve func(*Proxy, net.Conn) error
	tls   *tls.Config

	mu       sync.Mutex
	names    map[string]string
	listener net.Listener
	conns    map[net.Conn]bool
	asked    []string
	refused  int
	handlers sync.WaitGroup
}

// HTTP starts a proxy that understands CONNECT. With a TLS configuration it is to be reached over TLS.
func HTTP(tb testing.TB, conf *tls.Config) *Proxy { return start(tb, (*Proxy).connect, conf) }

// SOCKS starts a proxy that understands SOCKS5.
func SOCKS(tb testing.TB) *Proxy { return start(tb, (*Proxy).socks, nil) }

func start(tb testing.TB, serve func(*Proxy, net.Conn) error, conf *tls.Config) *Proxy {
	p := &Proxy{Addr: "127.0.0.1:0", tb: tb, serve: serve, tls: conf, names: map[string]string{}, conns: map[net.Conn]bool{}}
	p.Up()
	tb.Cleanup(p.Down)
	return p
}

// Name makes the proxy connect to an address when it is asked for a name, as of "server.test".
func (p *Proxy) Name(name, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.names[name] = address
}

// Asked returns the addresses that were asked for with the right password, in their order.
func (p *Proxy) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.asked...)
}

// Refused counts the requests with a wrong password or none.
func (p *Proxy) Refused() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

// Up brings the proxy up.
func (p *Proxy) Up() {
	l, err := net.Listen("tcp", p.Addr)
	if err != nil {
		p.tb.Fatal(err)
	}
	if p.tls != nil {
		l = tls.NewListener(l, p.tls)
	}
	p.mu.Lock()
	p.Addr, p.listener = l.Addr().String(), l
	p.mu.Unlock()
	p.handlers.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.handlers.Go(func() {
				if p.keep(conn) {
					_ = p.serve(p, conn)
				}
				p.drop(conn)
			})
		}
	})
}

// Down takes the proxy down together with all connections through it.
func (p *Proxy) Down() {
	p.mu.Lock()
	l := p.listener
	p.listener = nil
	for conn := range p.conns {
		conn.Close()
	}
	p.mu.Unlock()
	if l != nil {
		l.Close()
	}
	p.handlers.Wait()
}

// keep says whether a connection may stay, which is closed when the proxy goes down.
func (p *Proxy) keep(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[conn] = p.listener != nil
	return p.conns[conn]
}

func (p *Proxy) drop(conn net.Conn) {
	conn.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, conn)
}

// admit counts a request and says whether it is served.
func (p *Proxy) admit(user, password, address string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if user != User || password != Password {
		p.refused++
		return false
	}
	p.asked = append(p.asked, address)
	return true
}

// dial connects to what is meant by an address.
func (p *Proxy) dial(address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	known := p.names[host]
	p.mu.Unlock()
	switch {
	case known != "":
		address = known
	case strings.HasSuffix(host, ".test"):
		return nil, errors.New("unknown name")
	}
	conn, err := net.Dial("tcp", address)
	if err == nil && !p.keep(conn) {
		p.drop(conn)
		return nil, net.ErrClosed
	}
	return conn, err
}

// join copies both ways until both sides are done.
func (p *Proxy) join(near io.Reader, nearConn, far net.Conn) error {
	defer p.drop(far)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(far, near)
		far.Close()
	}()
	_, err := io.Copy(nearConn, far)
	nearConn.Close()
	<-done
	return err
}

func (p *Proxy) connect(conn net.Conn) error {
	r := bufio.NewReader(conn)
	req, err := http.ReadRequest(r)
	if err != nil {
		return err
	}
	if req.Method != http.MethodConnect {
		_, err := io.WriteString(conn, "HTTP/1.1 405 Method Not Allowed\r\n\r\n")
		return err
	}
	req.Header.Set("Authorization", req.Header.Get("Proxy-Authorization"))
	if user, password, _ := req.BasicAuth(); !p.admit(user, password, req.Host) {
		_, err := io.WriteString(conn, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"test\"\r\nContent-Length: 0\r\n\r\n")
		return err
	}
	far, err := p.dial(req.Host)
	if err != nil {
		_, err := io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
		return err
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n"); err != nil {
		p.drop(far)
		return err
	}
	return p.join(r, conn, far)
}

// socks serves RFC 1928 with the passwords of RFC 1929.
func (p *Proxy) socks(conn net.Conn) error {
	r := bufio.NewReader(conn)
	if methods, err := block(r, 1); err != nil || !contains(methods, 2) {
		p.admit("", "", "")
		_, _ = conn.Write([]byte{5, 0xff})
		return err
	}
	if _, err := conn.Write([]byte{5, 2}); err != nil {
		return err
	}
	user, err := block(r, 1)
	if err != nil {
		return err
	}
	password, err := block(r, 0)
	if err != nil {
		return err
	}
	if !p.admit(string(user), string(password), "") {
		_, err := conn.Write([]byte{1, 1})
		return err
	}
	if _, err := conn.Write([]byte{1, 0}); err != nil {
		return err
	}
	address, err := socksAddress(r)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.asked[len(p.asked)-1] = address
	p.mu.Unlock()
	far, err := p.dial(address)
	if err != nil {
		_, err := conn.Write([]byte{5, 4, 0, 1, 0, 0, 0, 0, 0, 0})
		return err
	}
	if _, err := conn.Write([]byte{5, 0, 0, 1, 127, 0, 0, 1, 0, 0}); err != nil {
		p.drop(far)
		return err
	}
	return p.join(r, conn, far)
}

// block skips some bytes and reads a length and as many bytes.
func block(r *bufio.Reader, skip int) ([]byte, error) {
	if _, err := r.Discard(skip); err != nil {
		return nil, err
	}
	n, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	_, err = io.ReadFull(r, b)
	return b, err
}

func contains(b []byte, c byte) bool {
	for _, x := range b {
		if x == c {
			return true
		}
	}
	return false
}

func socksAddress(r *bufio.Reader) (string, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return "", err
	}
	var host string
	switch head[3] {
	case 1, 4:
		ip := make([]byte, map[byte]int{1: 4, 4: 16}[head[3]])
		if _, err := io.ReadFull(r, ip); err != nil {
			return "", err
		}
		host = net.IP(ip).String()
	case 3:
		name, err := block(r, 0)
		if err != nil {
			return "", err
		}
		host = string(name)
	default:
		return "", errors.New("unknown kind of address")
	}
	port := make([]byte, 2)
	if _, err := io.ReadFull(r, port); err != nil {
		return "", err
	}
	return net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(port)))), nil
}
