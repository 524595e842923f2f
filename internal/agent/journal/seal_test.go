package journal

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// A message with secrets is not to be found in the journal's files, and comes back whole, also after a rewrite and by another process.
func TestSealedMessage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := open(t, dir)
	secret := accepted(1)
	secret.Run, secret.Secret = []byte("run with pass-word-4711"), true
	plan := Record{Task: task(2), State: Planned, At: arrival, Run: []byte("plan with pass-word-4711"), Secret: true}
	appendAll(t, j, secret, plan, accepted(3))
	check := func(when string) {
		t.Helper()
		for n, want := range map[int]string{1: "run with pass-word-4711", 2: "plan with pass-word-4711", 3: string(accepted(3).Run)} {
			if got, err := j.Run(task(n)); err != nil || string(got) != want {
				t.Errorf("%s: message %d is %q, %v", when, n, got, err)
			}
		}
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(filepath.Join(dir, f.Name()))
			if err != nil || bytes.Contains(b, []byte("pass-word")) {
				t.Errorf("%s: %s holds the secret, or: %v", when, f.Name(), err)
			}
		}
	}
	check("at first")
	j.disk.Lock()
	if err := j.rewrite(); err != nil {
		t.Fatal(err)
	}
	j.disk.Unlock()
	check("after a rewrite")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir)
	check("by another process")
	if info, err := os.Stat(filepath.Join(dir, keyName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key: %v, %v", info.Mode(), err)
	}
}

// Without its key a sealed message is lost, and nothing else is.
func TestSealedMessageWithoutKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := open(t, dir)
	secret := accepted(1)
	secret.Secret = true
	appendAll(t, j, secret, accepted(2))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, keyName)); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir)
	if got, err := j.Run(task(1)); err == nil {
		t.Errorf("%q", got)
	}
	if got, err := j.Run(task(2)); err != nil || !bytes.Equal(got, accepted(2).Run) {
		t.Errorf("%q, %v", got, err)
	}
	if list := j.Entries(); len(list) != 2 || list[0].State != Accepted {
		t.Errorf("%+v", list)
	}
}
