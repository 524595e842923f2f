package packagetest

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"errand/internal/server"
	"errand/internal/stacktest"
)

const (
	serverURL = "https://127.0.0.1:8443"
	soon      = 30 * time.Second
	late      = 60 * time.Second
)

// site is a machine with the server's package on it, served by HTTPS with a CA of its own.
type site struct {
	*machine
	client *stacktest.Client
}

func newSite(t *testing.T) *site {
	t.Helper()
	m := boot(t, packed(t))
	m.run("dpkg -i /srv/packages/" + debFile("errand-server", first))
	ca, cert, key := authority(t)
	m.run("install -d -o errand -g errand -m 0750 /etc/errand/tls")
	m.write("/etc/errand/tls/server.pem", cert, 0o644)
	m.write("/etc/errand/tls/server.key", key, 0o600)
	m.write("/root/ca.pem", ca, 0o644)
	m.run("chown errand /etc/errand/tls/server.key; mkdir /srv/offered; cp /srv/packages/errand-agent* /srv/offered")
	settings := m.run("cat /etc/errand/server.env") + "ERRAND_LISTEN=127.0.0.1:8443\nERRAND_TLS_CERT=/etc/errand/tls/server.pem\n" +
		"ERRAND_TLS_KEY=/etc/errand/tls/server.key\nERRAND_AGENT_PACKAGES=/srv/offered\n"
	m.write("/etc/errand/server.env", settings, 0o600)
	m.run("systemctl restart errand-server")
	stacktest.Eventually(t, soon, func() error {
		_, err := m.try("curl -fsS --cacert /root/ca.pem " + serverURL + "/readyz")
		return err
	})
	var root server.Credentials
	if err := json.Unmarshal([]byte(m.run("cat /var/lib/errand/root-credentials.json")), &root); err != nil {
		t.Fatal(err)
	}
	trust := x509.NewCertPool()
	trust.AppendCertsFromPEM([]byte(ca))
	return &site{m, &stacktest.Client{URL: m.forward("127.0.0.1:8443", trust), KeyID: root.AccessKeyID, Secret: root.AccessKeySecret}}
}

// line asks errand enroll for the line.
func (s *site) line(args string) string {
	s.t.Helper()
	var made struct{ Command string }
	out := s.run("errand enroll -o json --data /var/lib/errand --server " + serverURL + " --ca-file /root/ca.pem " + args)
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		s.t.Fatal(err)
	}
	return made.Command
}

// assistant is what the server says about a node.
type assistant struct {
	InstanceID            string `json:"InstanceId"`
	CloudAssistantStatus  string
	CloudAssistantVersion string
}

// node waits until a node is there with an agent of a version, the only one besides those that are named, and returns its id.
func (s *site) node(version string, besides ...string) (id string) {
	s.t.Helper()
	stacktest.Eventually(s.t, late, func() error {
		var answer struct {
			Set struct {
				Status []assistant `json:"InstanceCloudAssistantStatus"`
			} `json:"InstanceCloudAssistantStatusSet"`
		}
		err := s.client.Call(s.t.Context(), "DescribeCloudAssistantStatus", url.Values{}, &answer)
		if err != nil {
			return err
		}
		list := slices.DeleteFunc(answer.Set.Status, func(a assistant) bool { return slices.Contains(besides, a.InstanceID) })
		if len(list) != 1 || list[0].CloudAssistantStatus != "true" || list[0].CloudAssistantVersion != version {
			return fmt.Errorf("want version %s: %+v", version, list)
		}
		id = list[0].InstanceID
		return nil
	})
	return id
}

// counting is a command that begins, waits for a file, and ends; what it prints, and how often it ran, is known exactly.
type counting struct {
	*site
	name, id string
}

func (s *site) begin(node, name string) *counting {
	s.t.Helper()
	c := &counting{s, name, ""}
	c.id = s.client.Run(s.t, fmt.Sprintf(
		"echo $$ >>/root/%[1]s.ran; echo begin; sleep 3000 & child=$!; until [ -e /root/%[1]s.go ]; do sleep 0.05; done; kill $child; seq 1 500; echo end", name),
		url.Values{"Timeout": {"600"}}, node)
	stacktest.Eventually(s.t, soon, func() error {
		if !s.exists("/root/" + name + ".ran") {
			return fmt.Errorf("%s did not begin", name)
		}
		return nil
	})
	return c
}

// end lets the command end, and compares.
func (c *counting) end() {
	c.t.Helper()
	c.run("touch /root/" + c.name + ".go")
	want := strings.Builder{}
	want.WriteString("begin\n")
	for i := range 500 {
		fmt.Fprintln(&want, i+1)
	}
	want.WriteString("end\n")
	for _, r := range c.client.Await(c.t, c.id, late) {
		if r.InvocationStatus != "Success" || r.ExitCode != 0 || r.Output != want.String() {
			c.t.Errorf("%s: %s, exit code %d, output %.200q", c.name, r.InvocationStatus, r.ExitCode, r.Output)
		}
	}
	c.once()
}

