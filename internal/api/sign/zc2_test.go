package sign

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Z-P is the vendor's published sample, Z1 comes from the Go SDK.
var (
	zc2Published = &Request{
		Method: http.MethodPost, Path: "/api/v2/bmc", Host: "console.zenlayer.com",
		Body: []byte(`{"pageSize":10,"pageNum":1,"zoneId":"HKG-A"}`),
		Header: headers(
			"Content-Type", "application/json; charset=utf-8",
			"X-ZC-Timestamp", "1673361177",
			"Authorization", "ZC2-HMAC-SHA256 Credential="+zenlayerID+", SignedHeaders=content-type;host, "+
				"Signature=efb356c32e55c781e10dc676da59462c22596d82e91c57803666243379555b2f",
		),
	}
	zc2Go = &Request{
		Method: http.MethodPost, Path: "/api/v2/zos", Host: "127.0.0.1:18080",
		Body: []byte(`{"commandId":"1234567890","instanceIds":["i-1","i-2"],"timeout":30}`),
		Header: headers(
			"Content-Type", "application/json",
			"X-ZC-Timestamp", "1795325864",
			"Authorization", "ZC2-HMAC-SHA256 Credential="+zenlayerID+", SignedHeaders=content-type;host, "+
				"Signature=29bb3bbaa4a752541e0abc7249754c409428706e3aaf38951265e25c10dc05ab",
		),
	}
	bearer = &Request{
		Method: http.MethodPost, Path: "/api/v2/zos", Host: "127.0.0.1:18080", TLS: true,
		Body:   []byte(`{"invocationIds":["987654321"],"pageSize":20,"pageNum":1}`),
		Header: headers("Content-Type", "application/json", "Authorization", "Bearer TOKENEXAMPLE"),
	}
)

var zc2Vectors = []vector{
	{
		name: "Z-P published", request: zc2Published, secret: "Gu5t9xGARNpq86cd98joQYCN3",
		claim: Claim{Scheme: SchemeZC2, AccessKeyID: zenlayerID, Time: unix(1673361177)},
	},
	{
		name: "Z1 Go", request: zc2Go, secret: sampleSecret,
		claim: Claim{Scheme: SchemeZC2, AccessKeyID: zenlayerID, Time: unix(1795325864)},
	},
}

func TestZC2Intermediates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name                    string
		request                 *Request
		bodyHash, canonicalHash string
	}{
		{
			"Z-P", zc2Published, "5f714687ba91c606d503467766151206392474accd137ffea6dce2420b67c29a",
			"29396f9dfa0f03820b931e8aa06e20cda197e73285ebd76aceb83f7dede493ee",
		},
		{
			"Z1", zc2Go, "f114b5678605376ecf8ce9577db484c5311ed8978cbe34a0d3bc44ebab00809b",
			"2ba7dec1117b1309c6e94910ab80f1f579bd3106e0ac7657a45cf3597af0febb",
		},
	} {
		bodyHash := hexSHA256(tt.request.Body)
		if bodyHash != tt.bodyHash {
			t.Errorf("%s: body hash is %s, want %s", tt.name, bodyHash, tt.bodyHash)
		}
		forms := slices.Collect(canonicalForms(tt.request, []string{"/"}, "", []string{"content-type", "host"}, bodyHash))
		if got := hexSHA256([]byte(forms[0])); got != tt.canonicalHash {
			t.Errorf("%s: canonical hash is %s, want %s", tt.name, got, tt.canonicalHash)
		}
	}
}

func TestZC2Refusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(r *Request, auth string)
		want   Kind
	}{
		{"no authorization", without("Authorization"), Malformed},
		{"other algorithm", reauthorize("ZC2-HMAC-SHA256", "ZC2-HMAC_SHA256"), Unsupported},
		{"older algorithm", reauthorize("ZC2-HMAC-SHA256", "ZC-HMAC-SHA256"), Malformed},
		{"host not signed", reauthorize("content-type;host", "content-type"), Malformed},
		{"content type not signed", reauthorize("content-type;host", "host"), Malformed},
		{"no timestamp", without("X-ZC-Timestamp"), Missing},
		{"bad timestamp", func(r *Request, _ string) { r.Header.Set("X-ZC-Timestamp", "now") }, TimeFormat},
		{"query added", func(r *Request, _ string) { r.RawQuery = "a=b" }, Malformed},
		{"method replaced", func(r *Request, _ string) { r.Method = http.MethodPut }, Mismatch},
		{"body removed", func(r *Request, _ string) { r.Body = nil }, Mismatch},
		{"other port", func(r *Request, _ string) { r.Host = "127.0.0.1:18081" }, Mismatch},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := clone(zc2Go)
			tt.change(r, r.Header.Get("Authorization"))
			claim, err := ParseZC2(r)
			if err == nil {
				err = claim.Verify(sampleSecret)
			}
			wantKind(t, err, tt.want)
		})
	}
}

// TestZC2HostWithoutPort shows that a host signed without its port passes, as for TC3.
func TestZC2HostWithoutPort(t *testing.T) {
	t.Parallel()
	r := clone(zc2Published)
	r.Host += ":443"
	if err := authenticate(r, "Gu5t9xGARNpq86cd98joQYCN3"); err != nil {
		t.Error(err)
	}
}

func TestBearer(t *testing.T) {
	t.Parallel()
	claim, err := ParseBearer(bearer)
	if err != nil {
		t.Fatal(err)
	}
	if claim.Scheme != SchemeBearer || claim.Token != "TOKENEXAMPLE" || claim.AccessKeyID != "" || claim.Nonce != "" {
		t.Errorf("claim = %s", describe(claim))
	}
	if err := claim.Verify("TOKENEXAMPLE"); err != nil {
		t.Error(err)
	}
	for _, other := range []string{"", "TOKEN", "TOKENEXAMPLF", "TOKENEXAMPLE2"} {
		wantKind(t, claim.Verify(other), Mismatch)
	}
	checkWindow(t, claim)
}

func TestBearerRefusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(r *Request)
		want   Kind
	}{
		{"clear text", func(r *Request) { r.TLS = false }, Insecure},
		{"no authorization", func(r *Request) { r.Header.Del("Authorization") }, Malformed},
		{"two authorizations", func(r *Request) { r.Header.Add("Authorization", "Bearer TOKENEXAMPLE") }, Malformed},
		{"no token", func(r *Request) { r.Header.Set("Authorization", "Bearer ") }, Malformed},
		{"other scheme", func(r *Request) { r.Header.Set("Authorization", "Basic TOKENEXAMPLE") }, Malformed},
		{"huge token", func(r *Request) { r.Header.Set("Authorization", "Bearer "+strings.Repeat("t", maxToken+1)) }, Malformed},
	} {
		r := clone(bearer)
		tt.change(r)
		_, err := ParseBearer(r)
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantKind(t, err, tt.want)
		})
	}
}
