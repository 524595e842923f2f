// Package program is the agent as a program: its commands, flags and their environment variables, enrolment on the first start, and the bus
// under it. Both programs that offer the agent share it, and those that run an agent inside themselves use Start.
package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"errand/internal/agent"
	"errand/internal/agent/identity"
	"errand/internal/agent/reach"
	"errand/internal/agent/terminal"
	"errand/internal/agent/upgrade"
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
	Proxy          string // see reach.Config
	InsecureHTTP   bool
	ReleaseKeys    string // file of the release keys to believe in
	Version        string
	Log            *slog.Logger
	Wake           <-chan os.Signal // see agent.Config; may be nil

	system   *systemd        // set for an agent that has the process for itself
	launched *upgrade.Launch // nil if the program cannot be replaced
}

// Start makes an agent ready to Run, enrolling it if it has no identity yet.
func Start(ctx context.Context, o Options) (*agent.Agent, error) {
	way, err := o.reach()
	if err != nil {
		return nil, err
	}
	trust := way.Trust()
	if err := o.settle(); err != nil {
		return nil, err
	}
	id, err := identity.Load(o.Data)
	if errors.Is(err, identity.ErrNotEnrolled) {
		if trust != nil {
			return nil, trust
		}
		id, err = enroll(ctx, o, way)
	}
	if err == nil {
		err = o.pinKeys()
	}
	if err != nil {
		return nil, err
	}
	if trust != nil {
		o.Log.Warn("private certificates", "error", trust) // the bus has a CA of its own, so that this must not keep a node away
	}
	exe, err := supervisor()
	if err != nil {
		return nil, err
	}
	c := agent.Config{
		Dir: o.Data, Version: o.Version, SelfExe: exe, Dial: dialer(o.Log, way), HTTP: way.Client(0), Log: o.Log, Ask: o.asker(way), Wake: o.Wake,
		Keys: &identity.Rotator{Dir: o.Data, HTTP: way.Client(identity.TryTimeout), Agent: o.Version},
	}
	if s := o.system; s != nil {
		c.Alone, c.Ready, c.Alive, c.Deadline = true, s.ready, s.alive, s.deadline()
	}
	if o.launched != nil {
		if c.Upgrader, err = o.upgrader(id, way.Client(0)); err != nil {
			return nil, err
		}
	}
	return agent.New(c)
}

// reach is the way to everything outside the machine.
func (o Options) reach() (*reach.Reach, error) {
	return reach.New(reach.Config{Proxy: o.Proxy, Env: os.Getenv, CAFile: o.CAFile, Log: o.Log})
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

func enroll(ctx context.Context, o Options, way *reach.Reach) (identity.Identity, error) {
	if o.Server == "" || o.ActivationID == "" || o.ActivationCode == "" {
		return identity.Identity{}, errNothingToEnroll
	}
	if err := o.pinKeys(); err != nil { // before the server names its own
		return identity.Identity{}, err
	}
	tags := make([]protocol.EnrollTag, 0, len(o.Tags))
	for k, v := range o.Tags {
		tags = append(tags, protocol.EnrollTag{Key: k, Value: v})
	}
	return identity.Enroll(ctx, identity.Request{
		Dir: o.Data, ServerURL: o.Server, Insecure: o.InsecureHTTP, ActivationID: o.ActivationID, ActivationCode: o.ActivationCode,
		NodeID: o.NodeID, Name: o.Name, Tags: tags, MachineID: agent.MachineID(), Facts: agent.Facts(o.Version),
		Client: way.Client(identity.TryTimeout), Log: o.Log, Keys: func(keys []byte) error { return upgrade.Pin(o.Data, keys) },
	})
}

// dialer connects agents over NATS.
func dialer(log *slog.Logger, way *reach.Reach) agent.Dial {
	return func(_ context.Context, id identity.Identity, l agent.Line) (agent.Link, error) {
		public, err := id.PublicKey()
		if err != nil {
			return nil, fmt.Errorf("own key: %w", err)
		}
		sessions := terminal.NewHost(terminal.Config{Log: log})
		node, err := bus.Dial(bus.NodeConfig{
			URLs: id.BusURLs, CA: id.CA, Key: id.NodeKey, PublicKey: public, Sign: id.Sign, Log: log, Dial: way.Dial,
			Introduce: bus.Introduction{Start: l.StartID, Machine: l.Machine},
			Message:   l.Message, Connected: l.Connected, Refused: l.Refused,
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
