package identity

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nkeys" //nolint:depguard // judges the signatures

	"errand/internal/agent/reach"
	"errand/internal/agent/reach/reachtest"
	"errand/internal/protocol"
)

const code = "a-secret-nobody-may-see"

// door is a server's door for agents: it checks what it is asked and gives each key one node.
type door struct {
	*httptest.Server
	t *testing.T

	mu    sync.Mutex
	asked []protocol.EnrollRequest
	nodes map[string]int64
	// before answers in place of the door while it returns true.
	before func(try int, w http.ResponseWriter) bool
}

func newDoor(t *testing.T, start func(http.Handler) *httptest.Server) *door {
	d := &door{t: t, nodes: map[string]int64{}}
	d.Server = start(d)
	t.Cleanup(d.Close)
	return d
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var wish protocol.EnrollRequest
	if err := json.NewDecoder(r.Body).Decode(&wish); err != nil || r.Method != http.MethodPost || r.URL.Path != protocol.EnrollPath {
		d.t.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
	key, err := nkeys.FromPublicKey(wish.PublicKey)
	if err != nil || key.Verify(wish.SigningText(), wish.Signature) != nil {
		d.t.Errorf("key %q did not sign the request", wish.PublicKey)
	}
	d.asked = append(d.asked, wish)
	if d.nodes[wish.PublicKey] == 0 {
		d.nodes[wish.PublicKey] = int64(len(d.nodes) + 1)
	}
	if d.before != nil && d.before(len(d.asked), w) {
		return
	}
	_ = json.NewEncoder(w).Encode(protocol.EnrollAnswer{
		NodeID: fmt.Sprintf("node-%d", d.nodes[wish.PublicKey]), NodeKey: d.nodes[wish.PublicKey], AccountID: "acc",
		NATSURLs: []string{"tls://127.0.0.1:4222"}, CA: string(certificate(d.t)), Heartbeat: 60,
	})
}

// certificate is any certificate, as PEM.
func certificate(t *testing.T) []byte {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// newClient is the agent's own, with certificates to trust if there are any.
func newClient(caFile string) *http.Client {
	way, err := reach.New(reach.Config{CAFile: caFile})
	if err != nil {
		panic(err)
	}
	return way.Client(TryTimeout)
}

func request(dir, server string) Request {
	return Request{
		Dir: dir, ServerURL: server, ActivationID: "code-1", ActivationCode: code, NodeID: "web-1", Name: "web",
		Tags: []protocol.EnrollTag{{Key: "env", Value: "prod"}}, MachineID: "machine",
		Facts:  protocol.EnrollFacts{Hostname: "host", OS: "linux", Arch: "amd64", Agent: "1.2.3"},
		Client: newClient(""), Log: slog.New(slog.DiscardHandler), pause: time.Millisecond,
	}
}

func TestEnroll(t *testing.T) {
	t.Parallel()
	d := newDoor(t, httptest.NewServer)
	dir := filepath.Join(t.TempDir(), "data")
	if _, err := Load(dir); !errors.Is(err, ErrNotEnrolled) {
		t.Fatalf("before: %v", err)
	}
	got, err := Enroll(t.Context(), request(dir, d.URL))
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []Identity{got, loaded} {
		want := stored{NodeID: "node-1", NodeKey: 1, AccountID: "acc", BusURLs: []string{"tls://127.0.0.1:4222"}, ServerURL: d.URL}
		have := stored{NodeID: i.NodeID, NodeKey: i.NodeKey, AccountID: i.AccountID, BusURLs: i.BusURLs, ServerURL: i.ServerURL}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if i.Heartbeat != time.Minute || !bytes.Contains(i.CA, []byte("BEGIN CERTIFICATE")) {
			t.Errorf("heartbeat %v, CA %q", i.Heartbeat, i.CA)
		}
		public, err := i.PublicKey()
		if err != nil || public != d.asked[0].PublicKey {
			t.Errorf("public key %q, %v", public, err)
		}
		sig, err := i.Sign([]byte("nonce"))
		if err != nil {
			t.Fatal(err)
		}
		key, _ := nkeys.FromPublicKey(public)
		if err := key.Verify([]byte("nonce"), sig); err != nil {
			t.Errorf("signature: %v", err)
		}
	}
	wish := d.asked[0]
	if wish.CodeID != "code-1" || wish.CodeSecret != code || wish.NodeID != "web-1" || wish.Name != "web" || wish.MachineID != "machine" ||
		!cmp.Equal(wish.Tags, []protocol.EnrollTag{{Key: "env", Value: "prod"}}) || wish.Facts.Hostname != "host" {
		t.Errorf("asked %+v", wish)
	}
	if _, err := Enroll(t.Context(), request(dir, d.URL)); err != nil || len(d.asked) != 1 {
		t.Errorf("an enrolled machine asked again: %v, %d requests", err, len(d.asked))
	}
	checkFiles(t, dir)
}

// checkFiles holds the promises about what lies on the disk.
func checkFiles(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		switch {
		case path == dir:
			return nil
		case e.IsDir():
			want = 0o700
		default:
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if bytes.Contains(b, []byte(code)) {
				t.Errorf("%s holds the activation code", path)
			}
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// The server made the node, but its answer was lost; the machine crashed and asks again.
func TestCrashDuringEnrolment(t *testing.T) {
	t.Parallel()
	d := newDoor(t, httptest.NewServer)
	ctx, crash := context.WithCancel(t.Context())
	d.before = func(try int, w http.ResponseWriter) bool {
		if try == 1 {
			crash()
			w.WriteHeader(http.StatusInternalServerError)
		}
		return try == 1
	}
	dir := t.TempDir()
	if _, err := Enroll(ctx, request(dir, d.URL)); !errors.Is(err, context.Canceled) {
		t.Fatalf("first: %v", err)
	}
	if _, err := Load(dir); !errors.Is(err, ErrNotEnrolled) {
		t.Errorf("half enrolled: %v", err)
	}
	i, err := Enroll(t.Context(), request(dir, d.URL))
	if err != nil || i.NodeID != "node-1" {
		t.Errorf("became %q, %v", i.NodeID, err)
	}
}

func TestEnrollKeepsTrying(t *testing.T) {
	t.Parallel()
	d := newDoor(t, httptest.NewServer)
	d.before = func(try int, w http.ResponseWriter) bool {
		switch try {
		case 1:
			w.WriteHeader(http.StatusBadGateway)
		case 2:
			w.WriteHeader(http.StatusTooManyRequests)
		case 3:
			panic(http.ErrAbortHandler) // the connection breaks
		case 4:
			_, _ = w.Write([]byte("<html>please log in to this network</html>"))
		case 5:
			_, _ = w.Write([]byte("{}"))
		}
		return try <= 5
	}
	var log bytes.Buffer
	r := request(t.TempDir(), d.URL)
	r.Log = slog.New(slog.NewTextHandler(&log, nil))
	if i, err := Enroll(t.Context(), r); err != nil || i.NodeID != "node-1" {
		t.Errorf("became %q, %v", i.NodeID, err)
	}
	if strings.Contains(log.String(), code) || strings.Count(log.String(), "not enrolled yet") != 5 {
		t.Errorf("log:\n%s", log.String())
	}
}

func TestEnrollIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter)
		want   RefusedError
	}{
		"refused": {
			func(w http.ResponseWriter) {
				w.WriteHeader(http.StatusForbidden)
				_ = json.NewEncoder(w).Encode(protocol.Problem{Reason: protocol.ProblemRefused, Detail: "the code is used up"})
			},
			RefusedError{Status: 403, Reason: protocol.ProblemRefused, Detail: "the code is used up"},
		},
		"not ours": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }, RefusedError{Status: 404}},
		"elsewhere": {
			func(w http.ResponseWriter) {
				w.Header().Set("Location", "https://other.example/")
				w.WriteHeader(http.StatusTemporaryRedirect)
			},
			RefusedError{Status: 307, Detail: "the server sends us to https://other.example/"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t, httptest.NewServer)
			d.before = func(_ int, w http.ResponseWriter) bool { c.answer(w); return true }
			_, err := Enroll(t.Context(), request(t.TempDir(), d.URL))
			var got *RefusedError
			if !errors.As(err, &got) {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, *got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Contains(err.Error(), code) || len(d.asked) != 1 {
				t.Errorf("%v after %d requests", err, len(d.asked))
			}
		})
	}
}

