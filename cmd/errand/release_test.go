package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"errand/internal/api/native"
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

// From the signed folder to a rollout, through the server.
func TestReleaseIsRolledOut(t *testing.T) {
	t.Parallel()
	s := openShell(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	noise := make([]byte, 700_000) // more than one piece
	_, _ = rand.NewChaCha8([32]byte{1}).Read(noise)
	if err := os.WriteFile(at("errand-agent"), noise, 0o755); err != nil {
		t.Fatal(err)
	}
	must(t, "release", "keygen", at("key"))
	must(t, "release", "keys", "--out", at("keys.json"), at("key.pub"))
	must(t, "release", "sign", "--key", at("key.key"), at("keys.json"))
	must(t, "release", "pack", "--version", "1.2.3", "--out", at("rel"), "linux/amd64="+dir)
	if out, code := s.run("release", "add", at("rel")); code != 1 {
		t.Errorf("a release was taken without trusted keys: %s", out)
	}
	if out := s.ok("release", "trust", at("keys.json")); !strings.Contains(out, "SERIAL") {
		t.Error(out)
	}
	if out, code := s.run("release", "add", at("rel")); code != 1 {
		t.Errorf("an unsigned release was taken: %s", out)
	}
	must(t, "release", "sign", "--key", at("key.key"), at("rel"))
	for range 2 { // the second time there is nothing left to do
		if out := s.ok("release", "add", at("rel")); !strings.Contains(out, "true") {
			t.Error(out)
		}
	}
	var list native.Releases
	s.json(&list, "release", "ls")
	if len(list.Releases) != 1 || !list.Releases[0].Complete || list.Releases[0].Version != "1.2.3" {
		t.Errorf("%+v", list)
	}

	var r native.Rollout
	s.json(&r, "upgrade", "start", "1.2.3", "--stages", "5,100", "--pause", "2h", "--max-failures", "3")
	if r.State != "running" || r.PauseSeconds != 7200 || r.MaxFailures != 3 || len(r.Stages) != 2 || r.TrialSeconds != 90 {
		t.Errorf("%+v", r)
	}
	if out, code := s.run("release", "rm", "1.2.3"); code != 1 {
		t.Errorf("removed while it is rolled out: %s", out)
	}
	// There is no machine, so that the first stage is over and its pause goes on.
	if out := s.ok("upgrade", "pause"); !strings.Contains(out, "paused") {
		t.Error(out)
	}
	if out := s.ok("upgrade", "status"); !strings.Contains(out, "1.2.3") {
		t.Error(out)
	}
	if out := s.ok("upgrade", "status", r.ID); !strings.Contains(out, "NODE") {
		t.Error(out)
	}
	if out := s.ok("upgrade", "resume", r.ID); !strings.Contains(out, "running") {
		t.Error(out)
	}
	if out := s.ok("upgrade", "abort"); !strings.Contains(out, "aborted") {
		t.Error(out)
	}
	if out, code := s.run("upgrade", "resume"); code != 1 {
		t.Errorf("resumed after the end: %s", out)
	}
	s.ok("release", "rm", "1.2.3")
	for _, args := range [][]string{
		{"start"}, {"start", "1.2.3", "--stages", "x"},
	} {
		if out, code := s.run(append([]string{"upgrade"}, args...)...); code != 2 {
			t.Errorf("upgrade %v: exit code %d, %s", args, code, out)
		}
	}
	var audit native.Audit
	s.json(&audit, "audit", "list")
	named := false
	for _, a := range audit.Records {
		named = named || strings.Contains(strings.Join(a.Resources, " "), "rollout/"+r.ID)
	}
	if !named {
		t.Error("the rollout is not in the audit")
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
