package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"errand/internal/agent/identity"
	"errand/internal/agent/reach"
	"errand/internal/agent/reach/reachtest"
)

// patient is a machine that is well until a test does something to it.
type patient struct {
	t *testing.T
	Config
	ca     *reachtest.Authority
	server string // its address
	bus    string
	https  string // a name in place of https://127.0.0.1
}

func newPatient(t *testing.T) *patient {
	p := &patient{t: t, ca: reachtest.NewAuthority(t)}
	p.Dir, p.Shell, p.Zone = t.TempDir(), "/bin/sh", "Etc/UTC"
	p.Knock = func(context.Context, identity.Identity) error { return nil }
	bin := t.TempDir()
	p.Program = filepath.Join(bin, "errand-agent")
	p.write(filepath.Join(bin, "errand-supervise"), "", 0o755)
	p.Root = t.TempDir()
	p.file("/proc/sys/kernel/pid_max", "32768\n")
	p.file("/proc/sys/fs/inotify/max_user_instances", "128\n")
	p.file("/proc/self/cgroup", "0::/errand.slice/errand-agent.service/errand-agent\n")
	p.file("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n")
	p.file("/sys/fs/cgroup/errand.slice/errand-agent.service/cgroup.controllers", "cpu memory pids\n")
	p.file("/sys/fs/cgroup/errand.slice/errand-agent.service/cgroup.subtree_control", "")
	p.serve(p.ca.Server("127.0.0.1", time.Now().Add(30*24*time.Hour)), http.StatusOK)
	p.bus = listen(t)
	return p
}

func (p *patient) write(path, content string, mode os.FileMode) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		p.t.Fatal(err)
	}
}

func (p *patient) file(path, content string) { p.write(p.Root+path, content, 0o600) }

func listen(t *testing.T) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	return l.Addr().String()
}

// serve starts the server that the machine belongs to.
func (p *patient) serve(conf *tls.Config, status int) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			status = http.StatusTeapot
		}
		w.WriteHeader(status)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = conf
	s.StartTLS()
	p.t.Cleanup(s.Close)
	p.server = s.Listener.Addr().String()
}

// enrol gives the machine an identity.
func (p *patient) enrol() {
	p.t.Helper()
	id, err := identity.New()
	if err != nil {
		p.t.Fatal(err)
	}
	id.NodeID, id.NodeKey, id.BusURLs, id.ServerURL = "web-1", 7, []string{"tls://" + p.bus}, "https://"+p.server
	if p.https != "" {
		id.ServerURL = p.https
	}
	if err := id.Save(p.Dir); err != nil {
		p.t.Fatal(err)
	}
}

// way makes the machine reach things in a way.
func (p *patient) way(c reach.Config) {
	p.t.Helper()
	if c.CAFile == "" {
		c.CAFile = filepath.Join(p.Root, "ca.pem")
		p.write(c.CAFile, string(p.ca.PEM), 0o600)
	}
	var err error
	if p.Reach, err = reach.New(c); err != nil {
		p.t.Fatal(err)
	}
}

// find returns the finding of one check; what was not found is empty.
func find(found []Finding, check string) Finding {
	for _, f := range found {
		if f.Check == check {
			return f
		}
	}
	return Finding{}
}

func TestHealthy(t *testing.T) {
	t.Parallel()
	p := newPatient(t)
	p.enrol()
	p.way(reach.Config{})
	found := Examine(t.Context(), p.Config)
	for _, f := range found {
		if f.Grade != OK && f.Check != "disk space" && f.Check != "inodes" { // this machine's own disk may be small
			t.Errorf("%+v", f)
		}
	}
	for _, check := range []string{
		"identity", "identity modes", "data folder", "disk space", "cgroup", "process limit", "inotify", "supervisor", "shell", "time zones",
		"server proxy", "server TCP", "server TLS", "server answers", "clock", "bus proxy", "bus TCP", "bus",
	} {
		if find(found, check).Check == "" {
			t.Errorf("%s was not checked", check)
		}
	}
}

