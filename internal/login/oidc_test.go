package login_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"errand/internal/api/scene"
	"errand/internal/core"
	"errand/internal/login"
	"errand/internal/login/oidctest"
)

var people = []oidctest.Person{
	{Name: "ann", Email: "ann@example.com"},
	{Name: "bob", Email: "bob@example.com", Unverified: true},
	{Name: "root", Email: "root@example.com"},
	{Name: "not a name!", Email: "x@example.com"},
}

// provided is a rig with an identity provider.
func provided(t *testing.T, change func(*login.OIDC)) (*rig, *oidctest.Provider) {
	t.Helper()
	var p *oidctest.Provider
	r := newRig(t, func(c *login.Config, address string) {
		p = oidctest.Start(t, []string{address + login.CallbackPath}, people...)
		c.OIDC = &login.OIDC{
			Issuer: p.Issuer, ClientID: oidctest.ClientID, ClientSecret: oidctest.Secret, Account: scene.Account, Name: "Example",
		}
		if change != nil {
			change(c.OIDC)
		}
	})
	r.scene.At(time.Now()) // the provider has its own clock
	return r, p
}

func (r *rig) user(name, policy string) {
	r.t.Helper()
	s := r.scene
	if _, err := s.Service.CreateUser(r.t.Context(), s.Caller, name, core.UserPerson, ""); err != nil {
		r.t.Fatal(err)
	}
	if policy == "" {
		return
	}
	if err := s.Service.AttachPolicy(r.t.Context(), s.Caller, name, policy); err != nil {
		r.t.Fatal(err)
	}
}

// begin goes to the identity provider and returns its page.
func (b *browser) begin(next string) (*url.URL, string) {
	b.rig.t.Helper()
	_, at, page := b.get(login.StartPath + "?next=" + url.QueryEscape(next))
	return at, page
}

// vouch fills in the provider's form and comes back.
func (b *browser) vouch(p *oidctest.Provider, page, name string) (int, *url.URL, string) {
	b.rig.t.Helper()
	return b.post(p.Issuer+"/login/username", url.Values{"id": {oidctest.RequestID(page)}, "username": {name}, "password": {oidctest.Password}})
}

// TestProvider signs a user in by the identity provider, who says everything in the ID token or only when asked, with a secret or without.
func TestProvider(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*login.OIDC){
		"with a secret":  nil,
		"public":         func(c *login.OIDC) { c.ClientID, c.ClientSecret = oidctest.PublicID, "" },
		"by the subject": func(c *login.OIDC) { c.Claim = "sub" },
		"by mail":        func(c *login.OIDC) { c.Claim = "email" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, p := provided(t, change)
			user := map[string]string{"by the subject": "id0", "by mail": "ann@example.com"}[name]
			if user == "" {
				user = "ann"
			}
			r.user(user, "ReadOnlyAccess")
			b := r.browser()
			_, at, page := b.get("/console/runs?state=failed")
			if at.Path != login.Page || !strings.Contains(page, "Sign in with Example") {
				t.Fatalf("%s: %s", at, page)
			}
			at, page = b.begin("/console/runs?state=failed")
			if at.Host != strings.TrimPrefix(p.Issuer, "http://") {
				t.Fatalf("went to %s", at)
			}
			code, at, page := b.vouch(p, page, "ann")
			if code != http.StatusOK || at.RequestURI() != "/console/runs?state=failed" {
				t.Fatalf("%d %s %s", code, at, page)
			}
			code, me := b.api(http.MethodGet, "whoami", "", nil)
			if code != http.StatusOK || me["user"] != user || me["root"] != false || fmt.Sprint(me["policies"]) != "[ReadOnlyAccess]" {
				t.Errorf("%d %v", code, me)
			}
			if code, _ := b.api(http.MethodPost, "users", `{"name":"x"}`, nil); code != http.StatusForbidden {
				t.Errorf("may do too much: %d", code)
			}
			u, _ := url.Parse(r.url)
			if cookies := b.Jar.Cookies(u); len(cookies) != 1 {
				t.Errorf("what was carried to the provider and back is still there: %v", cookies)
			}
			// Whoever is disabled is out at once, and cannot come back.
			yes := true
			if _, err := r.scene.Service.ChangeUser(t.Context(), r.scene.Caller, user, core.UserChange{Disabled: &yes}); err != nil {
				t.Fatal(err)
			}
			if code, _ := b.api(http.MethodGet, "whoami", "", nil); code != http.StatusUnauthorized {
				t.Errorf("disabled, and still in: %d", code)
			}
			_, page = b.begin("")
			if _, at, _ := b.vouch(p, page, "ann"); at.Query().Get("error") != string(login.NoUser) {
				t.Errorf("disabled, and in again: %s", at)
			}
		})
	}
}

