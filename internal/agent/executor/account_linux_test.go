package executor

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAccountInFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	passwd, group := filepath.Join(dir, "passwd"), filepath.Join(dir, "group")
	write(t, passwd, strings.Join([]string{
		"# comment", "", "short:x:1", "bad:x:abc:1::/:/bin/sh", "bad2:x:1:-1::/:/bin/sh",
		"ann:x:1000:1000:Ann,,,:/home/ann:/bin/zsh", "bare:x:1001:1001:::", "ann:x:1:1::/:/second",
	}, "\n"))
	long := strings.Repeat("member,", 20_000)
	write(t, group, "ann:x:1000:\nwheel:x:10:bob,ann\nbig:x:11:"+long+"ann\nno:x:12:annabel,xann\nodd:x:y:ann\nten:x:10:ann")

	named := func(name string) func(account) bool { return func(a account) bool { return a.name == name } }
	ann, err := accountInFile(passwd, named("ann"))
	if err != nil || ann == nil {
		t.Fatalf("%v, %v", ann, err)
	}
	full, err := ann.withGroups(group)
	if err != nil {
		t.Fatal(err)
	}
	want := account{name: "ann", uid: 1000, gid: 1000, groups: []uint32{1000, 10, 11}, home: "/home/ann", shell: "/bin/zsh"}
	if diff := cmp.Diff(want, full, cmp.AllowUnexported(account{})); diff != "" {
		t.Error(diff)
	}
	bare, err := accountInFile(passwd, named("bare"))
	if err != nil || bare == nil || bare.home != "/" || bare.shell != "/bin/sh" {
		t.Errorf("%+v, %v", bare, err)
	}
	for _, name := range []string{"short", "bad", "bad2", "nobody-here", "# comment", ""} {
		if a, err := accountInFile(passwd, named(name)); a != nil || err != nil {
			t.Errorf("%q: %+v, %v", name, a, err)
		}
	}
	if a, err := accountInFile(filepath.Join(dir, "none"), named("ann")); a != nil || err != nil {
		t.Errorf("without a file: %+v, %v", a, err)
	}
	if _, err := accountInFile(dir, named("ann")); err == nil {
		t.Error("a folder was read as a file")
	}
}

func TestAccountOf(t *testing.T) {
	t.Parallel()
	a, err := accountOf(t.Context(), "nobody")
	if err != nil || a.uid != 65534 || len(a.groups) == 0 || a.groups[0] != a.gid {
		t.Errorf("%+v, %v", a, err)
	}
	_, err = accountOf(t.Context(), "no-such-user")
	wantReason(t, "missing user", err, UserNotFound)
	own, err := ownAccount()
	if err != nil || int(own.uid) != os.Geteuid() {
		t.Errorf("%+v, %v", own, err)
	}
	// What the name services answer, when they know the name.
	if line := getent(t.Context(), "passwd", "root"); line != "" {
		if root, ok := parseAccount(line); !ok || root.uid != 0 || root.name != "root" {
			t.Errorf("%q: %+v", line, root)
		}
	}
}

func TestEnvironmentFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "environment")
	write(t, file, "# comment\nPLAIN=a b\nexport EXPORTED=1\n  SPACED=2\nQUOTED=\"x=y\"\nSINGLE='z'\nHALF=\"q\nnothing\n=x\nBAD NAME=1\nLAST=end")
	env := map[string]string{"PLAIN": "old", "KEPT": "yes"}
	if err := systemVariables(file, env); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"PLAIN": "a b", "KEPT": "yes", "EXPORTED": "1", "SPACED": "2", "QUOTED": "x=y", "SINGLE": "z", "HALF": "\"q", "LAST": "end",
	}
	if diff := cmp.Diff(want, env); diff != "" {
		t.Error(diff)
	}

	defs := filepath.Join(dir, "login.defs")
	write(t, defs, "#ENV_PATH PATH=/no\nENV_SUPATH\tPATH=/sbin:/bin\nENV_PATH /bin\n")
	for root, want := range map[bool]string{true: "/sbin:/bin", false: "/bin"} {
		if got, err := loginPath(defs, root); err != nil || got != want {
			t.Errorf("root %t: %q, %v", root, got, err)
		}
		if got, err := loginPath(filepath.Join(dir, "none"), root); err != nil || !strings.Contains(got, "/usr/bin") {
			t.Errorf("root %t, no file: %q, %v", root, got, err)
		}
	}
	if got := lookupVariable([]string{"A=1", "PATH=/x", "PATHS=/y"}, "PATH"); got != "/x" {
		t.Errorf("%q", got)
	}
	if got := lookupVariable(nil, "PATH"); got != "" {
		t.Errorf("%q", got)
	}
}

func TestStartError(t *testing.T) {
	t.Parallel()
	err := error(&StartError{Reason: DirectoryNotFound, Path: "/x", Errno: 2, Detail: "why"})
	if got, want := err.Error(), "start command: DirectoryNotFound: /x: no such file or directory: why"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if !errors.Is(err, os.ErrNotExist) || errors.Is(err, &StartError{Reason: NoSpace}) || !errors.Is(err, &StartError{Reason: DirectoryNotFound}) {
		t.Error("wrong identity")
	}
	if err := (&StartError{Reason: NoSpace}); err.Unwrap() != nil {
		t.Error("unwraps to nothing real")
	}
}

// TestLogIn gives a terminal its user's identity with all groups, and an environment with nothing of this process in it.
func TestLogIn(t *testing.T) {
	t.Parallel()
	who, err := accountOf(t.Context(), "nobody")
	if err != nil {
		t.Fatal(err)
	}
	l, err := LogIn(t.Context(), "nobody", "vt100")
	if err != nil {
		t.Fatal(err)
	}
	if l.UID != who.uid || l.Shell != who.shell || l.Dir != "/" {
		t.Errorf("%+v", l)
	}
	if c := l.Credential; c == nil || c.Uid != who.uid || c.Gid != who.gid || c.NoSetGroups || !slices.Equal(c.Groups, who.groups) {
		t.Errorf("credential %+v of %+v", c, who)
	}
	if got := lookupVariable(l.Env, "TERM"); got != "vt100" || lookupVariable(l.Env, "USER") != "nobody" || lookupVariable(l.Env, "HOME") != who.home {
		t.Errorf("%q", l.Env)
	}
	for _, e := range os.Environ() {
		if name, value, _ := strings.Cut(e, "="); strings.HasPrefix(name, "GO") && lookupVariable(l.Env, name) == value {
			t.Errorf("%s leaked", name)
		}
	}
	own, err := LogIn(t.Context(), "", "vt100")
	if err != nil || own.Credential != nil || int(own.UID) != os.Geteuid() {
		t.Errorf("%+v, %v", own, err)
	}
	_, err = LogIn(t.Context(), "$(id)", "vt100")
	wantReason(t, "odd name", err, InvalidUser)
}
