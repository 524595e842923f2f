package stacktest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is the real program with its small supervisor beside it, built once for all tests that kill it.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "errand-program-")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "errand")
	out, err := exec.Command("go", "build", "-o", dir, "errand/cmd/errand", "errand/cmd/errand-supervise").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return file, nil
})

// installation is a server and an agent as processes of their own, which tests kill and start again.
type installation struct {
	t                  *testing.T
	exe, dir           string
	listen, agents     string // addresses, the same after each start
	advertise          string // where agents connect, if not to agents itself
	client             *Client
	agentServer        string // that agents enrol at, if not at listen
	agentEnv           []string
	agentArgs          []string
	log                transcript // of all its processes
	server, agent      *exec.Cmd
	agentData          string
	activationID, code string
}

func install(t *testing.T) *installation {
	t.Helper()
	exe, err := program()
	if err != nil {
		t.Fatal(err)
	}
	i := &installation{t: t, exe: exe, dir: t.TempDir(), listen: freeAddr(t), agents: freeAddr(t)}
	i.agentData = filepath.Join(i.dir, "agent")
	i.client = &Client{"http://" + i.listen, KeyID, Secret}
	t.Cleanup(func() {
		i.kill(i.agent)
		i.kill(i.server)
	})
	return i
}

func freeAddr(t *testing.T) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lis.Close() }()
	return lis.Addr().String()
}

func (i *installation) start(env []string, args ...string) *exec.Cmd {
	i.t.Helper()
	cmd := exec.Command(i.exe, args...)
	cmd.Env = append(os.Environ(), env...)
	w := io.MultiWriter(&i.log, i.t.Output())
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		i.t.Fatal(err)
	}
	return cmd
}

// transcript is what several processes write.
type transcript struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// kill ends a process the hard way and waits for it.
func (i *installation) kill(cmd *exec.Cmd) {
	if cmd == nil || cmd.ProcessState != nil {
		return
	}
	_ = cmd.Process.Signal(syscall.SIGKILL)
	_ = cmd.Wait()
}

func (i *installation) startServer() {
	i.t.Helper()
	args := []string{"server", "--data", filepath.Join(i.dir, "server"), "--listen", i.listen, "--agent-listen", i.agents, "--log-level", "warn"}
	if i.advertise != "" {
		args = append(args, "--agent-advertise", i.advertise)
	}
	i.server = i.start([]string{"ERRAND_ROOT_ACCESS_KEY_ID=" + KeyID, "ERRAND_ROOT_ACCESS_KEY_SECRET=" + Secret}, args...)
	Eventually(i.t, soon, func() error {
		req, err := http.NewRequestWithContext(i.t.Context(), http.MethodGet, "http://"+i.listen+"/readyz", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	})
}

// startAgent starts the agent of the node i-node, enrolling it the first time.
func (i *installation) startAgent() {
	i.t.Helper()
	if i.code == "" {
		var answer struct {
			ActivationID   string `json:"ActivationId"`
			ActivationCode string
		}
		if err := i.client.Call(i.t.Context(), "CreateActivation", map[string][]string{}, &answer); err != nil {
			i.t.Fatal(err)
		}
		i.activationID, i.code = answer.ActivationID, answer.ActivationCode
	}
	i.agent = i.start(i.agentEnv, append([]string{
		"agent", "--server", cmp.Or(i.agentServer, "http://"+i.listen), "--activation-id", i.activationID, "--activation-code", i.code,
		"--data", i.agentData, "--node-id", "i-node", "--log-level", "warn",
	}, i.agentArgs...)...)
}

// online waits until the node can be reached.
func (i *installation) online() {
	i.t.Helper()
	i.onlineAs("i-node")
}

func (i *installation) onlineAs(node string) {
	i.t.Helper()
	Eventually(i.t, 40*time.Second, func() error {
		var answer struct {
			Set struct {
				Status []struct{ CloudAssistantStatus string } `json:"InstanceCloudAssistantStatus"`
			} `json:"InstanceCloudAssistantStatusSet"`
		}
		err := i.client.Call(i.t.Context(), "DescribeCloudAssistantStatus", map[string][]string{"InstanceId.1": {node}}, &answer)
		if err == nil && (len(answer.Set.Status) != 1 || answer.Set.Status[0].CloudAssistantStatus != "true") {
			err = fmt.Errorf("%+v", answer)
		}
		return err
	})
}

// await waits until an invocation's result has a status.
func (i *installation) await(id, status string) {
	i.t.Helper()
	Eventually(i.t, late, func() error {
		results, err := i.client.Results(i.t.Context(), id)
		if err == nil && (len(results) != 1 || results[0].InvocationStatus != status) {
			err = fmt.Errorf("want %s: %+v", status, results)
		}
		return err
	})
}

// oracle is a file in which commands note that they ran.
type oracle struct {
	t    *testing.T
	file string
}

func newOracle(t *testing.T) *oracle {
	return &oracle{t, filepath.Join(t.TempDir(), "ran")}
}

// note is a piece of script that notes a word.
func (o *oracle) note(word string) string { return fmt.Sprintf("echo %s >>%s", word, o.file) }

func (o *oracle) count(word string) (n int) {
	b, err := os.ReadFile(o.file)
	if err != nil && !os.IsNotExist(err) {
		o.t.Fatal(err)
	}
	for _, w := range strings.Fields(string(b)) {
		if w == word {
			n++
		}
	}
	return n
}

func (o *oracle) await(word string) {
	o.t.Helper()
	Eventually(o.t, soon, func() error {
		if o.count(word) == 0 {
			return fmt.Errorf("no command noted %q", word)
		}
		return nil
	})
}

func (o *oracle) once(words ...string) {
	o.t.Helper()
	for _, w := range words {
		if n := o.count(w); n != 1 {
			o.t.Errorf("%q was noted %d times", w, n)
		}
	}
}

// cable is a TCP connection to the broker that can be cut.
type cable struct {
	lis  net.Listener
	to   string
	wrap func(net.Conn) net.Conn // looks at what goes to the other side; nil does not

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

func newCable(t *testing.T, to string, wrap func(net.Conn) net.Conn) *cable {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{lis: lis, to: to, wrap: wrap, conns: map[net.Conn]bool{}}
	c.wg.Go(c.serve)
	t.Cleanup(func() {
		_ = lis.Close()
		c.set(true)
		c.wg.Wait()
	})
	return c
}

func (c *cable) serve() {
	for {
		in, err := c.lis.Accept()
		if err != nil {
			return
		}
		c.wg.Go(func() { c.join(in) })
	}
}

func (c *cable) join(in net.Conn) {
	defer func() { _ = in.Close() }()
	out, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", c.to)
	if err != nil {
		return
	}
	defer func() { _ = out.Close() }()
	if c.wrap != nil {
		out = c.wrap(out)
	}
	c.mu.Lock()
	cut := c.cut
	c.conns[in], c.conns[out] = true, true
	c.mu.Unlock()
	if cut {
		return
	}
	var both sync.WaitGroup
	pump := func(dst, src net.Conn) {
		_, _ = io.Copy(dst, src)
		_ = dst.Close()
		_ = src.Close()
	}
	both.Go(func() { pump(out, in) })
	both.Go(func() { pump(in, out) })
	both.Wait()
}

// set cuts the cable, or mends it.
func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	for conn := range c.conns {
		_ = conn.Close()
		delete(c.conns, conn)
	}
}
