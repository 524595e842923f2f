package console_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"errand/internal/core"
	"errand/internal/stacktest"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

// reader is a browser without JavaScript.
type reader struct {
	t    *testing.T
	base string
	http *http.Client
}

func newReader(t *testing.T, base string) *reader {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &reader{t, base, &http.Client{Jar: jar, Timeout: 30 * time.Second}}
}

// do sends a request and returns the answer with its body read.
func (r *reader) do(method, path string, form url.Values, header ...string) (*http.Response, string) {
	r.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.base+"/console/"+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := r.http.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, string(b)
}

// page reads a page that is there.
func (r *reader) page(path string) string {
	r.t.Helper()
	resp, body := r.do(http.MethodGet, path, nil)
	if resp.StatusCode != http.StatusOK {
		r.t.Fatalf("%s: %s", path, resp.Status)
	}
	return body
}

// post sends a form and returns the page that it leads to, with its address.
func (r *reader) post(path string, form url.Values) (address, body string) {
	r.t.Helper()
	resp, body := r.do(http.MethodPost, path, form)
	if resp.StatusCode != http.StatusOK {
		r.t.Fatalf("%s: %s\n%s", path, resp.Status, body)
	}
	return strings.TrimPrefix(resp.Request.URL.RequestURI(), "/console/"), body
}

func (r *reader) signIn() {
	r.t.Helper()
	if address, body := r.post("login", url.Values{"key": {stacktest.KeyID}, "secret": {stacktest.Secret}}); address != "" {
		r.t.Fatalf("at %s after signing in:\n%s", address, body)
	}
}

func has(t *testing.T, body string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(body, text) {
			t.Errorf("no %q in:\n%s", text, body)
		}
	}
}

// start makes a server with a node and a run that failed on it, and a reader who is signed in.
func start(t *testing.T) (*stacktest.Stack, *reader, core.Invocation) {
	t.Helper()
	s := stacktest.Start(t)
	s.AddNode(t, "web-1")
	v := order(t, s, "echo '<b>bold</b>'; exit 3")
	stacktest.Eventually(t, 30*time.Second, func() error { return ended(t.Context(), s, v.ID) })
	r := newReader(t, s.URL)
	r.signIn()
	return s, r, v
}

