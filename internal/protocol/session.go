package protocol

import (
	"fmt"
	"strconv"
	"strings"
)

// # Terminal sessions
//
// A session is one stream of bytes each way between the server and a terminal, a command or a TCP connection on a node. Its messages travel on
// two subjects of its own below the node's: the server publishes on SessionIn(key, session), the node on SessionOut(key, session). A node may
// use exactly those that carry its own key, so no message of a session names the node or the session.
//
//   - SessionOpen is repeated until the node answers with SessionState. A node that has the session, or had it, answers with what it knows and
//     starts nothing: a session is started at most once in the life of an agent.
//   - SessionInput and SessionOutput carry bytes at their position in the stream. A piece counts only if everything before it has arrived;
//     otherwise it is dropped and sent again. SessionHave and SessionWant answer them: everything before Have has arrived, and nothing at or
//     after Limit may be sent yet. The first SessionWindow bytes need no permission. So both sides keep at most a window in memory, loss costs
//     time only, and whoever is slow holds up nobody else.
//   - Of what has arrived the server names the last Kept bytes that it could still lose, because nobody has them for good. The node keeps them too. A
//     server that does not say so keeps none, and a node that does not know of it lets go of what has arrived: a crash of the server may then lose it.
//   - The answer to SessionOpen says where both streams stand, so that a server that starts again takes up what it finds. Output is then sent again from
//     Out on.
//   - SessionResize has no answer and is repeated now and then; the last one holds.
//   - When the program ends by itself, SessionState with SessionEnded says so and is repeated until SessionClose arrives; End is where its output
//     ends, which counts only when the server holds everything before it. SessionClose ends whatever runs, is
//     answered with SessionEnded, and need not arrive: a node that is asked for nothing more gives up by itself. After that both forget the
//     session, but for its number.
//   - Both sides say something at least every SessionKeepalive. After SessionSilence without a word each gives the session up by itself.

// The bounds of a session.
const (
	SessionChunk     = 32 << 10  // the most bytes in one SessionInput or SessionOutput
	SessionWindow    = 256 << 10 // the most bytes under way in each direction
	SessionKeepalive = 5         // seconds
	SessionSilence   = 60        // seconds
)

// SessionKind is the first byte of a message about a session. Its numbers are none of those of Kind, although the two never travel on one
// subject.
type SessionKind byte

// The kinds of messages about sessions. Those from 10 are the server's, those from 80 the node's.
const (
	KindSessionOpen   SessionKind = 10
	KindSessionInput  SessionKind = 11
	KindSessionWant   SessionKind = 12
	KindSessionResize SessionKind = 13
	KindSessionClose  SessionKind = 14

	KindSessionState  SessionKind = 80
	KindSessionOutput SessionKind = 81
	KindSessionHave   SessionKind = 82
)

// SessionKindOf returns the kind of an encoded message about a session.
func SessionKindOf(b []byte) (SessionKind, error) {
	k, err := KindOf(b)
	return SessionKind(k), err
}

// FeatureSession is what a node names in its Hello that can open terminals.
const FeatureSession = "session"

const sessionIn, sessionOut = "errand.tin.", "errand.tout."

// SessionIn is the subject on which the server speaks to a session of the node with this key.
func SessionIn(key int64, session uint64) string {
	return sessionIn + strconv.FormatInt(key, 10) + "." + strconv.FormatUint(session, 10)
}

// SessionOut is the subject on which a session of the node with this key speaks to the server.
func SessionOut(key int64, session uint64) string {
	return sessionOut + strconv.FormatInt(key, 10) + "." + strconv.FormatUint(session, 10)
}

// SessionsIn is the subscription that catches all of a node's SessionIn.
func SessionsIn(key int64) string { return sessionIn + strconv.FormatInt(key, 10) + ".*" }

// SessionsOut covers all of a node's SessionOut.
func SessionsOut(key int64) string { return sessionOut + strconv.FormatInt(key, 10) + ".*" }

// SessionOf returns the session in a SessionIn subject.
func SessionOf(subject string) (session uint64, ok bool) {
	rest, ok := strings.CutPrefix(subject, sessionIn)
	if !ok {
		return 0, false
	}
	_, number, ok := strings.Cut(rest, ".")
	if !ok {
		return 0, false
	}
	session, err := strconv.ParseUint(number, 10, 64)
	return session, err == nil && session > 0
}