func (c *counting) once() {
	c.t.Helper()
	if n := strings.Count(c.run("cat /root/"+c.name+".ran"), "\n"); n != 1 {
		c.t.Errorf("%s ran %d times", c.name, n)
	}
}

// gone fails for every process of the agent or its commands.
func (s *site) gone() {
	s.t.Helper()
	if left := s.processes("errand-agent|errand-supervise|sleep"); len(left) > 0 {
		s.t.Errorf("left running: %q", left)
	}
}

// TestPackageLife is a machine's whole life with the Debian packages.
func TestPackageLife(t *testing.T) {
	t.Parallel()
	s := newSite(t)

	// The server's package: a user of its own, a key that nobody else can read and that the log does not have.
	if out := s.run("stat -c '%U %a' /var/lib/errand /var/lib/errand/root-credentials.json"); out != "errand 700\nerrand 600\n" {
		t.Errorf("the server's data: %s", out)
	}
	if out := s.run("ps -o user=,args= $(systemctl main-pid errand-server)"); strings.Join(strings.Fields(out), " ") != "errand /usr/bin/errand server --data /var/lib/errand" {
		t.Errorf("the server: %q", out)
	}
	if page := s.run("zcat /usr/share/man/man1/errand-run.1.gz"); !strings.HasPrefix(page, ".") || !strings.Contains(page, "concurrency") {
		t.Errorf("the manual page of errand run: %.200q", page)
	}
	if strings.Contains(s.run("cat /var/log/errand-server.service.log"), s.client.Secret) {
		t.Error("the root key is in the log")
	}

	// A package alone starts nothing.
	s.run("dpkg -i /srv/packages/" + debFile("errand-agent", first))
	s.gone()
	s.verify("errand-agent.service", "errand.slice", "errand-server.service")
	for unit, most := range map[string]float64{"errand-server.service": 2, "errand-agent.service": 10} {
		if grade := s.exposure(unit); grade > most {
			t.Errorf("%s: exposure %.1f", unit, grade)
		} else {
			t.Logf("%s: exposure %.1f", unit, grade)
		}
	}

	// The printed line makes it a node; again, it changes nothing, and shows nobody the code.
	line := s.line("--tag role=web --name-prefix web")
	s.run(line)
	node := s.node(first)
	if out := s.run(line); strings.Contains(out, "installing") {
		t.Errorf("the line again: %s", out)
	}
	if s.node(first) != node {
		t.Error("the line again made another node")
	}
	_, code, _ := strings.Cut(line, "ERRAND_ACTIVATION_CODE=")
	code, _, _ = strings.Cut(code, " ")
	if out, err := s.try("grep -rl " + code + " /etc /var /usr/lib/errand"); err == nil {
		t.Errorf("the code stays in %s", out)
	}
	if out := s.run("stat -c '%a %n' /etc/errand/site.env /var/lib/errand-agent; cat /etc/errand/site.env"); out !=
		"600 /etc/errand/site.env\n711 /var/lib/errand-agent\nERRAND_SERVER="+serverURL+"\nERRAND_CA_FILE=/etc/errand/ca.pem\n" {
		t.Errorf("%s", out)
	}

	// An upgrade by the same line, while a command runs.
	running := s.begin(node, "upgrade")
	before := s.run("systemctl main-pid errand-agent")
	s.run("cp /srv/packages/later/errand-agent_" + second + "_* /srv/offered")
	s.run(line)
	if s.node(second) != node || s.run("systemctl main-pid errand-agent") == before {
		t.Error("the upgrade did not restart the agent of this node")
	}
	running.end()

	// A bad upgrade, and the way back.
	running = s.begin(node, "rollback")
	s.run("dpkg -i /srv/packages/later/" + debFile("errand-agent", bad))
	stacktest.Eventually(t, soon, func() error {
		if log := s.run("cat /var/log/errand-agent.service.log"); strings.Count(log, "this agent is broken") < 2 {
			return fmt.Errorf("the broken agent is not started again")
		}
		return nil
	})
	if len(s.processes("errand-supervise")) != 1 {
		t.Errorf("the command did not survive a broken agent: %q", s.processes("."))
	}
	s.run("dpkg -i /srv/packages/later/" + debFile("errand-agent", second))
	if s.node(second) != node {
		t.Error("another node after the way back")
	}
	running.end()

	// Removed while a command runs: nothing is left running, the data is, and it is the same node that comes back and tells.
	running = s.begin(node, "removal")
	s.run("echo 'ERRAND_LOG_LEVEL=info' >>/etc/errand/agent.env")
	s.run("dpkg -r errand-agent")
	s.gone()
	for _, path := range []string{"/var/lib/errand-agent/identity/identity.json", "/var/lib/errand-agent/journal", "/etc/errand/agent.env"} {
		if !s.exists(path) {
			t.Errorf("%s is gone", path)
		}
	}
	if s.exists("/usr/lib/errand/errand-agent") || s.exists("/run/enabled-errand-agent.service") {
		t.Error("the program or its service is still there")
	}
	s.run("dpkg -i /srv/packages/later/" + debFile("errand-agent", second))
	s.run("systemctl is-active errand-agent")
	if s.node(second) != node {
		t.Error("another node after the removal")
	}
	for _, r := range s.client.Await(t, running.id, late) {
		if r.InvocationStatus != "Terminated" || r.Output != "begin\n" {
			t.Errorf("the command that was removed: %s %q", r.InvocationStatus, r.Output)
		}
	}
	running.once()

	// Purged: nothing is left.
	s.begin(node, "purge")
	s.run("dpkg -P errand-agent")
	s.gone()
	if out := s.run("ls /etc/errand; ls -d /var/lib/errand-agent* 2>/dev/null || true"); out != "server.env\ntls\n" {
		t.Errorf("left after the purge: %s", out)
	}
	s.run("dpkg -P errand-server")
	if s.exists("/var/lib/errand") || s.exists("/etc/errand/server.env") || s.processes("/usr/bin/errand") != nil {
		t.Error("the server is still there")
	}
}

