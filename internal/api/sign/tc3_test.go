package sign

import (
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// tc3Example is a worked example of TC3 with its intermediate values.
type tc3Example struct {
	vector
	bodyHash      string
	canonicalHash string
	scope         tc3Scope
	key           string // derived, in hex
}

// T-P1 is the vendor's published sample; its variant signs a third header, whose value the vendor's documents put into
// lower case. T1 comes from the Go SDK and T9 from the Node SDK, which signs the host without its port and takes the
// service from the endpoint.
var tc3Examples = []tc3Example{
	{
		vector: vector{
			name: "T-P1 published",
			request: &Request{
				Method: http.MethodPost, Path: "/", Host: "cvm.tencentcloudapi.com",
				Body: []byte(`{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}`),
				Header: headers(
					"Content-Type", "application/json; charset=utf-8",
					"X-TC-Action", "DescribeInstances",
					"X-TC-Timestamp", "1551113065",
					"Authorization", "TC3-HMAC-SHA256 Credential="+tencentID+"/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host, "+
						"Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168",
				),
			},
			secret: sampleSecret,
			claim:  Claim{Scheme: SchemeTC3, AccessKeyID: tencentID, Time: unix(1551113065)},
		},
		bodyHash:      "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064",
		canonicalHash: "5ffe6a04c0664d6b969fab9a13bdab201d63ee709638e2749d62a09ca18d7031",
		scope:         tc3Scope{"2019-02-25", "cvm"},
		key:           "ac658d5dde49e9bfdd14e04e062f66b05d9f637d44b8a8d845327d4a77f666b1",
	},
	{
		vector: vector{
			name: "T-P1 with action signed",
			request: &Request{
				Method: http.MethodPost, Path: "/", Host: "cvm.tencentcloudapi.com",
				Body: []byte(`{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}`),
				Header: headers(
					"Content-Type", "application/json; charset=utf-8",
					"X-TC-Action", "DescribeInstances",
					"X-TC-Timestamp", "1551113065",
					"Authorization", "TC3-HMAC-SHA256 Credential="+tencentID+"/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host;x-tc-action, "+
						"Signature=644be983de9a8a3f00db8eadaba61467c3b429e2215758ba897b738ca469fd26",
				),
			},
			secret: sampleSecret,
			claim:  Claim{Scheme: SchemeTC3, AccessKeyID: tencentID, Time: unix(1551113065)},
		},
		bodyHash:      "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064",
		canonicalHash: "7019a55be8395899b900fb5564e4200d984910f34794a27cb3fb7d10ff6a1e84",
		scope:         tc3Scope{"2019-02-25", "cvm"},
		key:           "ac658d5dde49e9bfdd14e04e062f66b05d9f637d44b8a8d845327d4a77f666b1",
	},
	{
		vector: vector{
			name: "T1 Go",
			request: &Request{
				Method: http.MethodPost, Path: "/", Host: "127.0.0.1:18080",
				Body: []byte(`{"Content":"ZWNobyB7e3dvcmR9fQ==","InstanceIds":["ins-a1b2c3d4"],"CommandName":"名字-1","Timeout":60,` +
					`"EnableParameter":true,"Parameters":"{\"word\":\"a\u003cb\"}"}`),
				Header: headers(
					"Content-Type", "application/json",
					"X-TC-Action", "RunCommand",
					"X-TC-Timestamp", "1795325852",
					"Authorization", "TC3-HMAC-SHA256 Credential="+tencentID+"/2026-11-22/tat/tc3_request, SignedHeaders=content-type;host, "+
						"Signature=ddaa2294507559eb4c54946538c36953113447e08a15f049202845c38746aa34",
				),
			},
			secret: sampleSecret,
			claim:  Claim{Scheme: SchemeTC3, AccessKeyID: tencentID, Time: unix(1795325852)},
		},
		bodyHash:      "aaaa347c22d4de8bd8226502e02f2523682fe4dddd8c42b3f851d9f774f16858",
		canonicalHash: "f4bf13969e3e9c2efa4357051b4605ad7073b5e64df2e486bee8431b5c96715a",
		scope:         tc3Scope{"2026-11-22", "tat"},
		key:           "0db6d5799deab7285d5b9f48496fa3785f300fc003362fe7d042c4ef73c178f2",
	},
	{
		vector: vector{
			name: "T9 Node",
			request: &Request{
				Method: http.MethodPost, Path: "/", Host: "127.0.0.1:18080",
				Body: []byte(`{"Content":"ZWNobyB7e3dvcmR9fQ==","InstanceIds":["ins-a1b2c3d4"],"CommandName":"名字-1",` +
					`"EnableParameter":true,"Parameters":"{\"word\":\"a<b\"}","Timeout":60}`),
				Header: headers(
					"Content-Type", "application/json",
					"X-TC-Action", "RunCommand",
					"X-TC-Timestamp", "1795325857",
					"Authorization", "TC3-HMAC-SHA256 Credential="+tencentID+"/2026-11-22/127/tc3_request, SignedHeaders=content-type;host, "+
						"Signature=43654ed8a1b3f0d4a11247e10affe86a4ab6b30abcb0b32d4946b89d41458fdd",
				),
			},
			secret: sampleSecret,
			claim:  Claim{Scheme: SchemeTC3, AccessKeyID: tencentID, Time: unix(1795325857)},
		},
		bodyHash:      "f18b70931a476c6c405657ac5a0ae8d1ff14631199a474986606c20ad9cca37c",
		canonicalHash: "c0af7ef950180699a0962f987e8eab7c3b2c1684fa34ab468fc4c96f2b3f5cb7",
		scope:         tc3Scope{"2026-11-22", "127"},
		key:           "03075525d37cadd730d9fb821178fd8cb886c8fb4141af6b5223749c40d106f1",
	},
}

// tc3GET is what the Go SDK sends for a GET.
var tc3GET = vector{
	name: "T2 Go GET",
	request: &Request{
		Method: http.MethodGet, Path: "/", Host: "127.0.0.1:18080",
		RawQuery: "Filters.0.Name=invocation-id&Filters.0.Values.0=inv-1vll7hda&Filters.1.Name=instance-id&Filters.1.Values.0=ins-a" +
			"&Filters.1.Values.1=ins+b%26c%3Dd&HideOutput=false&Limit=10&Offset=0",
		Header: headers(
			"Content-Type", "application/x-www-form-urlencoded",
			"X-TC-Timestamp", "1795325853",
			"Authorization", "TC3-HMAC-SHA256 Credential="+tencentID+"/2026-11-22/tat/tc3_request, SignedHeaders=content-type;host, "+
				"Signature=4f571460dbea3466d4aca03f95c11b64212da96d8e4b5a5021deb6cef9b9f012",
		),
	},
	secret: sampleSecret,
	claim:  Claim{Scheme: SchemeTC3, AccessKeyID: tencentID, Time: unix(1795325853)},
}

var tc3Vectors = []vector{
	tc3Examples[0].vector, tc3Examples[1].vector, tc3Examples[2].vector, tc3Examples[3].vector, tc3GET,
}

func TestTC3Intermediates(t *testing.T) {
	t.Parallel()
	for _, e := range tc3Examples {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			auth, err := parseAuthorization(e.request, tc3Algorithm)
			if err != nil {
				t.Fatal(err)
			}
			keyID, scope, err := splitTC3Credential(auth.credential)
			if err != nil || keyID != tencentID || scope != e.scope {
				t.Errorf("credential is %q %v (%v), want scope %v", keyID, scope, err, e.scope)
			}
			bodyHash := hexSHA256(e.request.Body)
			if bodyHash != e.bodyHash {
				t.Errorf("body hash is %s, want %s", bodyHash, e.bodyHash)
			}
			if got := hex.EncodeToString(tc3Key(e.secret, scope)); got != e.key {
				t.Errorf("key is %s, want %s", got, e.key)
			}
			var hashes []string
			for canonical := range canonicalForms(e.request, pathForms("/"), "", auth.signedHeaders, bodyHash) {
				hashes = append(hashes, hexSHA256([]byte(canonical)))
			}
			if !slices.Contains(hashes, e.canonicalHash) {
				t.Errorf("canonical hashes are %v, want %s among them", hashes, e.canonicalHash)
			}
		})
	}
}

