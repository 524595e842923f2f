package identity

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nkeys" //nolint:depguard // judges the signatures

	"errand/internal/protocol"
)

// asked is what a server got.
type asked struct {
	proof protocol.Proof
	path  string
	body  string
}

// judge is a server below a path that judges each proof, then lets answer answer.
func judge(t *testing.T, got *asked, answer http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(http.StripPrefix("/below", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := protocol.ParseProof(r.Header.Get("Authorization"))
		if err != nil {
			t.Errorf("%q: %v", r.Header.Get("Authorization"), err)
		}
		key, err := nkeys.FromPublicKey(p.PublicKey)
		if err != nil || key.Verify(p.SigningText(r.Method, r.URL.RequestURI()), p.Signature) != nil {
			t.Errorf("%q did not sign %s %s", p.PublicKey, r.Method, r.URL.RequestURI())
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		*got = asked{proof: p, path: r.URL.RequestURI(), body: string(body)}
		answer(w, r)
	})))
	t.Cleanup(s.Close)
	i, err := New()
	if err != nil {
		t.Fatal(err)
	}
	i.NodeID, i.ServerURL = "node-1", s.URL+"/below"
	h := s.Client()
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c, err := i.NewClient(h, "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestProves signs what the server sees, whatever path the server lies below.
func TestProves(t *testing.T) {
	t.Parallel()
	var got asked
	c := judge(t, &got, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	for name, tt := range map[string]struct {
		call Call
		body string
		hash string
	}{
		"nothing": {Call{Method: http.MethodGet, Path: "/agent/x"}, "", protocol.BodyHash(nil)},
		"query":   {Call{Method: http.MethodGet, Path: "/agent/x", Query: url.Values{"b": {"1 2"}, "a": {"ä"}}}, "", protocol.BodyHash(nil)},
		"body":    {Call{Method: http.MethodPost, Path: "/agent/x", Body: []byte("text")}, "text", protocol.BodyHash([]byte("text"))},
		"stream": {
			Call{Method: http.MethodPut, Path: "/agent/x", Stream: strings.NewReader("stream"), Length: 6}, "stream", protocol.StreamedBody,
		},
	} {
		first := got.proof.Nonce
		resp, err := c.Do(t.Context(), tt.call)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		resp.Body.Close()
		if got.body != tt.body || got.proof.Body != tt.hash || got.proof.Nonce == first || !strings.HasPrefix(got.path, "/agent/x") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestCallErrors tells what is final from what may pass.
func TestCallErrors(t *testing.T) {
	t.Parallel()
	status, after := 0, ""
	var got asked
	c := judge(t, &got, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", after)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"reason":"refused","detail":"why"}`))
	})
	for _, tt := range []struct {
		status  int
		after   string
		refused bool
		wait    time.Duration
	}{
		{301, "", true, 0},
		{403, "", true, 0},
		{429, "7", false, 7 * time.Second},
		{429, "99999", false, maxAskedFor},
		{500, "", false, 0},
		{503, "-1", false, 0},
		{503, "Fri, 31 Dec 1999 23:59:59 GMT", false, 0},
	} {
		status, after = tt.status, tt.after
		_, err := c.Do(t.Context(), Call{Method: http.MethodGet, Path: "/agent/x"})
		if err == nil || Refused(err) != tt.refused || AskedToWait(err) != tt.wait {
			t.Errorf("%d %q: %v", tt.status, tt.after, err)
		}
	}
	status = 403
	_, err := c.Do(t.Context(), Call{Method: http.MethodGet, Path: "/agent/x"})
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Status != 403 || refused.Reason != protocol.ProblemRefused || !strings.Contains(err.Error(), "why") {
		t.Errorf("%v", err)
	}
}

// TestNodeOfAnother refuses an answer that is about another node.
func TestNodeOfAnother(t *testing.T) {
	t.Parallel()
	var got asked
	answer := "{}"
	c := judge(t, &got, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) })
	if _, err := c.Node(t.Context()); err == nil {
		t.Error("an empty answer was taken")
	}
	pem := strings.ReplaceAll(string(certificate(t)), "\n", `\n`)
	answer = `{"node_id":"node-2","node_key":2,"nats_urls":["tls://h:1"],"ca":"` + pem + `"}`
	if _, err := c.Node(t.Context()); err == nil || !strings.Contains(err.Error(), "another node") {
		t.Errorf("%v", err)
	}
}
