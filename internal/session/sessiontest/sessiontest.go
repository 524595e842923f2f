// Package sessiontest is a client of terminals as the vendor's command line tool is one, written from the description of its frames, for tests
// and nothing else.
package sessiontest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// Types of frames.
const (
	Input  = 0
	Output = 1
	Size   = 2
	Close  = 3
	Status = 5
)

// Frame is one message in either direction.
type Frame struct {
	Type     uint32
	Session  string
	Instance string
	Sequence int64
	Payload  []byte
}

// Encode lays a frame out byte by byte.
func (f Frame) Encode() []byte {
	var b bytes.Buffer
	write := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) }
	write(f.Type)
	b.WriteString("1.01")
	b.WriteByte(byte(len(f.Session)))
	b.WriteString(f.Session)
	b.WriteByte(byte(len(f.Instance)))
	b.WriteString(f.Instance)
	write(uint64(time.Now().UnixMilli()))
	write(f.Sequence)
	write(uint32(len(f.Payload)))
	b.Write(f.Payload)
	return b.Bytes()
}

// Decode reads a frame as strictly as the vendor's tool, which wants a time and a payload in it.
func Decode(b []byte) (f Frame, err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("a frame of %d bytes is too short", len(b))
		}
	}()
	le := binary.LittleEndian
	f.Type = le.Uint32(b)
	if version := string(b[4:8]); version != "1.01" {
		return f, fmt.Errorf("version %q", version)
	}
	b = b[8:]
	for _, name := range []*string{&f.Session, &f.Instance} {
		n := int(b[0])
		*name, b = string(b[1:1+n]), b[1+n:]
	}
	created := le.Uint64(b)
	f.Sequence = int64(le.Uint64(b[8:]))
	n := le.Uint32(b[16:])
	f.Payload = b[20:]
	switch {
	case int(n) != len(f.Payload), n == 0:
		return f, fmt.Errorf("a payload of %d bytes, said to have %d", len(f.Payload), n)
	case created == 0:
		return f, errors.New("no time")
	}
	return f, nil
}

// Client is connected to a terminal. It is for one goroutine that reads and one that writes.
type Client struct {
	tb       testing.TB
	Conn     *websocket.Conn
	Instance string // in the frames that Send makes; empty, as most clients leave it
	sent     int64
	got      int64
	rest     []byte
}

// Dial connects to a URL as StartTerminalSession returns it, or returns the status by which the server refused. The vendor's tool sends the token in
// a header too.
func Dial(tb testing.TB, url string, header http.Header) (*Client, int) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	defer cancel()
	conn, resp, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPHeader: header}) //nolint:bodyclose // the library's to close
	if err != nil {
		if resp == nil {
			tb.Fatal(err)
		}
		return nil, resp.StatusCode
	}
	conn.SetReadLimit(1 << 20)
	tb.Cleanup(func() { _ = conn.CloseNow() })
	return &Client{tb: tb, Conn: conn}, http.StatusSwitchingProtocols
}

// Send sends a frame. An error means that the connection is over.
func (c *Client) Send(kind uint32, payload []byte) error {
	c.sent++
	f := Frame{Type: kind, Instance: c.Instance, Sequence: c.sent, Payload: payload}
	return c.Conn.Write(c.tb.Context(), websocket.MessageBinary, f.Encode())
}

// Type sends text as if typed.
func (c *Client) Type(text string) {
	c.tb.Helper()
	if err := c.Send(Input, []byte(text)); err != nil {
		c.tb.Fatal(err)
	}
}

// Resize says how large the terminal is.
func (c *Client) Resize(rows, columns uint16) {
	c.tb.Helper()
	payload := binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, rows), columns)
	if err := c.Send(Size, payload); err != nil {
		c.tb.Fatal(err)
	}
}

// Next returns the next frame, checked for its form and order.
func (c *Client) Next() (Frame, error) {
	ctx, cancel := context.WithTimeout(c.tb.Context(), 30*time.Second)
	defer cancel()
	kind, b, err := c.Conn.Read(ctx)
	if err != nil {
		return Frame{}, err
	}
	f, err := Decode(b)
	switch {
	case err != nil:
	case kind != websocket.MessageBinary:
		err = errors.New("a text message")
	case f.Sequence <= c.got:
		err = fmt.Errorf("sequence %d after %d", f.Sequence, c.got)
	}
	c.got = f.Sequence
	return f, err
}

// Until reads output until this is in it and returns it up to there; what came after it is for the next call.
func (c *Client) Until(mark string) string {
	c.tb.Helper()
	for {
		if before, after, ok := bytes.Cut(c.rest, []byte(mark)); ok {
			c.rest = after
			return string(before) + mark
		}
		f, err := c.Next()
		if err != nil || f.Type != Output {
			c.tb.Fatalf("waiting for %q: frame %d %q, %v, after %q", mark, f.Type, f.Payload, err, c.rest)
		}
		c.rest = append(c.rest, f.Payload...)
	}
}

// End reads to the end and returns the output, and what each Status frame said: the code and the text.
func (c *Client) End() (output []byte, statuses []string) {
	c.tb.Helper()
	output, c.rest = c.rest, nil
	for {
		f, err := c.Next()
		switch {
		case websocket.CloseStatus(err) != -1:
			return output, statuses
		case err != nil:
			c.tb.Fatalf("%v after %d bytes", err, len(output))
		case f.Type == Status:
			statuses = append(statuses, fmt.Sprint(f.Payload[0], " ", string(f.Payload[1:])))
		case f.Type == Output:
			output = append(output, f.Payload...)
		}
	}
}

// Prompt waits until the user's shell answers and goes on in /bin/sh, which prints nothing unasked.
func (c *Client) Prompt() {
	c.tb.Helper()
	c.Type("stty -echo; echo re''ady; PS1= exec sh\n")
	c.Until("ready\r\n")
	c.Type("PS1=; echo re''ally\n")
	c.Until("really\r\n")
}

// Run runs a command line in a shell after Prompt and returns what it printed, with the line ends of a file.
func (c *Client) Run(line string) string {
	c.tb.Helper()
	c.Type(line + "; echo '<'e''nd'>'\n")
	out := c.Until("<end>\r\n")
	return strings.ReplaceAll(strings.TrimSuffix(out, "<end>\r\n"), "\r\n", "\n")
}
