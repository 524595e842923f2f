// Command errand-agent runs the agent of one machine and nothing else, so that it is small enough for every machine.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"errand/internal/agent/executor"
	"errand/internal/agent/program"
)

// version is set when a release is built.
var version = "0.1.0"

func main() { os.Exit(run(os.Args)) }

func run(args []string) int {
	if len(args) == 3 && args[1] == executor.SuperviseArg {
		return executor.Supervise(args[2])
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	env := program.Env{Name: "errand-agent", Version: version, Args: args, Stdout: os.Stdout, Stderr: os.Stderr}
	return program.Main(ctx, env, args[1:])
}
