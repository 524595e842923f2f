package agent

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"errand/internal/protocol"
)

// Somebody who watches sees what a command prints within a quarter of a second; without one the server hears of it now and then.
func TestWatchedOutput(t *testing.T) {
	t.Parallel()
	if usual := usualTempo(); usual.watched > 250*time.Millisecond || usual.output > 2*time.Second {
		t.Errorf("output is sent every %v, and every %v to somebody who watches", usual.output, usual.watched)
	}
	s := newServer(t)
	n := newNode(t, s)
	n.config = func(c *Config) {
		c.tempo = quick()
		c.tempo.output = time.Hour // nobody could wait for that
	}
	n.start()
	s.run(script(1, "echo one; while read line; do echo $line; done <"+fifo(t, n.dir)))
	s.await("the start", func() bool { return s.job(id(1)).started != 0 })
	watch := protocol.Watch{Task: id(1), For: 60_000}
	s.mu.Lock()
	s.send(watch.Append(nil))
	s.mu.Unlock()
	s.await("what was printed before", func() bool { return string(s.job(id(1)).out) == "one\n" })
	say(t, n.dir, "two\n")
	s.await("what is printed while somebody watches", func() bool { return string(s.job(id(1)).out) == "one\ntwo\n" })
	s.stop(id(1))
	s.result(id(1))
}

// A Watch changes nothing else, whatever it is about.
func TestWatchOfNothing(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNode(t, s)
	n.config = func(c *Config) { c.tempo = quick() }
	n.start()
	s.run(script(1, "echo hi"))
	s.result(id(1))
	for _, m := range []protocol.Watch{{Task: id(1), For: 1 << 63}, {Task: id(2)}, {}} {
		s.mu.Lock()
		s.send(m.Append(nil))
		s.mu.Unlock()
	}
	s.run(script(3, "echo again"))
	if got := s.result(id(3)); string(got.out) != "again\n" {
		t.Errorf("%q", got.out)
	}
	n.await("the task to be forgotten", func() bool { return len(n.agent.tasks) == 0 })
}

// fifo makes a pipe through which a test speaks to a command.
func fifo(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "words")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	// Held open, so that the command's side never ends.
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return path
}

func say(t *testing.T, dir, words string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "words"), []byte(words), 0o600); err != nil {
		t.Fatal(err)
	}
}
