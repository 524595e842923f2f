package console_test

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"errand/internal/stacktest"
)

// TestFiles pushes a file to a node by a form, and fetches it back.
func TestFiles(t *testing.T) {
	t.Parallel()
	s, r, _ := start(t)
	dir := t.TempDir()
	content := strings.Repeat("<b>a line</b>\n", 1000)
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for name, value := range map[string]string{"target": "web-1", "dir": dir, "name": "pushed.txt", "mode": "0600", "queue": "60"} {
		if err := form.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	part, err := form.CreateFormFile("file", "here.txt")
	if err == nil {
		_, err = io.WriteString(part, content)
	}
	if err = errors.Join(err, form.Close()); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/console/files/push", &b)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	resp, err := r.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %v\n%s", resp.Status, err, body)
	}
	has(t, string(body), "pushed.txt", "0600")
	stacktest.Eventually(t, 30*time.Second, func() error { _, err := os.Stat(filepath.Join(dir, "pushed.txt")); return err })
	at, _ := r.post("files/fetch", url.Values{"target": {"web-1"}, "paths": {filepath.Join(dir, "pushed.txt")}, "queue": {"60"}})
	at, _, _ = strings.Cut(at, "?")
	file := regexp.MustCompile(`href="/console/(files/\w+/\w+)">Download`)
	var found []string
	stacktest.Eventually(t, 30*time.Second, func() error {
		if found = file.FindStringSubmatch(r.page(at)); found == nil {
			return os.ErrNotExist
		}
		return nil
	})
	got, text := r.do(http.MethodGet, found[1], nil)
	if text != content || !strings.HasPrefix(got.Header.Get("Content-Disposition"), "attachment") || !strings.Contains(got.Header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("%d bytes, %v", len(text), got.Header)
	}
	has(t, r.page("files?kind=push"), "pushed.txt")
}

// TestTerminalPages opens a terminal: its page has the key to it, and no other page does.
func TestTerminalPages(t *testing.T) {
	t.Parallel()
	_, r, _ := start(t)
	_, body := r.post("sessions/new", url.Values{"node": {"web-1"}, "record": {"on"}})
	has(t, body, "data-terminal", `data-node="web-1"`, `data-url="/session?sessionId=`, "Recorded")
	if _, unwatched := r.post("sessions/new", url.Values{"node": {"web-1"}}); !strings.Contains(unwatched, "data-terminal") || strings.Contains(unwatched, "Recorded") {
		t.Errorf("whoever wants no recording gets\n%s", unwatched)
	}
	token := regexp.MustCompile(`data-token="([^"]+)"`).FindStringSubmatch(body)
	id := regexp.MustCompile(`data-session="(\w+)"`).FindStringSubmatch(body)
	if token == nil || id == nil || strings.Contains(body, "token="+token[1]+"&") {
		t.Fatal(body)
	}
	for _, path := range []string{"sessions", "sessions/" + id[1], "nodes/web-1"} {
		page := r.page(path)
		if has(t, page, id[1]); strings.Contains(page, token[1]) {
			t.Errorf("%s has the token", path)
		}
	}
	_, body = r.post("sessions/"+id[1]+"/watch", url.Values{})
	has(t, body, "data-watch", "Looking on")
	_, body = r.post("sessions/"+id[1]+"/end", url.Values{})
	has(t, body, "Ended")
	if resp, _ := r.do(http.MethodPost, "sessions/"+id[1]+"/take", url.Values{}); resp.StatusCode != http.StatusConflict {
		t.Errorf("a session that is over: %s", resp.Status)
	}
}

// TestSubscription makes a subscription, turns it off, gives it a new secret, and deletes it.
func TestSubscription(t *testing.T) {
	t.Parallel()
	_, r, _ := start(t)
	_, body := r.post("events/new", url.Values{"url": {"https://hook.example.com/a"}, "name": {"hook"}, "types": {"errand.task.*"}, "batch": {"10"}})
	has(t, body, "whsec_", "shown only now")
	id := regexp.MustCompile(`href="/console/events/(\w{16})"`).FindStringSubmatch(body)
	if id == nil {
		t.Fatal(body)
	}
	path := "events/" + id[1]
	if page := r.page(path); strings.Contains(page, "whsec_") {
		t.Error("the secret is shown again")
	}
	_, body = r.post(path+"/disable", url.Values{"on": {"1"}})
	has(t, body, "Disabled")
	_, body = r.post(path+"/rotate", url.Values{})
	has(t, body, "whsec_")
	_, body = r.post(path+"/replay", url.Values{"from": {"2026-01-01T00:00"}})
	has(t, body, "sent again")
	if resp, body := r.do(http.MethodPost, path+"/replay", url.Values{"from": {"soon"}}); resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, `value="soon"`) {
		t.Errorf("%s\n%s", resp.Status, body)
	}
	if at, _ := r.post(path+"/delete", url.Values{}); at != "events?done=deleted" {
		t.Errorf("at %s", at)
	}
}
