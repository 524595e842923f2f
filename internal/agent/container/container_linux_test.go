package container

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	webID    = strings.Repeat("a1", 32)
	otherID  = strings.Repeat("b2", 32)
	endedID  = strings.Repeat("c3", 32)
	pausedID = strings.Repeat("d4", 32)
)

// eachRuntime tells one story on every runtime.
func eachRuntime(t *testing.T, story func(t *testing.T, f *far, s Sockets)) {
	t.Helper()
	t.Parallel()
	none := filepath.Join(t.TempDir(), "none")
	for name, start := range map[string]func(t *testing.T) (*far, Sockets){
		"docker": func(t *testing.T) (*far, Sockets) {
			f := newDocker(t)
			return f, Sockets{Docker: f.socket, Containerd: none, CRIO: none}
		},
		"containerd": func(t *testing.T) (*far, Sockets) {
			f := newCRI(t, "v1")
			return f, Sockets{Docker: none, Containerd: f.socket, CRIO: none}
		},
		"cri-o of years ago": func(t *testing.T) (*far, Sockets) {
			f := newCRI(t, "v1alpha2")
			return f, Sockets{Docker: none, Containerd: none, CRIO: f.socket}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, s := start(t)
			story(t, f, s)
		})
	}
}

func TestScriptRuns(t *testing.T) {
	eachRuntime(t, func(t *testing.T, _ *far, s Sockets) {
		target := find(t, s, Ref{Name: "web"})
		if target.ID != webID || target.Name != "web" {
			t.Errorf("found %s %s", target.ID, target.Name)
		}
		for name, c := range map[string]struct {
			script, stdout, stderr string
			code                   int
		}{
			"both streams":        {"echo out; echo err >&2; exit 3", "out\n", "err\n", 3},
			"success":             {"echo $CONTAINER", "yes\n", "", 0},
			"empty":               {"", "", "", 0},
			"nothing to read":     {"cat; read x || echo end", "end\n", "", 0},
			"several lines":       {"#!/usr/bin/python3\n# comment\nif true\nthen\n  printf '%s\\n' '码们 \\t \"$x\"'\nfi", "码们 \\t \"$x\"\n", "", 0},
			"here document":       {"cat <<E\n$((6*7))\nE", "42\n", "", 0},
			"arguments":           {"echo $# ${s-unset} ${l-unset}", "0 unset unset\n", "", 0},
			"big output":          {"head -c 3000000 /dev/zero | tr '\\0' x", strings.Repeat("x", 3_000_000), "", 0},
			"big script":          {strings.Repeat("# comment\n", 2_000) + "echo done", "done\n", "", 0},
			"ended by a signal":   {"kill -9 $$", "", "", 137},
			"set -e":              {"set -e\nfalse\necho not reached", "", "", 1},
			"last line with CRLF": {"echo a\r", "a\r\n", "", 0},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				stdout, stderr, code, err := run(t, target, Exec{Script: []byte(c.script)})
				if err != nil || code != c.code {
					t.Errorf("exit %d, %v, want %d", code, err, c.code)
				}
				if stdout != c.stdout || stderr != c.stderr {
					t.Errorf("stdout %.100q, stderr %.100q, want %.100q, %.100q", stdout, stderr, c.stdout, c.stderr)
				}
			})
		}
	})
}

