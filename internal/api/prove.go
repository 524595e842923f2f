package api

import (
	"context"
	"crypto/subtle"
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
}

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

// Prove checks a signature claim in the order in which the vendors do: the key is known, the time is near, the signature matches, the nonce
// is new, the token belongs to the key. A nonce is remembered only after the signature was right, so that strangers cannot fill the memory.
func (e *Env) Prove(ctx context.Context, claim *sign.Claim) (core.Caller, error) {
	if claim.Scheme == sign.SchemeBearer {
		key, err := e.Service.Bearer(ctx, claim.Token)
		return caller(key), err
	}
	cred, err := e.Service.Key(ctx, claim.AccessKeyID)
	if err != nil {
		return core.Caller{}, err
	}
	now := e.Now()
	if err := claim.CheckTime(now); err != nil {
		return core.Caller{}, err
	}
	if err := claim.Verify(cred.Secret); err != nil {
		return core.Caller{}, err
	}
	if claim.Nonce != "" && e.Nonces.Seen(cred.ID, claim.Nonce, now) {
		return core.Caller{}, &ReplayError{}
	}
	if cred.TokenHash != "" {
		got := core.HashToken(claim.Token)
		if subtle.ConstantTimeCompare([]byte(got), []byte(cred.TokenHash)) != 1 {
			return core.Caller{}, &TokenError{Missing: claim.Token == ""}
		}
	}
	return caller(cred.AccessKey), nil
}

func caller(k core.AccessKey) core.Caller {
	return core.Caller{Account: k.Account, Principal: k.Principal, KeyID: k.ID}
}