func TestBroken(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		breakIt func(p *patient)
		check   string
		grade   Grade
		says    string // also of what to do
	}{
		"not enrolled": {func(p *patient) { os.RemoveAll(filepath.Join(p.Dir, "identity")) }, "identity", Fail, "--activation-code"},
		"damaged identity": {func(p *patient) {
			p.write(filepath.Join(p.Dir, "identity", "identity.json"), "{", 0o600)
		}, "identity", Fail, "unexpected end"},
		"older identity": {func(p *patient) {
			p.enrol()
			p.write(filepath.Join(p.Dir, "identity", "identity.json"), "{", 0o600)
		}, "identity", Warn, "the copy of the one before"},
		"readable key": {func(p *patient) {
			_ = os.Chmod(filepath.Join(p.Dir, "identity", "identity.json"), 0o644)
		}, "identity modes", Fail, "chmod go="},
		"no folder":       {func(p *patient) { p.Dir = filepath.Join(p.Dir, "no") }, "data folder", Fail, "is not there"},
		"port closed":     {func(p *patient) { p.https = "https://127.0.0.1:1"; p.enrol() }, "server TCP", Fail, "connection refused"},
		"unknown name":    {func(p *patient) { p.https = "https://errand.invalid"; p.enrol() }, "server DNS", Fail, "/etc/resolv.conf"},
		"expired":         {func(p *patient) { p.serve(p.ca.Server("127.0.0.1", time.Now().Add(-time.Hour)), 200); p.enrol() }, "server TLS", Fail, "renew"},
		"expires soon":    {func(p *patient) { p.serve(p.ca.Server("127.0.0.1", soon), 200); p.enrol() }, "server TLS", Warn, "which is in 1h"},
		"another name":    {func(p *patient) { p.serve(p.ca.Server("other.test", soon), 200); p.enrol() }, "server TLS", Fail, "use the name in the certificate"},
		"another CA":      {func(p *patient) { p.ca = reachtest.NewAuthority(p.t) }, "server TLS", Fail, "--ca-file"},
		"no TLS":          {func(p *patient) { p.server = p.bus; p.enrol() }, "server TLS", Fail, "TLS 1.2"},
		"no CA file":      {func(p *patient) { p.way(reach.Config{CAFile: "/nowhere/ca.pem"}) }, "private CA", Fail, "/nowhere/ca.pem"},
		"not ours":        {func(p *patient) { p.serve(p.ca.Server("127.0.0.1", soon), 404); p.enrol() }, "server answers", Fail, "404 Not Found"},
		"clock slow":      {func(p *patient) { p.Now = func() time.Time { return time.Now().Add(-time.Minute) } }, "clock", Warn, "times are corrected"},
		"clock wrong":     {func(p *patient) { p.Now = func() time.Time { return time.Now().Add(-time.Hour) } }, "clock", Warn, "enrolment is refused"},
		"bus closed":      {func(p *patient) { p.bus = "127.0.0.1:1"; p.enrol() }, "bus TCP", Fail, "connection refused"},
		"key refused":     {func(p *patient) { p.Knock = func(context.Context, identity.Identity) error { return errors.New("no") } }, "bus", Fail, "enrol again"},
		"agent cut off":   {func(p *patient) { p.Running = &Running{PID: os.Getpid()} }, "bus", Fail, "the running agent is not connected"},
		"agent connected": {func(p *patient) { p.Running = &Running{PID: os.Getpid(), Connected: true, Bus: "b"} }, "bus", OK, "connected to b"},
		"cgroup v1": {func(p *patient) {
			os.RemoveAll(p.Root + "/sys/fs/cgroup")
			for _, c := range limiting() {
				p.file("/sys/fs/cgroup/"+c+"/tasks", "")
			}
		}, "cgroup", OK, "version 1"},
		"cgroup v1 in part": {func(p *patient) {
			os.RemoveAll(p.Root + "/sys/fs/cgroup")
			p.file("/sys/fs/cgroup/memory/tasks", "")
		}, "cgroup", Warn, "version 1 can be made for cpu, pids"},
		"no cgroup": {func(p *patient) { os.RemoveAll(p.Root + "/sys/fs/cgroup") }, "cgroup", Warn, "mount /sys/fs/cgroup"},
		"undelegated": {func(p *patient) {
			p.file("/sys/fs/cgroup/errand.slice/errand-agent.service/cgroup.controllers", "pids")
		}, "cgroup", Warn, "cpu, memory"},
		"few processes": {func(p *patient) { p.file("/proc/sys/kernel/pid_max", "301") }, "process limit", Warn, "301"},
		"few watches":   {func(p *patient) { p.file("/proc/sys/fs/inotify/max_user_instances", "8") }, "inotify", Warn, "sysctl"},
		"no supervisor": {func(p *patient) { p.Program = "/nowhere/errand-agent" }, "supervisor", Warn, "install errand-supervise"},
		"no shell":      {func(p *patient) { p.Shell = "/nowhere/sh" }, "shell", Fail, "install it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPatient(t)
			p.enrol()
			c.breakIt(p)
			if p.Reach == nil {
				p.way(reach.Config{})
			}
			found := Examine(t.Context(), p.Config)
			f := find(found, c.check)
			if f.Grade != c.grade || !strings.Contains(f.Says+f.Do, c.says) || c.grade == Fail && Worst(found) != Fail {
				t.Errorf("%+v\n%+v", f, found)
			}
		})
	}
}

