package core

import (
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// ID is the number of an account's object, ordered by the time it was made: 41 bits of milliseconds since 2025, then 15
// bits that count within the millisecond. It fits a database integer. Zero is no object.
type ID uint64

// TaskID names a task by its invocation and the position of its node among the invocation's targets.
type TaskID struct {
	Invocation ID
	Index      uint32
}

// MaxTargets is the number of nodes one invocation can address: what fits the index in a task's id.
const MaxTargets = 1 << 24

const seqBits = 15

var (
	idEpoch    = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)
)

// String is the id as callers see it: 16 characters of lower-case base32 that sort by time.
func (id ID) String() string { return TaskID{Invocation: id}.String() }

// String is the task's id as callers see it. The first 56 bits are the invocation's; the last 24 are the index, masked with a
// check code so that a mistyped or invented id is recognised as such without asking the store.
func (t TaskID) String() string {
	var b [10]byte
	binary.BigEndian.PutUint64(b[:8], uint64(t.Invocation)<<8)
	tail := t.Index ^ check(t.Invocation)
	b[7], b[8], b[9] = byte(tail>>16), byte(tail>>8), byte(tail)
	return idEncoding.EncodeToString(b[:])
}

// ParseTaskID reads what TaskID.String wrote. It cannot tell an invented index from a real one.
func ParseTaskID(s string) (TaskID, bool) {
	if len(s) != 16 || strings.ToLower(s) != s {
		return TaskID{}, false
	}
	b, err := idEncoding.DecodeString(s)
	if err != nil || len(b) != 10 {
		return TaskID{}, false
	}
	id := ID(binary.BigEndian.Uint64(b[:8]) >> 8)
	tail := uint32(b[7])<<16 | uint32(b[8])<<8 | uint32(b[9])
	return TaskID{Invocation: id, Index: tail ^ check(id)}, id != 0
}

// ParseID reads what ID.String wrote and refuses anything else.
func ParseID(s string) (ID, bool) {
	t, ok := ParseTaskID(s)
	return t.Invocation, ok && t.Index == 0
}

// UUID is the id in the form of a UUID, for the vendors whose ids of this kind look like one. Like the text form it carries a
// check code.
func (id ID) UUID() string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(id)<<8)
	h := fnv.New64a()
	_, _ = h.Write(b[:7])
	binary.BigEndian.PutUint64(b[8:], h.Sum64())
	b[7], b[6] = b[6], b[6]&0x0f|0x80 // the version digit takes half a byte; the byte itself moves over
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// ParseUUID reads what UUID wrote, in either case.
func ParseUUID(s string) (ID, bool) {
	raw := strings.ReplaceAll(s, "-", "")
	b, err := hex.DecodeString(raw)
	if err != nil || len(b) != 16 || len(s) != 36 {
		return 0, false
	}
	b[6] = b[7]
	id := ID(binary.BigEndian.Uint64(b[:8]) >> 8)
	return id, id != 0 && strings.EqualFold(id.UUID(), s)
}

// Time is when the id was made, to the millisecond.
func (id ID) Time() time.Time {
	return idEpoch.Add(time.Duration(id>>seqBits) * time.Millisecond)
}

// FirstID is the least id that could be made at t.
func FirstID(t time.Time) ID {
	return ID(max(t.Sub(idEpoch).Milliseconds(), 0)) << seqBits
}

func check(id ID) uint32 {
	h := fnv.New32a()
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(id))
	_, _ = h.Write(b[:])
	return h.Sum32() & (MaxTargets - 1)
}

// IDs hands out ids that grow. Two processes that share a store may hand out the same id in the same millisecond, once in some
// thousands of tries; the store refuses the second and the service takes another.
type IDs struct {
	mu   sync.Mutex
	last ID
	rand *rand.Rand
}

// NewIDs returns a source of ids that starts each millisecond at a random count.
func NewIDs(seed uint64) *IDs {
	return &IDs{rand: rand.New(rand.NewPCG(seed, seed>>1))} //nolint:gosec // uniqueness, not secrecy
}

// Next returns an id for this moment, greater than every id before.
func (s *IDs) Next(now time.Time) ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	ms := max(now.Sub(idEpoch).Milliseconds(), 1)
	id := ID(ms)<<seqBits | ID(s.rand.Uint32N(1<<(seqBits-1)))
	if id <= s.last {
		id = s.last + 1
	}
	s.last = id
	return id
}

// AccountID is the account's number; callers see it as decimal text.
type AccountID int64

func (a AccountID) String() string { return fmt.Sprintf("%016d", int64(a)) }

// NodeKey is a node's number inside one installation. It names the node's subjects on the bus and is never shown to callers.
type NodeKey int64
