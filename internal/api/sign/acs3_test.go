package sign

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// acs3Example is a worked example of the ACS3 scheme with its intermediate strings.
type acs3Example struct {
	vector
	canonical string
	hash      string // of canonical
}

// The first example is the vendor's published one.
var acs3Examples = []acs3Example{
	{
		vector: vector{
			name: "B-1 published",
			request: &Request{
				Method: http.MethodPost, Path: "/", Host: "ecs.cn-shanghai.aliyuncs.com",
				RawQuery: "ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai",
				Header: headers(
					"x-acs-action", "RunInstances",
					"x-acs-content-sha256", emptyHash,
					"x-acs-date", "2023-10-26T10:22:32Z",
					"x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d",
					"x-acs-version", "2014-05-26",
					"Authorization", "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;"+
						"x-acs-date;x-acs-signature-nonce;x-acs-version,Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
				),
			},
			secret: "YourAccessKeySecret",
			claim: Claim{
				Scheme: SchemeACS3, AccessKeyID: "YourAccessKeyId", Time: utc("2023-10-26T10:22:32Z"),
				Nonce: "3156853299f313e23d1673dc12e1703d",
			},
		},
		canonical: `POST
/
ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai
host:ecs.cn-shanghai.aliyuncs.com
x-acs-action:RunInstances
x-acs-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
x-acs-date:2023-10-26T10:22:32Z
x-acs-signature-nonce:3156853299f313e23d1673dc12e1703d
x-acs-version:2014-05-26

host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855`,
		hash: "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259",
	},
	{
		vector: vector{
			name: "B-2 special characters",
			request: &Request{
				Method: http.MethodPost, Path: "/", Host: "127.0.0.1:8080",
				RawQuery: query(Values{
					"RegionId": "cn-hangzhou", "Type": "RunShellScript", "CommandContent": "echo 中文 ~*+ {{name}} a=b&c/d",
					"InstanceId.1": "i-1", "InstanceId.2": "i-2", "Tag.1.Key": "k 1", "Tag.1.Value": "", "Parameters": `{"name":"Jack"}`,
				}),
				Header: headers(
					"x-acs-action", "RunCommand",
					"x-acs-content-sha256", emptyHash,
					"x-acs-credentials-provider", "static_ak",
					"x-acs-date", "2026-01-02T03:04:05Z",
					"x-acs-signature-nonce", "3c6db409acf8fb7ee8279c49664da1f6",
					"x-acs-version", "2014-05-26",
					"Authorization", "ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=host;x-acs-action;x-acs-content-sha256;"+
						"x-acs-credentials-provider;x-acs-date;x-acs-signature-nonce;x-acs-version,"+
						"Signature=fa896e476f404c8aa1e1e3e5978bf03095d8f4bfcd73daba43653848b4d082a1",
				),
			},
			secret: "testsecret",
			claim: Claim{
				Scheme: SchemeACS3, AccessKeyID: "testid", Time: utc("2026-01-02T03:04:05Z"),
				Nonce: "3c6db409acf8fb7ee8279c49664da1f6",
			},
		},
		canonical: `POST
/
CommandContent=echo%20%E4%B8%AD%E6%96%87%20~%2A%2B%20%7B%7Bname%7D%7D%20a%3Db%26c%2Fd&InstanceId.1=i-1&InstanceId.2=i-2&Parameters=%7B%22name%22%3A%22Jack%22%7D&RegionId=cn-hangzhou&Tag.1.Key=k%201&Tag.1.Value=&Type=RunShellScript
host:127.0.0.1:8080
x-acs-action:RunCommand
x-acs-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
x-acs-credentials-provider:static_ak
x-acs-date:2026-01-02T03:04:05Z
x-acs-signature-nonce:3c6db409acf8fb7ee8279c49664da1f6
x-acs-version:2014-05-26

host;x-acs-action;x-acs-content-sha256;x-acs-credentials-provider;x-acs-date;x-acs-signature-nonce;x-acs-version
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855`,
		hash: "9ba99a0fef754738c8205bd56f5ba9fbbe135511fe9f0af11e963dd998e28082",
	},
	{
		vector: vector{
			name: "B-3 form and temporary credential",
			request: &Request{
				Method: http.MethodPost, Path: "/", Host: "127.0.0.1:8080",
				Body: []byte("CommandContent=ZWNobyAxMjM%3D&ContentEncoding=Base64&NodeIdList=%5B%22e01-cn-1%22%2C%22e01-cn-2%22%5D&Timeout=60"),
				Header: headers(
					"content-type", "application/x-www-form-urlencoded",
					"x-acs-accesskey-id", "stsid",
					"x-acs-action", "RunCommand",
					"x-acs-content-sha256", "2522a1053cad950d59c1487f976f1808367a485356ac6c0769a99bbe3e7831ac",
					"x-acs-credentials-provider", "static_sts",
					"x-acs-date", "2026-01-02T03:04:05Z",
					"x-acs-security-token", "CAISexampleToken==",
					"x-acs-signature-nonce", "f98aab0cb38d812c85ef07ed5f7af7f6",
					"x-acs-version", "2022-12-15",
					"Authorization", "ACS3-HMAC-SHA256 Credential=stsid,SignedHeaders=content-type;host;x-acs-accesskey-id;x-acs-action;"+
						"x-acs-content-sha256;x-acs-credentials-provider;x-acs-date;x-acs-security-token;x-acs-signature-nonce;x-acs-version,"+
						"Signature=d6550fe3cd041ed8c0423706684c76f0b8eb7e62960196d0100dedcef2255a4c",
				),
			},
			secret: "stssecret",
			claim: Claim{
				Scheme: SchemeACS3, AccessKeyID: "stsid", Token: "CAISexampleToken==", Time: utc("2026-01-02T03:04:05Z"),
				Nonce: "f98aab0cb38d812c85ef07ed5f7af7f6",
			},
		},
		canonical: `POST
/

content-type:application/x-www-form-urlencoded
host:127.0.0.1:8080
x-acs-accesskey-id:stsid
x-acs-action:RunCommand
x-acs-content-sha256:2522a1053cad950d59c1487f976f1808367a485356ac6c0769a99bbe3e7831ac
x-acs-credentials-provider:static_sts
x-acs-date:2026-01-02T03:04:05Z
x-acs-security-token:CAISexampleToken==
x-acs-signature-nonce:f98aab0cb38d812c85ef07ed5f7af7f6
x-acs-version:2022-12-15

content-type;host;x-acs-accesskey-id;x-acs-action;x-acs-content-sha256;x-acs-credentials-provider;x-acs-date;x-acs-security-token;x-acs-signature-nonce;x-acs-version
2522a1053cad950d59c1487f976f1808367a485356ac6c0769a99bbe3e7831ac`,
		hash: "80372fb1df7acd88fe7134d50467a702ca44e0e968a375a2e4add7a87c9e5122",
	},
}

