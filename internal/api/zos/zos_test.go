package zos_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"errand/internal/api"
	"errand/internal/api/scene"
	"errand/internal/api/zos"
	"errand/internal/core"
)

// client calls the dialect the way a server would, as the bearer of a token from this machine.
type client struct {
	*scene.Scene
	tb      testing.TB
	dialect *zos.Dialect
	server  *api.Server
	token   string
}

func newClient(tb testing.TB) *client {
	tb.Helper()
	s := scene.New(tb)
	token, err := s.Service.CreateBearer(tb.Context(), scene.Account, "root")
	if err != nil {
		tb.Fatal(err)
	}
	d := zos.New(s.Env())
	return &client{Scene: s, tb: tb, token: token, dialect: d, server: &api.Server{
		Dialects: []api.Dialect{d}, Now: s.Now, Log: slog.New(slog.DiscardHandler),
	}}
}

// request is a call that needs nothing but to be sent.
func (c *client) request(action, body string) *http.Request {
	r := httptest.NewRequestWithContext(c.tb.Context(), http.MethodPost, "/api/v2/zos", strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:40000"
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Zc-Action", action)
	r.Header.Set("X-Zc-Version", zos.Version)
	return r
}

// answer is what a client of the vendor makes of a response.
type answer struct {
	status    int
	RequestID string `json:"requestId"`
	Code      string `json:"code"`
	Message   string `json:"message"`
	Response  json.RawMessage
	header    http.Header
}

var requestID = regexp.MustCompile(`^T[0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$`)

// send checks what holds for every answer.
func (c *client) send(r *http.Request) answer {
	c.tb.Helper()
	w := httptest.NewRecorder()
	c.server.ServeHTTP(w, r)
	a := answer{status: w.Code, header: w.Header()}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		c.tb.Fatalf("answer is not JSON: %v\n%s", err, w.Body)
	}
	if !requestID.MatchString(a.RequestID) {
		c.tb.Errorf("request id %q", a.RequestID)
	}
	if got := a.header.Get("Content-Type"); got != "application/json" {
		c.tb.Errorf("content type %q", got)
	}
	var inner struct {
		RequestID string `json:"requestId"`
	}
	switch {
	case a.status != http.StatusOK && (a.Code == "" || a.Message == "" || a.Response != nil):
		c.tb.Errorf("malformed error: %s", w.Body)
	case a.status != http.StatusOK:
	case a.Code != "" || json.Unmarshal(a.Response, &inner) != nil || inner.RequestID != a.RequestID:
		c.tb.Errorf("malformed success: %s", w.Body)
	}
	return a
}

// do calls an action that must succeed and returns what is inside the envelope.
func (c *client) do(action, body string, into any) {
	c.tb.Helper()
	a := c.send(c.request(action, body))
	if a.status != http.StatusOK {
		c.tb.Fatalf("%s %s: %d %s: %s", action, body, a.status, a.Code, a.Message)
	}
	if err := json.Unmarshal(a.Response, into); err != nil {
		c.tb.Fatalf("%s: %v", action, err)
	}
}

// fails calls an action that must be refused.
func (c *client) fails(action, body string, status int, code string) answer {
	c.tb.Helper()
	a := c.send(c.request(action, body))
	if a.status != status || a.Code != code {
		c.tb.Errorf("%s %.200s: %d %s (%s), want %d %s", action, body, a.status, a.Code, a.Message, status, code)
	}
	return a
}

// create stores a shell command.
func (c *client) create(name, content string) string {
	c.tb.Helper()
	var r struct{ CommandID string }
	c.do("CreateCommand", body(map[string]any{"name": name, "content": content, "type": "SHELL"}), &r)
	return r.CommandID
}

// invoke runs a stored command.
func (c *client) invoke(commandID string, instances ...string) core.ID {
	c.tb.Helper()
	var r struct{ InvocationID string }
	c.do("InvokeCommand", body(map[string]any{"commandId": commandID, "instanceIds": instances}), &r)
	id, ok := core.ParseID(r.InvocationID)
	if !ok {
		c.tb.Fatalf("invocation id %q", r.InvocationID)
	}
	return id
}

// online enrols a machine that was heard of just now.
func (c *client) online(id string) core.Node {
	c.tb.Helper()
	n := c.Node(id)
	c.Online(n)
	return n
}

func body(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}