func order(t *testing.T, s *stacktest.Stack, script string) core.Invocation {
	t.Helper()
	v, err := s.Server.Service.Run(t.Context(), s.Server.RootCaller(), core.RunSpec{
		Origin: core.OriginNative, Targets: []string{"web-1"}, KillTree: true,
		Definition: core.Definition{Type: core.Shell, Content: []byte(script)}, Limits: core.Limits{DefaultTimeout: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// ended is nil once a run has ended.
func ended(ctx context.Context, s *stacktest.Stack, id core.ID) error {
	v, err := s.Server.Service.Invocation(ctx, s.Server.RootCaller(), id)
	if err == nil && v.Counts.Open() > 0 {
		return context.DeadlineExceeded
	}
	return err
}

// TestPages reads every page without JavaScript, in every language.
func TestPages(t *testing.T) {
	t.Parallel()
	_, r, v := start(t)
	run, task := "runs/"+v.ID.String(), "tasks/"+core.TaskID{Invocation: v.ID}.String()
	for path, want := range map[string][]string{
		"":                    {"Needs attention", "echo &#39;&lt;b&gt;"},
		"runs":                {"Runs", "echo", v.ID.String()},
		"runs?state=open":     {"No runs"},
		"runs/new":            {"Script", `name="script"`},
		run:                   {"web-1", "exit code not zero"},
		run + "?tab=nodes":    {"web-1"},
		run + "?tab=timeline": {"Timeline"},
		run + "?tab=script":   {"&lt;b&gt;bold&lt;/b&gt;"},
		run + "?tab=audit":    {"Audit"},
		task:                  {"web-1"},
		"nodes":               {"web-1", "1 of 1 online"},
		"nodes/web-1":         {"web-1", "Kernel", task},
		"system":              {"System health", "Nodes connected"},
	} {
		t.Run(path, func(t *testing.T) {
			body := r.page(path)
			has(t, body, append(want, "<main", `lang="en"`)...)
			_, rest, _ := strings.Cut(body, `id="messages">`)
			var texts map[string]string
			if err := json.NewDecoder(strings.NewReader(rest)).Decode(&texts); err != nil || texts["time.now"] == "" {
				t.Errorf("messages for the browser's programs: %v", err)
			}
			if strings.Contains(body, "<b>bold</b>") {
				t.Error("what was run is not escaped")
			}
			resp, body := r.do(http.MethodGet, path, nil, "Accept-Language", "zh-CN,zh;q=0.9,en;q=0.8")
			has(t, body, `lang="zh"`, "运行")
			if policy := resp.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "script-src 'self';") || strings.Contains(policy, "unsafe") ||
				!strings.Contains(policy, "frame-ancestors 'none'") {
				t.Errorf("content security policy: %s", policy)
			}
			if resp.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Error("no nosniff")
			}
		})
	}
}

// TestStranger is sent to the form, and comes back to where it wanted to go.
func TestStranger(t *testing.T) {
	t.Parallel()
	s := stacktest.Start(t)
	r := newReader(t, s.URL)
	resp, body := r.do(http.MethodGet, "runs?state=open", nil)
	if resp.Request.URL.Path != "/console/login" {
		t.Fatalf("at %s", resp.Request.URL)
	}
	has(t, body, "Sign in", `value="/console/runs?state=open"`)
	for _, wrong := range []url.Values{
		{"key": {stacktest.KeyID}, "secret": {"wrong"}}, {"key": {"nobody"}, "secret": {stacktest.Secret}}, {},
	} {
		resp, body := r.do(http.MethodPost, "login", wrong)
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%v: %s", wrong, resp.Status)
		}
		has(t, body, "This key does not exist, or the secret is not its own.")
	}
	right := url.Values{"key": {stacktest.KeyID}, "secret": {stacktest.Secret}, "next": {"/console/runs?state=open"}}
	if address, _ := r.post("login", right); address != "runs?state=open" {
		t.Errorf("at %s", address)
	}
	right.Set("next", "https://elsewhere.example/console/")
	if address, _ := r.post("login", right); address != "" {
		t.Errorf("at %s", address)
	}
	if address, _ := r.post("logout", url.Values{}); address != "login" {
		t.Errorf("at %s", address)
	}
	if resp, _ := r.do(http.MethodGet, "runs", nil); resp.Request.URL.Path != "/console/login" {
		t.Errorf("still signed in at %s", resp.Request.URL)
	}
	fragment, _ := r.do(http.MethodGet, "runs?part=live-runs", nil, "HX-Request", "true")
	if to := fragment.Header.Get("HX-Redirect"); fragment.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(to, "/console/login") {
		t.Errorf("a fragment: %s, %q", fragment.Status, to)
	}
}

// TestForgery checks that no other site can send a form in somebody's name.
func TestForgery(t *testing.T) {
	t.Parallel()
	_, r, v := start(t)
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://elsewhere.example"}} {
		if resp, _ := r.do(http.MethodPost, "runs/"+v.ID.String()+"/cancel", url.Values{}, header...); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%v: %s", header, resp.Status)
		}
	}
}

// TestPreferences are remembered by the browser.
func TestPreferences(t *testing.T) {
	t.Parallel()
	s := stacktest.Start(t)
	r := newReader(t, s.URL)
	_, body := r.post("preferences", url.Values{"lang": {"zh"}, "theme": {"dark"}, "next": {"/console/login"}})
	has(t, body, `lang="zh"`, `data-theme="dark"`, "登录 Errand")
	_, body = r.post("preferences", url.Values{"lang": {"xx"}, "theme": {"pink"}, "next": {"/console/login"}})
	has(t, body, `lang="zh"`, `data-theme="dark"`)
}

// TestRefusals are pages too.
func TestRefusals(t *testing.T) {
	t.Parallel()
	_, r, _ := start(t)
	for path, want := range map[string]int{
		"runs/nothing": http.StatusNotFound, "runs/" + core.ID(1).String(): http.StatusNotFound, "tasks/x": http.StatusNotFound,
		"nodes/nobody": http.StatusNotFound, "elsewhere": http.StatusNotFound, "runs?cursor=forged": http.StatusBadRequest, "static/nothing": http.StatusNotFound,
	} {
		if resp, body := r.do(http.MethodGet, path, nil); resp.StatusCode != want {
			t.Errorf("%s: %s\n%s", path, resp.Status, body)
		}
	}
}

// TestAssets are kept for as long as they stay the same.
func TestAssets(t *testing.T) {
	t.Parallel()
	s := stacktest.Start(t)
	r := newReader(t, s.URL)
	_, body := r.do(http.MethodGet, "login", nil)
	_, rest, ok := strings.Cut(body, `href="/console/static/app.css`)
	query, _, _ := strings.Cut(rest, `"`)
	if !ok {
		t.Fatal(body)
	}
	resp, sheet := r.do(http.MethodGet, "static/app.css"+query, nil)
	if !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/css") {
		t.Errorf("%v", resp.Header)
	}
	has(t, sheet, "@layer")
	if resp, _ := r.do(http.MethodGet, "static/app.css?v=old", nil); resp.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("%v", resp.Header)
	}
}