var acs3Vectors = []vector{acs3Examples[0].vector, acs3Examples[1].vector, acs3Examples[2].vector}

func TestACS3CanonicalRequest(t *testing.T) {
	t.Parallel()
	for _, e := range acs3Examples {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			auth, err := parseAuthorization(e.request, acs3Algorithm)
			if err != nil {
				t.Fatal(err)
			}
			params, err := decode(e.request.RawQuery)
			if err != nil {
				t.Fatal(err)
			}
			got := acs3CanonicalRequest(e.request, params, auth.signedHeaders, hexSHA256(e.request.Body))
			if got != e.canonical {
				t.Errorf("canonical request\n got %s\nwant %s", got, e.canonical)
			}
			wantToSign := "ACS3-HMAC-SHA256\n" + e.hash
			if got := acs3StringToSign(got); got != wantToSign {
				t.Errorf("string to sign is %q, want %q", got, wantToSign)
			}
			var refused *Error
			if err := authenticate(e.request, "another"); !errors.As(err, &refused) || refused.StringToSign != wantToSign {
				t.Errorf("refusal %+v does not show the string to sign", err)
			}
		})
	}
}

func TestACS3Refusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(r *Request, auth string)
		want   Kind
	}{
		{"no authorization", func(r *Request, _ string) { r.Header.Del("Authorization") }, Malformed},
		{"two authorizations", func(r *Request, auth string) { r.Header.Add("Authorization", auth) }, Malformed},
		{"SM3", reauthorize("ACS3-HMAC-SHA256", "ACS3-HMAC-SM3"), Unsupported},
		{"RSA", reauthorize("ACS3-HMAC-SHA256", "ACS3-RSA-SHA256"), Unsupported},
		{"foreign algorithm", reauthorize("ACS3-HMAC-SHA256", "Basic"), Malformed},
		{"no credential", reauthorize("Credential=stsid,", ""), Malformed},
		{"empty credential", reauthorize("Credential=stsid,", "Credential=,"), Malformed},
		{"credential twice", reauthorize("Credential=stsid,", "Credential=stsid,Credential=stsid,"), Malformed},
		{"unknown part", reauthorize("Credential=stsid,", "Credential=stsid,Realm=x,"), Malformed},
		{"long credential", reauthorize("stsid", strings.Repeat("k", 129)), Malformed},
		{"no signature", reauthorize(",Signature=d6550fe3cd041ed8c0423706684c76f0b8eb7e62960196d0100dedcef2255a4c", ""), Malformed},
		{"upper-case signature", reauthorize("d6550fe3", "D6550FE3"), Malformed},
		{"short signature", reauthorize("d6550fe3", ""), Malformed},
		{"huge authorization", reauthorize("Credential=", "Credential="+strings.Repeat("k", maxAuthorization)), Malformed},
		{"too many signed headers", reauthorize("content-type;", strings.Repeat("h;", maxSignedHeaders)+"content-type;"), Malformed},
		{"signed header twice", reauthorize("host;", "host;host;"), Malformed},
		{"signed header in upper case", reauthorize("host;", "Host;"), Malformed},
		{"signed header absent", reauthorize("host;", "host;x-acs-absent;"), Malformed},
		{"host not signed", reauthorize("host;", ""), Malformed},
		{"content type not signed", reauthorize("content-type;", ""), Malformed},
		{"body hash not signed", reauthorize("x-acs-content-sha256;", ""), Malformed},
		{"action not signed", reauthorize("x-acs-action;", ""), Malformed},
		{"version not signed", reauthorize(";x-acs-version", ""), Malformed},
		{"date not signed", reauthorize("x-acs-date;", ""), Malformed},
		{"nonce not signed", reauthorize("x-acs-signature-nonce;", ""), Malformed},
		{"token not signed", reauthorize("x-acs-security-token;", ""), Malformed},
		{"vendor header added", func(r *Request, _ string) { r.Header.Set("x-acs-extra", "1") }, Malformed},
		{"signed header repeated", func(r *Request, _ string) { r.Header.Add("x-acs-action", "RunCommand") }, Mismatch},
		{"no action", without("x-acs-action"), Missing},
		{"no version", without("x-acs-version"), Missing},
		{"no date", without("x-acs-date"), Missing},
		{"no nonce", without("x-acs-signature-nonce"), Missing},
		{"no body hash", without("x-acs-content-sha256"), Malformed},
		{"no content type", without("content-type"), Malformed},
		{"long nonce", func(r *Request, _ string) { r.Header.Set("x-acs-signature-nonce", strings.Repeat("n", 129)) }, Malformed},
		{"bad date", func(r *Request, _ string) { r.Header.Set("x-acs-date", "yesterday") }, TimeFormat},
		{"bad query", func(r *Request, _ string) { r.RawQuery = "a=%zz" }, Undecodable},
		{"query added", func(r *Request, _ string) { r.RawQuery = "Timeout=1" }, Mismatch},
		{"body replaced", func(r *Request, _ string) { r.Body = []byte("Timeout=1") }, Mismatch},
		{"body removed", func(r *Request, _ string) { r.Body = nil }, Mismatch},
		{"method replaced", func(r *Request, _ string) { r.Method = http.MethodGet }, Mismatch},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := clone(acs3Examples[2].request)
			tt.change(r, r.Header.Get("Authorization"))
			// The test's own choice of scheme would not see what is no ACS3 request at all.
			claim, err := ParseACS3(r)
			if err == nil {
				err = claim.Verify("stssecret")
			}
			wantKind(t, err, tt.want)
		})
	}
}