// TestProviderRefusals has the identity provider vouch for those who are no users here.
func TestProviderRefusals(t *testing.T) {
	t.Parallel()
	r, p := provided(t, nil)
	if _, err := r.scene.Service.CreateUser(t.Context(), r.scene.Caller, "bob", core.UserRole, ""); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ann", "bob", "root", "not a name!"} { // unknown, a role, root, impossible
		b := r.browser()
		_, page := b.begin("/console/nodes")
		_, at, page := b.vouch(p, page, name)
		if at.RequestURI() != "/console/login?error=no-user&next=%2Fconsole%2Fnodes" || !strings.Contains(page, "no such user here") {
			t.Errorf("%s: %s %s", name, at, page)
		}
	}
	mail, q := provided(t, func(c *login.OIDC) { c.Claim = "email" })
	mail.user("bob@example.com", "")
	b := mail.browser()
	_, page := b.begin("")
	if _, at, _ := b.vouch(q, page, "bob"); at.Query().Get("error") != string(login.NoUser) {
		t.Errorf("an address that was not verified: %s", at)
	}
}

// TestProviderMakesUsers signs in people whom nobody has made users yet.
func TestProviderMakesUsers(t *testing.T) {
	t.Parallel()
	r, p := provided(t, func(c *login.OIDC) { c.CreateUsers, c.Policy = true, "ReadOnlyAccess" })
	for range 2 { // the second time they exist
		b := r.browser()
		_, page := b.begin("")
		if _, at, page := b.vouch(p, page, "ann"); at.Path != "/console/" {
			t.Fatalf("%s %s", at, page)
		}
	}
	users, err := r.scene.Service.Users(t.Context(), r.scene.Caller)
	if err != nil || len(users) != 1 || users[0].Name != "ann" || users[0].Kind != core.UserPerson {
		t.Errorf("%+v %v", users, err)
	}
	policies, err := r.scene.Service.AttachedPolicies(t.Context(), r.scene.Caller, "ann")
	if err != nil || fmt.Sprint(policies) != "[ReadOnlyAccess]" {
		t.Errorf("%v %v", policies, err)
	}
	b := r.browser()
	_, page := b.begin("")
	if _, at, _ := b.vouch(p, page, "root"); at.Query().Get("error") != string(login.NoUser) {
		t.Errorf("root: %s", at)
	}
}

// TestProviderDown signs in while the identity provider does not answer: a key still works, and when the provider is back, so does it.
func TestProviderDown(t *testing.T) {
	t.Parallel()
	r, p := provided(t, nil)
	r.user("ann", "")
	p.Down(true)
	b := r.browser()
	at, page := b.begin("/console/nodes")
	if at.RequestURI() != "/console/login?error=provider-down&next=%2Fconsole%2Fnodes" || !strings.Contains(page, "sign in with an access key") {
		t.Fatalf("%s %s", at, page)
	}
	b.signIn("")

	p.Down(false)
	r.scene.Advance(2 * time.Second)
	b = r.browser()
	_, page = b.begin("")
	if _, at, _ := b.vouch(p, page, "ann"); at.Path != "/console/" {
		t.Fatalf("back again: %s", at)
	}

	// It goes away between its page and the exchange of the code.
	b = r.browser()
	_, page = b.begin("")
	b.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(req.URL.Path, login.CallbackPath) {
			p.Down(true)
		}
		return nil
	}
	if _, at, _ := b.vouch(p, page, "ann"); at.Query().Get("error") != string(login.ProviderDown) {
		t.Errorf("gone meanwhile: %s", at)
	}
}

// TestForgedAnswers brings the callback what the identity provider never sent, or sent to another browser.
func TestForgedAnswers(t *testing.T) {
	t.Parallel()
	r, p := provided(t, nil)
	r.user("ann", "")
	// answer goes through the provider and returns where it sends the browser, without going there.
	answer := func(b *browser) *url.URL {
		t.Helper()
		_, page := b.begin("/console/nodes")
		var to *url.URL
		b.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(req.URL.Path, login.CallbackPath) {
				to = req.URL
				return http.ErrUseLastResponse
			}
			return nil
		}
		b.vouch(p, page, "ann")
		b.CheckRedirect = nil
		if to == nil {
			t.Fatal("nobody was sent back")
		}
		return to
	}
	with := func(u *url.URL, change func(url.Values)) string {
		q := u.Query()
		change(q)
		return login.CallbackPath + "?" + q.Encode()
	}
	for _, tt := range []struct {
		name string
		run  func(b *browser) (*url.URL, string)
		want login.Problem
	}{
		{"in another browser", func(b *browser) (*url.URL, string) {
			_, at, page := r.browser().get(answer(b).String())
			return at, page
		}, login.Stale},
		{"twice", func(b *browser) (*url.URL, string) {
			u := answer(b)
			if _, at, _ := b.get(u.String()); at.Path != "/console/nodes" {
				t.Errorf("the first time: %s", at)
			}
			b.post(signOut, url.Values{})
			_, at, page := b.get(u.String())
			return at, page
		}, login.Stale},
		{"without a state", func(b *browser) (*url.URL, string) {
			_, at, page := b.get(with(answer(b), func(q url.Values) { q.Del("state") }))
			return at, page
		}, login.Stale},
		{"with another state", func(b *browser) (*url.URL, string) {
			_, at, page := b.get(with(answer(b), func(q url.Values) { s := q.Get("state"); q.Set("state", s[:8]+strings.Repeat("A", len(s)-8)) }))
			return at, page
		}, login.Stale},
		{"with another code", func(b *browser) (*url.URL, string) {
			_, at, page := b.get(with(answer(b), func(q url.Values) { q.Set("code", "nonsense") }))
			return at, page
		}, login.Refused},
		{"with the code of another sign-in", func(b *browser) (*url.URL, string) { // PKCE
			code := answer(r.browser()).Query().Get("code")
			_, at, page := b.get(with(answer(b), func(q url.Values) { q.Set("code", code) }))
			return at, page
		}, login.Refused},
		{"of another issuer", func(b *browser) (*url.URL, string) {
			_, at, page := b.get(with(answer(b), func(q url.Values) { q.Set("iss", "https://evil.example") }))
			return at, page
		}, login.Refused},
		{"with an error", func(b *browser) (*url.URL, string) {
			_, at, page := b.get(with(answer(b), func(q url.Values) { q.Set("error", "access_denied\n"); q.Set("error_description", "<script>") }))
			return at, page
		}, login.Refused},
		{"too late", func(b *browser) (*url.URL, string) {
			u := answer(b)
			r.scene.Advance(11 * time.Minute)
			_, at, page := b.get(u.String())
			r.scene.Advance(-11 * time.Minute)
			return at, page
		}, login.Stale},
	} {
		b := r.browser()
		at, page := tt.run(b)
		if at.Path != login.Page || at.Query().Get("error") != string(tt.want) || strings.Contains(page, "<script>") {
			t.Errorf("%s: %s", tt.name, at)
		}
	}
}

