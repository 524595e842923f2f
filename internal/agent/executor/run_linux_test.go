package executor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestExit(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script string
		cause  Cause
		code   int
		signal int
		output string
	}{
		"success":              {"echo hi", Exited, 0, 0, "hi\n"},
		"exit code":            {"exit 3", Exited, 3, 0, ""},
		"last command's code":  {"false", Exited, 1, 0, ""},
		"killed":               {"kill -KILL $$", Signaled, 137, 9, ""},
		"terminated":           {"kill -TERM $$", Signaled, 143, 15, ""},
		"code like a signal's": {"exit 137", Exited, 137, 0, ""},
		"empty script":         {"", Exited, 0, 0, ""},
		"unknown command":      {"exec 2>/dev/null; no-such-command", Exited, 127, 0, ""},
		"CRLF":                 {"#!/bin/sh\r\nif true; then\r\n  echo yes\r\nfi\r\nexit 4\r\n", Exited, 4, 0, "yes\n"},
		"CR after interpreter": {"#!/bin/sh\r\necho a\n", Exited, 0, 0, "a\n"},
		"byte order mark":      {"\xef\xbb\xbfecho bom", Exited, 0, 0, "bom\n"},
		"interpreter":          {"#!/bin/sh -e\nfalse\necho not reached", Exited, 1, 0, ""},
		"other interpreter":    {"#!/usr/bin/awk -f\nBEGIN { print 6*7; exit 5 }", Exited, 5, 0, "42\n"},
		"no newline at end":    {"printf x", Exited, 0, 0, "x"},
		"NUL bytes":            {`printf 'a\0b\0'`, Exited, 0, 0, "a\x00b\x00"},
		"not UTF-8":            {`printf '\377\376\200'`, Exited, 0, 0, "\xff\xfe\x80"},
		"standard input":       {"cat; readlink /proc/$$/fd/0", Exited, 0, 0, "/dev/null\n"},
		"no other descriptors": {"ls /proc/self/fd | wc -l", Exited, 0, 0, "4\n"}, // the fourth is that of ls
		"own session":          {`set -- $(cat /proc/$$/stat); [ $1 = $5 ] && [ $1 = $6 ] && echo own`, Exited, 0, 0, "own\n"},
		"limits and umask":     {"ulimit -Sn; umask; cat /proc/self/oom_score_adj", Exited, 0, 0, "1024\n0022\n0\n"},
		"signals as by login":  {`grep -E 'Sig(Blk|Ign)' /proc/self/status | cut -f2`, Exited, 0, 0, "0000000000000000\n0000000000000000\n"},
		"broken pipe":          {"yes | head -c 1 | wc -c", Exited, 0, 0, "1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			exit, output := run(t, shell(test.script))
			if exit.Cause != test.cause || exit.Code != test.code || exit.Signal != test.signal {
				t.Errorf("%s, code %d, signal %d", exit.Cause, exit.Code, exit.Signal)
			}
			if diff := cmp.Diff(test.output, output); diff != "" {
				t.Errorf("output (-want +got)\n%s", diff)
			}
			if exit.DrainIncomplete || exit.Survivors != 0 || exit.OutputErrno != 0 || exit.OutputCap != DefaultOutputCap {
				t.Errorf("%+v", exit)
			}
			if want := strings.Contains(test.script, "\r\n") || strings.HasPrefix(test.script, "\xef"); exit.Normalized != want {
				t.Errorf("normalized: %t", exit.Normalized)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	before := wallClock()
	task := begin(t, shell("sleep 0.2"))
	exit := wait(t, task)
	after := wallClock()
	if exit.StartedAt.Before(before) || exit.EndedAt.After(after) || exit.EndedAt.Sub(exit.StartedAt) < 200*time.Millisecond {
		t.Errorf("started %s, ended %s, around them %s and %s", exit.StartedAt, exit.EndedAt, before, after)
	}
	if !exit.StartedAt.Equal(task.StartedAt()) {
		t.Errorf("the task says it started at %s, its record at %s", task.StartedAt(), exit.StartedAt)
	}
}

func TestStreams(t *testing.T) {
	t.Parallel()
	task := begin(t, shell("echo out; sleep 0.05; echo err >&2; sleep 0.05; printf more"))
	exit := wait(t, task)
	data, runs, _, _ := readAll(t, task.Dir(), 5)
	if string(data) != "out\nerr\nmore" {
		t.Errorf("merged %q", data)
	}
	if diff := cmp.Diff([]Run{{Stdout, 4}, {Stderr, 4}, {Stdout, 4}}, runs); diff != "" {
		t.Error(diff)
	}
	if exit.Totals != (Totals{8, 4}) {
		t.Errorf("totals %+v", exit.Totals)
	}
}

// TestFollow reads while the command runs.
func TestFollow(t *testing.T) {
	t.Parallel()
	gate := fifo(t)
	task := begin(t, shell("echo first; read line < "+gate+"; echo second $line"))
	eventually(t, "first line", func() bool { return printed(t, task, "first\n") })
	if !task.Running() {
		t.Error("not running")
	}
	write(t, gate, "go\n")
	wait(t, task)
	if !printed(t, task, "first\nsecond go\n") {
		t.Error("second line missing")
	}
	if task.Running() {
		t.Error("still running")
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	t.Run("clean", func(t *testing.T) {
		t.Parallel()
		spec := shell("#!/bin/sh\nenv\n")
		spec.Env = map[string]string{"COLOUR": "bl=ue ", "LANG": "C"}
		_, output := run(t, spec)
		got := make(map[string]string)
		for line := range strings.Lines(output) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			got[name] = value
		}
		for name, want := range map[string]string{
			"HOME": "/root", "USER": "root", "LOGNAME": "root", "TERM": "dumb", "LANG": "C", "COLOUR": "bl=ue ", TaskVariable: spec.ID,
		} {
			if got[name] != want {
				t.Errorf("%s=%q, want %q", name, got[name], want)
			}
		}
		if !strings.Contains(got["PATH"], "/usr/sbin") || got["SHELL"] == "" {
			t.Errorf("PATH=%q SHELL=%q", got["PATH"], got["SHELL"])
		}
		for _, e := range os.Environ() {
			name, value, _ := strings.Cut(e, "=")
			if strings.HasPrefix(name, "GO") && got[name] == value {
				t.Errorf("%s leaked", name)
			}
		}
		for _, e := range supervisorEnviron() {
			if name, _, _ := strings.Cut(e, "="); got[name] != "" {
				t.Errorf("%s leaked", name)
			}
		}
	})
	t.Run("arguments", func(t *testing.T) {
		t.Parallel()
		spec := shell(`printf '%s|' "$@"`)
		spec.Args = []string{"a b", "", "$HOME", "ünï"}
		if _, output := run(t, spec); output != "a b||$HOME|ünï|" {
			t.Errorf("%q", output)
		}
	})
	t.Run("login", func(t *testing.T) {
		t.Parallel()
		home := t.TempDir()
		write(t, filepath.Join(home, ".profile"), "export FROM_PROFILE=yes\n")
		spec := shell(`echo $FROM_PROFILE $1; exit 6`)
		spec.Login, spec.Args, spec.Env = true, []string{"arg"}, map[string]string{"HOME": home}
		if exit, output := run(t, spec); output != "yes arg\n" || exit.Code != 6 {
			t.Errorf("%q, code %d", output, exit.Code)
		}
	})
	t.Run("folder", func(t *testing.T) {
		t.Parallel()
		spec := shell("pwd -P")
		if _, output := run(t, spec); output != "/root\n" {
			t.Errorf("default %q", output)
		}
		spec = shell("pwd -P")
		spec.WorkDir = "/usr/lib/../bin"
		if _, output := run(t, spec); output != "/usr/bin\n" {
			t.Errorf("given %q", output)
		}
	})
}

func TestLauncher(t *testing.T) {
	t.Parallel()
	for launcher, want := range map[string]string{
		`sh -eu {{ACS::ScriptFileName|Ext(".py")}} x "y z"`: "script.py x y z\n",
		`/bin/sh`:                        "script\n",
		`env 'A=b c' sh`:                 "script\n",
		`bin/sh`:                         "script\n", // below the working directory
		`'sh' "{{ACS::ScriptFileName}}"`: "script\n",
	} {
		spec := shell("#!/no/such/interpreter\necho $(basename $0) $@")
		spec.Launcher, spec.WorkDir = launcher, "/usr"
		if _, output := run(t, spec); output != want {
			t.Errorf("%s: %q, want %q", launcher, output, want)
		}
	}
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	plain := filepath.Join(t.TempDir(), "plain")
	write(t, plain, "")
	wrong := filepath.Join(t.TempDir(), "wrong")
	write(t, wrong, "\x7fELF nothing")
	if err := os.Chmod(wrong, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(*Spec)
		want   StartError
	}{
		"user":                 {func(s *Spec) { s.User = "no-such-user" }, StartError{Reason: UserNotFound, Path: "no-such-user"}},
		"user's name":          {func(s *Spec) { s.User = "$(id)" }, StartError{Reason: InvalidUser, Path: "$(id)"}},
		"folder":               {func(s *Spec) { s.WorkDir = "/no/such" }, StartError{Reason: DirectoryNotFound, Path: "/no/such", Errno: unix.ENOENT}},
		"folder is a file":     {func(s *Spec) { s.WorkDir = plain }, StartError{Reason: DirectoryNotFound, Path: plain, Errno: unix.ENOTDIR}},
		"interpreter":          {func(s *Spec) { s.Script = []byte("#!/no/such/sh\n") }, StartError{Reason: InterpreterNotFound, Path: "/no/such/sh", Errno: unix.ENOENT}},
		"interpreter by login": {func(s *Spec) { s.Login, s.Script = true, []byte("#!/no/such/sh\n") }, StartError{Reason: InterpreterNotFound, Path: "/no/such/sh", Errno: unix.ENOENT}},
		"launcher's program":   {func(s *Spec) { s.Launcher = "no-such-program -x" }, StartError{Reason: InterpreterNotFound, Path: "no-such-program", Errno: unix.ENOENT}},
		"not executable":       {func(s *Spec) { s.Launcher = plain }, StartError{Reason: ExecFailed, Path: plain, Errno: unix.EACCES}},
		"not a program":        {func(s *Spec) { s.Launcher = wrong }, StartError{Reason: ExecFailed, Path: wrong, Errno: unix.ENOEXEC}},
		"too long":             {func(s *Spec) { s.Args = []string{strings.Repeat("x", 1<<18)} }, StartError{Reason: ExecFailed, Path: defaultShell(), Errno: unix.E2BIG}},
		"launcher":             {func(s *Spec) { s.Launcher = "a 'b" }, StartError{Reason: InvalidContent, Detail: "launcher: unbalanced quotes or braces"}},
		"powershell":           {func(s *Spec) { s.Kind = KindPowerShell }, StartError{Reason: NotApplicable, Detail: "powershell script"}},
		"bat":                  {func(s *Spec) { s.Kind = KindBat }, StartError{Reason: NotApplicable, Detail: "bat script"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := shell("echo must not run")
			test.change(&spec)
			if diff := cmp.Diff(&test.want, refused(t, spec)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestStartFailedRecord leaves the record where a restarted agent would find it.
func TestStartFailedRecord(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := &StartError{Reason: InterpreterNotFound, Path: "/x", Errno: unix.ENOENT, Detail: strings.Repeat("long ", 1000)}
	s := &supervisor{dir: dir, record: newRecorder(dir, 1), streams: [2]int{-1, -1}, control: -1, timer: -1, children: -1}
	s.refuse(errors.Join(e))
	if s.exit.Code != 127 || s.phase != phaseFinished {
		t.Errorf("%+v", s.exit)
	}
	if err := writeExit(dir, s.exit); err != nil {
		t.Fatal(err)
	}
	exit, err := readExit(dir)
	if err != nil {
		t.Fatal(err)
	}
	if exit.Cause != StartFailed || !errors.Is(exit.Start, unix.ENOENT) || len(exit.Start.Detail) != 512 {
		t.Errorf("%+v", exit)
	}
}

// TestBrokenSupervisor uses programs as supervisors that are none.
func TestBrokenSupervisor(t *testing.T) {
	t.Parallel()
	for _, exe := range []string{"/bin/true", "/no/such/program"} {
		dir := filepath.Join(t.TempDir(), "task")
		_, err := Start(t.Context(), shell("true"), dir, exe)
		if err == nil {
			t.Errorf("%s: started", exe)
		}
		wantReason(t, exe, err, "")
		if _, err := os.Stat(dir); !missing(err) {
			t.Errorf("%s: folder left behind", exe)
		}
	}
	if code := Supervise(t.TempDir()); code != 2 {
		t.Errorf("called by hand: %d", code)
	}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "tasks", "one")
	task, err := Start(t.Context(), shell("exit 2"), dir, self(t))
	if err != nil {
		t.Fatal(err)
	}
	wait(t, task)
	for name, want := range map[string]os.FileMode{
		"..": os.ModeDir | 0o711, ".": os.ModeDir | 0o700, "script.sh": 0o500, planFile: 0o600, exitFile: 0o600, stateFile: 0o600,
		aliveFIFO: os.ModeNamedPipe | 0o600, controlFIFO: os.ModeNamedPipe | 0o600,
	} {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		} else if info.Mode() != want {
			t.Errorf("%s: %s, want %s", name, info.Mode(), want)
		}
	}
	if _, err := Start(t.Context(), shell("true"), dir, self(t)); !errors.Is(err, ErrExists) {
		t.Errorf("second start: %v", err)
	}
	if exit := wait(t, task); exit.Code != 2 {
		t.Errorf("after the second start: %+v", exit)
	}
	if err := Remove(dir); err != nil {
		t.Error(err)
	}
	if err := Remove(dir); err != nil {
		t.Errorf("second time: %v", err)
	}
	empty := t.TempDir()
	if task, err := Start(t.Context(), shell("true"), empty, self(t)); err != nil {
		t.Errorf("empty folder: %v", err)
	} else {
		wait(t, task)
	}
}

// TestUser runs commands as somebody with few rights.
func TestUser(t *testing.T) {
	t.Parallel()
	t.Run("identity", func(t *testing.T) {
		t.Parallel()
		spec := shell("id -u; id -g; id -G; pwd; echo $HOME $USER $LOGNAME; cat $0 >/dev/null && echo readable; echo x > /dev/stderr")
		spec.User = "nobody"
		exit, output := run(t, spec)
		if want := "65534\n65534\n65534\n/\n/nonexistent nobody nobody\nreadable\nx\n"; output != want || exit.Code != 0 {
			t.Errorf("%q, code %d, want %q", output, exit.Code, want)
		}
	})
	t.Run("own folder is out of reach", func(t *testing.T) {
		t.Parallel()
		spec := shell(`cd "$(dirname "$0")"; for f in spec.json exit.tmp state.json alive ctl; do cat $f; done 2>/dev/null; ls 2>/dev/null; rm -f "$0" 2>/dev/null; echo x 2>/dev/null > new; test -e "$0" && echo safe`)
		spec.User = "daemon"
		open := t.TempDir()
		if err := os.Chmod(filepath.Dir(open), 0o711); err != nil {
			t.Fatal(err)
		}
		task, err := Start(t.Context(), spec, filepath.Join(open, "tasks", "one"), self(t))
		if err != nil {
			t.Fatal(err)
		}
		wait(t, task)
		if data, _, _, _ := readAll(t, task.Dir(), 1000); string(data) != "safe\n" {
			t.Errorf("%q", data)
		}
	})
	t.Run("barred way", func(t *testing.T) {
		t.Parallel()
		private := filepath.Join(t.TempDir(), "private")
		if err := os.Mkdir(private, 0o700); err != nil {
			t.Fatal(err)
		}
		spec := shell("id -un; exit 3")
		spec.User = "nobody"
		task, err := Start(t.Context(), spec, filepath.Join(private, "task"), self(t))
		if err != nil {
			t.Fatal(err)
		}
		exit := wait(t, task)
		if data, _, _, _ := readAll(t, task.Dir(), 100); string(data) != "nobody\n" || exit.Code != 3 {
			t.Errorf("%q, code %d", data, exit.Code)
		}
	})
	t.Run("root", func(t *testing.T) {
		t.Parallel()
		spec := shell("id -un")
		spec.User = "root"
		if _, output := run(t, spec); output != "root\n" {
			t.Errorf("%q", output)
		}
	})
	t.Run("folder denied", func(t *testing.T) {
		t.Parallel()
		private := filepath.Join(t.TempDir(), "private")
		if err := os.Mkdir(private, 0o700); err != nil {
			t.Fatal(err)
		}
		spec := shell("true")
		spec.User, spec.WorkDir = "nobody", private
		want := &StartError{Reason: DirectoryPermissionDenied, Path: private, Errno: unix.EACCES}
		if diff := cmp.Diff(want, refused(t, spec)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("interpreter denied", func(t *testing.T) {
		t.Parallel()
		program := filepath.Join(t.TempDir(), "program")
		write(t, program, "#!/bin/sh\n")
		if err := os.Chmod(program, 0o700); err != nil {
			t.Fatal(err)
		}
		spec := shell("true")
		spec.User, spec.Launcher = "nobody", program
		want := &StartError{Reason: ExecFailed, Path: program, Errno: unix.EACCES}
		if diff := cmp.Diff(want, refused(t, spec)); diff != "" {
			t.Error(diff)
		}
	})
}

// TestNoExecMount runs a script from a file system that allows no execution.
func TestNoExecMount(t *testing.T) {
	t.Parallel()
	dir := mount(t, "size=1m", unix.MS_NOEXEC)
	task, err := Start(t.Context(), shell("#!/bin/sh\necho ran"), filepath.Join(dir, "task"), self(t))
	if err != nil {
		t.Fatal(err)
	}
	wait(t, task)
	if !printed(t, task, "ran\n") {
		t.Error("did not run")
	}
}

// TestReadOnlyFileSystem cannot even begin.
func TestReadOnlyFileSystem(t *testing.T) {
	t.Parallel()
	dir := mount(t, "size=1m", unix.MS_RDONLY)
	_, err := Start(t.Context(), shell("true"), filepath.Join(dir, "task"), self(t))
	wantReason(t, "read-only", err, ReadOnlyFS)
}

// TestNoSpaceNamesBytesAndInodes fills the disk before and while a command runs.
func TestNoSpaceNamesBytesAndInodes(t *testing.T) {
	t.Parallel()
	dir := mount(t, "size=1m", 0)
	filler := filepath.Join(dir, "filler")
	fill := func() {
		f, err := os.Create(filler)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for err == nil {
			_, err = f.Write(make([]byte, 4096))
		}
		if !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
	}
	fill()
	_, err := Start(t.Context(), shell("true"), filepath.Join(dir, "never"), self(t))
	wantReason(t, "full", err, NoSpace)
	var e *StartError
	if !errors.As(err, &e) || !strings.Contains(e.Detail, "0 bytes") {
		t.Errorf("detail of %v", err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	eventually(t, "space", func() bool { // a child being forked may hold the file a moment longer
		var fs unix.Statfs_t
		return unix.Statfs(dir, &fs) == nil && fs.Bavail == fs.Blocks
	})

	gate, drained, probe := fifo(t), fifo(t), filepath.Join(dir, "probe")
	task, err := Start(t.Context(), shell("read x < "+gate+"; head -c 3000000 /dev/zero; read x < "+drained+"; rm "+filler+"; while ! head -c 100000 /dev/zero > "+probe+"; do :; done 2>/dev/null; rm "+probe+"; echo end; exit 9"),
		filepath.Join(dir, "task"), self(t))
	if err != nil {
		t.Fatal(err)
	}
	fill()
	write(t, gate, "go\n")
	// What is in the pipe still must not get the space that becomes free.
	on, err := os.OpenFile(drained, os.O_WRONLY, 0) // waits for the script to get there
	if err != nil {
		t.Fatal(err)
	}
	defer on.Close()
	eventually(t, "supervisor with nothing to read", func() bool { return asleep(t, task.Supervisor()) })
	if _, err := on.WriteString("go on\n"); err != nil {
		t.Fatal(err)
	}
	exit := wait(t, task)
	if exit.Code != 9 || exit.Stdout != 3_000_004 || exit.OutputErrno != int(unix.ENOSPC) {
		t.Errorf("%+v", exit)
	}
	data, _, skipped, end := readAll(t, task.Dir(), 1<<20)
	if int64(len(data))+skipped != 3_000_004 || skipped == 0 || !end || !strings.HasSuffix(string(data), "end\n") {
		t.Errorf("read %d bytes, skipped %d, end %t", len(data), skipped, end)
	}
}

// asleep reports whether every thread of a process waits for something.
func asleep(t *testing.T, pid int) bool {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("threads of %d: %v", pid, err)
	}
	for _, file := range threads {
		stat, err := os.ReadFile(file)
		if err != nil {
			return false
		}
		if _, rest, _ := strings.Cut(string(stat), ") "); !strings.HasPrefix(rest, "S") {
			return false
		}
	}
	return true
}

// fifo makes a FIFO with which a script can be held up.
func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gate")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// mount mounts a file system in memory and returns its folder.
func mount(t *testing.T, options string, flags uintptr) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// alive reports whether a process exists and is no zombie.
func alive(pid int) bool {
	p, err := readProcess(pid)
	return err == nil && !p.zombie
}

// pidIn returns the number in the first line a task has printed, once there is one.
func pidIn(t *testing.T, task *Task) int {
	t.Helper()
	var pid int
	eventually(t, "process id", func() bool {
		data, _, _, _ := readAll(t, task.Dir(), 100)
		line, _, ok := strings.Cut(string(data), "\n")
		if !ok {
			return false
		}
		n, err := strconv.Atoi(line)
		pid = n
		return err == nil
	})
	return pid
}

// TestDefaultShell runs scripts that name no interpreter.
func TestDefaultShell(t *testing.T) {
	t.Parallel()
	want := "/bin/sh"
	for _, bash := range []string{"/usr/bin/bash", "/bin/bash"} {
		if _, err := os.Stat(bash); err == nil {
			want = bash
		}
	}
	want, err := filepath.EvalSymlinks(want)
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{"readlink /proc/$$/exe", "#!\nreadlink /proc/$$/exe"} {
		if _, output := run(t, shell(script)); strings.TrimSpace(output) != want {
			t.Errorf("%q is run by %q, want %s", script, output, want)
		}
	}
}
