package stacktest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"errand/internal/core"
)

// transferSize is how large the file of the acceptance test is; ERRAND_TRANSFER_MIB replaces it, and `make transfer` makes it a gibibyte.
func transferSize(t *testing.T) int64 {
	text := os.Getenv("ERRAND_TRANSFER_MIB")
	if text == "" {
		return 64 << 20
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 {
		t.Fatalf("ERRAND_TRANSFER_MIB=%q", text)
	}
	return n << 20
}

// wire is a TCP way that is cut again and again, and counts the bytes that go through it.
type wire struct {
	*cable
	in, out atomic.Int64 // from and to the server
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	w := &wire{}
	w.cable = newCable(t, to, func(c net.Conn) net.Conn { return &counted{c, w} })
	return w
}

func (w *wire) addr() string { return w.lis.Addr().String() }

// counted counts what passes a connection to the server.
type counted struct {
	net.Conn
	w *wire
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.w.in.Add(int64(n))
	return n, err
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.w.out.Add(int64(n))
	return n, err
}

// randomFile writes bytes that cannot be compressed, and returns their hash.
func randomFile(t *testing.T, file string, size int64, seed byte) string {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sum := sha256.New()
	src := rand.NewChaCha8([32]byte{seed})
	if _, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(src, size)); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func hashOf(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// fleet is an installation with several agents as processes of their own, each behind a wire that can be cut.
type fleet struct {
	*installation
	http, bus *wire
	agents    map[string]*exec.Cmd
}

func newFleet(t *testing.T, nodes ...string) *fleet {
	t.Helper()
	i := install(t)
	f := &fleet{installation: i, http: newWire(t, i.listen), bus: newWire(t, i.agents), agents: map[string]*exec.Cmd{}}
	i.advertise = f.bus.addr()
	i.startServer()
	for _, n := range nodes {
		f.startAgent(n)
	}
	for _, n := range nodes {
		i.onlineAs(n)
	}
	t.Cleanup(func() {
		for _, cmd := range f.agents {
			i.kill(cmd)
		}
	})
	return f
}

func (f *fleet) startAgent(node string) {
	f.t.Helper()
	if f.code == "" {
		var answer struct {
			ActivationID   string `json:"ActivationId"`
			ActivationCode string
		}
		if err := f.client.Call(f.t.Context(), "CreateActivation", map[string][]string{"InstanceCount": {"10"}}, &answer); err != nil {
			f.t.Fatal(err)
		}
		f.activationID, f.code = answer.ActivationID, answer.ActivationCode
	}
	f.agents[node] = f.apart(node, "agent", "--server", "http://"+f.http.addr(), "--activation-id", f.activationID, "--activation-code", f.code,
		"--data", filepath.Join(f.dir, "agent-"+node), "--node-id", node, "--log-level", "warn")
}

// apart starts a process to which the folder of all nodes is one of its own, as it would be on a machine of its own.
func (f *fleet) apart(node string, args ...string) *exec.Cmd {
	f.t.Helper()
	own := filepath.Join(f.dir, "dest-of-"+node)
	for _, dir := range []string{own, f.dest()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			f.t.Fatal(err)
		}
	}
	cmd := exec.Command("unshare", append([]string{
		"--map-root-user", "--user", "--mount", "sh", "-c", `mount --bind "$1" "$2" && shift 2 && exec "$@"`, "sh", own, f.dest(), f.exe,
	}, args...)...)
	cmd.Stdout, cmd.Stderr = f.t.Output(), f.t.Output()
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	return cmd
}

// dest is the folder that every node has for itself.
func (f *fleet) dest() string { return filepath.Join(f.dir, "dest") }

// of is where a file of a node's folder lies for the test.
func (f *fleet) of(node, name string) string { return filepath.Join(f.dir, "dest-of-"+node, name) }

// run runs a client command against the server itself, and returns what it wrote as JSON.
func (f *fleet) run(args ...string) (out transferOutput, err error) {
	cmd := exec.Command(f.exe, append(args, "--server", "http://"+f.listen, "-o", "json")...)
	cmd.Env = append(os.Environ(), "ERRAND_ACCESS_KEY_ID="+KeyID, "ERRAND_ACCESS_KEY_SECRET="+Secret)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	if stderr.Len() > 0 {
		f.t.Logf("%s: %s", args[0], stderr.String())
	}
	if stdout.Len() > 0 {
		if jerr := json.Unmarshal(stdout.Bytes(), &out); jerr != nil {
			f.t.Errorf("%v: %s", jerr, stdout.String())
		}
	}
	return out, err
}

// transferOutput is what push and fetch write as JSON.
type transferOutput struct {
	Transfers []struct {
		Invocation string
		SHA256     string `json:"sha256"`
		Nodes      []struct {
			Node, State, Cause, Detail string
			SHA256                     string `json:"sha256"`
			Bytes                      int64
			Seconds                    float64
		}
	}
}

// cuts cuts both wires a number of times, each time when another part of the bytes has passed, and mends them at once.
func (f *fleet) cuts(times int, passed *atomic.Int64, whole int64, stop <-chan struct{}) (cut int) {
	start := passed.Load()
	for n := 1; n <= times; n++ {
		for passed.Load()-start < whole*int64(n)/int64(times+1) {
			select {
			case <-stop:
				return cut
			case <-time.After(5 * time.Millisecond):
			}
		}
		f.http.set(true)
		f.bus.set(true)
		time.Sleep(100 * time.Millisecond) // for as long it stays cut
		f.http.set(false)
		f.bus.set(false)
		cut++
	}
	return cut
}

// peak is the most memory that a process had, in bytes.
func peak(t *testing.T, cmd *exec.Cmd) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// TestTransferOverCutConnection pushes a file to three nodes and fetches it from them, while every connection of theirs is cut five times:
// nothing is moved again but what was on its way, all hashes are equal, and no process takes memory for what it moves.
func TestTransferOverCutConnection(t *testing.T) {
	nodes := []string{"node-a", "node-b", "node-c"}
	f := newFleet(t, nodes...)
	size := transferSize(t)
	src := filepath.Join(f.dir, "source")
	hash := randomFile(t, src, size, 1)
	args := []string{"push"}
	for _, n := range nodes {
		args = append(args, "-t", n)
	}
	const times = 5
	slack := int64(times*len(nodes)*4*core.ChunkSize + 8<<20) // chunks that were on their way, and everything else that is said
	whole := size * int64(len(nodes))

	move := func(what string, passed *atomic.Int64, args ...string) transferOutput {
		before, stop, cut := passed.Load(), make(chan struct{}), make(chan int)
		go func() { cut <- f.cuts(times, passed, whole, stop) }()
		began := time.Now()
		out, err := f.run(args...)
		took := time.Since(began)
		close(stop)
		n, moved := <-cut, passed.Load()-before
		if err != nil {
			t.Fatalf("%s: %v %+v", what, err, out)
		}
		t.Logf("%s: %d nodes x %d MiB in %.1f s, %d cuts, %d MiB on the wire (%.2f%% more than the files)", what, len(nodes), size>>20, took.Seconds(), n,
			moved>>20, 100*float64(moved-whole)/float64(whole))
		if n != times {
			t.Errorf("%s was over after %d of %d cuts", what, n, times)
		}
		if moved > whole+slack {
			t.Errorf("%s: %d bytes on the wire for %d", what, moved, whole)
		}
		return out
	}

	pushed := move("push", &f.http.in, slices.Concat(args, []string{"--mode", "0640", src, filepath.Join(f.dest(), "file")})...)
	check(t, pushed, nodes, hash)
	for _, n := range nodes {
		if got := hashOf(t, f.of(n, "file")); got != hash {
			t.Errorf("the file pushed to %s has hash %s, want %s", n, got, hash)
		}
	}
	fetched := move("fetch", &f.http.out, "fetch", "-t", nodes[0], "-t", nodes[1], "-t", nodes[2], filepath.Join(f.dest(), "file"), "--into", filepath.Join(f.dir, "into"))
	check(t, fetched, nodes, hash)
	for _, n := range nodes {
		if got := hashOf(t, filepath.Join(f.dir, "into", "file."+n)); got != hash {
			t.Errorf("the file of %s has hash %s, want %s", n, got, hash)
		}
	}
	t.Logf("most memory: server %d MiB", peak(t, f.server)>>20)
	if got := peak(t, f.server); got > 256<<20 {
		t.Errorf("the server took %d MiB", got>>20)
	}
	for _, n := range nodes {
		got := peak(t, f.agents[n])
		t.Logf("most memory: agent of %s %d MiB", n, got>>20)
		if got > 48<<20 {
			t.Errorf("the agent of %s took %d MiB", n, got>>20)
		}
	}
}

func check(t *testing.T, out transferOutput, nodes []string, hash string) {
	t.Helper()
	if len(out.Transfers) != 1 || len(out.Transfers[0].Nodes) != len(nodes) {
		t.Fatalf("%+v", out)
	}
	for i, n := range out.Transfers[0].Nodes {
		if n.Node != nodes[i] || n.State != "succeeded" || n.SHA256 != hash {
			t.Errorf("%+v", n)
		}
	}
}

// when calls do once so many bytes have passed.
func when(t *testing.T, passed *atomic.Int64, bytes int64, do func()) {
	t.Helper()
	Eventually(t, late, func() error {
		if n := passed.Load(); n < bytes {
			return fmt.Errorf("%d of %d bytes have passed", n, bytes)
		}
		return nil
	})
	do()
}

// TestTransferSurvivesKills goes on after the agent was killed from what is on its disk, and after the server was killed from what it has.
func TestTransferSurvivesKills(t *testing.T) {
	f := newFleet(t, "node-a")
	const size = 48 << 20
	src := filepath.Join(f.dir, "source")
	hash := randomFile(t, src, size, 2)
	type ended struct {
		out transferOutput
		err error
	}
	start := func(args ...string) <-chan ended {
		done := make(chan ended, 1)
		go func() {
			out, err := f.run(args...)
			done <- ended{out, err}
		}()
		return done
	}
	before := f.http.in.Load()
	push := start("push", "-t", "node-a", src, filepath.Join(f.dest(), "file"))
	when(t, &f.http.in, before+size/3, func() { f.kill(f.agents["node-a"]) })
	f.startAgent("node-a")
	if got := <-push; got.err != nil {
		t.Fatalf("push: %v %+v", got.err, got.out)
	}
	if got := hashOf(t, f.of("node-a", "file")); got != hash {
		t.Errorf("pushed %s, want %s", got, hash)
	}
	if n := f.http.in.Load() - before; n > size+6<<20 {
		t.Errorf("%d bytes came for a file of %d", n, size)
	}
	before = f.http.out.Load()
	fetch := start("fetch", "-t", "node-a", filepath.Join(f.dest(), "file"), "--into", filepath.Join(f.dir, "into"))
	when(t, &f.http.out, before+size/3, func() { f.kill(f.server) })
	f.startServer()
	when(t, &f.http.out, before+2*size/3, func() { f.kill(f.agents["node-a"]) })
	f.startAgent("node-a")
	if got := <-fetch; got.err != nil {
		t.Fatalf("fetch: %v %+v", got.err, got.out)
	}
	if got := hashOf(t, filepath.Join(f.dir, "into", "file.node-a")); got != hash {
		t.Errorf("fetched %s, want %s", got, hash)
	}
	if n := f.http.out.Load() - before; n > size+8<<20 {
		t.Errorf("%d bytes went for a file of %d", n, size)
	}
	Eventually(t, late, func() error { // the part and its mark go when the result is known
		left, err := filepath.Glob(filepath.Join(f.dir, "agent-node-a", "transfers", "*"))
		parts, _ := filepath.Glob(filepath.Join(f.dir, "dest-of-node-a", ".errand*"))
		if err == nil && len(left)+len(parts) > 0 {
			err = fmt.Errorf("left: %v %v", left, parts)
		}
		return err
	})
}

// TestTransferCauses gives each way to fail a cause of its own.
func TestTransferCauses(t *testing.T) {
	f := newFleet(t, "node-a")
	src := filepath.Join(f.dir, "source")
	randomFile(t, src, 1<<20+1, 3)
	there := f.of("node-a", "there")
	if err := os.WriteFile(there, []byte("there"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("there", f.of("node-a", "link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(f.of("node-a", "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	into := filepath.Join(f.dir, "into")
	at := func(name string) string { return filepath.Join(f.dest(), name) }
	for _, tt := range []struct {
		cause string
		args  []string
	}{
		{"file_exists", []string{"push", src, at("there")}},
		{"user_not_found", []string{"push", "--owner", "no-such-user", src, at("new")}},
		{"group_not_found", []string{"push", "--group", "no-such-group", src, at("new")}},
		{"file_path", []string{"push", src, at("there/below")}},
		{"file_missing", []string{"fetch", at("none"), "--into", into}},
		{"file_kind", []string{"fetch", at("link"), "--into", into}},
		{"file_kind", []string{"fetch", at("pipe"), "--into", into}},
		{"file_kind", []string{"fetch", f.dest(), "--into", into}},
		{"file_kind", []string{"fetch", "/dev/zero", "--into", into}},
		{"file_too_large", []string{"fetch", "--max-bytes", "4", at("there"), "--into", into}},
	} {
		out, err := f.run(slices.Concat(tt.args[:1], []string{"-t", "node-a"}, tt.args[1:])...)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 3 || len(out.Transfers) != 1 || len(out.Transfers[0].Nodes) != 1 {
			t.Errorf("%v: %v %+v", tt.args, err, out)
			continue
		}
		if n := out.Transfers[0].Nodes[0]; n.Cause != tt.cause || n.Detail == "" {
			t.Errorf("%v: %q (%s), want %q", tt.args, n.Cause, n.Detail, tt.cause)
		}
	}
	fetched, err := f.run("fetch", "-t", "node-a", "--follow", at("link"), "--into", into)
	if err != nil || len(fetched.Transfers) != 1 {
		t.Fatalf("through a link: %v %+v", err, fetched)
	}
	if got, err := os.ReadFile(filepath.Join(into, "link.node-a")); err != nil || string(got) != "there" {
		t.Errorf("%q, %v", got, err)
	}
	again := filepath.Join(f.dir, "again")
	if out, err := f.run("fetch", "--invocation", fetched.Transfers[0].Invocation, "--into", again); err != nil {
		t.Errorf("once more: %v %+v", err, out)
	}
	if got, err := os.ReadFile(filepath.Join(again, "link.node-a")); err != nil || string(got) != "there" {
		t.Errorf("%q, %v", got, err)
	}
	if out, err := f.run("push", "-t", "node-a", "--overwrite", "--mode", "0600", src, at("there")); err != nil {
		t.Errorf("over what is there: %v %+v", err, out)
	}
	if hashOf(t, there) != hashOf(t, src) {
		t.Error("it was not replaced")
	}
	for _, action := range []string{"DescribeInvocations", "DescribeInvocationResults", "DescribeSendFileResults"} {
		var listed struct {
			Invocation  struct{ TotalCount int64 }
			Invocations struct{ Invocation []json.RawMessage }
		}
		if err := f.client.Call(t.Context(), action, map[string][]string{}, &listed); err != nil {
			t.Fatal(err)
		}
		if listed.Invocation.TotalCount > 0 || len(listed.Invocations.Invocation) > 0 {
			t.Errorf("a vendor's %s lists what was pushed and fetched: %+v", action, listed)
		}
	}
}
