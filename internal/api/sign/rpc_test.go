package sign

import (
	"errors"
	"net/http"
	"testing"
)

// The three worked examples of Alibaba's RPC scheme. The first one is printed in the vendor's own documents.
var (
	rpcRegions = Values{
		"AccessKeyId":      "testid",
		"Action":           "DescribeRegions",
		"Format":           "XML",
		"SignatureMethod":  "HMAC-SHA1",
		"SignatureNonce":   "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf",
		"SignatureVersion": "1.0",
		"Timestamp":        "2016-02-23T12:46:24Z",
		"Version":          "2014-05-26",
	}
	rpcSpecial = Values{
		"AccessKeyId":      "testid",
		"Action":           "RunCommand",
		"CommandContent":   "echo 中文 ~*+ {{name}} a=b&c/d",
		"Format":           "JSON",
		"InstanceId.1":     "i-1",
		"InstanceId.2":     "i-2",
		"Parameters":       `{"name":"Jack"}`,
		"RegionId":         "cn-hangzhou",
		"SignatureMethod":  "HMAC-SHA1",
		"SignatureNonce":   "d15717eeeca3c16c7c92edda1328fa0c",
		"SignatureType":    "",
		"SignatureVersion": "1.0",
		"Tag.1.Key":        "k 1",
		"Tag.1.Value":      "v+1",
		"Timestamp":        "2026-01-02T03:04:05Z",
		"Type":             "RunShellScript",
		"Version":          "2014-05-26",
	}
	rpcCommon = Values{
		"AccessKeyId":      "stsid",
		"Action":           "RunCommand",
		"Format":           "JSON",
		"RegionId":         "cn-wulanchabu",
		"SecurityToken":    "CAISexampleToken==",
		"SignatureMethod":  "HMAC-SHA1",
		"SignatureNonce":   "0d9f8b44-0c3e-4d3f-8a53-7f7b7a7d1e55",
		"SignatureVersion": "1.0",
		"Timestamp":        "2026-01-02T03:04:05Z",
		"Version":          "2022-12-15",
	}
	rpcForm = Values{
		"CommandContent":  "ZWNobyAxMjM=",
		"ContentEncoding": "Base64",
		"NodeIdList":      `["e01-cn-1","e01-cn-2"]`,
		"Timeout":         "60",
	}
)

var rpcVectors = []vector{
	{
		name:    "A-1 GET",
		request: &Request{Method: http.MethodGet, Path: "/", RawQuery: query(with(rpcRegions, "Signature", "OLeaidS1JvxuMvnyHOwuJ+uX5qY="))},
		secret:  "testsecret",
		claim: Claim{
			Scheme: SchemeRPC, AccessKeyID: "testid", Time: utc("2016-02-23T12:46:24Z"),
			Nonce: "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf",
		},
	},
	{
		name:    "A-2 special characters",
		request: &Request{Method: http.MethodPost, Path: "/", RawQuery: query(with(rpcSpecial, "Signature", "8TRetUKo2jm2QnczeR9Eytx8mgo="))},
		secret:  "testsecret",
		claim: Claim{
			Scheme: SchemeRPC, AccessKeyID: "testid", Time: utc("2026-01-02T03:04:05Z"),
			Nonce: "d15717eeeca3c16c7c92edda1328fa0c",
		},
	},
	{
		name: "A-3 form and temporary credential",
		request: &Request{
			Method: http.MethodPost, Path: "/",
			RawQuery: query(with(rpcCommon, "Signature", "KWo2yrBwKycSrDkDxrzaaWnZslY=")),
			Header:   headers("Content-Type", formType),
			Body:     []byte(query(rpcForm)),
		},
		secret: "stssecret",
		claim: Claim{
			Scheme: SchemeRPC, AccessKeyID: "stsid", Token: "CAISexampleToken==", Time: utc("2026-01-02T03:04:05Z"),
			Nonce: "0d9f8b44-0c3e-4d3f-8a53-7f7b7a7d1e55",
		},
	},
}