func TestOutputStreams(t *testing.T) {
	eachRuntime(t, func(t *testing.T, _ *far, s Sockets) {
		gate := filepath.Join(t.TempDir(), "gate")
		if err := syscall.Mkfifo(gate, 0o600); err != nil {
			t.Fatal(err)
		}
		out := &output{}
		p := start(t, find(t, s, Ref{ID: webID}), Exec{Script: []byte("echo first; read x <" + gate + "; echo last"), Stdout: out})
		eventually(t, "first line", func() bool { return out.String() == "first\n" })
		if err := os.WriteFile(gate, []byte("\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, err := p.Wait(); code != 0 || err != nil || out.String() != "first\nlast\n" {
			t.Errorf("exit %d, %v, output %q", code, err, out)
		}
	})
}

func TestUserAndFolderOfDocker(t *testing.T) {
	t.Parallel()
	f := newDocker(t)
	target := find(t, Sockets{Docker: f.socket}, Ref{ID: "docker://" + webID})
	stdout, _, code, err := run(t, target, Exec{Script: []byte("id -un; pwd"), User: "nobody", WorkDir: "/usr"})
	if stdout != "nobody\n/usr\n" || code != 0 || err != nil {
		t.Errorf("%q, %d, %v", stdout, code, err)
	}
}

func TestKillReachesEverything(t *testing.T) {
	eachRuntime(t, func(t *testing.T, _ *far, s Sockets) {
		for name, c := range map[string]struct {
			script string
			grace  time.Duration
			code   int
		}{
			"at once":            {"echo $$; sleep 300", 10 * time.Second, 143},
			"deaf":               {"trap '' TERM; echo $$; sleep 300; sleep 300", 300 * time.Millisecond, 137},
			"without grace":      {"trap '' TERM; echo $$; sleep 300; sleep 300", 0, 137},
			"says goodbye":       {"trap 'echo bye; exit 4' TERM; echo $$; sleep 300 & wait", 10 * time.Second, 4},
			"daemons":            {"setsid sh -c 'sleep 300 & sleep 300' & (setsid sleep 300 >/dev/null 2>&1 &); echo $$; sleep 300", 10 * time.Second, 143},
			"forgotten children": {"env -i setsid sleep 300 & echo $!; wait", 10 * time.Second, 143},
			"deaf and forgotten": {"env -i setsid sh -c 'trap \"\" TERM; echo $$; sleep 300; sleep 300' & wait", 300 * time.Millisecond, 143},
		} {
			for _, place := range []string{"outside", "inside"} {
				if place == "inside" && strings.Contains(name, "forgotten") {
					continue // they bear no mark, and no descent is known inside
				}
				t.Run(name+" from "+place, func(t *testing.T) {
					t.Parallel()
					target := find(t, s, Ref{Name: "web"})
					if place == "inside" {
						target.proc = t.TempDir() // an agent that is in a container itself sees none of the others'
					}
					out := &output{}
					p := start(t, target, Exec{Script: []byte(c.script), Stdout: out})
					eventually(t, "start", func() bool { return strings.Contains(out.String(), "\n") })
					began := time.Now()
					if err := p.Kill(t.Context(), c.grace); err != nil {
						t.Fatal(err)
					}
					if took := time.Since(began); took > 8*time.Second {
						t.Errorf("took %s", took)
					}
					if code, err := p.Wait(); code != c.code || err != nil {
						t.Errorf("exit %d, %v, want %d", code, err, c.code)
					}
					if list, err := marked("/proc", p.mark, nil); len(list) != 0 || err != nil {
						t.Errorf("left %v, %v", list, err)
					}
					first, _, _ := strings.Cut(out.String(), "\n")
					pid, err := strconv.Atoi(first)
					if err != nil {
						t.Fatal(err)
					}
					if _, _, alive := readStat("/proc", pid); alive {
						t.Errorf("process %d is alive", pid)
					}
				})
			}
		}
	})
}

// TestKillAtBirth ends a script that may not have begun.
func TestKillAtBirth(t *testing.T) {
	eachRuntime(t, func(t *testing.T, _ *far, s Sockets) {
		target := find(t, s, Ref{Name: "web"})
		for range 2 {
			p := start(t, target, Exec{Script: []byte("sleep 300")})
			if err := p.Kill(t.Context(), 5*time.Second); err != nil {
				t.Fatal(err)
			}
			if code, err := p.Wait(); code != 143 || err != nil {
				t.Errorf("exit %d, %v", code, err)
			}
		}
	})
}

func TestKillAfterTheEnd(t *testing.T) {
	eachRuntime(t, func(t *testing.T, _ *far, s Sockets) {
		p := start(t, find(t, s, Ref{Name: "web"}), Exec{Script: []byte("sleep 300 >/dev/null 2>&1 & exit 6")})
		if code, err := p.Wait(); code != 6 || err != nil {
			t.Errorf("exit %d, %v", code, err)
		}
		if list, _ := marked("/proc", p.mark, nil); len(list) != 1 {
			t.Errorf("%d processes in the background", len(list))
		}
		if err := p.Kill(t.Context(), time.Second); err != nil {
			t.Error(err)
		}
		if list, _ := marked("/proc", p.mark, nil); len(list) != 0 {
			t.Errorf("left %v", list)
		}
	})
}

// TestOutputHeldOpen is about a child that keeps the script's output.
func TestOutputHeldOpen(t *testing.T) {
	t.Parallel()
	f := newDocker(t)
	out := &output{}
	p := start(t, find(t, Sockets{Docker: f.socket}, Ref{Name: "web"}), Exec{Script: []byte("sleep 300 & echo ready; exit 3"), Stdout: out})
	if code, err := p.Wait(); code != 3 || err != nil || out.String() != "ready\n" {
		t.Errorf("exit %d, %v, output %q", code, err, out)
	}
	if err := p.Kill(t.Context(), time.Second); err != nil {
		t.Error(err)
	}
}

func TestWriterThatFails(t *testing.T) {
	eachRuntime(t, func(t *testing.T, _ *far, s Sockets) {
		broken := errors.New("disk on fire")
		p := start(t, find(t, s, Ref{Name: "web"}), Exec{
			Script: []byte("head -c 1000000 /dev/zero; exit 2"),
			Stdout: writer(func([]byte) (int, error) { return 0, broken }),
		})
		if code, err := p.Wait(); code != 2 || !errors.Is(err, broken) {
			t.Errorf("exit %d, %v", code, err)
		}
	})
}

func TestFindRefuses(t *testing.T) {
	eachRuntime(t, func(t *testing.T, f *far, s Sockets) {
		f.containers = append(
			f.containers,
			farContainer{id: strings.Repeat("e5", 32), name: "twin", state: "running"},
			farContainer{id: strings.Repeat("f6", 32), name: "twin", state: "running"},
			farContainer{id: strings.Repeat("07", 32), name: "again", state: "exited"},
			farContainer{id: strings.Repeat("18", 32), name: "again", state: "running"},
		)
		for name, c := range map[string]struct {
			ref  Ref
			want Fault
		}{
			"nothing":           {Ref{}, InvalidContainerId},
			"short id":          {Ref{ID: webID[:12]}, InvalidContainerId},
			"bad name":          {Ref{Name: "a/b"}, InvalidContainerName},
			"bad name with id":  {Ref{ID: webID, Name: "-x"}, InvalidContainerName},
			"unknown runtime":   {Ref{ID: "rkt://" + webID}, UnsupportedRuntime},
			"unknown id":        {Ref{ID: strings.Repeat("0", 64)}, NotFound},
			"unknown name":      {Ref{Name: "nobody"}, NotFound},
			"part of a name":    {Ref{Name: "we"}, NotFound},
			"name of another":   {Ref{ID: webID, Name: "other"}, NameAndIdNotMatch},
			"ended":             {Ref{ID: endedID}, StateAbnormal},
			"ended by name":     {Ref{Name: "ended"}, StateAbnormal},
			"paused":            {Ref{ID: pausedID, Name: "paused"}, StateAbnormal},
			"two of the name":   {Ref{Name: "twin"}, NameDuplicated},
			"one of them by id": {Ref{ID: strings.Repeat("E5", 32), Name: "twin"}, noFault},
			"restarted":         {Ref{Name: "again"}, noFault},
			"both":              {Ref{ID: webID, Name: "web"}, noFault},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				_, err := Find(t.Context(), s, c.ref)
				wantFault(t, err, c.want)
			})
		}
	})
}

