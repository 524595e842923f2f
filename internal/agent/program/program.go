// Package program is the agent as a program: its flags and their environment variables, enrolment on the first start, and the bus under
// it. Both commands that offer the agent share it, and programs that run an agent inside themselves use Start.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"errand/internal/agent"
	"errand/internal/agent/identity"
	"errand/internal/agent/terminal"
	"errand/internal/bus"
	"errand/internal/protocol"
)

// Options is what an agent is started with.
type Options struct {
	Server         string
	ActivationID   string
	ActivationCode string
	Data           string
	NodeID         string
	Name           string
	Tags           map[string]string
	CAFile         string
	InsecureHTTP   bool
	Version        string
	Log            *slog.Logger
}

const usage = `Usage: %s --server URL --activation-id ID --activation-code CODE --data DIR [flags]

Runs the agent of one machine. On the first start it enrols with the activation and keeps its identity in DIR;
later starts need only --data.

Examples:
  %[1]s --server https://errand.example.com --activation-id 0195… --activation-code k3v9… --data /var/lib/errand-agent
  %[1]s --data /var/lib/errand-agent

Flags (each can be set by the environment variable in brackets):
`

// Main runs the agent until ctx ends and returns the exit code of the process: 0 after an orderly end, 1 after a failure, 2 for wrong usage.
func Main(ctx context.Context, name, version string, args []string, stderr io.Writer) int {
	o := Options{Version: version, Tags: map[string]string{}}
	var level slog.Level
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.Server, "server", "", "`URL` of the server")
	fs.StringVar(&o.ActivationID, "activation-id", "", "`ID` of the activation")
	fs.StringVar(&o.ActivationCode, "activation-code", "", "secret `CODE` of the activation")
	fs.StringVar(&o.Data, "data", "", "`DIR` for identity, journal and running tasks")
	fs.StringVar(&o.NodeID, "node-id", "", "`ID` the machine shall have; left out, the server chooses one")
	fs.StringVar(&o.Name, "name", "", "`NAME` the machine shall have")
	fs.StringVar(&o.CAFile, "ca-file", "", "`FILE` with the CA of the server's HTTPS certificate, if it is a private one")
	fs.BoolVar(&o.InsecureHTTP, "insecure-http", false, "allow enrolment over plain HTTP to another machine")
	fs.TextVar(&level, "log-level", slog.LevelInfo, "`LEVEL` of the log: debug, info, warn or error")
	fs.Func("tag", "`KEY=VALUE` to label the machine with; may be repeated", func(s string) error {
		k, v, ok := strings.Cut(s, "=")
		if !ok || k == "" {
			return errors.New("want KEY=VALUE")
		}
		o.Tags[k] = v
		return nil
	})
	fs.Usage = func() {
		fmt.Fprintf(stderr, usage, name)
		fs.VisitAll(func(f *flag.Flag) {
			arg, text := flag.UnquoteUsage(f)
			fmt.Fprintf(stderr, "  --%-26s %s [%s]\n", strings.TrimSpace(f.Name+" "+arg), text, envName(f.Name))
		})
	}
	if err := parse(fs, args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if o.Data == "" {
		fmt.Fprintf(stderr, "%s: --data is needed\n", name)
		return 2
	}
	o.Log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	a, err := Start(ctx, o)
	if err == nil {
		err = a.Run(ctx)
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}

// parse reads the flags, and then the environment for those that were not given.
func parse(fs *flag.FlagSet, args []string) error {
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		fmt.Fprintf(fs.Output(), "%s: unexpected argument %q\n", fs.Name(), fs.Arg(0))
		return errors.New("usage")
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var err error
	fs.VisitAll(func(f *flag.Flag) {
		v, ok := os.LookupEnv(envName(f.Name))
		if !ok || given[f.Name] || v == "" {
			return
		}
		values := []string{v}
		if f.Name == "tag" {
			values = strings.Split(v, ",")
		}
		for _, v := range values {
			if e := f.Value.Set(v); e != nil {
				fmt.Fprintf(fs.Output(), "%s: %s: %v\n", fs.Name(), envName(f.Name), e)
				err = e
			}
		}
	})
	return err
}

func envName(flagName string) string {
	return "ERRAND_" + strings.ToUpper(strings.ReplaceAll(flagName, "-", "_"))
}

// Start makes an agent ready to Run, enrolling it if it has no identity yet.
func Start(ctx context.Context, o Options) (*agent.Agent, error) {
	if _, err := identity.Load(o.Data); errors.Is(err, identity.ErrNotEnrolled) {
		if err := enroll(ctx, o); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	exe, err := supervisor()
	if err != nil {
		return nil, err
	}
	return agent.New(agent.Config{Dir: o.Data, Version: o.Version, SelfExe: exe, Dial: dialer(o.Log), Log: o.Log})
}

// supervisor is the program that supervises commands: the small one beside our own program, or else our own.
func supervisor() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find own program: %w", err)
	}
	if small := beside(exe); small != "" {
		return small, nil
	}
	return exe, nil
}

// beside returns the small supervisor in the folder of exe, empty if there is none.
func beside(exe string) string {
	small := filepath.Join(filepath.Dir(exe), "errand-supervise")
	if info, err := os.Stat(small); err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return ""
	}
	return small
}

func enroll(ctx context.Context, o Options) error {
	if o.Server == "" || o.ActivationID == "" || o.ActivationCode == "" {
		return errors.New("not enrolled yet: --server, --activation-id and --activation-code are needed")
	}
	tags := make([]protocol.EnrollTag, 0, len(o.Tags))
	for k, v := range o.Tags {
		tags = append(tags, protocol.EnrollTag{Key: k, Value: v})
	}
	_, err := identity.Enroll(ctx, identity.Request{
		Dir: o.Data, ServerURL: o.Server, Insecure: o.InsecureHTTP, ActivationID: o.ActivationID, ActivationCode: o.ActivationCode,
		NodeID: o.NodeID, Name: o.Name, Tags: tags, MachineID: agent.MachineID(), Facts: agent.Facts(o.Version), CAFile: o.CAFile, Log: o.Log,
	})
	return err
}

// dialer connects agents over NATS.
func dialer(log *slog.Logger) agent.Dial {
	return func(_ context.Context, id identity.Identity, message func([]byte), connected func()) (agent.Link, error) {
		public, err := id.PublicKey()
		if err != nil {
			return nil, fmt.Errorf("own key: %w", err)
		}
		sessions := terminal.NewHost(terminal.Config{Log: log})
		node, err := bus.Dial(bus.NodeConfig{
			URLs: id.BusURLs, CA: id.CA, Key: id.NodeKey, PublicKey: public, Sign: id.Sign, Log: log, Message: message, Connected: connected,
			Session: func(n *bus.Node, session uint64, msg []byte) { sessions.Receive(n.PublishSession, session, msg) },
		})
		if err != nil {
			sessions.Close()
			return nil, err
		}
		return &link{node, sessions}, nil
	}
}

// link is the connection to the server together with the terminals that are used over it. They end with the agent, who closes it.
type link struct {
	*bus.Node
	sessions *terminal.Host
}

// Close ends the terminals and the connection.
func (l *link) Close() {
	l.sessions.Close()
	l.Node.Close()
}
