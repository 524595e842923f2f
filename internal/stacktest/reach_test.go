package stacktest

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"errand/internal/agent"
	"errand/internal/agent/reach/reachtest"
)

// front ends TLS for a server that is behind it.
func front(t *testing.T, conf *tls.Config, behind string) (address string) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer near.Close()
				far, err := net.Dial("tcp", behind)
				if err != nil {
					return
				}
				defer far.Close()
				go func() { _, _ = io.Copy(far, near) }()
				_, _ = io.Copy(near, far)
			}()
		}
	}()
	return l.Addr().String()
}

// ask runs one of the agent's commands on its data folder.
func (i *installation) ask(command string, args ...string) (code int, stdout, stderr string) {
	i.t.Helper()
	cmd := exec.CommandContext(i.t.Context(), i.exe, append([]string{"agent", command, "--data", i.agentData}, args...)...)
	cmd.Env = append(os.Environ(), i.agentEnv...)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	var exit *exec.ExitError
	if e := cmd.Run(); e != nil && !errors.As(e, &exit) {
		i.t.Fatal(e)
	}
	return cmd.ProcessState.ExitCode(), out.String(), err.String()
}

// examine has the doctor look at the agent, who finds nothing wrong with the network and has something to say about the bus.
func (i *installation) examine(bus string, args ...string) {
	i.t.Helper()
	_, out, stderr := i.ask("doctor", append(args, "-o", "json")...)
	var found []struct{ Check, Grade, Says string }
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		i.t.Fatalf("%v: %s%s", err, out, stderr)
	}
	says := map[string]string{}
	for _, f := range found {
		says[f.Check] = f.Says
		if f.Grade == "FAIL" {
			i.t.Errorf("%+v", f)
		}
	}
	if says["bus"] != bus || !strings.Contains(says["server TLS"], "door.test") || !strings.Contains(says["server proxy"], "set by ALL_PROXY") {
		i.t.Errorf("the doctor says %v", says)
	}
	if strings.Contains(out, "sesame") {
		i.t.Errorf("the doctor tells the password: %s", out)
	}
}

func (i *installation) status() (s agent.Status, code int) {
	i.t.Helper()
	code, out, _ := i.ask("status", "-o", "json")
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		i.t.Fatalf("%v: %s", err, out)
	}
	return s, code
}

// A node that knows its server only by the proxy's word: names that nothing else resolves, a password, and a certificate of a private authority.
// Enrolment, commands and a terminal go through, and go on after the proxy was away.
func TestBehindProxy(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"http", "socks5h"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			proxy := reachtest.HTTP
			if scheme == "socks5h" {
				proxy = func(tb testing.TB, _ *tls.Config) *reachtest.Proxy { return reachtest.SOCKS(tb) }
			}
			throughProxy(t, scheme, proxy(t, nil))
		})
	}
}

func throughProxy(t *testing.T, scheme string, proxy *reachtest.Proxy) {
	ca := reachtest.NewAuthority(t)
	i := install(t)
	i.advertise, i.agentServer = "bus.test:8471", "https://door.test"
	proxy.Name("bus.test", i.agents)
	proxy.Name("door.test", front(t, ca.Server("door.test", time.Now().Add(time.Hour)), i.listen))
	caFile := filepath.Join(i.dir, "ca.pem")
	if err := os.WriteFile(caFile, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	i.agentArgs = []string{"--ca-file", caFile}
	via := url.URL{Scheme: scheme, User: url.UserPassword(reachtest.User, reachtest.Password), Host: proxy.Addr}
	i.agentEnv = []string{"ALL_PROXY=" + via.String(), "NO_PROXY=elsewhere.test"}
	i.startServer()
	i.startAgent()
	i.online()
	id := i.client.Run(t, "echo through", nil, "i-node")
	if r := i.client.Await(t, id, soon)[0]; r.Output != "through\n" {
		t.Errorf("%+v", r)
	}
	terminal, _ := i.client.terminal(t, url.Values{}, "i-node")
	terminal.Prompt()
	if out := terminal.Run("echo $((6*7))through"); !strings.Contains(out, "42through") {
		t.Errorf("terminal: %q", out)
	}
	for _, want := range []string{"door.test:443", "bus.test:8471"} {
		if !strings.Contains(fmt.Sprint(proxy.Asked()), want) {
			t.Errorf("the proxy was not asked for %s: %v", want, proxy.Asked())
		}
	}
	if s, code := i.status(); code != 0 || !s.Connected || !strings.Contains(s.Bus, "bus.test:8471") || s.NodeID != "i-node" {
		t.Errorf("status %d: %+v", code, s)
	}
	i.examine("the running agent is connected to tls://bus.test:8471", i.agentArgs...)
	proxy.Down()
	Eventually(t, late, func() error {
		if s, code := i.status(); code != 1 || s.Connected {
			return fmt.Errorf("exit code %d, connected %v", code, s.Connected)
		}
		return nil
	})
	id = i.client.Run(t, "echo again", nil, "i-node")
	proxy.Up()
	i.await(id, "Success")
	i.kill(i.agent)
	i.examine("the server takes the key of node i-node", i.agentArgs...)
	if code, _, stderr := i.ask("status"); code != 3 || !strings.Contains(stderr, "no agent is running") {
		t.Errorf("without an agent: %d, %s", code, stderr)
	}
}

// An agent that crashes says so when it is back: on the machine, and to its server.
func TestCrashIsTold(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.startServer()
	i.startAgent()
	i.online()
	if err := i.agent.Process.Signal(syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	_ = i.agent.Wait()
	i.startAgent()
	Eventually(t, late, func() error {
		if s := i.log.String(); !strings.Contains(s, "the agent crashed and was started again") || !strings.Contains(s, "SIGABRT") {
			return fmt.Errorf("server log: %s", s)
		}
		return nil
	})
	s, _ := i.status()
	if s.Crash == nil || !strings.Contains(s.Crash.Text, "SIGABRT: abort") || s.Starts.Count != 2 || s.Starts.Sudden != 1 {
		t.Errorf("status %+v", s)
	}
	if code, out, _ := i.ask("status"); code != 0 || !strings.Contains(out, "last crash") || !strings.Contains(out, "2, 1 of them after a sudden end") {
		t.Errorf("%d: %s", code, out)
	}
	code, out, _ := i.ask("metrics")
	for _, want := range []string{
		`errand_agent_info{version="0.1.0",node="i-node"} 1`, "\nerrand_agent_connected 1\n", "\nerrand_agent_sudden_ends_total 1\n",
		`errand_agent_tasks{state="running"} 0`, `errand_agent_loop_stuck{loop="report"} 0`,
	} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("%d: no %s in\n%s", code, want, out)
		}
	}
}