func TestTC3KeyChain(t *testing.T) {
	t.Parallel()
	k1 := hmacSHA256([]byte("TC3"+sampleSecret), "2019-02-25")
	k2 := hmacSHA256(k1, "cvm")
	if got, want := hex.EncodeToString(k1), "d1308c81fe71cfd4e06437bbc067b2b8a3d2d8c0e375d547f15c41d5214b395a"; got != want {
		t.Errorf("k1 is %s, want %s", got, want)
	}
	if got, want := hex.EncodeToString(k2), "3c7cb7c7795393edc14fd2e0e6434a518564b4504b88e94f5d11bf59ba3e7050"; got != want {
		t.Errorf("k2 is %s, want %s", got, want)
	}
}

func TestTC3Refusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(r *Request, auth string)
		want   Kind
	}{
		{"signing skipped", func(r *Request, _ string) { r.Header.Set("Authorization", "SKIP") }, Malformed},
		{"no authorization", without("Authorization"), Malformed},
		{"SM3", reauthorize("TC3-HMAC-SHA256", "TC3-HMAC-SM3"), Unsupported},
		{"only content type signed", reauthorize("content-type;host", "content-type"), Malformed},
		{"only host signed", reauthorize("content-type;host", "host"), Malformed},
		{"content type absent", without("Content-Type"), Malformed},
		{"no scope", reauthorize("/2026-11-22/tat/tc3_request", ""), Malformed},
		{"no service", reauthorize("/tat", ""), Malformed},
		{"empty service", reauthorize("/tat/", "//"), Malformed},
		{"huge service", reauthorize("/tat/", "/"+strings.Repeat("t", maxService+1)+"/"), Malformed},
		{"other ending", reauthorize("tc3_request", "tc4_request"), Malformed},
		{"empty id", reauthorize(tencentID, ""), Malformed},
		{"scope date of another day", reauthorize("2026-11-22", "2026-11-23"), Mismatch},
		{"scope date that is none", reauthorize("2026-11-22", "today"), Mismatch},
		{"other service", reauthorize("/tat/", "/cvm/"), Mismatch},
		{"no timestamp", without("X-TC-Timestamp"), Missing},
		{"timestamp with fraction", func(r *Request, _ string) { r.Header.Set("X-TC-Timestamp", "1795325852.0") }, TimeFormat},
		{"timestamp with sign", func(r *Request, _ string) { r.Header.Set("X-TC-Timestamp", "+1795325852") }, TimeFormat},
		{"timestamp in the far future", func(r *Request, _ string) { r.Header.Set("X-TC-Timestamp", "179532585200") }, TimeFormat},
		{"timestamp one second off", func(r *Request, _ string) { r.Header.Set("X-TC-Timestamp", "1795325853") }, Mismatch},
		{"query added", func(r *Request, _ string) { r.RawQuery = "Timeout=1" }, Malformed},
		{"huge token", func(r *Request, _ string) { r.Header.Set("X-TC-Token", strings.Repeat("t", maxToken+1)) }, Malformed},
		{"content type repeated", func(r *Request, _ string) { r.Header.Add("Content-Type", "text/plain") }, Mismatch},
		{"method replaced", func(r *Request, _ string) { r.Method = http.MethodGet }, Mismatch},
		{"body removed", func(r *Request, _ string) { r.Body = nil }, Mismatch},
		{"other port", func(r *Request, _ string) { r.Host = "127.0.0.1:18081" }, Mismatch},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := clone(tc3Examples[2].request)
			tt.change(r, r.Header.Get("Authorization"))
			claim, err := ParseTC3(r)
			if err == nil {
				err = claim.Verify(sampleSecret)
			}
			wantKind(t, err, tt.want)
		})
	}
}

