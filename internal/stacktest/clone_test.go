package stacktest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	agentprogram "errand/internal/agent/program"
	"errand/internal/core"
)

// TestCloneOfNode copies the data folder of a node that is at work and starts an agent on the copy. The copy is refused, the node keeps its
// connection and goes on working, each command runs once, and the operator can see it in the audit records.
func TestCloneOfNode(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.AddNode(t, "i-one")
	c := s.Client()
	c.Await(t, c.Run(t, "true", nil, "i-one"), soon)

	copied := filepath.Join(t.TempDir(), "copy")
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", filepath.Join(s.dir, "agent-i-one"), copied).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	a, err := agentprogram.Start(t.Context(), agentprogram.Options{Data: copied, Version: "0.1.0-test", Log: Log(t)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	defer func() { cancel(); <-ended }()

	var records []core.AuditRecord
	Eventually(t, soon, func() error {
		records, _, err = s.Server.Service.AuditRecords(t.Context(), s.Server.RootCaller(), core.AuditFilter{Action: "ConnectClone"}, core.PageSpec{Limit: 10})
		if err != nil || len(records) == 0 {
			return fmt.Errorf("no record of the copy: %w", err)
		}
		return nil
	})
	if r := records[0]; len(records) != 1 || r.Resources[0] != "node/i-one" || r.Code != "Refused" || !strings.HasPrefix(r.Source, "127.0.0.1:") {
		t.Errorf("%d records, %+v", len(records), r)
	}
	mark := filepath.Join(t.TempDir(), "runs")
	for range 3 {
		c.Await(t, c.Run(t, "echo x >>"+mark, nil, "i-one"), soon)
	}
	if b, err := os.ReadFile(mark); err != nil || string(b) != "x\nx\nx\n" {
		t.Errorf("three commands left %q, %v", b, err)
	}
}
