package stacktest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"errand/internal/server"
	"errand/internal/session"
	"errand/internal/session/sessiontest"
)

// started is the answer to StartTerminalSession.
type started struct {
	SessionID     string `json:"SessionId"`
	SecurityToken string
	WebSocketURL  string `json:"WebSocketUrl"`
}

func (c *Client) startTerminal(tb testing.TB, params url.Values, nodes ...string) started {
	tb.Helper()
	p := url.Values{}
	for name, values := range params {
		p[name] = values
	}
	for i, n := range nodes {
		p.Set(fmt.Sprintf("InstanceId.%d", i+1), n)
	}
	var s started
	if err := c.Call(tb.Context(), "StartTerminalSession", p, &s); err != nil {
		tb.Fatal(err)
	}
	return s
}

// terminal starts a session and connects to it.
func (c *Client) terminal(tb testing.TB, params url.Values, nodes ...string) (*sessiontest.Client, started) {
	tb.Helper()
	s := c.startTerminal(tb, params, nodes...)
	return dial(tb, s.WebSocketURL), s
}

func dial(tb testing.TB, url string) *sessiontest.Client {
	tb.Helper()
	t, status := sessiontest.Dial(tb, url, nil)
	if t == nil {
		tb.Fatalf("refused with %d", status)
	}
	return t
}

func refused(tb testing.TB, url string, header http.Header, want int) {
	tb.Helper()
	if _, status := sessiontest.Dial(tb, url, header); status != want {
		tb.Errorf("%s: status %d, want %d", url, status, want)
	}
}

// shownConnection is what DescribeTerminalSessions says about a connection.
type shownConnection struct {
	InstanceID   string `json:"InstanceId"`
	Status       string
	ClosedReason string
	FailedDetail string
	StartTime    string
	EndTime      string
}

func (c *Client) connections(tb testing.TB, id string) []shownConnection {
	tb.Helper()
	var answer struct {
		Sessions struct {
			Session []struct {
				Connections struct{ Connection []shownConnection }
			}
		}
	}
	if err := c.Call(tb.Context(), "DescribeTerminalSessions", url.Values{"SessionId": {id}}, &answer); err != nil {
		tb.Fatal(err)
	}
	if n := len(answer.Sessions.Session); n != 1 {
		tb.Fatalf("%d sessions", n)
	}
	return answer.Sessions.Session[0].Connections.Connection
}

// expectEnd reads to the end of a terminal and checks the last word.
func expectEnd(tb testing.TB, t *sessiontest.Client, want ...string) []byte {
	tb.Helper()
	output, statuses := t.End()
	if !slices.Equal(statuses, want) {
		tb.Errorf("ends with %q, want %q", statuses, want)
	}
	return output
}

func expectConnection(tb testing.TB, c *Client, id string, status, reason string) {
	tb.Helper()
	Eventually(tb, soon, func() error {
		if conn := c.connections(tb, id)[0]; conn.Status != status || conn.ClosedReason != reason {
			return fmt.Errorf("connection is %+v, want %s %s", conn, status, reason)
		}
		return nil
	})
}

// TestTerminal is the whole path of one terminal: from the call to a real shell and to its end.
func TestTerminal(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.AddNode(t, "i-one")
	c := s.Client()
	var agents struct {
		InstanceCloudAssistantStatusSet struct {
			InstanceCloudAssistantStatus []struct{ SupportSessionManager bool }
		}
	}
	if err := c.Call(t.Context(), "DescribeCloudAssistantStatus", url.Values{"InstanceId.1": {"i-one"}}, &agents); err != nil {
		t.Fatal(err)
	}
	if list := agents.InstanceCloudAssistantStatusSet.InstanceCloudAssistantStatus; len(list) != 1 || !list[0].SupportSessionManager {
		t.Errorf("agents: %+v", list)
	}

	begun := c.startTerminal(t, nil, "i-one")
	if want := "ws://" + s.HostPort + "/session?sessionId=" + begun.SessionID + "&token=" + begun.SecurityToken; begun.WebSocketURL != want {
		t.Errorf("URL %s, want %s", begun.WebSocketURL, want)
	}
	if conn := c.connections(t, begun.SessionID)[0]; conn.Status != "Connecting" || conn.StartTime != "" {
		t.Errorf("before anybody joined: %+v", conn)
	}
	refused(t, strings.Replace(begun.WebSocketURL, "token=", "token=0", 1), nil, http.StatusForbidden)
	refused(t, strings.Split(begun.WebSocketURL, "&")[0], nil, http.StatusBadRequest)
	refused(t, begun.WebSocketURL, http.Header{"Origin": {"https://elsewhere.example.com"}}, http.StatusForbidden)

	// The vendor's tool spells the id in its own way and sends the token in a header.
	bare := "ws://" + s.HostPort + "/session?sessionid=" + begun.SessionID
	term, status := sessiontest.Dial(t, bare, http.Header{"X-Acs-Session-Token": {begun.SecurityToken}})
	if term == nil {
		t.Fatalf("refused with %d", status)
	}
	term.Prompt()
	term.Resize(41, 121)
	Eventually(t, soon, func() error {
		if got := term.Run("stty size"); got != "41 121\n" {
			return fmt.Errorf("size %q", got)
		}
		return nil
	})
	if got := term.Run("tty | cut -c1-9; echo $TERM; echo $((6*7))"); got != "/dev/pts/\nxterm-256color\n42\n" {
		t.Errorf("got %q", got)
	}
	if conn := c.connections(t, begun.SessionID)[0]; conn.Status != "Connected" || conn.StartTime == "" || conn.EndTime != "" || conn.InstanceID != "i-one" {
		t.Errorf("while it is used: %+v", conn)
	}
	term.Type("echo bye; exit\n")
	if out := expectEnd(t, term, "5 Exit"); !bytes.Contains(out, []byte("bye\r\n")) {
		t.Errorf("last words %q", out)
	}
	if conn := c.connections(t, begun.SessionID)[0]; conn.Status != "Terminated" || conn.ClosedReason != "AgentSocketClosed" || conn.EndTime == "" {
		t.Errorf("after the shell's end: %+v", conn)
	}
	refused(t, begun.WebSocketURL, nil, http.StatusForbidden)
}

