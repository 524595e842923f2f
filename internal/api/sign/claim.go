package sign

import (
	"fmt"
	"strconv"
	"time"
)

// Scheme is a way of proving who sent a request.
type Scheme int

// The schemes that can be verified.
const (
	SchemeRPC        Scheme = iota + 1 // Alibaba, signature version 1.0
	SchemeACS3                         // Alibaba, signature method V3
	SchemeTC3                          // Tencent, signature method v3
	SchemeHmacSHA1                     // Tencent, signature method v1
	SchemeHmacSHA256                   // Tencent, signature method v1
	SchemeZC2                          // Zenlayer
	SchemeBearer                       // Zenlayer
)

// String returns the vendor's name of the scheme.
func (s Scheme) String() string {
	switch s {
	case SchemeRPC:
		return "HMAC-SHA1"
	case SchemeACS3:
		return acs3Algorithm
	case SchemeTC3:
		return tc3Algorithm
	case SchemeHmacSHA1:
		return "HmacSHA1"
	case SchemeHmacSHA256:
		return "HmacSHA256"
	case SchemeZC2:
		return zc2Algorithm
	case SchemeBearer:
		return "Bearer"
	}
	return fmt.Sprintf("scheme %d", int(s))
}

// Clock differences the vendors tolerate, in either direction.
const (
	// alibabaWindow is exclusive: a request exactly this old is refused.
	alibabaWindow = 15 * time.Minute
	// unixWindow of Tencent and Zenlayer is inclusive.
	unixWindow = 300 * time.Second
)

// Claim is what a request says about its sender, still to be proven. Only the Parse functions make one. The request
// and the parameters it was parsed from must not change until Verify has returned. Its methods may be called in any
// order and from several goroutines.
type Claim struct {
	Scheme Scheme
	// AccessKeyID names the key whose secret proves the claim; empty for a bearer token, which is looked up by Token.
	AccessKeyID string
	// Token is the security token of a temporary credential, or the bearer token itself; otherwise empty. Comparing it
	// with the issued one is the caller's part, also because Tencent's and Zenlayer's signatures do not cover it.
	Token string
	// Time is when the request was signed, in whole seconds UTC; zero for a bearer token.
	Time time.Time
	// Nonce may be used once per access key. It is empty where the vendor's clients repeat themselves: identical
	// requests of one second carry identical TC3 and ZC2 signatures, and Tencent's older nonces have 16 bits.
	Nonce string

	verify func(secret string) error
}

// Verify checks that the request was signed with secret. For a bearer token secret is the token that was issued. An
// empty secret proves nothing and is always refused. The error is an [*Error] of kind Mismatch.
func (c *Claim) Verify(secret string) error {
	if secret == "" {
		return refuse(Mismatch, "the access key has no secret")
	}
	return c.verify(secret)
}

// CheckTime checks that the request was signed within the vendor's window around now. The error is an [*Error] of kind
// TimeExpired. A bearer token carries no time and always passes.
func (c *Claim) CheckTime(now time.Time) error {
	apart := now.Sub(c.Time).Abs()
	fresh := false
	switch c.Scheme {
	case SchemeRPC, SchemeACS3:
		fresh = apart < alibabaWindow
	case SchemeTC3, SchemeHmacSHA1, SchemeHmacSHA256, SchemeZC2:
		fresh = apart <= unixWindow
	case SchemeBearer:
		fresh = true
	}
	if !fresh {
		return refuse(TimeExpired, "signed at %s, the server's clock says %s",
			c.Time.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}

// checked bounds what a claim makes the caller look up and remember.
func (c *Claim) checked() (*Claim, error) {
	switch {
	case c.AccessKeyID == "" || len(c.AccessKeyID) > maxKeyID:
		return nil, refuse(Malformed, "an access key id has 1 to %d bytes", maxKeyID)
	case len(c.Token) > maxToken:
		return nil, refuse(Malformed, "a security token has at most %d bytes", maxToken)
	case len(c.Nonce) > maxNonce:
		return nil, refuse(Malformed, "a nonce has at most %d bytes", maxNonce)
	}
	return c, nil
}

// parseUnix reads Unix seconds as Tencent and Zenlayer send them.
func parseUnix(text string) (time.Time, error) {
	// Eleven digits reach the year 5138; more could not be printed as a time.
	if !isDigits(text) || len(text) > 11 {
		return time.Time{}, refuse(TimeFormat, "want Unix seconds, got %.40q", text)
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, refuse(TimeFormat, "want Unix seconds, got %.40q", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

func isDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}
