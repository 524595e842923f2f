package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/scene"
	"errand/internal/core"
	"errand/internal/protocol"
)

const machineAddr = "192.0.2.7"

// entrance is a door in front of a real service.
type entrance struct {
	*scene.Scene
	tb      testing.TB
	handler http.Handler
	from    string          // address of the machine that asks
	ctx     context.Context // of its connection
}

func newEntrance(tb testing.TB) *entrance {
	tb.Helper()
	s := scene.New(tb)
	return &entrance{Scene: s, tb: tb, from: machineAddr, ctx: tb.Context(), handler: New(Config{
		Service: s.Service, Now: s.Now, CA: []byte("PEM"), Log: slog.New(slog.DiscardHandler),
		BusURLs: func(r *http.Request) []string { return []string{"tls://" + r.Host + ":4222"} },
	})}
}

// code makes a registration code.
func (e *entrance) code(spec core.RegistrationSpec) (core.RegistrationCode, string) {
	e.tb.Helper()
	if spec.Limit == 0 {
		spec.Limit = 10
	}
	code, secret, err := e.Service.CreateRegistration(e.tb.Context(), e.Caller, spec)
	if err != nil {
		e.tb.Fatal(err)
	}
	return code, secret
}

// machine is a machine with a key of its own.
type machine struct {
	private ed25519.PrivateKey
	public  string
}

func newMachine(seed byte) machine {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	return machine{private, nkey(userPrefix, private.Public().(ed25519.PublicKey))}
}

func nkey(prefix byte, key []byte) string {
	b := append([]byte{prefix}, key...)
	return base32.StdEncoding.EncodeToString(binary.LittleEndian.AppendUint16(b, crc16(b)))
}

// request is a complete and signed request.
func (m machine) request(codeID, secret string) protocol.EnrollRequest {
	r := protocol.EnrollRequest{
		CodeID: codeID, CodeSecret: secret, PublicKey: m.public, Timestamp: 7, MachineID: "machine",
		Facts: protocol.EnrollFacts{
			Hostname: "host", OS: "linux", OSName: "Debian GNU/Linux 12", Kernel: "6.1", Arch: "arm64", Agent: "1.2.3",
			IPs: []string{"10.0.0.5", "fd00::5"}, Zone: "Europe/Berlin", BootID: "boot", Features: []string{"pty"},
		},
	}
	return m.sign(r)
}

func (m machine) sign(r protocol.EnrollRequest) protocol.EnrollRequest {
	r.Signature = ed25519.Sign(m.private, r.SigningText())
	return r
}

// ask sends a request; body may be raw text.
func (e *entrance) ask(body any) *httptest.ResponseRecorder {
	e.tb.Helper()
	text, ok := body.(string)
	if !ok {
		b, err := json.Marshal(body)
		if err != nil {
			e.tb.Fatal(err)
		}
		text = string(b)
	}
	r := httptest.NewRequestWithContext(e.ctx, http.MethodPost, "https://errand.example"+protocol.EnrollPath, strings.NewReader(text))
	r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(e.from), 40000).String()
	w := httptest.NewRecorder()
	e.handler.ServeHTTP(w, r)
	return w
}

// joins expects an answer.
func (e *entrance) joins(body any) protocol.EnrollAnswer {
	e.tb.Helper()
	w := e.ask(body)
	var a protocol.EnrollAnswer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK {
		e.tb.Fatalf("%d (%v): %s", w.Code, err, w.Body)
	}
	return a
}

// refused expects a problem.
func (e *entrance) refused(body any, status int, reason protocol.ProblemReason) protocol.Problem {
	e.tb.Helper()
	w := e.ask(body)
	return checkProblem(e.tb, w, status, reason)
}

func checkProblem(tb testing.TB, w *httptest.ResponseRecorder, status int, reason protocol.ProblemReason) protocol.Problem {
	tb.Helper()
	var p protocol.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		tb.Fatalf("%d, not a problem: %s", w.Code, w.Body)
	}
	if w.Code != status || p.Status != status || p.Reason != reason || p.Title == "" || p.Detail == "" || p.Type != "about:blank" ||
		w.Header().Get("Content-Type") != "application/problem+json" {
		tb.Errorf("%d %s, want %d %s", w.Code, w.Body, status, reason)
	}
	return p
}