// TestTerminalEnds ends terminals from either side, and by the clock.
func TestTerminalEnds(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.AddNode(t, "i-one")
	c := s.Client()
	sleep := url.Values{"CommandLine": {"echo here; sleep 1000"}}

	term, begun := c.terminal(t, sleep, "i-one")
	term.Until("here")
	if err := term.Send(sessiontest.Close, []byte("1")); err != nil {
		t.Fatal(err)
	}
	expectEnd(t, term, "5 Exit")
	expectConnection(t, c, begun.SessionID, "Terminated", "ClientClosed")

	term, begun = c.terminal(t, sleep, "i-one")
	term.Until("here")
	if err := c.Call(t.Context(), "EndTerminalSession", url.Values{"SessionId": {begun.SessionID}}, &struct{}{}); err != nil {
		t.Fatal(err)
	}
	expectEnd(t, term, "5 Exit")
	expectConnection(t, c, begun.SessionID, "Terminated", "ClientClosed")
	refused(t, begun.WebSocketURL, nil, http.StatusForbidden)

	begun = c.startTerminal(t, sleep, "i-one")
	if err := c.Call(t.Context(), "EndTerminalSession", url.Values{"SessionId": {begun.SessionID}}, &struct{}{}); err != nil {
		t.Fatal(err)
	}
	refused(t, begun.WebSocketURL, nil, http.StatusForbidden)

	term, begun = c.terminal(t, url.Values{"Username": {"no-such-user-here"}}, "i-one")
	_, statuses := term.End()
	if len(statuses) != 1 || !strings.HasPrefix(statuses[0], "2 ") || !strings.Contains(statuses[0], "no-such-user-here") {
		t.Errorf("a user who is not there: %q", statuses)
	}
	if conn := c.connections(t, begun.SessionID)[0]; conn.Status != "Failed" || !strings.Contains(conn.FailedDetail, "no-such-user-here") {
		t.Errorf("a user who is not there: %+v", conn)
	}
}

// TestTerminalLimits has short ones.
func TestTerminalLimits(t *testing.T) {
	t.Parallel()
	const long, short = time.Minute, 400 * time.Millisecond
	sleep := url.Values{"CommandLine": {"while :; do echo here; sleep 0.05; done"}} // what a node prints keeps no terminal alive
	for name, tt := range map[string]struct {
		limits         session.Limits
		leave          bool
		status, reason string
	}{
		"idle":    {session.Limits{Idle: short, Hard: long, Rejoin: long}, false, "Terminated", "ClientClosed"},
		"hard":    {session.Limits{Idle: long, Hard: short, Rejoin: long}, false, "Terminated", "ClientClosed"},
		"gone":    {session.Limits{Idle: long, Hard: long, Rejoin: short}, true, "Disconnected", "ClientClosed"},
		"kept on": {session.Limits{Idle: long, Hard: long, Rejoin: long}, true, "Connected", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.limits.Tick = 20 * time.Millisecond
			s := Start(t, func(c *server.Config) { c.Sessions = tt.limits })
			s.AddNode(t, "i-one")
			c := s.Client()
			term, begun := c.terminal(t, sleep, "i-one")
			term.Until("here")
			if tt.leave {
				_ = term.Conn.CloseNow()
			} else {
				expectEnd(t, term, "5 AgentTimeout")
			}
			expectConnection(t, c, begun.SessionID, tt.status, tt.reason)
		})
	}
}

