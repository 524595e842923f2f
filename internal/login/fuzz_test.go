package login

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"errand/internal/api/scene"
	"errand/internal/core"
)

// FuzzNext looks for a place that leads away from the console.
func FuzzNext(f *testing.F) {
	for _, next := range []string{
		"/console/runs?state=failed", "/console/", "//evil.example", "/console/..//evil.example", `/console/\evil`, "https://evil.example/console/",
		"/console/%2f%2fevil.example", "/console//evil.example", "javascript:alert(1)", "/console/login?next=/console/login", "/console/%0d%0aSet-Cookie:x",
		"/console/a/../../api/v1/keys", "/console/%2e%2e/metrics",
	} {
		f.Add(next)
	}
	base, err := url.Parse("https://errand.example/console/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, next string) {
		got := place(next)
		u, err := base.Parse(got)
		if err != nil || u.Host != base.Host || u.Scheme != base.Scheme || !strings.HasPrefix(u.Path, home) || strings.ContainsAny(got, "\r\n\\") {
			t.Errorf("%q leads to %q", next, got)
		}
		if place(got) != got {
			t.Errorf("%q leads to %q and then to %q", next, got, place(got))
		}
	})
}

func fuzzed(f *testing.F) *Logins {
	s := scene.New(f)
	sealer, err := core.NewSealer(make([]byte, 32))
	if err != nil {
		f.Fatal(err)
	}
	l, err := New(Config{
		Service: s.Service, Sealer: sealer, Now: s.Now, Log: slog.New(slog.DiscardHandler),
		OIDC: &OIDC{Issuer: "http://127.0.0.1:1", ClientID: "errand", Account: scene.Account, Client: &http.Client{Transport: nobody{}}},
	})
	if err != nil {
		f.Fatal(err)
	}
	return l
}

// nobody is a network without an identity provider.
type nobody struct{}

func (nobody) RoundTrip(*http.Request) (*http.Response, error) { return nil, http.ErrServerClosed }

// FuzzCookie offers cookies that nobody was given.
func FuzzCookie(f *testing.F) {
	l := fuzzed(f)
	issued, err := l.config.Service.Login(f.Context(), core.Caller{
		Account: scene.Account, Principal: core.RootUser, Root: true, KeyID: scene.Key, KeyKind: core.KeyLong,
	}, core.LoginSpec{Lifetime: time.Hour})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("errand=" + issued.Token)
	f.Add("errand=" + issued.ID + ".")
	f.Add("errand=" + issued.ID + "." + strings.Repeat("a", 40))
	f.Add("errand=; errand=x.y")
	f.Fuzz(func(t *testing.T, cookies string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/console/", nil)
		r.Header["Cookie"] = []string{cookies}
		c, ok := l.Caller(r)
		if real, err := r.Cookie("errand"); ok != (err == nil && real.Value == issued.Token) || ok && c.Principal != core.RootUser {
			t.Errorf("%q: %v %+v", cookies, ok, c)
		}
	})
}

// FuzzCallback brings the callback answers that no identity provider sent, with and without the cookie of somebody who is under way.
func FuzzCallback(f *testing.F) {
	l := fuzzed(f)
	at := flow{State: randomText(), Nonce: randomText(), Verifier: randomText(), Next: "/console/nodes", Redirect: "http://127.0.0.1" + CallbackPath, At: l.config.Now()}
	w := httptest.NewRecorder()
	if err := l.setFlow(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1/", nil), &at); err != nil {
		f.Fatal(err)
	}
	cookie, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
	f.Add("state="+at.State+"&code=x", cookie)
	f.Add("state="+at.State+"&error=x", cookie)
	f.Add("state="+at.State+"&iss=x", cookie)
	f.Add("state="+at.State[:8]+strings.Repeat("A", 35)+"&code=x", cookie)
	f.Add("state=%00%ff&code=x", "errand-flow-x=x")
	f.Add("state="+strings.Repeat("=;", 21)+"=", cookie[:30])
	f.Fuzz(func(t *testing.T, query, cookies string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1"+CallbackPath, nil)
		r.URL.RawQuery, r.Header["Cookie"] = query, []string{cookies}
		w := httptest.NewRecorder()
		l.callback(w, r)
		to, err := url.Parse(w.Header().Get("Location"))
		if w.Code != http.StatusSeeOther || err != nil || to.Path != Page || to.Host != "" || to.Query().Get("error") == "" {
			t.Errorf("%d %s %v", w.Code, to, err)
		}
		for _, c := range w.Result().Cookies() {
			if c.Value != "" {
				t.Errorf("gives a cookie: %v", c)
			}
		}
	})
}
