package login

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"errand/internal/core"
)

// OIDC is an identity provider that speaks OpenID Connect, and whom of its people we know.
type OIDC struct {
	Issuer       string // https://login.example.com
	ClientID     string
	ClientSecret string         // empty for a public client
	Account      core.AccountID // whose users its people are
	Claim        string         // names the user; empty is preferred_username
	Scopes       []string       // asked for besides openid; none means profile and email
	Name         string         // what the login page calls it; empty is the issuer's host
	CreateUsers  bool           // who is not known becomes a user,
	Policy       string         // with this policy, unless it is empty
	Client       *http.Client   // how it is reached; nil is a client of our own
}

// defaultClaim is what most providers fill with a name that people know.
const defaultClaim = "preferred_username"

// providerTimeout bounds each call to the identity provider.
const providerTimeout = 10 * time.Second

// askAgain is how long a provider that did not answer is left alone.
const askAgain = time.Second

// provider is the identity provider, as far as it has been found out.
type provider struct {
	config OIDC

	mu     sync.Mutex
	found  *oidc.Provider // nil until it answered once
	failed time.Time      // when it was last asked in vain
}

func newProvider(c *OIDC) (*provider, error) {
	u, err := url.Parse(c.Issuer)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("the issuer of the identity provider has to be https://HOST[/PATH]")
	case u.Scheme == "http" && u.Hostname() != "localhost" && !isLoopback(u.Hostname()):
		return nil, errors.New("an identity provider that is not on this machine has to be reached by https")
	case c.ClientID == "":
		return nil, errors.New("an identity provider wants a client id")
	case c.Account <= 0:
		return nil, errors.New("the people of an identity provider belong to an account; none is given")
	}
	p := &provider{config: *c}
	p.config.Claim = cmp.Or(c.Claim, defaultClaim)
	p.config.Name = cmp.Or(c.Name, u.Host)
	if len(c.Scopes) == 0 {
		p.config.Scopes = []string{"profile", "email"}
	}
	if c.Client == nil {
		p.config.Client = &http.Client{Timeout: providerTimeout}
	}
	return p, nil
}

// context is one in which the libraries reach the provider our way.
func (p *provider) context(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, p.config.Client)
}

// discover asks the provider where its parts are, the first time that it is needed and until it has answered.
func (p *provider) discover(ctx context.Context, now time.Time) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch since := now.Sub(p.failed); {
	case p.found != nil:
		return p.found, nil
	case since >= 0 && since < askAgain: // so that those who wait for the lock do not wait in turn
		return nil, errors.New("identity provider: did not answer a moment ago")
	}
	ctx, cancel := context.WithTimeout(ctx, providerTimeout)
	defer cancel()
	found, err := oidc.NewProvider(p.context(ctx), p.config.Issuer)
	if err != nil {
		p.failed = now
		return nil, fmt.Errorf("identity provider: %w", err)
	}
	p.found = found
	return found, nil
}

func (p *provider) oauth(found *oidc.Provider, redirect string) *oauth2.Config {
	scopes := []string{oidc.ScopeOpenID}
	for _, s := range p.config.Scopes {
		if !slices.Contains(scopes, s) {
			scopes = append(scopes, s)
		}
	}
	return &oauth2.Config{
		ClientID: p.config.ClientID, ClientSecret: p.config.ClientSecret, Endpoint: found.Endpoint(), RedirectURL: redirect, Scopes: scopes,
	}
}

// redirect is where the provider sends people back to. It has to be registered there.
func (l *Logins) redirect(r *http.Request) string {
	u := url.URL{Scheme: "http", Host: r.Host, Path: CallbackPath}
	if l.secure(r) {
		u.Scheme = "https"
	}
	if l.public != nil {
		u.Scheme, u.Host = l.public.Scheme, l.public.Host
	}
	return u.String()
}

// start sends a person to the identity provider.
func (l *Logins) start(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	next := Next(r)
	p := l.provider
	switch {
	case p == nil:
		http.NotFound(w, r)
		return
	case !l.safe(r):
		http.Redirect(w, r, pageWith(Insecure, next), http.StatusSeeOther)
		return
	}
	found, err := p.discover(r.Context(), l.config.Now())
	if err != nil {
		l.config.Log.ErrorContext(r.Context(), "identity provider does not answer", "issuer", p.config.Issuer, "error", err)
		http.Redirect(w, r, pageWith(ProviderDown, next), http.StatusSeeOther)
		return
	}
	f := flow{
		State: randomText(), Nonce: randomText(), Verifier: oauth2.GenerateVerifier(), Next: next, Redirect: l.redirect(r), At: l.config.Now(),
	}
	if err := l.setFlow(w, r, &f); err != nil {
		l.config.Log.ErrorContext(r.Context(), "sign in", "error", err)
		http.Redirect(w, r, pageWith(Broken, next), http.StatusSeeOther)
		return
	}
	to := p.oauth(found, f.Redirect).AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier))
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// callback takes a person back from the identity provider.
func (l *Logins) callback(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer") // the address holds the code
	if l.provider == nil {
		http.NotFound(w, r)
		return
	}
	f, err := l.takeFlow(w, r, r.URL.Query().Get("state"))
	if err != nil {
		http.Redirect(w, r, pageWith(Stale, home), http.StatusSeeOther)
		return
	}
	issued, problem, err := l.vouched(r, &f)
	if err != nil {
		l.config.Log.WarnContext(r.Context(), "sign-in by the identity provider failed", "problem", string(problem), "source", peer(r), "error", err)
	}
	if problem == NoProblem {
		l.welcome(w, r, &issued, "identity provider")
		http.Redirect(w, r, place(f.Next), http.StatusSeeOther)
		return
	}
	http.Redirect(w, r, pageWith(problem, place(f.Next)), http.StatusSeeOther)
}

