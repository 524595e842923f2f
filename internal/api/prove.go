package api

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"time"

	"errand/internal/api/sign"
	"errand/internal/core"
)

// Env is what dialects are built from.
type Env struct {
	Service *core.Service
	Now     func() time.Time
	Nonces  *sign.NonceCache
	// Regions are the region names that exist here besides the vendors' published ones; the first is the default.
	Regions []string
	// Login is who a request with the cookie of a login comes from, and ErrNoLogin for one without; nil if nobody signs in here.
	Login func(*http.Request) (core.Caller, error)
}

// ErrNoLogin says that a request carries no login.
var ErrNoLogin = errors.New("no login")

// TokenError says that a temporary key came without its token or with a wrong one.
type TokenError struct{ Missing bool }

func (e *TokenError) Error() string {
	if e.Missing {
		return "temporary key without its token"
	}
	return "token does not belong to the key"
}

// ReplayError says that a nonce was used before.
type ReplayError struct{}

func (*ReplayError) Error() string { return "nonce was used before" }

// DefaultRegion is the region of requests that name none: the installation's first, or else the dialect's own.
func (e *Env) DefaultRegion(published string) string {
	if len(e.Regions) > 0 {
		return e.Regions[0]
	}
	return published
}

// Prove checks a signature claim in the order in which the vendors do: the key is known, the time is near, the signature matches, the nonce
// is new, the token belongs to the key. A nonce is remembered only after the signature was right, so that strangers cannot fill the memory.
func (e *Env) Prove(ctx context.Context, claim *sign.Claim) (core.Caller, error) {
	if claim.Scheme == sign.SchemeBearer {
		key, err := e.Service.Bearer(ctx, claim.Token)
		if err != nil {
			return core.Caller{}, err
		}
		return e.Service.Caller(ctx, key)
	}
	cred, err := e.Service.Key(ctx, claim.AccessKeyID)
	if err != nil {
		return core.Caller{}, err
	}
	now := e.Now()
	if err := claim.CheckTime(now); err != nil {
		return core.Caller{}, err
	}
	if err := verify(claim, &cred); err != nil {
		return core.Caller{}, err
	}
	if claim.Nonce != "" && e.Nonces.Seen(cred.ID, claim.Nonce, now) {
		return core.Caller{}, &ReplayError{}
	}
	if err := checkToken(&cred, claim.Token); err != nil {
		return core.Caller{}, err
	}
	return e.Service.Caller(ctx, cred.AccessKey)
}

// verify tries the secret, and after a rotation the one before. The error is about the present one.
func verify(claim *sign.Claim, cred *core.Credential) error {
	err := claim.Verify(cred.Secret)
	if err != nil && cred.OldSecret != "" && claim.Verify(cred.OldSecret) == nil {
		return nil
	}
	return err
}

func checkToken(cred *core.Credential, token string) error {
	if cred.Kind != core.KeyTemporary || same(core.HashToken(token), cred.TokenHash) {
		return nil
	}
	return &TokenError{Missing: token == ""}
}

// ProveSecret checks a key whose secret itself was sent, with the security token if it is a temporary one.
func (e *Env) ProveSecret(ctx context.Context, id, secret, token string) (core.Caller, error) {
	cred, err := e.Service.Key(ctx, id)
	if err != nil {
		return core.Caller{}, err
	}
	if cred.Kind == core.KeyBearer || cred.Kind == core.KeyLogin || !same(secret, cred.Secret) && (cred.OldSecret == "" || !same(secret, cred.OldSecret)) {
		return core.Caller{}, &core.Error{Code: core.CodeUnauthenticated, Reason: core.ReasonKeyUnknown, Detail: "wrong secret"}
	}
	if err := checkToken(&cred, token); err != nil {
		return core.Caller{}, err
	}
	return e.Service.Caller(ctx, cred.AccessKey)
}

// same compares in constant time.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
