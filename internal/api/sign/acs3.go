package sign

import (
	"cmp"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"
)

const acs3Algorithm = "ACS3-HMAC-SHA256"

// ParseACS3 reads a request signed by Alibaba's signature method V3.
// https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature
func ParseACS3(r *Request) (*Claim, error) {
	for _, required := range []struct{ header, param string }{
		{"X-Acs-Action", "Action"},
		{"X-Acs-Version", "Version"},
		{"X-Acs-Date", "Timestamp"},
		{"X-Acs-Signature-Nonce", "SignatureNonce"},
	} {
		if r.Header.Get(required.header) == "" {
			return nil, missing(required.param)
		}
	}
	auth, err := parseAuthorization(r, acs3Algorithm)
	if err != nil {
		return nil, err
	}
	if err := auth.requireSigned(acs3MustSign(r)...); err != nil {
		return nil, err
	}
	query, err := decode(r.RawQuery)
	if err != nil {
		return nil, err
	}
	signedAt, err := parseAlibabaTime(r.Header.Get("X-Acs-Date"))
	if err != nil {
		return nil, err
	}
	claim := &Claim{
		Scheme:      SchemeACS3,
		AccessKeyID: auth.credential,
		Token:       r.Header.Get("X-Acs-Security-Token"),
		Time:        signedAt,
		Nonce:       r.Header.Get("X-Acs-Signature-Nonce"),
		verify: func(secret string) error {
			bodyHash := hexSHA256(r.Body)
			toSign := acs3StringToSign(acs3CanonicalRequest(r, query, auth.signedHeaders, bodyHash))
			if r.Header.Get("X-Acs-Content-Sha256") != bodyHash || !equal(acs3Signature(secret, toSign), auth.signature) {
				return mismatch(toSign)
			}
			return nil
		},
	}
	return claim.checked()
}

// acs3MustSign lists the headers a signature has to cover: everything that carries meaning, so that nothing can be
// added or changed under way.
func acs3MustSign(r *Request) []string {
	names := []string{"host", "x-acs-content-sha256"}
	for key := range r.Header {
		if name := strings.ToLower(key); strings.HasPrefix(name, "x-acs-") {
			names = append(names, name)
		}
	}
	if len(r.Body) > 0 {
		names = append(names, "content-type")
	}
	return names
}

// acs3CanonicalRequest always names the path /, the only one of the RPC-style products.
func acs3CanonicalRequest(r *Request, query Values, signed []string, bodyHash string) string {
	return canonicalRequest(r.Method, "/", canonicalQuery(query), canonicalHeaders(r, signed, r.Host), signed, bodyHash)
}

func acs3StringToSign(canonical string) string {
	return acs3Algorithm + "\n" + hexSHA256([]byte(canonical))
}

func acs3Signature(secret, toSign string) string {
	return hex.EncodeToString(hmacSHA256([]byte(secret), toSign))
}

// SignACS3 signs an outgoing request for an Alibaba dialect. The caller sets x-acs-action, x-acs-version and, for a
// temporary credential, x-acs-security-token beforehand; a body without a content type is sent as a form. Body is what
// the request's Body will deliver, and nonce is at most 128 bytes that this key has not used before.
func SignACS3(req *http.Request, body []byte, keyID, secret, nonce string, now time.Time) error {
	bodyHash := hexSHA256(body)
	req.Header.Set("X-Acs-Date", now.UTC().Format(alibabaTime))
	req.Header.Set("X-Acs-Signature-Nonce", nonce)
	req.Header.Set("X-Acs-Content-Sha256", bodyHash)
	if len(body) > 0 && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", formType)
	}
	query, err := decode(req.URL.RawQuery)
	if err != nil {
		return err
	}
	r := &Request{
		Method: cmp.Or(req.Method, http.MethodGet),
		Host:   cmp.Or(req.Host, req.URL.Host),
		Header: req.Header,
		Body:   body,
	}
	signed := acs3MustSign(r)
	slices.Sort(signed)
	signed = slices.Compact(signed)
	toSign := acs3StringToSign(acs3CanonicalRequest(r, query, signed, bodyHash))
	req.Header.Set("Authorization", acs3Algorithm+" Credential="+keyID+
		",SignedHeaders="+strings.Join(signed, ";")+",Signature="+acs3Signature(secret, toSign))
	return nil
}
