package reach

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"errand/internal/agent/reach/reachtest"
)

func newReach(t *testing.T, c Config) *Reach {
	t.Helper()
	r, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// with is the address of a proxy with its password.
func with(scheme string, p *reachtest.Proxy, password string) string {
	return (&url.URL{Scheme: scheme, User: url.UserPassword(reachtest.User, password), Host: p.Addr}).String()
}

// greeter speaks first, as the bus does, and returns what it is told.
func greeter(t *testing.T) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.WriteString(conn, "hello ")
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return l.Addr().String()
}

// talk says something to a greeter and returns all it says.
func talk(r *Reach, address string) (string, error) {
	conn, err := r.Dial(context.Background(), address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, "world"); err != nil {
		return "", err
	}
	b := make([]byte, len("hello world"))
	_, err = io.ReadFull(conn, b)
	return string(b), err
}

func TestProxies(t *testing.T) {
	t.Parallel()
	ca := reachtest.NewAuthority(t)
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		scheme string
		proxy  *reachtest.Proxy
		name   string // that is asked for; only the proxies know server.test
		want   string // what the proxy is asked for
	}{
		{"http", reachtest.HTTP(t, nil), "server.test", "server.test:4222"},
		{"https", reachtest.HTTP(t, ca.Server("127.0.0.1", time.Now().Add(time.Hour))), "server.test", "server.test:4222"},
		{"socks5h", reachtest.SOCKS(t), "server.test", "server.test:4222"},
		{"socks5", reachtest.SOCKS(t), "192.0.2.1", "192.0.2.1:4222"},
	} {
		t.Run(c.scheme, func(t *testing.T) {
			t.Parallel()
			address := c.name + ":4222"
			c.proxy.Name(c.name, greeter(t))
			right := newReach(t, Config{Proxy: with(c.scheme, c.proxy, reachtest.Password), CAFile: caFile})
			if got, err := talk(right, address); got != "hello world" || err != nil {
				t.Errorf("says %q, %v", got, err)
			}
			if asked := fmt.Sprint(c.proxy.Asked()); asked != "["+c.want+"]" {
				t.Errorf("the proxy was asked for %s", asked)
			}
			wrong := newReach(t, Config{Proxy: with(c.scheme, c.proxy, "guessed-wrong"), CAFile: caFile})
			none := newReach(t, Config{Proxy: c.scheme + "://" + c.proxy.Addr, CAFile: caFile})
			for _, r := range []*Reach{wrong, none} {
				if _, err := talk(r, address); !errors.Is(err, ErrProxyAuth) || strings.Contains(err.Error(), "guessed") {
					t.Errorf("wrong or no password: %v", err)
				}
			}
			if c.proxy.Refused() != 2 {
				t.Errorf("%d refused", c.proxy.Refused())
			}
			c.proxy.Down()
			if _, err := talk(right, address); err == nil || strings.Contains(err.Error(), "sesame") {
				t.Errorf("proxy down: %v", err)
			}
			c.proxy.Up()
			if got, err := talk(right, address); got != "hello world" || err != nil {
				t.Errorf("proxy up again: %q, %v", got, err)
			}
		})
	}
}

// An HTTPS proxy with a certificate that nobody vouches for gets no password.
func TestProxyWithoutTrust(t *testing.T) {
	t.Parallel()
	proxy := reachtest.HTTP(t, reachtest.NewAuthority(t).Server("127.0.0.1", time.Now().Add(time.Hour)))
	r := newReach(t, Config{Proxy: with("https", proxy, reachtest.Password)})
	var unknown *tls.CertificateVerificationError
	if _, err := talk(r, "server.test:1"); !errors.As(err, &unknown) || len(proxy.Asked())+proxy.Refused() != 0 {
		t.Errorf("%v, asked for %v", err, proxy.Asked())
	}
}

// What a proxy answers is a stranger's word.
func TestProxyAnswers(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		"HTTP/1.1 403 Forbidden\r\n\r\n":                        `"403 Forbidden"`,
		"HTTP/1.1 502 Bad Gateway\r\n\r\n":                      `"502 Bad Gateway"`,
		"HTTP/1.1 100 Continue\r\n\r\n":                         `"100 Continue"`,
		"HTTP/1.1 301 Moved\r\nLocation: http://x/\r\n\r\n":     `"301 Moved"`,
		"SSH-2.0-OpenSSH_9.2\r\n\r\n":                           "does not speak HTTP",
		"HTTP/1.1 200 OK\r\n":                                   "EOF",
		"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", maxHead): "does not end",
		"": "EOF",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.WriteString(conn, answer)
			}
		}()
		_, err = talk(newReach(t, Config{Proxy: l.Addr().String()}), "server.test:1")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: %v", answer, err)
		}
		l.Close()
	}
	if err := connect(nil, nil, "server.test:1\r\nX: y"); err == nil {
		t.Error("a header was smuggled into CONNECT")
	}
}

// A proxy that accepts and says nothing does not hold up whoever gave up on it.
func TestSilentProxy(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, scheme := range []string{"http", "socks5h"} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := newReach(t, Config{Proxy: scheme + "://" + l.Addr().String()}).Dial(ctx, "server.test:1")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", scheme, err)
		}
		cancel()
	}
}

