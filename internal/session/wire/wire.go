// Package wire is what our own clients of terminals and the server say to each other.
package wire

import (
	"encoding/binary"
	"time"
)

// Protocol is the WebSocket subprotocol of our own clients. Bytes travel in binary messages: eight bytes of position, big-endian, and then the data, input
// from the client and output from the server. Text messages are JSON objects with a type:
//
//	server  hello    first: in, where the input goes on, and out, where the output does; window, how many bytes of input may be under way; again, a
//	                 token for the next connection, if the one that was used will not be good any more
//	server  ack      have: the node has all input before that position
//	client  ack      have: the client has all output before that position
//	client  resize   rows, cols
//	client  end      ends the session
//	server  state    online: whether the node is connected; watchers: how many look on
//	server  end      reason, message; exit_code or signal if the program ended by itself
//	server  replaced another connection has taken over
//
// A client that comes again says in its URL with have what output it has, and sends again what input was not acknowledged and is at or after in. So neither
// direction loses or repeats a byte, whatever breaks in between. Types that one side does not know it passes over.
const Protocol = "errand.terminal.v1"

// Window is how many bytes of input a client may have under way: what is beyond waits at the server's door.
const Window = 64 << 10

// Message is a text message of Protocol, in either direction.
type Message struct {
	Type string `json:"type"`

	Session  string     `json:"session,omitempty"`
	Node     string     `json:"node,omitempty"`
	In       *uint64    `json:"in,omitempty"`
	Out      *uint64    `json:"out,omitempty"`
	Window   int        `json:"window,omitempty"`
	Watch    bool       `json:"watch,omitempty"`
	Recorded bool       `json:"recorded,omitempty"`
	Again    string     `json:"again,omitempty"`
	Rejoin   int        `json:"rejoin_seconds,omitempty"` // how long the session waits for a client that is gone
	Ends     *time.Time `json:"ends_at,omitempty"`

	Have *uint64 `json:"have,omitempty"`

	Rows    int `json:"rows,omitempty"`
	Columns int `json:"cols,omitempty"`

	Online   *bool `json:"online,omitempty"`
	Watchers *int  `json:"watchers,omitempty"`

	Reason   string `json:"reason,omitempty"`
	Message  string `json:"message,omitempty"`
	ExitCode *int32 `json:"exit_code,omitempty"`
	Signal   uint8  `json:"signal,omitempty"`
}

// TokenHeader is where programs put the token of a session, TokenProtocol the beginning of a protocol that pages of a browser, which cannot set headers,
// offer besides Protocol for the same.
const (
	TokenHeader   = "X-Errand-Session-Token"
	TokenProtocol = "errand.token."
)

// Data makes a binary message.
func Data(pos uint64, data []byte) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(data)), pos), data...)
}

// ParseData reads a binary message, whose data aliases b; false if it is none.
func ParseData(b []byte) (pos uint64, data []byte, ok bool) {
	if len(b) < 8 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint64(b), b[8:], true
}
