package tat

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"errand/internal/api"
	"errand/internal/api/scene"
	"errand/internal/core"
)

// client calls the dialect over HTTP. It signs with a few lines of its own rather than with what is under test.
type client struct {
	tb      testing.TB
	scene   *scene.Scene
	handler *api.Server
	server  *httptest.Server
	// edit changes a request after it was signed; nil leaves it.
	edit func(*http.Request)
	// headers are added to v3 requests.
	headers map[string]string
	key     string
	secret  string
}

func newClient(tb testing.TB, options ...func(*core.Config)) *client {
	tb.Helper()
	s := scene.New(tb, options...)
	env := s.Env()
	env.Regions = []string{"home"}
	c := &client{tb: tb, scene: s, key: scene.Key, secret: scene.Secret, handler: &api.Server{
		Dialects: []api.Dialect{New(env)}, Now: s.Now, Log: slog.New(slog.DiscardHandler),
	}}
	c.server = httptest.NewServer(c.handler)
	tb.Cleanup(c.server.Close)
	return c
}

// with returns a client that differs in what edit does.
func (c *client) with(edit func(*http.Request)) *client {
	d := *c
	d.edit = edit
	return &d
}

// header returns a client that sends one more header.
func (c *client) header(name, value string) *client {
	d := *c
	d.headers = maps.Clone(c.headers)
	if d.headers == nil {
		d.headers = map[string]string{}
	}
	d.headers[name] = value
	return &d
}

// as returns a client that signs v3 requests with another key.
func (c *client) as(key, secret string) *client {
	d := *c
	d.key, d.secret = key, secret
	return &d
}

// reply is an answer taken apart.
type reply struct {
	tb        testing.TB
	Header    http.Header
	Raw       []byte // what is inside the envelope
	RequestID string
	Code      string
	Message   string
}

// call sends a v3 POST with this JSON body.
func (c *client) call(action, body string) reply {
	c.tb.Helper()
	return c.v3(http.MethodPost, action, "", "application/json", body)
}

// get sends a v3 GET.
func (c *client) get(action string, params url.Values) reply {
	c.tb.Helper()
	return c.v3(http.MethodGet, action, params.Encode(), "application/x-www-form-urlencoded", "")
}