func reauthorize(from, to string) func(*Request, string) {
	return func(r *Request, auth string) {
		r.Header.Set("Authorization", strings.Replace(auth, from, to, 1))
	}
}

func without(header string) func(*Request, string) {
	return func(r *Request, _ string) { r.Header.Del(header) }
}

// TestACS3ForgedHash signs a wrong hash with the right secret: the signature is good, the body is not what it says.
func TestACS3ForgedHash(t *testing.T) {
	t.Parallel()
	r := clone(acs3Examples[2].request)
	r.Header.Set("x-acs-content-sha256", emptyHash)
	auth, err := parseAuthorization(r, acs3Algorithm)
	if err != nil {
		t.Fatal(err)
	}
	for _, signedHash := range []string{emptyHash, hexSHA256(r.Body)} {
		toSign := acs3StringToSign(acs3CanonicalRequest(r, nil, auth.signedHeaders, signedHash))
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), auth.signature, acs3Signature("stssecret", toSign), 1))
		wantKind(t, authenticate(r, "stssecret"), Mismatch)
	}
}

// TestACS3Injection presents two signed parameters again as one with a name that spells both.
func TestACS3Injection(t *testing.T) {
	t.Parallel()
	r := clone(acs3Examples[0].request)
	r.RawQuery = strings.NewReplacer("=", "%3D", "&", "%26").Replace("ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId") + "=cn-shanghai"
	wantKind(t, authenticate(r, "YourAccessKeySecret"), Mismatch)
}

