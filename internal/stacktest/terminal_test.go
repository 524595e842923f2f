package stacktest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/internal/api/native"
	"errand/internal/cast"
	"errand/internal/client"
	"errand/internal/server"
	"errand/internal/session"
)

// nativeClient is a client of the native API at an address.
func nativeClient(tb testing.TB, url string) *client.Client {
	tb.Helper()
	c, err := client.New(client.Config{URL: url, KeyID: KeyID, Secret: Secret, Agent: "stacktest"})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// ownTerminal is a terminal as the command line has it.
type ownTerminal struct {
	*client.Terminal
	tb    testing.TB
	start native.SessionStart
	done  chan struct{}
	end   client.TerminalEnd
	err   error

	mu      sync.Mutex
	got     []byte
	notices []client.Notice
	news    chan struct{}
}

// ownTerminal starts a session and connects to it.
func startOwn(tb testing.TB, c *client.Client, order map[string]any) *ownTerminal {
	tb.Helper()
	var start native.SessionStart
	if err := c.Call(tb.Context(), http.MethodPost, "sessions", nil, order, &start); err != nil {
		tb.Fatal(err)
	}
	return joinOwn(tb, c, start, false)
}

func joinOwn(tb testing.TB, c *client.Client, start native.SessionStart, watch bool) *ownTerminal {
	tb.Helper()
	t := &ownTerminal{Terminal: c.Terminal(start.URL, start.Token), tb: tb, start: start, done: make(chan struct{}), news: make(chan struct{}, 1)}
	t.Watch = watch
	t.Output = func(b []byte) error {
		t.note(func() { t.got = append(t.got, b...) })
		return nil
	}
	t.Notice = func(n client.Notice) { t.note(func() { t.notices = append(t.notices, n) }) }
	ctx, cancel := context.WithCancel(tb.Context())
	go func() {
		defer close(t.done)
		t.end, t.err = t.Run(ctx)
	}()
	tb.Cleanup(func() {
		cancel()
		<-t.done
	})
	return t
}

func (t *ownTerminal) note(fn func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fn()
	select {
	case t.news <- struct{}{}:
	default:
	}
}

// until waits until the output, or what is known about the session, is as wanted.
func (t *ownTerminal) until(what string, ok func() bool) {
	t.tb.Helper()
	deadline := time.After(60 * time.Second)
	for {
		t.mu.Lock()
		is := ok()
		t.mu.Unlock()
		if is {
			return
		}
		select {
		case <-t.news:
		case <-t.done:
			if t.mu.Lock(); !ok() {
				t.tb.Errorf("waiting for %s: ended with %+v, %v after %q", what, t.end, t.err, t.got)
			}
			t.mu.Unlock()
			return
		case <-deadline:
			t.mu.Lock()
			defer t.mu.Unlock()
			t.tb.Fatalf("waiting for %s: %d bytes, %+v", what, len(t.got), t.notices)
		}
	}
}

func (t *ownTerminal) printed(text string) {
	t.tb.Helper()
	t.until(text, func() bool { return bytes.Contains(t.got, []byte(text)) })
}

func (t *ownTerminal) say(text string) {
	t.tb.Helper()
	if _, err := t.Write([]byte(text)); err != nil {
		t.tb.Fatal(err)
	}
}

// ends waits for the end and checks why it came.
func (t *ownTerminal) ends(reason string) {
	t.tb.Helper()
	select {
	case <-t.done:
	case <-time.After(60 * time.Second):
		t.tb.Fatal("does not end")
	}
	if t.err != nil || t.end.Reason != reason {
		t.tb.Errorf("ends with %+v, %v, want %s", t.end, t.err, reason)
	}
}

// TestOwnTerminal is the path of one terminal of our own: size, input, output, exit code, and what its row says about it afterwards.
func TestOwnTerminal(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.AddNode(t, "n")
	c := nativeClient(t, s.URL)
	term := startOwn(t, c, map[string]any{"node": "n", "rows": 33, "cols": 99})
	term.say("stty -echo; PS1=; stty size; echo re''ady\n")
	term.printed("33 99\r\nready")
	term.Resize(41, 121)
	term.say("while [ \"$(stty size)\" != '41 121' ]; do :; done; echo re''sized\n")
	term.printed("resized")

	var watcher native.SessionStart
	if err := c.Call(t.Context(), http.MethodPost, "sessions/"+term.start.ID+"/watch", nil, nil, &watcher); err != nil {
		t.Fatal(err)
	}
	onlooker := joinOwn(t, c, watcher, true)
	term.until("somebody who looks on", func() bool {
		return slices.ContainsFunc(term.notices, func(n client.Notice) bool { return n.Watchers != nil && *n.Watchers == 1 })
	})
	onlooker.say("echo typed by who''m\n")
	term.say("echo for two; exit 7\n")
	onlooker.printed("for two")
	term.ends("exited")
	onlooker.ends("exited")
	if term.end.ExitCode == nil || *term.end.ExitCode != 7 || bytes.Contains(term.got, []byte("whom")) {
		t.Errorf("%+v after %q", term.end, term.got)
	}
	var row native.Session
	if err := c.Call(t.Context(), http.MethodGet, "sessions/"+term.start.ID, nil, nil, &row); err != nil {
		t.Fatal(err)
	}
	if row.State != "terminated" || row.EndedAt == nil || row.Nodes[0].ExitCode == nil || *row.Nodes[0].ExitCode != 7 {
		t.Errorf("%+v", row)
	}

	term = startOwn(t, c, map[string]any{"node": "n", "command": "kill -TERM $$"})
	term.ends("exited")
	if term.end.Signal != 15 || term.end.ExitCode != nil {
		t.Errorf("%+v", term.end)
	}
	term = startOwn(t, c, map[string]any{"node": "n", "command": "echo here; sleep 1000"})
	term.printed("here")
	term.End()
	term.ends("ended")
}

// echo is a program that gives back what it gets, to the byte.
const echo = "stty raw -echo; echo go; exec cat"

// throughBreaks sends much through an echo while breaks happens again and again, and wants all of it back.
func throughBreaks(t *testing.T, c *client.Client, term *ownTerminal, size int, breaks func(i int) bool) {
	t.Helper()
	term.printed("go\n")
	want := make([]byte, size)
	rng := rand.New(rand.NewPCG(uint64(size), 7))
	for i := range want {
		want[i] = byte(rng.Uint32())
	}
	var writing sync.WaitGroup
	writing.Go(func() {
		for piece := range slices.Chunk(want, 1000) {
			if _, err := term.Write(piece); err != nil {
				t.Errorf("write: %v", err)
				return
			}
		}
	})
	for i := 0; breaks(i); i++ {
		term.mu.Lock()
		n := len(term.got)
		term.mu.Unlock()
		term.until("progress", func() bool { return len(term.got) > n || len(term.got) >= len("go\n")+size })
	}
	writing.Wait()
	term.until("everything", func() bool { return len(term.got) >= len("go\n")+size })
	if got := bytes.TrimPrefix(term.got, []byte("go\n")); !bytes.Equal(got, want) {
		n := 0
		for n < min(len(got), len(want)) && got[n] == want[n] {
			n++
		}
		t.Errorf("%d bytes came back of %d; the first that differs is %d", len(got), len(want), n)
	}
	term.End()
	term.ends("ended")
	var text strings.Builder
	for _, r := range string(term.got) { // as text, which a recording is
		text.WriteRune(r)
	}
	if got := recorded(t, c, term.start.ID, cast.Output); got != text.String() {
		t.Errorf("%d bytes were recorded of %d, or others", len(got), text.Len())
	}
}

// recorded is what the recording of a session has of one kind.
func recorded(t *testing.T, c *client.Client, id string, kind byte) string {
	t.Helper()
	file, _, err := c.Bytes(t.Context(), http.MethodGet, "sessions/"+id+"/recording", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	head, events, _ := bytes.Cut(file, []byte("\n"))
	var h cast.Header
	if err := json.Unmarshal(head, &h); err != nil || h.Version != 2 || h.Width == 0 || h.Height == 0 || h.Timestamp == 0 {
		t.Errorf("head %s: %v", head, err)
	}
	var (
		text strings.Builder
		at   time.Duration
	)
	for e, err := range cast.Events(events) {
		if err != nil {
			t.Fatal(err)
		}
		if e.At < at {
			t.Errorf("%v after %v", e.At, at)
		}
		if at = e.At; e.Kind == kind {
			text.WriteString(e.Data)
		}
	}
	return text.String()
}

// TestRecordings shows and finds what terminals printed, and what was typed only where that was asked for.
func TestRecordings(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.AddNode(t, "n")
	c := nativeClient(t, s.URL)
	shell := startOwn(t, c, map[string]any{"node": "n", "command": "stty -echo; echo go; read x; stty size; printf 'The \\033[31mNee\\033[0mdle\\r\\n'; sleep 0.1; exit 3", "rows": 30, "cols": 90})
	shell.printed("go")
	shell.Resize(31, 91)
	shell.say("typed\n")
	shell.ends("exited")
	if got := recorded(t, c, shell.start.ID, cast.Output); got != string(shell.got) || !strings.Contains(got, "Nee") {
		t.Errorf("%q, want %q", got, shell.got)
	}
	if got := recorded(t, c, shell.start.ID, cast.Input); got != "" {
		t.Errorf("input %q", got)
	}
	if got := recorded(t, c, shell.start.ID, cast.Resize); got != "91x31" {
		t.Errorf("sizes %q", got)
	}
	both := startOwn(t, c, map[string]any{"node": "n", "command": "stty -echo; echo go; read x; yes needle | head -n 30; sleep 1000", "record": true, "record_input": true})
	both.printed("go")
	both.say("typed\n")
	both.printed("needle")
	none := startOwn(t, c, map[string]any{"node": "n", "command": "echo needle", "record": false})
	none.ends("exited")
	if _, _, err := c.Bytes(t.Context(), http.MethodGet, "sessions/"+none.start.ID+"/recording", nil, nil); err == nil || !strings.Contains(err.Error(), "was not recorded") {
		t.Errorf("of a session that was not recorded: %v", err)
	}
	vendor, begun := s.Client().terminal(t, url.Values{"CommandLine": {"echo needle of a vendor"}}, "n")
	vendor.End()
	search := func(q string) (list native.Recordings) {
		t.Helper()
		if err := c.Call(t.Context(), http.MethodGet, "recordings", url.Values{"q": {q}}, nil, &list); err != nil {
			t.Fatal(err)
		}
		return list
	}
	Eventually(t, soon, func() error { // the one that goes on is stored second by second
		list := search("NEEDLE").Recordings
		if len(list) != 3 || list[1].Total != 30 || len(list[1].Matches) != 20 {
			return fmt.Errorf("found %+v", list)
		}
		if list[2].ID != shell.start.ID || list[2].Matches[0].Text != "The Needle" || list[2].EndedAt == nil || list[2].By != "root" || list[1].EndedAt != nil {
			return fmt.Errorf("found %+v", list)
		}
		if begun.SessionID != "s-"+list[0].ID {
			return fmt.Errorf("found %+v", list)
		}
		return nil
	})
	if got := recorded(t, c, both.start.ID, cast.Input); got != "typed\n" {
		t.Errorf("input %q", got)
	}
	if list := search("").Recordings; len(list) != 3 {
		t.Errorf("%d recordings", len(list))
	}
	if list := search("typed").Recordings; len(list) != 0 {
		t.Errorf("found what was typed: %+v", list)
	}
}

// TestTerminalThroughCutCables loses and repeats no byte in either direction although the caller's network, and then the node's, breaks again and
// again.
func TestTerminalThroughCutCables(t *testing.T) {
	t.Parallel()
	s, far := wired(t, session.Limits{})
	s.AddNode(t, "n")
	cable := newCable(t, s.HostPort, nil)
	c := nativeClient(t, "http://"+cable.lis.Addr().String())
	term := startOwn(t, c, map[string]any{"node": "n", "command": echo, "record": true})
	throughBreaks(t, nativeClient(t, s.URL), term, 3<<20, func(i int) bool {
		cable.set(true)
		cable.set(false)
		if i%10 == 9 {
			far.set(true)
			far.set(false)
		}
		return i < 25
	})
	lost := 0
	for _, n := range term.notices {
		if n.Lost != nil {
			lost++
		}
	}
	if lost < 5 {
		t.Errorf("the connection broke only %d times", lost)
	}
}

// TestTerminalThroughServerKills is the same with a server that is killed.
func TestTerminalThroughServerKills(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.startServer()
	i.startAgent()
	i.online()
	c := nativeClient(t, "http://"+i.listen)
	term := startOwn(t, c, map[string]any{"node": "i-node", "command": echo, "record": true})
	throughBreaks(t, c, term, 3<<20, func(n int) bool {
		i.kill(i.server)
		i.startServer()
		return n < 2
	})
}

// TestTerminalFaults says clearly why there is no terminal, or none any more.
func TestTerminalFaults(t *testing.T) {
	t.Parallel()
	s := Start(t, QuietServer, func(c *server.Config) { c.Sessions.Tick = 50 * time.Millisecond })
	s.AddNode(t, "n")
	c := nativeClient(t, s.URL)
	call := func(path string, order map[string]any) error {
		return c.Call(t.Context(), http.MethodPost, path, nil, order, nil)
	}
	for says, err := range map[string]error{
		"no such node":       call("sessions", map[string]any{"node": "nobody"}),
		"no such session":    call("sessions/x/watch", nil),
		"not a TCP port":     call("sessions", map[string]any{"node": "n", "port": 70000}),
		"1 to 3600":          call("sessions", map[string]any{"node": "n", "idle_seconds": 99999}),
		"the input is recor": call("sessions", map[string]any{"node": "n", "record": false, "record_input": true}),
	} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}

	startOwn(t, c, map[string]any{"node": "n", "command": "while :; do echo x; sleep 0.1; done", "idle_seconds": 1}).ends("idle")
	startOwn(t, c, map[string]any{"node": "n", "command": "sleep 1000", "limit_seconds": 1}).ends("limit")
	term := startOwn(t, c, map[string]any{"node": "n", "user": "no-such-user-here"})
	if term.ends("failed"); !strings.Contains(term.end.Message, "no-such-user-here") {
		t.Errorf("%+v", term.end)
	}

	// A token that is wrong, or of a session that is over, opens nothing.
	for _, token := range []string{term.start.Token, strings.Repeat("0", 64)} {
		again := joinOwn(t, c, native.SessionStart{URL: term.start.URL, Token: token}, false)
		<-again.done
		if token != term.start.Token && (again.err == nil || !strings.Contains(again.err.Error(), "no such session")) {
			t.Errorf("joined with a wrong token: %+v %v", again.end, again.err)
		}
	}

	// Somebody else takes it over, and whoever was there hears so.
	term = startOwn(t, c, map[string]any{"node": "n", "command": echo})
	term.printed("go")
	var ticket native.SessionStart
	if err := c.Call(t.Context(), http.MethodPost, "sessions/"+term.start.ID+"/take", nil, nil, &ticket); err != nil {
		t.Fatal(err)
	}
	heir := joinOwn(t, c, ticket, false)
	<-term.done
	if term.err == nil || !strings.Contains(term.err.Error(), "taken the session over") {
		t.Errorf("taken over: %+v %v", term.end, term.err)
	}
	heir.say("mine")
	heir.printed("mine")
	if err := c.Call(t.Context(), http.MethodDelete, "sessions/"+term.start.ID, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	heir.ends("ended")
}

// wired starts a stack whose nodes are behind a cable.
func wired(t *testing.T, limits session.Limits) (*Stack, *cable) {
	t.Helper()
	agents := freeAddr(t)
	far := newCable(t, agents, nil)
	return Start(t, QuietServer, func(c *server.Config) {
		c.AgentListen, c.Advertise, c.Sessions = agents, far.lis.Addr().String(), limits
	}), far
}

// TestTerminalOfANodeThatGoesAway says so, and gives the terminal up when it has waited long enough.
func TestTerminalOfANodeThatGoesAway(t *testing.T) {
	t.Parallel()
	s, far := wired(t, session.Limits{Silence: 3 * time.Second, Tick: 50 * time.Millisecond})
	stop := s.AddNode(t, "n")
	c := nativeClient(t, s.URL)
	lost := startOwn(t, c, map[string]any{"node": "n", "command": "echo here; sleep 1000"})
	lost.printed("here")
	term := startOwn(t, c, map[string]any{"node": "n", "command": "echo here; sleep 1000"})
	term.printed("here")
	far.set(true)
	term.until("word of the node's absence", func() bool {
		return slices.ContainsFunc(term.notices, func(n client.Notice) bool { return n.Online != nil && !*n.Online })
	})
	term.ends("silent")
	lost.ends("silent")
	Eventually(t, soon, func() error {
		var row native.Session
		if err := c.Call(t.Context(), http.MethodGet, "sessions/"+term.start.ID, nil, nil, &row); err != nil {
			return err
		}
		if row.State != "disconnected" || row.Nodes[0].Reason != "by_node" {
			return fmt.Errorf("%+v", row)
		}
		return nil
	})
	startOwn(t, c, map[string]any{"node": "n"}).ends("offline")
	far.set(false)
	Eventually(t, late, func() error {
		found, err := s.Server.Service.NodesByID(t.Context(), s.Server.RootCaller(), []string{"n"})
		if err == nil && !s.Server.Service.Connected(found["n"].Key) {
			err = errors.New("still away")
		}
		return err
	})
	term = startOwn(t, c, map[string]any{"node": "n", "command": "echo here; sleep 1000"})
	term.printed("here")
	stop() // in order, with a word of farewell
	term.ends("lost")
}
