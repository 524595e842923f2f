package stacktest

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"errand/internal/agent/reach/reachtest"
)

// What an agent writes at its most talkative holds nothing that is somebody's secret: not the code it enrolled with, the password of its
// proxy, a script, a parameter, an output, nor what was typed.
func TestLogHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	const script, parameter, output, typed = "planted-in-a-script", "planted-as-parameter", "planted-by-printing", "planted-by-typing"
	proxy := reachtest.HTTP(t, nil)
	i := install(t)
	i.advertise, i.agentServer = "bus.test:8471", "http://door.test"
	proxy.Name("bus.test", i.agents)
	via := url.URL{Scheme: "http", User: url.UserPassword(reachtest.User, reachtest.Password), Host: proxy.Addr}
	i.agentEnv = []string{"ERRAND_PROXY=" + via.String()}
	logFile := filepath.Join(i.dir, "agent.log")
	i.agentArgs = []string{"--insecure-http", "--log-level", "debug", "--log-format", "json", "--log-file", logFile}
	i.startServer()
	i.startAgent() // tries again and again, for the proxy does not know the door yet
	read := func() string {
		b, err := os.ReadFile(logFile)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return string(b)
	}
	Eventually(t, soon, func() error {
		if !strings.Contains(read(), `"msg":"not enrolled yet"`) {
			return os.ErrNotExist
		}
		return nil
	})
	proxy.Name("door.test", i.listen)
	i.online()
	for _, p := range []url.Values{
		{"CommandContent": {"echo " + output + " # " + script}},
		{"CommandContent": {"echo {{secret}} >&2; exit 7"}, "EnableParameter": {"true"}, "Parameters": {`{"secret":"` + parameter + `"}`}},
		{"CommandContent": {"exec " + script}},
		{"CommandContent": {script}, "Username": {"nobody-by-this-name"}},
		{"CommandContent": {script}, "WorkingDir": {"/nowhere"}},
		{"CommandContent": {"#!/no/such/interpreter\n" + script}},
		{"CommandContent": {"echo " + output + "; sleep 100"}, "Timeout": {"1"}},
	} {
		p.Set("Type", "RunShellScript")
		p.Set("InstanceId.1", "i-node")
		p.Set("ContentEncoding", "PlainText")
		var answer struct {
			InvokeID string `json:"InvokeId"`
		}
		if err := i.client.Call(t.Context(), "RunCommand", p, &answer); err != nil {
			t.Fatal(err)
		}
		i.client.Await(t, answer.InvokeID, late)
	}
	terminal, _ := i.client.terminal(t, url.Values{}, "i-node")
	terminal.Prompt()
	terminal.Run("echo " + typed)
	i.kill(i.agent)
	log := read()
	if !strings.Contains(log, `"msg":"connected"`) || !strings.Contains(log, `"msg":"agent started"`) {
		t.Errorf("the log is not the agent's: %s", log)
	}
	_, written, _ := strings.Cut(via.User.String(), ":")
	for _, secret := range []string{script, parameter, output, typed, i.code, reachtest.Password, written} {
		if strings.Contains(log, secret) || strings.Contains(i.log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	info, err := os.Stat(logFile)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
