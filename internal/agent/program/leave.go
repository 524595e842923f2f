package program

import (
	"context"
	"fmt"

	"errand/internal/agent"
)

const endUsage = `Usage: %[1]s end-commands [--data DIR]

Ends every command that this machine's agent has started, with all their descendants: for the moment before the agent is removed, because
commands go on without it. The agent has to be stopped first. Results are kept, and reported if the agent comes back.

Example:
  %[1]s end-commands --data /var/lib/errand-agent
`

// endCommands is the command that leaves no other behind.
func endCommands(ctx context.Context, e Env, args []string) int {
	var data string
	fs := newFlags(e, "end-commands", endUsage)
	addData(fs, &data)
	if code, ok := parse(fs, args); !ok {
		return code
	}
	ended, err := agent.EndCommands(ctx, data)
	if ended > 0 {
		fmt.Fprintf(e.Stderr, "%s: commands ended: %d\n", e.Name, ended)
	}
	if err != nil {
		fmt.Fprintf(e.Stderr, "%s: %v\n", e.Name, err)
		return exitFailed
	}
	return exitOK
}