func TestDecision(t *testing.T) {
	t.Parallel()
	env := func(pairs ...string) func(string) string {
		return func(name string) string {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == name {
					return pairs[i+1]
				}
			}
			return ""
		}
	}
	for _, c := range []struct {
		explicit string
		env      func(string) string
		scheme   string
		address  string
		want     string
	}{
		{"", nil, "https", "s.test:443", "s.test:443 is reached directly: no proxy is set"},
		{"", env("HTTPS_PROXY", "p:1"), "https", "s.test:443", "s.test:443 is reached through http://p:1, set by HTTPS_PROXY"},
		{"", env("https_proxy", "https://p"), "https", "s.test:443", "s.test:443 is reached through https://p:443, set by https_proxy"},
		{"", env("HTTPS_PROXY", "p:1"), "http", "s.test:80", "s.test:80 is reached directly: no proxy is set"},
		{"", env("HTTP_PROXY", "p:1", "ALL_PROXY", "socks5h://a"), "http", "s.test:80", "s.test:80 is reached through http://p:1, set by HTTP_PROXY"},
		{
			"", env("HTTP_PROXY", "p:1", "ALL_PROXY", "socks5h://a"), "https", "s.test:443",
			"s.test:443 is reached through socks5h://a:1080, set by ALL_PROXY",
		},
		{
			"http://u:secret@q:2", env("HTTPS_PROXY", "p:1"), "https", "s.test:443",
			"s.test:443 is reached through http://u:xxxxx@q:2, set by --proxy",
		},
		{"direct", env("HTTPS_PROXY", "p:1"), "https", "s.test:443", "s.test:443 is reached directly: --proxy says to connect directly"},
		{"p:1", env("NO_PROXY", "x, .test"), "https", "s.test:443", "s.test:443 is reached directly: NO_PROXY excepts it from the proxy set by --proxy"},
		{
			"p:1", env("no_proxy", "192.0.2.0/24"), "bus", "192.0.2.7:4222",
			"192.0.2.7:4222 is reached directly: NO_PROXY excepts it from the proxy set by --proxy",
		},
		{"p:1", nil, "https", "127.0.0.1:443", "127.0.0.1:443 is reached directly: it is this machine, which is never reached through a proxy"},
		{"p:1", nil, "https", "[::1]:443", "[::1]:443 is reached directly: it is this machine, which is never reached through a proxy"},
		{"p:1", nil, "https", "localhost:443", "localhost:443 is reached directly: it is this machine, which is never reached through a proxy"},
	} {
		r := newReach(t, Config{Proxy: c.explicit, Env: c.env})
		if got := r.Explain(c.scheme, c.address).String(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
	for _, bad := range []string{"ftp://p", "http://", "http://u:pa/ss-secret@p:1", "http://u:secret@p:x", "http://p/path", "::secret"} {
		if _, err := New(Config{Proxy: bad}); !errors.Is(err, errProxy) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// The certificate of the server is rotated, by way of another authority. The client goes on as soon as the file is changed, and no request
// becomes another one on the way.
func TestPrivateCARotated(t *testing.T) {
	t.Parallel()
	one, two := reachtest.NewAuthority(t), reachtest.NewAuthority(t)
	until := time.Now().Add(time.Hour)
	current := one.Server("127.0.0.1", until)
	var requests []string
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests = append(requests, r.Method+" "+string(body))
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	s.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return current, nil }}
	s.StartTLS()
	defer s.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	var log bytes.Buffer
	r := newReach(t, Config{CAFile: file, Log: slog.New(slog.NewTextHandler(&log, nil))})
	post := func() error {
		defer r.transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader("result"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := r.Client(20 * time.Second).Do(req)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	write := func(pem []byte) {
		if err := os.WriteFile(file+".new", pem, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(post(), r.Trust()); err == nil || !strings.Contains(err.Error(), "certificates to trust") {
		t.Errorf("no file: %v", err)
	}
	write(one.PEM)
	if err := post(); err != nil {
		t.Error(err)
	}
	current = two.Server("127.0.0.1", until)
	if err := post(); err == nil {
		t.Error("the new certificate is trusted without its authority")
	}
	write([]byte("half a file"))
	if err := r.Trust(); err != nil || !strings.Contains(log.String(), "stay in force") {
		t.Errorf("a broken file: %v, log %s", err, log.String())
	}
	current = one.Server("127.0.0.1", until)
	if err := post(); err != nil {
		t.Errorf("after a broken file: %v", err)
	}
	write(two.PEM)
	current = two.Server("127.0.0.1", until)
	if err := post(); err != nil {
		t.Errorf("after the rotation: %v", err)
	}
	if got := strings.Join(requests, ","); got != "POST result,POST result,POST result" {
		t.Errorf("requests %s", got)
	}
}

func TestTLSAsks(t *testing.T) {
	t.Parallel()
	ca := reachtest.NewAuthority(t)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	old := ca.Server("127.0.0.1", time.Now().Add(time.Hour))
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	for name, conf := range map[string]*tls.Config{
		"expired":       ca.Server("127.0.0.1", time.Now().Add(-time.Hour)),
		"another name":  ca.Server("other.test", time.Now().Add(time.Hour)),
		"another CA":    reachtest.NewAuthority(t).Server("127.0.0.1", time.Now().Add(time.Hour)),
		"TLS 1.1":       old,
		"all as it was": ca.Server("127.0.0.1", time.Now().Add(time.Hour)),
	} {
		l, err := tls.Listen("tcp", "127.0.0.1:0", conf)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if conn, err := l.Accept(); err == nil {
				_ = conn.(*tls.Conn).HandshakeContext(t.Context())
				conn.Close()
			}
		}()
		conn, err := newReach(t, Config{CAFile: file}).DialTLS(t.Context(), l.Addr().String())
		if (err == nil) != (name == "all as it was") {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			conn.Close()
		}
		l.Close()
	}
}

func TestNoRedirects(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:1/", http.StatusTemporaryRedirect))
	defer s.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := newReach(t, Config{}).Client(0).Do(req)
	if err != nil || resp.StatusCode != http.StatusTemporaryRedirect {
		t.Errorf("%v, %v", resp, err)
	}
}
