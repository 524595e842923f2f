package console

import (
	"crypto/subtle"
	"net/http"
	"strings"

	"errand/internal/core"
)

// keyLogin keeps who is signed in as a temporary key of the core, in a cookie.
type keyLogin struct{ service *core.Service }

// NewKeyLogin makes a Login for access keys.
func NewKeyLogin(service *core.Service) Login { return keyLogin{service} }

const sessionCookie = "errand_session"

var refusedLogin = &core.Error{Code: core.CodeUnauthenticated, Reason: core.ReasonKeyUnknown, Detail: "unknown key or wrong secret"}

func (l keyLogin) Caller(r *http.Request) (core.Caller, bool) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return core.Caller{}, false
	}
	id, token, _ := strings.Cut(cookie.Value, ".")
	k, err := l.service.Key(r.Context(), id)
	if err != nil || k.Kind != core.KeyTemporary || subtle.ConstantTimeCompare([]byte(core.HashToken(token)), []byte(k.TokenHash)) != 1 {
		return core.Caller{}, false
	}
	who, err := l.service.Caller(r.Context(), k.AccessKey)
	return who, err == nil
}

func (l keyLogin) SignIn(w http.ResponseWriter, r *http.Request, keyID, secret string) error {
	k, err := l.service.Key(r.Context(), keyID)
	if err != nil {
		return refusedLogin
	}
	if k.Kind != core.KeyLong || subtle.ConstantTimeCompare([]byte(secret), []byte(k.Secret)) != 1 {
		return refusedLogin
	}
	who, err := l.service.Caller(r.Context(), k.AccessKey)
	if err != nil {
		return err
	}
	issued, err := l.service.IssueToken(r.Context(), who, core.TokenSpec{Lifetime: core.MaxToken})
	if err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: issued.ID + "." + issued.Token, Path: "/", MaxAge: int(core.MaxToken.Seconds()), HttpOnly: true,
		Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode,
	})
	return nil
}

func (l keyLogin) SignOut(w http.ResponseWriter, _ *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}