func TestStateChangesAfterFind(t *testing.T) {
	t.Parallel()
	f := newDocker(t)
	target := find(t, Sockets{Docker: f.socket}, Ref{Name: "web"})
	f.mu.Lock()
	f.containers[0].state = "paused"
	f.mu.Unlock()
	_, err := target.Start(t.Context(), Exec{})
	wantFault(t, err, StateAbnormal)
	f.mu.Lock()
	f.containers = nil
	f.mu.Unlock()
	_, err = target.Start(t.Context(), Exec{})
	wantFault(t, err, NotFound)
}

func TestKubernetesOnDocker(t *testing.T) {
	t.Parallel()
	f := newDocker(t)
	f.containers = []farContainer{
		{id: webID, name: "k8s_app_pod-1_default_0", state: "running", kubeName: "app", kubeType: "container"},
		{id: otherID, name: "k8s_POD_pod-1_default_0", state: "running", kubeName: "POD", kubeType: "podsandbox"},
	}
	for name, want := range map[string]Fault{"app": noFault, "k8s_app_pod-1_default_0": noFault, "POD": NotFound} {
		_, err := Find(t.Context(), Sockets{Docker: f.socket}, Ref{Name: name})
		wantFault(t, err, want)
	}
}

func TestFindAsksEveryRuntime(t *testing.T) {
	t.Parallel()
	engine, kube, bare := newDocker(t), newCRI(t, "v1"), newCRI(t, "not CRI at all")
	kube.containers = []farContainer{{id: strings.Repeat("9", 64), name: "pod", state: "running"}, {id: strings.Repeat("8", 64), name: "web", state: "running"}}
	s := Sockets{Docker: engine.socket, Containerd: bare.socket, CRIO: kube.socket}
	for ref, want := range map[Ref]string{
		{Name: "other"}:                               Docker,
		{Name: "pod"}:                                 CRIO,
		{ID: strings.Repeat("9", 64)}:                 CRIO,
		{ID: "docker://" + webID}:                     Docker,
		{ID: "cri-o://" + strings.Repeat("8", 64)}:    CRIO,
		{ID: strings.Repeat("8", 64), Name: "web"}:    CRIO,
		{ID: "docker://" + otherID, Name: "other"}:    Docker,
		{ID: strings.ToUpper(otherID), Name: "other"}: Docker,
	} {
		if target := find(t, s, ref); target.Runtime != want {
			t.Errorf("%v is at %s, want %s", ref, target.Runtime, want)
		}
	}
	for ref, want := range map[Ref]Fault{
		{Name: "web"}:                 NameDuplicated,
		{Name: "nobody"}:              NotFound,
		{ID: "containerd://" + webID}: UnsupportedRuntime,
		{ID: "cri-o://" + webID}:      NotFound,
	} {
		_, err := Find(t.Context(), s, ref)
		wantFault(t, err, want)
	}
	kube.meet("", trouble{status: http.StatusInternalServerError, text: "sick"})
	find(t, s, Ref{Name: "web"})
	_, err := Find(t.Context(), s, Ref{Name: "pod"})
	wantFault(t, err, RuntimeInternal)
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale")
	l, err := net.Listen("unix", stale)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	s := Sockets{Docker: filepath.Join(dir, "d"), Containerd: filepath.Join(dir, "c"), CRIO: stale}
	for _, ref := range []Ref{{Name: "web"}, {ID: webID}, {ID: "docker://" + webID}, {ID: "containerd://" + webID}, {ID: "cri-o://" + webID}} {
		_, err := Find(t.Context(), s, ref)
		wantFault(t, err, ConnectFailed)
		if !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("cause %v", err)
		}
	}
}