// vouched asks the provider who it is that comes back, and makes their login.
func (l *Logins) vouched(r *http.Request, f *flow) (issued core.IssuedKey, problem Problem, err error) {
	p, query := l.provider, r.URL.Query()
	if word := query.Get("error"); word != "" {
		return issued, Refused, fmt.Errorf("the identity provider says %q: %q", cut(word), cut(query.Get("error_description")))
	}
	if iss := query.Get("iss"); iss != "" && iss != p.config.Issuer { // RFC 9207
		return issued, Refused, fmt.Errorf("the answer is of another issuer, %q", cut(iss))
	}
	found, err := p.discover(r.Context(), l.config.Now())
	if err != nil {
		return issued, ProviderDown, err
	}
	ctx, cancel := context.WithTimeout(p.context(r.Context()), providerTimeout)
	defer cancel()
	token, err := p.oauth(found, f.Redirect).Exchange(ctx, query.Get("code"), oauth2.VerifierOption(f.Verifier))
	if err != nil {
		var said *oauth2.RetrieveError
		if errors.As(err, &said) && said.Response != nil && said.Response.StatusCode < http.StatusInternalServerError {
			return issued, Refused, fmt.Errorf("exchange code: %w", err)
		}
		return issued, ProviderDown, fmt.Errorf("exchange code: %w", err)
	}
	claims, err := l.claims(ctx, found, token, f.Nonce)
	if err != nil {
		return issued, Refused, err
	}
	name, err := userName(claims, p.config.Claim)
	if err != nil {
		return issued, NoUser, err
	}
	issued, err = l.loginAs(r, name)
	switch {
	case err == nil:
		return issued, NoProblem, nil
	case core.AsError(err).Code == core.CodeInternal:
		return issued, Broken, err
	}
	return issued, NoUser, err
}

// claims checks the ID token and returns what it says; what it leaves out is asked of the provider.
func (l *Logins) claims(ctx context.Context, found *oidc.Provider, token *oauth2.Token, nonce string) (map[string]any, error) {
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return nil, errors.New("the identity provider sent no ID token")
	}
	id, err := found.VerifierContext(ctx, &oidc.Config{ClientID: l.provider.config.ClientID, Now: l.config.Now}).Verify(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("ID token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1 {
		return nil, errors.New("ID token: made for another sign-in")
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return nil, fmt.Errorf("ID token: %w", err)
		}
	}
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		return nil, fmt.Errorf("ID token: %w", err)
	}
	if _, there := claims[l.provider.config.Claim]; there || found.UserInfoEndpoint() == "" {
		return claims, nil
	}
	info, err := found.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return nil, fmt.Errorf("user info: %w", err)
	}
	if info.Subject != id.Subject {
		return nil, errors.New("user info: of somebody else")
	}
	more := map[string]any{}
	if err := info.Claims(&more); err != nil {
		return nil, fmt.Errorf("user info: %w", err)
	}
	return more, nil
}

// userName is what a claim names. An address of mail names nobody unless the provider says that it was verified: at some, people write there what
// they like.
func userName(claims map[string]any, claim string) (string, error) {
	name, ok := claims[claim].(string)
	if !ok || name == "" {
		return "", fmt.Errorf("the identity provider says nothing as %q", claim)
	}
	if verified := claims["email_verified"]; claim == "email" && verified != true && verified != "true" {
		return "", fmt.Errorf("the identity provider does not say that the address %q was verified", cut(name))
	}
	return name, nil
}

// loginAs makes the login of a user, and the user as well if that is wanted.
func (l *Logins) loginAs(r *http.Request, name string) (core.IssuedKey, error) {
	c, service := &l.provider.config, l.config.Service
	issued, err := service.LoginAs(r.Context(), c.Account, name, l.spec(r))
	if !c.CreateUsers || !core.ReasonAccessNotFound.Is(err) {
		return issued, err
	}
	operator := core.Caller{Account: c.Account, Principal: core.RootUser, Root: true, Source: peer(r), Time: l.config.Now().UTC()}
	if _, err := service.CreateUser(r.Context(), operator, name, core.UserPerson, "from "+c.Name); err != nil && !core.ReasonNameTaken.Is(err) {
		return issued, err
	}
	if c.Policy != "" {
		if err := service.AttachPolicy(r.Context(), operator, name, c.Policy); err != nil {
			return issued, fmt.Errorf("policy of a new user: %w", err)
		}
	}
	l.record(r, &core.AccessKey{Account: c.Account, Principal: core.RootUser}, "create user "+name)
	return service.LoginAs(r.Context(), c.Account, name, l.spec(r))
}

// cut shortens what others say for the log.
func cut(s string) string { return strings.ToValidUTF8(s[:min(len(s), 200)], "") }
