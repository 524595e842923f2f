package login

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// flowLife is how long a person may take at the identity provider.
const flowLife = 10 * time.Minute

// flow is what a browser carries, sealed, while its person is at the identity provider. It ties the answer to the browser that asked.
type flow struct {
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"` // of PKCE
	Next     string    `json:"x"`
	Redirect string    `json:"r"`
	At       time.Time `json:"t"`
}

// flowOwner is what flows are sealed for.
const flowOwner = "login flow"

// randomText has 256 bits.
func randomText() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand aborts the process instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// flowCookie names the cookie of a flow; several tabs may be on their way at the same time.
func (l *Logins) flowCookie(r *http.Request, state string) string {
	return l.cookieName(r) + "-flow-" + state[:min(len(state), 8)]
}

func (l *Logins) setFlow(w http.ResponseWriter, r *http.Request, f *flow) error {
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	sealed := base64.RawURLEncoding.EncodeToString(l.config.Sealer.Seal(string(text), flowOwner))
	http.SetCookie(w, l.cookie(r, l.flowCookie(r, f.State), sealed, "/", flowLife))
	return nil
}

var errNoFlow = errors.New("no such sign-in under way in this browser")

// takeFlow finds the flow that an answer belongs to, and takes it from the browser.
func (l *Logins) takeFlow(w http.ResponseWriter, r *http.Request, state string) (f flow, err error) {
	if len(state) != len(randomText()) {
		return f, errNoFlow
	}
	if _, err := base64.RawURLEncoding.DecodeString(state); err != nil {
		return f, errNoFlow // it becomes the name of a cookie
	}
	name := l.flowCookie(r, state)
	cookie, err := r.Cookie(name)
	if err != nil {
		return f, errNoFlow
	}
	http.SetCookie(w, l.cookie(r, name, "", "/", 0))
	sealed, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return f, errNoFlow
	}
	text, err := l.config.Sealer.Open(sealed, flowOwner)
	if err != nil {
		return f, errNoFlow
	}
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return f, errNoFlow
	}
	age := l.config.Now().Sub(f.At)
	if subtle.ConstantTimeCompare([]byte(f.State), []byte(state)) != 1 || age < 0 || age > flowLife {
		return flow{}, errNoFlow
	}
	return f, nil
}
