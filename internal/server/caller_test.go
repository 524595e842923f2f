package server_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/internal/api"
	"errand/internal/api/sign"
	"errand/internal/core"
	"errand/internal/server"
)

// caller calls a server through every dialect, each in its vendor's way, and signs with a few lines of its own where that is possible.
type caller struct {
	tb                 testing.TB
	url                string
	id, secret, token  string
	agent, region, raw string // of the last answer: its body
}

// ran is the code of a call that succeeded.
const ran = "ok"

func (c *caller) send(r *http.Request) (*http.Response, []byte) {
	c.tb.Helper()
	r.Header.Set("User-Agent", c.agent)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.tb.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.tb.Fatal(err)
	}
	c.raw = string(body)
	return resp, body
}

func (c *caller) request(method, target, body string) *http.Request {
	c.tb.Helper()
	r, err := http.NewRequestWithContext(c.tb.Context(), method, target, strings.NewReader(body))
	if err != nil {
		c.tb.Fatal(err)
	}
	return r
}

// alibaba makes an ACS3 call; pairs are parameters, name and value in turn. It returns the status and the error code.
func (c *caller) alibaba(version, action string, pairs ...string) string {
	c.tb.Helper()
	params := url.Values{"RegionId": {c.region}}
	for i := 0; i < len(pairs); i += 2 {
		params.Set(pairs[i], pairs[i+1])
	}
	r := c.request(http.MethodPost, c.url+"/?"+params.Encode(), "")
	r.Header.Set("x-acs-action", action)
	r.Header.Set("x-acs-version", version)
	if c.token != "" {
		r.Header.Set("x-acs-security-token", c.token)
	}
	if err := sign.SignACS3(r, nil, c.id, c.secret, api.NewRequestID(), time.Now()); err != nil {
		c.tb.Fatal(err)
	}
	resp, body := c.send(r)
	if resp.StatusCode == http.StatusOK {
		return ran
	}
	var e struct{ Code string }
	c.decode(body, &e)
	return fmt.Sprint(resp.StatusCode, " ", e.Code)
}

func (c *caller) ecs(action string, pairs ...string) string {
	c.tb.Helper()
	return c.alibaba("2014-05-26", action, pairs...)
}

func (c *caller) eflo(action string, pairs ...string) string {
	c.tb.Helper()
	return c.alibaba("2022-12-15", action, pairs...)
}

// hash signs the canonical request of the two vendors whose signatures are alike.
func hash(r *http.Request, contentType, body string) string {
	return "POST\n/\n\ncontent-type:" + contentType + "\nhost:" + r.URL.Host + "\n\ncontent-type;host\n" + sum(body)
}

func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(text))
	return h.Sum(nil)
}

// tat makes a TC3 call.
func (c *caller) tat(action, body string) string {
	c.tb.Helper()
	r := c.request(http.MethodPost, c.url+"/", body)
	now := time.Now().UTC()
	stamp, scope := strconv.FormatInt(now.Unix(), 10), now.Format(time.DateOnly)+"/tat/tc3_request"
	toSign := "TC3-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + sum(hash(r, "application/json", body))
	key := mac(mac(mac([]byte("TC3"+c.secret), now.Format(time.DateOnly)), "tat"), "tc3_request")
	for name, value := range map[string]string{
		"Content-Type": "application/json", "X-TC-Action": action, "X-TC-Version": "2020-10-28", "X-TC-Timestamp": stamp,
		"X-TC-Region": "ap-guangzhou", "Authorization": "TC3-HMAC-SHA256 Credential=" + c.id + "/" + scope +
			", SignedHeaders=content-type;host, Signature=" + hex.EncodeToString(mac(key, toSign)),
	} {
		r.Header.Set(name, value)
	}
	if c.token != "" {
		r.Header.Set("X-TC-Token", c.token)
	}
	resp, answer := c.send(r)
	var e struct {
		Response struct{ Error struct{ Code string } }
	}
	c.decode(answer, &e)
	if e.Response.Error.Code == "" {
		return ran
	}
	return fmt.Sprint(resp.StatusCode, " ", e.Response.Error.Code)
}

// zos makes a ZC2 call.
func (c *caller) zos(action, body string) string {
	c.tb.Helper()
	r := c.request(http.MethodPost, c.url+"/api/v2/zos", body)
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	toSign := "ZC2-HMAC-SHA256\n" + stamp + "\n" + sum(hash(r, "application/json", body))
	for name, value := range map[string]string{
		"Content-Type": "application/json", "X-ZC-Action": action, "X-ZC-Version": "2025-10-10", "X-ZC-Timestamp": stamp,
		"Authorization": "ZC2-HMAC-SHA256 Credential=" + c.id + ", SignedHeaders=content-type;host, Signature=" +
			hex.EncodeToString(mac([]byte(c.secret), toSign)),
	} {
		r.Header.Set(name, value)
	}
	resp, answer := c.send(r)
	if resp.StatusCode == http.StatusOK {
		return ran
	}
	var e struct{ Code string }
	c.decode(answer, &e)
	return fmt.Sprint(resp.StatusCode, " ", e.Code)
}

// native calls the API of our own.
func (c *caller) native(method, path, body string) string {
	c.tb.Helper()
	r := c.request(method, c.url+"/api/v1/"+path, body)
	if c.id == "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	} else {
		r.SetBasicAuth(c.id, c.secret)
		r.Header.Set("X-Errand-Security-Token", c.token)
	}
	resp, _ := c.send(r)
	if resp.StatusCode == http.StatusOK {
		return ran
	}
	return resp.Status
}

func (c *caller) decode(body []byte, into any) {
	c.tb.Helper()
	if err := json.Unmarshal(body, into); err != nil {
		c.tb.Fatalf("%v: %s", err, body)
	}
}

// as is the caller who has a key.
func as(t *testing.T, s *server.Server, k core.IssuedKey) *caller {
	t.Helper()
	return &caller{tb: t, url: s.URL(), id: k.ID, secret: k.Secret, token: k.Token, agent: "test/1", region: "cn-hangzhou"}
}

// user makes a user with the rights of a document, or of a policy that comes with the program, and a key of it.
func user(t *testing.T, s *server.Server, name, rights string) core.IssuedKey {
	t.Helper()
	ctx, root := t.Context(), s.RootCaller()
	_, err := s.Service.CreateUser(ctx, root, name, core.UserPerson, "")
	if err == nil && strings.HasPrefix(rights, "{") {
		if _, err = s.Service.PutPolicy(ctx, root, "of-"+name, "", rights); err == nil {
			rights = "of-" + name
		}
	}
	if err == nil && rights != "" {
		err = s.Service.AttachPolicy(ctx, root, name, rights)
	}
	if err != nil {
		t.Fatal(err)
	}
	k, err := s.Service.IssueKey(ctx, root, core.KeySpec{User: name, Kind: core.KeyLong})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// machine enrols a machine with tags that was heard of just now.
func machine(t *testing.T, s *server.Server, id string, tags ...core.Tag) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	code, secret, err := s.Service.CreateRegistration(ctx, s.RootCaller(), core.RegistrationSpec{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	n, err := s.Service.Register(ctx, core.Enrolment{
		Code: code.ID, Secret: secret, PublicKey: core.NewSecret(), NodeID: id, Tags: tags,
		Facts: core.Facts{Hostname: id, Platform: core.Linux, Agent: "1.0.0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Service.Seen(n.Key, time.Now())
	s.Service.Gone(n.Key) // heard of, but not connected
}

// safeBuffer gathers what several goroutines write.
type safeBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
