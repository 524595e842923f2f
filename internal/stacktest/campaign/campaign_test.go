package campaign

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"errand/internal/stacktest"
)

// campaign is an installation that is broken.
type campaign struct {
	t    *testing.T
	seed uint64
	plan []breach

	dir, work            string // work is where commands run
	self, supervisor     string // programs
	listen, agentListen  string // addresses of the server, which only cables know
	activation           struct{ ActivationID, ActivationCode string }
	server               *process
	serverDisk           *disk
	serverData           string
	door                 *cable // to the server's API
	nodes                []*node
	caller               *caller
	running              sync.WaitGroup
	history              history
	mu                   sync.Mutex
	accepted             []accepted
	wrong                []string
	begun, restFrom, end time.Time
}

// begin starts the installation.
func begin(t *testing.T) *campaign {
	c := &campaign{t: t, seed: *seedFlag, begun: time.Now()}
	if c.seed == 0 {
		c.seed = uint64(rand.Uint32())
	}
	c.plan = plan(c.seed, *lengthFlag, *nodesFlag, *faultsFlag)
	t.Logf("repeat with: go test ./internal/stacktest/campaign -run TestCampaign -campaign.seed=%d -campaign.for=%v -campaign.nodes=%d "+
		"-campaign.faults=%v -campaign.work=%v -v", c.seed, *lengthFlag, *nodesFlag, *faultsFlag, *workFlag)
	c.dir = *keepFlag
	if c.dir == "" {
		c.dir = t.TempDir()
	}
	c.work = filepath.Join(c.dir, "work")
	if err := os.MkdirAll(c.work, 0o755); err != nil {
		t.Fatal(err)
	}
	c.build()
	c.listen, c.agentListen = freeAddress(t), freeAddress(t)
	c.serverDisk = c.newDisk(filepath.Join(c.dir, "server"), 4<<30)
	c.serverData = filepath.Join(c.serverDisk.dir, "data")
	c.server = &process{
		c: c, name: "server", log: filepath.Join(c.dir, "server.log"), full: c.serverDisk, program: filepath.Join(filepath.Dir(c.supervisor), "errand"),
		args: []string{"server", "--data", c.serverData, "--listen", c.listen, "--agent-listen", c.agentListen, "--log-level", "info"},
		env: func() []string {
			return []string{"ERRAND_ROOT_ACCESS_KEY_ID=" + stacktest.KeyID, "ERRAND_ROOT_ACCESS_KEY_SECRET=" + stacktest.Secret}
		},
	}
	c.door = c.newCable(c.listen)
	c.caller = newCaller("http://" + c.door.address())
	t.Cleanup(c.running.Wait)
	t.Cleanup(c.kill)
	c.server.start()
	if err := c.caller.insist(t.Context(), "CreateActivation", url.Values{"InstanceCount": {"100"}}, &c.activation, 0); err != nil {
		t.Fatal(err)
	}
	for i := range *nodesFlag {
		n := c.newNode(i)
		c.nodes = append(c.nodes, n)
		n.process.start()
	}
	c.online()
	return c
}

// build builds the product's own programs; an agent is the test binary.
func (c *campaign) build() {
	var err error
	if c.self, err = os.Executable(); err != nil {
		c.t.Fatal(err)
	}
	dir := c.t.TempDir()
	out, err := exec.Command("go", "build", "-o", dir, "errand/cmd/errand", "errand/cmd/errand-supervise").CombinedOutput()
	if err != nil {
		c.t.Fatalf("%v: %s", err, out)
	}
	c.supervisor = filepath.Join(dir, "errand-supervise")
}

func freeAddress(t *testing.T) string {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	return lis.Addr().String()
}

// fail notes that something is wrong.
func (c *campaign) fail(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

// online waits until all nodes are connected.
func (c *campaign) online() {
	c.t.Helper()
	stacktest.Eventually(c.t, 2*time.Minute, func() error {
		m, err := c.metrics()
		if err == nil && int(m["errand_nodes_connected"]) != len(c.nodes) {
			err = fmt.Errorf("%v nodes are connected", m["errand_nodes_connected"])
		}
		return err
	})
}

// metrics reads the server's numbers, past the bad cable. Series with labels are added up.
func (c *campaign) metrics() (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.listen+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	req.Close = true // so that no connection stays that would be counted
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	found := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, _, _ := strings.Cut(series, "{")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			found[name] += v
		}
	}
	return found, nil
}

// warmUp lets each agent do each kind of work once, so that what is counted then has found its size.
func (c *campaign) warmUp() {
	var all sync.WaitGroup
	for n := range 4 * len(c.nodes) {
		o := orderOf(c.seed, 900_000+n, len(c.nodes))
		o.id, o.impatient, o.twice = fmt.Sprintf("w%06d", n), 0, false
		if o.nodes = []int{n % len(c.nodes)}; o.kind == timedOut {
			o.kind = tiny
		}
		all.Go(func() { c.give(o) })
	}
	all.Wait()
	c.quiet()
}

