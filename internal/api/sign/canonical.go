package sign

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the vendors define their older schemes over HMAC-SHA1
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"iter"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
)

// canonicalRequest joins the six parts that ACS3, TC3 and ZC2 sign. The headers end with a newline of their own, which
// leaves a blank line before the names.
func canonicalRequest(method, path, query, headers string, signed []string, bodyHash string) string {
	return strings.Join([]string{method, path, query, headers, strings.Join(signed, ";"), bodyHash}, "\n")
}

// canonicalForms yields the canonical requests that Tencent's and Zenlayer's clients sign in the field, the usual one
// first: each of the paths, the host with and without its port, header values as sent and, as the vendors' documents
// have it, in lower case.
func canonicalForms(r *Request, paths []string, query string, signed []string, bodyHash string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, path := range paths {
			for _, host := range hostForms(r.Host) {
				asSent := canonicalHeaders(r, signed, host)
				for _, headers := range slices.Compact([]string{asSent, strings.ToLower(asSent)}) {
					if !yield(canonicalRequest(r.Method, path, query, headers, signed, bodyHash)) {
						return
					}
				}
			}
		}
	}
}

// canonicalHeaders renders the signed headers in the order given, with host in place of the Host header.
func canonicalHeaders(r *Request, signed []string, host string) string {
	var b strings.Builder
	for _, name := range signed {
		value := host
		if name != "host" {
			value = headerValue(r, name)
		}
		b.WriteString(name + ":" + value + "\n")
	}
	return b.String()
}

// headerValue joins the values of a repeated header in sorted order, as Alibaba prescribes. For the other vendors this
// makes a header added under way break the signature.
func headerValue(r *Request, name string) string {
	values := slices.Clone(r.Header.Values(name))
	for i, v := range values {
		values[i] = strings.TrimSpace(v)
	}
	slices.Sort(values)
	return strings.Join(values, ",")
}

// canonicalQuery encodes the parameters sorted by name. Names are encoded like values. Alibaba's Go client leaves them
// alone, but the names of these APIs need no encoding, and accepting unencoded names would let a=1&b=2 be presented
// again as one parameter with a strange name.
func canonicalQuery(params Values) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(percentEncode(name) + "=" + percentEncode(params[name]))
	}
	return b.String()
}

// percentEncode leaves only RFC 3986 unreserved characters as they are.
func percentEncode(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// hostForms lists the host as received and, because some clients sign it so, without its port.
func hostForms(host string) []string {
	bare := host
	if _, port, err := net.SplitHostPort(host); err == nil {
		bare = strings.TrimSuffix(host, ":"+port)
	}
	return slices.Compact([]string{host, bare})
}

// pathForms lists the path the SDKs sign and, for clients pointed below the root, the one that was called.
func pathForms(path string) []string {
	return slices.Compact([]string{"/", path})
}

func hexSHA256(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func hmacSHA256(key []byte, message string) []byte {
	return hmacOf(sha256.New, key, message)
}

func hmacSHA1(key []byte, message string) []byte {
	return hmacOf(sha1.New, key, message)
}

func hmacOf(h func() hash.Hash, key []byte, message string) []byte {
	mac := hmac.New(h, key)
	mac.Write([]byte(message))
	return mac.Sum(nil)
}

// equal compares in constant time. Signatures are compared in their encoded form, so that no second spelling of the
// same bytes passes.
func equal(want, got string) bool {
	return subtle.ConstantTimeCompare([]byte(want), []byte(got)) == 1
}