// TestTerminalExpires lets nobody in after ten minutes, but for those who were in before.
func TestTerminalExpires(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	s := Start(t, func(c *server.Config) {
		c.Sessions.Sweep = 50 * time.Millisecond
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	s.AddNode(t, "i-one")
	c := s.Client()
	sleep := url.Values{"CommandLine": {"echo here; sleep 1000"}}
	unused := c.startTerminal(t, sleep, "i-one")
	term, used := c.terminal(t, sleep, "i-one")
	term.Until("here")
	ahead.Store(int64(11 * time.Minute))
	refused(t, unused.WebSocketURL, nil, http.StatusForbidden)
	again := dial(t, used.WebSocketURL)
	expectEnd(t, term, "5 SessionIdDuplicated")
	expectConnection(t, c, unused.SessionID, "Failed", "DeliveryTimeout")
	if err := again.Send(sessiontest.Close, []byte("1")); err != nil {
		t.Fatal(err)
	}
	expectEnd(t, again, "5 Exit")
}

// TestTerminalTakeover goes on where another connection left off.
func TestTerminalTakeover(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.AddNode(t, "i-one")
	c := s.Client()
	first, begun := c.terminal(t, nil, "i-one")
	first.Prompt()
	first.Run("x=kept")
	second := dial(t, begun.WebSocketURL)
	expectEnd(t, first, "5 SessionIdDuplicated")
	if got := second.Run("echo $x"); got != "kept\n" {
		t.Errorf("after the first takeover: %q", got)
	}
	// What is printed while nobody is there is not lost, whatever there is of it.
	second.Type("echo le''aving; sleep 0.2; seq 1 200000; echo that was' 'all\n")
	second.Until("leaving\r\n")
	_ = second.Conn.CloseNow()
	time.Sleep(time.Second) // a window is full, and the rest waits in the shell
	third := dial(t, begun.WebSocketURL)
	var want strings.Builder
	for i := range 200_000 {
		fmt.Fprintf(&want, "%d\r\n", i+1)
	}
	if got := third.Until("that was all\r\n"); got != want.String()+"that was all\r\n" {
		t.Errorf("%d bytes, want %d", len(got), want.Len())
	}
	third.Type("exit\n")
	expectEnd(t, third, "5 Exit")
}

// TestTerminalBulk moves much in both directions, past a client that does not read at all.
func TestTerminalBulk(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.AddNode(t, "i-one")
	c := s.Client()
	c.terminal(t, url.Values{"CommandLine": {"yes 0123456789"}}, "i-one") // never read

	const paste = 1 << 20
	term, _ := c.terminal(t, url.Values{"CommandLine": {fmt.Sprintf("stty raw -echo; echo go; head -c %d | sha256sum", paste)}}, "i-one")
	term.Until("go\n")
	data := make([]byte, paste)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	for piece := range slices.Chunk(data, 100_000) {
		if err := term.Send(sessiontest.Input, piece); err != nil {
			t.Fatal(err)
		}
	}
	sum := sha256.Sum256(data)
	if got := expectEnd(t, term, "5 Exit"); !bytes.HasPrefix(got, []byte(hex.EncodeToString(sum[:])+" ")) {
		t.Errorf("pasted: %q, want %x", got, sum)
	}

	const lines = 6_400_000 // 50 MB
	term, _ = c.terminal(t, url.Values{"CommandLine": {fmt.Sprintf("stty raw; seq 1 %d", lines)}}, "i-one")
	got := sha256.Sum256(expectEnd(t, term, "5 Exit"))
	h := sha256.New()
	var line []byte
	for i := range lines {
		line = append(strconv.AppendInt(line[:0], int64(i+1), 10), '\n')
		h.Write(line)
	}
	if want := h.Sum(nil); !bytes.Equal(got[:], want) {
		t.Errorf("50 MB of output: %x, want %x", got, want)
	}
}

// TestTerminalForward reaches a TCP server through a node, and nothing that is the node's own business.
func TestTerminalForward(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.AddNode(t, "i-one")
	c := s.Client()
	lis, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lis.Close() })
	go func() {
		conn, err := lis.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.CopyN(conn, conn, 10)
	}()
	port := strconv.Itoa(lis.Addr().(*net.TCPAddr).Port)
	term, _ := c.terminal(t, url.Values{"PortNumber": {port}, "TargetServer": {"localhost"}}, "i-one")
	term.Type("hello")
	term.Until("hello")
	term.Type("again")
	if out := expectEnd(t, term, "5 Exit"); string(out) != "again" {
		t.Errorf("echoed %q", out)
	}

	var denied started
	err = c.Call(t.Context(), "StartTerminalSession", url.Values{
		"InstanceId.1": {"i-one"}, "PortNumber": {"80"}, "TargetServer": {"169.254.169.254"},
	}, &denied)
	if err == nil || !strings.Contains(err.Error(), "InvalidOperation.SecurityGroupRuleDenied") {
		t.Errorf("a metadata address: %v", err)
	}
	term, begun := c.terminal(t, url.Values{"PortNumber": {"80"}, "TargetServer": {"100.100.100.200"}}, "i-one")
	if _, statuses := term.End(); len(statuses) != 1 || !strings.Contains(statuses[0], "not allowed") {
		t.Errorf("another metadata address: %q", statuses)
	}
	expectConnection(t, c, begun.SessionID, "Failed", "AgentSocketClosed")
}

