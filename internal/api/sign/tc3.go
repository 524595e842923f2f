package sign

import (
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

const (
	tc3Algorithm    = "TC3-HMAC-SHA256"
	unsignedPayload = "UNSIGNED-PAYLOAD"
	maxService      = 256 // bytes of the scope's service name
)

// tc3Scope is the part of a TC3 credential that takes part in deriving the key.
type tc3Scope struct{ date, service string }

func (s tc3Scope) String() string { return s.date + "/" + s.service + "/tc3_request" }

// ParseTC3 reads a request signed by Tencent's TC3-HMAC-SHA256. The signature covers neither the action nor the token,
// and with an unsigned payload not even the body, which is why that is refused over an open network.
// https://www.tencentcloud.com/document/product/267/37447
func ParseTC3(r *Request) (*Claim, error) {
	auth, err := parseAuthorization(r, tc3Algorithm)
	if err != nil {
		return nil, err
	}
	keyID, scope, err := splitTC3Credential(auth.credential)
	if err != nil {
		return nil, err
	}
	if err := auth.requireSigned("content-type", "host"); err != nil {
		return nil, err
	}
	query, err := tc3Query(r)
	if err != nil {
		return nil, err
	}
	timestamp := r.Header.Get("X-TC-Timestamp")
	if timestamp == "" {
		return nil, missing("Timestamp")
	}
	signedAt, err := parseUnix(timestamp)
	if err != nil {
		return nil, err
	}
	signsBody := r.Header.Get("X-TC-Content-SHA256") != unsignedPayload
	if !signsBody && !r.confidential() {
		return nil, refuse(Insecure, "an unsigned payload needs TLS")
	}
	claim := &Claim{
		Scheme:      SchemeTC3,
		AccessKeyID: keyID,
		Token:       r.Header.Get("X-TC-Token"),
		Time:        signedAt,
		verify: func(secret string) error {
			if scope.date != signedAt.Format(time.DateOnly) {
				return refuse(Mismatch, "the credential's date is not the timestamp's")
			}
			payload := []byte(unsignedPayload)
			if signsBody {
				payload = r.Body
			}
			bodyHash := hexSHA256(payload)
			key := tc3Key(secret, scope)
			for canonical := range canonicalForms(r, pathForms(r.Path), query, auth.signedHeaders, bodyHash) {
				if equal(tc3Signature(key, tc3StringToSign(timestamp, scope, canonical)), auth.signature) {
					return nil
				}
			}
			return mismatch("")
		},
	}
	return claim.checked()
}

// splitTC3Credential takes <id>/<date>/<service>/tc3_request apart. The service is whatever is between date and ending:
// Node's client puts a piece of the endpoint there, port and all.
func splitTC3Credential(credential string) (keyID string, scope tc3Scope, err error) {
	keyID, rest, _ := strings.Cut(credential, "/")
	date, rest, _ := strings.Cut(rest, "/")
	service, ok := strings.CutSuffix(rest, "/tc3_request")
	if !ok || service == "" || len(service) > maxService {
		return "", tc3Scope{}, refuse(Malformed, "Credential is not <id>/<date>/<service>/tc3_request")
	}
	return keyID, tc3Scope{date: date, service: service}, nil
}

// tc3Query is the query as received for GET. A POST signs an empty one, so a POST that carries a query is refused rather
// than left unprotected.
func tc3Query(r *Request) (string, error) {
	if r.Method == http.MethodPost && r.RawQuery != "" {
		return "", refuse(Malformed, "a signed POST carries no query")
	}
	return r.RawQuery, nil
}

func tc3StringToSign(timestamp string, scope tc3Scope, canonical string) string {
	return strings.Join([]string{tc3Algorithm, timestamp, scope.String(), hexSHA256([]byte(canonical))}, "\n")
}

func tc3Key(secret string, scope tc3Scope) []byte {
	key := hmacSHA256([]byte("TC3"+secret), scope.date)
	key = hmacSHA256(key, scope.service)
	return hmacSHA256(key, "tc3_request")
}

func tc3Signature(key []byte, toSign string) string {
	return hex.EncodeToString(hmacSHA256(key, toSign))
}
