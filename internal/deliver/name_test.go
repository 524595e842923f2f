package deliver

import (
	"strings"
	"testing"
)

func TestObjectName(t *testing.T) {
	t.Parallel()
	for want, parts := range map[string][3]string{
		"logs/inv-1/invt-1.log":   {"logs", "inv-1", "invt-1"},
		"a/b/inv-1/invt-1.log":    {"/a/b/", "inv-1", "invt-1"},
		"inv-1/invt-1.log":        {"", "inv-1", "invt-1"},
		"logs/invt-1.log":         {"logs", "", "invt-1"},
		"invt-1.log":              {"/", "", "invt-1"},
		"日志/x y/inv-1/invt-1.log": {"日志/x y", "inv-1", "invt-1"},
	} {
		if got := ObjectName(parts[0], parts[1], parts[2]); got != want {
			t.Errorf("ObjectName(%q) = %q, want %q", parts, got, want)
		}
	}
}

func TestObjectURL(t *testing.T) {
	t.Parallel()
	const address = "https://logs-1250000000.cos.ap-beijing.myqcloud.com"
	for _, bucket := range []string{address, address + "/"} {
		if got, want := ObjectURL(bucket, "p/i+v/日.log"), address+"/p/i%2Bv/%E6%97%A5.log"; got != want {
			t.Errorf("ObjectURL(%q) = %q, want %q", bucket, got, want)
		}
	}
}

func TestParseOSS(t *testing.T) {
	t.Parallel()
	for place, want := range map[string]struct {
		bucket, prefix string
		fault          Fault // of what is refused
	}{
		"oss://abc":                     {bucket: "abc"},
		"oss://abc/":                    {bucket: "abc"},
		"oss://test-bucket/test-prefix": {bucket: "test-bucket", prefix: "test-prefix"},
		"oss://test-bucket/a/b/":        {bucket: "test-bucket", prefix: "a/b/"},
		"oss://0" + strings.Repeat("-", 61) + "9/日志": {bucket: "0" + strings.Repeat("-", 61) + "9", prefix: "日志"},
		"":              {fault: FaultNoBucket},
		"oss://":        {fault: FaultNoBucket},
		"oss:///prefix": {fault: FaultNoBucket},
		"OSS://abc":     {fault: FaultNoBucket},
		"https://abc.oss-cn-hangzhou.aliyuncs.com/x": {fault: FaultNoBucket},
		"oss://ab/x":                       {fault: FaultNoBucket},
		"oss://" + strings.Repeat("a", 64): {fault: FaultNoBucket},
		"oss://Abc/x":                      {fault: FaultNoBucket},
		"oss://a_bc/x":                     {fault: FaultNoBucket},
		"oss://a.bc/x":                     {fault: FaultNoBucket},
		"oss://-abc/x":                     {fault: FaultNoBucket},
		"oss://abc-/x":                     {fault: FaultNoBucket},
		"oss://abc//x":                     {fault: FaultInvalidName},
		"oss://abc//":                      {fault: FaultInvalidName},
		`oss://abc/\x`:                     {fault: FaultInvalidName},
		"oss://abc/a/../b":                 {fault: FaultInvalidName},
		"oss://abc/a\nb":                   {fault: FaultInvalidName},
		"oss://abc/\xff":                   {fault: FaultInvalidName},
		"oss://abc/" + strings.Repeat("x", maxKey):     {bucket: "abc", prefix: strings.Repeat("x", maxKey)},
		"oss://abc/" + strings.Repeat("x", maxKey+1):   {fault: FaultInvalidName},
		"oss://abc/" + strings.Repeat("字", maxKey/3+1): {fault: FaultInvalidName},
	} {
		bucket, prefix, err := ParseOSS(place)
		if want.fault != FaultOther {
			if err == nil || FaultOf(err) != want.fault || Retryable(err) {
				t.Errorf("ParseOSS(%q): %v: %v, want %v", place, err, FaultOf(err), want.fault)
			}
		} else if err != nil || bucket != want.bucket || prefix != want.prefix {
			t.Errorf("ParseOSS(%q) = %q, %q, %v, want %q, %q", place, bucket, prefix, err, want.bucket, want.prefix)
		}
	}
}