// quiet waits until no task is open, no agent has anything to tell and no command runs.
func (c *campaign) quiet() {
	c.t.Helper()
	calm, last := 0, -1.0
	stacktest.Eventually(c.t, 4*time.Minute, func() error {
		m, err := c.metrics()
		if err != nil {
			calm = 0
			return err
		}
		said := m["errand_node_messages_total"]
		var busy []string
		for _, n := range c.nodes {
			if left, _ := os.ReadDir(filepath.Join(n.data, "tasks")); len(left) > 0 {
				busy = append(busy, n.name+"/"+left[0].Name())
			}
		}
		if m["errand_tasks_open"] != 0 || int(m["errand_nodes_connected"]) != len(c.nodes) || len(busy) > 0 {
			calm = 0
			return fmt.Errorf("%v tasks open, %v nodes connected, folders left: %v", m["errand_tasks_open"], m["errand_nodes_connected"], busy)
		}
		if said != last {
			calm, last = 0, said
		}
		if calm++; calm < 30 {
			time.Sleep(80 * time.Millisecond)
			return fmt.Errorf("nodes still talk")
		}
		return nil
	})
}

// rest lets everything come to its end.
func (c *campaign) rest() {
	c.restFrom = time.Now()
	c.online()
	for _, a := range c.accepted {
		if a.kind == repeated {
			c.stopOrder(a.invocation)
		}
	}
	c.quiet()
	c.end = time.Now()
	c.t.Logf("at rest %v after the last fault", c.end.Sub(c.restFrom).Round(time.Second))
}

// stop ends all programs in an orderly way.
func (c *campaign) stop() {
	for _, n := range c.nodes {
		n.process.stop()
	}
	c.server.stop()
}

// kill ends what is left of them, also when the test ends before its time.
func (c *campaign) kill() {
	for _, n := range c.nodes {
		n.process.kill()
	}
	c.server.kill()
	for pid := range c.leftovers() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// leftovers finds the processes of commands and their supervisors: all that run in the folder for work, or speak of the campaign's folder.
func (c *campaign) leftovers() map[int]string {
	found := map[int]string{}
	for pid, args := range commandLines() {
		line := strings.Join(args, " ")
		cwd, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
		if pid != os.Getpid() && (cwd == c.work || strings.Contains(line, c.dir+"/i-n")) {
			found[pid] = line
		}
	}
	return found
}

// count is what a process holds.
type count struct {
	goroutines, files int
	names             []string // of files
	dump              string
}

// counts are by name.
type counts map[string]count

// count counts what server and agents hold.
func (c *campaign) count() counts {
	c.t.Helper()
	c.caller.http.CloseIdleConnections()
	time.Sleep(300 * time.Millisecond) // until the server has noticed
	found := counts{}
	m, err := c.metrics()
	if err != nil {
		c.t.Fatal(err)
	}
	n := count{goroutines: int(m["go_goroutines"])}
	n.files, n.names = c.server.descriptors()
	found["server"] = n
	for _, a := range c.nodes {
		_ = os.Remove(a.dump)
		a.process.signal(syscall.SIGUSR1)
		var dump []byte
		stacktest.Eventually(c.t, 20*time.Second, func() (err error) {
			dump, err = os.ReadFile(a.dump)
			return err
		})
		n := count{dump: string(dump)}
		_, _ = fmt.Sscanf(n.dump, "goroutine profile: total %d", &n.goroutines)
		n.files, n.names = a.process.descriptors()
		found[a.name] = n
	}
	return found
}

// slackCount is by how many goroutines and files a process may differ that was started anew.
const slackCount = 6

// noLeaks compares what the programs hold with what they held before, and looks for processes of commands.
func (c *campaign) noLeaks(before counts) {
	after := c.count()
	for name, n := range after {
		b := before[name]
		if n.goroutines > b.goroutines+slackCount {
			c.fail("%s has %d goroutines and had %d:\n%s", name, n.goroutines, b.goroutines, n.dump)
		}
		if n.files > b.files+slackCount {
			c.fail("%s has %d files open and had %d:\n%s", name, n.files, b.files, strings.Join(n.names, "\n"))
		}
		c.t.Logf("%s: %d goroutines (%d before), %d files (%d before)", name, n.goroutines, b.goroutines, n.files, b.files)
	}
	for giveUp := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) { // daemons may take so long
		left := c.leftovers()
		for _, n := range c.nodes {
			delete(left, n.process.pid())
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(giveUp) {
			text, _ := json.MarshalIndent(left, "", "  ")
			c.fail("processes left behind: %s", text)
			return
		}
	}
}