func TestRuntimeIsSick(t *testing.T) {
	eachRuntime(t, func(t *testing.T, f *far, s Sockets) {
		target := find(t, s, Ref{Name: "web"})
		f.meet("/", trouble{status: http.StatusInternalServerError, text: "{\"message\":\"disk on fire\"}"})
		_, err := Find(t.Context(), s, Ref{Name: "web"})
		wantFault(t, err, RuntimeInternal)
		_, err = target.Start(t.Context(), Exec{})
		wantFault(t, err, RuntimeInternal)

		f.meet("/", trouble{hang: true})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err = Find(ctx, s, Ref{Name: "web"})
		wantFault(t, err, RuntimeTimeout)
		_, err = target.Start(ctx, Exec{})
		wantFault(t, err, RuntimeTimeout)
	})
}

// TestConnectionHangs is about the second request of a start, which becomes the connection.
func TestConnectionHangs(t *testing.T) {
	eachRuntime(t, func(t *testing.T, f *far, s Sockets) {
		target := find(t, s, Ref{Name: "web"})
		f.meet("exec/", trouble{hang: true})
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := target.Start(ctx, Exec{})
		wantFault(t, err, RuntimeTimeout)
		f.meet("exec/", trouble{status: http.StatusForbidden, text: "no"})
		_, err = target.Start(t.Context(), Exec{})
		wantFault(t, err, RuntimeInternal)
	})
}

