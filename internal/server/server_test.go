package server_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"errand/internal/server"
	"errand/internal/store/sqlite"
)

func config(t *testing.T) server.Config {
	t.Helper()
	return server.Config{
		Data: filepath.Join(t.TempDir(), "data"), Listen: "127.0.0.1:0", AgentListen: "127.0.0.1:0", Now: time.Now,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})), Notice: io.Discard,
	}
}

func start(t *testing.T, c server.Config) *server.Server {
	t.Helper()
	s, err := server.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func stop(t *testing.T, s *server.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func get(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*server.Config)
		want   string
	}{
		"no data folder":           {func(c *server.Config) { c.Data = "" }, "data folder"},
		"plain HTTP for the world": {func(c *server.Config) { c.Listen = "0.0.0.0:0" }, "--insecure-http"},
		"half a certificate":       {func(c *server.Config) { c.TLSCert = "x" }, "go together"},
		"half a key":               {func(c *server.Config) { c.RootKeyID = "x" }, "go together"},
		"no port":                  {func(c *server.Config) { c.Listen = "127.0.0.1" }, "listen address"},
		"no certificate file":      {func(c *server.Config) { c.TLSCert, c.TLSKey = "/none", "/none" }, "certificate"},
		"malformed sealing key":    {func(c *server.Config) { c.SealKey = "zz" }, "sealing key"},
		"short sealing key":        {func(c *server.Config) { c.SealKey = "00" }, "sealing key"},
		"another database":         {func(c *server.Config) { c.DatabaseURL = "postgres://u:secret@db/errand" }, "SQLite only"},
		"half a database":          {func(c *server.Config) { c.DatabaseURL = "sqlite://relative" }, "sqlite:///PATH"},
		"days before today":        {func(c *server.Config) { c.RetainDays = -1 }, "0 to 36500 days"},
		"more days than there are": {func(c *server.Config) { c.RetainDays = 1 << 40 }, "0 to 36500 days"},
		"recorded sometimes":       {func(c *server.Config) { c.Terminals.Record = "sometimes" }, "but not \"sometimes\""},
		"a terminal of before":     {func(c *server.Config) { c.Terminals.Idle = -1 }, "no negative time"},
		"fewer than none":          {func(c *server.Config) { c.RetainInvocations = -1 }, "0 or more invocations"},
		"agent address":            {func(c *server.Config) { c.AgentListen = "nonsense" }, "agent address"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := config(t)
			tt.change(&c)
			s, err := server.Start(t.Context(), c)
			if err == nil {
				stop(t, s)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestSecondServerOnOneFolder(t *testing.T) {
	t.Parallel()
	c := config(t)
	s := start(t, c)
	defer stop(t, s)
	if second, err := server.Start(t.Context(), c); !errors.Is(err, sqlite.ErrInUse) {
		t.Errorf("the second says %v", err)
		if err == nil {
			stop(t, second)
		}
	}
}

// TestRootKey is generated once, kept in a file that only its owner reads, and sealed in the database.
func TestRootKey(t *testing.T) {
	t.Parallel()
	c := config(t)
	var notice bytes.Buffer
	c.Notice = &notice
	s := start(t, c)
	file := filepath.Join(c.Data, "root-credentials.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cred server.Credentials
	if err := json.Unmarshal(text, &cred); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if !strings.Contains(notice.String(), cred.AccessKeySecret) {
		t.Error("the key was not shown")
	}
	got, err := s.Service.Key(t.Context(), cred.AccessKeyID)
	if err != nil || got.Secret != cred.AccessKeySecret {
		t.Errorf("%v", err)
	}
	stop(t, s)
	_ = filepath.WalkDir(c.Data, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && path != file {
			if b, _ := os.ReadFile(path); bytes.Contains(b, []byte(cred.AccessKeySecret)) {
				t.Errorf("%s has the secret in clear", path)
			}
		}
		return err
	})
	notice.Reset()
	s = start(t, c)
	defer stop(t, s)
	if notice.Len() > 0 {
		t.Errorf("the second start says %q", notice.String())
	}
	if got, err := s.Service.Key(t.Context(), cred.AccessKeyID); err != nil || got.Secret != cred.AccessKeySecret {
		t.Errorf("after a restart: %v", err)
	}
}

func TestDatabaseURL(t *testing.T) {
	t.Parallel()
	c := config(t)
	file := filepath.Join(t.TempDir(), "elsewhere.db")
	c.DatabaseURL = "sqlite://" + file
	stop(t, start(t, c))
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	s := start(t, config(t))
	defer stop(t, s)
	for path, want := range map[string]string{
		"/healthz": "ok\n", "/readyz": "ok\n", "/metrics": "errand_nodes_connected 0", "/console/": "Sign in to Errand",
	} {
		if code, body := get(t, http.DefaultClient, s.URL()+path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d, %.80q", path, code, body)
		}
	}
	if code, _ := get(t, http.DefaultClient, s.URL()+"/nothing/here"); code != http.StatusNotFound {
		t.Errorf("an unknown path: %d", code)
	}
	if code, _ := get(t, http.DefaultClient, s.URL()+"/api/v1/invocations"); code != http.StatusUnauthorized {
		t.Errorf("without a key: %d", code)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	c := config(t)
	pool := x509.NewCertPool()
	c.TLSCert, c.TLSKey = certificate(t, pool)
	s := start(t, c)
	defer stop(t, s)
	if !strings.HasPrefix(s.URL(), "https://") {
		t.Errorf("serves at %s", s.URL())
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig.RootCAs = pool
	if code, _ := get(t, &http.Client{Transport: transport}, s.URL()+"/healthz"); code != http.StatusOK {
		t.Errorf("healthz: %d", code)
	}
}

func certificate(t *testing.T, pool *x509.CertPool) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool.AppendCertsFromPEM(certPEM)
	cert, key = filepath.Join(t.TempDir(), "cert"), filepath.Join(t.TempDir(), "key")
	for file, b := range map[string][]byte{cert: certPEM, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})} {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}
