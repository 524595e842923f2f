package stacktest

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

const soon = 20 * time.Second

// TestFirst is the whole path: a signed request in, a real process on two nodes, its result out.
func TestFirst(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.AddNode(t, "i-one")
	s.AddNode(t, "i-two")
	c := s.Client()
	id := c.Run(t, "echo out; echo err >&2; exit 3", nil, "i-one", "i-two")
	results := c.Await(t, id, soon)
	if len(results) != 2 {
		t.Fatalf("%d results", len(results))
	}
	for _, r := range results {
		if r.InvocationStatus != "Failed" || r.ErrorCode != "ExitCodeNonzero" || r.ExitCode != 3 {
			t.Errorf("%+v", r)
		}
		if !strings.Contains(r.Output, "out\n") || !strings.Contains(r.Output, "err\n") || len(r.Output) != 8 {
			t.Errorf("output %q", r.Output)
		}
		if r.StartTime == "" || r.FinishedTime == "" {
			t.Errorf("times %q and %q", r.StartTime, r.FinishedTime)
		}
	}
}

func TestLargeOutput(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.AddNode(t, "i-one")
	c := s.Client()
	tests := []struct {
		bytes, shown, dropped int
	}{
		{24_576, 24_576, 0},
		{24_577, 24_576, 1},
		{100_000, 24_576, 75_424},
		{5_000_000, 24_576, 4_975_424},
	}
	for _, tt := range tests {
		id := c.Run(t, fmt.Sprintf("yes 123456789 | head -c %d", tt.bytes), nil, "i-one")
		r := c.Await(t, id, soon)[0]
		if len(r.Output) != tt.shown || r.Dropped != tt.dropped || r.InvocationStatus != "Success" {
			t.Errorf("%d bytes: %d shown, %d dropped, %s", tt.bytes, len(r.Output), r.Dropped, r.InvocationStatus)
		}
		whole := strings.Repeat("123456789\n", tt.bytes/10+1)[:tt.bytes]
		if tt.dropped > 0 && r.Output != whole[:6000]+whole[tt.bytes-(tt.shown-6000):] {
			t.Errorf("%d bytes: not the head and the tail", tt.bytes)
		}
	}
}

// TestTimeout ends a command that left a child behind; nothing of it survives.
func TestTimeout(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.AddNode(t, "i-one")
	c := s.Client()
	mark := filepath.Join(t.TempDir(), "pids")
	script := fmt.Sprintf("{ sh -c 'echo $$ >>%[1]s; exec sleep 300' & }; setsid sh -c 'echo $$ >>%[1]s; exec sleep 300' & echo $$ >>%[1]s; sleep 300", mark)
	began := time.Now()
	id := c.Run(t, script, url.Values{"Timeout": {"10"}}, "i-one")
	r := c.Await(t, id, soon)[0]
	if r.InvocationStatus != "Timeout" || r.ErrorCode != "ExecutionTimeout" {
		t.Errorf("%+v", r)
	}
	if took := time.Since(began); took > 13*time.Second {
		t.Errorf("took %v", took)
	}
	noneAlive(t, mark, 3)
}

func TestStop(t *testing.T) {
	t.Parallel()
	s := Start(t)
	stopAgent := s.AddNode(t, "i-one")
	c := s.Client()
	mark := filepath.Join(t.TempDir(), "pids")
	id := c.Run(t, fmt.Sprintf("echo before; echo $$ >%s; sleep 300", mark), url.Values{"Timeout": {"600"}}, "i-one")
	Eventually(t, soon, func() error { _, err := os.Stat(mark); return err })
	c.Stop(t, id)
	r := c.Await(t, id, soon)[0]
	if r.InvocationStatus != "Terminated" || r.Output != "before\n" {
		t.Errorf("stopped while running: %+v", r)
	}
	noneAlive(t, mark, 1)

	stopAgent()
	Eventually(t, soon, func() error {
		if s.Server.Service.ConnectedNodes() > 0 {
			return fmt.Errorf("still connected")
		}
		return nil
	})
	never := filepath.Join(t.TempDir(), "never")
	id = c.Run(t, "touch "+never, nil, "i-one")
	c.Stop(t, id)
	if r := c.Await(t, id, soon)[0]; r.InvocationStatus != "Cancelled" {
		t.Errorf("stopped before it left: %+v", r)
	}
	s.AddNode(t, "i-one")
	id = c.Run(t, "true", nil, "i-one")
	c.Await(t, id, soon)
	if _, err := os.Stat(never); err == nil {
		t.Error("a cancelled command ran")
	}
}

// noneAlive checks that none of the processes that wrote their ids is left.
func noneAlive(t *testing.T, mark string, want int) {
	t.Helper()
	b, err := os.ReadFile(mark)
	if err != nil {
		t.Fatal(err)
	}
	pids := strings.Fields(string(b))
	if len(pids) != want {
		t.Errorf("%d processes wrote their ids, want %d", len(pids), want)
	}
	for _, pid := range pids {
		Eventually(t, 3*time.Second, func() error {
			if _, err := os.Stat("/proc/" + pid); err == nil {
				status, _ := os.ReadFile("/proc/" + pid + "/status")
				if !strings.Contains(string(status), "State:\tZ") {
					return fmt.Errorf("process %s is alive", pid)
				}
			}
			return nil
		})
	}
}

// TestBuiltInParameters differ from node to node of one invocation.
func TestBuiltInParameters(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.AddNode(t, "i-one")
	s.AddNode(t, "i-two")
	c := s.Client()
	id := c.Run(t, "echo {{ACS::InstanceId}} {{ACS::InvokeId}} {{word}}", url.Values{
		"EnableParameter": {"true"}, "Parameters": {`{"word":"hello"}`},
	}, "i-one", "i-two")
	for _, r := range c.Await(t, id, soon) {
		if want := r.InstanceID + " " + id + " hello\n"; r.Output != want {
			t.Errorf("%q, want %q", r.Output, want)
		}
	}
}