// TestNonce replays the ID token of one sign-in in another.
func TestNonce(t *testing.T) {
	t.Parallel()
	r, p := provided(t, nil)
	r.user("ann", "")
	var first atomic.Pointer[[]byte]
	p.Tokens(func(w http.ResponseWriter, _ *http.Request) bool {
		if text := first.Load(); text != nil {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(*text)
			return true
		}
		return false
	})
	// The token endpoint's answer to the first sign-in is recorded on its way.
	inner := http.DefaultTransport
	recorded := &http.Client{Transport: recorder{inner, &first}}
	second, q := provided(t, func(c *login.OIDC) { c.Client = recorded })
	second.user("ann", "")
	b := second.browser()
	_, page := b.begin("")
	if _, at, _ := b.vouch(q, page, "ann"); at.Path != "/console/" {
		t.Fatal(at)
	}
	b = second.browser()
	_, page = b.begin("")
	q.Tokens(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(*first.Load())
		return true
	})
	if _, at, _ := b.vouch(q, page, "ann"); at.Query().Get("error") != string(login.Refused) {
		t.Errorf("the same issuer: %s", at)
	}
	b = r.browser()
	_, page = b.begin("")
	if _, at, _ := b.vouch(p, page, "ann"); at.Query().Get("error") != string(login.Refused) {
		t.Errorf("another issuer: %s", at)
	}
}

// recorder keeps the first answer that holds an ID token.
type recorder struct {
	http.RoundTripper
	kept *atomic.Pointer[[]byte]
}

func (r recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.RoundTripper.RoundTrip(req)
	if err != nil || req.URL.Path != "/oauth/token" {
		return resp, err
	}
	w := httptest.NewRecorder()
	if err := resp.Write(w); err != nil {
		return nil, err
	}
	_, body, _ := strings.Cut(w.Body.String(), "\r\n\r\n")
	text := []byte(body)
	r.kept.CompareAndSwap(nil, &text)
	fresh := httptest.NewRecorder()
	fresh.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
	fresh.WriteHeader(resp.StatusCode)
	_, _ = fresh.Write(text)
	return fresh.Result(), nil
}

// TestProviderConfig refuses what cannot be an identity provider.
func TestProviderConfig(t *testing.T) {
	t.Parallel()
	good := login.OIDC{Issuer: "https://login.example.com/realm", ClientID: "errand", Account: scene.Account}
	for name, tt := range map[string]struct {
		change func(*login.OIDC)
		good   bool
	}{
		"good":       {func(*login.OIDC) {}, true},
		"local":      {func(c *login.OIDC) { c.Issuer = "http://127.0.0.1:5556/dex" }, true},
		"in clear":   {func(c *login.OIDC) { c.Issuer = "http://login.example.com" }, false},
		"no address": {func(c *login.OIDC) { c.Issuer = "login.example.com" }, false},
		"no client":  {func(c *login.OIDC) { c.ClientID = "" }, false},
		"no account": {func(c *login.OIDC) { c.Account = 0 }, false},
	} {
		c := good
		tt.change(&c)
		if _, err := login.New(login.Config{OIDC: &c}); (err == nil) != tt.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	for address, good := range map[string]bool{
		"": true, "https://errand.example.com": true, "https://errand.example.com:8443/": true, "http://localhost:8470": true,
		"errand.example.com": false, "ftp://errand.example.com": false, "https://errand.example.com/path": false, "https://": false,
	} {
		if _, err := login.New(login.Config{PublicURL: address}); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
}
