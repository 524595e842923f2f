package sign

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"testing"
)

// checkParsed expects of every parser an [*Error] or a claim within its limits that no guessed secret proves.
func checkParsed(t *testing.T, claim *Claim, err error) {
	t.Helper()
	if err != nil {
		if refused := new(Error); !errors.As(err, &refused) || refused.Kind.String() == "" {
			t.Fatalf("%v is a %T", err, err)
		}
		return
	}
	if claim.Scheme != SchemeBearer && claim.AccessKeyID == "" || len(claim.AccessKeyID) > maxKeyID ||
		len(claim.Nonce) > maxNonce || len(claim.Token) > maxToken {
		t.Fatalf("claim out of bounds: %s", describe(claim))
	}
	if claim.Verify("guess") == nil && claim.Token != "guess" {
		t.Fatalf("proven by a guess: %s", describe(claim))
	}
	if err := claim.CheckTime(claim.Time); err != nil {
		t.Fatalf("expired at its own time: %v", err)
	}
}

func FuzzAuthorization(f *testing.F) {
	for _, v := range allVectors {
		if auth := v.request.Header.Get("Authorization"); auth != "" {
			f.Add(auth)
		}
	}
	for _, auth := range []string{
		"SKIP", "", "Bearer TOKENEXAMPLE", "ACS3-HMAC-SM3 Credential=a,SignedHeaders=host,Signature=b",
		"TC3-HMAC-SHA256 Credential=/////tc3_request, SignedHeaders=;;, Signature==",
	} {
		f.Add(auth)
	}
	f.Fuzz(func(t *testing.T, auth string) {
		for _, v := range allVectors {
			r := clone(v.request)
			r.TLS = true
			r.Header.Set("Authorization", auth)
			for _, parse := range []func(*Request) (*Claim, error){ParseACS3, ParseTC3, ParseZC2, ParseBearer} {
				claim, err := parse(r)
				checkParsed(t, claim, err)
			}
		}
	})
}

func FuzzHeaders(f *testing.F) {
	f.Add("127.0.0.1:8080", "2026-01-02T03:04:05Z", "nonce", "1795325852", "token")
	f.Add("[::1]:80", "2026-01-02T03:04:05.5Z", "", "-1", "")
	f.Fuzz(func(t *testing.T, host, date, nonce, timestamp, token string) {
		for _, v := range allVectors {
			r := clone(v.request)
			r.Host = host
			for _, name := range []string{"X-Acs-Security-Token", "X-TC-Token"} {
				r.Header.Set(name, token)
			}
			r.Header.Set("X-Acs-Date", date)
			r.Header.Set("X-Acs-Signature-Nonce", nonce)
			r.Header.Set("X-TC-Timestamp", timestamp)
			r.Header.Set("X-ZC-Timestamp", timestamp)
			claim, err := parse(r)
			checkParsed(t, claim, err)
		}
	})
}

func FuzzQuery(f *testing.F) {
	for _, v := range allVectors {
		f.Add(v.request.RawQuery, string(v.request.Body))
	}
	f.Add("a=%zz", "b")
	f.Add("&&=&a==&+%20=%", "%41")
	f.Fuzz(func(t *testing.T, rawQuery, body string) {
		params, err := Params(&Request{RawQuery: rawQuery, Body: []byte(body), Header: headers("Content-Type", formType)})
		if err != nil {
			checkParsed(t, nil, err)
			return
		}
		if len(params) > maxParams {
			t.Fatalf("%d parameters", len(params))
		}
		// The canonical form loses nothing, so that what was verified is what will be done.
		again, err := decode(canonicalQuery(params))
		if err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(again, params) {
			t.Fatalf("%q came back as %q", params, again)
		}
		// The standard library agrees on everything it accepts.
		standard, err := url.ParseQuery(rawQuery)
		if err != nil {
			return
		}
		mine, err := decode(rawQuery)
		if err != nil || len(mine) != len(standard) {
			t.Fatalf("%d parameters (%v), want %d", len(mine), err, len(standard))
		}
		for name, values := range standard {
			if mine[name] != values[len(values)-1] {
				t.Fatalf("%q = %q, want the last of %q", name, mine[name], values)
			}
		}
	})
}

func FuzzForm(f *testing.F) {
	for _, v := range rpcVectors {
		f.Add(v.request.RawQuery + "&" + string(v.request.Body))
	}
	for _, v := range tencentV1Vectors {
		f.Add(v.request.RawQuery)
	}
	f.Fuzz(func(t *testing.T, form string) {
		r := &Request{
			Method: http.MethodPost, Path: "/", Host: "127.0.0.1:8080",
			Header: headers("Content-Type", formType), Body: []byte(form),
		}
		params, err := Params(r)
		if err != nil {
			checkParsed(t, nil, err)
			return
		}
		for _, parse := range []func(*Request, Values) (*Claim, error){ParseRPC, ParseTencentV1} {
			claim, err := parse(r, params)
			checkParsed(t, claim, err)
		}
	})
}
