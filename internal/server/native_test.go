package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"errand/internal/server"
)

// rootKey reads the key that a server has made.
func rootKey(t *testing.T, c *server.Config) server.Credentials {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.Data, "root-credentials.json"))
	var cred server.Credentials
	if err == nil {
		err = json.Unmarshal(text, &cred)
	}
	if err != nil {
		t.Fatal(err)
	}
	return cred
}

// TestOrderSurvivesARestart repeats an order to a server that was restarted since.
func TestOrderSurvivesARestart(t *testing.T) {
	t.Parallel()
	conf := config(t)
	var answers []string
	for range 2 {
		s := start(t, conf)
		cred := rootKey(t, &conf)
		c := &caller{tb: t, url: s.URL(), id: cred.AccessKeyID, secret: cred.AccessKeySecret, agent: "test/1"}
		r := c.request(http.MethodPost, c.url+"/api/v1/registration-codes", `{"limit":5}`)
		r.SetBasicAuth(c.id, c.secret)
		r.Header.Set("Idempotency-Key", "the-same")
		resp, body := c.send(r)
		if resp.StatusCode != http.StatusOK || (resp.Header.Get("Idempotency-Replayed") == "true") != (len(answers) == 1) {
			t.Errorf("%s: %s", resp.Status, body)
		}
		answers = append(answers, string(body))
		stop(t, s)
	}
	if answers[0] != answers[1] {
		t.Errorf("%s\n%s", answers[0], answers[1])
	}
}

// TestLoginSurvivesARestart signs in, restarts the server, and goes on.
func TestLoginSurvivesARestart(t *testing.T) {
	t.Parallel()
	conf := config(t)
	s := start(t, conf)
	cred := rootKey(t, &conf)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	do := func(method, address, body string) (int, string, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+address, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Request.URL.Path, string(text)
	}
	form := url.Values{"key": {cred.AccessKeyID}, "secret": {cred.AccessKeySecret}}
	if code, at, text := do(http.MethodPost, "/console/login", form.Encode()); code != http.StatusOK || at != "/console/" {
		t.Fatalf("%d %s %s", code, at, text)
	}
	addr := strings.TrimPrefix(s.URL(), "http://")
	stop(t, s)
	conf.Listen = addr
	s = start(t, conf)
	defer stop(t, s)
	if code, _, text := do(http.MethodGet, "/api/v1/whoami", ""); code != http.StatusOK || !strings.Contains(text, `"kind":"login"`) {
		t.Errorf("%d %s", code, text)
	}
	if code, at, _ := do(http.MethodGet, "/console/nodes", ""); code != http.StatusOK || at != "/console/nodes" {
		t.Errorf("%d %s", code, at)
	}
	if code, at, _ := do(http.MethodPost, "/console/logout", ""); code != http.StatusOK || at != "/console/login" {
		t.Errorf("%d %s", code, at)
	}
	if code, _, text := do(http.MethodGet, "/api/v1/whoami", ""); code != http.StatusUnauthorized {
		t.Errorf("%d %s", code, text)
	}
}
