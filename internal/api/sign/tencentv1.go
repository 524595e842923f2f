package sign

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"
)

// ParseTencentV1 reads a request signed by Tencent's older scheme, HmacSHA1 or HmacSHA256. Its parameters come in the
// query or in the form. The vendor signs decoded text, in which a value holding & and = looks like two parameters. Such
// names are refused, such values are legitimate, and what is left of the weakness only TLS covers.
// https://www.tencentcloud.com/document/product/228/31724
func ParseTencentV1(r *Request, params Values) (*Claim, error) {
	for _, name := range []string{"SecretId", "Signature", "Timestamp", "Nonce"} {
		if params[name] == "" {
			return nil, missing(name)
		}
	}
	if nonce := params["Nonce"]; !isDigits(nonce) || len(nonce) > 20 {
		return nil, refuse(Malformed, "Nonce is not an unsigned integer")
	}
	for name := range params {
		if strings.ContainsAny(name, "&=") {
			return nil, refuse(Malformed, "parameter name %.40q", name)
		}
	}
	scheme, mac := SchemeHmacSHA1, hmacSHA1
	switch method := params["SignatureMethod"]; method {
	case "", "HmacSHA1":
	case "HmacSHA256":
		scheme, mac = SchemeHmacSHA256, hmacSHA256
	default:
		return nil, refuse(Unsupported, "SignatureMethod %.40q", method)
	}
	signedAt, err := parseUnix(params["Timestamp"])
	if err != nil {
		return nil, err
	}
	claim := &Claim{
		Scheme:      scheme,
		AccessKeyID: params["SecretId"],
		Token:       params["Token"],
		Time:        signedAt,
		verify: func(secret string) error {
			for _, path := range pathForms(r.Path) {
				for _, host := range hostForms(r.Host) {
					sum := mac([]byte(secret), tencentV1StringToSign(r.Method, host, path, params))
					if equal(base64.StdEncoding.EncodeToString(sum), params["Signature"]) {
						return nil
					}
				}
			}
			return mismatch("")
		},
	}
	return claim.checked()
}

func tencentV1StringToSign(method, host, path string, params Values) string {
	var b strings.Builder
	b.WriteString(method + host + path)
	separator := "?"
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if name != "Signature" {
			b.WriteString(separator + name + "=" + params[name])
			separator = "&"
		}
	}
	return b.String()
}