func TestProgramCannotBeStarted(t *testing.T) {
	t.Parallel()
	engine, kube := newDocker(t), newCRI(t, "v1")
	s := Sockets{Docker: engine.socket, CRIO: kube.socket}
	stdout, _, code, err := run(t, find(t, s, Ref{ID: "docker://" + webID}), Exec{Script: []byte("pwd"), WorkDir: "/no/such/folder"})
	if code != 127 || err != nil || !strings.Contains(stdout, "OCI runtime exec failed") {
		t.Errorf("%q, %d, %v", stdout, code, err)
	}
	st, err := find(t, s, Ref{ID: "cri-o://" + webID}).open(t.Context(), command{argv: []string{"/no/such/shell"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := drain(st, nil, nil); err == nil {
		t.Error("no end")
	}
	_, err = st.exit()
	wantFault(t, err, RuntimeInternal)
	st.Close()
}

// TestRuntimeDies cuts the connection of a script that runs.
func TestRuntimeDies(t *testing.T) {
	eachRuntime(t, func(t *testing.T, _ *far, s Sockets) {
		p := start(t, find(t, s, Ref{Name: "web"}), Exec{Script: []byte("sleep 300")})
		var conn interface{ Close() error }
		switch st := p.stream.(type) {
		case *dockerStream:
			conn = st.ReadWriteCloser
		case *criStream:
			conn = st.ReadWriteCloser
		}
		eventually(t, "start", func() bool { list, _ := marked("/proc", p.mark, nil); return len(list) > 0 })
		conn.Close()
		code, err := p.Wait()
		wantFault(t, err, RuntimeInternal)
		if code != -1 {
			t.Errorf("exit %d", code)
		}
		if err := p.Kill(t.Context(), time.Second); err != nil {
			t.Error(err)
		}
		if list, _ := marked("/proc", p.mark, nil); len(list) != 0 {
			t.Errorf("left %v", list)
		}
	})
}

// TestKillWithoutHelp is about a runtime that hangs while its processes cannot be seen from here.
func TestKillWithoutHelp(t *testing.T) {
	eachRuntime(t, func(t *testing.T, f *far, s Sockets) {
		target := find(t, s, Ref{Name: "web"})
		target.proc = t.TempDir()
		out := &output{}
		p := start(t, target, Exec{Script: []byte("echo $$; sleep 300"), Stdout: out})
		eventually(t, "start", func() bool { return strings.Contains(out.String(), "\n") })
		f.meet("/", trouble{hang: true})
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		wantFault(t, p.Kill(ctx, time.Minute), RuntimeTimeout)
		pid, err := strconv.Atoi(strings.TrimSpace(out.String()))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	})
}

// TestScriptIsWholeOrNothing cuts the connection before the mark has come.
func TestScriptIsWholeOrNothing(t *testing.T) {
	eachRuntime(t, func(t *testing.T, f *far, s Sockets) {
		witness := filepath.Join(t.TempDir(), "witness")
		argv, _, err := wrap(nil, "MARK")
		if err != nil {
			t.Fatal(err)
		}
		st, err := find(t, s, Ref{Name: "web"}).open(t.Context(), command{argv: argv})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(st, "touch %s\n", witness); err != nil {
			t.Fatal(err)
		}
		st.Close()
		eventually(t, "end", func() bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			for _, e := range f.execs {
				e.mu.Lock()
				ended := e.code != nil
				e.mu.Unlock()
				return ended
			}
			return false
		})
		if _, err := os.Stat(witness); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("half a script was run: %v", err)
		}
	})
}

func find(t *testing.T, s Sockets, ref Ref) Target {
	t.Helper()
	target, err := Find(t.Context(), s, ref)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func start(t *testing.T, target Target, e Exec) *Process {
	t.Helper()
	p, err := target.Start(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func run(t *testing.T, target Target, e Exec) (stdout, stderr string, code int, err error) {
	t.Helper()
	var out, errOut bytes.Buffer
	e.Stdout, e.Stderr = &out, &errOut
	code, err = start(t, target, e).Wait()
	return out.String(), errOut.String(), code, err
}

func wantFault(t *testing.T, err error, want Fault) {
	t.Helper()
	if diff := cmp.Diff(want.String(), faultOf(err).String()); diff != "" || (err == nil) != (want == noFault) {
		t.Errorf("%v: %s", err, diff)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for giveUp := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(giveUp) {
			t.Fatalf("no %s", what)
		}
	}
}

// output collects what comes from another goroutine.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
