package alibaba_test

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"errand/internal/api"
	"errand/internal/api/alibaba"
	"errand/internal/api/alibaba/caller"
	"errand/internal/api/scene"
	"errand/internal/core"
)

type echoRequest struct {
	alibaba.Envelope
	Text string `alibaba:"required"`
}

type echoResponse struct {
	alibaba.Reply
	Text string
}

// gateway serves one action that repeats a text.
func gateway(env api.Env, fallback bool) *alibaba.Gateway {
	return &alibaba.Gateway{
		Env: &env, Product: "demo", Version: alibaba.VersionECS, Fallback: fallback,
		Actions: api.Actions(
			api.Do("Echo", false, alibaba.Decode, func(_ context.Context, _ core.Caller, req *echoRequest) (*echoResponse, error) {
				return &echoResponse{Text: req.Text}, nil
			}),
			api.Do("Fail", false, alibaba.Decode, func(_ context.Context, _ core.Caller, req *echoRequest) (*echoResponse, error) {
				if req.Text == "late" {
					return nil, context.DeadlineExceeded
				}
				return nil, errors.New(req.Text)
			}),
		),
		Refusal: func(_ string, e *core.Error) alibaba.Answer {
			if e.Reason == core.ReasonMissing {
				return alibaba.MissingParameter.About(e.Field)
			}
			if e.Reason == core.ReasonKeyUnknown {
				return alibaba.KeyUnknown
			}
			if e.Reason == core.ReasonUnknownAction {
				return alibaba.UnknownAction
			}
			return alibaba.InternalError
		},
	}
}

func open(t *testing.T) (*scene.Scene, *caller.Client) {
	t.Helper()
	s := scene.New(t)
	return s, caller.New(t, s, alibaba.VersionECS, gateway(s.Env(), true))
}

var requestID = regexp.MustCompile(`^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$`)

// TestForms calls in each scheme and from each place, and wants each form of answer.
func TestForms(t *testing.T) {
	t.Parallel()
	_, c := open(t)
	const text = "a&b <ü> +~*%\x00"
	for _, f := range []struct {
		acs3, form bool
		format     string
		json       bool
	}{
		{format: "JSON", json: true},
		{format: "json", json: true},
		{format: "JSON", form: true, json: true},
		{format: "XML"},
		{format: ""}, // the vendor's default for the older scheme
		{acs3: true, format: "", json: true},
		{acs3: true, form: true, format: "", json: true},
		{acs3: true, format: "xml"},
	} {
		c.ACS3, c.Form = f.acs3, f.form
		c.Common = map[string]string{"Format": f.format}
		if f.format == "" {
			c.Common = nil
		}
		a := c.Call("Echo", caller.Params{"Text": text})
		var id, got, kind string
		if f.json {
			var body echoResponse
			a.Into(t, &body)
			id, got, kind = body.RequestId, body.Text, "application/json;charset=utf-8"
		} else {
			var body struct {
				XMLName xml.Name `xml:"EchoResponse"`
				echoResponse
			}
			if err := xml.Unmarshal(a.Body, &body); err != nil {
				t.Fatalf("%v: %s", err, a.Body)
			}
			id, got, kind = body.RequestId, strings.ReplaceAll(body.Text, "\uFFFD", "\x00"), "text/xml;charset=utf-8"
		}
		if got != text || !requestID.MatchString(id) || a.Header.Get("X-Acs-Request-Id") != id || a.Header.Get("Content-Type") != kind {
			t.Errorf("%+v: %q, id %q, header %v", f, got, id, a.Header)
		}
	}
}

