package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

func TestTry(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string
	}{
		{"exit code and both streams", []string{"sh", "-c", "echo out; echo err >&2; exit 7"}, 7, "out\n", "err\n"},
		{"success", []string{"echo", "it's", `a "quoted" $HOME`, "* ;"}, 0, "it's a \"quoted\" $HOME * ;\n", ""},
		{"much output", []string{"sh", "-c", "yes 0123456 | head -c 1000000"}, 0, strings.Repeat("0123456\n", 125_000), ""},
		{"no such program", []string{"/no/such/program"}, 127, "", ""},
		{"killed by a signal", []string{"sh", "-c", "kill -9 $$"}, 137, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			err := try(t.Context(), tt.args, time.Minute, &stdout, &stderr)
			var code exitCode
			if err != nil && !errors.As(err, &code) {
				t.Fatal(err)
			}
			if int(code) != tt.code || stdout.String() != tt.stdout {
				t.Errorf("exit code %d, %d bytes on stdout: %.100q", code, stdout.Len(), stdout.String())
			}
			if tt.stderr != "" && !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("stderr %q", stderr.String())
			}
		})
	}
}

func TestTryInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- try(ctx, []string{"sh", "-c", "echo begun; sleep 300"}, time.Hour, in, io.Discard) }()
	if _, err := io.ReadFull(out, make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	cancel()
	var code exitCode
	if err := <-done; !errors.As(err, &code) || code != 130 {
		t.Errorf("ended with %v", err)
	}
}

func TestTryTimeout(t *testing.T) {
	t.Parallel()
	var code exitCode
	if err := try(t.Context(), []string{"sleep", "300"}, time.Second, io.Discard, io.Discard); !errors.As(err, &code) || code != 124 {
		t.Errorf("ended with %v", err)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("ERRAND_LISTEN", "127.0.0.1:1")
	t.Setenv("ERRAND_AGENT_LISTEN", "127.0.0.1:2")
	t.Setenv("ERRAND_INSECURE_HTTP", "true")
	var f serverFlags
	cmd := &cobra.Command{}
	f.add(cmd, "info")
	if err := cmd.Flags().Parse([]string{"--agent-listen", "127.0.0.1:3"}); err != nil {
		t.Fatal(err)
	}
	if err := fromEnvironment(cmd.Flags()); err != nil {
		t.Fatal(err)
	}
	if f.Listen != "127.0.0.1:1" || f.AgentListen != "127.0.0.1:3" || !f.InsecureHTTP {
		t.Errorf("%+v", f.Config)
	}
	t.Setenv("ERRAND_INSECURE_HTTP", "perhaps")
	if err := fromEnvironment((&cobra.Command{}).Flags()); err != nil {
		t.Error(err)
	}
	other := &cobra.Command{}
	(&serverFlags{}).add(other, "info")
	if err := fromEnvironment(other.Flags()); err == nil || !strings.Contains(err.Error(), "ERRAND_INSECURE_HTTP") {
		t.Errorf("a malformed variable: %v", err)
	}
}

func TestWrongUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"errand", "try"},
		{"errand", "nonsense"},
		{"errand", "server", "--nonsense"},
		{"errand", "server"},
		{"errand", "agent"},
		{"errand", "server", "--data", t.TempDir(), "--listen", "0.0.0.0:0"},
	} {
		if code := run(args); code == 0 {
			t.Errorf("%v succeeds", args)
		}
	}
}
