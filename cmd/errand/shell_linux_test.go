package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// person sits in front of a terminal in which errand runs.
type person struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd

	mu   sync.Mutex
	seen []byte
	news chan struct{}
}

// sit starts errand in a terminal of 30 rows and 90 columns.
func sit(t *testing.T, env []string, args ...string) *person {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	must(err)
	t.Cleanup(func() { _ = master.Close() })
	must(unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	must(err)
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	must(err)
	defer func() { _ = slave.Close() }()
	exe, err := os.Executable()
	must(err)
	p := &person{t: t, master: master, news: make(chan struct{}, 1)}
	p.resize(30, 90)
	p.cmd = &exec.Cmd{
		Path: exe, Args: append([]string{"errand"}, args...), Env: append(os.Environ(), append(env, "TERM=xterm")...),
		Stdin: slave, Stdout: slave, Stderr: slave, SysProcAttr: &syscall.SysProcAttr{Setsid: true, Setctty: true},
	}
	must(p.cmd.Start())
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	go func() {
		buf := make([]byte, 32<<10)
		for {
			n, err := master.Read(buf)
			p.mu.Lock()
			p.seen = append(p.seen, buf[:n]...)
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
	return p
}

func (p *person) resize(rows, columns uint16) {
	p.t.Helper()
	if err := unix.IoctlSetWinsize(int(p.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
		p.t.Fatal(err)
	}
}

func (p *person) types(text string) {
	p.t.Helper()
	if _, err := p.master.WriteString(text); err != nil {
		p.t.Fatal(err)
	}
}

// sees waits until this is on the screen, and forgets it and what was there before.
func (p *person) sees(text string) string {
	p.t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		p.mu.Lock()
		before, after, ok := bytes.Cut(p.seen, []byte(text))
		if ok {
			p.seen = after
		}
		p.mu.Unlock()
		if ok {
			return string(before)
		}
		select {
		case <-p.news:
		case <-deadline:
			p.mu.Lock()
			defer p.mu.Unlock()
			p.t.Fatalf("waiting for %q: %q", text, p.seen)
		}
	}
}

// leaves waits for the program's end and checks its exit code and that the terminal is as it was.
func (p *person) leaves(code int) {
	p.t.Helper()
	_ = p.cmd.Wait()
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.t.Errorf("exit code %d, not %d, after %q", got, code, p.seen)
	}
	if mode, err := unix.IoctlGetTermios(int(p.master.Fd()), unix.TCGETS); err != nil || mode.Lflag&unix.ICANON == 0 || mode.Lflag&unix.ECHO == 0 {
		p.t.Errorf("the terminal stays raw: %+v, %v", mode, err)
	}
}

// wireTo is a way to an address that can be cut.
func wireTo(t *testing.T, to string) (address string, cut func()) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	conns := map[net.Conn]bool{}
	cut = func() {
		mu.Lock()
		defer mu.Unlock()
		for c := range conns {
			_ = c.Close()
		}
		clear(conns)
	}
	t.Cleanup(func() {
		_ = lis.Close()
		cut()
	})
	go func() {
		for {
			in, err := lis.Accept()
			if err != nil {
				return
			}
			out, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			mu.Lock()
			conns[in], conns[out] = true, true
			mu.Unlock()
			for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
				go func() {
					_, _ = io.Copy(way[0], way[1])
					_ = way[0].Close()
				}()
			}
		}
	}()
	return lis.Addr().String(), cut
}

// TestShell is a person who works in a terminal of a node: with another size, through a break of the network, and out by each of the doors.
func TestShell(t *testing.T) {
	t.Parallel()
	s := openStage(t, map[string]map[string]string{"n": nil})
	key, err := s.user("shell-person")
	if err != nil {
		t.Fatal(err)
	}
	address, cut := wireTo(t, strings.TrimPrefix(s.url, "http://"))
	env := append(s.environ(t.TempDir(), key), "ERRAND_SERVER=http://"+address)
	p := sit(t, env, "shell", "n")
	p.types("PS1=; stty size; echo re''ady\r")
	p.sees("30 90\r\nready\r\n")
	p.resize(31, 91)
	p.types("while [ \"$(stty size)\" != '31 91' ]; do :; done; echo re''sized\r")
	p.sees("resized\r\n")
	p.types("echo be''fore; read x; echo af''ter $x\r")
	p.sees("before\r\n")
	cut()
	p.sees("[errand: the connection broke")
	p.sees("[errand: connected again]")
	p.types("the break\r")
	p.sees("after the break\r\n")
	p.types("sleep 1000\r")
	p.types("\x03") // for the node, not for errand
	p.types("echo $((6*7))\r")
	p.sees("42\r\n")
	p.types("~?")
	p.sees("[errand: ~. ends the session")
	p.types("\recho ~~.tilde\r")
	p.sees("~.tilde\r\n")
	p.types("exit 9\r")
	p.leaves(9)

	p = sit(t, env, "shell", "n", "--", "echo go; exec cat")
	p.sees("go\r\n")
	p.types("x\r~.")
	p.sees("the session was ended")
	p.leaves(1)

	p = sit(t, env, "shell", "n", "--user", "no-such-user-here")
	p.sees("no-such-user-here")
	p.leaves(1)
}
