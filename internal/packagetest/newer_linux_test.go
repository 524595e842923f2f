package packagetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNewerSystemd adds what systemd 254 brought where that is, and not where it would be complained about. The scripts of the package run with
// their folders moved.
func TestNewerSystemd(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{
		"systemd 252 (252.38-1~deb12u1)": false,
		"systemd 253.5":                  false,
		"systemd 254 (254.1)":            true,
		"systemd 257 (257.8-1.fc42)":     true,
		"no systemd at all":              false,
	} {
		root := t.TempDir()
		moved := strings.NewReplacer("/usr/lib/systemd", root+"/systemd", "/var/lib/errand-agent", root+"/data", "/run/systemd", root+"/none")
		if err := os.WriteFile(filepath.Join(root, "systemctl"), []byte("#!/bin/sh\necho '"+version+"'\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		script := func(name string, args ...string) {
			t.Helper()
			text, err := os.ReadFile("../../packaging/agent/" + name)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("sh", append([]string{"-c", moved.Replace(string(text)), name}, args...)...)
			cmd.Env = append(os.Environ(), "PATH="+root+":"+os.Getenv("PATH"))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %s: %v\n%s", version, name, err, out)
			}
		}
		link := filepath.Join(root, "systemd/system/errand-agent.service.d/systemd-254.conf")
		script("postinst", "configure")
		to, err := os.Readlink(link)
		if there := err == nil; there != want || there && to != "/usr/lib/errand/systemd-254.conf" {
			t.Errorf("%s: %q, %v", version, to, err)
		}
		script("postrm", "remove")
		if _, err := os.Lstat(filepath.Dir(link)); !os.IsNotExist(err) {
			t.Errorf("%s: left after the removal: %v", version, err)
		}
	}
	settings, err := os.ReadFile("../../packaging/agent/systemd-254.conf")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"RestartSteps=", "RestartMaxDelaySec=", "DelegateSubgroup=errand-agent\n"} {
		if !strings.Contains(string(settings), "\n"+s) {
			t.Errorf("%s is not set", s)
		}
	}
}