// The server's certificate and its authority change while a machine asks. The same request arrives as soon as the new authority is known.
func TestEnrollWhileCertificateIsRotated(t *testing.T) {
	t.Parallel()
	d := newDoor(t, httptest.NewTLSServer)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	write := func(content []byte) {
		if err := os.WriteFile(ca+".new", content, 0o600); err != nil {
			t.Error(err)
		}
		if err := os.Rename(ca+".new", ca); err != nil {
			t.Error(err)
		}
	}
	write(reachtest.NewAuthority(t).PEM)
	var once sync.Once
	r := request(t.TempDir(), d.URL)
	r.Client = newClient(ca)
	r.Log = slog.New(slog.NewTextHandler(writer(func(line []byte) {
		if !bytes.Contains(line, []byte("unknown authority")) {
			t.Errorf("log: %s", line)
		}
		once.Do(func() { write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d.Certificate().Raw})) })
	}), nil))
	if i, err := Enroll(t.Context(), r); err != nil || i.NodeID != "node-1" {
		t.Errorf("became %q, %v", i.NodeID, err)
	}
	if len(d.asked) != 1 || d.asked[0].CodeSecret != code || d.asked[0].Name != "web" {
		t.Errorf("asked %+v", d.asked)
	}
}

type writer func([]byte)

