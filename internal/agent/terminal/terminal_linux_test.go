package terminal_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"errand/internal/agent/terminal"
	"errand/internal/flow"
	"errand/internal/protocol"
)

const wait = 20 * time.Second

// server is the other end of a host: it speaks the protocol and has no network in between.
type server struct {
	t    *testing.T
	host *terminal.Host

	mu       sync.Mutex
	sessions map[uint64]*peer
}

// peer is the server's side of one session.
type peer struct {
	id  uint64
	srv *server
	in  *flow.Sender
	out *flow.Receiver

	mu     sync.Mutex
	states []protocol.SessionState
	said   chan struct{} // something new in states
}

func newServer(t *testing.T, c terminal.Config) *server {
	t.Helper()
	c.Tick = 10 * time.Millisecond
	if c.Grace == 0 {
		c.Grace = 500 * time.Millisecond
	}
	s := &server{t: t, host: terminal.NewHost(c), sessions: map[uint64]*peer{}}
	t.Cleanup(s.host.Close)
	return s
}

// hear takes a message of the host.
func (s *server) hear(id uint64, msg []byte) error {
	s.mu.Lock()
	p := s.sessions[id]
	s.mu.Unlock()
	if p == nil {
		return errors.New("nobody listens")
	}
	kind, err := protocol.SessionKindOf(msg)
	if err != nil {
		return err
	}
	switch kind {
	case protocol.KindSessionState:
		m, err := protocol.DecodeSessionState(msg)
		if err != nil {
			return err
		}
		p.mu.Lock()
		p.states = append(p.states, m)
		p.mu.Unlock()
		if m.Phase == protocol.SessionEnded {
			_ = p.out.End(m.End)
		}
		select {
		case p.said <- struct{}{}:
		default:
		}
	case protocol.KindSessionOutput:
		m, err := protocol.DecodeSessionData(msg, kind)
		if err != nil {
			return err
		}
		p.out.Put(m.Pos, m.Data)
	case protocol.KindSessionHave:
		m, err := protocol.DecodeSessionAck(msg, kind)
		if err != nil {
			return err
		}
		go p.in.Acked(m.Have, m.Kept, m.Limit) // not at once: we may be sending with its lock held
	}
	return nil
}

func (s *server) send(id uint64, msg []byte) { s.host.Receive(s.hear, id, bytes.Clone(msg)) }

// peer makes the server's side of a session without telling the host.
func (s *server) peer(id uint64) *peer {
	p := &peer{id: id, srv: s, said: make(chan struct{}, 1)}
	p.in = flow.NewSender(0, protocol.SessionWindow, protocol.SessionChunk, func(pos uint64, data []byte) {
		m := protocol.SessionData{Pos: pos, Data: data}
		s.send(id, m.Append(nil, protocol.KindSessionInput))
	})
	p.out = flow.NewReceiver(0, protocol.SessionWindow, func(have, kept, limit uint64) {
		m := protocol.SessionAck{Have: have, Limit: limit, Kept: kept}
		go s.send(id, m.Append(nil, protocol.KindSessionWant))
	})
	s.mu.Lock()
	s.sessions[id] = p
	s.mu.Unlock()
	return p
}

func (s *server) open(id uint64, m protocol.SessionOpen) *peer {
	s.t.Helper()
	p := s.peer(id)
	s.send(id, m.Append(nil))
	return p
}

// state waits until the host has said something of this phase.
func (p *peer) state(phase protocol.SessionPhase) protocol.SessionState {
	p.srv.t.Helper()
	deadline := time.After(wait)
	for {
		p.mu.Lock()
		for _, m := range p.states {
			if m.Phase == phase {
				p.mu.Unlock()
				return m
			}
		}
		p.mu.Unlock()
		select {
		case <-p.said:
		case <-deadline:
			p.srv.t.Fatalf("session %d is not in phase %d", p.id, phase)
		}
	}
}

func (p *peer) write(text string) {
	p.srv.t.Helper()
	if err := p.in.Write(p.srv.t.Context(), []byte(text)); err != nil {
		p.srv.t.Fatal(err)
	}
}

// until reads until the output has this in it and returns what came so far.
func (p *peer) until(mark string) string {
	p.srv.t.Helper()
	var got []byte
	for !bytes.Contains(got, []byte(mark)) {
		piece, err := p.out.Next(p.srv.t.Context(), 1<<20)
		if err != nil {
			p.srv.t.Fatalf("%v after %q", err, got)
		}
		got = append(got, piece...)
		p.out.Done(len(piece))
	}
	return string(got)
}

// rest reads to the end.
func (p *peer) rest() []byte {
	p.srv.t.Helper()
	var got []byte
	for {
		piece, err := p.out.Next(p.srv.t.Context(), 1<<20)
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			p.srv.t.Fatal(err)
		}
		got = append(got, piece...)
		p.out.Done(len(piece))
	}
}

func (p *peer) close() { p.srv.send(p.id, protocol.AppendSessionClose(nil)) }