// SessionOpen asks the node to start what the session is for.
type SessionOpen struct {
	User    string // empty means the agent's own user
	Command string // one command line for the user's shell; empty means the shell itself
	Port    uint64 // connect to this TCP port instead of starting anything
	Host    string // where that port is; empty means the node itself
	Rows    uint64 // of the terminal; 0 leaves it to the node
	Columns uint64
}

// Append adds the encoding of m.
func (m *SessionOpen) Append(b []byte) []byte {
	b = append(b, byte(KindSessionOpen))
	b = appendBytes(b, 1, m.User)
	b = appendBytes(b, 2, m.Command)
	b = appendUint(b, 3, m.Port)
	b = appendBytes(b, 4, m.Host)
	b = appendUint(b, 5, m.Rows)
	return appendUint(b, 6, m.Columns)
}

// DecodeSessionOpen reads a SessionOpen message.
func DecodeSessionOpen(b []byte) (m SessionOpen, err error) {
	d := open(b, Kind(KindSessionOpen))
	for d.next() {
		switch d.tag {
		case 1:
			m.User = d.text()
		case 2:
			m.Command = d.text()
		case 3:
			m.Port = d.num
		case 4:
			m.Host = d.text()
		case 5:
			m.Rows = d.num
		case 6:
			m.Columns = d.num
		}
	}
	if d.err == nil && m.Port > 1<<16-1 {
		d.err = fmt.Errorf("%w: port %d", ErrMalformed, m.Port)
	}
	return m, d.err
}

// SessionData is a piece of one of the two streams: SessionInput or SessionOutput, by its kind.
type SessionData struct {
	Pos  uint64 // of the first byte
	Data []byte // 1 to SessionChunk bytes
}

// Append adds the encoding of m as a message of this kind.
func (m *SessionData) Append(b []byte, k SessionKind) []byte {
	b = append(b, byte(k))
	b = appendUint(b, 1, m.Pos)
	return appendBytes(b, 2, m.Data)
}

// DecodeSessionData reads a message of this kind.
func DecodeSessionData(b []byte, k SessionKind) (m SessionData, err error) {
	d := open(b, Kind(k))
	for d.next() {
		switch d.tag {
		case 1:
			m.Pos = d.num
		case 2:
			m.Data = d.raw
		}
	}
	if d.err == nil && (len(m.Data) == 0 || len(m.Data) > SessionChunk || m.Pos > maxPosition) {
		d.err = fmt.Errorf("%w: %d bytes at %d", ErrMalformed, len(m.Data), m.Pos)
	}
	return m, d.err
}

// maxPosition keeps sums of positions and lengths from going over.
const maxPosition = 1 << 62

// SessionAck answers data: SessionWant answers output, SessionHave input, by its kind.
type SessionAck struct {
	Have  uint64 // everything before it has arrived
	Limit uint64 // nothing from here on may be sent yet
	Kept  uint64 // so many bytes before Have may still be asked for
}

// Append adds the encoding of m as a message of this kind.
func (m *SessionAck) Append(b []byte, k SessionKind) []byte {
	b = append(b, byte(k))
	b = appendUint(b, 1, m.Have)
	b = appendUint(b, 2, m.Limit)
	return appendUint(b, 3, m.Kept)
}

// DecodeSessionAck reads a message of this kind.
func DecodeSessionAck(b []byte, k SessionKind) (m SessionAck, err error) {
	d := open(b, Kind(k))
	for d.next() {
		switch d.tag {
		case 1:
			m.Have = d.num
		case 2:
			m.Limit = d.num
		case 3:
			m.Kept = d.num
		}
	}
	if d.err == nil && (m.Have > m.Limit || m.Kept > m.Have || m.Limit > maxPosition) {
		d.err = fmt.Errorf("%w: limit %d after %d", ErrMalformed, m.Limit, m.Have)
	}
	return m, d.err
}

// SessionResize says how large the terminal is on the caller's side.
type SessionResize struct{ Rows, Columns uint64 }

