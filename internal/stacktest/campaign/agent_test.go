package campaign

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"errand/internal/agent"
	"errand/internal/agent/identity"
	"errand/internal/agent/journal"
	"errand/internal/bus"
)

// agentVariable holds the settings of a test binary that is to be an agent.
const agentVariable = "ERRAND_CAMPAIGN_AGENT"

// agentSettings is what such an agent is started with. Unlike the product's own program it has a clock that can be set, and its own cable.
type agentSettings struct {
	Dir, Server, ActivationID, Code, NodeID string
	Bus                                     string // HOST:PORT of its cable to the broker
	Supervisor                              string // program
	Clock                                   string // file with the nanoseconds by which its clock is wrong
	Dump                                    string // file for its goroutines, written on SIGUSR1
}

func beAgent(settings string) error {
	var s agentSettings
	if err := json.Unmarshal([]byte(settings), &s); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go dumpOnDemand(s.Dump)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	_, err := identity.Enroll(ctx, identity.Request{
		Dir: s.Dir, ServerURL: s.Server, ActivationID: s.ActivationID, ActivationCode: s.Code, NodeID: s.NodeID, MachineID: s.NodeID,
		Facts: agent.Facts("campaign"), Client: &http.Client{Timeout: identity.TryTimeout}, Log: log,
	})
	if err != nil {
		return err
	}
	clock, err := wrongClock(s.Clock)
	if err != nil {
		return err
	}
	a, err := agent.New(agent.Config{Dir: s.Dir, Version: "campaign", SelfExe: s.Supervisor, Dial: dialer(s.Bus, log), Log: log, Clock: clock})
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

func dialer(address string, log *slog.Logger) agent.Dial {
	return func(_ context.Context, id identity.Identity, l agent.Line) (agent.Link, error) {
		public, err := id.PublicKey()
		if err != nil {
			return nil, err
		}
		node, err := bus.Dial(bus.NodeConfig{
			URLs: []string{"tls://" + address}, CA: id.CA, Key: id.NodeKey, PublicKey: public, Sign: id.Sign, Log: log,
			Introduce: bus.Introduction{Start: l.StartID, Machine: l.Machine}, Message: l.Message, Connected: l.Connected, Refused: l.Refused,
		})
		if err != nil {
			return nil, err // not a Link with nothing in it
		}
		return node, nil
	}
}

// wrongClock is the machine's clock, wrong by what the file says now.
func wrongClock(file string) (func() journal.Moment, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, err
	}
	return func() journal.Moment {
		var up unix.Timespec
		_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &up)
		b, _ := os.ReadFile(file) // a clock that was never set is right
		wrong, _ := strconv.ParseInt(string(b), 10, 64)
		wall := time.Now().Round(0) // nothing but the wall clock
		return journal.Moment{Wall: wall.Add(time.Duration(wrong)), Boot: strings.TrimSpace(string(boot)), Uptime: time.Duration(up.Nano())}
	}, nil
}

// setClock makes an agent's clock wrong.
func setClock(file string, by time.Duration) error {
	temp := file + ".new"
	if err := os.WriteFile(temp, strconv.AppendInt(nil, int64(by), 10), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, file)
}

// dumpOnDemand writes all goroutines to a file when it is asked to.
func dumpOnDemand(file string) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	for range asked {
		f, err := os.Create(file + ".new")
		if err != nil {
			continue
		}
		err = pprof.Lookup("goroutine").WriteTo(f, 1)
		if f.Close() == nil && err == nil {
			_ = os.Rename(f.Name(), file)
		}
	}
}

// node is one agent of the campaign with what belongs to it.
type node struct {
	name    string // as the server knows it
	process *process
	cable   *cable
	disk    *disk
	data    string // on the disk
	clock   string // file
	dump    string // file
	notes   string // file to which its commands write
	files   string // folder to which files are sent
}

func (c *campaign) newNode(i int) *node {
	n := &node{name: fmt.Sprintf("i-n%d", i)}
	dir := filepath.Join(c.dir, n.name)
	n.disk = c.newDisk(filepath.Join(dir, "disk"), 64<<20)
	n.data = filepath.Join(n.disk.dir, "agent")
	n.clock, n.dump, n.notes, n.files = filepath.Join(dir, "clock"), filepath.Join(dir, "dump"), filepath.Join(dir, "notes"), filepath.Join(dir, "files")
	n.cable = c.newCable(c.agentListen)
	n.process = &process{c: c, name: n.name, log: filepath.Join(dir, "log"), full: n.disk, program: c.self, env: func() []string {
		b, _ := json.Marshal(agentSettings{ // cannot fail
			Dir: n.data, Server: "http://" + c.listen, ActivationID: c.activation.ActivationID, Code: c.activation.ActivationCode, NodeID: n.name,
			Bus: n.cable.address(), Supervisor: c.supervisor, Clock: n.clock, Dump: n.dump,
		})
		return []string{agentVariable + "=" + string(b)}
	}}
	return n
}
