// Package login signs people in with a browser: by an access key, or by an identity provider that speaks OpenID Connect. What the browser then
// carries is a cookie with the token of a login, a key of core that ends by itself; there are no sessions in memory, so any replica knows them
// and a restart ends none. The console and the native API ask this package who a request with a cookie comes from; pages are the console's.
package login

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"

	"errand/internal/api"
	"errand/internal/core"
)

// Config is what Logins are made of.
type Config struct {
	Service *core.Service
	Sealer  *core.Sealer // of what a browser carries to the identity provider and back; the same on all replicas
	Now     func() time.Time
	Log     *slog.Logger
	// PublicURL is how browsers reach the server, such as https://errand.example.com; empty: as each request came. With https it also says that
	// a proxy before the server speaks TLS.
	PublicURL string
	Idle      time.Duration // a login ends without a call for so long; zero is core.DefaultLoginIdle
	Lifetime  time.Duration // and after so long in any case; zero is core.DefaultLogin
	OIDC      *OIDC         // nil if there is no identity provider
}

// Page is the console's login page. It is told what went wrong as ?error= (see Problem) and where to go on to as ?next=, calls SignIn with
// what its form brings, and leads to StartPath if there is a Provider.
const (
	Page         = "/console/login"
	StartPath    = "/console/oidc/start"
	CallbackPath = "/console/oidc/callback"
	home         = "/console/"
)

// Logins signs people in and out. Its methods may be called from many goroutines.
type Logins struct {
	config   Config
	public   *url.URL // nil if not configured
	env      api.Env
	guesses  *throttle
	foreign  *http.CrossOriginProtection
	provider *provider // nil if there is none
}

// New makes Logins. An identity provider that does not answer is no error: it is asked again when somebody signs in.
func New(c Config) (*Logins, error) {
	if c.Idle == 0 {
		c.Idle = core.DefaultLoginIdle
	}
	if c.Lifetime == 0 {
		c.Lifetime = core.DefaultLogin
	}
	l := &Logins{
		config: c, env: api.Env{Service: c.Service, Now: c.Now}, guesses: newThrottle(), foreign: http.NewCrossOriginProtection(),
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			return nil, errors.New("the public URL has to be https://HOST[:PORT]")
		}
		l.public = &url.URL{Scheme: u.Scheme, Host: u.Host}
		if err := l.foreign.AddTrustedOrigin(l.public.String()); err != nil {
			return nil, err
		}
	}
	if c.OIDC != nil {
		p, err := newProvider(c.OIDC)
		if err != nil {
			return nil, err
		}
		l.provider = p
	}
	return l, nil
}

// Patterns are those under which Handler is mounted.
func Patterns() []string {
	return []string{"GET " + StartPath, "GET " + CallbackPath}
}

// Handler serves the ways to the identity provider and back.
func (l *Logins) Handler() http.Handler {
	mux := http.NewServeMux()
	for i, serve := range []http.HandlerFunc{l.start, l.callback} {
		mux.HandleFunc(Patterns()[i], serve)
	}
	return mux
}

// Provider is what the identity provider is called, and the address that leads there; empty if there is none.
func (l *Logins) Provider() (name, address string) {
	if l.provider == nil {
		return "", ""
	}
	return l.provider.config.Name, StartPath
}

// Caller is who sends a request, as its cookie says, ready to call core. ok is false without a cookie, with one whose login has ended, and for
// a request that changes something and comes from another site.
func (l *Logins) Caller(r *http.Request) (c core.Caller, ok bool) {
	c, err := l.Prove(r)
	if err != nil {
		return core.Caller{}, false
	}
	c.RequestID, c.Source, c.Secure, c.Time = api.NewRequestID(), peer(r), l.secure(r), l.config.Now().UTC()
	c.UserAgent, c.Dialect, c.Trail = r.UserAgent(), string(core.OriginNative), new(core.Trail)
	if c.CheckKey() != nil {
		return core.Caller{}, false
	}
	return c, true
}

// Prove is Caller for those who fill in themselves how a call came. Besides api.ErrNoLogin, its errors are core's.
func (l *Logins) Prove(r *http.Request) (core.Caller, error) {
	cookie, err := r.Cookie(l.cookieName(r))
	if err != nil || cookie.Value == "" {
		return core.Caller{}, api.ErrNoLogin
	}
	if err := l.foreign.Check(r); err != nil {
		return core.Caller{}, &core.Error{
			Code: core.CodeDenied, Reason: core.ReasonDenied, Detail: "the request comes from another site; browsers change something here only from the console",
		}
	}
	ended := &core.Error{Code: core.CodeUnauthenticated, Reason: core.ReasonLoginEnded, Detail: "the login has ended: sign in again"}
	key, err := l.config.Service.Bearer(r.Context(), cookie.Value)
	if err == nil && key.Kind != core.KeyLogin {
		err = ended
	}
	var c core.Caller
	if err == nil {
		c, err = l.config.Service.Caller(r.Context(), key)
	}
	if err != nil && core.AsError(err).Code != core.CodeInternal {
		err = ended // whatever it is, nobody has to know more
	}
	return c, err
}

// welcome gives the browser its cookie.
func (l *Logins) welcome(w http.ResponseWriter, r *http.Request, k *core.IssuedKey, how string) {
	http.SetCookie(w, l.cookie(r, l.cookieName(r), k.Token, "/", k.ExpiresAt.Sub(l.config.Now())))
	l.record(r, &k.AccessKey, signInAction)
	l.config.Log.InfoContext(r.Context(), "signed in", "account", k.Account.String(), "principal", k.Principal, "key", k.ID, "by", how, "source", peer(r))
}

// cookie makes a cookie that scripts cannot read, that other sites cannot send along with a form, and that goes back to this server alone.
func (l *Logins) cookie(r *http.Request, name, value, path string, age time.Duration) *http.Cookie {
	c := &http.Cookie{ //nolint:gosec // Secure wherever there is TLS
		Name: name, Value: value, Path: path, HttpOnly: true, Secure: l.secure(r), SameSite: http.SameSiteLaxMode, MaxAge: int(age / time.Second),
	}
	if value == "" || c.MaxAge <= 0 {
		c.MaxAge = -1
	}
	return c
}

// cookieName has the prefix by which browsers keep other hosts of the domain from setting it, where that is possible.
func (l *Logins) cookieName(r *http.Request) string {
	if l.secure(r) {
		return "__Host-errand"
	}
	return "errand"
}

// secure reports whether the browser speaks TLS, to this server or to a proxy before it.
func (l *Logins) secure(r *http.Request) bool {
	return r.TLS != nil || l.public != nil && l.public.Scheme == "https"
}

// safe reports whether secrets may come along this way.
func (l *Logins) safe(r *http.Request) bool { return l.secure(r) || peer(r).IsLoopback() }

// record leaves an audit record of a sign-in or sign-out.
func (l *Logins) record(r *http.Request, k *core.AccessKey, action string) {
	l.config.Service.Audit(context.WithoutCancel(r.Context()), core.AuditRecord{
		Account: k.Account, At: l.config.Now().UTC(), Principal: k.Principal, KeyID: k.ID, Dialect: string(core.OriginNative), Action: action,
		RequestID: api.NewRequestID(), Source: peer(r).String(), UserAgent: clip(r.UserAgent()), Resources: []string{"key/" + k.ID},
	})
}

// maxUserAgent is how much of what a browser calls itself is kept, in bytes.
const maxUserAgent = 200

func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxUserAgent)], "") }

// printable is what a browser calls itself, as the description of its login.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, clip(s))
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func peer(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr, _ := netip.ParseAddr(host)
	return addr.Unmap()
}
