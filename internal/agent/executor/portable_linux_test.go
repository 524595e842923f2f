package executor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// supervisePortably is the first argument with which the test binary is a supervisor as on systems other than Linux.
const supervisePortably = "supervise-portably"

// portableProgram makes a program that is such a supervisor when it is called as any other is.
func portableProgram(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "supervise")
	script := fmt.Sprintf("#!/bin/sh\nexec %s %s \"$2\"\n", self(t), supervisePortably)
	// A program that another test begins in this moment would inherit the open file, and nobody can run a file that is open for writing.
	syscall.ForkLock.RLock()
	err := os.WriteFile(file, []byte(script), 0o700)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func beginPortable(t *testing.T, spec Spec) *portableTask {
	t.Helper()
	task, err := startPortable(t.Context(), spec, filepath.Join(t.TempDir(), "task"), portableProgram(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { killLeft(task.state.ScriptPID) })
	return task
}

func waitPortable(t *testing.T, task *portableTask) Exit {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	exit, err := task.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readExit(task.dir); err != nil {
		t.Error(err)
	}
	return exit
}

func outputOfTask(t *testing.T, dir string) (stdout, stderr string) {
	t.Helper()
	o, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(0); ; {
		c, err := o.Read(at, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		data := c.Data
		for _, r := range c.Runs {
			if r.Stream == Stdout {
				stdout += string(data[:r.Len])
			} else {
				stderr += string(data[:r.Len])
			}
			data = data[r.Len:]
		}
		if at = c.Off + int64(len(c.Data)); c.End || len(c.Data) == 0 {
			return stdout, stderr
		}
	}
}

func TestPortableEnds(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		script         string
		kind           Cause
		code, signal   int
		stdout, stderr string
	}{
		"success":     {"echo hi", Exited, 0, 0, "hi\n", ""},
		"code":        {"echo oh >&2; exit 3", Exited, 3, 0, "", "oh\n"},
		"signal":      {"kill -9 $$", Signaled, 137, 9, "", ""},
		"interpreter": {"#!/usr/bin/env perl\nprint qq(perl\\n)", Exited, 0, 0, "perl\n", ""},
		"windows":     {"\xef\xbb\xbfif true\r\nthen echo yes\r\nfi\r\n", Exited, 0, 0, "yes\n", ""},
		"empty":       {"", Exited, 0, 0, "", ""},
		"much":        {"seq 300000", Exited, 0, 0, seq300000(), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			task := beginPortable(t, shell(tt.script))
			exit := waitPortable(t, task)
			stdout, stderr := outputOfTask(t, task.Dir())
			if exit.Cause != tt.kind || exit.Code != tt.code || exit.Signal != tt.signal || stdout != tt.stdout || stderr != tt.stderr {
				t.Errorf("%+v, %d and %d bytes", exit, len(stdout), len(stderr))
			}
			if exit.Stdout != int64(len(stdout)) || exit.Stderr != int64(len(stderr)) || exit.StartedAt.IsZero() || exit.EndedAt.Before(exit.StartedAt) {
				t.Errorf("%+v", exit)
			}
			if task.Running() {
				t.Error("still running")
			}
			if err := removePortable(task.Dir()); err != nil {
				t.Error(err)
			}
		})
	}
}

func seq300000() string {
	var b strings.Builder
	for i := range 300000 {
		fmt.Fprintln(&b, i+1)
	}
	return b.String()
}

func TestPortableSurroundings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	spec := shell("pwd; echo $A $1 $ERRAND_TASK_ID; id -un; env | grep -c ERRAND_SECRET; cat")
	spec.WorkDir, spec.Env, spec.Args = dir, map[string]string{"A": "b c"}, []string{"d e"}
	task := beginPortable(t, spec)
	exit := waitPortable(t, task)
	stdout, _ := outputOfTask(t, task.Dir())
	if want := fmt.Sprintf("%s\nb c d e %s\nroot\n0\n", dir, spec.ID); exit.Code != 0 || stdout != want {
		t.Errorf("%+v\n%s", exit, cmp.Diff(want, stdout))
	}
}

