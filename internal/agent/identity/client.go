package identity

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"errand/internal/protocol"
)

// Client asks the server that this node belongs to outside the bus, and proves with the node's key that it is the node that asks. It may be used from many
// goroutines.
type Client struct {
	identity Identity
	server   *url.URL
	http     *http.Client
	agent    string
}

// NewClient returns a client for the identity's server, which asks over h; agent is the version of the agent program.
func (i Identity) NewClient(h *http.Client, agent string) (*Client, error) {
	u, err := serverURL(i.ServerURL)
	if err != nil {
		return nil, err
	}
	return &Client{identity: i, server: u, http: h, agent: agent}, nil
}

// Call is a request to make. Made again it must do the same as once: a server does not tell a repetition from the first.
type Call struct {
	Method string
	Path   string // begins with /agent/
	Query  url.Values
	Body   []byte

	// Stream is sent instead of Body if it is not nil, with Length bytes. What is in it proves itself, or is not proven.
	Stream io.Reader
	Length int64
}

// Do makes a call and returns the answer of status 2xx, whose body the caller closes. Any other answer is an error: a *RefusedError if it is
// final, a *BusyError if not. Other errors are those of the connection.
func (c *Client) Do(ctx context.Context, call Call) (*http.Response, error) {
	req, err := c.request(ctx, call)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", call.Method, call.Path, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err // names the method and the address already
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		return nil, fmt.Errorf("%s %s: %w", call.Method, call.Path, problem(resp))
	}
	return resp, nil
}

// request makes a request with its proof.
func (c *Client) request(ctx context.Context, call Call) (*http.Request, error) {
	target := url.URL{Path: call.Path, RawQuery: call.Query.Encode()}
	u := c.server.JoinPath(call.Path)
	u.RawQuery = target.RawQuery
	body, hash := call.Stream, protocol.StreamedBody
	if body == nil {
		body, hash = bytes.NewReader(call.Body), protocol.BodyHash(call.Body)
	}
	req, err := http.NewRequestWithContext(ctx, call.Method, u.String(), body)
	if err != nil {
		return nil, err
	}
	if call.Stream != nil {
		req.ContentLength = call.Length
	}
	proof, err := c.identity.prove(call.Method, target.RequestURI(), hash, time.Now())
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", proof.Header())
	req.Header.Set("User-Agent", "errand-agent/"+c.agent)
	return req, nil
}

// prove makes the proof for one request.
func (i Identity) prove(method, target, body string, now time.Time) (protocol.Proof, error) {
	public, err := i.PublicKey()
	if err != nil {
		return protocol.Proof{}, err
	}
	p := protocol.Proof{PublicKey: public, Time: now.Unix(), Body: body}
	rand.Read(p.Nonce[:]) // never fails
	p.Signature, err = i.Sign(p.SigningText(method, target))
	return p, err
}

// Node asks the server what it would tell this node if it enrolled now, which is also how to find out whether it still is its node.
func (c *Client) Node(ctx context.Context) (protocol.EnrollAnswer, error) { return c.node(ctx, nil) }

func (c *Client) node(ctx context.Context, query url.Values) (protocol.EnrollAnswer, error) {
	resp, err := c.Do(ctx, Call{Method: http.MethodGet, Path: protocol.NodePath, Query: query})
	if err != nil {
		return protocol.EnrollAnswer{}, err
	}
	defer resp.Body.Close()
	a, err := answerIn(resp.Body)
	if err == nil && a.NodeID != c.identity.NodeID {
		err = errors.New("answer: about another node")
	}
	return a, err
}
