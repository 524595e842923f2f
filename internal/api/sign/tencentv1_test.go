package sign

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

// tencentV1Sample is the vendor's published sample.
var tencentV1Sample = Values{
	"Action":        "DescribeInstances",
	"InstanceIds.0": "ins-09dx96dg",
	"Limit":         "20",
	"Nonce":         "11886",
	"Offset":        "0",
	"Region":        "ap-guangzhou",
	"SecretId":      tencentID,
	"Timestamp":     "1465185768",
	"Version":       "2017-03-12",
}

const tencentV1SampleToSign = "GETcvm.tencentcloudapi.com/?Action=DescribeInstances&InstanceIds.0=ins-09dx96dg&Limit=20&Nonce=11886&Offset=0" +
	"&Region=ap-guangzhou&SecretId=" + tencentID + "&Timestamp=1465185768&Version=2017-03-12"

var tencentV1Vectors = []vector{
	{
		name:    "T-P2 SHA-1",
		request: tencentV1GET("cvm.tencentcloudapi.com", with(tencentV1Sample, "Signature", "EliP9YW3pW28FpsEdkXt/+WcGeI=")),
		secret:  sampleSecret,
		claim:   Claim{Scheme: SchemeHmacSHA1, AccessKeyID: tencentID, Time: unix(1465185768)},
	},
	{
		name: "T-P2 SHA-256",
		request: tencentV1GET("cvm.tencentcloudapi.com", with(tencentV1Sample,
			"SignatureMethod", "HmacSHA256", "Signature", "A8uy2/o7WBZXYCTWEFpMrVGhGBVlEGIOioeqRM+fzFs=")),
		secret: sampleSecret,
		claim:  Claim{Scheme: SchemeHmacSHA256, AccessKeyID: tencentID, Time: unix(1465185768)},
	},
}

func tencentV1GET(host string, params Values) *Request {
	return &Request{Method: http.MethodGet, Path: "/", Host: host, RawQuery: query(params)}
}

func TestTencentV1StringToSign(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		params Values
		want   string
	}{
		{"SHA-1", tencentV1Sample, tencentV1SampleToSign},
		{
			"SHA-256", with(tencentV1Sample, "SignatureMethod", "HmacSHA256"),
			strings.Replace(tencentV1SampleToSign, "&Timestamp", "&SignatureMethod=HmacSHA256&Timestamp", 1),
		},
		{
			"decoded and empty values",
			Values{"Z": "a b&c=d", "Region": "", "A": "名"},
			"GETcvm.tencentcloudapi.com/?A=名&Region=&Z=a b&c=d",
		},
		{"nothing", Values{}, "GETcvm.tencentcloudapi.com/"},
	} {
		got := tencentV1StringToSign(http.MethodGet, "cvm.tencentcloudapi.com", "/", with(tt.params, "Signature", "x"))
		if got != tt.want {
			t.Errorf("%s: string to sign\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestTencentV1Refusals(t *testing.T) {
	t.Parallel()
	complete := with(tencentV1Sample, "Signature", "EliP9YW3pW28FpsEdkXt/+WcGeI=")
	for _, tt := range []struct {
		name  string
		set   []string
		want  Kind
		param string
	}{
		{"no key", []string{"SecretId", ""}, Missing, "SecretId"},
		{"no signature", []string{"Signature", ""}, Missing, "Signature"},
		{"no timestamp", []string{"Timestamp", ""}, Missing, "Timestamp"},
		{"no nonce", []string{"Nonce", ""}, Missing, "Nonce"},
		{"other method", []string{"SignatureMethod", "HmacMD5"}, Unsupported, ""},
		{"timestamp as text", []string{"Timestamp", "2016-06-06T03:29:28Z"}, TimeFormat, ""},
		{"nonce as text", []string{"Nonce", "abc"}, Malformed, ""},
		{"negative nonce", []string{"Nonce", "-1"}, Malformed, ""},
		{"huge nonce", []string{"Nonce", strings.Repeat("1", 21)}, Malformed, ""},
		{"long key", []string{"SecretId", strings.Repeat("k", 129)}, Malformed, ""},
		{"name that spells a parameter", []string{"Limit=20&Nonce", "1"}, Malformed, ""},
		{"method stated", []string{"SignatureMethod", "HmacSHA1"}, Mismatch, ""},
		{"token added", []string{"Token", "t"}, Mismatch, ""},
		{"empty parameter added", []string{"Filters.0.Name", ""}, Mismatch, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := authenticate(tencentV1GET("cvm.tencentcloudapi.com", with(complete, tt.set...)), sampleSecret)
			wantKind(t, err, tt.want)
			if refused := new(Error); errors.As(err, &refused) && refused.Param != tt.param {
				t.Errorf("names parameter %q, want %q", refused.Param, tt.param)
			}
		})
	}
}

func TestTencentV1HostAndPath(t *testing.T) {
	t.Parallel()
	params := with(tencentV1Sample, "Signature", "EliP9YW3pW28FpsEdkXt/+WcGeI=")
	for _, tt := range []struct {
		host, path string
		refused    bool
	}{
		{"cvm.tencentcloudapi.com", "/", false},
		{"cvm.tencentcloudapi.com:8443", "/", false},
		{"cvm.tencentcloudapi.com", "/tat", false},
		{"tat.tencentcloudapi.com", "/", true},
	} {
		r := tencentV1GET(tt.host, params)
		r.Path = tt.path
		if err := authenticate(r, sampleSecret); (err != nil) != tt.refused {
			t.Errorf("%s%s: %v", tt.host, tt.path, err)
		}
	}
}
