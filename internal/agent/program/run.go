package program

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

const runUsage = `Usage: %[1]s --server URL --activation-id ID --activation-code CODE --data DIR [flags]
       %[1]s COMMAND [flags]

Runs the agent of one machine. On the first start it enrols with the activation and keeps its identity in DIR;
later starts need only --data. It exits with 3 when it is no node and trying again would not make it one.
While the server refuses it, it asks again every 10 minutes at last; SIGHUP makes it ask at once.

Examples:
  %[1]s --server https://errand.example.com --activation-id 0195… --activation-code k3v9… --data /var/lib/errand-agent
  %[1]s --data /var/lib/errand-agent
`

// runAgent runs the agent until ctx ends.
func runAgent(ctx context.Context, e Env, args []string) int {
	o := Options{Version: e.Version}
	fs := newFlags(e, "", runUsage+commandList())
	fs.StringVar(&o.Data, "data", "", "`DIR` for identity, journal and running tasks")
	addEnrolment(fs, &o)
	var l logFlags
	l.add(fs)
	if code, ok := parse(fs, args); !ok {
		return code
	}
	if o.Data == "" {
		fmt.Fprintf(e.Stderr, "%s: --data is needed\n", e.Name)
		return exitUsage
	}
	var closeLog func() error
	var err error
	if o.Log, closeLog, err = l.open(e.Stderr, secrets(&o)); err != nil {
		fmt.Fprintf(e.Stderr, "%s: %v\n", e.Name, err)
		return exitFailed
	}
	defer closeLog() //nolint:errcheck // there is nothing left to tell
	boundMemory(os.Getenv)
	system := newSystemd(os.Getenv, os.Getpid())
	o.system = &system
	context.AfterFunc(ctx, system.stopping)
	wake := make(chan os.Signal, 1)
	signal.Notify(wake, syscall.SIGHUP)
	defer signal.Stop(wake)
	o.Wake = wake
	if code, over := e.launch(ctx, &o); over {
		return code
	}
	err = Run(ctx, o)
	if isReplaced(err) {
		return e.replaced(ctx, &o)
	}
	if err != nil {
		if l.file != "" {
			o.Log.Error("the agent ends", "error", err)
		}
		fmt.Fprintf(e.Stderr, "%s: %v\n", e.Name, err)
		return exitCode(err)
	}
	return exitOK
}

// commandList is the part of the help that names the other commands.
func commandList() string {
	var b strings.Builder
	b.WriteString("\nCommands (%[1]s COMMAND --help tells more):\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-12s %s\n", c.name, c.short)
	}
	return b.String()
}