func TestEnroll(t *testing.T) {
	t.Parallel()
	e := newEntrance(t)
	code, secret := e.code(core.RegistrationSpec{Region: "eu", ResourceGroup: "rg"})
	m := newMachine(1)
	req := m.request(code.ID.UUID(), secret)
	req.NodeID, req.Name = "web-1", "Web 1"
	req.Tags = []protocol.EnrollTag{{Key: "env", Value: "prod"}}
	got := e.joins(req)
	nodes, err := e.Service.NodesByID(t.Context(), e.Caller, []string{"web-1"})
	if err != nil {
		t.Fatal(err)
	}
	n := nodes["web-1"]
	if diff := cmp.Diff(protocol.EnrollAnswer{
		NodeID: "web-1", NodeKey: int64(n.Key), AccountID: "1000000000000001", NATSURLs: []string{"tls://errand.example:4222"}, CA: "PEM",
		Heartbeat: 60,
	}, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	want := core.Node{
		Key: n.Key, Account: scene.Account, ID: "web-1", Name: "Web 1", Region: "eu", PublicKey: m.public, Registration: code.ID,
		RegisteredAt: e.Now(), UpdatedAt: e.Now(), Hostname: "host", Platform: core.Linux, OSName: "Debian GNU/Linux 12", Kernel: "6.1",
		Arch: "arm64", MachineID: "machine", BootID: "boot", Zone: "Europe/Berlin", PrivateIP: "10.0.0.5", PublicIP: machineAddr,
		Agent: "1.2.3", Features: []string{"pty"}, ResourceGroup: "rg", Tags: []core.Tag{{Key: "env", Value: "prod"}},
	}
	if diff := cmp.Diff(want, n); diff != "" {
		t.Errorf("node (-want +got):\n%s", diff)
	}
}

// TestEnrollAgain gives a machine that did not hear the answer the same node, even when the code is used up or the machine's clock moved.
func TestEnrollAgain(t *testing.T) {
	t.Parallel()
	e := newEntrance(t)
	code, secret := e.code(core.RegistrationSpec{Limit: 1, NamePrefix: "web"})
	m := newMachine(1)
	first := e.joins(m.request(code.ID.String(), secret))
	later := m.request(code.ID.UUID(), secret)
	later.Timestamp = -1 << 40
	if diff := cmp.Diff(first, e.joins(m.sign(later))); diff != "" {
		t.Errorf("(-first +second):\n%s", diff)
	}
	if p := e.refused(newMachine(2).request(code.ID.String(), secret), 403, protocol.ProblemRefused); !strings.Contains(p.Detail, "used up") {
		t.Errorf("detail %q", p.Detail)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	e := newEntrance(t)
	m := newMachine(1)
	code, secret := e.code(core.RegistrationSpec{})
	short, shortSecret := e.code(core.RegistrationSpec{Validity: time.Hour})
	e.Advance(time.Hour)
	inside, insideSecret := e.code(core.RegistrationSpec{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	taken := newMachine(9).request(code.ID.String(), secret)
	taken.NodeID = "web-1"
	e.joins(taken)

	with := func(change func(*protocol.EnrollRequest)) protocol.EnrollRequest {
		r := m.request(code.ID.String(), secret)
		change(&r)
		return m.sign(r)
	}
	unsigned := func(change func(*protocol.EnrollRequest)) protocol.EnrollRequest {
		r := m.request(code.ID.String(), secret)
		change(&r)
		return r
	}
	type request = protocol.EnrollRequest
	tests := map[string]struct {
		body   any
		status int
		reason protocol.ProblemReason
	}{
		"unknown code":   {m.request(e.Service.NewID().String(), secret), 403, "refused"},
		"wrong secret":   {m.request(code.ID.String(), secret+"x"), 403, "refused"},
		"other's secret": {m.request(code.ID.String(), shortSecret), 403, "refused"},
		"expired":        {m.request(short.ID.String(), shortSecret), 403, "refused"},
		"wrong network":  {m.request(inside.ID.String(), insideSecret), 403, "refused"},
		"node id taken":  {with(func(r *request) { r.NodeID = "web-1" }), 409, "node_taken"},

		"no body":            {"", 400, "malformed"},
		"not JSON":           {"code_id=1", 400, "malformed"},
		"another JSON value": {"[]", 400, "malformed"},
		"text after it":      {"{} {}", 400, "malformed"},
		"wrong type":         {`{"code_id":1}`, 400, "malformed"},
		"too large":          {`{"x":"` + strings.Repeat("x", protocol.MaxEnroll) + `"}`, 413, "malformed"},
		"nothing in it":      {"{}", 400, "malformed"},
		"no code":            {with(func(r *request) { r.CodeID = "" }), 400, "malformed"},
		"malformed code":     {with(func(r *request) { r.CodeID = "1234" }), 400, "malformed"},
		"no secret":          {with(func(r *request) { r.CodeSecret = "" }), 400, "malformed"},
		"long secret":        {with(func(r *request) { r.CodeSecret = strings.Repeat("x", 257) }), 400, "malformed"},
		"no key":             {with(func(r *request) { r.PublicKey = "" }), 400, "malformed"},
		"another's key":      {with(func(r *request) { r.PublicKey = newMachine(2).public }), 400, "malformed"},
		"key of an account":  {with(func(r *request) { r.PublicKey = nkey(0, newMachine(1).private[32:]) }), 400, "malformed"},
		"key in lower case":  {with(func(r *request) { r.PublicKey = strings.ToLower(r.PublicKey) }), 400, "malformed"},
		"key with a newline": {with(func(r *request) { r.PublicKey = r.PublicKey[:55] + "\n" }), 400, "malformed"},
		"no signature":       {unsigned(func(r *request) { r.Signature = nil }), 400, "malformed"},
		"short signature":    {unsigned(func(r *request) { r.Signature = r.Signature[1:] }), 400, "malformed"},
		"changed signature":  {unsigned(func(r *request) { r.Signature[0]++ }), 400, "malformed"},
		"changed code":       {unsigned(func(r *request) { r.CodeID = short.ID.String() }), 400, "malformed"},
		"changed time":       {unsigned(func(r *request) { r.Timestamp++ }), 400, "malformed"},
		"node id":            {with(func(r *request) { r.NodeID = "../etc" }), 400, "malformed"},
		"long node id":       {with(func(r *request) { r.NodeID = strings.Repeat("n", 129) }), 400, "malformed"},
		"name":               {with(func(r *request) { r.Name = "a\nb" }), 400, "malformed"},
		"long name":          {with(func(r *request) { r.Name = strings.Repeat("n", 129) }), 400, "malformed"},
		"tags":               {with(func(r *request) { r.Tags = make([]protocol.EnrollTag, 21) }), 400, "malformed"},
		"tag without a key":  {with(func(r *request) { r.Tags = []protocol.EnrollTag{{Value: "v"}} }), 400, "malformed"},
		"no host name":       {with(func(r *request) { r.Facts.Hostname = "" }), 400, "malformed"},
		"long host name":     {with(func(r *request) { r.Facts.Hostname = strings.Repeat("h", 254) }), 400, "malformed"},
		"host name":          {with(func(r *request) { r.Facts.Hostname = "a\x1b[31m" }), 400, "malformed"},
		"system":             {with(func(r *request) { r.Facts.OS = "plan9" }), 400, "malformed"},
		"address":            {with(func(r *request) { r.Facts.IPs = []string{"10.0.0.300"} }), 400, "malformed"},
		"addresses":          {with(func(r *request) { r.Facts.IPs = make([]string, 65) }), 400, "malformed"},
		"feature":            {with(func(r *request) { r.Facts.Features = []string{""} }), 400, "malformed"},
		"features":           {with(func(r *request) { r.Facts.Features = strings.Split(strings.Repeat("f", 65), "") }), 400, "malformed"},
		"long machine id":    {with(func(r *request) { r.MachineID = strings.Repeat("m", 129) }), 400, "malformed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e.Advance(failureWindow) // each case comes with a clean slate
			e.refused(tt.body, tt.status, tt.reason)
		})
	}
	rows, _, err := e.Service.Nodes(t.Context(), e.Caller, core.NodeFilter{}, core.PageSpec{Limit: 10})
	if err != nil || len(rows) != 1 {
		t.Errorf("%d nodes joined (%v), want the one", len(rows), err)
	}
}

// TestLongest accepts what lies exactly on a limit, and members from the future.
func TestLongest(t *testing.T) {
	t.Parallel()
	e := newEntrance(t)
	code, secret := e.code(core.RegistrationSpec{})
	r := newMachine(1).request(code.ID.String(), secret)
	r.Facts.Hostname, r.MachineID = strings.Repeat("h", 253), strings.Repeat("m", 128)
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	e.joins(strings.Replace(string(b), "{", `{"new":{"a":[1]},`, 1))
}

func TestOtherRequests(t *testing.T) {
	t.Parallel()
	e := newEntrance(t)
	for _, tt := range []struct {
		method, path string
		status       int
		reason       protocol.ProblemReason
	}{
		{http.MethodGet, protocol.EnrollPath, 405, protocol.ProblemMalformed},
		{http.MethodPost, "/agent/", 404, protocol.ProblemNoSuch},
		{http.MethodPost, protocol.EnrollPath + "/", 404, protocol.ProblemNoSuch},
	} {
		w := httptest.NewRecorder()
		e.handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, nil))
		checkProblem(t, w, tt.status, tt.reason)
		if allow := w.Header().Get("Allow"); (tt.status == 405) != (allow == http.MethodPost) {
			t.Errorf("%s: Allow %q", tt.path, allow)
		}
	}
}

// TestFailuresHaveToWait makes an address that failed ten times wait for the rest of the minute, right code or not, and no other address.
func TestFailuresHaveToWait(t *testing.T) {
	t.Parallel()
	e := newEntrance(t)
	code, secret := e.code(core.RegistrationSpec{})
	good, bad := newMachine(1).request(code.ID.String(), secret), newMachine(2).request(code.ID.String(), "guess")
	for range maxFailures {
		e.refused(bad, 403, protocol.ProblemRefused)
	}
	e.Advance(20 * time.Second)
	w := e.ask(good)
	checkProblem(t, w, 429, protocol.ProblemTooMany)
	if got := w.Header().Get("Retry-After"); got != "40" {
		t.Errorf("Retry-After %q", got)
	}
	e.from = "192.0.2.8"
	e.joins(good)
	e.from = machineAddr
	e.Advance(40 * time.Second)
	e.joins(good)
}

// TestTakenIsNoGuess does not make an address wait whose machines have right codes but want the same name.
func TestTakenIsNoGuess(t *testing.T) {
	t.Parallel()
	e := newEntrance(t)
	code, secret := e.code(core.RegistrationSpec{})
	wish := func(seed byte) protocol.EnrollRequest {
		r := newMachine(seed).request(code.ID.String(), secret)
		r.NodeID = "web-1"
		return r
	}
	e.joins(wish(1))
	for i := range maxFailures + 1 {
		e.refused(wish(byte(2+i)), 409, protocol.ProblemNodeTaken)
	}
}

// TestFault answers nothing about faults of ours and does not hold them against the machine.
func TestFault(t *testing.T) {
	t.Parallel()
	e := newEntrance(t)
	code, secret := e.code(core.RegistrationSpec{})
	r := newMachine(1).request(code.ID.String(), secret)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the store gives up
	e.ctx = ctx
	for range maxFailures + 1 {
		e.refused(r, 500, protocol.ProblemInternal)
	}
}

func TestFailuresAreBounded(t *testing.T) {
	t.Parallel()
	var f failures
	now := time.Unix(0, 0)
	var a netip.Addr
	for i := range 3 * maxAddresses {
		a = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		for range maxFailures {
			f.note(a, now)
		}
		if len(f.seen) > maxAddresses {
			t.Fatalf("%d addresses are remembered", len(f.seen))
		}
	}
	if f.wait(a, now) != failureWindow {
		t.Error("the latest was forgotten")
	}
	f.note(netip.MustParseAddr("192.0.2.1"), now.Add(failureWindow))
	if len(f.seen) != 1 {
		t.Errorf("%d addresses are remembered after their time", len(f.seen))
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1/32", "2001:db8:1:2:3::1": "2001:db8:1:2::/64",
	} {
		if got := network(netip.MustParseAddr(in)).String(); got != want {
			t.Errorf("%s is in %s, want %s", in, got, want)
		}
	}
	network(netip.Addr{}) // a connection without an address is one as well
}

// TestForeignNkey checks a key and a signature that the nkeys library made.
func TestForeignNkey(t *testing.T) {
	t.Parallel()
	const user = "UDVEU3DD4KOFECV66VIHWEZOYX4ZKR3WV27L464SIIPOU2IUI3JCYSJF"
	key, err := parsePublicKey(user)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := base64.StdEncoding.DecodeString(
		"kwEWmCAzgSw4kZlFqs5zDKS2r3M89mYnOcsLPeYhtAEuBR/OmdNtMO6LrS1RbedHPFjMFp8dxU5C87pdo6X3BQ==")
	if err != nil {
		t.Fatal(err)
	}
	r := protocol.EnrollRequest{CodeID: "0123456789abcdef", PublicKey: user, Timestamp: 1795325864}
	if !ed25519.Verify(key, r.SigningText(), signature) {
		t.Error("the signature does not fit")
	}
	for _, s := range []string{
		"", "U", user[:55], user + "A", user[:55] + "G", strings.Replace(user, "V", "W", 1),
		"ADVEU3DD4KOFECV66VIHWEZOYX4ZKR3WV27L464SIIPOU2IUI3JCZW22", // of an account
	} {
		if _, err := parsePublicKey(s); err == nil {
			t.Errorf("%q is a key", s)
		}
	}
}

// FuzzEnroll sends strangers' bodies: each is answered as a problem, and never as a fault of ours.
func FuzzEnroll(f *testing.F) {
	shared := newEntrance(f)
	code, secret := shared.code(core.RegistrationSpec{Limit: 1 << 30})
	b, err := json.Marshal(newMachine(1).request(code.ID.String(), secret))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(b))
	f.Add(`{"code_id":"","facts":null,"tags":[null],"signature":"%"}`)
	f.Fuzz(func(t *testing.T, body string) {
		e := *shared
		e.tb, e.ctx = t, t.Context()
		e.Advance(failureWindow)
		w := e.ask(body)
		if w.Code >= 500 {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
		if w.Code != http.StatusOK {
			var p protocol.Problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Detail == "" {
				t.Fatalf("%d: %s", w.Code, w.Body)
			}
		}
	})
}