func TestPortableUser(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "portable") //nolint:usetesting // a folder that another user can pass to
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	spec := shell("id -un; id -Gn; echo $HOME $USER")
	spec.User = "nobody"
	task, err := startPortable(t.Context(), spec, filepath.Join(dir, "task"), portableProgram(t))
	if err != nil {
		t.Fatal(err)
	}
	waitPortable(t, task)
	if stdout, stderr := outputOfTask(t, task.Dir()); stdout != "nobody\nnogroup\n/nonexistent nobody\n" {
		t.Errorf("%q %q", stdout, stderr)
	}
}

func TestPortableTimeout(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"plain":      "echo ready; sleep 300",
		"background": "{ sleep 300 & }; echo ready; sleep 300",
		"deaf":       "trap '' TERM; echo ready; while :; do sleep 300; done",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := shell(script)
			spec.Timeout, spec.TimeoutGrace, spec.Tree = time.Second, 300*time.Millisecond, true
			task := beginPortable(t, spec)
			exit := waitPortable(t, task)
			stdout, _ := outputOfTask(t, task.Dir())
			if exit.Cause != TimedOut || exit.EndedAt.Sub(exit.StartedAt) < time.Second || stdout != "ready\n" {
				t.Errorf("%+v %q", exit, stdout)
			}
			if !(jail{}).empty(task.state.ScriptPID) {
				t.Error("processes left behind")
			}
		})
	}
}

func TestPortableStop(t *testing.T) {
	t.Parallel()
	for _, tree := range []bool{true, false} {
		t.Run(fmt.Sprintf("tree %v", tree), func(t *testing.T) {
			t.Parallel()
			spec := shell("sleep 300 & echo $!; wait")
			task := beginPortable(t, spec)
			await(t, "the child", func() bool { out, _ := outputOfTask(t, task.Dir()); return out != "" })
			if err := task.Stop(tree); err != nil {
				t.Fatal(err)
			}
			exit := waitPortable(t, task)
			if exit.Cause != Stopped || exit.Signal != int(syscall.SIGTERM) || exit.DrainIncomplete == tree {
				t.Errorf("%+v", exit)
			}
			if (jail{}).empty(task.state.ScriptPID) != tree {
				t.Error("the child's fate is not what was asked for")
			}
			if err := task.Stop(tree); !errors.Is(err, ErrFinished) {
				t.Errorf("stop again: %v", err)
			}
		})
	}
}

// A command outlives the agent that started it, and another takes it up.
func TestPortableAttach(t *testing.T) {
	t.Parallel()
	task := beginPortable(t, shell("echo one; sleep 1; echo two; exit 4"))
	again, err := attachPortable(task.Dir())
	if err != nil || !again.Running() || again.ID() != task.ID() || again.StartedAt().IsZero() || again.Supervisor() == 0 {
		t.Fatalf("%+v, %v", again, err)
	}
	if err := removePortable(task.Dir()); !errors.Is(err, ErrRunning) {
		t.Errorf("remove: %v", err)
	}
	if _, err := startPortable(t.Context(), shell("true"), task.Dir(), portableProgram(t)); !errors.Is(err, ErrExists) {
		t.Errorf("start again: %v", err)
	}
	exit := waitPortable(t, again)
	if stdout, _ := outputOfTask(t, task.Dir()); exit.Code != 4 || stdout != "one\ntwo\n" {
		t.Errorf("%+v %q", exit, stdout)
	}
}

