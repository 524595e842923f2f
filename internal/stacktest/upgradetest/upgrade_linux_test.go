// Package upgradetest upgrades real agents, which are processes of their own, at a real server.
package upgradetest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"errand/internal/core"
	"errand/internal/release"
	"errand/internal/stacktest"
)

// late is how long anything may take on a busy machine.
const late = 90 * time.Second

var programs struct {
	dir string
	err error
	sync.Once
}

func TestMain(m *testing.M) {
	code := m.Run()
	if programs.dir != "" {
		_ = os.RemoveAll(programs.dir)
	}
	os.Exit(code)
}

// The versions that are built.
var versions = []string{"1.0.0", "1.1.0", "1.2.0"}

// program is the folder of the real agent and supervisor of a version.
func program(t *testing.T, version string) string {
	t.Helper()
	programs.Do(func() {
		programs.dir, programs.err = os.MkdirTemp("", "errand-upgrade-") //nolint:usetesting // for all tests
		if programs.err != nil {
			return
		}
		for _, v := range versions {
			cmd := exec.Command("go", "build", "-ldflags=-s -w -X main.version="+v, "-o", filepath.Join(programs.dir, v)+"/",
				"errand/cmd/errand-agent", "errand/cmd/errand-supervise")
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				programs.err = fmt.Errorf("%w: %s", err, out)
				return
			}
		}
	})
	if programs.err != nil {
		t.Fatal(programs.err)
	}
	return filepath.Join(programs.dir, version)
}

