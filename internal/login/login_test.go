package login_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"errand/internal/api"
	"errand/internal/api/native"
	"errand/internal/api/scene"
	"errand/internal/console"
	"errand/internal/core"
	"errand/internal/login"
)

const signOut = "/console/logout"

// rig is a server on which people sign in, as the real one puts it together.
type rig struct {
	t      *testing.T
	scene  *scene.Scene
	logins *login.Logins
	url    string
	tls    *httptest.Server
}

// newRig starts a server. change is told its address.
func newRig(t *testing.T, change func(c *login.Config, address string)) *rig {
	t.Helper()
	s := scene.New(t)
	sealer, err := core.NewSealer(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	config := login.Config{Service: s.Service, Sealer: sealer, Now: s.Now, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&config, server.URL)
	}
	logins, err := login.New(config)
	if err != nil {
		t.Fatal(err)
	}
	env := s.Env()
	env.Login = logins.Prove
	for _, pattern := range login.Patterns() {
		mux.Handle(pattern, logins.Handler())
	}
	pages, err := console.New(console.Config{
		Service: s.Service, Login: logins, Status: func() console.Status { return console.Status{} }, Now: s.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/console/", pages)
	mux.Handle("/", &api.Server{Dialects: []api.Dialect{native.New(env)}, Now: s.Now, Log: slog.New(slog.DiscardHandler), Audit: s.Service.Audit})
	return &rig{t: t, scene: s, logins: logins, url: server.URL, tls: server}
}

// browser keeps cookies, and follows redirections like one.
type browser struct {
	*http.Client
	rig *rig
}

func (r *rig) browser() *browser {
	r.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	client := *r.tls.Client()
	client.Jar = jar
	return &browser{Client: &client, rig: r}
}

// get returns the answer's status, where the browser ended up, and the page.
func (b *browser) get(address string) (int, *url.URL, string) {
	b.rig.t.Helper()
	return b.do(http.MethodGet, address, nil, nil)
}

func (b *browser) post(address string, form url.Values) (int, *url.URL, string) {
	b.rig.t.Helper()
	return b.do(http.MethodPost, address, form, http.Header{"Sec-Fetch-Site": {"same-origin"}})
}

func (b *browser) do(method, address string, form url.Values, header http.Header) (int, *url.URL, string) {
	t := b.rig.t
	t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.rig.url + address
	}
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := b.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Request.URL, string(text)
}

func (b *browser) signIn(next string) {
	b.rig.t.Helper()
	if _, at, page := b.post(login.Page, url.Values{"key": {scene.Key}, "secret": {scene.Secret}, "next": {next}}); at.Path == login.Page {
		b.rig.t.Fatalf("%s %s", at, page)
	}
}

// api calls the native API with the browser's cookie alone.
func (b *browser) api(method, path, body string, header http.Header) (int, map[string]any) {
	t := b.rig.t
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.rig.url+"/api/v1/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := b.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

// TestSignIn goes from a page of the console to the login page, back, to the API and out again.
func TestSignIn(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	b := r.browser()
	_, at, _ := b.get("/console/runs?state=failed")
	if at.Path != login.Page || at.Query().Get("next") != "/console/runs?state=failed" || at.Query().Has("error") {
		t.Fatalf("asked at %s", at)
	}
	_, at, page := b.post(login.Page, url.Values{"key": {scene.Key}, "secret": {scene.Secret}, "next": {at.Query().Get("next")}})
	if at.RequestURI() != "/console/runs?state=failed" {
		t.Errorf("ended at %s: %s", at, page)
	}
	u, _ := url.Parse(r.url)
	cookies := b.Jar.Cookies(u)
	if len(cookies) != 1 || cookies[0].Name != "__Host-errand" {
		t.Fatalf("cookies %v", cookies)
	}
	code, me := b.api(http.MethodGet, "whoami", "", nil)
	if code != http.StatusOK || me["user"] != "root" || me["root"] != true || me["kind"] != "login" || me["idle_seconds"] != 7200.0 ||
		me["expires_at"] != r.scene.Now().Add(12*time.Hour).UTC().Format(time.RFC3339Nano) {
		t.Errorf("%d %v", code, me)
	}
	// The token of the cookie is a bearer token of this API, and of no other.
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/api/v1/whoami", nil)
	req.Header.Set("Authorization", "Bearer "+cookies[0].Value)
	resp, err := r.tls.Client().Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%v %v", resp, err)
	}
	_ = resp.Body.Close()

	_, at, _ = b.post(signOut, url.Values{})
	if at.Path != login.Page {
		t.Errorf("out at %s", at)
	}
	// A copy of the cookie is worth nothing.
	b.Jar.SetCookies(u, cookies)
	if code, answer := b.api(http.MethodGet, "whoami", "", nil); code != http.StatusUnauthorized || !strings.Contains(answer["detail"].(string), "sign in again") {
		t.Errorf("%d %v", code, answer)
	}
	if _, at, page = b.get("/console/runs"); at.RequestURI() != "/console/login?error=expired&next=%2Fconsole%2Fruns" || !strings.Contains(page, "Your login has ended") {
		t.Errorf("%s: %s", at, page)
	}

	if err := r.scene.Service.FlushAudit(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, _, err := r.scene.Service.AuditRecords(t.Context(), r.scene.Caller, core.AuditFilter{}, core.PageSpec{Limit: 10})
	if err != nil || len(rows) != 2 || rows[0].Action != "sign out" || rows[1].Action != "sign in" || rows[1].Resources[0] != "key/"+rows[1].KeyID {
		t.Errorf("audit %+v %v", rows, err)
	}
}

// TestSignInRefusals looks at what somebody learns who has no good key: nothing.
func TestSignInRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ctx, s := t.Context(), r.scene
	issue := func(spec core.KeySpec) core.IssuedKey {
		spec.Kind = core.KeyLong
		k, err := s.Service.IssueKey(ctx, s.Caller, spec)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	disabled := issue(core.KeySpec{})
	yes := true
	if _, err := s.Service.ChangeKey(ctx, s.Caller, disabled.ID, core.KeyChange{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	expired := issue(core.KeySpec{Lifetime: time.Hour})
	s.Advance(time.Hour)
	elsewhere := issue(core.KeySpec{Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	other := issue(core.KeySpec{Dialects: []string{"ecs"}})
	temporary, err := s.Service.IssueToken(ctx, s.Caller, core.TokenSpec{Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	bearer, err := s.Service.CreateBearer(ctx, scene.Account, "root")
	if err != nil {
		t.Fatal(err)
	}
	id, _, _ := strings.Cut(bearer, ".")
	said := ""
	for name, pair := range map[string][2]string{
		"nothing": {"", ""}, "no secret": {scene.Key, ""}, "wrong secret": {scene.Key, "wrong"}, "unknown": {"ekunknown", scene.Secret},
		"disabled": {disabled.ID, disabled.Secret}, "expired": {expired.ID, expired.Secret}, "another network": {elsewhere.ID, elsewhere.Secret},
		"another API": {other.ID, other.Secret}, "temporary": {temporary.ID, temporary.Secret}, "bearer": {id, bearer}, "bearer without secret": {id, ""},
		"long": {strings.Repeat("x", 5000), strings.Repeat("y", 5000)},
	} {
		b := r.browser()
		code, at, page := b.post(login.Page, url.Values{"key": {pair[0]}, "secret": {pair[1]}, "next": {"/console/x"}})
		if code != http.StatusUnauthorized || at.Path != login.Page {
			t.Errorf("%s: %d %s", name, code, at)
		}
		_, page, _ = strings.Cut(page, "flash bad")
		page, _, _ = strings.Cut(page, "</p>")
		if said == "" {
			said = page
		}
		if page != said || page == "" {
			t.Errorf("%s: another answer: %s", name, page)
		}
		if u, _ := url.Parse(r.url); len(b.Jar.Cookies(u)) != 0 {
			t.Errorf("%s: has a cookie", name)
		}
	}
}

// TestLoginEnds goes through the ways in which a login ends.
func TestLoginEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *login.Config, _ string) { c.Idle, c.Lifetime = time.Hour, 3*time.Hour })
	ctx, s := t.Context(), r.scene
	in := func(b *browser) bool {
		code, _ := b.api(http.MethodGet, "whoami", "", nil)
		return code == http.StatusOK
	}
	flush := func() {
		if err := s.Service.FlushUsed(ctx); err != nil {
			t.Fatal(err)
		}
	}

	b := r.browser()
	b.signIn("")
	for range 3 { // use keeps it alive, whether that was written down or not
		s.Advance(50 * time.Minute)
		if !in(b) {
			t.Fatal("ended although it was used")
		}
		flush()
	}
	s.Advance(30 * time.Minute)
	if in(b) {
		t.Error("outlived its time")
	}

	b.signIn("")
	s.Advance(time.Hour)
	if in(b) {
		t.Error("outlived an hour without use")
	}

	k, err := s.Service.IssueKey(ctx, s.Caller, core.KeySpec{Kind: core.KeyLong})
	if err != nil {
		t.Fatal(err)
	}
	if _, at, _ := b.post(login.Page, url.Values{"key": {k.ID}, "secret": {k.Secret}}); at.RequestURI() != "/console/" || !in(b) {
		t.Fatal(at)
	}
	if err := s.Service.DeleteKey(ctx, s.Caller, k.ID); err != nil {
		t.Fatal(err)
	}
	if in(b) {
		t.Error("outlived its key")
	}
}

// TestOtherSites has other sites use the browser of somebody who is signed in.
func TestOtherSites(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	b := r.browser()
	b.signIn("")
	const body = `{"name":"mallory"}`
	for _, tt := range []struct {
		name   string
		header http.Header
		want   int
	}{
		{"another site", http.Header{"Sec-Fetch-Site": {"cross-site"}}, http.StatusForbidden},
		{"a neighbour", http.Header{"Sec-Fetch-Site": {"same-site"}}, http.StatusForbidden},
		{"an old browser", http.Header{"Origin": {"https://evil.example"}}, http.StatusForbidden},
		{"the console", http.Header{"Sec-Fetch-Site": {"same-origin"}}, http.StatusOK},
	} {
		if code, answer := b.api(http.MethodPost, "users", body, tt.header); code != tt.want {
			t.Errorf("%s: %d %v", tt.name, code, answer)
		}
	}
	for _, path := range []string{login.Page, signOut} {
		code, _, _ := b.do(http.MethodPost, path, url.Values{"key": {scene.Key}, "secret": {scene.Secret}}, http.Header{"Sec-Fetch-Site": {"cross-site"}})
		if code != http.StatusForbidden {
			t.Errorf("%s: %d", path, code)
		}
	}
	if code, _ := b.api(http.MethodGet, "whoami", "", nil); code != http.StatusOK {
		t.Error("signed out by another site")
	}
}

// TestThrottle guesses until nobody listens any more.
func TestThrottle(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	try := func(from, key, secret string) core.Reason {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "https://errand.example"+login.Page, nil)
		req.RemoteAddr = from + ":1"
		err := r.logins.SignIn(httptest.NewRecorder(), req, key, secret)
		if err == nil {
			return 0
		}
		return core.AsError(err).Reason
	}
	for i := range 10 {
		if p := try("192.0.2.1", scene.Key, "wrong"); p != core.ReasonKeyUnknown {
			t.Fatalf("try %d: %d", i, p)
		}
	}
	if p := try("192.0.2.1", scene.Key, scene.Secret); p != core.ReasonThrottled {
		t.Errorf("the same network: %d", p)
	}
	if p := try("192.0.2.2", scene.Key, scene.Secret); p != 0 {
		t.Errorf("another network: %d", p)
	}
	for range 5 { // the key is tried from many networks
		try("198.51.100.1", scene.Key, "wrong")
		try("198.51.100.2", scene.Key, "wrong")
	}
	if p := try("203.0.113.9", scene.Key, scene.Secret); p != core.ReasonThrottled {
		t.Errorf("the same key: %d", p)
	}
	if p := try("203.0.113.9", "another", "wrong"); p != core.ReasonKeyUnknown {
		t.Errorf("another key: %d", p)
	}
	r.scene.Advance(time.Minute)
	if p := try("192.0.2.1", scene.Key, scene.Secret); p != 0 {
		t.Errorf("a minute later: %d", p)
	}
}

// TestInsecure keeps keys from travelling in clear.
func TestInsecure(t *testing.T) {
	t.Parallel()
	plain := newRig(t, nil)
	proxied := newRig(t, func(c *login.Config, _ string) { c.PublicURL = "https://errand.example" })
	for _, tt := range []struct {
		name   string
		rig    *rig
		from   string
		good   bool
		cookie string
	}{
		{"plain from elsewhere", plain, "192.0.2.1:1", false, ""},
		{"plain on this machine", plain, "127.0.0.1:1", true, "errand="},
		{"by a proxy", proxied, "192.0.2.1:1", true, "__Host-errand="},
	} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://errand.example"+login.Page, nil)
		req.RemoteAddr = tt.from
		w := httptest.NewRecorder()
		if err := tt.rig.logins.SignIn(w, req, scene.Key, scene.Secret); (err == nil) != tt.good {
			t.Errorf("%s: %v", tt.name, err)
		}
		cookie := w.Header().Get("Set-Cookie")
		if !strings.HasPrefix(cookie, tt.cookie) || cookie == "" != (tt.cookie == "") {
			t.Errorf("%s: %s", tt.name, cookie)
		}
		if cookie != "" && (!strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax") || strings.Contains(cookie, "Secure") != (tt.rig == proxied)) {
			t.Errorf("%s: %s", tt.name, cookie)
		}
	}
}