func TestPortableSupervisorKilled(t *testing.T) {
	t.Parallel()
	task := beginPortable(t, shell("echo one; sleep 300"))
	await(t, "output", func() bool { out, _ := outputOfTask(t, task.Dir()); return out != "" })
	if err := syscall.Kill(task.Supervisor(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	exit := waitPortable(t, task)
	if exit.Cause != SupervisorKilled || exit.Code != -1 || exit.Stdout != 4 {
		t.Errorf("%+v", exit)
	}
	await(t, "the end of the command", func() bool { return (jail{}).empty(task.state.ScriptPID) })
}

func TestPortableRefusals(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(*Spec)
		want   Reason
	}{
		"user":        {func(s *Spec) { s.User = "no-such-user" }, UserNotFound},
		"user name":   {func(s *Spec) { s.User = "$(id)" }, InvalidUser},
		"directory":   {func(s *Spec) { s.WorkDir = "/no/such/directory" }, DirectoryNotFound},
		"file":        {func(s *Spec) { s.WorkDir = file }, DirectoryNotFound},
		"interpreter": {func(s *Spec) { s.Script = []byte("#!/no/such/interpreter\n") }, InterpreterNotFound},
		"launcher":    {func(s *Spec) { s.Launcher = "no-such-program" }, InterpreterNotFound},
		"quotes":      {func(s *Spec) { s.Launcher = "sh '" }, InvalidContent},
		"powershell":  {func(s *Spec) { s.Kind = KindPowerShell }, NotApplicable},
		"bat":         {func(s *Spec) { s.Kind = KindBat }, NotApplicable},
	} {
		spec := shell("true")
		tt.change(&spec)
		dir := filepath.Join(t.TempDir(), "task")
		_, err := startPortable(t.Context(), spec, dir, portableProgram(t))
		if !errors.Is(err, &StartError{Reason: tt.want}) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(dir); !missing(err) {
			t.Errorf("%s: folder left behind: %v", name, err)
		}
	}
	if _, err := attachPortable(filepath.Join(t.TempDir(), "none")); !missing(err) {
		t.Errorf("attach to nothing: %v", err)
	}
}

// What is executed on which system, and what the script's file holds there.
func TestPortableCommand(t *testing.T) {
	t.Parallel()
	powershell := []string{"powershell.exe", "-NoLogo", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File", "d/script.ps1"}
	for name, tt := range map[string]struct {
		goos string
		spec Spec
		want []string
	}{
		"shell":       {"darwin", Spec{Script: []byte("ls")}, []string{"/bin/bash", "d/script.sh"}},
		"shebang":     {"darwin", Spec{Script: []byte("#!/usr/bin/env python3 -u\r\n")}, []string{"/usr/bin/env", "python3 -u", "d/script.sh"}},
		"launcher":    {"darwin", Spec{Launcher: `python3 {{ACS::ScriptFileName|Ext(".py")}} x`}, []string{"python3", "d/script.py", "x"}},
		"powershell":  {"windows", Spec{Kind: KindPowerShell}, powershell},
		"bat":         {"windows", Spec{Kind: KindBat}, []string{"cmd.exe", "/D", "/C", "d/script.bat"}},
		"wrong there": {"windows", Spec{Kind: KindShell}, nil},
		"wrong here":  {"darwin", Spec{Kind: KindBat}, nil},
	} {
		got, _, err := portableCommand(tt.goos, tt.spec, "d")
		if !slices.Equal(got, tt.want) || (err == nil) != (tt.want != nil) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for kind, want := range map[Kind]string{KindShell: "a\nb\n", KindBat: "a\r\nb\r\n", KindPowerShell: "\xef\xbb\xbfa\r\nb\r\n"} {
		for _, script := range []string{"a\nb\n", "a\r\nb\r\n", "\xef\xbb\xbfa\nb\n"} {
			if got := portableScript(Spec{Kind: kind, Script: []byte(script)}); string(got) != want {
				t.Errorf("%s %q: %q", kind, script, got)
			}
		}
	}
	if runtime.GOOS == "linux" && portableBoot() == "" {
		t.Error("this start of the machine has no name")
	}
}

// await waits until something is so.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in time", what)
		}
	}
}