// TestTC3WrongScopeDate signs properly for a date that is not the timestamp's.
func TestTC3WrongScopeDate(t *testing.T) {
	t.Parallel()
	r := clone(tc3Examples[2].request)
	signTC3(t, r, tc3Scope{"2026-11-23", "tat"}, "/", r.Host)
	wantKind(t, authenticate(r, sampleSecret), Mismatch)
}

func TestTC3QueryOrderIsSigned(t *testing.T) {
	t.Parallel()
	r := clone(tc3GET.request)
	r.RawQuery = strings.Replace(r.RawQuery, "Limit=10&Offset=0", "Offset=0&Limit=10", 1)
	wantKind(t, authenticate(r, sampleSecret), Mismatch)
}

// TestTC3Endpoints covers what clients sign when they are pointed at unusual endpoints.
func TestTC3Endpoints(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, host, path       string // as received
		signedHost, signedPath string
		service                string
		refused                bool
	}{
		{"as received", "tat.example.com", "/", "tat.example.com", "/", "tat", false},
		{"service with port", "localhost:18080", "/", "localhost", "/", "localhost:18080", false},
		{"service with slash", "localhost:18080", "/", "localhost:18080", "/", "localhost:18080/tat", false},
		{"IPv6 without port", "[::1]:18080", "/", "[::1]", "/", "tat", false},
		{"host signed in lower case", "TAT.Example.com:443", "/", "tat.example.com", "/", "tat", false},
		{"path called and signed", "127.0.0.1:1", "/tat/", "127.0.0.1", "/tat/", "127", false},
		{"path called, root signed", "127.0.0.1:1", "/tat", "127.0.0.1:1", "/", "tat", false},
		{"other path signed", "127.0.0.1:1", "/tat", "127.0.0.1:1", "/cvm", "tat", true},
		{"port only signed", "127.0.0.1", "/", "127.0.0.1:1", "/", "tat", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := clone(tc3Examples[2].request)
			r.Host, r.Path = tt.host, tt.path
			signTC3(t, r, tc3Scope{"2026-11-22", tt.service}, tt.signedPath, tt.signedHost)
			if err := authenticate(r, sampleSecret); (err != nil) != tt.refused {
				t.Errorf("got %v", err)
			}
		})
	}
}

