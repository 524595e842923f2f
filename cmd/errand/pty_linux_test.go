package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

// typist runs the program on a terminal.
type typist struct {
	t    *testing.T
	cmd  *exec.Cmd
	tty  *os.File
	done chan struct{}

	mu     sync.Mutex
	screen bytes.Buffer
	news   chan struct{}
}

// onPTY starts the program on a terminal of 24 lines and 100 columns.
func (s *stage) onPTY(env []string, args ...string) *typist {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "errand", args...)
	cmd.Env = append(append(os.Environ(), "TERM=xterm"), env...)
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 100})
	if err != nil {
		s.t.Fatal(err)
	}
	p := &typist{t: s.t, cmd: cmd, tty: tty, done: make(chan struct{}), news: make(chan struct{}, 1)}
	go func() {
		defer close(p.done)
		buffer := make([]byte, 4096)
		for {
			n, err := tty.Read(buffer)
			p.mu.Lock()
			p.screen.Write(buffer[:n])
			p.mu.Unlock()
			select {
			case p.news <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}()
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = tty.Close()
	})
	return p
}

// text is all that the program wrote so far.
func (p *typist) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.screen.String()
}

// sees waits until something is on the terminal.
func (p *typist) sees(pattern string) {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	limit := time.After(time.Minute)
	for !re.MatchString(p.text()) {
		select {
		case <-p.news:
		case <-p.done:
			if !re.MatchString(p.text()) {
				p.t.Fatalf("no %s in %q", pattern, p.text())
			}
		case <-limit:
			p.t.Fatalf("no %s in %q", pattern, p.text())
		}
	}
}

// types types.
func (p *typist) types(keys string) {
	p.t.Helper()
	if _, err := p.tty.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

// ends waits for the end and returns what was written and the exit code.
func (p *typist) ends() (string, int) {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(time.Minute):
		p.t.Fatalf("does not end: %q", p.text())
	}
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return p.text(), p.cmd.ProcessState.ExitCode()
}

// TestOnTerminal uses the program as somebody who sits there.
func TestOnTerminal(t *testing.T) {
	t.Parallel()
	s := openStage(t, threeNodes())
	key, err := s.user("typist")
	if err != nil {
		t.Fatal(err)
	}
	env := s.environ(t.TempDir(), key)

	// What is short has no block; headings have colours.
	text, code := s.onPTY(env, "run", "role=web", "--", "echo same").ends()
	if code != 0 || strings.Contains(text, "Ctrl-C") || !strings.Contains(text, "──── web-[1-2] (2)  exit 0") || !strings.Contains(text, "\x1b[32m") {
		t.Errorf("%d %q", code, text)
	}
	text, _ = s.onPTY(append(env, "NO_COLOR=1"), "run", "role=web", "--", "echo same").ends()
	if strings.Contains(text, "\x1b[3") {
		t.Errorf("colours although there are to be none: %q", text)
	}

	// The block, its keys, and what they show.
	p := s.onPTY(env, "run", "role=web", "--", "echo begun; sleep 60")
	p.sees(`Ctrl-C stop`)
	p.types("s")
	p.sees(`web-1  running`)
	p.types("f")
	p.sees(`no node is failed`)
	p.types("q")
	text, code = p.ends()
	if code != 0 || !strings.Contains(text, "detached; the run goes on: errand runs watch ") {
		t.Errorf("%d %q", code, text)
	}
	checkBlock(t, text)

	// Follow it again; Ctrl-C asks, and a second one cancels.
	p = s.onPTY(env, "runs", "watch", "@last")
	p.sees(`Ctrl-C stop`)
	p.types("\x03")
	p.sees(`\[d\]etach`)
	p.types("w")
	p.types("\x03")
	p.types("\x03")
	if text, code = p.ends(); code != 7 || !strings.Contains(text, "2 terminated") {
		t.Errorf("%d %q", code, text)
	}

	// Pause and resume by a key; abort a run that its budget has paused.
	p = s.onPTY(env, "run", "all", "--steps", "1,100%", "--max-failures", "0", "--", "sleep 1; false")
	p.sees(`pace    paused`)
	p.sees(`a abort`)
	p.types("p")
	p.sees(`pace    running  step 2/2`)
	if text, code = p.ends(); code != 3 && code != 7 {
		t.Errorf("%d %q", code, text)
	}
	p = s.onPTY(env, "run", "all", "--steps", "1,100%", "--max-failures", "0", "--", "sleep 1; false")
	p.sees(`a abort`)
	p.types("a")
	if text, code = p.ends(); code != 7 {
		t.Errorf("%d %q", code, text)
	}

	// Alone on a node an interrupt ends the command there.
	p = s.onPTY(env, "run", "web-1", "--", "echo begun; sleep 60")
	p.sees("begun")
	p.types("\x03")
	if text, code = p.ends(); code != 130 {
		t.Errorf("%d %q", code, text)
	}

	// Many nodes are asked about.
	few := append(env, "ERRAND_CONTEXT=few")
	if text, code = s.onPTY(env, "ctx", "add", "few", "--server", s.url, "--confirm-over", "2").ends(); code != 0 {
		t.Fatalf("%d %q", code, text)
	}
	p = s.onPTY(few, "run", "all", "--", "true")
	p.sees(`Run on 3 nodes\? \[y/N\]`)
	p.types("n\r")
	if text, code = p.ends(); code != 7 || !strings.Contains(text, "nothing was run") {
		t.Errorf("%d %q", code, text)
	}
	p = s.onPTY(few, "run", "all", "--", "true")
	p.sees(`\[y/N\]`)
	p.types("y\r")
	if text, code = p.ends(); code != 0 || !strings.Contains(text, "3 ok") {
		t.Errorf("%d %q", code, text)
	}

	// A dumb terminal gets lines.
	text, _ = s.onPTY(append(env, "TERM=dumb"), "run", "role=web", "--", "sleep 1.5").ends()
	if strings.Contains(text, "\x1b") || !strings.Contains(text, "2 nodes") {
		t.Errorf("%q", text)
	}
}

