// Package stacktest starts the whole product in one test process: the real server with its store and broker, and real agents that run real
// processes. Tests speak to it as any client would.
package stacktest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"errand/internal/agent/executor"
	"errand/internal/local"
	"errand/internal/server"
)

// Root key of every stack.
const (
	KeyID  = "testid"
	Secret = "testsecret"
)

// Main runs a package's tests. The agents start the test binary again as the supervisor of each command, so every package that starts a stack
// calls it from TestMain.
func Main(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == executor.SuperviseArg {
		os.Exit(executor.Supervise(os.Args[2])) //nolint:forbidigo // this is the main of a process of its own
	}
	m.Run()
}

// Stack is a running product.
type Stack struct {
	*local.Stack
	URL      string
	HostPort string
	KeyID    string
	Secret   string
	dir      string
	ctx      context.Context
}

// Start starts a server that is stopped when the test ends. Each of the options changes its configuration.
func Start(tb testing.TB, options ...func(*server.Config)) *Stack {
	tb.Helper()
	dir := tb.TempDir()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	config := server.Config{
		Data: filepath.Join(dir, "server"), Listen: "127.0.0.1:0", AgentListen: "127.0.0.1:0", RootKeyID: KeyID, RootSecret: Secret,
		Now: time.Now, Log: Log(tb), Notice: tb.Output(),
	}
	for _, option := range options {
		option(&config)
	}
	stack, err := local.Start(ctx, config)
	if err != nil {
		cancel()
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		cancel() // the agents
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := stack.Stop(ctx); err != nil {
			tb.Errorf("stop: %v", err)
		}
	})
	url := stack.Server.URL()
	return &Stack{Stack: stack, URL: url, HostPort: strings.TrimPrefix(url, "http://"), KeyID: KeyID, Secret: Secret, dir: dir, ctx: ctx}
}

// AddNode starts an agent for a node with this id and waits until it is connected. The returned function ends the agent; commands that it
// runs go on.
func (s *Stack) AddNode(tb testing.TB, id string) (stop func()) {
	tb.Helper()
	stop, err := s.Agent(s.ctx, filepath.Join(s.dir, "agent-"+id), id, "0.1.0-test")
	if err != nil {
		tb.Fatal(err)
	}
	return stop
}

// Log writes warnings and errors to the test's output.
func Log(tb testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// Eventually waits until ok, and fails the test with what the last try said if it never comes.
func Eventually(tb testing.TB, within time.Duration, try func() error) {
	tb.Helper()
	deadline := time.Now().Add(within)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatal(fmt.Errorf("after %v: %w", within, err))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Quiet is a log for what is expected to go wrong.
func Quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// QuietServer is an option for servers of which much is expected to go wrong.
func QuietServer(c *server.Config) { c.Log = Quiet() }

// AgentDirOf is the data folder of a node's agent.
func (s *Stack) AgentDirOf(id string) string { return filepath.Join(s.dir, "agent-"+id) }
