package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"errand/internal/agent"
	"errand/internal/agent/identity"
)

const deregisterUsage = `Usage: %[1]s deregister [flags]

Takes this machine out of its account: the server refuses its key from then on, commands that run are ended, and the identity and all that the
agent remembers are removed from the data folder. The agent has to be stopped first. The machine's history stays on the server.

Exit codes: 0 success, 1 failure, and the machine is a node as before, 2 wrong usage.

Examples:
  systemctl stop errand-agent && %[1]s deregister
  %[1]s deregister --data /var/lib/errand-agent --ca-file ca.pem
`

// deregister is the command that ends a machine's being a node.
func deregister(ctx context.Context, e Env, args []string) int {
	var wait time.Duration
	o := Options{Version: e.Version, Log: slog.New(slog.NewTextHandler(e.Stderr, nil))}
	fs := newFlags(e, "deregister", deregisterUsage)
	addData(fs, &o.Data)
	addReach(fs, &o)
	fs.DurationVar(&wait, "wait", time.Minute, "how long to wait for the server, and for commands to end")
	if code, ok := parse(fs, args); !ok {
		return code
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	id, err := identity.Load(o.Data)
	if err == nil {
		err = o.leave(ctx, id)
	}
	if err != nil {
		fmt.Fprintf(e.Stderr, "%s: %v\n", e.Name, err)
		return exitFailed
	}
	fmt.Fprintf(e.Stderr, "%s: this machine is %v no more\n", e.Name, id)
	return forget(ctx, e, o.Data)
}

// leave tells the server. An agent that runs would go on with an identity that is gone, so it must not.
func (o Options) leave(ctx context.Context, id identity.Identity) error {
	if _, err := agent.EndCommands(ctx, o.Data); err != nil {
		return err
	}
	way, err := o.reach()
	if err != nil {
		return err
	}
	c, err := id.NewClient(way.Client(identity.TryTimeout), o.Version)
	if err != nil {
		return err
	}
	return errors.Join(way.Trust(), c.Leave(ctx))
}

const resetUsage = `Usage: %[1]s reset [flags]

Removes the identity and all that the agent remembers from the data folder, ends commands that run, and tells no server: for a machine of
which an image is to be made. Each machine that starts from the image enrols by itself if it is told how. The agent has to be stopped first.

Examples:
  systemctl stop errand-agent && %[1]s reset
  %[1]s reset --data /var/lib/errand-agent
`

// reset is the command that makes a machine fit for an image.
func reset(ctx context.Context, e Env, args []string) int {
	var data string
	var wait time.Duration
	fs := newFlags(e, "reset", resetUsage)
	addData(fs, &data)
	fs.DurationVar(&wait, "wait", time.Minute, "how long to wait for commands to end")
	if code, ok := parse(fs, args); !ok {
		return code
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return forget(ctx, e, data)
}

// forget removes what makes the machine a node.
func forget(ctx context.Context, e Env, data string) int {
	ended, err := agent.Forget(ctx, data)
	if ended > 0 {
		fmt.Fprintf(e.Stderr, "%s: commands ended: %d\n", e.Name, ended)
	}
	if err != nil {
		fmt.Fprintf(e.Stderr, "%s: %v\n", e.Name, err)
		return exitFailed
	}
	fmt.Fprintf(e.Stderr, "%s: nothing of a node is left in %s\n", e.Name, data)
	return exitOK
}
