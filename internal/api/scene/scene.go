// Package scene sets up what a dialect's tests need: a real service on a real store, a clock that the test moves, an account with
// a key, and nodes that report what the test tells them.
package scene

import (
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"errand/internal/api"
	"errand/internal/api/sign"
	"errand/internal/core"
	"errand/internal/store/blob"
	"errand/internal/store/sqlite"
	"errand/internal/webhook"
)

// Key and Secret are the access key that exists in every scene, for account Account.
const (
	Key     = "testid"
	Secret  = "testsecret"
	Account = core.AccountID(1000000000000001)
)

// Scene is a service under test.
type Scene struct {
	tb      testing.TB
	Service *core.Service
	Feed    *core.Feed
	Caller  core.Caller

	mu  sync.Mutex
	now time.Time
}

// New sets a scene at a fixed time. Each of the options changes what the service is made of.
func New(tb testing.TB, options ...func(*core.Config)) *Scene {
	tb.Helper()
	s := &Scene{
		tb: tb, Feed: &core.Feed{}, now: time.Date(2026, 11, 22, 5, 41, 40, 0, time.UTC),
		Caller: core.Caller{Account: Account, Principal: core.RootUser, Root: true, KeyID: Key},
	}
	log := slog.New(slog.DiscardHandler)
	dir := tb.TempDir()
	store, err := sqlite.Open(tb.Context(), filepath.Join(dir, "errand.db"), log)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = store.Close() })
	blobs, err := blob.NewFolder(filepath.Join(dir, "blobs"))
	if err != nil {
		tb.Fatal(err)
	}
	sealer, err := core.NewSealer(make([]byte, 32))
	if err != nil {
		tb.Fatal(err)
	}
	config := core.Config{
		Store: store, Blobs: blobs, Sealer: sealer, IDs: core.NewIDs(1), Protocol: 1, Now: s.Now, Log: log, Feed: s.Feed, PageKey: make([]byte, 32),
		Post: webhook.New(webhook.Config{Now: s.Now, Loopback: true, Agent: "errand"}).Post,
	}
	for _, option := range options {
		option(&config)
	}
	s.Service = core.NewService(config)
	s.must(s.Service.CreateAccount(tb.Context(), Account, "test"))
	s.must(s.Service.CreateKey(tb.Context(), Account, "root", Key, Secret))
	return s
}

func (s *Scene) must(_ any, err error) {
	s.tb.Helper()
	if err != nil {
		s.tb.Fatal(err)
	}
}

// Env is what a dialect is built from.
func (s *Scene) Env() api.Env {
	return api.Env{Service: s.Service, Now: s.Now, Nonces: new(sign.NonceCache)}
}

// Now is the scene's clock.
func (s *Scene) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Advance moves the clock.
func (s *Scene) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// At sets the clock, for requests that were signed at another time.
func (s *Scene) At(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = t
}

// Node enrols a Linux machine with this id; an empty id is left to the service. The machine has never been seen until Online.
func (s *Scene) Node(id string) core.Node {
	s.tb.Helper()
	return s.NodeOn(core.Linux, id)
}

// NodeOn enrols a machine of some platform.
func (s *Scene) NodeOn(platform core.Platform, id string) core.Node {
	s.tb.Helper()
	ctx := s.tb.Context()
	code, secret, err := s.Service.CreateRegistration(ctx, s.Caller, core.RegistrationSpec{Limit: 1000})
	if err != nil {
		s.tb.Fatal(err)
	}
	n, err := s.Service.Register(ctx, core.Enrolment{
		Code: code.ID, Secret: secret, PublicKey: core.NewSecret(), NodeID: id,
		Facts: core.Facts{
			Hostname: "host-" + id, Platform: platform, Agent: "1.0.0", OSName: "Debian GNU/Linux 12", PrivateIP: "10.0.0.1",
			Features: []string{"schedule", "file", "dryrun", "container", "session", "policy"},
		},
	})
	if err != nil {
		s.tb.Fatal(err)
	}
	return n
}

// Online makes nodes heard of just now.
func (s *Scene) Online(nodes ...core.Node) {
	for _, n := range nodes {
		s.Service.Seen(n.Key, s.Now())
	}
}

// Task finds the task of an invocation on a node.
func (s *Scene) Task(id core.ID, n core.Node) core.TaskID {
	s.tb.Helper()
	rows, _, err := s.Service.Tasks(s.tb.Context(), s.Caller, core.TaskFilter{
		Invocations: []core.ID{id}, Nodes: []core.NodeKey{n.Key},
	}, core.PageSpec{Limit: 1})
	if err != nil || len(rows) != 1 {
		s.tb.Fatalf("task of %s on %s: %v, %d rows", id, n.ID, err, len(rows))
	}
	return rows[0].ID
}

// Report lets a node say something about its task; Node is filled in, and Task unless the report names one.
func (s *Scene) Report(id core.ID, n core.Node, r core.Report) core.Answer {
	s.tb.Helper()
	r.Node = n.Key
	if r.Task == (core.TaskID{}) {
		r.Task = s.Task(id, n)
	}
	answers, err := s.Service.Report(s.tb.Context(), []core.Report{r})
	if err != nil {
		s.tb.Fatal(err)
	}
	if len(answers) == 0 {
		return core.Answer{}
	}
	return answers[0]
}

// Exit lets a node report that the command printed stdout, then stderr, and ended after one second with this code.
func (s *Scene) Exit(id core.ID, n core.Node, code int32, stdout, stderr string) {
	s.tb.Helper()
	r := core.Report{
		Kind: core.ReportEnded, State: core.Succeeded, Exited: true, ExitCode: code, Started: s.Now(), Ended: s.Now().Add(time.Second),
		Stdout: uint64(len(stdout)), Stderr: uint64(len(stderr)), End: uint64(len(stdout) + len(stderr)),
		Chunk: core.Chunk{Data: []byte(stdout + stderr)},
	}
	if code != 0 {
		r.State, r.Cause = core.Failed, core.CauseExitNonzero
	}
	if stdout != "" {
		r.Chunk.Spans = append(r.Chunk.Spans, core.Span{Stream: core.Stdout, Len: uint32(len(stdout))})
	}
	if stderr != "" {
		r.Chunk.Spans = append(r.Chunk.Spans, core.Span{Stream: core.Stderr, Len: uint32(len(stderr))})
	}
	if a := s.Report(id, n, r); !a.Final {
		s.tb.Fatalf("result was not taken: %+v", a)
	}
}