// TestTerminalsOfSeveralNodes has one connection for all of them; frames name the one that is meant.
func TestTerminalsOfSeveralNodes(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.AddNode(t, "i-one")
	s.AddNode(t, "i-two")
	stop := s.AddNode(t, "i-away")
	stop()
	Eventually(t, soon, func() error {
		found, err := s.Server.Service.NodesByID(t.Context(), s.Server.RootCaller(), []string{"i-away"})
		if err == nil && s.Server.Service.Connected(found["i-away"].Key) {
			err = fmt.Errorf("still there")
		}
		return err
	})
	c := s.Client()
	term, begun := c.terminal(t, nil, "i-one", "i-two", "i-away")
	heard := map[string]string{}
	until := func(instance, mark string) {
		t.Helper()
		for !strings.Contains(heard[instance], mark) {
			f, err := term.Next()
			if err != nil {
				t.Fatalf("waiting for %q of %s: %v after %q", mark, instance, err, heard)
			}
			heard[f.Instance] += string(f.Payload)
		}
	}
	until("i-away", "the agent is not connected")
	for _, instance := range []string{"i-one", "i-two"} {
		term.Instance = instance
		term.Type("stty -echo; PS1=; echo I am " + instance + ".; exit\n")
	}
	until("i-one", "I am i-one.\r\n")
	until("i-two", "I am i-two.\r\n")
	for _, instance := range []string{"i-one", "i-two"} {
		if other := map[string]string{"i-one": "i-two", "i-two": "i-one"}[instance]; strings.Contains(heard[instance], "I am "+other) {
			t.Errorf("%s heard what was meant for %s", instance, other)
		}
	}
	_, statuses := term.End()
	if n := len(statuses) + strings.Count(heard["i-one"]+heard["i-two"], "\x05Exit"); n != 2 {
		t.Errorf("%d terminals ended: %q, %q", n, statuses, heard)
	}
	conns := c.connections(t, begun.SessionID)
	if len(conns) != 3 || conns[0].Status != "Terminated" || conns[2].Status != "Failed" || conns[2].ClosedReason != "AgentNotOnline" {
		t.Errorf("connections: %+v", conns)
	}

	// Of a machine that is away alone, the terminal can be joined to hear so.
	term, begun = c.terminal(t, nil, "i-away")
	expectEnd(t, term, "2 the agent is not connected")
	expectConnection(t, c, begun.SessionID, "Failed", "AgentNotOnline")
}

// TestHostileTerminal sends what no client would.
func TestHostileTerminal(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.AddNode(t, "i-one")
	c := s.Client()
	begun := c.startTerminal(t, url.Values{"CommandLine": {"echo here; cat"}}, "i-one")
	for name, message := range map[string][]byte{
		"nothing":         {},
		"a part":          sessiontest.Frame{Payload: []byte("x")}.Encode()[:20],
		"a long name":     append(sessiontest.Frame{}.Encode()[:8], 255, 1, 2),
		"a wrong length":  append(sessiontest.Frame{Payload: []byte("x")}.Encode(), 'y'),
		"too large":       sessiontest.Frame{Payload: make([]byte, 1<<20)}.Encode(),
		"too large by it": sessiontest.Frame{Payload: make([]byte, 256<<10)}.Encode(),
	} {
		term := dial(t, begun.WebSocketURL)
		if err := term.Conn.Write(t.Context(), 2, message); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for {
			if _, err := term.Next(); err != nil {
				break
			}
		}
	}
	term := dial(t, begun.WebSocketURL)
	for _, f := range []sessiontest.Frame{
		{Type: sessiontest.Size, Payload: []byte{0, 0, 0, 0}},
		{Type: sessiontest.Size, Payload: []byte("x")},
		{Type: sessiontest.Close, Payload: []byte("0")},
		{Type: sessiontest.Output, Payload: []byte("x")},
		{Type: sessiontest.Status, Payload: []byte{7, 1}},
		{Type: 1 << 30, Payload: []byte("x")},
		{Type: sessiontest.Input},
	} {
		if err := term.Send(f.Type, f.Payload); err != nil {
			t.Fatal(err)
		}
	}
	term.Type("still here\n")
	term.Until("still here")
}
