package sign

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"time"
)

// jsonType is the content type of what Tencent's and Zenlayer's callers send.
const jsonType = "application/json"

// SignTC3 signs an outgoing POST for Tencent's dialect. The caller sets X-TC-Action, X-TC-Version and, for a temporary credential, X-TC-Token;
// body is what the request's Body will deliver, and the address has no query. service is the product, "tat".
func SignTC3(req *http.Request, body []byte, service, keyID, secret string, now time.Time) {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	req.Header.Set("Content-Type", jsonType)
	req.Header.Set("X-TC-Timestamp", timestamp)
	scope := tc3Scope{date: now.UTC().Format(time.DateOnly), service: service}
	toSign := tc3StringToSign(timestamp, scope, outgoing(req, body))
	req.Header.Set("Authorization", tc3Algorithm+" Credential="+keyID+"/"+scope.String()+
		", SignedHeaders=content-type;host, Signature="+tc3Signature(tc3Key(secret, scope), toSign))
}

// SignZC2 signs an outgoing POST for Zenlayer's dialect. The caller sets X-ZC-Action and X-ZC-Version; body is what the request's Body will
// deliver, and the address has no query.
func SignZC2(req *http.Request, body []byte, keyID, secret string, now time.Time) {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	req.Header.Set("Content-Type", jsonType)
	req.Header.Set("X-ZC-Timestamp", timestamp)
	sum := hmacSHA256([]byte(secret), zc2StringToSign(timestamp, outgoing(req, body)))
	req.Header.Set("Authorization", zc2Algorithm+" Credential="+keyID+", SignedHeaders=content-type;host, Signature="+hex.EncodeToString(sum))
}

// outgoing is the canonical form of a POST to the root, as both vendors' clients sign it.
func outgoing(req *http.Request, body []byte) string {
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	signed := []string{"content-type", "host"}
	r := &Request{Method: http.MethodPost, Host: host, Header: req.Header, Body: body}
	return canonicalRequest(http.MethodPost, "/", "", canonicalHeaders(r, signed, host), signed, hexSHA256(body))
}
