package node

import (
	"crypto/ed25519"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/agent/identity"
	"errand/internal/core"
	"errand/internal/protocol"
)

// prove makes a proof for a request.
func (m machine) prove(method, target, body string) protocol.Proof {
	p := protocol.Proof{PublicKey: m.public, Time: 7, Nonce: [16]byte{1}, Body: protocol.BodyHash([]byte(body))}
	p.Signature = ed25519.Sign(m.private, p.SigningText(method, target))
	return p
}

// with sends a request with a header that may be a proof.
func (e *entrance) with(method, target, header, body string) *httptest.ResponseRecorder {
	e.tb.Helper()
	r := httptest.NewRequestWithContext(e.ctx, method, "https://errand.example"+target, strings.NewReader(body))
	r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(e.from), 40000).String()
	if header != "" {
		r.Header.Set("Authorization", header)
	}
	w := httptest.NewRecorder()
	e.handler.ServeHTTP(w, r)
	return w
}

// TestProof lets in exactly the request that the node signed.
func TestProof(t *testing.T) {
	t.Parallel()
	e := newEntrance(t)
	code, secret := e.code(core.RegistrationSpec{})
	m, stranger := newMachine(1), newMachine(2)
	joined := e.joins(m.request(code.ID.String(), secret))
	right := m.prove("GET", protocol.NodePath, "")
	streamed := right
	streamed.Body = protocol.StreamedBody
	forged := right
	forged.Signature = ed25519.Sign(stranger.private, right.SigningText("GET", protocol.NodePath))
	foreign := stranger.prove("GET", protocol.NodePath, "")
	enrolling := right
	wish := m.request(code.ID.String(), secret)
	enrolling.Signature = wish.Signature
	for name, tt := range map[string]struct {
		target, header, body string
		status               int
		reason               protocol.ProblemReason
	}{
		"no proof":                  {protocol.NodePath, "", "", 401, "unproven"},
		"another scheme":            {protocol.NodePath, "Bearer x", "", 401, "unproven"},
		"another's signature":       {protocol.NodePath, forged.Header(), "", 401, "unproven"},
		"signature of an enrolment": {protocol.NodePath, enrolling.Header(), "", 401, "unproven"},
		"body made free":            {protocol.NodePath, streamed.Header(), "", 401, "unproven"},
		"another query":             {protocol.NodePath + "?a=1", right.Header(), "", 401, "unproven"},
		"no node's key":             {protocol.NodePath, foreign.Header(), "", 403, "refused"},
		"another body":              {protocol.NodePath, right.Header(), "x", 413, "malformed"},
	} {
		e.Advance(failureWindow)
		w := e.with("GET", tt.target, tt.header, tt.body)
		checkProblem(t, w, tt.status, tt.reason)
		if challenge := w.Header().Get("WWW-Authenticate"); (challenge == protocol.ProofScheme) != (tt.status == 401) {
			t.Errorf("%s: WWW-Authenticate %q", name, challenge)
		}
	}
	posted := m.prove("POST", protocol.NodePath, "")
	checkProblem(t, e.with("GET", protocol.NodePath, posted.Header(), ""), 401, protocol.ProblemUnproven)
	checkProblem(t, e.with("POST", protocol.NodePath, posted.Header(), ""), 405, protocol.ProblemMalformed)

	e.Advance(failureWindow)
	w := e.with("GET", protocol.NodePath, right.Header(), "")
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"node_id":"`+joined.NodeID+`"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestProofEachByte changes each byte of a proof that counts.
func TestProofEachByte(t *testing.T) {
	t.Parallel()
	e := newEntrance(t)
	code, secret := e.code(core.RegistrationSpec{})
	m := newMachine(1)
	e.joins(m.request(code.ID.String(), secret))
	right := m.prove("GET", protocol.NodePath, "")
	header := right.Header()
	for i := range header {
		for _, change := range []byte{1, 'a' ^ 'A', 2} {
			e.Advance(failureWindow)
			changed := []byte(header)
			changed[i] ^= change
			checkProblem(t, e.with("GET", protocol.NodePath, string(changed), ""), 401, protocol.ProblemUnproven)
		}
	}
	if w := e.with("GET", protocol.NodePath, header, ""); w.Code != 200 {
		t.Errorf("unchanged: %d %s", w.Code, w.Body)
	}
}

// TestProofOfRemovedNode ends what a node may ask for the moment it is removed.
func TestProofOfRemovedNode(t *testing.T) {
	t.Parallel()
	e := newEntrance(t)
	code, secret := e.code(core.RegistrationSpec{})
	m := newMachine(1)
	joined := e.joins(m.request(code.ID.String(), secret))
	right := m.prove("GET", protocol.NodePath, "")
	if w := e.with("GET", protocol.NodePath, right.Header(), ""); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if _, err := e.Service.RemoveNode(t.Context(), e.Caller, joined.NodeID); err != nil {
		t.Fatal(err)
	}
	checkProblem(t, e.with("GET", protocol.NodePath, right.Header(), ""), 403, protocol.ProblemRefused)
}

// TestFailedProofsHaveToWait counts failed proofs like failed enrolments, and what a node itself is refused not at all.
func TestFailedProofsHaveToWait(t *testing.T) {
	t.Parallel()
	e := newEntrance(t)
	code, secret := e.code(core.RegistrationSpec{})
	m := newMachine(1)
	e.joins(m.request(code.ID.String(), secret))
	right := m.prove("GET", protocol.NodePath, "")
	for range maxFailures + 1 {
		checkProblem(t, e.with("GET", protocol.NodePath, right.Header(), "body"), 413, protocol.ProblemMalformed)
	}
	for range maxFailures {
		checkProblem(t, e.with("GET", protocol.NodePath, "", ""), 401, protocol.ProblemUnproven)
	}
	w := e.with("GET", protocol.NodePath, right.Header(), "")
	checkProblem(t, w, 429, protocol.ProblemTooMany)
	if w.Header().Get("Retry-After") != "60" {
		t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
	}
	e.refused(m.request(code.ID.String(), secret), 429, protocol.ProblemTooMany)
	e.Advance(failureWindow)
	if w := e.with("GET", protocol.NodePath, right.Header(), ""); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestReadBody takes a body that the proof names and is not too long, and no other.
func TestReadBody(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		named, sent string
		length      int64
		good        bool
	}{
		"the one":        {"four", "four", 4, true},
		"nothing":        {"", "", 0, true},
		"another":        {"four", "five", 4, false},
		"too long":       {"fours", "fours", 5, false},
		"long in chunks": {"fours", "fours", -1, false},
		"of any hash":    {protocol.StreamedBody, "four", 4, false},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(tt.sent))
		r.ContentLength = tt.length
		hash := protocol.BodyHash([]byte(tt.named))
		if tt.named == protocol.StreamedBody {
			hash = protocol.StreamedBody
		}
		got, err := (&proven{Request: r, proof: protocol.Proof{Body: hash}}).read(httptest.NewRecorder(), 4)
		if (err == nil) != tt.good || tt.good && string(got) != tt.sent {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestAgentAsks joins both sides: an agent enrols, asks who it is, and is no node any more once it was removed.
func TestAgentAsks(t *testing.T) {
	t.Parallel()
	e := newEntrance(t)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.handler.ServeHTTP(w, r) }))
	defer server.Close()
	e.handler = New(Config{
		Service: e.Service, Now: e.Now, Log: slog.New(slog.DiscardHandler), BusURLs: func(*http.Request) []string { return []string{"tls://h:1"} },
		CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
	})
	i, err := identity.New()
	if err != nil {
		t.Fatal(err)
	}
	i.ServerURL = server.URL
	public, err := i.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	code, secret := e.code(core.RegistrationSpec{})
	wish := newMachine(1).request(code.ID.String(), secret)
	wish.PublicKey = public
	if wish.Signature, err = i.Sign(wish.SigningText()); err != nil {
		t.Fatal(err)
	}
	joined := e.joins(wish)
	i.NodeID = joined.NodeID
	client, err := i.NewClient(server.Client(), "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.Node(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(joined, got); diff != "" {
		t.Errorf("(-enrolled +asked):\n%s", diff)
	}
	if _, err := e.Service.RemoveNode(t.Context(), e.Caller, joined.NodeID); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Node(t.Context()); !identity.Refused(err) {
		t.Errorf("after removal: %v", err)
	}
}

// FuzzProof sends strangers' headers: none is let in, and none is a fault of ours.
func FuzzProof(f *testing.F) {
	shared := newEntrance(f)
	right := newMachine(1).prove("GET", protocol.NodePath, "")
	f.Add(right.Header())
	f.Fuzz(func(t *testing.T, header string) {
		e := *shared
		e.tb, e.ctx = t, t.Context()
		e.Advance(failureWindow)
		if w := e.with("GET", protocol.NodePath, header, ""); w.Code != 401 && w.Code != 403 {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
	})
}
