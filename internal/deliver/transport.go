package deliver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"time"
)

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

func newTransport(dial dialFunc, roots *x509.CertPool, silence time.Duration) *http.Transport {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return newImpatientConn(conn, silence)
		},
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     silence / 2, // before a connection loses its own patience
		DisableCompression:  true,
	}
}

// sendBuffer is how many bytes may be on their way, so that a slow network shows progress: the system would take megabytes and then be
// silent while they trickle away.
const sendBuffer = 256 << 10

// impatientConn fails when nothing was read or written for as long as silence. An upload may take longer than that altogether, so each
// piece written also gives the pending read its time again.
type impatientConn struct {
	net.Conn
	silence time.Duration
}

func newImpatientConn(conn net.Conn, silence time.Duration) (net.Conn, error) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err := tcp.SetWriteBuffer(sendBuffer); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	return impatientConn{conn, silence}, nil
}

func (c impatientConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.silence)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c impatientConn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.silence)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