func (w writer) Write(b []byte) (int, error) {
	w(b)
	return len(b), nil
}

// Whatever is not a success is treated as none: it is tried again, or it is the end, and nothing is kept of it.
func TestEveryOtherAnswerIsAFailure(t *testing.T) {
	t.Parallel()
	d := newDoor(t, httptest.NewServer)
	status := 0
	d.before = func(_ int, w http.ResponseWriter) bool {
		w.WriteHeader(status)
		return status/100 != 2
	}
	again := map[int]bool{408: true, 425: true, 429: true}
	for status = 300; status < 600; status++ {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		r := request(dir, d.URL)
		r.Log = slog.New(slog.NewTextHandler(writer(func([]byte) { cancel() }), nil))
		_, err := Enroll(ctx, r)
		cancel()
		var refused *RefusedError
		if final := errors.As(err, &refused); err == nil || final == (status >= 500 || again[status]) {
			t.Errorf("%d: %v", status, err)
		}
		if _, err := Load(dir); !errors.Is(err, ErrNotEnrolled) {
			t.Errorf("%d: enrolled, %v", status, err)
		}
	}
}

func TestServerAddress(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]string{
		"https://errand.example.com":      "https://errand.example.com/agent/enroll",
		"https://errand.example.com/sub/": "https://errand.example.com/sub/agent/enroll",
		"http://localhost:8080":           "http://localhost:8080/agent/enroll",
		"http://127.0.0.9:8080":           "http://127.0.0.9:8080/agent/enroll",
		"http://[::1]:8080":               "http://[::1]:8080/agent/enroll",
		"http://errand.example.com":       "",
		"http://127.0.0.1.example.com":    "",
		"errand.example.com:8443":         "",
		"ftp://errand.example.com":        "",
		"https://":                        "",
		"":                                "",
	} {
		got, err := endpointOf(server, false)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", server, got, err)
		}
	}
	if got, err := endpointOf("http://errand.example.com", true); got == "" {
		t.Errorf("plain http on demand: %v", err)
	}
	if _, err := endpointOf("http://errand.example.com", false); !errors.Is(err, ErrPlainHTTP) {
		t.Errorf("plain http: %v", err)
	}
}

// A machine that is sent to another server keeps its key, and the identity before is not lost.
func TestSecondServer(t *testing.T) {
	t.Parallel()
	one, two := newDoor(t, httptest.NewServer), newDoor(t, httptest.NewServer)
	dir := t.TempDir()
	for _, d := range []*door{one, two} {
		if _, err := Enroll(t.Context(), request(dir, d.URL)); err != nil {
			t.Fatal(err)
		}
	}
	if one.asked[0].PublicKey != two.asked[0].PublicKey {
		t.Error("the key changed")
	}
	current := filepath.Join(dir, folder, fileName)
	for name, content := range map[string]string{"cut short": `{"node_id": "n`, "without a seed": `{"node_id": "n"}`, "empty": ""} {
		if err := os.WriteFile(current, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if i, err := Load(dir); err != nil || i.ServerURL != one.URL {
			t.Errorf("file %s: server %q, %v", name, i.ServerURL, err)
		}
	}
	if err := os.Remove(filepath.Join(dir, folder, previousName)); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || errors.Is(err, ErrNotEnrolled) {
		t.Errorf("unreadable identity: %v", err)
	}
	if _, err := Enroll(t.Context(), request(dir, one.URL)); err == nil {
		t.Error("an unreadable identity was replaced")
	}
}

// Nothing of the key may get into a log by printing an identity.
func TestIdentityDoesNotPrintItsKey(t *testing.T) {
	t.Parallel()
	i, err := New()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := i.key.Seed()
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(form, i); strings.Contains(s, string(seed)) || strings.Contains(s, fmt.Sprintf("%d", seed)) {
			t.Errorf("%s prints the seed", form)
		}
	}
}

// TestTruncatedIdentity cuts the file of a node that has just enrolled at every byte: it is the same node.
func TestTruncatedIdentity(t *testing.T) {
	t.Parallel()
	d := newDoor(t, httptest.NewServer)
	dir := t.TempDir()
	want, err := Enroll(t.Context(), request(dir, d.URL))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, folder, fileName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := range whole {
		if err := os.WriteFile(path, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Load(dir); err != nil || got.NodeID != want.NodeID || !got.Same(want) {
			t.Fatalf("cut at %d: %v, %v", size, got, err)
		}
	}
}

// TestCodeIsErased leaves no trace of the registration code in the data folder.
func TestCodeIsErased(t *testing.T) {
	t.Parallel()
	d := newDoor(t, httptest.NewServer)
	dir := t.TempDir()
	if _, err := Enroll(t.Context(), request(dir, d.URL)); err != nil {
		t.Fatal(err)
	}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, path))
		if bytes.Contains(b, []byte(code)) {
			t.Errorf("the code is in %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
