package depot

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func serve(t *testing.T, dir string) string {
	t.Helper()
	d := New(Config{Dir: dir, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+ScriptPath, d.Script)
	mux.HandleFunc("GET "+DownloadPath, d.Download)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func put(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

func TestOffersNewest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{
		"errand-agent_0.9.0_amd64.deb", "errand-agent_0.10.0_amd64.deb", "errand-agent_0.10.0~rc1_amd64.deb", "errand-agent_0.2.0_arm64.deb",
		"errand-agent-1.0.0-1.x86_64.rpm", "errand-agent-1.0.0+2-1.x86_64.rpm", "errand-agent-1.0.0-linux-arm64.tar.gz",
		"errand-agent-x$(id)-linux-arm64.tar.gz", "errand-server_9.0.0_amd64.deb", "errand-agent_9_mips.deb", "secret", "errand-agent_9.0.0_amd64.deb.part",
	} {
		put(t, dir, name, "content of "+name)
	}
	_, text := get(t, serve(t, dir)+ScriptPath)
	_, text, _ = strings.Cut(text, "packages='")
	list, _, _ := strings.Cut(text, "'")
	want := []string{
		"rpm amd64 1.0.0+2 " + digest("content of errand-agent-1.0.0+2-1.x86_64.rpm") + " errand-agent-1.0.0+2-1.x86_64.rpm",
		"tar arm64 1.0.0 " + digest("content of errand-agent-1.0.0-linux-arm64.tar.gz") + " errand-agent-1.0.0-linux-arm64.tar.gz",
		"deb amd64 0.10.0 " + digest("content of errand-agent_0.10.0_amd64.deb") + " errand-agent_0.10.0_amd64.deb",
		"deb arm64 0.2.0 " + digest("content of errand-agent_0.2.0_arm64.deb") + " errand-agent_0.2.0_arm64.deb",
	}
	if list != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", list, strings.Join(want, "\n"))
	}
}

func TestOfferFollowsTheFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	url := serve(t, dir)
	const name = "errand-agent_1.0.0_amd64.deb"
	for _, content := range []string{"one", "another, longer one"} {
		put(t, dir, name, content)
		if _, text := get(t, url+ScriptPath); !strings.Contains(text, digest(content)+" "+name) {
			t.Errorf("the script does not announce %q", content)
		}
		if code, got := get(t, url+DownloadPath+name); code != http.StatusOK || got != content {
			t.Errorf("%d %q", code, got)
		}
	}
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
	if _, text := get(t, url+ScriptPath); !strings.Contains(text, "packages=''") {
		t.Error("a package that is gone is offered")
	}
}

func TestDownloadRefusals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, dir, "secret", "s")
	put(t, filepath.Dir(dir), "errand-agent_1.0.0_amd64.deb", "outside")
	if err := os.Mkdir(filepath.Join(dir, "errand-agent_2.0.0_amd64.deb"), 0o700); err != nil {
		t.Fatal(err)
	}
	url := serve(t, dir)
	for _, name := range []string{
		"secret", "", "..%2ferrand-agent_1.0.0_amd64.deb", "%2e%2e/errand-agent_1.0.0_amd64.deb", "errand-agent_1.0.0_amd64.deb", "errand-agent_2.0.0_amd64.deb",
	} {
		if code, body := get(t, url+DownloadPath+name); code != http.StatusNotFound {
			t.Errorf("%q: %d %s", name, code, body)
		}
	}
	if code, body := get(t, serve(t, "")+DownloadPath+"errand-agent_1.0.0_amd64.deb"); code != http.StatusNotFound || !strings.Contains(body, "--agent-packages") {
		t.Errorf("without a folder: %d %s", code, body)
	}
	gone := serve(t, filepath.Join(dir, "none"))
	if code, body := get(t, gone+ScriptPath); code != http.StatusInternalServerError || strings.Contains(body, dir) {
		t.Errorf("of a folder that is gone: %d %s", code, body)
	}
}

func TestTooManyDownloads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, dir, "errand-agent_1.0.0_amd64.deb", "x")
	d := New(Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	for range maxDownloads {
		d.places <- struct{}{}
	}
	w := httptest.NewRecorder()
	d.Download(w, httptest.NewRequest(http.MethodGet, DownloadPath+"errand-agent_1.0.0_amd64.deb", nil))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestCompareVersions(t *testing.T) {
	t.Parallel()
	order := []string{"0.9", "0.9.1", "0.10.0~alpha2", "0.10.0~rc1", "0.10.0~rc2", "0.10.0~rc10", "0.10.0", "0.10.0+1", "0.10.1", "1.0.0"}
	for i, a := range order {
		for j, b := range order {
			want := 0
			if i != j {
				want = 1
				if i < j {
					want = -1
				}
			}
			if got := compareVersions(a, b); got != want {
				t.Errorf("compareVersions(%s, %s) = %d", a, b, got)
			}
		}
	}
}

// The script is read by whatever /bin/sh a machine has.
func TestScriptIsPlainShell(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, dir, "errand-agent_1.0.0_amd64.deb", "x")
	_, text := get(t, serve(t, dir)+ScriptPath)
	cmd := exec.Command("shellcheck", "--shell=sh", "--severity=style", "-")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestScriptRefusesItself(t *testing.T) {
	t.Parallel()
	_, text := get(t, serve(t, "")+ScriptPath)
	for _, tt := range []struct {
		args []string
		env  string
		says string
		code int
	}{
		{[]string{"--help"}, "", "--uninstall", 0},
		{[]string{"--nonsense"}, "", "unknown argument", 1},
		{nil, "", "ERRAND_SERVER is not set", 1},
		{nil, "ERRAND_SERVER=http://127.0.0.1:1", "no agent packages", 1},
		{nil, "ERRAND_CA=*", "", 1},
	} {
		cmd := exec.Command("unshare", append([]string{"--map-root-user", "--user", "sh", "-s", "--"}, tt.args...)...)
		cmd.Stdin, cmd.Env = strings.NewReader(text), append(os.Environ(), tt.env)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != tt.code || !strings.Contains(string(out), tt.says) {
			t.Errorf("%v %s: %v\n%s", tt.args, tt.env, err, out)
		}
	}
	// Half a script does nothing.
	for _, end := range []int{len(text) / 2, len(text) - 12} {
		cmd := exec.Command("sh", "-s")
		cmd.Stdin = strings.NewReader(text[:end])
		if out, _ := cmd.CombinedOutput(); strings.Contains(string(out), "installing") {
			t.Errorf("cut off at %d: %s", end, out)
		}
	}
}
