package sign

import (
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// Credentials of the vendors' published samples.
const (
	sampleSecret = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"
	tencentID    = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE"
	zenlayerID   = "0D9UtpyKYcHxms5v"

	emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// vector is a worked example: a request, what it claims, and the secret that proves it.
type vector struct {
	name    string
	request *Request
	secret  string
	claim   Claim
}

var allVectors = slices.Concat(rpcVectors, acs3Vectors, tc3Vectors, tencentV1Vectors, zc2Vectors)

// parse chooses the scheme the way the dialects do.
func parse(r *Request) (*Claim, error) {
	auth := r.Header.Get("Authorization")
	switch {
	case strings.HasPrefix(auth, "ACS3-"):
		return ParseACS3(r)
	case strings.HasPrefix(auth, "TC3-"):
		return ParseTC3(r)
	case strings.HasPrefix(auth, "ZC2-"):
		return ParseZC2(r)
	case strings.HasPrefix(auth, "Bearer "):
		return ParseBearer(r)
	}
	params, err := Params(r)
	if err != nil {
		return nil, err
	}
	if _, ok := params["SecretId"]; ok {
		return ParseTencentV1(r, params)
	}
	return ParseRPC(r, params)
}

// authenticate is everything but the clock.
func authenticate(r *Request, secret string) error {
	claim, err := parse(r)
	if err != nil {
		return err
	}
	return claim.Verify(secret)
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range allVectors {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			claim, err := parse(v.request)
			if err != nil {
				t.Fatal(err)
			}
			if err := claim.Verify(v.secret); err != nil {
				t.Errorf("verify: %v", err)
			}
			want := v.claim
			if claim.Scheme != want.Scheme || claim.AccessKeyID != want.AccessKeyID || claim.Token != want.Token ||
				claim.Nonce != want.Nonce || !claim.Time.Equal(want.Time) {
				t.Errorf("claim = %s, want %s", describe(claim), describe(&want))
			}
			for _, secret := range []string{v.secret + "x", strings.ToUpper(v.secret), ""} {
				wantKind(t, claim.Verify(secret), Mismatch)
			}
			checkWindow(t, claim)
		})
	}
}

func describe(c *Claim) string {
	return fmt.Sprintf("%s id=%q token=%q nonce=%q time=%s", c.Scheme, c.AccessKeyID, c.Token, c.Nonce, c.Time)
}

// checkWindow tries the last moment on either side that passes and the first that does not.
func checkWindow(t *testing.T, claim *Claim) {
	t.Helper()
	passes, refused := 300*time.Second, 301*time.Second
	if claim.Scheme == SchemeRPC || claim.Scheme == SchemeACS3 {
		passes, refused = 15*time.Minute-time.Second, 15*time.Minute
	}
	for _, sign := range []time.Duration{1, -1} {
		if err := claim.CheckTime(claim.Time.Add(sign * passes)); err != nil {
			t.Errorf("%s away: %v", sign*passes, err)
		}
		if claim.Scheme != SchemeBearer {
			wantKind(t, claim.CheckTime(claim.Time.Add(sign*refused)), TimeExpired)
		}
	}
}

func TestVectorsOneByteChanged(t *testing.T) {
	t.Parallel()
	for _, v := range allVectors {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			changes := 0
			for what, changed := range oneByteChanges(v.request, 1) {
				changes++
				if err := authenticate(changed, v.secret); err == nil {
					t.Errorf("accepted with %s changed", what)
				}
			}
			if changes < 64 {
				t.Errorf("only %d changes tried", changes)
			}
		})
	}
}

// oneByteChanges yields copies of a request in which one protected byte is another: in the body, in the query, in a
// signed header or in the signature. Of body and query every step-th byte is tried.
func oneByteChanges(r *Request, step int) iter.Seq2[string, *Request] {
	return func(yield func(string, *Request) bool) {
		for i := 0; i < len(r.Body); i += step {
			changed := clone(r)
			changed.Body = []byte(changeByte(string(r.Body), i))
			if !yield(fmt.Sprintf("body byte %d", i), changed) {
				return
			}
		}
		for i := 0; i < len(r.RawQuery); i += step {
			changed := clone(r)
			changed.RawQuery = changeByte(r.RawQuery, i)
			if !yield(fmt.Sprintf("query byte %d", i), changed) {
				return
			}
		}
		auth := r.Header.Get("Authorization")
		if auth == "" {
			return
		}
		for i := strings.LastIndex(auth, "=") + 1; i < len(auth); i++ {
			changed := clone(r)
			changed.Header.Set("Authorization", changeByte(auth, i))
			if !yield(fmt.Sprintf("Authorization byte %d", i), changed) {
				return
			}
		}
		for _, name := range protectedHeaders(auth) {
			changed := clone(r)
			if name == "host" {
				changed.Host = changeByte(r.Host, 0)
			} else if value := r.Header.Get(name); value != "" {
				changed.Header.Set(name, changeByte(value, len(value)-1))
			} else {
				continue
			}
			if !yield("header "+name, changed) {
				return
			}
		}
	}
}

// protectedHeaders lists the signed headers and the timestamps, which are signed without being listed.
func protectedHeaders(auth string) []string {
	_, list, _ := strings.Cut(auth, "SignedHeaders=")
	list, _, _ = strings.Cut(list, ",")
	return append(strings.Split(list, ";"), "x-tc-timestamp", "x-zc-timestamp")
}

func clone(r *Request) *Request {
	c := *r
	c.Header = r.Header.Clone()
	if c.Header == nil {
		c.Header = make(http.Header)
	}
	return &c
}

// changeByte replaces a byte by another that does not mean the same: letters stay letters and keep their case, so that no
// escape merely changes its spelling.
func changeByte(s string, i int) string {
	b := []byte(s)
	switch c := b[i]; {
	case c == '9' || c == 'z' || c == 'Z':
		b[i] = c - 1
	case c >= '0' && c < '9', c >= 'a' && c < 'z', c >= 'A' && c < 'Z':
		b[i] = c + 1
	default:
		b[i] = 'x'
	}
	return string(b)
}

func wantKind(t *testing.T, err error, want Kind) {
	t.Helper()
	var refused *Error
	switch {
	case err == nil:
		t.Errorf("accepted, want %q", want)
	case !errors.As(err, &refused):
		t.Errorf("%v is a %T, want *Error", err, err)
	case refused.Kind != want:
		t.Errorf("refused for %q, want %q", err, want)
	}
}

// query encodes parameters as a client would.
func query(params Values) string {
	values := make(url.Values, len(params))
	for name, value := range params {
		values.Set(name, value)
	}
	return values.Encode()
}

// with returns params with more parameters.
func with(params Values, more ...string) Values {
	merged := make(Values, len(params)+len(more)/2)
	for name, value := range params {
		merged[name] = value
	}
	for i := 0; i < len(more); i += 2 {
		merged[more[i]] = more[i+1]
	}
	return merged
}

func headers(pairs ...string) http.Header {
	h := make(http.Header, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func utc(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

func unix(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
