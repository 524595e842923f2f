package socket

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serve serves pages in a folder that everybody may pass through, and waits until it does.
func serve(t *testing.T) (dir string) {
	dir, err := os.MkdirTemp("", "sock") //nolint:usetesting // a socket needs a short path
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	// What a killed agent left behind is in nobody's way.
	if err := os.WriteFile(filepath.Join(dir, Name), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Get(t.Context(), dir, "/status"); !errors.Is(err, ErrNobody) {
		t.Errorf("nobody there: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		done <- Serve(ctx, dir, map[string]Page{
			"/status": {"application/json", func() ([]byte, error) { return []byte(`{"a":1}`), nil }},
			"/broken": {"text/plain", func() ([]byte, error) { return nil, errors.New("out of order") }},
		}, slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := Get(context.Background(), dir, "/status"); !errors.Is(err, ErrNobody) {
			t.Errorf("after its end: %v", err)
		}
		os.RemoveAll(dir)
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := Get(t.Context(), dir, "/status"); err == nil {
			return dir
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	dir := serve(t)
	if b, err := Get(t.Context(), dir, "/status"); string(b) != `{"a":1}` || err != nil {
		t.Errorf("%s, %v", b, err)
	}
	for page, want := range map[string]string{"/nothing": "404", "/broken": "out of order"} {
		if _, err := Get(t.Context(), dir, page); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", page, err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, Name))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// Callers that say nothing, too much or nonsense take nothing from the others.
func TestBadCallers(t *testing.T) {
	t.Parallel()
	dir := serve(t)
	for _, text := range []string{
		"POST /status HTTP/1.1\r\nHost: a\r\n\r\n", "nonsense\r\n\r\n", "GET /status HTTP/1.1\r\nA: " + strings.Repeat("a", 2*maxRequest), "",
	} {
		conn, err := net.Dial("unix", filepath.Join(dir, Name))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, text)
		if text != "" {
			_ = conn.(*net.UnixConn).CloseWrite()
			if b, _ := io.ReadAll(conn); strings.Contains(string(b), "200 OK") {
				t.Errorf("%.30q is answered with %s", text, b)
			}
		}
		defer conn.Close()
	}
	if _, err := Get(t.Context(), dir, "/status"); err != nil {
		t.Error(err)
	}
}

// TestAsAnotherUser is also what the other user executes.
func TestAsAnotherUser(t *testing.T) {
	t.Parallel()
	if path := os.Getenv("ERRAND_TEST_SOCKET"); path != "" {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "GET /status HTTP/1.1\r\nHost: a\r\n\r\n")
		if b, _ := io.ReadAll(conn); len(b) > 0 {
			t.Errorf("another user is told %s", b)
		}
		return
	}
	if os.Geteuid() != 0 {
		return // the mode of the socket is all that can be shown
	}
	dir := serve(t)
	path := filepath.Join(dir, Name)
	if err := os.Chmod(path, 0o666); err != nil { // so that only the credentials are in the way
		t.Fatal(err)
	}
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	test := filepath.Join(dir, "test")
	if err := os.WriteFile(test, exe, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), test, "-test.run=^TestAsAnotherUser$")
	cmd.Dir, cmd.Env = dir, []string{"ERRAND_TEST_SOCKET=" + path}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
