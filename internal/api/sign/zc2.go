package sign

import (
	"encoding/hex"
	"strings"
)

const zc2Algorithm = "ZC2-HMAC-SHA256"

// ParseZC2 reads a request signed by Zenlayer's ZC2-HMAC-SHA256. The signature covers neither path nor action.
// https://docs.console.zenlayer.com/api-reference/api-introduction/instruction/sign
func ParseZC2(r *Request) (*Claim, error) {
	auth, err := parseAuthorization(r, zc2Algorithm)
	if err != nil {
		return nil, err
	}
	if err := auth.requireSigned("content-type", "host"); err != nil {
		return nil, err
	}
	if r.RawQuery != "" {
		return nil, refuse(Malformed, "a signed request carries no query")
	}
	timestamp := r.Header.Get("X-ZC-Timestamp")
	if timestamp == "" {
		return nil, missing("X-ZC-Timestamp")
	}
	signedAt, err := parseUnix(timestamp)
	if err != nil {
		return nil, err
	}
	claim := &Claim{
		Scheme:      SchemeZC2,
		AccessKeyID: auth.credential,
		Time:        signedAt,
		verify: func(secret string) error {
			bodyHash := hexSHA256(r.Body)
			for canonical := range canonicalForms(r, []string{"/"}, "", auth.signedHeaders, bodyHash) {
				sum := hmacSHA256([]byte(secret), zc2StringToSign(timestamp, canonical))
				if equal(hex.EncodeToString(sum), auth.signature) {
					return nil
				}
			}
			return mismatch("")
		},
	}
	return claim.checked()
}

func zc2StringToSign(timestamp, canonical string) string {
	return strings.Join([]string{zc2Algorithm, timestamp, hexSHA256([]byte(canonical))}, "\n")
}

// ParseBearer reads a request that carries Zenlayer's bearer token. The token alone proves the claim, so it is refused
// where others could read it.
func ParseBearer(r *Request) (*Claim, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return nil, refuse(Malformed, "want one Authorization header, got %d", len(values))
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, SchemeBearer.String()) || token == "" || len(token) > maxToken {
		return nil, refuse(Malformed, "Authorization is not Bearer and a token of 1 to %d bytes", maxToken)
	}
	if !r.confidential() {
		return nil, refuse(Insecure, "a bearer token needs TLS")
	}
	return &Claim{
		Scheme: SchemeBearer,
		Token:  token,
		verify: func(secret string) error {
			if !equal(secret, token) {
				return refuse(Mismatch, "the token was not issued")
			}
			return nil
		},
	}, nil
}