// TestGatewayErrors provokes what is refused before an action begins, in both schemes.
func TestGatewayErrors(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	if _, err := s.Service.CreateKey(t.Context(), scene.Account, "root", "other", "secret"); err != nil {
		t.Fatal(err)
	}
	ok := caller.Params{"Text": "x"}
	host := strings.TrimPrefix(c.Request("Echo", ok).URL.String(), "http://")
	host, _, _ = strings.Cut(host, "/")
	type spoil func(*http.Request)
	query := func(from, to string) spoil {
		return func(r *http.Request) { r.URL.RawQuery = strings.Replace(r.URL.RawQuery, from, to, 1) }
	}
	header := func(name, value string) spoil {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for _, e := range []struct {
		name    string
		acs3    bool
		action  string
		params  caller.Params
		spoil   spoil
		status  int
		code    string
		message string
	}{
		{"no parameter", false, "Echo", nil, nil, 400, "MissingText", "Text is mandatory for this action."},
		{"unknown action", false, "Ecko", ok, nil, 404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method."},
		{"unknown action", true, "Ecko", ok, nil, 404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method."},
		{"other path", true, "Echo", ok, func(r *http.Request) { r.URL.Path = "/x" }, 404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method."},
		{"no action", false, "Echo", ok.With("Action", ""), nil, 400, "MissingAction", "Action is mandatory for this action."},
		{"unknown version", false, "Echo", ok.With("Version", "1999-01-01"), nil, 404, "InvalidProduct.NotFound", "Cannot find product according to your specified domain."},
		{"no version", false, "Echo", ok.With("Version", ""), nil, 400, "MissingVersion", "Version is mandatory for this action."},
		{"version only in the header", false, "Echo", ok.With("Version", ""), header("X-Acs-Version", alibaba.VersionECS), 400, "MissingVersion", "Version is mandatory for this action."},
		{"unknown key", false, "Echo", ok.With("AccessKeyId", "nobody"), nil, 404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."},
		{"key of another", false, "Echo", ok.With("AccessKeyId", "other"), nil, 400, "SignatureDoesNotMatch", ""},
		{"wrong signature", false, "Echo", ok, query("Text=x", "Text=y"), 400, "SignatureDoesNotMatch", ""},
		{"wrong signature", true, "Echo", ok, query("Text=x", "Text=y"), 400, "SignatureDoesNotMatch", ""},
		{"no signature", false, "Echo", ok, query("Signature=", "Sig="), 400, "MissingSignature", "Signature is mandatory for this action."},
		{"no key", false, "Echo", ok.With("AccessKeyId", ""), nil, 400, "MissingAccessKeyId", "AccessKeyId is mandatory for this action."},
		{"no nonce", false, "Echo", ok.With("SignatureNonce", ""), nil, 400, "MissingSignatureNonce", "SignatureNonce is mandatory for this action."},
		{"no time", true, "Echo", ok, func(r *http.Request) { r.Header.Del("X-Acs-Date") }, 400, "MissingTimestamp", "Timestamp is mandatory for this action."},
		{"malformed time", false, "Echo", ok.With("Timestamp", "yesterday"), nil, 400, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted."},
		{"early", false, "Echo", ok.With("Timestamp", "2026-11-22T05:26:40Z"), nil, 400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired."},
		{"late", false, "Echo", ok.With("Timestamp", "2026-11-22T05:56:40Z"), nil, 400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired."},
		{"just in time", false, "Echo", ok.With("Timestamp", "2026-11-22T05:56:39Z"), nil, 200, "", ""},
		{"other method", false, "Echo", ok.With("SignatureMethod", "HMAC-SHA256"), nil, 400, "IncompleteSignature", "The request signature does not conform to Aliyun standards."},
		{"other algorithm", true, "Echo", ok, header("Authorization", "ACS3-RSA-SHA256 Credential=a,SignedHeaders=host,Signature=b"), 400, "IncompleteSignature", "The request signature does not conform to Aliyun standards."},
		{"no algorithm", true, "Echo", ok, header("Authorization", "Basic dGVzdA=="), 400, "IncompleteSignature", "The request signature does not conform to Aliyun standards."},
		{"unsigned header", true, "Echo", ok, header("X-Acs-Extra", "1"), 400, "IncompleteSignature", "The request signature does not conform to Aliyun standards."},
		{"other format", false, "Echo", ok.With("Format", "YAML"), nil, 400, "", ""}, // in XML, see below
		{"PUT", true, "Echo", ok, func(r *http.Request) { r.Method = http.MethodPut }, 403, "UnsupportedHTTPMethod", "This http method not supported."},
		{"undecodable", true, "Echo", ok, query("Text=x", "Text=%zz"), 400, "InvalidParameter", "The specified parameter is not valid."},
		{"ours", false, "Fail", ok, nil, 500, "InternalError", "The request processing has failed due to some unknown error."},
		{"temporary", false, "Fail", ok.With("Text", "late"), nil, 500, "ServiceUnavailable", "The request has failed due to a temporary failure of the server."},
	} {
		c.ACS3 = e.acs3
		c.Common = map[string]string{"Format": "JSON"}
		if e.acs3 {
			c.Common = nil
		}
		r := c.Request(e.action, e.params)
		if e.spoil != nil {
			e.spoil(r)
		}
		a := c.Send(r)
		if a.Status != e.status || a.Code != e.code || e.message != "" && a.Text != e.message {
			t.Errorf("%s (ACS3 %v): %d %s %q, want %d %s", e.name, e.acs3, a.Status, a.Code, a.Text, e.status, e.code)
		}
		if a.Status != 200 && !strings.Contains(string(a.Body), host) {
			t.Errorf("%s: no HostId %s in %s", e.name, host, a.Body)
		}
	}
}

// TestStringToSign is what clients compare with their own to tell a wrong secret from a request that was changed under way.
func TestStringToSign(t *testing.T) {
	t.Parallel()
	_, c := open(t)
	c.Secret = "wrong"
	const prefix = "Specified signature is not matched with our calculation. server string to sign is:"
	toSign, ok := strings.CutPrefix(c.Call("Echo", caller.Params{"Text": "a b&c"}).Text, prefix)
	if !ok || !strings.HasPrefix(toSign, "POST&%2F&AccessKeyId%3Dtestid%26Action%3DEcho%26") || !strings.Contains(toSign, "Text%3Da%2520b%2526c") {
		t.Errorf("older scheme: %q", toSign)
	}
	c.ACS3 = true
	toSign, ok = strings.CutPrefix(c.Call("Echo", caller.Params{"Text": "x"}).Text, prefix)
	if !ok || !regexp.MustCompile("^ACS3-HMAC-SHA256\n[0-9a-f]{64}$").MatchString(toSign) {
		t.Errorf("newer scheme: %q", toSign)
	}
}

// TestErrorForms: a refusal has the form of the request, even before anybody is known to have made it.
func TestErrorForms(t *testing.T) {
	t.Parallel()
	_, c := open(t)
	c.Key = "nobody"
	for format, want := range map[string]string{"XML": "text/xml;charset=utf-8", "JSON": "application/json;charset=utf-8", "YAML": "text/xml;charset=utf-8"} {
		c.Common = map[string]string{"Format": format}
		a := c.Call("Echo", nil)
		if got := a.Header.Get("Content-Type"); got != want {
			t.Errorf("Format %s: %s", format, got)
		}
		if want != "text/xml;charset=utf-8" {
			continue
		}
		var body struct {
			XMLName                          xml.Name `xml:"Error"`
			RequestId, HostId, Code, Message string
		}
		if err := xml.Unmarshal(a.Body, &body); err != nil || !requestID.MatchString(body.RequestId) || body.HostId == "" {
			t.Errorf("%v: %s", err, a.Body)
		}
		if wantCode := map[string]string{"XML": "InvalidAccessKeyId.NotFound", "YAML": "InvalidParameter.Format"}[format]; body.Code != wantCode {
			t.Errorf("Format %s: %s, want %s", format, body.Code, wantCode)
		}
	}
}

// TestOtherBody sends a body that is not the one that was signed.
func TestOtherBody(t *testing.T) {
	t.Parallel()
	_, c := open(t)
	c.Form = true
	for _, acs3 := range []bool{false, true} {
		c.ACS3 = acs3
		r := c.Request("Echo", caller.Params{"Text": "x"})
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		r.Body = io.NopCloser(strings.NewReader(strings.Replace(string(body), "Text=x", "Text=y", 1)))
		if a := c.Send(r); a.Status != 400 || a.Code != "SignatureDoesNotMatch" {
			t.Errorf("ACS3 %v: %d %s", acs3, a.Status, a.Code)
		}
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	for _, acs3 := range []bool{false, true} {
		c.ACS3 = acs3
		r := c.Request("Echo", caller.Params{"Text": "x"})
		again := r.Clone(t.Context())
		if a := c.Send(r); a.Status != 200 {
			t.Fatalf("first: %s", a.Body)
		}
		s.Advance(14 * time.Minute)
		if a := c.Send(again); a.Status != 400 || a.Code != "SignatureNonceUsed" || a.Text != "Specified signature nonce was used already." {
			t.Errorf("ACS3 %v, again: %d %s %s", acs3, a.Status, a.Code, a.Text)
		}
	}
	// A refused signature does not use up its nonce.
	c.ACS3 = false
	r := c.Request("Echo", caller.Params{"Text": "x"})
	bad := r.Clone(t.Context())
	bad.URL.RawQuery = strings.Replace(bad.URL.RawQuery, "Text=x", "Text=y", 1)
	if a := c.Send(bad); a.Code != "SignatureDoesNotMatch" {
		t.Errorf("spoilt: %d %s", a.Status, a.Code)
	}
	if a := c.Send(r); a.Status != 200 {
		t.Errorf("after a spoilt one: %s", a.Body)
	}
}

func TestTooLargeBody(t *testing.T) {
	t.Parallel()
	_, c := open(t)
	c.ACS3, c.Form, c.Common = true, true, nil
	a := c.Call("Echo", caller.Params{"Text": strings.Repeat("x", api.MaxBody)})
	if a.Status != http.StatusRequestEntityTooLarge || a.Code != "RequestBodyTooLarge" {
		t.Errorf("%d %s %s", a.Status, a.Code, a.Text)
	}
	if a := c.Call("Echo", caller.Params{"Text": strings.Repeat("x", 128<<10)}); a.Status != 200 {
		t.Errorf("128 KB: %d %s", a.Status, a.Code)
	}
}

// TestRecognise: the version tells the products apart, wherever it stands.
func TestRecognise(t *testing.T) {
	t.Parallel()
	first, second := gateway(api.Env{}, true), gateway(api.Env{}, false)
	for _, r := range []struct {
		target, header, value string
		first, second         bool
	}{
		{"/?Version=2014-05-26", "", "", true, true},
		{"/", "X-Acs-Version", "2014-05-26", true, true},
		{"/?Version=2022-12-15", "X-Acs-Action", "RunCommand", false, false},
		{"/?Version=2020-10-28", "", "", false, false},
		{"/?Version=1999-01-01&AccessKeyId=x", "", "", true, false},
		{"/?Version=1999-01-01", "X-Acs-Action", "x", true, false},
		{"/", "X-Acs-Content-Sha256", "x", true, false},
		{"/", "", "", false, false},
	} {
		hr := httptest.NewRequestWithContext(t.Context(), http.MethodPost, r.target, nil)
		if r.header != "" {
			hr.Header.Set(r.header, r.value)
		}
		req := &api.Request{Request: hr, Params: map[string]string{}}
		for k := range hr.URL.Query() {
			req.Params[k] = hr.URL.Query().Get(k)
		}
		if a, b := first.Recognise(req), second.Recognise(req); a != r.first || b != r.second {
			t.Errorf("%s %s: %v and %v, want %v and %v", r.target, r.header, a, b, r.first, r.second)
		}
	}
}
