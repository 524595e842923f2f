package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/core"
	"errand/internal/local"
	"errand/internal/server"
)

func newTry() *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "try [--] COMMAND [ARG]...",
		Short: "Run one command through a whole private installation",
		Long: `Starts a server and an agent in a temporary folder, runs the command through them on this machine, streams its output, removes
the folder and exits with the command's own code. Nothing but the command's output is written to standard output.`,
		Example: `  errand try -- sh -c 'echo hi from $(hostname); exit 7'
  errand try uname -a`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return try(cmd.Context(), args, timeout, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().DurationVar(&timeout, "timeout", time.Hour, "time after which the command is ended")
	return cmd
}

func try(ctx context.Context, args []string, timeout time.Duration, stdout, stderr io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "errand-try-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	stack, err := local.Start(ctx, server.Config{
		Data: filepath.Join(dir, "server"), Listen: "127.0.0.1:0", AgentListen: "127.0.0.1:0", Now: time.Now, Log: log, Notice: io.Discard,
	})
	if err != nil {
		return err
	}
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		err = errors.Join(err, stack.Stop(stopCtx))
	}()
	stopAgent, err := stack.Agent(context.WithoutCancel(ctx), filepath.Join(dir, "agent"), "local", version)
	if err != nil {
		return err
	}
	defer stopAgent()
	code, err := runHere(ctx, stack.Server, args, timeout, stdout, stderr)
	if err == nil && code != 0 {
		err = exitCode(code)
	}
	return err
}

// runHere runs a command line on the node "local", in the current folder, and returns its exit code.
func runHere(ctx context.Context, s *server.Server, args []string, timeout time.Duration, stdout, stderr io.Writer) (int, error) {
	wd, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	caller := s.RootCaller()
	v, err := s.Service.Run(ctx, caller, core.RunSpec{
		Origin: core.OriginNative, Targets: []string{"local"}, KillTree: true,
		Definition: core.Definition{Type: core.Shell, Content: []byte(script(args)), WorkDir: wd, Timeout: timeout},
	})
	if err != nil {
		return 0, err
	}
	f := follower{svc: s.Service, caller: caller, id: v.ID, stdout: stdout, stderr: stderr}
	t, err := f.follow(ctx)
	if errors.Is(err, context.Canceled) {
		// Interrupted: end the command, then show how it ended.
		ctx = context.WithoutCancel(ctx)
		if err := s.Service.Stop(ctx, caller, v.ID, nil); err != nil {
			return 0, err
		}
		t, err = f.follow(ctx)
	}
	if err != nil {
		return 0, err
	}
	return ending(&t)
}

// ending turns the end of a task into an exit code.
func ending(t *core.Task) (int, error) {
	switch {
	case t.Exited:
		return int(t.ExitCode), nil
	case t.State == core.TimedOut:
		return 124, nil // as timeout(1)
	case t.State == core.Terminated || t.State == core.Cancelled:
		return 130, nil // as a shell after an interrupt
	default:
		return 0, fmt.Errorf("the command did not run to its end: %s (%s) %s", t.State, t.Cause, t.Detail)
	}
}

// script is a shell script that runs exactly these arguments.
func script(args []string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	return "exec " + strings.Join(quoted, " ") + "\n"
}

// follower copies the output of an invocation's only task as it grows.
type follower struct {
	svc            *core.Service
	caller         core.Caller
	id             core.ID
	stdout, stderr io.Writer
	seen           uint64
}

// follow returns when the task has ended and all its output is written.
func (f *follower) follow(ctx context.Context) (core.Task, error) {
	for {
		w, err := f.svc.Watch(ctx, f.caller, core.TaskID{Invocation: f.id}, f.seen, time.Minute)
		if err != nil {
			return core.Task{}, err
		}
		for _, c := range w.Chunks {
			if err := f.write(c); err != nil {
				return w.Task, err
			}
		}
		f.seen = w.Next
		if w.State.Ended() && len(w.Chunks) == 0 {
			return w.Task, nil
		}
	}
}

// write sends each part of a chunk where it belongs.
func (f *follower) write(c core.Chunk) error {
	data := c.Data
	for _, s := range c.Spans {
		w := f.stdout
		if s.Stream == core.Stderr {
			w = f.stderr
		}
		if _, err := w.Write(data[:s.Len]); err != nil {
			return err
		}
		data = data[s.Len:]
	}
	return nil
}
