package program

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--help"}, 0, "ERRAND_ACTIVATION_CODE"},
		{nil, 2, "--data is needed"},
		{[]string{"--nonsense"}, 2, "nonsense"},
		{[]string{"--data", t.TempDir(), "extra"}, 2, "unexpected argument"},
		{[]string{"--data", t.TempDir(), "--tag", "novalue"}, 2, "KEY=VALUE"},
		{[]string{"--data", t.TempDir()}, 3, "not enrolled yet"},
		{[]string{"enroll", "--help"}, 0, "ERRAND_ACTIVATION_CODE"},
		{[]string{"enroll", "--data", t.TempDir()}, 3, "not enrolled yet"},
		{[]string{"enroll", "--data", t.TempDir(), "--server", "http://127.0.0.1:1", "--activation-id", "a", "--activation-code", "b", "--wait", "1ms"}, 1, "deadline exceeded"},
		{[]string{"end-commands", "--help"}, 0, "ERRAND_DATA"},
		{[]string{"end-commands", "extra"}, 2, "unexpected argument"},
		{[]string{"end-commands", "--data", "/nowhere/at/all"}, 0, ""},
		{[]string{"--data", t.TempDir(), "--ca-file", "/nowhere/ca.pem"}, 1, "certificates to trust"},
		{[]string{"--data", t.TempDir(), "--proxy", "ftp://p"}, 1, "--proxy: not the address of a proxy"},
		{[]string{"--data", t.TempDir(), "--server", "http://192.0.2.1", "--activation-id", "a", "--activation-code", "b"}, 1, "plain http"},
	}
	for _, tt := range tests {
		var stderr bytes.Buffer
		if code := Main(context.Background(), Env{Name: "errand-agent", Version: "1", Stdout: io.Discard, Stderr: &stderr}, tt.args); code != tt.code || !strings.Contains(stderr.String(), tt.says) {
			t.Errorf("%v: code %d, %s", tt.args, code, stderr.String())
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("ERRAND_SERVER", "http://from.env")
	t.Setenv("ERRAND_NAME", "from env")
	t.Setenv("ERRAND_TAG", "a=1,b=2")
	var server, name string
	var tags []string
	fs := newFlags(Env{Name: "agent", Stderr: io.Discard}, "", "")
	fs.StringVar(&server, "server", "", "")
	fs.StringVar(&name, "name", "", "")
	fs.Func("tag", "", func(s string) error { tags = append(tags, s); return nil })
	if code, ok := parse(fs, []string{"--name", "from flag"}); !ok {
		t.Fatal(code)
	}
	if server != "http://from.env" || name != "from flag" || strings.Join(tags, " ") != "a=1 b=2" {
		t.Errorf("server %q, name %q, tags %q", server, name, tags)
	}
}

func TestSupervisor(t *testing.T) {
	t.Parallel()
	got, err := supervisor()
	if err != nil {
		t.Fatal(err)
	}
	if exe, err := os.Executable(); err != nil || got != exe {
		t.Errorf("alone it is %q, %v", got, err)
	}
	if got := beside(filepath.Join(t.TempDir(), "errand")); got != "" {
		t.Errorf("nothing beside it, but %q", got)
	}
	dir := t.TempDir()
	small := filepath.Join(dir, "errand-supervise")
	if err := os.WriteFile(small, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := beside(filepath.Join(dir, "errand")); got != "" {
		t.Error("takes a file that cannot be executed")
	}
	if err := os.Chmod(small, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := beside(filepath.Join(dir, "errand")); got != small {
		t.Errorf("beside it is %q", got)
	}
}
