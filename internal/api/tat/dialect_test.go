package tat

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api"
	"errand/internal/api/sign"
	"errand/internal/core"
)

// TestRequestForms sends the same request in every form that the vendor's clients have.
func TestRequestForms(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	n := c.node("ins-a1b2c3d4")
	id := c.run("echo hi", n)
	c.scene.Exit(id, n, 0, "hi\n", "")
	inv := invocationPrefix + id.String()
	flat := map[string]string{
		"Filters.0.Name": "invocation-id", "Filters.0.Values.0": inv, "Filters.1.Name": "instance-id",
		"Filters.1.Values.1": "ins-a1b2c3d4", "Filters.1.Values.3": "ins-other", "HideOutput": "False", "Limit": "10", "Offset": "0",
	}
	query := url.Values{}
	for name, value := range flat {
		query.Set(name, value)
	}
	var want []byte
	for name, r := range map[string]reply{
		"TC3 POST": c.call("DescribeInvocationTasks", object("HideOutput", false, "Limit", 10, "Offset", 0, "Filters", []any{
			map[string]any{"Name": "invocation-id", "Values": []string{inv}},
			map[string]any{"Name": "instance-id", "Values": []string{"ins-a1b2c3d4", "ins-other"}},
		})),
		"TC3 POST, charset": c.v3(http.MethodPost, "DescribeInvocationTasks", "", "application/json; charset=utf-8",
			`{"HideOutput":false,"Limit":null}`),
		"TC3 GET":         c.get("DescribeInvocationTasks", query),
		"HmacSHA1 POST":   c.v1(http.MethodPost, "HmacSHA1", "DescribeInvocationTasks", flat),
		"HmacSHA1 GET":    c.v1(http.MethodGet, "HmacSHA1", "DescribeInvocationTasks", flat),
		"HmacSHA256 POST": c.v1(http.MethodPost, "HmacSHA256", "DescribeInvocationTasks", flat),
		"HmacSHA256 GET":  c.v1(http.MethodGet, "HmacSHA256", "DescribeInvocationTasks", flat),
	} {
		resp := ok[describeInvocationTasksResponse](r)
		if resp.TotalCount != 1 || len(resp.InvocationTaskSet) != 1 || resp.InvocationTaskSet[0].TaskResult.Output != b64("hi\n") {
			t.Errorf("%s: %s", name, r.Raw)
		}
		got := []byte(strings.Replace(string(r.Raw), r.RequestID, "", 1))
		if want == nil {
			want = got
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestRefusedBeforeAction holds what strangers can send against the vendor's codes. Nothing of it may be stored.
func TestRefusedBeforeAction(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.node("ins-a")
	const run = `{"Content":"bHM=","InstanceIds":["ins-a"],"CommandName":"x","SaveCommand":true}`
	authorization := func(edit func(string) string) *client {
		return c.with(func(r *http.Request) { r.Header.Set("Authorization", edit(r.Header.Get("Authorization"))) })
	}
	before := c.stored()
	for name, try := range map[string]struct {
		reply reply
		code  string
	}{
		"unsigned": {authorization(func(string) string { return "SKIP" }).call("RunCommand", run), "AuthFailure.InvalidAuthorization"},
		"no authorization": {
			c.with(func(r *http.Request) { r.Header.Del("Authorization") }).call("RunCommand", run), "AuthFailure.InvalidAuthorization",
		},
		"another algorithm": {
			authorization(func(s string) string { return strings.Replace(s, "SHA256", "SM3", 1) }).call("RunCommand", run),
			"AuthFailure.InvalidAuthorization",
		},
		"content type not signed": {
			authorization(func(s string) string { return strings.Replace(s, "content-type;", "", 1) }).call("RunCommand", run),
			"AuthFailure.InvalidAuthorization",
		},
		"wrong signature": {
			authorization(func(s string) string { return s[:len(s)-8] + "00000000" }).call("RunCommand", run), "AuthFailure.SignatureFailure",
		},
		"wrong date in the scope": {
			authorization(func(s string) string { return strings.Replace(s, "/2026-11-22/", "/2026-11-21/", 1) }).call("RunCommand", run),
			"AuthFailure.SignatureFailure",
		},
		"changed body": {
			c.with(func(r *http.Request) {
				r.Body = io.NopCloser(strings.NewReader(strings.Replace(run, "ins-a", "ins-b", 1)))
			}).call("RunCommand", run), "AuthFailure.SignatureFailure",
		},
		"unknown key": {
			authorization(func(s string) string { return strings.Replace(s, "testid", "AKIDnobody", 1) }).call("RunCommand", run),
			"AuthFailure.SecretIdNotFound",
		},
		"no key id": {
			authorization(func(s string) string { return strings.Replace(s, "testid", "no*key", 1) }).call("RunCommand", run),
			"AuthFailure.InvalidSecretId",
		},
		"stale clock": {
			c.with(func(*http.Request) { c.scene.Advance(301 * time.Second) }).call("RunCommand", run), "AuthFailure.SignatureExpire",
		},
		"clock ahead": {
			c.with(func(*http.Request) { c.scene.Advance(-301 * time.Second) }).call("RunCommand", run), "AuthFailure.SignatureExpire",
		},
		"no timestamp": {
			c.with(func(r *http.Request) { r.Header.Del("X-TC-Timestamp") }).call("RunCommand", run), "MissingParameter",
		},
		"unreadable timestamp": {c.header("X-TC-Timestamp", "yesterday").call("RunCommand", run), "InvalidParameterValue"},
		"unknown action":       {c.call("FlyToTheMoon", run), "InvalidAction"},
		"action in other case": {c.call("runCommand", run), "InvalidAction"},
		"no action": {
			c.with(func(r *http.Request) { r.Header.Del("X-TC-Action") }).call("RunCommand", run), "MissingParameter",
		},
		"other version": {c.header("X-TC-Version", "2017-03-12").call("RunCommand", run), "NoSuchVersion"},
		"no version": {
			c.with(func(r *http.Request) { r.Header.Del("X-TC-Version") }).call("RunCommand", run), "MissingParameter",
		},
		"unknown region":    {c.header("X-TC-Region", "mars-1").call("RunCommand", run), "UnsupportedRegion"},
		"other method":      {c.v3(http.MethodPut, "RunCommand", "", "application/json", run), "UnsupportedProtocol"},
		"delete":            {c.v3(http.MethodDelete, "RunCommand", "", "application/json", run), "UnsupportedProtocol"},
		"multipart":         {c.v3(http.MethodPost, "RunCommand", "", "multipart/form-data; boundary=x", run), "InvalidRequest"},
		"octets":            {c.v3(http.MethodPost, "RunCommand", "", "application/octet-stream", run), "InvalidRequest"},
		"oversized body":    {c.call("RunCommand", `{"Content":"`+strings.Repeat("A", api.MaxBody)+`"}`), "RequestSizeLimitExceeded"},
		"oversized query":   {c.get("RunCommand", url.Values{"Content": {strings.Repeat("A", maxQuery)}}), "RequestSizeLimitExceeded"},
		"malformed JSON":    {c.call("RunCommand", `{"Content":`), "InvalidParameter"},
		"no JSON object":    {c.call("RunCommand", `[1]`), "InvalidParameter"},
		"text after JSON":   {c.call("RunCommand", run+"x"), "InvalidParameter"},
		"no body":           {c.call("RunCommand", ""), "InvalidParameter"},
		"unknown parameter": {c.call("RunCommand", `{"Content":"bHM=","InstanceIds":["ins-a"],"Foo":1}`), "UnknownParameter"},
		"unknown in a list": {
			c.call("DescribeInvocationTasks", `{"Filters":[{"Name":"invocation-id","Values":["inv-12345678"],"Foo":1}]}`), "UnknownParameter",
		},
		"in other case": {c.call("RunCommand", `{"content":"bHM=","InstanceIds":["ins-a"]}`), "UnknownParameter"},
		"field of ours": {c.call("RunCommand", `{"Content":"bHM=","InstanceIds":["ins-a"],"region":"x"}`), "UnknownParameter"},
		"unknown in a query": {
			c.get("RunCommand", url.Values{"Content": {"bHM="}, "InstanceIds.0": {"ins-a"}, "Foo.0": {"1"}}), "UnknownParameter",
		},
		"deep in a query": {
			c.get("RunCommand", url.Values{"Content": {"bHM="}, "InstanceIds.0": {"ins-a"}, "a.b.c.d.e.f.g.h.i": {"1"}}), "UnknownParameter",
		},
		"value and list": {
			c.get("RunCommand", url.Values{"Content": {"bHM="}, "InstanceIds": {"ins-a"}, "InstanceIds.0": {"ins-a"}}), "InvalidParameter",
		},
		"index that is none":  {c.get("RunCommand", url.Values{"Content": {"bHM="}, "InstanceIds.x": {"ins-a"}}), "InvalidParameter"},
		"number as text":      {c.call("RunCommand", `{"Content":"bHM=","InstanceIds":["ins-a"],"Timeout":"60"}`), "InvalidParameter"},
		"number with a point": {c.call("RunCommand", `{"Content":"bHM=","InstanceIds":["ins-a"],"Timeout":60.0}`), "InvalidParameter"},
		"boolean as text":     {c.call("RunCommand", `{"Content":"bHM=","InstanceIds":["ins-a"],"SaveCommand":"true"}`), "InvalidParameter"},
		"list as text":        {c.call("RunCommand", `{"Content":"bHM=","InstanceIds":"ins-a"}`), "InvalidParameter"},
		"null in a list":      {c.call("RunCommand", `{"Content":"bHM=","InstanceIds":[null]}`), "InvalidParameter"},
		"text as number":      {c.call("RunCommand", `{"Content":1,"InstanceIds":["ins-a"]}`), "InvalidParameter"},
		"v1, wrong signature": {
			c.with(func(r *http.Request) {
				r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "CommandName=x", "CommandName=y", 1)
			}).v1(http.MethodGet, "HmacSHA1", "RunCommand", map[string]string{"CommandName": "x"}), "AuthFailure.SignatureFailure",
		},
		"v1, no nonce":        {c.v1(http.MethodPost, "HmacSHA1", "RunCommand", map[string]string{"Nonce": ""}), "MissingParameter"},
		"v1, stale clock":     {c.v1(http.MethodPost, "HmacSHA1", "RunCommand", map[string]string{"Timestamp": "1465185768"}), "AuthFailure.SignatureExpire"},
		"v1, unknown key":     {c.v1(http.MethodPost, "HmacSHA256", "RunCommand", map[string]string{"SecretId": "nobody"}), "AuthFailure.SecretIdNotFound"},
		"v1, unknown method":  {c.v1(http.MethodPost, "HmacSHA256", "RunCommand", map[string]string{"SignatureMethod": "MD5"}), "AuthFailure.InvalidAuthorization"},
		"v1, unknown action":  {c.v1(http.MethodPost, "HmacSHA256", "FlyToTheMoon", nil), "InvalidAction"},
		"v1, unknown version": {c.v1(http.MethodPost, "HmacSHA256", "RunCommand", map[string]string{"Version": "2017-03-12"}), "NoSuchVersion"},
		"v1, unknown parameter": {
			c.v1(http.MethodPost, "HmacSHA1", "RunCommand", map[string]string{"Content": "bHM=", "InstanceIds.0": "ins-a", "Foo": "1"}),
			"UnknownParameter",
		},
		"v1, boolean that is none": {
			c.v1(http.MethodPost, "HmacSHA1", "RunCommand", map[string]string{"SaveCommand": "yes"}), "InvalidParameter",
		},
	} {
		if try.reply.Code != try.code {
			t.Errorf("%s: %q (%s), want %q", name, try.reply.Code, try.reply.Message, try.code)
		}
	}
	if after := c.stored(); after != before {
		t.Errorf("%d rows were stored", after-before)
	}
}

// TestTraceID returns the caller's trace id, on errors too.
func TestTraceID(t *testing.T) {
	t.Parallel()
	const id = "3f51d32d-e412-4f57-be34-47d81fbae285"
	c := newClient(t).header("X-TC-TraceId", id)
	for _, r := range []reply{c.call("DescribeRegions", `{}`), c.call("Nothing", `{}`)} {
		if got := r.Header.Get("X-TC-TraceId"); got != id {
			t.Errorf("trace id %q", got)
		}
	}
	if r := newClient(t).call("DescribeRegions", `{}`); r.Header.Get("X-TC-TraceId") != "" {
		t.Error("a trace id that nobody sent")
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for language, want := range map[string]string{
		"": "There is no such action.", "en-US": "There is no such action.", "zh-CN": "接口不存在。", "tlh": "There is no such action.",
	} {
		if r := c.header("X-TC-Language", language).call("Nothing", `{}`); !strings.HasPrefix(r.Message, want) {
			t.Errorf("%q: %s", language, r.Message)
		}
	}
	r := c.v1(http.MethodGet, "HmacSHA1", "Nothing", map[string]string{"Language": "zh-CN"})
	if !strings.HasPrefix(r.Message, "接口不存在。") {
		t.Errorf("v1: %s", r.Message)
	}
}

func TestRegions(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	resp := ok[describeRegionsResponse](c.call("DescribeRegions", `{}`))
	if resp.TotalCount != len(resp.RegionSet) || resp.TotalCount != len(published)+1 {
		t.Errorf("%d of %d regions", len(resp.RegionSet), resp.TotalCount)
	}
	if diff := cmp.Diff(regionInfo{"home", "home", "AVAILABLE"}, resp.RegionSet[0]); diff != "" {
		t.Error(diff)
	}
	for _, region := range []string{"", "home", "ap-guangzhou", "eu-frankfurt"} {
		name := "in" + region
		c.header("X-TC-Region", region).call("CreateCommand", object("CommandName", name, "Content", "bHM=")).want("")
		rows, _, err := c.scene.Service.Commands(t.Context(), c.scene.Caller, core.CommandFilter{Name: core.Pattern{Text: name}}, core.PageSpec{Limit: 1})
		want := region
		if region == "" {
			want = "home" // the first of the installation's own
		}
		if err != nil || len(rows) != 1 || rows[0].Region != want {
			t.Errorf("region %q became %+v (%v)", region, rows, err)
		}
	}
	if got := New(api.Env{}).regionOf(&api.Request{Request: httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)}); got != "ap-guangzhou" {
		t.Errorf("without own regions the default is %q", got)
	}
	// A region hides nothing.
	if got := ok[describeCommandsResponse](c.header("X-TC-Region", "ap-tokyo").call("DescribeCommands", `{}`)); got.TotalCount != 4 {
		t.Errorf("%d commands, want 4", got.TotalCount)
	}
}

func TestRecognise(t *testing.T) {
	t.Parallel()
	d := New(api.Env{})
	for name, c := range map[string]struct {
		target string
		header map[string]string
		want   bool
	}{
		"action header":      {"/", map[string]string{"X-TC-Action": "RunCommand"}, true},
		"TC3":                {"/", map[string]string{"Authorization": "TC3-HMAC-SHA256 x"}, true},
		"TC3, other path":    {"/tat/", map[string]string{"Authorization": "TC3-HMAC-SHA256 x"}, true},
		"v1":                 {"/?SecretId=x&Action=RunCommand", nil, true},
		"Alibaba v1":         {"/?AccessKeyId=x&Action=RunCommand", nil, false},
		"Alibaba v3":         {"/?SecretId=x", map[string]string{"Authorization": "ACS3-HMAC-SHA256 x"}, false},
		"Alibaba v3, header": {"/?SecretId=x", map[string]string{"x-acs-action": "RunCommand"}, false},
		"Zenlayer path":      {"/api/v2/zos?SecretId=x", map[string]string{"X-TC-Action": "RunCommand"}, false},
		"Zenlayer header":    {"/?SecretId=x", map[string]string{"x-zc-action": "RunCommand"}, false},
		"nobody's":           {"/healthz", nil, false},
	} {
		hr := httptest.NewRequestWithContext(t.Context(), http.MethodGet, c.target, nil)
		for k, v := range c.header {
			hr.Header.Set(k, v)
		}
		r := &api.Request{Request: hr}
		params, err := sign.Params(r.Signed())
		if err != nil {
			t.Fatal(err)
		}
		r.Params = params
		if got := d.Recognise(r); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if d.Name() != "tat" {
		t.Error(d.Name())
	}
}
