package packagetest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// NfpmVersion is the release of nfpm that the Makefile installs.
const NfpmVersion = "v2.48.0"

// DebianRoot is the name of the clean Debian that the Makefile has made.
const DebianRoot = "debian-root-1"

// The versions that the tests install: one, the next, and one whose agent does not work.
const (
	first  = "1.0.0"
	second = "1.1.0"
	bad    = "1.2.0"
)

// tools is the folder of what the Makefile installs for tests.
func tools(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("TOOLS"); dir != "" {
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(home, ".cache", "errand", "tools")
}

func tool(t *testing.T, name ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{tools(t)}, name...)...)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v; make deps installs it", err)
	}
	return path
}

func nfpm(t *testing.T) string {
	t.Helper()
	return tool(t, "nfpm-"+NfpmVersion+"-"+runtime.Version(), "nfpm")
}

// pack makes packages of a version for this machine's architecture as make packages does.
func pack(t *testing.T, version, folder string, names ...string) {
	t.Helper()
	cmd := exec.Command("../../scripts/packages", version, folder, runtime.GOARCH)
	cmd.Env = append(os.Environ(), "NFPM="+nfpm(t), "SOURCE_DATE_EPOCH=1700000000", "NAMES="+strings.Join(names, " "))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("scripts/packages: %v\n%s", err, out)
	}
}

// packages are made once for all tests.
var packages struct {
	once sync.Once
	dir  string
}

// packed returns a folder with the packages of the first version, and below "later" the agent's of the second and of one that does not work.
func packed(t *testing.T) string {
	t.Helper()
	packages.once.Do(func() {
		dir, err := os.MkdirTemp("", "errand-packages-") //nolint:usetesting // it outlives the test that comes first
		if err != nil {
			t.Fatal(err)
		}
		pack(t, first, dir, "agent", "server")
		pack(t, second, filepath.Join(dir, "later"), "agent")
		packBad(t, filepath.Join(dir, "later"))
		packages.dir = dir
	})
	if packages.dir == "" {
		t.Fatal("there are no packages")
	}
	return packages.dir
}

// packBad makes a package with an agent that ends at once.
func packBad(t *testing.T, folder string) {
	t.Helper()
	build := t.TempDir()
	for _, name := range []string{"errand-agent", "errand-supervise"} {
		if err := os.WriteFile(filepath.Join(build, name), []byte("#!/bin/sh\necho 'this agent is broken' >&2\nexit 1\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(nfpm(t), "package", "--config", "packaging/agent/nfpm.yaml", "--packager", "deb", "--target", folder+"/")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "VERSION="+bad, "ARCH="+runtime.GOARCH, "BUILD="+build)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("nfpm: %v\n%s", err, out)
	}
}

func debFile(name, version string) string {
	return fmt.Sprintf("%s_%s_%s.deb", name, version, runtime.GOARCH)
}

// The same sources give the same packages, at another time and in another folder.
func TestPackagesAreReproducible(t *testing.T) {
	t.Parallel()
	before, again := packed(t), t.TempDir()
	pack(t, first, again, "agent", "server")
	files, err := os.ReadDir(again)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 5 {
		t.Errorf("%d packages", len(files))
	}
	for _, f := range files {
		a, aerr := os.ReadFile(filepath.Join(before, f.Name()))
		b, berr := os.ReadFile(filepath.Join(again, f.Name()))
		if aerr != nil || berr != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs: %v, %v", f.Name(), aerr, berr)
		}
	}
}

// What the packages say of themselves, to RPM too.
func TestPackageContents(t *testing.T) {
	t.Parallel()
	dir := packed(t)
	arch := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	for _, tt := range []struct {
		cmd  []string
		want []string
	}{
		{[]string{"dpkg-deb", "--field", debFile("errand-agent", first)}, []string{"Package: errand-agent", "Version: " + first, "Architecture: " + runtime.GOARCH}},
		{[]string{"dpkg-deb", "--info", debFile("errand-agent", first), "conffiles"}, []string{"/etc/errand/agent.env"}},
		{[]string{"dpkg-deb", "--info", debFile("errand-server", first), "conffiles"}, []string{"/etc/errand/server.env"}},
		{[]string{"rpm", "-qp", "--qf", "%{NAME} %{VERSION} %{ARCH} %{BUILDHOST}\n", "errand-agent-" + first + "-1." + arch + ".rpm"}, []string{"errand-agent " + first + " " + arch + " errand"}},
		{[]string{"rpm", "-qp", "--configfiles", "errand-server-" + first + "-1." + arch + ".rpm"}, []string{"/etc/errand/server.env"}},
		{[]string{"tar", "-tvf", "errand-agent-" + first + "-linux-" + runtime.GOARCH + ".tar.gz"}, []string{" 0/0 ", "etc/errand/agent.env", "usr/lib/errand/package/postinst"}},
	} {
		cmd := exec.Command(tt.cmd[0], tt.cmd[1:]...)
		cmd.Dir = dir
		if _, err := os.Stat(filepath.Join(dir, tt.cmd[len(tt.cmd)-1])); err != nil && tt.cmd[1] != "--info" {
			t.Error(err)
		}
		out, err := cmd.CombinedOutput()
		for _, want := range tt.want {
			if err == nil && !strings.Contains(string(out), want) {
				err = fmt.Errorf("no %q", want)
			}
		}
		if err != nil {
			t.Errorf("%v: %v\n%s", tt.cmd, err, out)
		}
	}
}

// The scripts of the packages are read by whatever /bin/sh a machine has.
func TestScriptsArePlainShell(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../packaging/*/p*")
	if err != nil || len(files) != 6 {
		t.Fatalf("%v, %v", files, err)
	}
	if out, err := exec.Command("shellcheck", append([]string{"--shell=sh"}, files...)...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	files = []string{"../../scripts/debian-root", "../../scripts/deps", "../../scripts/packages"}
	if out, err := exec.Command("shellcheck", files...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
