package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"errand/internal/api/native"
	"errand/internal/server"
)

// shell runs commands of the program against a server of its own.
type shell struct {
	t         *testing.T
	url, data string
}

func openShell(t *testing.T) *shell {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	s, err := server.Start(t.Context(), server.Config{
		Data: data, Listen: "127.0.0.1:0", AgentListen: "127.0.0.1:0", Now: time.Now,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})), Notice: io.Discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return &shell{t: t, url: s.URL(), data: data}
}

// run runs a command and returns what it printed and its exit code.
func (s *shell) run(args ...string) (string, int) {
	s.t.Helper()
	var out bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetErr(s.t.Output())
	root.SetArgs(append(args, "--server", s.url, "--data", s.data))
	err := root.ExecuteContext(s.t.Context())
	if err != nil {
		s.t.Logf("errand %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), codeOf(err)
}

// ok runs a command that has to succeed.
func (s *shell) ok(args ...string) string {
	s.t.Helper()
	out, code := s.run(args...)
	if code != 0 {
		s.t.Fatalf("errand %s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// json runs a command and decodes what it prints.
func (s *shell) json(into any, args ...string) {
	s.t.Helper()
	out := s.ok(append(args, "-o", "json")...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		s.t.Fatalf("errand %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// has checks that each text is in the output of a command.
func (s *shell) has(out string, texts ...string) {
	s.t.Helper()
	for _, text := range texts {
		if !strings.Contains(out, text) {
			s.t.Errorf("no %q in\n%s", text, out)
		}
	}
}

func TestManageAccess(t *testing.T) {
	t.Parallel()
	s := openShell(t)
	s.has(s.ok("user", "create", "ann", "--description", "on call"), "NAME", "ann", "user", "enabled", "on call")
	s.has(s.ok("user", "create", "deploy", "--role"), "role")
	s.has(s.ok("user", "list"), "ann", "deploy")
	s.has(s.ok("user", "disable", "ann"), "disabled")
	s.has(s.ok("user", "enable", "ann"), "enabled")

	file := filepath.Join(t.TempDir(), "p.json")
	document := `{"Version":"1","Statement":[{"Effect":"Allow","Action":"ecs:RunCommand","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"node/web1"}]}`
	if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	s.ok("policy", "put", "web", file, "--description", "not web1")
	s.has(s.ok("policy", "list"), "web", "not web1", "AdministratorAccess", "program")
	s.has(s.ok("policy", "show", "web"), `"Action": "ecs:RunCommand"`)
	s.ok("policy", "attach", "ann", "web")
	s.has(s.ok("user", "show", "ann"), "web")

	out, code := s.run("policy", "explain", "--user", "ann", "--action", "ecs:RunCommand", "--resource", "node/web1")
	s.has(out, "denied: statement 1 of policy web decides, on node/web1")
	if code != 4 {
		t.Errorf("exit code %d", code)
	}
	s.has(s.ok("policy", "explain", "--user", "ann", "--action", "ecs:RunCommand", "--resource", "node/web2"), "allowed: statement 0 of policy web decides, on node/web2")
	s.has(s.ok("policy", "explain", "--user", "root", "--action", "ecs:RunCommand"), "allowed: root may do everything")
	var e native.Explanation
	out, _ = s.run("policy", "explain", "--user", "ann", "--action", "user.list", "-o", "json")
	if err := json.Unmarshal([]byte(out), &e); err != nil || e.Allowed || e.Policy != "" || len(e.Traces) != 2 {
		t.Errorf("%v %s", err, out)
	}

	var k native.IssuedKey
	s.json(&k, "key", "create", "ann", "--dialect", "ecs,tat", "--network", "10.0.0.0/8", "--hours", "24")
	if len(k.Secret) != 40 || k.User != "ann" || k.ExpiresAt == nil || len(k.Dialects) != 2 {
		t.Errorf("%+v", k)
	}
	s.has(s.ok("key", "list", "--user", "ann"), k.ID, "ecs,tat", "10.0.0.0/8")
	s.has(s.ok("key", "disable", k.ID), "disabled")
	s.has(s.ok("key", "enable", k.ID), "enabled")
	var rotated native.IssuedKey
	s.json(&rotated, "key", "rotate", k.ID, "--overlap", "1h")
	if rotated.ID != k.ID || rotated.Secret == k.Secret || rotated.OldSecretUntil == nil {
		t.Errorf("%+v", rotated)
	}
	s.has(s.ok("key", "create", "ann", "--bearer"), "TOKEN", ".")
	s.json(&k, "key", "issue", "--role", "deploy", "--duration", "15m", "--policy", file)
	if k.Token == "" || k.Kind != "temporary" {
		t.Errorf("%+v", k)
	}
	if out := s.ok("key", "list"); strings.Contains(out, k.ID) {
		t.Errorf("temporary keys are listed unasked:\n%s", out)
	}
	s.has(s.ok("key", "list", "--temporary"), k.ID)
	s.ok("key", "delete", k.ID)

	s.ok("quota", "set", "nodes", "5")
	s.ok("quota", "set", "calls-per-minute/ecs:RunCommand", "60", "--account", "default")
	s.has(s.ok("quota", "list"), "nodes", "5", "calls-per-minute/ecs:RunCommand", "60", "default", "none")
	s.has(s.ok("quota", "list", "--account", "default"), "calls-per-minute/ecs:RunCommand")
	s.ok("quota", "unset", "nodes")

	var a native.NewAccount
	s.json(&a, "account", "create", "lab")
	s.has(s.ok("account", "list"), a.ID, "lab", "root")
	s.has(s.ok("account", "show", a.ID), "enabled")
	s.has(s.ok("account", "key", a.ID), "SECRET")
	s.has(s.ok("account", "disable", a.ID), "disabled")
	s.has(s.ok("account", "enable", a.ID), "enabled")

	s.has(s.ok("audit", "list", "--since", "1h", "--user", "root"), "native:POST users", "ok", "user/ann")
	var list native.Audit
	s.json(&list, "audit", "list", "--limit", "3")
	if len(list.Records) != 3 || list.Records[0].UserAgent != "errand/"+version {
		t.Errorf("%+v", list)
	}
	s.ok("policy", "detach", "ann", "web")
	s.ok("policy", "delete", "web")
	s.ok("user", "delete", "ann")
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	s := openShell(t)
	for _, tt := range []struct {
		args []string
		code int
	}{
		{[]string{"user"}, 2},
		{[]string{"user", "create"}, 2},
		{[]string{"user", "list", "--nonsense"}, 2},
		{[]string{"user", "list", "-o", "xml"}, 2},
		{[]string{"quota", "set", "nodes", "many"}, 2},
		{[]string{"audit", "list", "--since", "yesterday"}, 2},
		{[]string{"policy", "explain", "--user", "x"}, 2},
		{[]string{"user", "show", "nobody"}, 1},
		{[]string{"policy", "put", "p", "/no/such/file"}, 1},
		{[]string{"key", "delete", "nothing"}, 1},
	} {
		if _, code := s.run(tt.args...); code != tt.code {
			t.Errorf("%v: exit code %d, want %d", tt.args, code, tt.code)
		}
	}
	closed := &shell{t: t, url: "http://127.0.0.1:1", data: s.data}
	if _, code := closed.run("user", "list"); code != 1 {
		t.Errorf("nobody listens: exit code %d", code)
	}
	nowhere := &shell{t: t, url: s.url, data: t.TempDir()}
	if _, code := nowhere.run("user", "list"); code != 1 {
		t.Errorf("no key: exit code %d", code)
	}
	open := &shell{t: t, url: "http://192.0.2.1", data: s.data}
	if _, code := open.run("user", "list"); code != 1 {
		t.Errorf("a key in clear over the network: exit code %d", code)
	}
}

// TestKeyFromEnvironment acts by a key, a temporary key and a bearer token that are given in the environment.
func TestKeyFromEnvironment(t *testing.T) {
	s := openShell(t)
	s.ok("user", "create", "ann")
	s.ok("policy", "attach", "ann", "ReadOnlyAccess")
	var long, temporary, bearer native.IssuedKey
	s.json(&long, "key", "create", "ann")
	s.json(&bearer, "key", "create", "ann", "--bearer")
	s.data = t.TempDir() // no root key
	try := func(id, secret, token string, code int, args ...string) {
		t.Helper()
		t.Setenv("ERRAND_ACCESS_KEY_ID", id)
		t.Setenv("ERRAND_ACCESS_KEY_SECRET", secret)
		t.Setenv("ERRAND_TOKEN", token)
		if _, got := s.run(args...); got != code {
			t.Errorf("%v: exit code %d, want %d", args, got, code)
		}
	}
	try(long.ID, long.Secret, "", 0, "user", "list")
	try(long.ID, long.Secret, "", 4, "user", "create", "bob")
	try(long.ID, "wrong", "", 4, "user", "list")
	try("", "", bearer.Token, 0, "user", "list")
	try("", "", bearer.Token+"x", 4, "user", "list")
	t.Setenv("ERRAND_ACCESS_KEY_ID", long.ID)
	t.Setenv("ERRAND_ACCESS_KEY_SECRET", long.Secret)
	t.Setenv("ERRAND_TOKEN", "")
	s.json(&temporary, "key", "issue")
	try(temporary.ID, temporary.Secret, temporary.Token, 0, "user", "list")
	try(temporary.ID, temporary.Secret, "wrong", 4, "user", "list")
}

// TestTableIsSafe keeps names from other people from moving the cursor.
func TestTableIsSafe(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := table(&out, "A B", [][]string{{"x\x1b[2J", ""}, {"y\tz\n", "w"}}); err != nil {
		t.Fatal(err)
	}
	if want := "A      B\nx?[2J  -\ny?z?   w\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
