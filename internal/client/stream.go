package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// silence is how long a stream may say nothing before its connection is given up; the server says something every 15 seconds.
	silence = 45 * time.Second
	// Pauses before a stream that broke is asked for again grow from firstPause to longestPause.
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
	// maxStreamLine is the longest line of a stream, in bytes: 32 KiB of output, as text in JSON or in base64.
	maxStreamLine = 1 << 20
)

// StreamEvent is an event of the server's stream.
type StreamEvent struct {
	ID   string // where the stream goes on after it
	Name string // invocation, task, output, node or gap
	Data []byte // JSON, as internal/api/native's StreamEvent
}

// Stream calls visit for each event of GET /api/v1/stream, until visit returns an error or ctx ends. When the connection breaks or the server starts
// anew, it goes on where it was: each event comes once. Refusals by the server are an *Error; those that may pass are tried again.
func (c *Client) Stream(ctx context.Context, query url.Values, visit func(StreamEvent) error) error {
	s := stream{client: c, query: query, visit: visit, http: *c.http}
	s.http.Timeout = 0 // it goes on for as long as somebody listens
	pause := firstPause
	for {
		heard := s.heard
		err := s.follow(ctx)
		var own *visitError
		var refused *Error
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &own):
			return own.err
		case errors.As(err, &refused) && !Temporary(err):
			return err
		}
		if s.heard > heard {
			pause = firstPause
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		pause = min(2*pause, longestPause)
	}
}

type stream struct {
	client *Client
	http   http.Client
	query  url.Values
	visit  func(StreamEvent) error
	last   string // id
	heard  int    // lines
}

// visitError is what visit returned.
type visitError struct{ err error }

func (e *visitError) Error() string { return e.err.Error() }

// follow reads from one connection until it ends.
func (s *stream) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watchdog := time.AfterFunc(silence, cancel)
	defer watchdog.Stop()
	target := s.client.base + "stream"
	if len(s.query) > 0 {
		target += "?" + s.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return &visitError{err}
	}
	s.client.sign(req)
	req.Header.Set("Accept", "text/event-stream")
	if s.last != "" {
		req.Header.Set("Last-Event-ID", s.last)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	if resp.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(resp.Body, maxStreamLine))
		if err != nil {
			return err
		}
		return refusal(resp, text)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxStreamLine)
	var e StreamEvent
	id := s.last
	for lines.Scan() {
		watchdog.Reset(silence)
		s.heard++
		line := lines.Bytes()
		if len(line) == 0 {
			// An event counts when it is whole: until then the connection may still break within it.
			if e.Data != nil {
				e.ID = id
				if err := s.visit(e); err != nil {
					return &visitError{err}
				}
			}
			s.last, e = id, StreamEvent{}
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "id":
			id = string(value)
		case "event":
			e.Name = string(value)
		case "data":
			e.Data = bytes.Clone(value)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read stream: %w", err)
	}
	return nil
}

// Download copies an answer that is no JSON, of any length, to w, and returns its headers. A refusal is an *Error, as with Call. An answer
// that breaks off is an error.
func (c *Client) Download(ctx context.Context, path string, query url.Values, w io.Writer) (http.Header, error) {
	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	c.sign(req)
	long := *c.http
	long.Timeout = 0
	resp, err := long.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	if resp.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(resp.Body, maxStreamLine))
		if err != nil {
			return nil, err
		}
		return nil, refusal(resp, text)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return nil, fmt.Errorf("read %s: %w", strings.TrimPrefix(req.URL.Path, "/"), err)
	}
	return resp.Header, nil
}