// Append adds the encoding of m.
func (m *SessionResize) Append(b []byte) []byte {
	b = append(b, byte(KindSessionResize))
	b = appendUint(b, 1, m.Rows)
	return appendUint(b, 2, m.Columns)
}

// DecodeSessionResize reads a SessionResize message.
func DecodeSessionResize(b []byte) (m SessionResize, err error) {
	d := open(b, Kind(KindSessionResize))
	for d.next() {
		switch d.tag {
		case 1:
			m.Rows = d.num
		case 2:
			m.Columns = d.num
		}
	}
	if d.err == nil && (m.Rows == 0 || m.Columns == 0 || m.Rows > 1<<15 || m.Columns > 1<<15) {
		d.err = fmt.Errorf("%w: a terminal of %d by %d", ErrMalformed, m.Rows, m.Columns)
	}
	return m, d.err
}

// AppendSessionClose adds a SessionClose message, which has no content.
func AppendSessionClose(b []byte) []byte { return append(b, byte(KindSessionClose)) }

// SessionPhase is how far a session is on the node.
type SessionPhase byte

// The phases.
const (
	SessionRuns  SessionPhase = 1
	SessionEnded SessionPhase = 2
)

// SessionCause is why a session ended. The numbers travel; new ones are added at the end.
type SessionCause byte

// The causes.
const (
	SessionExited      SessionCause = 1 // the program ended, or the other end of the TCP connection closed it
	SessionClosed      SessionCause = 2 // after SessionClose
	SessionAbandoned   SessionCause = 3 // the server was silent
	SessionNeverBegan  SessionCause = 4 // Detail says why
	SessionTooMany     SessionCause = 5 // the node's limit on sessions
	SessionUnsupported SessionCause = 6 // on this operating system
	SessionUnknown     SessionCause = 7 // SessionClose for what this agent does not have
	sessionCauseEnd    SessionCause = 8
)

// SessionState is the answer to SessionOpen and SessionClose, and the news of an end.
type SessionState struct {
	Phase SessionPhase
	In    uint64 // next position wanted of the input
	Out   uint64 // of the oldest output that is kept

	Cause  SessionCause // of the end
	Detail string       // for people
	End    uint64       // position after the last output

	// Of a program that ended by itself, if the node tells:
	Told   bool
	Code   uint64 // its exit code, if Signal is 0
	Signal uint64 // number of the signal that ended it
}

// Append adds the encoding of m.
func (m *SessionState) Append(b []byte) []byte {
	b = append(b, byte(KindSessionState))
	b = appendUint(b, 1, uint64(m.Phase))
	b = appendUint(b, 2, m.In)
	b = appendUint(b, 3, m.Out)
	b = appendUint(b, 4, uint64(m.Cause))
	b = appendBytes(b, 5, m.Detail)
	b = appendUint(b, 6, m.End)
	if m.Told {
		b = appendUint(b, 7, m.Code+1) // zero is not sent
		b = appendUint(b, 8, m.Signal)
	}
	return b
}

// DecodeSessionState reads a SessionState message.
func DecodeSessionState(b []byte) (m SessionState, err error) {
	d := open(b, Kind(KindSessionState))
	for d.next() {
		switch d.tag {
		case 1:
			m.Phase = SessionPhase(min(d.num, 255))
		case 2:
			m.In = d.num
		case 3:
			m.Out = d.num
		case 4:
			m.Cause = SessionCause(min(d.num, 255))
		case 5:
			m.Detail = d.text()
		case 6:
			m.End = d.num
		case 7:
			m.Told, m.Code = true, d.num-1
		case 8:
			m.Signal = d.num
		}
	}
	switch {
	case d.err != nil:
	case m.Phase != SessionRuns && m.Phase != SessionEnded,
		m.Phase == SessionEnded && (m.Cause == 0 || m.Cause >= sessionCauseEnd),
		m.Code > 1<<31-1, m.Signal > 1<<8-1, m.In > maxPosition, m.Out > maxPosition, m.End > maxPosition:
		d.err = fmt.Errorf("%w: session state %+v", ErrMalformed, m)
	}
	return m, d.err
}
