package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestTour runs the README's five minutes as they stand there, block after block in one shell, against programs that it has built. Only two things differ
// from a reader's machine: the server takes any free ports, and aliyun is a stand-in that makes the same signed call.
func TestTour(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, tour, _ := strings.Cut(string(readme), "\n## Five minutes\n")
	tour, _, _ = strings.Cut(tour, "\n## ")
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(tour, -1)
	if len(blocks) < 6 {
		t.Fatalf("the tour has %d blocks", len(blocks))
	}
	script := "set -eu -o pipefail\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n"
	for _, b := range blocks {
		script += b[1]
	}
	dir := t.TempDir()
	standIn := filepath.Join(dir, "tools", "aliyun")
	if err := os.MkdirAll(filepath.Dir(standIn), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(standIn, []byte(`#!/bin/sh
export ERRAND_SERVER="http://$ALIBABA_CLOUD_ENDPOINT" ERRAND_ACCESS_KEY_ID="$ALIBABA_CLOUD_ACCESS_KEY_ID" ERRAND_ACCESS_KEY_SECRET="$ALIBABA_CLOUD_ACCESS_KEY_SECRET"
exec errand api "$1" "$2"
`), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+filepath.Join(dir, "config"), "TMPDIR="+dir, "PATH="+filepath.Dir(standIn)+":"+os.Getenv("PATH"),
		"ERRAND_LISTEN=127.0.0.1:0", "ERRAND_AGENT_LISTEN=127.0.0.1:0")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		`(?m)^hi from `, `(?m)^Linux `, `(?m)^---- local,web-\[1-2\] \(3\)  exit 0$`, `(?m)^---- web-\[1-2\] \(2\)  exit 1$`, `(?m)^exit code 3$`, `a careful one|3 ok`,
		`(?m)^first_byte |(?m)^started `, `(?m)^---- web-\[1-2\] \(2\)  exit 0\nchecking$`, `succeeded`, `in a terminal on`, `"InvokeId": "t-`, `"InvocationSet"`,
	} {
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}
