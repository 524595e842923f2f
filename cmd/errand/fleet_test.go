package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/internal/agent/identity"
	"errand/internal/bus"
	"errand/internal/protocol"
)

// simulated is a node without a machine: it enrols and connects as every node does, and answers each command at once with the same output and exit
// code.
type simulated struct {
	own    identity.Identity
	link   *bus.Node
	output string
	code   int64
}

// simulate connects a simulated node.
func (s *stage) simulate(ctx context.Context, id, output string, code int64) error {
	n := &simulated{output: output, code: code}
	var err error
	if n.own, err = identity.New(); err != nil {
		return err
	}
	public, err := n.own.PublicKey()
	if err != nil {
		return err
	}
	req := protocol.EnrollRequest{
		CodeID: s.code.ID.String(), CodeSecret: s.secret, PublicKey: public, Timestamp: time.Now().Unix(), NodeID: id,
		Facts: protocol.EnrollFacts{Hostname: id, OS: "linux", Arch: "amd64", Agent: "simulated"},
	}
	if req.Signature, err = n.own.Sign(req.SigningText()); err != nil {
		return err
	}
	body, err := json.Marshal(req)
	if err != nil {
		return err
	}
	resp, err := http.Post(s.url+protocol.EnrollPath, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer protocol.EnrollAnswer
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("enrol: %s %w", resp.Status, err)
	}
	connected := make(chan struct{}, 1)
	n.link, err = bus.Dial(bus.NodeConfig{
		URLs: answer.NATSURLs, CA: []byte(answer.CA), Key: answer.NodeKey, PublicKey: public, Sign: n.own.Sign, Log: slog.New(slog.DiscardHandler),
		Message: n.message,
		Connected: func() {
			select {
			case connected <- struct{}{}:
			default:
			}
		},
	})
	if err != nil {
		return err
	}
	s.t.Cleanup(n.link.Close)
	select {
	case <-connected:
	case <-ctx.Done():
		return ctx.Err()
	}
	hello := protocol.Hello{Version: protocol.Version, Agent: "simulated", Hostname: id, OS: "linux", Arch: "amd64", Clock: time.Now().UnixMicro()}
	return n.link.Publish(hello.Append(nil))
}

func (n *simulated) message(msg []byte) {
	kind, err := protocol.KindOf(msg)
	if err != nil || kind != protocol.KindRun {
		return
	}
	m, err := protocol.DecodeRun(msg)
	if err != nil {
		return
	}
	now, out := time.Now().UnixMicro(), []byte(n.output)
	done := protocol.Finished{
		Task: m.Task, Outcome: protocol.OutcomeExited, ExitCode: n.code, Started: now, Ended: now, Stdout: uint64(len(out)), End: uint64(len(out)),
		Last: protocol.Chunk{Spans: []protocol.Span{{Stream: protocol.Stdout, Len: uint32(len(out))}}, Data: out},
	}
	_ = n.link.Publish(done.Append(nil)) // what is lost is asked for again
}

// TestThreeOfThreeHundredDiffer runs on 300 nodes of which 3 print something else: two groups, and the difference.
func TestThreeOfThreeHundredDiffer(t *testing.T) {
	t.Parallel()
	s := openStage(t, nil)
	const usual = "kernel 6.1\nroot /dev/vda1\nswap none\n"
	const other = "kernel 6.1\nroot /dev/sda1\nswap none\n"
	work := make(chan int)
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for i := range work {
				output, code := usual, int64(0)
				if i == 17 || i == 120 || i == 121 {
					output, code = other, 1
				}
				if err := s.simulate(t.Context(), fmt.Sprintf("node%03d", i), output, code); err != nil {
					t.Errorf("node %d: %v", i, err)
				}
			}
		})
	}
	for i := 1; i <= 300; i++ {
		work <- i
	}
	close(work)
	workers.Wait()
	if t.Failed() {
		return
	}
	for i := 1; i <= 300; i++ {
		s.connected(fmt.Sprintf("node%03d", i))
	}
	key, err := s.user("watcher")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run := func(args ...string) (string, string, int) {
		cmd := exec.CommandContext(t.Context(), "errand", args...)
		cmd.Env = append(os.Environ(), s.environ(dir, key)...)
		var out, say bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &say
		_ = cmd.Run()
		return out.String(), say.String(), cmd.ProcessState.ExitCode()
	}
	out, say, code := run("run", "all", "--yes", "--diff", "--", "facts")
	want := `---- node[001-016,018-119,122-300] (297)  exit 0
kernel 6.1
root /dev/vda1
swap none
---- node[017,120-121] (3)  exit 1
@@ -1,3 +1,3 @@
 kernel 6.1
-root /dev/vda1
+root /dev/sda1
 swap none
`
	if out != want || code != 3 {
		t.Errorf("exit code %d\n%s\nwant\n%s\n%s", code, out, want, say)
	}
	if n := strings.Count(say, "\n"); n != 6 || !strings.Contains(say, "297 ok  3 failed") {
		t.Errorf("%d lines:\n%s", n, say)
	}
	// One retry takes exactly these three.
	if out, say, code := run("runs", "show", "@last", "--state", "failed", "-o", "name"); out != "node017\nnode120\nnode121\n" {
		t.Errorf("%d %q %s", code, out, say)
	}
	if _, say, code := run("run", "all", "-y", "--show", "none", "--outdir", filepath.Join(dir, "out"), "--progress", "none", "--", "facts"); code != 3 {
		t.Errorf("%d %s", code, say)
	}
	if files, err := os.ReadDir(filepath.Join(dir, "out")); err != nil || len(files) != 300 {
		t.Errorf("%d files, %v", len(files), err)
	}
}