func (c *client) v3(method, action, query, contentType, body string) reply {
	c.tb.Helper()
	address := c.server.URL + "/"
	if query != "" {
		address += "?" + query
	}
	r, err := http.NewRequestWithContext(c.tb.Context(), method, address, strings.NewReader(body))
	if err != nil {
		c.tb.Fatal(err)
	}
	now := c.scene.Now()
	scope := now.Format(time.DateOnly) + "/tat/tc3_request"
	canonical := method + "\n/\n" + query + "\ncontent-type:" + contentType + "\nhost:" + r.URL.Host + "\n\ncontent-type;host\n" + sum([]byte(body))
	toSign := "TC3-HMAC-SHA256\n" + strconv.FormatInt(now.Unix(), 10) + "\n" + scope + "\n" + sum([]byte(canonical))
	key := []byte("TC3" + c.secret)
	for _, part := range []string{now.Format(time.DateOnly), "tat", "tc3_request"} {
		key = mac(sha256.New, key, part)
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("X-TC-Action", action)
	r.Header.Set("X-TC-Version", "2020-10-28")
	r.Header.Set("X-TC-Timestamp", strconv.FormatInt(now.Unix(), 10))
	r.Header.Set("X-TC-Region", "ap-guangzhou")
	r.Header.Set("Authorization", "TC3-HMAC-SHA256 Credential="+c.key+"/"+scope+", SignedHeaders=content-type;host, Signature="+
		hex.EncodeToString(mac(sha256.New, key, toSign)))
	for name, value := range c.headers {
		r.Header.Set(name, value)
	}
	return c.send(r)
}

// v1 sends a request of the older generation; algorithm is HmacSHA1 or HmacSHA256.
func (c *client) v1(method, algorithm, action string, params map[string]string) reply {
	c.tb.Helper()
	all := map[string]string{
		"Action": action, "Version": "2020-10-28", "Timestamp": strconv.FormatInt(c.scene.Now().Unix(), 10), "Nonce": "42", "Region": "",
		"SecretId": scene.Key, "SignatureMethod": algorithm, "RequestClient": "SDK_GO_1.3.166",
	}
	maps.Copy(all, params)
	host := strings.TrimPrefix(c.server.URL, "http://")
	pairs := make([]string, 0, len(all))
	form := url.Values{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		pairs = append(pairs, name+"="+all[name])
		form.Set(name, all[name])
	}
	algorithms := map[string]func() hash.Hash{"HmacSHA1": sha1.New, "HmacSHA256": sha256.New}
	signature := mac(algorithms[algorithm], []byte(scene.Secret), method+host+"/?"+strings.Join(pairs, "&"))
	form.Set("Signature", base64.StdEncoding.EncodeToString(signature))
	address, body := c.server.URL+"/", form.Encode()
	if method == http.MethodGet {
		address, body = address+"?"+body, ""
	}
	r, err := http.NewRequestWithContext(c.tb.Context(), method, address, strings.NewReader(body))
	if err != nil {
		c.tb.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return c.send(r)
}

func mac(algorithm func() hash.Hash, key []byte, text string) []byte {
	h := hmac.New(algorithm, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func (c *client) send(r *http.Request) reply {
	c.tb.Helper()
	if c.edit != nil {
		c.edit(r)
	}
	resp, err := c.server.Client().Do(r)
	if err != nil {
		c.tb.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.tb.Fatal(err)
	}
	return open(c.tb, resp, body)
}

var requestID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// open checks what every answer has and takes it apart.
func open(tb testing.TB, resp *http.Response, body []byte) reply {
	tb.Helper()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" {
		tb.Errorf("status %d, content type %q", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	var outer struct{ Response json.RawMessage }
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&outer); err != nil {
		tb.Fatalf("%v: %s", err, body)
	}
	var inner struct {
		RequestID string `json:"RequestId"`
		Error     *struct{ Code, Message string }
	}
	if err := json.Unmarshal(outer.Response, &inner); err != nil {
		tb.Fatalf("%v: %s", err, body)
	}
	if !requestID.MatchString(inner.RequestID) {
		tb.Errorf("request id %q", inner.RequestID)
	}
	r := reply{tb: tb, Header: resp.Header, Raw: outer.Response, RequestID: inner.RequestID}
	if inner.Error != nil {
		r.Code, r.Message = inner.Error.Code, inner.Error.Message
		if r.Code == "" || r.Message == "" {
			tb.Errorf("incomplete error: %s", body)
		}
	}
	return r
}

// ok expects a success and decodes it.
func ok[T any](r reply) T {
	r.tb.Helper()
	var v T
	if r.Code != "" {
		r.tb.Fatalf("%s: %s", r.Code, r.Message)
	}
	if err := json.Unmarshal(r.Raw, &v); err != nil {
		r.tb.Fatal(err)
	}
	return v
}

// want expects an error code, or a success for an empty one.
func (r reply) want(code string) {
	r.tb.Helper()
	if r.Code != code {
		r.tb.Errorf("code %q (%s), want %q", r.Code, r.Message, code)
	}
}

// known expects an error code that has words of its own.
func (r reply) known(want string) {
	r.tb.Helper()
	r.want(want)
	s := sentences[code(r.Code)]
	if r.Code != "" && (s.en == "" || s.zh == "" || !strings.HasPrefix(r.Message, s.en)) {
		r.tb.Errorf("%s says %q", r.Code, r.Message)
	}
}

// object renders a JSON object.
func object(pairs ...any) string {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// node enrols a node and makes it online.
func (c *client) node(id string) core.Node {
	c.tb.Helper()
	n := c.scene.Node(id)
	c.scene.Online(n)
	return n
}

// run starts a script on nodes and returns the invocation's id.
func (c *client) run(script string, nodes ...core.Node) core.ID {
	c.tb.Helper()
	ids := make([]string, len(nodes))
	for i, n := range nodes {
		ids[i] = showInstance(n.ID)
	}
	resp := ok[runCommandResponse](c.call("RunCommand", object("Content", b64(script), "InstanceIds", ids)))
	return c.invocation(resp.InvocationId)
}

func (c *client) invocation(id string) core.ID {
	c.tb.Helper()
	v, ok := api.InvocationID(id)
	if !ok || !strings.HasPrefix(id, "inv-") {
		c.tb.Fatalf("invocation id %q", id)
	}
	return v
}

// tasks reads the tasks of an invocation with their output.
func (c *client) tasks(id core.ID) []invocationTask {
	c.tb.Helper()
	return ok[describeInvocationTasksResponse](c.call("DescribeInvocationTasks", object(
		"HideOutput", false, "Filters", filters("invocation-id", invocationPrefix+id.String()),
	))).InvocationTaskSet
}

// filters is one filter in JSON.
func filters(name string, values ...string) []map[string]any {
	return []map[string]any{{"Name": name, "Values": values}}
}

// stored counts commands and invocations.
func (c *client) stored() int {
	c.tb.Helper()
	_, commands, err := c.scene.Service.Commands(c.tb.Context(), c.scene.Caller, core.CommandFilter{}, core.PageSpec{Limit: 1, Count: true})
	if err != nil {
		c.tb.Fatal(err)
	}
	_, invocations, err := c.scene.Service.Invocations(
		c.tb.Context(), c.scene.Caller, core.InvocationFilter{}, core.PageSpec{Limit: 1, Count: true})
	if err != nil {
		c.tb.Fatal(err)
	}
	return commands.Total + invocations.Total
}

func ptr[T any](v T) *T { return &v }
