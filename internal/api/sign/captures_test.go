package sign

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"errand/internal/api/capture"
)

// TestCaptures verifies what the vendors' own clients sent, each at its own time.
func TestCaptures(t *testing.T) {
	t.Parallel()
	for _, vendor := range []string{"alibaba", "tencent", "zenlayer"} {
		for _, c := range capture.Load(t, "../testdata/captures/"+vendor) {
			t.Run(vendor+"/"+c.Name, func(t *testing.T) {
				t.Parallel()
				r := NewRequest(c.HTTP, c.Body)
				claim, err := parse(r)
				if err != nil {
					t.Fatal(err)
				}
				secret := capture.ZenlayerBearer
				if claim.Scheme != SchemeBearer {
					secret = capture.Secret(t, claim.AccessKeyID)
				}
				if err := claim.Verify(secret); err != nil {
					t.Fatal(err)
				}
				wantKind(t, claim.Verify(secret+"x"), Mismatch)
				if err := claim.CheckTime(claim.Time); err != nil {
					t.Error(err)
				}
				checkWindow(t, claim)
				checkIdentity(t, claim)
				checkCoverage(t, r, claim, secret)
			})
		}
	}
}

// checkIdentity expects what the scheme and the credential promise.
func checkIdentity(t *testing.T, claim *Claim) {
	t.Helper()
	hasNonce := claim.Scheme == SchemeRPC || claim.Scheme == SchemeACS3
	if hasNonce != (claim.Nonce != "") {
		t.Errorf("%s with nonce %q", claim.Scheme, claim.Nonce)
	}
	want := ""
	switch {
	case claim.AccessKeyID == "stsid":
		want = capture.AlibabaSTS
	case claim.Scheme == SchemeBearer:
		want = capture.ZenlayerBearer
	case claim.AccessKeyID == tencentID && claim.Token != "":
		want = capture.TencentSTS
	}
	if claim.Token != want {
		t.Errorf("token is %q, want %q", claim.Token, want)
	}
}

// checkCoverage changes single bytes. A bearer token protects nothing but itself, an unsigned payload not the body.
func checkCoverage(t *testing.T, r *Request, claim *Claim, secret string) {
	t.Helper()
	bodyIsFree := r.Header.Get("X-TC-Content-SHA256") == unsignedPayload
	if claim.Scheme == SchemeBearer {
		return
	}
	for what, changed := range oneByteChanges(r, 7) {
		err := authenticate(changed, secret)
		if free := bodyIsFree && strings.HasPrefix(what, "body"); free != (err == nil) {
			t.Errorf("%s changed: %v", what, err)
		}
	}
}

// TestCaptureRefusedByServer shows why one capture has no signature to verify: a Go server does not hand it over.
func TestCaptureRefusedByServer(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the handler was called")
	}))
	defer server.Close()
	for _, c := range capture.Load(t, "../testdata/captures/tencent/refused") {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write(c.Raw); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), "malformed Host header") {
			t.Errorf("%s: answered %s: %s", c.Name, answer.Status, text)
		}
	}
}
