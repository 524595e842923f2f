package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"errand/internal/release"
)

// offline runs a command that needs no server.
func offline(t *testing.T, args ...string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetErr(t.Output())
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	if err != nil {
		out.WriteString(err.Error())
	}
	return out.String(), codeOf(err)
}

func must(t *testing.T, args ...string) string {
	t.Helper()
	out, code := offline(t, args...)
	if code != 0 {
		t.Fatalf("errand %s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// From two keys to a release that needs both.
func TestReleaseIsSignedOffline(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must(t, "release", "keygen", at("ann"))
	must(t, "release", "keygen", at("ben"))
	if info, err := os.Stat(at("ann.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("secret key: %v, %v", info, err)
	}
	if out, code := offline(t, "release", "keygen", at("ann")); code != 1 {
		t.Errorf("a key was replaced: %s", out)
	}
	must(t, "release", "keys", "--out", at("keys.json"), "--threshold", "2", at("ann.pub"), at("ben.pub"))
	must(t, "release", "sign", "--key", at("ann.key")+","+at("ben.key"), at("keys.json"))

	for _, name := range []string{"errand-agent", "errand-supervise"} {
		if err := os.WriteFile(at(name), []byte("program "+name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	must(t, "release", "pack", "--version", "1.2.3", "--out", at("rel"), "linux/amd64="+dir)
	must(t, "release", "sign", "--key", at("ann.key"), at("rel"))
	verify := func() (string, int) { return offline(t, "release", "verify", "--keys", at("keys.json"), at("rel")) }
	if out, code := verify(); code != 1 || !strings.Contains(out, "1 of the 2 that are needed") {
		t.Errorf("half signed: %d, %s", code, out)
	}
	must(t, "release", "sign", "--key", at("ben.key"), at("rel"))
	if out, code := verify(); code != 0 || !strings.Contains(out, "linux/amd64") {
		t.Errorf("signed: %d, %s", code, out)
	}
	packed, err := filepath.Glob(at("rel/*.gz"))
	if err != nil || len(packed) != 2 {
		t.Fatalf("programs %v, %v", packed, err)
	}
	if err := os.WriteFile(packed[0], []byte("another"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, code := verify(); code != 1 || !strings.Contains(out, release.ErrContent.Error()) {
		t.Errorf("with another program: %d, %s", code, out)
	}

	// The next list of keys.
	must(t, "release", "keygen", at("eve"))
	must(t, "release", "keys", "--out", at("keys2.json"), "--serial", "2", at("eve.pub"))
	must(t, "release", "sign", "--key", at("eve.key"), at("keys2.json"))
	rotation := func() (string, int) {
		return offline(t, "release", "verify", "--keys", at("keys.json"), at("keys2.json"))
	}
	if out, code := rotation(); code != 1 {
		t.Errorf("a list that the trusted keys did not sign: %s", out)
	}
	must(t, "release", "sign", "--key", at("ann.key"), "--key", at("ben.key"), at("keys2.json"))
	if out, code := rotation(); code != 0 {
		t.Error(out)
	}
}

func TestReleaseWrongUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, args := range [][]string{
		{"pack", "--version", "1.2.3", "--out", filepath.Join(dir, "a"), "linux=" + dir},
		{"keygen"},
	} {
		if out, code := offline(t, append([]string{"release"}, args...)...); code != 2 {
			t.Errorf("%v: exit code %d, %s", args, code, out)
		}
	}
	if out, code := offline(t, "release", "pack", "--version", "1.2", "--out", filepath.Join(dir, "b"), "linux/amd64="+dir); code != 1 {
		t.Errorf("exit code %d, %s", code, out)
	}
}
