// Package caller calls a dialect over HTTP the way the vendor's clients do, for tests and nothing else: parameters in query or form,
// either signature scheme, either form of answer.
package caller

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"errand/internal/api"
	"errand/internal/api/scene"
	"errand/internal/api/sign"
	"errand/internal/core"
)

// Client is a caller with the scene's access key. Its fields may be changed between calls.
type Client struct {
	tb      testing.TB
	scene   *scene.Scene
	server  *httptest.Server
	Version string
	Key     string
	Secret  string
	ACS3    bool              // sign headers instead of parameters
	Form    bool              // send parameters in the body
	Header  map[string]string // sent besides
	Common  map[string]string // parameters sent with every call that does not name them itself
}

// New serves some dialects on loopback and returns a client of the given version of the API.
func New(tb testing.TB, s *scene.Scene, version string, dialects ...api.Dialect) *Client {
	tb.Helper()
	server := httptest.NewServer(&api.Server{Dialects: dialects, Now: s.Now, Log: slog.New(slog.DiscardHandler)})
	tb.Cleanup(server.Close)
	return &Client{
		tb: tb, scene: s, server: server, Version: version, Key: scene.Key, Secret: scene.Secret,
		Common: map[string]string{"Format": "JSON"},
	}
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	Code   string // of an error in JSON
	Text   string // message of an error in JSON
}

// Into decodes a JSON answer.
func (a Answer) Into(tb testing.TB, v any) {
	tb.Helper()
	if a.Status != http.StatusOK {
		tb.Fatalf("status %d: %s", a.Status, a.Body)
	}
	if err := json.Unmarshal(a.Body, v); err != nil {
		tb.Fatalf("%v: %s", err, a.Body)
	}
}

// Params is a list of parameters.
type Params map[string]string

// With returns a copy with some parameters set, given as name, value, name, value; the value - takes a parameter away.
func (p Params) With(pairs ...string) Params {
	out := maps.Clone(p)
	if out == nil {
		out = Params{}
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "-" {
			delete(out, pairs[i])
			continue
		}
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

// Call signs and sends a request.
func (c *Client) Call(action string, params Params) Answer {
	c.tb.Helper()
	return c.Send(c.Request(action, params))
}

// Request makes a signed request, which a test may spoil before it sends it.
func (c *Client) Request(action string, params Params) *http.Request {
	c.tb.Helper()
	all := Params{}
	maps.Copy(all, c.Common)
	maps.Copy(all, params)
	if !c.ACS3 {
		c.signRPC(action, all)
	}
	query, body := encode(all), ""
	if c.Form {
		query, body = "", query
	}
	r, err := http.NewRequestWithContext(c.tb.Context(), http.MethodPost, c.server.URL+"/?"+query, strings.NewReader(body))
	if err != nil {
		c.tb.Fatal(err)
	}
	if c.Form {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range c.Header {
		r.Header.Set(name, value)
	}
	if c.ACS3 {
		r.Header.Set("x-acs-action", action)
		r.Header.Set("x-acs-version", c.Version)
		if err := sign.SignACS3(r, []byte(body), c.Key, c.Secret, core.NewSecret(), c.scene.Now()); err != nil {
			c.tb.Fatal(err)
		}
	}
	return r
}

// signRPC adds the common parameters of the older scheme and signs them all.
func (c *Client) signRPC(action string, all Params) {
	for name, value := range map[string]string{
		"Action": action, "Version": c.Version, "AccessKeyId": c.Key, "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
		"SignatureNonce": core.NewSecret(), "Timestamp": c.scene.Now().UTC().Format("2006-01-02T15:04:05Z"),
	} {
		if _, set := all[name]; !set {
			all[name] = value
		}
	}
	mac := hmac.New(sha1.New, []byte(c.Secret+"&"))
	mac.Write([]byte("POST&%2F&" + escape(encode(all))))
	all["Signature"] = base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// encode joins parameters in the order in which they are signed.
func encode(params Params) string {
	pairs := make([]string, 0, len(params))
	for _, name := range slices.Sorted(maps.Keys(params)) {
		pairs = append(pairs, escape(name)+"="+escape(params[name]))
	}
	return strings.Join(pairs, "&")
}

func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// Send sends a request as it is.
func (c *Client) Send(r *http.Request) Answer {
	c.tb.Helper()
	resp, err := c.server.Client().Do(r)
	if err != nil {
		c.tb.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.tb.Fatal(err)
	}
	a := Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
	var failure struct{ Code, Message string }
	if json.Unmarshal(body, &failure) == nil {
		a.Code, a.Text = failure.Code, failure.Message
	}
	return a
}
