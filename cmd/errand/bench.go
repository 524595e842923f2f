package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/bench"
)

func newBench() *cobra.Command {
	cmd := &cobra.Command{Use: "bench", Short: "Measure a server", Args: cobra.NoArgs}
	cmd.AddCommand(newBenchFleet())
	return cmd
}

func newBenchFleet() *cobra.Command {
	var f bench.Fleet
	var profile string
	cmd := &cobra.Command{
		Use:   "fleet --nodes N",
		Short: "Connect N simulated nodes and send them invocations",
		Long: `Enrols N simulated nodes, connects each over TLS as a real agent does, sends one invocation to all of them for each run, waits until every
result is stored, and prints what it measured as JSON. Only the process that a node would run is simulated.

Without --url it starts a server of its own in a temporary folder, as a separate process, so that its memory and CPU time are the
server's alone.`,
		Example: `  errand bench fleet --nodes 5000
  errand bench fleet --nodes 1000 --runs 10 --url https://errand.example.com --access-key-id ek… --access-key-secret …`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			f.Log = slog.New(slog.DiscardHandler)
			f.Progress = cmd.ErrOrStderr()
			ctx := cmd.Context()
			if f.URL == "" {
				stop, err := ownServer(ctx, &f, profile)
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, stop()) }()
			}
			res, err := f.Measure(ctx)
			if err != nil {
				return err
			}
			enc := json.NewEncoder(cmd.OutOrStdout())
			enc.SetIndent("", "  ")
			return enc.Encode(res)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&f.Nodes, "nodes", 1000, "how many nodes")
	flags.IntVar(&f.Runs, "runs", 5, "how many invocations, one after another")
	flags.StringVar(&f.URL, "url", "", "`URL` of a running server; left out, one is started")
	flags.StringVar(&f.KeyID, "access-key-id", "", "access key of that server")
	flags.StringVar(&f.Secret, "access-key-secret", "", "its secret")
	flags.StringVar(&profile, "cpu-profile", "", "`FILE` for a CPU profile of the started server")
	return cmd
}

// ownServer starts a server as a child process and waits until it is ready.
func ownServer(ctx context.Context, f *bench.Fleet, profile string) (stop func() error, err error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "errand-bench-")
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr(ctx)
	if err != nil {
		return nil, err
	}
	f.URL, f.KeyID, f.Secret = "http://"+addr, "bench", "bench-secret"
	cmd := exec.CommandContext(ctx, exe, "server", "--data", filepath.Join(dir, "data"), "--listen", addr, "--agent-listen", "127.0.0.1:0", //nolint:gosec // this program
		"--log-level", "warn")
	cmd.Env = append(os.Environ(), "ERRAND_ROOT_ACCESS_KEY_ID="+f.KeyID, "ERRAND_ROOT_ACCESS_KEY_SECRET="+f.Secret, "ERRAND_CPU_PROFILE="+profile)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() error {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended already: Wait tells
		return errors.Join(cmd.Wait(), os.RemoveAll(dir))
	}
	if err := ready(ctx, f.URL); err != nil {
		return nil, errors.Join(err, stop())
	}
	return stop, nil
}

// freeAddr finds a loopback port that is free now.
func freeAddr(ctx context.Context) (string, error) {
	lis, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = lis.Close() }()
	return lis.Addr().String(), nil
}

func ready(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("server does not get ready: %w", errors.Join(ctx.Err(), err))
		case <-time.After(20 * time.Millisecond):
		}
	}
}
