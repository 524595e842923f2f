package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// frameType is what a frame is about.
type frameType uint32

// The types. What is not here is ignored, as the vendor's own ends do.
const (
	frameInput  frameType = 0
	frameOutput frameType = 1
	frameSize   frameType = 2 // rows and columns, two bytes each
	frameClose  frameType = 3 // ends the session
	frameStatus frameType = 5 // a statusCode, then text
)

// statusCode is the first byte of a frameStatus.
type statusCode byte

// The codes that a client is told.
const (
	statusFailed statusCode = 2 // the terminal did not come about
	statusClosed statusCode = 5 // it is over; the text is one of the reasons below
)

// Reasons that the vendor's client knows.
const (
	reasonExit       = "Exit"
	reasonTimeout    = "AgentTimeout"
	reasonDuplicate  = "SessionIdDuplicated"
	reasonOpenFailed = "OpenPtyFailed"
	reasonBadData    = "ProcessDataError"
)

const (
	frameVersion = "1.01"
	// maxFrame is the largest frame taken from a client, in bytes: whatever it pastes, it sends in pieces.
	maxFrame = 256 << 10
	// maxOutput is how many bytes of output one frame carries.
	maxOutput = 16 << 10
)

// frame is one message between a client and the relay, as the vendor's command line client writes it:
// type (4) | version (4) | length (1) and session id | length (1) and instance id | created, ms (8) | sequence (8) | length (4) | payload, with
// all numbers in little-endian order.
type frame struct {
	kind     frameType
	session  string
	instance string
	created  time.Time
	sequence int64
	payload  []byte
}

var errFrame = errors.New("malformed frame")

func (f *frame) append(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, uint32(f.kind))
	b = append(b, frameVersion...)
	b = append(append(b, byte(len(f.session))), f.session...)
	b = append(append(b, byte(len(f.instance))), f.instance...)
	b = le.AppendUint64(b, uint64(f.created.UnixMilli()))
	b = le.AppendUint64(b, uint64(f.sequence))
	b = le.AppendUint32(b, uint32(len(f.payload)))
	return append(b, f.payload...)
}

// parseFrame reads a frame, whose payload aliases b.
func parseFrame(b []byte) (f frame, err error) {
	r := reader{b: b}
	f.kind = frameType(r.uint32())
	r.take(len(frameVersion)) // clients of all versions write the same
	f.session = string(r.take(int(r.byte())))
	f.instance = string(r.take(int(r.byte())))
	f.created = time.UnixMilli(int64(r.uint64()))
	f.sequence = int64(r.uint64())
	length := r.uint32()
	if f.payload = r.b; r.short || uint64(length) != uint64(len(f.payload)) {
		return frame{}, fmt.Errorf("%w of %d bytes", errFrame, len(b))
	}
	return f, nil
}

// reader takes values off the front of a frame; short says that there were too few bytes.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.b, r.short = nil, true
		return make([]byte, n)
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) byte() byte     { return r.take(1)[0] }
func (r *reader) uint32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) uint64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }

// size reads the payload of a frameSize; false if no terminal is that large.
func (f *frame) size() (rows, columns uint16, ok bool) {
	if len(f.payload) != 4 {
		return 0, 0, false
	}
	rows, columns = binary.LittleEndian.Uint16(f.payload), binary.LittleEndian.Uint16(f.payload[2:])
	const most = 1<<15 - 1 // they are signed on the wire
	return rows, columns, rows > 0 && columns > 0 && rows <= most && columns <= most
}