func TestRPCStringToSign(t *testing.T) {
	t.Parallel()
	merged := with(rpcCommon)
	for name, value := range rpcForm {
		merged[name] = value
	}
	for _, tt := range []struct {
		name, method string
		params       Values
		want         string
	}{
		{"A-1", http.MethodGet, rpcRegions, "GET&%2F&AccessKeyId%3Dtestid%26Action%3DDescribeRegions%26Format%3DXML%26SignatureMethod%3DHMAC-SHA1" +
			"%26SignatureNonce%3D3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf%26SignatureVersion%3D1.0%26Timestamp%3D2016-02-23T12%253A46%253A24Z" +
			"%26Version%3D2014-05-26"},
		{"A-2", http.MethodPost, rpcSpecial, "POST&%2F&AccessKeyId%3Dtestid%26Action%3DRunCommand%26CommandContent%3Decho%2520%25E4%25B8%25AD%25E6" +
			"%2596%2587%2520~%252A%252B%2520%257B%257Bname%257D%257D%2520a%253Db%2526c%252Fd%26Format%3DJSON%26InstanceId.1%3Di-1" +
			"%26InstanceId.2%3Di-2%26Parameters%3D%257B%2522name%2522%253A%2522Jack%2522%257D%26RegionId%3Dcn-hangzhou" +
			"%26SignatureMethod%3DHMAC-SHA1%26SignatureNonce%3Dd15717eeeca3c16c7c92edda1328fa0c%26SignatureType%3D%26SignatureVersion%3D1.0" +
			"%26Tag.1.Key%3Dk%25201%26Tag.1.Value%3Dv%252B1%26Timestamp%3D2026-01-02T03%253A04%253A05Z%26Type%3DRunShellScript" +
			"%26Version%3D2014-05-26"},
		{"A-3", http.MethodPost, merged, "POST&%2F&AccessKeyId%3Dstsid%26Action%3DRunCommand%26CommandContent%3DZWNobyAxMjM%253D" +
			"%26ContentEncoding%3DBase64%26Format%3DJSON%26NodeIdList%3D%255B%2522e01-cn-1%2522%252C%2522e01-cn-2%2522%255D" +
			"%26RegionId%3Dcn-wulanchabu%26SecurityToken%3DCAISexampleToken%253D%253D%26SignatureMethod%3DHMAC-SHA1" +
			"%26SignatureNonce%3D0d9f8b44-0c3e-4d3f-8a53-7f7b7a7d1e55%26SignatureVersion%3D1.0%26Timeout%3D60" +
			"%26Timestamp%3D2026-01-02T03%253A04%253A05Z%26Version%3D2022-12-15"},
	} {
		// The signature itself is not signed.
		if got := rpcStringToSign(tt.method, with(tt.params, "Signature", "x")); got != tt.want {
			t.Errorf("%s: string to sign\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
	wantQuery := "AccessKeyId=testid&Action=RunCommand&CommandContent=echo%20%E4%B8%AD%E6%96%87%20~%2A%2B%20%7B%7Bname%7D%7D%20a%3Db%26c%2Fd" +
		"&Format=JSON&InstanceId.1=i-1&InstanceId.2=i-2&Parameters=%7B%22name%22%3A%22Jack%22%7D&RegionId=cn-hangzhou&SignatureMethod=HMAC-SHA1" +
		"&SignatureNonce=d15717eeeca3c16c7c92edda1328fa0c&SignatureType=&SignatureVersion=1.0&Tag.1.Key=k%201&Tag.1.Value=v%2B1" +
		"&Timestamp=2026-01-02T03%3A04%3A05Z&Type=RunShellScript&Version=2014-05-26"
	if got := canonicalQuery(rpcSpecial); got != wantQuery {
		t.Errorf("canonical query\n got %s\nwant %s", got, wantQuery)
	}
}

// TestRPCMismatchShowsStringToSign keeps what the vendor's clients compare with their own.
func TestRPCMismatchShowsStringToSign(t *testing.T) {
	t.Parallel()
	var refused *Error
	if err := authenticate(rpcVectors[0].request, "another"); !errors.As(err, &refused) {
		t.Fatalf("got %v", err)
	}
	if want := rpcStringToSign(http.MethodGet, rpcRegions); refused.StringToSign != want {
		t.Errorf("string to sign\n got %s\nwant %s", refused.StringToSign, want)
	}
}

func TestRPCRefusals(t *testing.T) {
	t.Parallel()
	complete := with(rpcRegions, "Signature", "OLeaidS1JvxuMvnyHOwuJ+uX5qY=")
	long := string(make([]byte, 10_000))
	for _, tt := range []struct {
		name  string
		set   []string
		want  Kind
		param string
	}{
		{"no key", []string{"AccessKeyId", ""}, Missing, "AccessKeyId"},
		{"no signature", []string{"Signature", ""}, Missing, "Signature"},
		{"no method", []string{"SignatureMethod", ""}, Missing, "SignatureMethod"},
		{"no version", []string{"SignatureVersion", ""}, Missing, "SignatureVersion"},
		{"no nonce", []string{"SignatureNonce", ""}, Missing, "SignatureNonce"},
		{"no timestamp", []string{"Timestamp", ""}, Missing, "Timestamp"},
		{"other method", []string{"SignatureMethod", "HMAC-SHA256"}, Unsupported, ""},
		{"other version", []string{"SignatureVersion", "2.0"}, Unsupported, ""},
		{"time with fraction", []string{"Timestamp", "2016-02-23T12:46:24.5Z"}, TimeFormat, ""},
		{"time with short hour", []string{"Timestamp", "2016-02-23T2:46:24Z"}, TimeFormat, ""},
		{"time with zone", []string{"Timestamp", "2016-02-23T12:46:24+08:00"}, TimeFormat, ""},
		{"time in seconds", []string{"Timestamp", "1456231584"}, TimeFormat, ""},
		{"day that is not", []string{"Timestamp", "2016-02-30T12:46:24Z"}, TimeFormat, ""},
		{"long nonce", []string{"SignatureNonce", long[:129]}, Malformed, ""},
		{"long key", []string{"AccessKeyId", long[:129]}, Malformed, ""},
		{"long token", []string{"SecurityToken", long}, Malformed, ""},
		{"signature that is no base64", []string{"Signature", "!"}, Mismatch, ""},
		{"signature with a line break", []string{"Signature", "OLeaidS1JvxuMvnyHOwuJ+uX5qY=\n"}, Mismatch, ""},
		{"parameter added", []string{"RegionId", ""}, Mismatch, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := &Request{Method: http.MethodGet, Path: "/", RawQuery: query(with(complete, tt.set...))}
			err := authenticate(r, "testsecret")
			wantKind(t, err, tt.want)
			if refused := new(Error); errors.As(err, &refused) && refused.Param != tt.param {
				t.Errorf("names parameter %q, want %q", refused.Param, tt.param)
			}
		})
	}
}

// TestRPCMethodIsSigned also covers clients that put everything into the form.
func TestRPCMethodIsSigned(t *testing.T) {
	t.Parallel()
	all := query(with(rpcSpecial, "Signature", "8TRetUKo2jm2QnczeR9Eytx8mgo="))
	form := &Request{Method: http.MethodPost, Path: "/", Header: headers("Content-Type", formType), Body: []byte(all)}
	if err := authenticate(form, "testsecret"); err != nil {
		t.Errorf("all parameters in the form: %v", err)
	}
	wantKind(t, authenticate(&Request{Method: http.MethodGet, Path: "/", RawQuery: all}, "testsecret"), Mismatch)
}
