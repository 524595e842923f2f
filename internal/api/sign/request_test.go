package sign

import (
	"crypto/tls"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParams(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, contentType, query, body string
		want                           Values
	}{
		{"nothing", "", "", "", Values{}},
		{"blanks", "", "a=x+y&b=x%20y&c=x%2By", "", Values{"a": "x y", "b": "x y", "c": "x+y"}},
		{"empty and bare", "", "a=&b&&=c&", "", Values{"a": "", "b": "", "": "c"}},
		{"value with equals", "", "a=b=c", "", Values{"a": "b=c"}},
		{"raw asterisk and semicolon", "", "a=*;~", "", Values{"a": "*;~"}},
		{"encoded name", "", "%41%2e1=x", "", Values{"A.1": "x"}},
		{"last one counts", "", "a=1&a=2", "", Values{"a": "2"}},
		{"form over query", formType, "a=query&b=query", "b=form&c=form", Values{"a": "query", "b": "form", "c": "form"}},
		{"form with charset", "Application/X-WWW-Form-URLEncoded; charset=utf-8", "", "a=1", Values{"a": "1"}},
		{"form of no type", "", "", "a=1", Values{"a": "1"}},
		{"body of another type", "application/json", "a=1", `{"b":"100%"}`, Values{"a": "1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := &Request{RawQuery: tt.query, Body: []byte(tt.body), Header: headers("Content-Type", tt.contentType)}
			got, err := Params(r)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("params (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParamsRefusals(t *testing.T) {
	t.Parallel()
	many := strings.Repeat("a&", maxParams)
	for _, r := range []*Request{
		{RawQuery: "a=%"},
		{RawQuery: "a=%zz"},
		{RawQuery: "%4=a"},
		{Body: []byte("a=%f")},
		{RawQuery: many},
		{Body: []byte(many)},
		{RawQuery: many[:maxParams], Body: []byte(many[:maxParams])},
	} {
		_, err := Params(r)
		wantKind(t, err, Undecodable)
	}
}

func TestNewRequest(t *testing.T) {
	t.Parallel()
	for peer, loopback := range map[string]bool{
		"127.0.0.1:1":          true,
		"127.8.9.1:1":          true,
		"[::1]:1":              true,
		"[::ffff:127.0.0.1]:1": true,
		"192.0.2.1:1":          false,
		"[2001:db8::1]:1":      false,
		"@":                    false,
		"":                     false,
	} {
		in := httptest.NewRequestWithContext(t.Context(), "POST", "http://errand.example:8080/a%2Fb?c=%64", nil)
		in.RemoteAddr = peer
		got := NewRequest(in, []byte("body"))
		want := &Request{
			Method: "POST", Path: "/a%2Fb", RawQuery: "c=%64", Host: "errand.example:8080",
			Header: in.Header, Body: []byte("body"), Loopback: loopback,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("request from %q (-want +got):\n%s", peer, diff)
		}
		in.TLS = new(tls.ConnectionState)
		if !NewRequest(in, nil).TLS {
			t.Errorf("request from %q lost its TLS", peer)
		}
	}
}
