package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"errand/internal/agent"
	"errand/internal/agent/identity"
	"errand/internal/agent/socket"
)

// Further exit codes of status.
const exitNobody = 3

const statusUsage = `Usage: %[1]s status [flags]

Asks the agent that runs on this machine how it is. Only root and the agent's own user may.
It exits with 0 if the agent is connected, 1 if it is not, 2 for wrong usage or no answer, 3 if no agent is running.

Examples:
  %[1]s status
  %[1]s status --data /srv/errand-agent -o json
`

// status prints how the running agent is.
func status(ctx context.Context, e Env, args []string) int {
	var data, output string
	fs := newFlags(e, "status", statusUsage)
	addData(fs, &data)
	addOutput(fs, &output)
	if code, ok := parse(fs, args); !ok {
		return code
	}
	b, err := socket.Get(ctx, data, agent.StatusPage)
	var s agent.Status
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		fmt.Fprintf(e.Stderr, "%s: %v\n", e.Name, err)
		if !errors.Is(err, socket.ErrNobody) {
			return exitUsage
		}
		file, why := identity.Where(data)
		fmt.Fprintf(e.Stderr, "data folder %s, identity %s (%s)\n", data, file, why)
		return exitNobody
	}
	if output == "json" {
		err = printJSON(e.Stdout, s)
	} else {
		err = printStatus(e.Stdout, &s, time.Now())
	}
	if err != nil {
		return exitUsage
	}
	if !s.Connected {
		return exitFailed
	}
	return exitOK
}

func printStatus(w io.Writer, s *agent.Status, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("version", "%s", s.Version)
	row("node", "%s", s.NodeID)
	row("server", "%s", s.Server)
	if s.Connected {
		row("connected", "to %s for %s", s.Bus, ago(now, s.Since))
	} else {
		row("connected", "no, after %d connections since the start", s.Connections)
	}
	row("last heartbeat", "%s", orNever(now, s.Heartbeat))
	row("tasks", "%d running, %d waiting, %d to be reported, %d plans", s.Tasks.Running, s.Tasks.Waiting, s.Tasks.Unreported, s.Tasks.Plans)
	row("running for", "%s, as process %d", ago(now, s.Started), s.PID)
	if len(s.Stuck) > 0 {
		row("stuck", "%s", strings.Join(s.Stuck, ", "))
	}
	row("memory", "%.1f MB resident, %.1f MB of it objects", float64(s.Memory.Resident)/1e6, float64(s.Memory.Heap)/1e6)
	row("journal", "%.1f MB", float64(s.Journal)/1e6)
	row("starts", "%d, %d of them after a sudden end", s.Starts.Count, s.Starts.Sudden)
	if s.Crash != nil {
		row("last crash", "%s ago, %s", ago(now, s.Crash.Time), s.Crash.File)
	}
	row("identity", "%s: %s", s.IdentityFile, s.IdentityWhy)
	return t.Flush()
}

func ago(now, t time.Time) string { return now.Sub(t).Round(time.Second).String() }

func orNever(now, t time.Time) string {
	if t.IsZero() {
		return "none yet"
	}
	return ago(now, t) + " ago"
}

const metricsUsage = `Usage: %[1]s metrics [flags]

Prints the numbers of the agent that runs on this machine in the text form of Prometheus. The same is to be had by HTTP from the
socket agent.sock in its data folder, for a scraper that runs as root or as the agent's user.

Examples:
  %[1]s metrics > /var/lib/node_exporter/errand.prom
  curl --unix-socket /var/lib/errand-agent/agent.sock http://agent/metrics
`

// metrics prints the running agent's numbers.
func metrics(ctx context.Context, e Env, args []string) int {
	var data string
	fs := newFlags(e, "metrics", metricsUsage)
	addData(fs, &data)
	if code, ok := parse(fs, args); !ok {
		return code
	}
	b, err := socket.Get(ctx, data, agent.MetricsPage)
	if err == nil {
		_, err = e.Stdout.Write(b)
	}
	switch {
	case errors.Is(err, socket.ErrNobody):
		fmt.Fprintf(e.Stderr, "%s: %v\n", e.Name, err)
		return exitNobody
	case err != nil:
		fmt.Fprintf(e.Stderr, "%s: %v\n", e.Name, err)
		return exitFailed
	}
	return exitOK
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
