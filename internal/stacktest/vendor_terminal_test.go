package stacktest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"errand/internal/server"
	"errand/internal/session"
)

// vendorClient is the vendor's command line client, byte for byte: what it sends is laid out here by hand, and what it gets is read by offset. Nothing of
// the server's own encoding is used.
type vendorClient struct {
	t    *testing.T
	conn *websocket.Conn
	sent byte
	got  uint64
	rest []byte
}

// connect goes the vendor's way from the answer to StartTerminalSession: it spells the id differently and sends the token in a header too.
func (c *Client) connect(t *testing.T, begun started) *vendorClient {
	t.Helper()
	address := strings.ReplaceAll(begun.WebSocketURL, "sessionid", "sessionId")
	conn, _, err := websocket.Dial(t.Context(), address, &websocket.DialOptions{
		HTTPHeader: http.Header{"X-Acs-Session-Token": {begun.SecurityToken}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	conn.SetReadLimit(1 << 20)
	return &vendorClient{t: t, conn: conn}
}

// send sends a message with empty ids, as the client does: 30 bytes and the payload.
func (v *vendorClient) send(kind byte, payload ...byte) {
	v.t.Helper()
	v.sent++
	message := append([]byte{
		kind, 0, 0, 0, // type
		'1', '.', '0', '1', // version
		0,                                  // no session id
		0,                                  // no instance id
		0x00, 0xe4, 0x0b, 0x54, 2, 0, 0, 0, // created: 10,000,000,000 ms after 1970
		v.sent, 0, 0, 0, 0, 0, 0, 0, // sequence
		byte(len(payload)), byte(len(payload) >> 8), 0, 0, // length
	}, payload...)
	if err := v.conn.Write(v.t.Context(), websocket.MessageBinary, message); err != nil {
		v.t.Fatal(err)
	}
}

// next reads a message and holds it against what the client insists on: a time, a payload, and a sequence that grows.
func (v *vendorClient) next() (kind byte, payload []byte, err error) {
	ctx, cancel := context.WithTimeout(v.t.Context(), 30*time.Second)
	defer cancel()
	form, b, err := v.conn.Read(ctx)
	if err != nil {
		return 0, nil, err
	}
	number := func(b []byte) (n uint64) { // little-endian
		for i := len(b) - 1; i >= 0; i-- {
			n = n<<8 | uint64(b[i])
		}
		return n
	}
	wrong := func(what string) (byte, []byte, error) { return 0, nil, fmt.Errorf("%s in % x", what, b) }
	if form != websocket.MessageBinary || len(b) < 30 || !bytes.Equal(b[1:8], []byte{0, 0, 0, '1', '.', '0', '1'}) {
		return wrong("no head")
	}
	kind, rest := b[0], b[8:]
	for range 2 { // session id and instance id
		n := int(rest[0])
		if len(rest) < 1+n+20 {
			return wrong("no room for an id")
		}
		rest = rest[1+n:]
	}
	created, sequence, length := number(rest[:8]), number(rest[8:16]), number(rest[16:20])
	payload = rest[20:]
	if age := time.Since(time.UnixMilli(int64(created))); age < -time.Minute || age > time.Minute {
		return wrong("a strange time")
	}
	if sequence <= v.got || length == 0 || length != uint64(len(payload)) {
		return wrong(fmt.Sprintf("sequence %d after %d, or length %d", sequence, v.got, length))
	}
	v.got = sequence
	return kind, payload, nil
}

func (v *vendorClient) until(mark string) {
	v.t.Helper()
	for !bytes.Contains(v.rest, []byte(mark)) {
		kind, payload, err := v.next()
		if err != nil || kind != 1 {
			v.t.Fatalf("waiting for %q: type %d %q, %v, after %q", mark, kind, payload, err, v.rest)
		}
		v.rest = append(v.rest, payload...)
	}
	_, v.rest, _ = bytes.Cut(v.rest, []byte(mark))
}

// ends reads to the last word and wants it to be this, and the end of the WebSocket after it.
func (v *vendorClient) ends(want ...byte) {
	v.t.Helper()
	for {
		kind, payload, err := v.next()
		if err != nil {
			v.t.Fatal(err)
		}
		if kind == 1 {
			continue
		}
		if kind != 5 || !bytes.Equal(payload, want) {
			v.t.Errorf("ends with type %d %q, want %q", kind, payload, want)
		}
		break
	}
	if _, _, err := v.next(); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		v.t.Errorf("after the last word: %v", err)
	}
}

func status(code byte, text string) []byte { return append([]byte{code}, text...) }

// TestVendorTerminalClient is the whole way of the vendor's terminal client through a signed call and its frames: output, size, input, close.
func TestVendorTerminalClient(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.AddNode(t, "i-one")
	c := s.Client()
	trap := url.Values{"CommandLine": {`stty -echo; trap 'echo size $(stty size)' WINCH; echo here; while :; do read x && echo "got $x" || sleep 0.05; done`}}
	begun := c.startTerminal(t, trap, "i-one")
	v := c.connect(t, begun)
	v.until("here\r\n") // it sends no size before the first output
	v.send(2, 41, 0, 121, 0)
	v.send(0, []byte("one\n")...)
	v.until("size 41 121\r\n")
	v.until("got one\r\n")
	v.send(2, 0x2c, 0x01, 0xff, 0x7f) // 300 rows, 32767 columns: two bytes each, little-endian
	v.send(0, '\n')
	v.until("size 300 32767\r\n")
	for _, b := range []byte("caf\xc3\xa9\n") { // a byte in each message, also within a character
		v.send(0, b)
	}
	v.until("got caf\xc3\xa9\r\n")
	v.send(3, '0') // no close
	v.send(7, 1)   // unknown
	v.send(0, []byte("still\n")...)
	v.until("got still\r\n")

	// The same message with ids in it, all by hand: session s-1, instance i-one.
	message := []byte("\x00\x00\x00\x00" + "1.01" + "\x03s-1" + "\x05i-one" + "\x00\xe4\x0b\x54\x02\x00\x00\x00" + "\xff\x00\x00\x00\x00\x00\x00\x00" + "\x06\x00\x00\x00" + "named\n")
	if err := v.conn.Write(t.Context(), websocket.MessageBinary, message); err != nil {
		t.Fatal(err)
	}
	v.until("got named\r\n")
	v.send(3, '1')
	v.ends(status(5, "Exit")...)
	expectConnection(t, c, begun.SessionID, "Terminated", "ClientClosed")

	begun = c.startTerminal(t, url.Values{"CommandLine": {"echo bye"}}, "i-one")
	v = c.connect(t, begun)
	v.until("bye\r\n")
	v.ends(status(5, "Exit")...)
	expectConnection(t, c, begun.SessionID, "Terminated", "AgentSocketClosed")

	begun = c.startTerminal(t, url.Values{"PortNumber": {"1"}}, "i-one")
	v = c.connect(t, begun)
	kind, payload, err := v.next()
	if err != nil || kind != 5 || payload[0] != 2 || !bytes.Contains(payload, []byte("refused")) {
		t.Errorf("a port that nobody listens on: type %d %q, %v", kind, payload, err)
	}
}

// TestVendorTerminalIdles ends a terminal whose client is silent, and none whose client tells the size of its window twice a second, as the vendor's does.
func TestVendorTerminalIdles(t *testing.T) {
	t.Parallel()
	s := Start(t, func(c *server.Config) {
		c.Sessions = session.Limits{Idle: 2 * time.Second, Tick: 20 * time.Millisecond}
	})
	s.AddNode(t, "i-one")
	c := s.Client()
	sleep := url.Values{"CommandLine": {"echo here; sleep 1000"}}
	silent, alive := c.startTerminal(t, sleep, "i-one"), c.startTerminal(t, sleep, "i-one")
	polling := c.connect(t, alive)
	polling.until("here\r\n")
	v := c.connect(t, silent)
	v.until("here\r\n")
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for range 6 {
		<-ticker.C
		polling.send(2, 24, 0, 80, 0)
	}
	v.ends(status(5, "AgentTimeout")...)
	expectConnection(t, c, silent.SessionID, "Terminated", "ClientClosed")
	expectConnection(t, c, alive.SessionID, "Connected", "")
	polling.ends(status(5, "AgentTimeout")...)
}
