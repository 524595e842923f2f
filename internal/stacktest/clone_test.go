package stacktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"errand/internal/agent/identity"
	agentprogram "errand/internal/agent/program"
	"errand/internal/core"
)

// copied starts an agent on a copy of a node's data folder.
func (s *Stack) copied(t *testing.T, id string, log *slog.Logger) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "copy")
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", filepath.Join(s.dir, "agent-"+id), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() {
		ended <- agentprogram.Run(ctx, agentprogram.Options{Data: dir, Version: "0.1.0-test", Log: log})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return dir
}

// audited waits for audit records of an action.
func (s *Stack) audited(t *testing.T, action string) (records []core.AuditRecord) {
	t.Helper()
	Eventually(t, soon, func() (err error) {
		records, _, err = s.Server.Service.AuditRecords(t.Context(), s.Server.RootCaller(), core.AuditFilter{Action: action}, core.PageSpec{Limit: 10})
		if err == nil && len(records) == 0 {
			err = errors.New("no record of " + action)
		}
		return err
	})
	return records
}

// TestCloneOfNode copies the data folder of a node that is at work and starts an agent on the copy. The copy becomes a node of its own, the node
// keeps its connection and its work, each command runs once, and the operator can see it in the audit records.
func TestCloneOfNode(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.AddNode(t, "i-one")
	c := s.Client()
	c.Await(t, c.Run(t, "true", nil, "i-one"), soon)
	dir := s.copied(t, "i-one", Quiet())

	if r := s.audited(t, "ConnectClone"); len(r) != 1 || r[0].Resources[0] != "node/i-one" || r[0].Code != "Refused" ||
		!strings.HasPrefix(r[0].Source, "127.0.0.1:") {
		t.Errorf("%+v", r)
	}
	r := s.audited(t, "Reenroll")
	if len(r) != 1 || len(r[0].Resources) != 2 || r[0].Resources[0] != "node/i-one" {
		t.Fatalf("%+v", r)
	}
	own := strings.TrimPrefix(r[0].Resources[1], "node/")
	mark := filepath.Join(t.TempDir(), "runs")
	for range 3 {
		c.Await(t, c.Run(t, "echo x >>"+mark, nil, "i-one"), soon)
	}
	if b, err := os.ReadFile(mark); err != nil || string(b) != "x\nx\nx\n" {
		t.Errorf("three commands left %q, %v", b, err)
	}
	if got := c.Await(t, c.Run(t, "echo {{ACS::InstanceId}}", map[string][]string{"EnableParameter": {"true"}}, own), soon)[0]; got.Output != got.InstanceID+"\n" || !strings.HasSuffix(got.InstanceID, own) {
		t.Errorf("on the copy: %+v", got)
	}
	id, err := identity.Load(dir)
	if err != nil || id.NodeID != own || identity.Reenrolling(dir) {
		t.Errorf("%v, %v", id, err)
	}
	if aside, _ := filepath.Glob(filepath.Join(dir, "copied-*", "journal")); len(aside) != 1 {
		t.Errorf("the node's journal is not set aside: %v", aside)
	}
}

// TestCloneWithoutPermission copies a node whose registration code lets nobody in any more: the copy stays out, and says why.
func TestCloneWithoutPermission(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.AddNode(t, "i-one")
	codes, _, err := s.Server.Service.Registrations(t.Context(), s.Server.RootCaller(), core.RegistrationFilter{}, core.PageSpec{Limit: 10})
	if err != nil || len(codes) != 1 {
		t.Fatalf("%d codes, %v", len(codes), err)
	}
	if _, err := s.Server.Service.DisableRegistrations(t.Context(), s.Server.RootCaller(), []core.ID{codes[0].ID}); err != nil {
		t.Fatal(err)
	}
	said := &lines{}
	dir := s.copied(t, "i-one", slog.New(slog.NewTextHandler(said, nil)))
	Eventually(t, soon, func() error { return said.has("hibernating", "another machine is connected") })
	if id, err := identity.Load(dir); err != nil || id.NodeID != "i-one" {
		t.Errorf("%v, %v", id, err)
	}
	c := s.Client()
	if got := c.Await(t, c.Run(t, "echo one", nil, "i-one"), soon); got[0].Output != "one\n" {
		t.Errorf("%+v", got)
	}
}

// lines is a log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// has looks for a line with all of these.
func (l *lines) has(words ...string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
next:
	for line := range strings.Lines(l.b.String()) {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue next
			}
		}
		return nil
	}
	return fmt.Errorf("no line with %q", words)
}