// signTC3 signs like a client that names itself path and host.
func signTC3(t *testing.T, r *Request, scope tc3Scope, path, host string) {
	t.Helper()
	signed := []string{"content-type", "host"}
	canonical := canonicalRequest(r.Method, path, "", canonicalHeaders(r, signed, host), signed, hexSHA256(r.Body))
	toSign := tc3StringToSign(r.Header.Get("X-TC-Timestamp"), scope, canonical)
	r.Header.Set("Authorization", "TC3-HMAC-SHA256 Credential="+tencentID+"/"+scope.String()+", SignedHeaders=content-type;host, Signature="+
		tc3Signature(tc3Key(sampleSecret, scope), toSign))
}

func TestTC3UnsignedPayload(t *testing.T) {
	t.Parallel()
	// T5 of the captures, from the Go SDK.
	unsigned := &Request{
		Method: http.MethodPost, Path: "/", Host: "127.0.0.1:18080",
		Body: []byte(`{"Content":"bHM=","InstanceIds":["ins-a"]}`),
		Header: headers(
			"Content-Type", "application/json",
			"X-TC-Content-SHA256", "UNSIGNED-PAYLOAD",
			"X-TC-Timestamp", "1795325854",
			"Authorization", "TC3-HMAC-SHA256 Credential="+tencentID+"/2026-11-22/tat/tc3_request, SignedHeaders=content-type;host, "+
				"Signature=2c1cdb29dd66e0db725d139e833aec0b6c28a0e288d125cf29a7a90b95d3629f",
		),
	}
	wantKind(t, authenticate(unsigned, sampleSecret), Insecure)

	for _, open := range []func(*Request){
		func(r *Request) { r.TLS = true },
		func(r *Request) { r.Loopback = true },
	} {
		r := clone(unsigned)
		open(r)
		if err := authenticate(r, sampleSecret); err != nil {
			t.Errorf("TLS %t, loopback %t: %v", r.TLS, r.Loopback, err)
		}
		r.Header.Del("X-TC-Content-SHA256")
		wantKind(t, authenticate(r, sampleSecret), Mismatch)
	}
}
