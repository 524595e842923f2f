// Package client calls a server's native API for the command line. It knows how to reach a server and prove who calls, and turns refusals
// into errors; what requests and answers hold is internal/api/native's.
package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// Config says where a server is and who calls: an access key, or a bearer token alone.
type Config struct {
	URL    string // such as https://errand.example.com
	KeyID  string
	Secret string
	Token  string // security token beside a temporary key; without a key, a bearer token
	CAFile string // PEM certificates to trust besides the system's; empty means none
	Agent  string // what the client calls itself
}

// Client calls one server. Its methods may be called from many goroutines.
type Client struct {
	config Config
	base   string
	http   *http.Client
}

// timeout bounds a call whose context does not.
const timeout = 60 * time.Second

// maxAnswer is the largest answer read, in bytes.
const maxAnswer = 64 << 20

// New makes a client. It refuses to send secrets in clear anywhere but to this machine.
func New(c Config) (*Client, error) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("server address: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("server address %q is not https://HOST[:PORT]", c.URL)
	case u.Scheme == "http" && !Loopback(u.Hostname()):
		return nil, fmt.Errorf("%s would carry the access key in clear: use https", c.URL)
	case c.Token == "" && (c.KeyID == "" || c.Secret == ""):
		return nil, errors.New("no access key and no token given")
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext}
	if c.CAFile != "" {
		pool, err := trust(c.CAFile)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	}
	return &Client{
		config: c, base: strings.TrimSuffix(c.URL, "/") + "/api/v1/",
		http: &http.Client{
			Transport: transport, Timeout: timeout,
			// A redirection would take the access key elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Loopback reports whether a host of an address is this machine.
func Loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func trust(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("trusted certificates: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("trusted certificates: none in %s", file)
	}
	return pool, nil
}

// Error is a refusal by the server.
type Error struct {
	Status  int    `json:"status"` // HTTP
	Code    string `json:"code"`   // kind of problem, for programs
	Title   string `json:"title"`
	Detail  string `json:"detail"`
	Request string `json:"request"`
	Errors  []struct {
		Field  string `json:"field"`
		Detail string `json:"detail"`
		Code   string `json:"code"`
	} `json:"errors"` // what is wrong with the request's fields

	// After is when to try again, as far as the server says.
	After time.Duration `json:"-"`
}

func (e *Error) Error() string {
	text := e.Detail
	if text == "" {
		text = strings.ToLower(e.Title)
	}
	if e.Request != "" {
		text += " (request " + e.Request + ")"
	}
	return text
}

// Path joins the parts of a path, whatever they contain.
func Path(parts ...string) string {
	escaped := make([]string, len(parts))
	for i, p := range parts {
		escaped[i] = url.PathEscape(p)
	}
	return strings.Join(escaped, "/")
}

// Call makes a call below /api/v1/. body is sent as JSON unless it is nil; the answer is decoded into answer unless that is nil. A refusal
// by the server is an *Error.
func (c *Client) Call(ctx context.Context, method, path string, query url.Values, body, answer any) error {
	return c.call(ctx, method, path, query, body, answer, "")
}

// Tries of an order, and the pause before the second; it doubles.
const (
	orderTries = 5
	orderPause = 250 * time.Millisecond
)

// Order posts something that has to be done once: where the way to the server breaks before it has answered, the call is made again under the same name,
// and the server does not do it twice.
func (c *Client) Order(ctx context.Context, path string, body, answer any) error {
	name := rand.Text()
	for try, pause := 1, orderPause; ; try, pause = try+1, 2*pause {
		err := c.call(ctx, http.MethodPost, path, nil, body, answer, name)
		if try == orderTries || !Temporary(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// call makes a call, under a name if it is given one.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, body, answer any, name string) error {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, content)
	if err != nil {
		return err
	}
	c.sign(req)
	if name != "" {
		req.Header.Set("Idempotency-Key", name)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return refusal(resp, text)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("answer of %s: %w", c.config.URL, err)
	}
	return nil
}

func (c *Client) sign(req *http.Request) {
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", c.config.Agent)
	if c.config.KeyID == "" {
		req.Header.Set("Authorization", "Bearer "+c.config.Token)
		return
	}
	req.SetBasicAuth(c.config.KeyID, c.config.Secret)
	if c.config.Token != "" {
		req.Header.Set("X-Errand-Security-Token", c.config.Token)
	}
}

// refusal reads what the server says, if it is the server that answers.
func refusal(resp *http.Response, text []byte) error {
	var e Error
	if err := json.Unmarshal(text, &e); err != nil || e.Status != resp.StatusCode {
		return fmt.Errorf("%s answers %s, which is not an answer of this API", resp.Request.URL.Host, resp.Status)
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds >= 0 {
		e.After = time.Duration(min(seconds, 3600)) * time.Second
	}
	return &e
}

// Bytes makes a call whose body and answer are bytes rather than JSON; body is nil for none. It returns the answer and its headers. A refusal is
// an *Error, as with Call.
func (c *Client) Bytes(ctx context.Context, method, path string, query url.Values, body []byte) ([]byte, http.Header, error) {
	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	c.sign(req)
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, nil, fmt.Errorf("read answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, nil, refusal(resp, answer)
	}
	return answer, resp.Header, nil
}

// Temporary reports whether a call that failed may succeed when it is made again: the server is busy, or the way to it broke.
func Temporary(err error) bool {
	var refused *Error
	if errors.As(err, &refused) {
		return refused.Status >= http.StatusInternalServerError || refused.Status == http.StatusTooManyRequests
	}
	return err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// Send sends a request that is signed already to the server, and returns the status and the body of whatever answer comes.
func (c *Client) Send(req *http.Request) (status int, body []byte, err error) {
	req.Header.Set("User-Agent", c.config.Agent)
	resp, err := c.http.Do(req) //nolint:gosec // the address is the user's own server
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	if body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return 0, nil, fmt.Errorf("read answer: %w", err)
	}
	return resp.StatusCode, body, nil
}
