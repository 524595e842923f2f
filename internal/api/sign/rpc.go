package sign

import (
	"encoding/base64"
	"maps"
	"time"
)

// alibabaTime is the form of Timestamp and x-acs-date; always UTC.
const alibabaTime = "2006-01-02T15:04:05Z"

// ParseRPC reads a request signed by Alibaba's RPC scheme, signature version 1.0. Its parameters may come in the query,
// in the form or in both.
// https://www.alibabacloud.com/help/doc-detail/127287.htm
func ParseRPC(r *Request, params Values) (*Claim, error) {
	for _, name := range []string{"AccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp"} {
		if params[name] == "" {
			return nil, missing(name)
		}
	}
	if method := params["SignatureMethod"]; method != SchemeRPC.String() {
		return nil, refuse(Unsupported, "SignatureMethod %.40q, want %s", method, SchemeRPC)
	}
	if version := params["SignatureVersion"]; version != "1.0" {
		return nil, refuse(Unsupported, "SignatureVersion %.40q, want 1.0", version)
	}
	signedAt, err := parseAlibabaTime(params["Timestamp"])
	if err != nil {
		return nil, err
	}
	claim := &Claim{
		Scheme:      SchemeRPC,
		AccessKeyID: params["AccessKeyId"],
		Token:       params["SecurityToken"],
		Time:        signedAt,
		Nonce:       params["SignatureNonce"],
		verify: func(secret string) error {
			toSign := rpcStringToSign(r.Method, params)
			want := base64.StdEncoding.EncodeToString(hmacSHA1([]byte(secret+"&"), toSign))
			if !equal(want, params["Signature"]) {
				return mismatch(toSign)
			}
			return nil
		},
	}
	return claim.checked()
}

// rpcStringToSign covers all parameters but the signature. The path is always /, which is %2F here.
func rpcStringToSign(method string, params Values) string {
	signed := maps.Clone(params)
	delete(signed, "Signature")
	return method + "&%2F&" + percentEncode(canonicalQuery(signed))
}

// parseAlibabaTime is strict: time.Parse alone would accept fractions of a second and one-digit hours.
func parseAlibabaTime(text string) (time.Time, error) {
	t, err := time.Parse(alibabaTime, text)
	if err != nil || t.Format(alibabaTime) != text {
		return time.Time{}, refuse(TimeFormat, "want YYYY-MM-DDThh:mm:ssZ, got %.40q", text)
	}
	return t, nil
}

func mismatch(stringToSign string) error {
	return &Error{
		Kind:         Mismatch,
		Detail:       "the signature does not belong to this request and secret",
		StringToSign: stringToSign,
	}
}
