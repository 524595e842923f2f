package packagetest

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// machine is a clean Debian with processes and a network of its own.
type machine struct {
	t   *testing.T
	pid int // of its first process, seen from here
}

// boot starts a machine, with packages in its /srv/packages. It is gone when the test ends, or when the test's process does.
func boot(t *testing.T, packages string) *machine {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("machines take root")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, initArg, t.TempDir(), tool(t, DebianRoot), packages)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC, Pdeathsig: syscall.SIGKILL,
	}
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	// A process dies with the thread that started it, so that thread has to last as long as the test.
	started, release := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		started <- cmd.Start()
		<-release
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	m := &machine{t, cmd.Process.Pid}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(m.logs())
		}
		_ = cmd.Process.Kill() // and with it everything that runs in there
		_ = cmd.Wait()
		close(release)
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the machine does not start: %q, %v", line, err)
	}
	return m
}

// try runs a script in the machine and returns what it printed.
func (m *machine) try(script string) (string, error) {
	cmd := exec.Command("nsenter", "--target", strconv.Itoa(m.pid), "--mount", "--pid", "--net", "--uts", "--ipc", "--wd", "--", "/bin/sh", "-c", script)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// run runs a script that has to succeed.
func (m *machine) run(script string) string {
	m.t.Helper()
	out, err := m.try(script)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return out
}

// logs are what the services said.
func (m *machine) logs() string {
	out, _ := m.try("tail -n 30 /var/log/*.service.log")
	return out
}

// write makes a file in the machine.
func (m *machine) write(path, content string, mode os.FileMode) {
	m.t.Helper()
	if err := os.WriteFile(m.path(path), []byte(content), mode); err != nil {
		m.t.Fatal(err)
	}
}

// path is a file of the machine as seen from here.
func (m *machine) path(path string) string {
	return filepath.Join("/proc", strconv.Itoa(m.pid), "root", path)
}

func (m *machine) exists(path string) bool {
	_, err := os.Stat(m.path(path))
	return err == nil
}

// processes lists the command lines of what runs in the machine, without its first process and those that look.
func (m *machine) processes(pattern string) (found []string) {
	m.t.Helper()
	re := regexp.MustCompile(pattern)
	for line := range strings.Lines(m.run("ps -eo pid,args --no-headers")) {
		if f := strings.Fields(line); len(f) > 1 && f[0] != "1" && f[1] != "ps" && f[1] != "/bin/sh" && re.MatchString(line) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

// dial connects from inside the machine.
func (m *machine) dial(ctx context.Context, addr string) (conn net.Conn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and with it its place in the other network
		var ns *os.File
		if ns, err = os.Open(filepath.Join("/proc", strconv.Itoa(m.pid), "ns/net")); err != nil {
			return
		}
		defer func() { _ = ns.Close() }()
		if err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err == nil {
			conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		}
	}()
	<-done
	return conn, err
}

// forward makes the HTTPS server at addr in the machine reachable by plain HTTP here, and returns where.
func (m *machine) forward(addr string, trust *x509.CertPool) string {
	m.t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		m.t.Fatal(err)
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	m.t.Cleanup(func() {
		cancel()
		_ = lis.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			in, err := lis.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { m.pump(ctx, in, addr, trust) })
		}
	})
	return "http://" + lis.Addr().String()
}

func (m *machine) pump(ctx context.Context, in net.Conn, addr string, trust *x509.CertPool) {
	defer func() { _ = in.Close() }()
	raw, err := m.dial(ctx, addr)
	if err != nil {
		return // the caller sees a closed connection, and tries again
	}
	out := tls.Client(raw, &tls.Config{RootCAs: trust, ServerName: "127.0.0.1"})
	defer func() { _ = out.Close() }()
	stop := context.AfterFunc(ctx, func() { _, _ = in.Close(), out.Close() })
	defer stop()
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(in, out)
		_ = in.Close()
	})
	_, _ = io.Copy(out, in)
	_ = out.Close()
	back.Wait()
}

// authority makes a certificate for 127.0.0.1 and the CA behind it.
func authority(t *testing.T) (ca, cert, key string) {
	t.Helper()
	caKey, kerr := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ownKey, oerr := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	top := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a CA of our own"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	own := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "machine"}, NotBefore: top.NotBefore, NotAfter: top.NotAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if err := errors.Join(kerr, oerr); err != nil {
		t.Fatal(err)
	}
	caDER, cerr := x509.CreateCertificate(rand.Reader, top, top, &caKey.PublicKey, caKey)
	ownDER, derr := x509.CreateCertificate(rand.Reader, own, top, &ownKey.PublicKey, caKey)
	keyDER, serr := x509.MarshalPKCS8PrivateKey(ownKey)
	if err := errors.Join(cerr, derr, serr); err != nil {
		t.Fatal(err)
	}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return text("CERTIFICATE", caDER), text("CERTIFICATE", ownDER), text("PRIVATE KEY", keyDER)
}

// verify asks systemd what it makes of the units.
func (m *machine) verify(units ...string) {
	m.t.Helper()
	if out := m.run("systemd-analyze verify " + strings.Join(units, " ")); strings.TrimSpace(out) != "" {
		m.t.Errorf("systemd-analyze verify: %s", out)
	}
}

// exposure is systemd's grade for a unit, 0 (none) to 10.
func (m *machine) exposure(unit string) float64 {
	m.t.Helper()
	out := m.run("systemd-analyze security --offline=true --no-pager /usr/lib/systemd/system/" + unit + " | tail -n 1")
	found := regexp.MustCompile(`: ([0-9.]+) `).FindStringSubmatch(out)
	if found == nil {
		m.t.Fatal(out)
	}
	grade, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		m.t.Fatal(fmt.Errorf("%s: %w", out, err))
	}
	return grade
}