func TestSignACS3(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 678, time.FixedZone("", 8*3600))
	for _, tt := range []struct {
		name, target string
		body         []byte
		token        string
	}{
		{name: "query", target: "http://127.0.0.1:8080/?Tag.1.Key=k+1&Tag.1.Value=&CommandContent=%E4%B8%AD%20%2A~"},
		{name: "form", target: "http://127.0.0.1:8080/", body: []byte("Timeout=60&Name=a+b")},
		{name: "temporary credential", target: "https://errand.example/", body: []byte("Timeout=60"), token: "token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out, err := http.NewRequestWithContext(t.Context(), http.MethodPost, tt.target, bytes.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			out.Header.Set("X-Acs-Action", "RunCommand")
			out.Header.Set("X-Acs-Version", "2014-05-26")
			if tt.token != "" {
				out.Header.Set("X-Acs-Security-Token", tt.token)
			}
			if err := SignACS3(out, tt.body, "testid", "testsecret", "nonce-1", now); err != nil {
				t.Fatal(err)
			}
			r := NewRequest(out, tt.body)
			claim, err := ParseACS3(r)
			if err != nil {
				t.Fatal(err)
			}
			if err := claim.Verify("testsecret"); err != nil {
				t.Error(err)
			}
			if err := claim.CheckTime(now); err != nil {
				t.Error(err)
			}
			want := &Claim{
				Scheme: SchemeACS3, AccessKeyID: "testid", Token: tt.token, Nonce: "nonce-1",
				Time: now.Truncate(time.Second).UTC(),
			}
			if describe(claim) != describe(want) {
				t.Errorf("claim = %s, want %s", describe(claim), describe(want))
			}
		})
	}
}

func TestSignACS3BadQuery(t *testing.T) {
	t.Parallel()
	out, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/?a=%zz", nil)
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, SignACS3(out, nil, "testid", "testsecret", "nonce-1", time.Unix(0, 0)), Undecodable)
}
