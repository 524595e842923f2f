package core

import (
	"context"
	"strconv"
	"time"
)

// Record is what one node of a session printed, as asciicast v2 without its first line.
type Record struct {
	Session  ID
	Position int // of the node in the session
	Account  AccountID
	Node     NodeKey
	NodeID   string
	User     string // on the node; empty means the agent's own
	By       string // who started the session
	Command  string

	Rows, Columns int // of the terminal at the beginning
	StartedAt     time.Time
	EndedAt       time.Time     // zero until then
	Length        time.Duration // until the last event
	Output        uint64        // everything that the node printed before this position is in it
	Bytes         int64         // of its events
	Unsealed      int64         // how many of them are parts of its row
	Cut           bool          // it became too long, and does not go on
	Segments      []RecordSegment
}

// RecordSegment is a stretch of a recording in the blob store: its events, and the text in them.
type RecordSegment struct {
	Events int64 `json:"events"` // bytes
	Text   int64 `json:"text"`   // bytes; 0 if there is none
}

// Bounds of recordings.
const (
	// MaxRecording is how long a recording becomes, in bytes of its events.
	MaxRecording = 64 << 20
	// sealAt is how many bytes of parts become a segment.
	sealAt = 256 << 10
	// MaxRecordPart is the most that AddToRecord takes at a time, in bytes.
	MaxRecordPart = 1 << 20
)

// recordPrefix is where a session's recordings are in the blob store.
func recordPrefix(session ID) string { return "recording/" + session.String() + "/" }

func (r *Record) eventsKey(segment int) string {
	return recordPrefix(r.Session) + strconv.Itoa(r.Position) + "/" + strconv.Itoa(segment)
}

func (r *Record) textKey(segment int) string { return r.eventsKey(segment) + "/text" }

// RecordPart is what is added to a recording.
type RecordPart struct {
	Data   []byte // events
	Length time.Duration
	Output uint64
	Cut    bool
	Ended  time.Time // when it came to its end; zero if it goes on
}

// RecordFilter selects recordings; zero fields select all.
type RecordFilter struct {
	Account  AccountID
	Sessions []ID
	Nodes    []NodeKey
}

// Records keeps recordings. Listings order by session descending and position (Cursor.A and B).
type Records interface {
	// InsertRecord stores a new recording or, if the session has one of this position, returns that.
	InsertRecord(ctx context.Context, r *Record) (Record, error)
	// Record returns a recording with its parts, the oldest first.
	Record(ctx context.Context, session ID, position int) (Record, [][]byte, error)
	// AddToRecord adds a part, if it has any data, and returns the recording as it is then. What is not newer than what is there, by its Output and
	// Length, changes nothing but the end.
	AddToRecord(ctx context.Context, session ID, position int, p *RecordPart) (Record, error)
	// SealRecord puts a segment in the place of all parts, of which there are as many bytes as seg.Events says; ErrNotFound if there are not.
	SealRecord(ctx context.Context, session ID, position int, seg RecordSegment) error
	ListRecords(ctx context.Context, f RecordFilter, p Page) (rows []Record, total int, err error)
	// RemovedRecords returns the sessions whose rows were deleted and that had recordings, until ForgetRecords.
	RemovedRecords(ctx context.Context) ([]ID, error)
	ForgetRecords(ctx context.Context, sessions []ID) error
}