// TestShell types into a login shell and looks at what it finds there.
func TestShell(t *testing.T) {
	t.Parallel()
	s := newServer(t, terminal.Config{})
	p := s.open(1, protocol.SessionOpen{Rows: 33, Columns: 99})
	if m := p.state(protocol.SessionRuns); m.In != 0 || m.Out != 0 {
		t.Errorf("begins at %+v", m)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	p.write("stty -echo; PS1=; echo re''ady\n")
	p.until("ready")
	for _, tt := range [][2]string{
		{"stty size", "33 99"},
		{"tty | cut -c1-9", "/dev/pts/"},
		{"echo $TERM", "xterm-256color"},
		{"echo $0 | cut -c1", "-"},
		{"echo $HOME-$USER", me.HomeDir + "-" + me.Username},
		{"pwd", me.HomeDir},
		{"ps -o tpgid= -p $$ >/dev/null; echo $?", "0"},
		{"echo ERRAND${ERRAND_TASK_ID}", "ERRAND\r"},
		{"ls /proc/self/fd | wc -w", "4"}, // three and the folder itself
	} {
		p.write(tt[0] + "; echo e''nd\n")
		if got := p.until("end\r\n"); !strings.Contains(got, tt[1]) {
			t.Errorf("%s: %q, want %q", tt[0], got, tt[1])
		}
	}
	size := protocol.SessionResize{Rows: 50, Columns: 132}
	p.write("trap 'stty size' WINCH; echo tr''apped\n")
	p.until("trapped")
	s.send(1, size.Append(nil))
	p.write("\n") // some shells run traps between commands only
	p.until("50 132")
	p.write("exit 3\n")
	if m := p.state(protocol.SessionEnded); m.Cause != protocol.SessionExited || !m.Told || m.Code != 3 || m.Signal != 0 {
		t.Errorf("ends with %+v", m)
	}
	p.close()
	p = s.open(2, protocol.SessionOpen{Command: "kill -USR1 $$"})
	if m := p.state(protocol.SessionEnded); !m.Told || m.Code != 0 || m.Signal != uint64(syscall.SIGUSR1) {
		t.Errorf("a signal: %+v", m)
	}
}

// TestCommand runs one command line, as another user when that is allowed, and gets every byte of it.
func TestCommand(t *testing.T) {
	t.Parallel()
	s := newServer(t, terminal.Config{})
	if got := string(s.open(1, protocol.SessionOpen{Command: "echo one; test -t 0 && echo two"}).rest()); got != "one\r\ntwo\r\n" {
		t.Errorf("got %q", got)
	}
	const size = 5 << 20
	p := s.open(2, protocol.SessionOpen{Command: fmt.Sprintf("stty raw; head -c %d /dev/zero | tr '\\0' x; echo done", size)})
	if got := p.rest(); len(got) != size+len("done\n") || !bytes.HasSuffix(got, []byte("xdone\n")) {
		t.Errorf("%d bytes", len(got))
	}
	if os.Geteuid() != 0 {
		return
	}
	p = s.open(3, protocol.SessionOpen{User: "nobody", Command: "id -un; id -Gn"})
	if m := p.state(protocol.SessionEnded); m.Cause != protocol.SessionExited && !strings.Contains(m.Detail, "nobody") {
		t.Errorf("as nobody: %+v", m)
	}
}

// TestPaste sends more than any buffer on the way holds to a program that reads it slowly.
func TestPaste(t *testing.T) {
	t.Parallel()
	s := newServer(t, terminal.Config{})
	const size = 1 << 20
	p := s.open(1, protocol.SessionOpen{Command: fmt.Sprintf("stty raw -echo; echo go; sleep 0.3; head -c %d | cksum", size)})
	p.until("go")
	paste := make([]byte, size)
	for i := range paste {
		paste[i] = byte(i*7 + i>>8)
	}
	p.write(string(paste))
	want := fmt.Sprintf("%d %d", cksum(paste), size)
	if got := strings.TrimSpace(string(p.rest())); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// cksum is what cksum(1) computes.
func cksum(data []byte) uint32 {
	var crc uint32
	step := func(b byte) {
		crc ^= uint32(b) << 24
		for range 8 {
			if crc&(1<<31) != 0 {
				crc = crc<<1 ^ 0x04c11db7
			} else {
				crc <<= 1
			}
		}
	}
	for _, b := range data {
		step(b)
	}
	for n := len(data); n > 0; n >>= 8 {
		step(byte(n))
	}
	return ^crc
}

// TestClose hangs up on a shell and what runs in its foreground, also when that does not want to go.
func TestClose(t *testing.T) {
	t.Parallel()
	s := newServer(t, terminal.Config{Grace: 200 * time.Millisecond})
	for i, command := range []string{
		"echo pid $$ && exec sleep 1000",
		"trap '' HUP; echo pid $$; while :; do sleep 1; done",
		"set -m; sh -c 'trap \"\" HUP TERM; echo pid $$; while :; do sleep 1; done'",
	} {
		p := s.open(uint64(i+1), protocol.SessionOpen{Command: command})
		fields := strings.Fields(p.until("\n"))
		pid, err := strconv.Atoi(fields[len(fields)-1])
		if err != nil {
			t.Fatal(err)
		}
		p.close()
		if m := p.state(protocol.SessionEnded); m.Cause != protocol.SessionClosed {
			t.Errorf("%s: %+v", command, m)
		}
		deadline := time.Now().Add(wait)
		for syscall.Kill(pid, 0) == nil {
			if time.Now().After(deadline) {
				t.Fatalf("%s: still there", command)
			}
			time.Sleep(5 * time.Millisecond)
		}
		// Whatever comes later finds a session that is over, and starts no other.
		again := s.peer(uint64(i + 1))
		open := protocol.SessionOpen{Command: command}
		s.send(again.id, open.Append(nil))
		if m := again.state(protocol.SessionEnded); m.Cause != protocol.SessionUnknown {
			t.Errorf("opened again: %+v", m)
		}
	}
}

// TestLeftBehind ends a session with its shell although something in the background holds its terminal open and prints on.
func TestLeftBehind(t *testing.T) {
	t.Parallel()
	s := newServer(t, terminal.Config{})
	p := s.open(1, protocol.SessionOpen{Command: "(trap '' HUP; sleep 3) & echo last words"})
	began := time.Now()
	if got := string(p.rest()); !strings.Contains(got, "last words") {
		t.Errorf("got %q", got)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
}

// TestSilence gives up what the server does not ask for any more.
func TestSilence(t *testing.T) {
	t.Parallel()
	s := newServer(t, terminal.Config{Silence: 300 * time.Millisecond})
	p := s.open(1, protocol.SessionOpen{Command: "sleep 1000"})
	if m := p.state(protocol.SessionEnded); m.Cause != protocol.SessionAbandoned {
		t.Errorf("%+v", m)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := newServer(t, terminal.Config{})
	for i, tt := range []struct {
		open   protocol.SessionOpen
		detail string
	}{
		{protocol.SessionOpen{User: "no-such-user-here"}, "UserNotFound"},
		{protocol.SessionOpen{User: "$(id)"}, "InvalidUser"},
		{protocol.SessionOpen{Port: 80, Host: "169.254.169.254"}, "not allowed"},
		{protocol.SessionOpen{Port: 80, Host: "::ffff:169.254.169.254"}, "not allowed"},
		{protocol.SessionOpen{Port: 80, Host: "100.100.100.200"}, "not allowed"},
		{protocol.SessionOpen{Port: 80, Host: "fe80::1"}, "not allowed"},
		{protocol.SessionOpen{Port: 80, Host: "0.0.0.0"}, "not allowed"},
		{protocol.SessionOpen{Port: 80, Host: "224.0.0.1"}, "not allowed"},
		{protocol.SessionOpen{Port: 1}, "refused"},
	} {
		m := s.open(uint64(i+1), tt.open).state(protocol.SessionEnded)
		if m.Cause != protocol.SessionNeverBegan || !strings.Contains(m.Detail, tt.detail) {
			t.Errorf("%+v: %+v", tt.open, m)
		}
	}
	// What is not there is said not to be, whatever was sent; what is no message at all is passed over.
	stray := s.peer(99)
	stray.close()
	if m := stray.state(protocol.SessionEnded); m.Cause != protocol.SessionUnknown {
		t.Errorf("close of nothing: %+v", m)
	}
	for _, msg := range [][]byte{nil, {byte(protocol.KindSessionOpen), 0xff}, {200}} {
		s.send(100, msg)
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()
	s := newServer(t, terminal.Config{})
	for i := range terminal.MaxSessions {
		s.open(uint64(i+1), protocol.SessionOpen{Command: "cat"})
	}
	if m := s.open(50, protocol.SessionOpen{Command: "cat"}).state(protocol.SessionEnded); m.Cause != protocol.SessionTooMany {
		t.Errorf("one too many: %+v", m)
	}
	s.sessions[1].close()
	s.sessions[1].state(protocol.SessionEnded)
	s.open(51, protocol.SessionOpen{Command: "cat"}).state(protocol.SessionRuns)
}

// TestForward carries bytes to a TCP server on this machine and back.
func TestForward(t *testing.T) {
	t.Parallel()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lis.Close() })
	go func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.CopyN(conn, conn, 5)
			}()
		}
	}()
	s := newServer(t, terminal.Config{})
	port := uint64(lis.Addr().(*net.TCPAddr).Port)
	for i, host := range []string{"", "127.0.0.1"} {
		p := s.open(uint64(i+1), protocol.SessionOpen{Port: port, Host: host})
		p.write("hello")
		if got := string(p.rest()); got != "hello" {
			t.Errorf("got %q", got)
		}
	}
}