// TestOtherForms does the same, shortly, for machines with neither of Debian's tools, and for RPM.
func TestOtherForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	line := s.line("--wget --limit 2 --name-prefix web")
	tar := strings.Replace(line, "| $(command -v sudo) sh", "| ERRAND_FORMAT=tar sh", 1)
	s.run(tar)
	node := s.node(first)
	s.verify("errand-agent.service", "errand.slice")
	running := s.begin(node, "tar")
	if out := s.run(tar); strings.Contains(out, "installing") {
		t.Errorf("the line again: %s", out)
	}
	s.run("cp /srv/packages/later/errand-agent-" + second + "-linux-* /srv/offered")
	s.run(tar)
	if s.node(second) != node {
		t.Error("the upgrade made another node")
	}
	running.end()
	s.begin(node, "uninstall")
	script := "curl -fsSL --cacert /root/ca.pem " + serverURL + "/agent/install.sh | sh -s -- "
	s.run(script + "--uninstall")
	s.gone()
	if !s.exists("/var/lib/errand-agent/identity/identity.json") || s.exists("/usr/lib/errand") || s.exists("/usr/bin/errand-agent") {
		t.Error("--uninstall leaves the program or takes the data")
	}
	s.run(script + "--purge")
	if s.exists("/var/lib/errand-agent") || s.exists("/etc/errand/agent.env") {
		t.Error("--purge leaves data")
	}

	// An image: the code is kept for the first start, which is not this one, and is gone after it.
	s.run(strings.Replace(line, "| $(command -v sudo) sh", "| ERRAND_FORMAT=tar sh -s -- --prepare", 1))
	s.gone()
	if out := s.run("stat -c %a /etc/errand/enroll.env"); out != "600\n" {
		t.Errorf("enroll.env: %s", out)
	}
	s.run("systemctl start errand-agent")
	if s.exists("/etc/errand/enroll.env") {
		t.Error("the code stays after the first start")
	}
	s.begin(s.node(second, node), "image")
	s.run(script + "--purge")
	s.gone()

	// A package that is not what the server announced is not installed.
	s.run("echo x >>/srv/offered/errand-agent_" + first + "_*.deb")
	tampered := strings.Replace(line, "|| echo exit 1", "| sed 's/deb amd64 1.0.0 ..../deb amd64 1.0.0 0000/; s/deb arm64 1.0.0 ..../deb arm64 1.0.0 0000/'", 1)
	if out, err := s.try(tampered); err == nil || !strings.Contains(out, "SHA-256 is wrong") || s.exists("/usr/lib/errand") {
		t.Errorf("a tampered package: %v\n%s", err, out)
	}

	// RPM calls the same scripts in its own way. Debian's rpm knows nothing of what Debian provides.
	s.run("rpm -i --nodeps /srv/packages/errand-agent-" + first + "-1.*.rpm")
	s.gone()
	if !s.exists("/usr/lib/errand/errand-agent") || !s.exists("/run/enabled-errand-agent.service") {
		t.Error("rpm does not install the agent")
	}
	s.run("rpm -U --nodeps /srv/packages/later/errand-agent-" + second + "-1.*.rpm")
	s.run("rpm -e --nodeps errand-agent")
	if s.exists("/usr/lib/errand/errand-agent") || s.exists("/run/enabled-errand-agent.service") {
		t.Error("rpm does not remove the agent")
	}
}

// TestServerWithoutPackages refuses clearly, and enrols a machine that has an agent already.
func TestServerWithoutPackages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run("rm /srv/offered/*")
	line := s.line("")
	if out, err := s.try(line); err == nil || !strings.Contains(out, "this server has no agent packages") {
		t.Errorf("%v\n%s", err, out)
	}
	s.run("dpkg -i /srv/packages/" + debFile("errand-agent", first))
	refused := strings.Replace(line, "ERRAND_ACTIVATION_CODE=", "ERRAND_ACTIVATION_CODE=x", 1)
	if out, err := s.try(refused); err == nil || !strings.Contains(out, "refused") {
		t.Errorf("a wrong code: %v\n%s", err, out)
	}
	s.gone()
	s.run(line)
	s.node(first)
}