// script makes a folder with an agent that can say its version and otherwise does what a script says.
func script(t *testing.T, version, text string) string {
	t.Helper()
	dir := t.TempDir()
	content := "#!/bin/sh\n[ \"$1\" = --version ] && { echo errand-agent " + version + "; exit; }\n" + text + "\n"
	if err := os.WriteFile(filepath.Join(dir, "errand-agent"), []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// site is a server with release keys.
type site struct {
	*stacktest.Stack
	t      *testing.T
	secret ed25519.PrivateKey
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{Stack: stacktest.Start(t), t: t, secret: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))}
	l := release.KeyList{
		Product: release.Product, Serial: 1, Threshold: 1, Created: time.Now(), Keys: []ed25519.PublicKey{s.secret.Public().(ed25519.PublicKey)},
	}
	e, err := release.Wrap(&l)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Server.Service.TrustReleaseKeys(t.Context(), s.Server.RootCaller(), s.sign(e)); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) sign(e release.Envelope) []byte {
	s.t.Helper()
	if err := e.Sign(s.secret); err != nil {
		s.t.Fatal(err)
	}
	text, err := e.Encode()
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// publish gives the programs in a folder to the server as a release.
func (s *site) publish(version, dir string) {
	s.t.Helper()
	m := release.Manifest{
		Product: release.Product, Version: version, Created: time.Now(), Expires: time.Now().Add(time.Hour), Protocol: 1,
		Platforms: []release.Platform{{OS: runtime.GOOS, Arch: runtime.GOARCH}},
	}
	packed := map[string][]byte{}
	for _, name := range []string{release.AgentProgram, release.SuperviseProgram} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		var b bytes.Buffer
		f, err := release.Pack(&b, name, bytes.NewReader(text))
		if err != nil {
			s.t.Fatal(err)
		}
		m.Platforms[0].Files = append(m.Platforms[0].Files, f)
		packed[f.PackedSHA256] = b.Bytes()
	}
	e, err := release.Wrap(&m)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, root, svc := s.t.Context(), s.Server.RootCaller(), s.Server.Service
	if _, err := svc.AddRelease(ctx, root, s.sign(e)); err != nil {
		s.t.Fatal(err)
	}
	for hash, b := range packed {
		for offset := 0; offset < len(b); offset += core.ReleaseChunk {
			if err := svc.PutProgram(ctx, root, version, hash, int64(offset), b[offset:min(len(b), offset+core.ReleaseChunk)]); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	if _, err := svc.CompleteRelease(ctx, root, version); err != nil {
		s.t.Fatal(err)
	}
}

// start begins a rollout to all nodes at once, unless change says otherwise.
func (s *site) start(version string, change func(*core.RolloutPlan)) core.ID {
	s.t.Helper()
	p := core.DefaultRolloutPlan()
	p.Stages, p.Pause, p.Trial = []int{100}, 0, 60*time.Second
	if change != nil {
		change(&p)
	}
	r, err := s.Server.Service.StartRollout(s.t.Context(), s.Server.RootCaller(), 0, version, p)
	if err != nil {
		s.t.Fatal(err)
	}
	return r.ID
}

func (s *site) rollout(id core.ID) core.RolloutView {
	s.t.Helper()
	v, err := s.Server.Service.Rollout(s.t.Context(), s.Server.RootCaller(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

// becomes waits until a rollout is in a state.
func (s *site) becomes(id core.ID, state core.RolloutState) core.RolloutView {
	s.t.Helper()
	var v core.RolloutView
	stacktest.Eventually(s.t, late, func() error {
		if v = s.rollout(id); v.State != state {
			return fmt.Errorf("rollout is %s instead of %s: %+v", v.State, state, v.Count)
		}
		return nil
	})
	return v
}

func (s *site) node(id string) core.Node {
	s.t.Helper()
	found, err := s.Server.Service.NodesByID(s.t.Context(), s.Server.RootCaller(), []string{id})
	if err != nil {
		s.t.Fatal(err)
	}
	return found[id]
}

// runs waits until a node is connected with a version.
func (s *site) runs(id, version string) {
	s.t.Helper()
	stacktest.Eventually(s.t, late, func() error {
		n := s.node(id)
		if n.Agent != version || !s.Server.Service.Connected(n.Key) {
			return fmt.Errorf("%s runs %q", id, n.Agent)
		}
		return nil
	})
}

// detail is what a node said at the end of a rollout.
func (s *site) detail(id core.ID, node string) core.NodeUpgradeView {
	s.t.Helper()
	rows, err := s.Server.Service.RolloutNodes(s.t.Context(), s.Server.RootCaller(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range rows {
		if r.NodeID == node {
			return r
		}
	}
	s.t.Fatalf("the rollout knows nothing about %s", node)
	return core.NodeUpgradeView{}
}

// machine is an installed agent, which a service manager starts again whenever it ends.
type machine struct {
	t    *testing.T
	id   string
	dir  string
	args []string

	mu   sync.Mutex
	cmd  *exec.Cmd
	over bool
	wait sync.WaitGroup
}

// machine installs version 1.0.0 and waits until it is connected.
func (s *site) machine(id string) *machine {
	s.t.Helper()
	code, secret, err := s.Server.Service.CreateRegistration(s.t.Context(), s.Server.RootCaller(), core.RegistrationSpec{Limit: 1, Validity: time.Hour})
	if err != nil {
		s.t.Fatal(err)
	}
	m := &machine{t: s.t, id: id, dir: filepath.Join(s.t.TempDir(), "data")}
	m.args = []string{
		"--server", s.URL, "--activation-id", code.ID.String(), "--activation-code", secret, "--data", m.dir, "--node-id", id, "--log-level", "info",
	}
	exe := filepath.Join(program(s.t, versions[0]), "errand-agent")
	m.wait.Go(func() { m.keep(exe) })
	s.t.Cleanup(m.stop)
	s.runs(id, versions[0])
	return m
}

// keep starts the agent again whenever it ends.
func (m *machine) keep(exe string) {
	for {
		m.mu.Lock()
		if m.over {
			m.mu.Unlock()
			return
		}
		m.cmd = exec.Command(exe, m.args...)
		m.cmd.Stdout, m.cmd.Stderr = m.t.Output(), m.t.Output()
		err := m.cmd.Start()
		m.mu.Unlock()
		if err != nil {
			m.t.Error(err)
			return
		}
		_ = m.cmd.Wait()
	}
}

// kill ends the agent the hard way; it is started again.
func (m *machine) kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	_ = m.cmd.Process.Signal(syscall.SIGKILL)
}

// stop asks the agent to end until it does: a signal that comes in the moment in which it replaces its own program is lost with the old one.
func (m *machine) stop() {
	ended := make(chan struct{})
	go func() {
		m.wait.Wait()
		close(ended)
	}()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		m.mu.Lock()
		m.over = true
		_ = m.cmd.Process.Signal(syscall.SIGTERM)
		m.mu.Unlock()
		select {
		case <-ended:
			return
		case <-again.C:
		}
	}
}

func (m *machine) path(names ...string) string {
	return filepath.Join(append([]string{m.dir, "programs"}, names...)...)
}

func (m *machine) current() string {
	name, err := os.Readlink(m.path("current"))
	if err != nil {
		return ""
	}
	return name
}

// work is a command that runs until it is let go, and counts how often it was begun.
type work struct {
	s    *site
	dir  string
	id   string
	node string
}

func (s *site) work(node string) *work {
	s.t.Helper()
	w := &work{s: s, dir: s.t.TempDir(), node: node}
	w.id = s.Client().Run(s.t, fmt.Sprintf(`echo run >>%[1]s/ran
i=0
while [ ! -e %[1]s/go ]; do i=$((i+1)); echo $i >>%[1]s/printed; echo line $i; sleep 0.1; done
echo end`, w.dir), url.Values{"Timeout": {"600"}}, node)
	stacktest.Eventually(s.t, late, func() error {
		_, err := os.Stat(filepath.Join(w.dir, "printed"))
		return err
	})
	return w
}

// done lets the command go and checks that it ran once and that its output is exact.
func (w *work) done() {
	t := w.s.t
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	results := w.s.Client().Await(t, w.id, late)
	ran, err := os.ReadFile(filepath.Join(w.dir, "ran"))
	if err != nil || string(ran) != "run\n" {
		t.Errorf("the command was begun: %q, %v", ran, err)
	}
	printed, err := os.ReadFile(filepath.Join(w.dir, "printed"))
	if err != nil {
		t.Fatal(err)
	}
	want := "end\n"
	if lines := strings.Fields(string(printed)); len(lines) > 0 {
		want = "line " + strings.Join(lines, "\nline ") + "\nend\n"
	}
	if r := results[0]; r.InvocationStatus != "Success" || r.ExitCode != 0 || r.Output != want {
		t.Errorf("result %s, exit code %d, %d bytes of output instead of %d", r.InvocationStatus, r.ExitCode, len(r.Output), len(want))
	}
}

// A command runs over two upgrades; the second begins from a program in the data folder.
func TestCommandRunsOverUpgrades(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	m := s.machine("i-a")
	for _, v := range versions[1:] {
		s.publish(v, program(t, v))
	}
	w := s.work("i-a")
	for _, v := range versions[1:] {
		id := s.start(v, nil)
		if view := s.becomes(id, core.RolloutFinished); view.Count[core.UpgradeDone] != 1 {
			t.Errorf("%+v", view)
		}
		s.runs("i-a", v)
		if got := m.current(); got != v {
			t.Errorf("current is %q", got)
		}
	}
	w.done()
	s.work("i-a").done() // and the new version runs commands
	m.kill()
	s.runs("i-a", versions[2])
}

// What does not prove itself is gone back from, whatever it does instead, and is not tried again.
func TestBadVersionsGoBack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, script, want string
		state              core.UpgradeState
	}{
		{"exits", "exit 3", "exit status 3", core.UpgradeRolledBack},
		{"crashes", "kill -SEGV $$", "segmentation fault", core.UpgradeRolledBack},
		{"hangs", "exec sleep 600", "did not welcome it within 5s", core.UpgradeRolledBack},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.machine("i-a")
			s.publish("1.1.0", script(t, "1.1.0", tt.script))
			w := s.work("i-a")
			short := func(p *core.RolloutPlan) { p.Trial = 5 * time.Second }
			id := s.start("1.1.0", short)
			s.becomes(id, core.RolloutFrozen)
			if d := s.detail(id, "i-a"); d.State != tt.state || !strings.Contains(d.Detail, tt.want) {
				t.Errorf("%s: %q", d.State, d.Detail)
			}
			s.runs("i-a", versions[0])
			if _, err := s.Server.Service.ChangeRollout(t.Context(), s.Server.RootCaller(), id, core.AbortRollout); err != nil {
				t.Fatal(err)
			}
			again := s.start("1.1.0", short)
			s.becomes(again, core.RolloutFrozen)
			if d := s.detail(again, "i-a"); d.State != core.UpgradeRefused || !strings.Contains(d.Detail, tt.want) {
				t.Errorf("again: %s: %q", d.State, d.Detail)
			}
			w.done()
		})
	}
}

// A program that cannot be executed at all is never switched to.
func TestProgramForAnotherMachine(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	m := s.machine("i-a")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "errand-agent"), []byte("\x7fELF of a kind that nobody knows"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.publish("1.1.0", dir)
	id := s.start("1.1.0", nil)
	s.becomes(id, core.RolloutFrozen)
	if d := s.detail(id, "i-a"); d.State != core.UpgradeRefused || !strings.Contains(d.Detail, "exec format error") || m.current() != "" {
		t.Errorf("%s: %q, current %q", d.State, d.Detail, m.current())
	}
}

// The first stage meets a bad release; the other nodes never hear of it. The good one reaches them stage by stage.
func TestRolloutHalts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ids := []string{"i-a", "i-b", "i-c", "i-d"}
	for _, id := range ids {
		s.machine(id)
	}
	s.publish("1.1.0", script(t, "1.1.0", "exit 1"))
	s.publish("1.2.0", program(t, "1.2.0"))
	stages := func(p *core.RolloutPlan) { p.Stages = []int{25, 75, 100} }
	id := s.start("1.1.0", stages)
	view := s.becomes(id, core.RolloutFrozen)
	if view.Stage != 0 || view.Count[core.UpgradeRolledBack] != 1 || len(view.Count) != 1 || !strings.Contains(view.Reason, "1 of 1 nodes failed") {
		t.Errorf("frozen: %+v", view)
	}
	for _, id := range ids {
		s.runs(id, versions[0])
	}
	root := s.Server.RootCaller()
	if _, err := s.Server.Service.StartRollout(t.Context(), root, 0, "1.2.0", core.DefaultRolloutPlan()); core.AsError(err).Code != core.CodeConflict {
		t.Errorf("a second rollout: %v", err)
	}
	if _, err := s.Server.Service.ChangeRollout(t.Context(), root, id, core.AbortRollout); err != nil {
		t.Fatal(err)
	}
	id = s.start("1.2.0", func(p *core.RolloutPlan) {
		stages(p)
		p.Pause = time.Second
	})
	seen := map[int]int{}
	stacktest.Eventually(t, late, func() error {
		v := s.rollout(id)
		seen[v.Stage] = max(seen[v.Stage], v.Count[core.UpgradeDone])
		if v.State != core.RolloutFinished {
			return fmt.Errorf("%s in stage %d: %+v", v.State, v.Stage, v.Count)
		}
		return nil
	})
	if seen[0] > 1 || seen[1] > 3 || seen[2] != 4 {
		t.Errorf("done in each stage: %v", seen)
	}
	for _, id := range ids {
		s.runs(id, "1.2.0")
	}
	// Whoever comes later gets it too.
	s.machine("i-e")
	s.runs("i-e", "1.2.0")
}