// The proxy is what is wrong, or the way through it is right.
func TestProxyExamined(t *testing.T) {
	t.Parallel()
	proxy := reachtest.HTTP(t, nil)
	p := newPatient(t)
	proxy.Name("door.test", p.server)
	p.serve(p.ca.Server("door.test", time.Now().Add(30*24*time.Hour)), http.StatusOK)
	proxy.Name("door.test", p.server)
	proxy.Name("bus.test", p.bus)
	p.bus, p.https = "bus.test:8471", "https://door.test"
	p.enrol()
	for password, want := range map[string]Grade{reachtest.Password: OK, "wrong": Fail} {
		via := url.URL{Scheme: "http", User: url.UserPassword(reachtest.User, password), Host: proxy.Addr}
		p.way(reach.Config{Proxy: via.String()})
		found := Examine(t.Context(), p.Config)
		if f := find(found, "server TCP"); f.Grade != want || want == Fail && !strings.Contains(f.Do, "ERRAND_PROXY") {
			t.Errorf("%+v", f)
		}
		if f := find(found, "bus"); want == OK && f.Grade != OK {
			t.Errorf("%+v", found)
		}
		if f := find(found, "server proxy"); !strings.Contains(f.Says, "set by --proxy") || strings.Contains(f.Says, password) {
			t.Errorf("%+v", f)
		}
	}
}

// mounted mounts a small file system on the data folder.
func mounted(t *testing.T, p *patient, flags uintptr, options string) {
	t.Helper()
	if err := unix.Mount("tmpfs", p.Dir, "tmpfs", flags, options); err != nil {
		t.Fatalf("mount (the tests need root): %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(p.Dir, unix.MNT_DETACH) })
}

func TestDisks(t *testing.T) {
	t.Parallel()
	t.Run("full", func(t *testing.T) {
		t.Parallel()
		p := newPatient(t)
		mounted(t, p, 0, "size=64k")
		p.way(reach.Config{})
		_ = os.WriteFile(filepath.Join(p.Dir, "big"), make([]byte, 1<<20), 0o600)
		found := Examine(t.Context(), p.Config)
		if f := find(found, "data folder"); f.Grade != Fail || !strings.Contains(f.Do, "free space") {
			t.Errorf("%+v", f)
		}
		if f := find(found, "disk space"); f.Grade != Fail {
			t.Errorf("%+v", f)
		}
	})
	t.Run("no inodes", func(t *testing.T) {
		t.Parallel()
		p := newPatient(t)
		mounted(t, p, 0, "nr_inodes=20")
		p.way(reach.Config{})
		if f := find(Examine(t.Context(), p.Config), "inodes"); f.Grade != Fail {
			t.Errorf("%+v", f)
		}
	})
	t.Run("noexec", func(t *testing.T) {
		t.Parallel()
		p := newPatient(t)
		mounted(t, p, unix.MS_NOEXEC|unix.MS_NOSUID, "")
		p.way(reach.Config{})
		if f := find(Examine(t.Context(), p.Config), "data folder mount"); f.Grade != Warn || !strings.Contains(f.Says, "noexec") {
			t.Errorf("%+v", f)
		}
	})
	t.Run("read-only", func(t *testing.T) {
		t.Parallel()
		p := newPatient(t)
		mounted(t, p, unix.MS_RDONLY, "")
		p.way(reach.Config{})
		if f := find(Examine(t.Context(), p.Config), "data folder"); f.Grade != Fail || !strings.Contains(f.Says, "read-only") {
			t.Errorf("%+v", f)
		}
	})
}
