package login

import (
	"context"
	"errors"
	"net/http"

	"errand/internal/api"
	"errand/internal/core"
)

// Names under which sign-ins and sign-outs are on record.
const (
	signInAction  = "sign in"
	signOutAction = "sign out"
)

// maxKeyID and maxSecret are the longest texts that are taken for a key, in bytes.
const (
	maxKeyID  = 128
	maxSecret = 256
)

// SignIn checks an access key and, if it is good, gives the browser a login. Whoever guesses learns nothing from the refusal, and cannot guess
// often. Its errors are core's: of CodeUnauthenticated, CodeThrottled, CodeDenied for a way on which the key would travel in clear, and
// CodeInternal.
func (l *Logins) SignIn(w http.ResponseWriter, r *http.Request, keyID, secret string) error {
	refuse := func(code core.Code, reason core.Reason, why string) error {
		return &core.Error{Code: code, Reason: reason, Detail: why}
	}
	if !l.safe(r) {
		return refuse(core.CodeDenied, core.ReasonDenied, "access keys travel only over TLS or on loopback")
	}
	if err := l.foreign.Check(r); err != nil { // nobody is signed in from elsewhere under somebody else's name
		return refuse(core.CodeDenied, core.ReasonDenied, "the form comes from another site")
	}
	from, now := peer(r), l.config.Now()
	keyID = keyID[:min(len(keyID), maxKeyID)]
	if !l.guesses.admit(from, keyID, now) {
		return refuse(core.CodeThrottled, core.ReasonThrottled, "too many attempts: wait a minute")
	}
	issued, err := l.byKey(r.Context(), r, keyID, secret)
	switch {
	case err == nil:
		l.welcome(w, r, &issued, "key")
		return nil
	case core.AsError(err).Code == core.CodeInternal && !isTokenError(err):
		return err
	}
	l.guesses.failed(from, keyID, now)
	l.config.Log.InfoContext(r.Context(), "sign-in refused", "key", keyID, "source", from, "error", err)
	return refuse(core.CodeUnauthenticated, core.ReasonKeyUnknown, "unknown access key or wrong secret")
}

func (l *Logins) byKey(ctx context.Context, r *http.Request, keyID, secret string) (core.IssuedKey, error) {
	if keyID == "" || secret == "" || len(secret) > maxSecret {
		return core.IssuedKey{}, &core.Error{Code: core.CodeUnauthenticated, Reason: core.ReasonKeyUnknown, Detail: "no key"}
	}
	c, err := l.env.ProveSecret(ctx, keyID, secret, "")
	if err != nil {
		return core.IssuedKey{}, err
	}
	c.Source, c.Dialect = peer(r), string(core.OriginNative)
	if err := c.CheckKey(); err != nil {
		return core.IssuedKey{}, err
	}
	return l.config.Service.Login(ctx, c, l.spec(r))
}

func (l *Logins) spec(r *http.Request) core.LoginSpec {
	return core.LoginSpec{Idle: l.config.Idle, Lifetime: l.config.Lifetime, Description: printable(r.UserAgent())}
}

// SignOut ends the login of the browser, also on the server: a copy of the cookie is worth nothing afterwards.
func (l *Logins) SignOut(w http.ResponseWriter, r *http.Request) {
	c, ok := l.Caller(r)
	if l.foreign.Check(r) != nil {
		return
	}
	http.SetCookie(w, l.cookie(r, l.cookieName(r), "", "/", 0))
	w.Header().Set("Clear-Site-Data", `"cache"`)
	if !ok {
		return
	}
	if err := l.config.Service.Logout(r.Context(), c); err != nil {
		l.config.Log.ErrorContext(r.Context(), "sign out", "principal", c.Principal, "error", err)
		return
	}
	l.record(r, &core.AccessKey{Account: c.Account, Principal: c.Principal, ID: c.KeyID}, signOutAction)
}

// isTokenError reports whether a key was a temporary one, which signs nobody in.
func isTokenError(err error) bool {
	var token *api.TokenError
	return errors.As(err, &token)
}
