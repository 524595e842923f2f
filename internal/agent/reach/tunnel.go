package reach

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/proxy"
)

// maxHead is the most that is read of a proxy's answer, in bytes.
const maxHead = 16 << 10

// ErrProxyAuth means that a proxy wants a name and a password, or others than it was given.
var ErrProxyAuth = errors.New("the proxy does not take the user name and password")

// through connects to an address through a proxy.
func (r *Reach) through(ctx context.Context, via *url.URL, address string) (net.Conn, error) {
	conn, err := r.dialer.DialContext(ctx, "tcp", via.Host)
	if err != nil {
		return nil, err
	}
	if via.Scheme == "https" {
		if conn, err = r.secure(ctx, conn, via.Host); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	// Whatever waits for the proxy is woken when the time is over.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	switch via.Scheme {
	case "socks5", "socks5h":
		err = r.socks(ctx, conn, via, address)
	default:
		err = connect(conn, via.User, address)
	}
	if !stop() {
		err = fmt.Errorf("no answer of the proxy: %w", ctx.Err())
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// connect asks the HTTP proxy at the other end of conn for a tunnel to an address.
func connect(conn net.Conn, user *url.Userinfo, address string) error {
	if strings.ContainsAny(address, " \r\n") {
		return fmt.Errorf("%q is no address", address)
	}
	request := "CONNECT " + address + " HTTP/1.1\r\nHost: " + address + "\r\nUser-Agent: errand-agent\r\n"
	if user != nil {
		password, _ := user.Password()
		request += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)) + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		return err
	}
	head, err := readHead(conn)
	if err != nil {
		return fmt.Errorf("answer of the proxy: %w", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return errors.New("answer of the proxy: it does not speak HTTP")
	}
	resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusProxyAuthRequired:
		schemes := strings.Join(resp.Header.Values("Proxy-Authenticate"), ", ")
		return fmt.Errorf("%w: it asks for %q; ours is Basic", ErrProxyAuth, schemes)
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("the proxy answers %q to CONNECT", resp.Status)
	}
	return nil
}

// readHead reads until the empty line and not a byte further, because what follows belongs to the tunnel, in which the other side may speak
// first. A byte at a time is slow, and short.
func readHead(conn net.Conn) ([]byte, error) {
	var head []byte
	for b := make([]byte, 1); len(head) < maxHead; {
		if _, err := io.ReadFull(conn, b); err != nil {
			return nil, err
		}
		head = append(head, b[0])
		if bytes.HasSuffix(head, []byte("\r\n\r\n")) {
			return head, nil
		}
	}
	return nil, errors.New("it does not end")
}

// socks asks the SOCKS5 proxy at the other end of conn for a tunnel to an address. With socks5h the proxy resolves the name, with socks5 we do.
func (r *Reach) socks(ctx context.Context, conn net.Conn, via *url.URL, address string) error {
	if via.Scheme == "socks5" {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return err
		}
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil {
			return err
		}
		address = net.JoinHostPort(found[0].Unmap().String(), port)
	}
	var auth *proxy.Auth
	if via.User != nil {
		auth = &proxy.Auth{User: via.User.Username()}
		auth.Password, _ = via.User.Password()
	}
	dialer, err := proxy.SOCKS5("tcp", via.Host, auth, connected{conn})
	if err != nil {
		return err
	}
	_, err = dialer.Dial("tcp", address)
	if err != nil && strings.Contains(err.Error(), "authentication") {
		return fmt.Errorf("%w: %w", ErrProxyAuth, err)
	}
	return err
}

// connected "dials" a connection that is there already.
type connected struct{ conn net.Conn }

// Dial returns the connection.
func (c connected) Dial(string, string) (net.Conn, error) { return c.conn, nil }

// DialContext returns the connection.
func (c connected) DialContext(context.Context, string, string) (net.Conn, error) { return c.conn, nil }