func TestParseCOS(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{ // empty if it is refused
		"https://logs-1250000000.cos.ap-beijing.myqcloud.com":  "logs-1250000000",
		"https://logs-1250000000.cos.ap-beijing.myqcloud.com/": "logs-1250000000",
		"https://LOGS-1250000000.COS.example.com:9000":         "logs-1250000000",
		"https://cos.example.com/logs-1250000000":              "logs-1250000000",
		"https://127.0.0.1:9000/logs-1250000000/":              "logs-1250000000",
		"https://logs-1250000000":                              "logs-1250000000",
		"http://logs-1250000000.cos.ap-beijing.myqcloud.com":   "",
		"https://127.0.0.1:9000":                               "",
		"https://[::1]:9000":                                   "",
		"https://":                                             "",
		"https://:9000/logs-1250000000":                        "",
		"https://cos.example.com/logs-1250000000/more":         "",
		"https://cos.example.com/Logs":                         "",
		"https://cos.example.com/a.bc":                         "",
		"https://cos.example.com/%2e%2e":                       "",
		"https://b.cos.example.com":                            "",
		"https://b_c_d.cos.example.com":                        "",
		"https://user@logs-1250000000.cos.example.com":         "",
		"https://logs-1250000000.cos.example.com?x=y":          "",
		"https://logs-1250000000.cos.example.com#x":            "",
		"https://logs-1250000000.cos.example.com/%zz":          "",
		"logs-1250000000":                                      "",
		"":                                                     "",
	} {
		got, err := ParseCOS(address)
		if want == "" {
			if FaultOf(err) != FaultNoBucket {
				t.Errorf("ParseCOS(%q) = %q, %v", address, got, err)
			}
		} else if err != nil || got != want {
			t.Errorf("ParseCOS(%q) = %q, %v, want %q", address, got, err, want)
		}
	}
}

// FuzzPlaces: what is accepted names a bucket that can exist and prefixes that make names that can.
func FuzzPlaces(f *testing.F) {
	f.Add("oss://bucket/prefix")
	f.Add("https://bucket-1250000000.cos.ap-beijing.myqcloud.com")
	f.Add("https://host/bucket")
	f.Fuzz(func(t *testing.T, place string) {
		bucket, prefix, err := ParseOSS(place)
		if err == nil {
			if err := checkBucket(bucket); err != nil || "oss://"+strings.TrimSuffix(bucket+"/"+prefix, "/") != strings.TrimSuffix(place, "/") {
				t.Errorf("%q: %q, %q, %v", place, bucket, prefix, err)
			}
			if key := ObjectName(prefix, "i", "t"); len(key) <= maxKey {
				if err := checkKey(key); err != nil {
					t.Errorf("%q: object %q: %v", place, key, err)
				}
			}
		} else if FaultOf(err) == FaultOther {
			t.Errorf("%q: %v", place, err)
		}
		if bucket, err := ParseCOS(place); err == nil {
			if err := checkBucket(bucket); err != nil || !strings.Contains(strings.ToLower(place), bucket) && !strings.Contains(place, "%") {
				t.Errorf("%q: %q, %v", place, bucket, err)
			}
		}
	})
}

func TestParsePlace(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		address, prefix, bucket string
		fault                   Fault // of what is refused
	}{
		{"oss://abc", "", "abc", 0},
		{"oss://abc", "a/b/", "abc", 0},
		{"https://logs-1.cos.example.com", "日志", "logs-1", 0},
		{"https://cos.example.com/logs-1", "", "logs-1", 0},
		{"oss://Abc", "", "", FaultNoBucket},
		{"oss:/abc", "", "", FaultNoBucket},
		{"abc", "", "", FaultNoBucket},
		{"", "", "", FaultNoBucket},
		{"oss://abc", "/a", "", FaultInvalidName},
		{"oss://abc", "a/../b", "", FaultInvalidName},
		{"https://logs-1.cos.example.com", "a\n", "", FaultInvalidName},
	} {
		bucket, err := ParsePlace(tt.address, tt.prefix)
		if tt.bucket != "" && (err != nil || bucket != tt.bucket) || tt.bucket == "" && (err == nil || FaultOf(err) != tt.fault) {
			t.Errorf("ParsePlace(%q, %q) = %q, %v", tt.address, tt.prefix, bucket, err)
		}
	}
}

func TestURI(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"oss://logs":                      "oss://logs/a b/c.log",
		"https://logs.cos.example.com/":   "https://logs.cos.example.com/a%20b/c.log",
		"https://cos.example.com:90/logs": "https://cos.example.com:90/logs/a%20b/c.log",
	} {
		if got := URI(address, "logs", "a b/c.log"); got != want {
			t.Errorf("URI(%q) = %q, want %q", address, got, want)
		}
	}
}