// checkBlock looks at how a block was drawn: at most six lines, each no wider than the terminal.
func checkBlock(t *testing.T, text string) {
	t.Helper()
	up := regexp.MustCompile("\x1b\\[(\\d+)A").FindAllStringSubmatch(text, -1)
	if len(up) == 0 {
		t.Errorf("no block in %q", text)
	}
	for _, m := range up {
		var n int
		if _, err := fmt.Sscan(m[1], &n); err != nil || n > boardLines {
			t.Errorf("a block of %s lines", m[1])
		}
	}
	plain := regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]").ReplaceAllString(text, "")
	for line := range strings.SplitSeq(plain, "\r\n") {
		if parts := strings.Split(line, "\r"); displayWidth(parts[len(parts)-1]) > 100 {
			t.Errorf("a line of %d columns: %q", displayWidth(line), line)
		}
	}
}

// TestHostileOutput lets a node print what would take over a terminal.
func TestHostileOutput(t *testing.T) {
	t.Parallel()
	s := openStage(t, map[string]map[string]string{"evil": nil, "good": nil})
	key, err := s.user("victim")
	if err != nil {
		t.Fatal(err)
	}
	env := s.environ(t.TempDir(), key)
	const hostile = "\x1b]0;pwned\x07\x1b[2J\x1b]52;c;ZXZpbA==\x07\x9b31m\u202etxt \x1b[31mred\r\n"
	command := `printf '\033]0;pwned\007\033[2J\033]52;c;ZXZpbA==\007\233` + `31m\342\200\256txt \033[31mred\r\n'`
	const shown = `^[]0;pwned^G^[[2J^[]52;c;ZXZpbA==^G\x9b31m\u202etxt `
	for _, args := range [][]string{
		{"run", "evil", "--", command},
		{"run", "all", "--", command},
		{"run", "all", "--group=false", "--", command},
		{"runs", "logs", "@last", "evil"},
		{"runs", "logs", "@last"},
		{"runs", "watch", "@last"},
	} {
		text, code := s.onPTY(env, args...).ends()
		if code != 0 || !strings.Contains(text, shown) || strings.Contains(text, "\x1b]") || strings.Contains(text, "\x1b[2J") || strings.Contains(text, "\u202e") {
			t.Errorf("%v: %d %q", args, code, text)
		}
		if !strings.Contains(text, "\x1b[0m") {
			t.Errorf("%v: colours are not put out: %q", args, text)
		}
	}
	if text, _ := s.onPTY(env, "run", "evil", "--raw", "--", command).ends(); !strings.Contains(text, "\x1b]0;pwned\x07") {
		t.Errorf("--raw: %q", text)
	}
	// In a pipe nothing is changed.
	for _, args := range [][]string{{"run", "evil", "--", command}, {"run", "all", "--", command}} {
		cmd := exec.CommandContext(t.Context(), "errand", args...)
		cmd.Env = append(os.Environ(), env...)
		out, err := cmd.Output()
		if err != nil || !bytes.Contains(out, []byte(hostile)) {
			t.Errorf("%v: %v %q", args, err, out)
		}
	}
	// Tables and JSON of what the caller chose.
	cmd := exec.CommandContext(t.Context(), "errand", "run", "evil", "--name", "n\x1b[2J", "--detach")
	cmd.Args = append(cmd.Args, "--", "true")
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.Output(); err == nil && bytes.Contains(out, []byte("\x1b")) {
		t.Errorf("%q", out)
	}
}
