package agent

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"errand/internal/agent/executor"
	"errand/internal/agent/identity"
	"errand/internal/protocol"
)

// Environment of a test binary that is to be an agent in a process of its own, which can be killed.
const (
	agentDir    = "ERRAND_TEST_AGENT_DIR"
	agentPoison = "ERRAND_TEST_AGENT_POISON" // the step and the task that kill it: "starting:1-0:panic" or "starting:1-0:kill"
	agentCalm   = "ERRAND_TEST_AGENT_CALM"   // when set, it does not look for output of running commands
	agentGap    = "ERRAND_TEST_AGENT_GAP"    // when set, it is killed between the journal and the start of a command
)

// TestMain lets the test binary also be a supervisor, and an agent.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == executor.SuperviseArg {
		os.Exit(executor.Supervise(os.Args[2]))
	}
	if dir := os.Getenv(agentDir); dir != "" {
		os.Exit(beAgent(dir))
	}
	code := m.Run()
	if left := leftovers(); code == 0 && left != "" {
		fmt.Fprintf(os.Stderr, "goroutines left behind:\n%s\n", left)
		code = 1
	}
	os.Exit(code)
}

// leftovers returns the goroutines that still run our code after a while.
func leftovers() (left string) {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		buf := make([]byte, 1<<20)
		buf = buf[:runtime.Stack(buf, true)]
		left = ""
		for g := range strings.SplitSeq(string(buf), "\n\n") {
			if strings.Contains(g, "errand/internal/agent") && !strings.Contains(g, "TestMain") {
				left += g + "\n\n"
			}
		}
		if left == "" {
			return ""
		}
	}
	return left
}

func testProgram(t testing.TB) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// beAgent runs an agent whose link is its standard input and output.
func beAgent(dir string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	exe, err := os.Executable()
	if err != nil {
		return 1
	}
	c := Config{Dir: dir, SelfExe: exe, Dial: dialStdio, Alone: true, tempo: quick()}
	if poison := strings.Split(os.Getenv(agentPoison), ":"); len(poison) == 3 {
		c.taken = func(s step, t protocol.Task) {
			if string(s) == poison[0] && nameOf(t.Planned()) == poison[1] {
				die(poison[2])
			}
		}
	}
	if os.Getenv(agentCalm) != "" {
		c.tempo.output, c.tempo.watched = time.Hour, time.Hour
	}
	if os.Getenv(agentGap) != "" {
		c.start = func(context.Context, executor.Spec, string, string) (*executor.Task, error) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	a, err := New(c)
	if err == nil {
		err = a.Run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// die ends the process in one of two ways.
func die(how string) {
	if how == "panic" {
		go panic("poisoned") // where nothing recovers
	} else {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	select {}
}

type stdio struct{ mu sync.Mutex }

func dialStdio(_ context.Context, _ identity.Identity, l Line) (Link, error) {
	go func() {
		in := bufio.NewReader(os.Stdin)
		for {
			msg, err := readFrame(in)
			if err != nil {
				return
			}
			l.Message(msg)
		}
	}()
	l.Connected()
	return &stdio{}, nil
}

func (s *stdio) Publish(msg []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return writeFrame(os.Stdout, msg)
}

func (s *stdio) Close() {}

func readFrame(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	msg := make([]byte, binary.LittleEndian.Uint32(size[:]))
	_, err := io.ReadFull(r, msg)
	return msg, err
}

func writeFrame(w io.Writer, msg []byte) error {
	_, err := w.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(msg))), msg...))
	return err
}

// quick is a tempo for tests with many repeats.
func quick() *tempo {
	return &tempo{
		received: 10 * time.Millisecond, started: 10 * time.Millisecond, output: 20 * time.Millisecond, watched: 20 * time.Millisecond,
		resend: 30 * time.Millisecond, maxResend: 200 * time.Millisecond,
		hibernate: 40 * time.Millisecond, maxHibernate: 160 * time.Millisecond,
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
