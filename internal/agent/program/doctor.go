package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"errand/internal/agent"
	"errand/internal/agent/doctor"
	"errand/internal/agent/identity"
	"errand/internal/agent/socket"
	"errand/internal/bus"
)

const doctorUsage = `Usage: %[1]s doctor [flags]

Examines what the agent of this machine needs, and the way to its server, and says what to do about what is wrong. It changes nothing, and works
with and without a running agent. Give it the --proxy and --ca-file, or their variables, that the agent has.
It exits with 0 if all is well, 1 after warnings, 2 after failures or wrong usage.

Examples:
  %[1]s doctor
  %[1]s doctor --server https://errand.example.com --ca-file /etc/errand/ca.pem
  %[1]s doctor -o json
`

// examine is the command that looks for what is wrong.
func examine(ctx context.Context, e Env, args []string) int {
	o := Options{Version: e.Version, Log: doctor.Quiet()}
	var output string
	fs := newFlags(e, "doctor", doctorUsage)
	addData(fs, &o.Data)
	fs.StringVar(&o.Server, "server", "", "`URL` of the server, for a machine that is not enrolled yet")
	addReach(fs, &o)
	addOutput(fs, &output)
	if code, ok := parse(fs, args); !ok {
		return code
	}
	found, err := findings(ctx, &o)
	if err != nil {
		fmt.Fprintf(e.Stderr, "%s: %v\n", e.Name, err)
		return exitUsage
	}
	if output == "json" {
		err = printJSON(e.Stdout, found)
	} else {
		err = printFindings(e.Stdout, found)
	}
	switch worst := doctor.Worst(found); {
	case err != nil || worst == doctor.Fail:
		return exitUsage
	case worst == doctor.Warn:
		return exitFailed
	}
	return exitOK
}

func findings(ctx context.Context, o *Options) ([]doctor.Finding, error) {
	way, err := o.reach()
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	shell := "/bin/sh"
	if runtime.GOOS == "windows" {
		shell = "" // cmd.exe and PowerShell come with it
	}
	running, unasked := asked(ctx, o.Data)
	found := doctor.Examine(ctx, doctor.Config{
		Dir: o.Data, Server: o.Server, Program: exe, Shell: shell, Zone: agent.Facts(o.Version).Zone, Running: running, Reach: way,
		Knock: func(ctx context.Context, id identity.Identity) error {
			public, err := id.PublicKey()
			if err != nil {
				return err
			}
			return bus.Knock(bus.NodeConfig{
				URLs: id.BusURLs, CA: id.CA, Key: id.NodeKey, PublicKey: public, Sign: id.Sign, Log: o.Log,
				Introduce: bus.Introduction{Machine: agent.Fingerprint()},
				Dial:      way.Dial,
			})
		},
	})
	agentLine := doctor.Finding{Check: "agent", Grade: doctor.OK, Says: "none is running"}
	switch {
	case unasked != nil:
		agentLine = doctor.Finding{Check: "agent", Grade: doctor.Warn, Says: unasked.Error(), Do: "run as root or as the agent's user"}
	case running != nil:
		agentLine.Says = fmt.Sprintf("running as process %d", running.PID)
	}
	return append([]doctor.Finding{agentLine}, found...), nil
}

// asked returns what the agent that runs on a data folder says, nil if there is none.
func asked(ctx context.Context, dir string) (*doctor.Running, error) {
	b, err := socket.Get(ctx, dir, agent.StatusPage)
	if errors.Is(err, socket.ErrNobody) {
		return nil, nil
	}
	var s agent.Status
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		return nil, err
	}
	return &doctor.Running{PID: s.PID, Connected: s.Connected, Bus: s.Bus}, nil
}

func printFindings(w io.Writer, found []doctor.Finding) error {
	for _, f := range found {
		if _, err := fmt.Fprintf(w, "%-4s  %-18s %s\n", f.Grade, f.Check, f.Says); err != nil {
			return err
		}
		if f.Do != "" {
			if _, err := fmt.Fprintf(w, "%-4s  %-18s -> %s\n", "", "", f.Do); err != nil {
				return err
			}
		}
	}
	return nil
}
