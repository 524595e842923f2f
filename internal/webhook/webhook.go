// Package webhook carries events to subscribers: CloudEvents 1.0 in JSON over HTTP, signed as Standard Webhooks has it. It keeps nothing and
// repeats nothing, and goes only where the operator lets it.
package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"errand/internal/core"
)

const (
	// requestTimeout is for a whole request, from looking up the name to the end of the answer.
	requestTimeout = 10 * time.Second
	idleTimeout    = 90 * time.Second
	// maxAnswer is how much of an answer is read, in bytes, so that its connection can be used again. Nothing of it is kept.
	maxAnswer = 64 << 10
)

// Config is what a Client is made of.
type Config struct {
	Now func() time.Time
	// Loopback and Private open the addresses of this machine and of private networks; without them only public ones are called.
	Loopback bool
	Private  bool
	Agent    string        // what the client calls itself
	Timeout  time.Duration // of a request; zero means 10 seconds
}

// Client sends webhooks. Its methods may be called from many goroutines.
type Client struct {
	config Config
	http   *http.Client
}

// New makes a Client.
func New(c Config) *Client {
	if c.Timeout == 0 {
		c.Timeout = requestTimeout
	}
	// No proxy: it would be the one to look up the name, and so to decide what is called.
	dialer := net.Dialer{Timeout: c.Timeout, Control: reach{loopback: c.Loopback, private: c.Private}.control}
	return &Client{config: c, http: &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: c.Timeout,
			IdleConnTimeout: idleTimeout, MaxIdleConns: 256, MaxIdleConnsPerHost: 2, MaxResponseHeaderBytes: maxAnswer,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Post implements core.Post. Its errors name neither the address nor anything that the far side says.
func (c *Client) Post(ctx context.Context, w *core.Webhook) (status int, err error) {
	body, err := encode(w)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return 0, reason(err)
	}
	now := c.config.Now()
	id := requestID(w)
	signature, err := sign(w.Secrets, id, now, body)
	if err != nil {
		return 0, err
	}
	h := req.Header
	h.Set("Content-Type", contentType(w))
	h.Set("User-Agent", c.config.Agent)
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	h.Set("Webhook-Signature", signature)
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, reason(err)
	}
	defer func() { _ = resp.Body.Close() }() // the status is all that counts
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return 0, fmt.Errorf("answer: %w", reason(err))
	}
	return resp.StatusCode, nil
}

// reason takes the address out of an error, which may be a secret.
func reason(err error) error {
	var (
		wrapped *url.Error
		refused *ReachError
	)
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("no answer in time")
	case errors.As(err, &wrapped):
		return wrapped.Err
	default:
		return err
	}
}

// encode is the body of a request.
func encode(w *core.Webhook) ([]byte, error) {
	list := make([]Event, len(w.Events))
	for i := range w.Events {
		list[i] = cloudEvent(w, &w.Events[i])
	}
	if w.Batch {
		return json.Marshal(list)
	}
	return json.Marshal(list[0])
}