// The agent is killed at every step that can be seen from outside, again and again, until the new version runs.
func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	m := s.machine("i-a")
	s.publish("1.1.0", program(t, "1.1.0"))
	w := s.work("i-a")
	steps := map[string]func() bool{
		"fetching":  func() bool { return exists(m.path("fetching")) },
		"unpacking": func() bool { return exists(m.path("fetching", "1.1.0")) },
		"installed": func() bool { return exists(m.path("1.1.0")) },
		"trial":     func() bool { return contains(m.path("state.json"), `"trial"`) },
		"current":   func() bool { return m.current() == "1.1.0" },
		"started":   func() bool { return contains(m.path("state.json"), `"starts": 1`) },
		"done":      func() bool { return m.current() == "1.1.0" && !contains(m.path("state.json"), `"trial"`) },
	}
	id := s.start("1.1.0", func(p *core.RolloutPlan) { p.Failures, p.Percent = 100, 100 })
	killed := map[string]bool{}
	deadline := time.Now().Add(late)
	for len(killed) < len(steps) && time.Now().Before(deadline) && s.rollout(id).State == core.RolloutRunning {
		for name, reached := range steps {
			if !killed[name] && reached() {
				m.kill()
				killed[name] = true
			}
		}
		time.Sleep(time.Millisecond)
	}
	t.Logf("killed at %d steps: %v", len(killed), killed)
	if len(killed) < 4 {
		t.Errorf("only %v", killed)
	}
	s.becomes(id, core.RolloutFinished)
	s.runs("i-a", "1.1.0")
	if d := s.detail(id, "i-a"); d.State != core.UpgradeDone {
		t.Errorf("%s: %s", d.State, d.Detail)
	}
	w.done()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func contains(path, text string) bool {
	b, err := os.ReadFile(path)
	return err == nil && bytes.Contains(b, []byte(text))
}

// An agent that is stopped while it is on trial is on trial again at its next start.
func TestStoppedOnTrial(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	m := s.machine("i-a")
	s.publish("1.1.0", script(t, "1.1.0", "touch "+m.dir+"/tried; exec sleep 600"))
	id := s.start("1.1.0", nil)
	tried := filepath.Join(m.dir, "tried")
	stacktest.Eventually(t, late, func() error {
		_, err := os.Stat(tried)
		return err
	})
	m.mu.Lock()
	cmd := m.cmd
	m.mu.Unlock()
	_ = os.Remove(tried)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	stacktest.Eventually(t, late, func() error {
		_, err := os.Stat(tried)
		return err
	})
	if !contains(m.path("state.json"), `"starts": 1`) {
		t.Error("the start that was ended by a signal counts")
	}
	_, err := s.Server.Service.ChangeRollout(context.WithoutCancel(t.Context()), s.Server.RootCaller(), id, core.AbortRollout)
	if err != nil {
		t.Error(err)
	}
}
