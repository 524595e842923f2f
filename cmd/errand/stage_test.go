package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"errand/internal/agent/executor"
	"errand/internal/agent/program"
	"errand/internal/api/native"
	"errand/internal/client"
	"errand/internal/core"
	"errand/internal/server"
)

// TestMain lets the test binary be its own supervisor, as the program is, and the program itself for scripts.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == executor.SuperviseArg {
		os.Exit(run(os.Args))
	}
	testscript.Main(m, map[string]func(){"errand": func() { os.Exit(run(os.Args)) }})
}

// stage is a server with real agents in this process, that scripts share: web-1 and web-2 with role=web, db-1 with role=db.
type stage struct {
	t         *testing.T
	url, data string
	server    *server.Server
	cred      server.Credentials

	mu     sync.Mutex
	code   core.RegistrationCode
	secret string
}

// openStage starts a server with these nodes, of which each is a name and tags; both end with the test.
func openStage(t *testing.T, nodes map[string]map[string]string) *stage {
	t.Helper()
	dir := t.TempDir()
	s := &stage{t: t, data: filepath.Join(dir, "server")}
	// The agents' runs and the server outlive the test's own context, so that they end in order.
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	var err error
	s.server, err = server.Start(ctx, server.Config{
		Data: s.data, Listen: "127.0.0.1:0", AgentListen: "127.0.0.1:0", Now: time.Now, Log: log, Notice: io.Discard, WebhookAllowPrivate: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.url = s.server.URL()
	if err := leaveAddress(s.data, s.server); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(s.data, "root-credentials.json"))
	if err == nil {
		err = json.Unmarshal(text, &s.cred)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.code, s.secret, err = s.server.Service.CreateRegistration(ctx, s.server.RootCaller(), core.RegistrationSpec{
		Description: "the stage", Limit: 1000, Validity: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	var agents sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		agents.Wait()
		stopping, done := context.WithTimeout(context.Background(), 20*time.Second)
		defer done()
		if err := s.server.Stop(stopping); err != nil {
			t.Error(err)
		}
	})
	for name, tags := range nodes {
		a, err := program.Start(ctx, program.Options{
			Server: s.url, ActivationID: s.code.ID.String(), ActivationCode: s.secret, Data: filepath.Join(dir, name), NodeID: name, Name: name,
			Tags: tags, Version: version, Log: log,
		})
		if err != nil {
			t.Fatal(err)
		}
		agents.Go(func() {
			if err := a.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("agent %s: %v", name, err)
			}
		})
	}
	for name := range nodes {
		s.connected(name)
	}
	return s
}

// threeNodes are the nodes that scripts and examples speak of.
func threeNodes() map[string]map[string]string {
	return map[string]map[string]string{
		"web-1": {"role": "web", "dc": "a"}, "web-2": {"role": "web", "dc": "b"}, "db-1": {"role": "db", "dc": "a"},
	}
}

// connected waits until a node can be reached.
func (s *stage) connected(node string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	for {
		found, err := s.server.Service.NodesByID(ctx, s.server.RootCaller(), []string{node})
		if err == nil && s.server.Service.Connected(found[node].Key) {
			return
		}
		select {
		case <-ctx.Done():
			s.t.Fatalf("node %s does not connect: %v", node, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// user makes a user with all rights and a key of its own, so that what a script calls its last run is its own.
func (s *stage) user(name string) (native.IssuedKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var key native.IssuedKey
	api, err := client.New(client.Config{URL: s.url, KeyID: s.cred.AccessKeyID, Secret: s.cred.AccessKeySecret, Agent: "test"})
	if err != nil {
		return key, err
	}
	ctx := s.t.Context()
	if err := api.Call(ctx, http.MethodPost, "users", nil, map[string]string{"name": name}, nil); err != nil {
		return key, err
	}
	if err := api.Call(ctx, http.MethodPut, client.Path("users", name, "policies", "AdministratorAccess"), nil, nil, nil); err != nil {
		return key, err
	}
	err = api.Call(ctx, http.MethodPost, client.Path("users", name, "keys"), nil, map[string]string{"kind": "long"}, &key)
	return key, err
}

// environ is what a process needs to be errand for a user of the stage.
func (s *stage) environ(home string, key native.IssuedKey) []string {
	return []string{
		"HOME=" + home, "XDG_CONFIG_HOME=" + filepath.Join(home, ".config"), "ERRAND_SERVER=" + s.url,
		"ERRAND_ACCESS_KEY_ID=" + key.ID, "ERRAND_ACCESS_KEY_SECRET=" + key.Secret,
	}
}
