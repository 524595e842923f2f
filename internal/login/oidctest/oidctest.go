// Package oidctest runs an identity provider in the test's process: the certified one of github.com/zitadel/oidc, with people and clients in
// memory and a login page of two fields. It speaks the real wire on a loopback port of its own, and can be taken off the network.
package oidctest

import (
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
	"golang.org/x/text/language"
)

// ClientID and Secret are the client that is registered; PublicID is one without a secret.
const (
	ClientID = "errand"
	Secret   = "the secret of the client"
	PublicID = "errand-public"
)

// Password is everybody's.
const Password = "open sesame"

// Person is somebody the provider knows.
type Person struct {
	Name       string // preferred_username
	Email      string
	Unverified bool // nobody knows whether Email is theirs
}

// Provider is a running identity provider.
type Provider struct {
	Issuer string
	down   atomic.Bool
	tokens atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
}

// Start starts a provider which sends people back to one of the redirect addresses.
func Start(tb testing.TB, redirects []string, people ...Person) *Provider {
	tb.Helper()
	p := &Provider{}
	mux := http.NewServeMux()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.down.Load() {
			panic(http.ErrAbortHandler) // closes the connection
		}
		if fn := p.tokens.Load(); fn != nil && r.URL.Path == "/oauth/token" && (*fn)(w, r) {
			return
		}
		mux.ServeHTTP(w, r)
	}))
	tb.Cleanup(server.Close)
	p.Issuer = server.URL

	known := directory{}
	for i, person := range people {
		id := fmt.Sprintf("id%d", i)
		known[id] = &storage.User{
			ID: id, Username: person.Name, Password: Password, Email: person.Email, EmailVerified: !person.Unverified, PreferredLanguage: language.English,
		}
	}
	keep := storage.NewStorageWithClients(known, map[string]*storage.Client{
		ClientID: storage.WebClient(ClientID, Secret, redirects...), PublicID: storage.NativeClient(PublicID, redirects...),
	})
	provider, err := op.NewProvider(&op.Config{CodeMethodS256: true, AuthMethodPost: true}, keep, op.StaticIssuer(p.Issuer),
		op.WithAllowInsecure(), op.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		tb.Fatal(err)
	}
	back := op.AuthCallbackURL(provider)
	issuer := op.NewIssuerInterceptor(provider.IssuerFromRequest)
	mux.Handle("/", provider)
	mux.HandleFunc("GET /login/username", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `<!doctype html><title>Identity provider</title><form method="post" action="/login/username">
<input type="hidden" name="id" value="%s"><input name="username"><input name="password" type="password"><button>Sign in</button></form>`,
			html.EscapeString(r.FormValue("authRequestID")))
	})
	mux.Handle("POST /login/username", issuer.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := keep.CheckUsernamePassword(r.FormValue("username"), r.FormValue("password"), r.FormValue("id")); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		http.Redirect(w, r, back(r.Context(), r.FormValue("id")), http.StatusFound)
	}))
	return p
}

// Down takes the provider off the network, or brings it back.
func (p *Provider) Down(yes bool) { p.down.Store(yes) }

// Tokens has fn see the requests for tokens before the provider does; if it returns true, it has answered.
func (p *Provider) Tokens(fn func(http.ResponseWriter, *http.Request) bool) { p.tokens.Store(&fn) }

// RequestID is the hidden field of the login page.
func RequestID(page string) string {
	_, rest, _ := strings.Cut(page, `name="id" value="`)
	id, _, _ := strings.Cut(rest, `"`)
	return html.UnescapeString(id)
}

// directory implements storage.UserStore.
type directory map[string]*storage.User

func (d directory) GetUserByID(id string) *storage.User { return d[id] }

func (d directory) GetUserByUsername(name string) *storage.User {
	for _, u := range d {
		if u.Username == name {
			return u
		}
	}
	return nil
}

func (directory) ExampleClientID() string { return storage.ServiceUserID }
