package journal

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"time"

	"errand/internal/protocol"
)

// A record in the file is
//
//	marker 4 | length of the payload 4 | CRC-32C of all but itself and the marker 4 | number 8 | payload
//
// in little endian. Numbers grow. The marker allows to find the next record behind a damaged one.
const (
	marker     = "\xe7JR1"
	headerSize = 20

	maxBody    = protocol.MaxMessage
	maxPayload = maxBody + 256
	maxBoot    = 128

	// extended is added to the state of a record whose task has a Due, or which has a Lane; both then follow the task's index.
	extended = 0x80
	// sealed is added to the state of a record whose message is sealed.
	sealed = 0x40
)

var errMalformed = errors.New("malformed record")

// append adds the encoding of r to b.
func (r *Record) append(b []byte, seq uint64) []byte {
	start := len(b)
	b = append(b, marker...)
	b = append(b, make([]byte, headerSize-len(marker))...)
	state := byte(r.State)
	if r.Task.Due != 0 || r.Lane != 0 {
		state |= extended
	}
	if r.Secret {
		state |= sealed
	}
	b = append(b, state)
	b = binary.AppendUvarint(b, r.Task.Invocation)
	b = binary.AppendUvarint(b, uint64(r.Task.Index))
	if state&extended != 0 {
		b = binary.AppendUvarint(b, uint64(max(0, r.Task.Due)))
		b = binary.AppendUvarint(b, uint64(r.Lane))
	}
	b = binary.AppendVarint(b, r.At.Wall.UnixMicro())
	body := r.Result
	if r.State.hasRun() {
		boot := r.At.Boot[:min(len(r.At.Boot), maxBoot)]
		b = binary.AppendUvarint(b, uint64(max(0, r.At.Uptime.Microseconds())))
		b = binary.AppendUvarint(b, uint64(len(boot)))
		b = append(b, boot...)
		b = binary.AppendUvarint(b, uint64(max(0, r.TTL.Milliseconds())))
		body = r.Run
	}
	b = append(b, body...)
	head := b[start:]
	binary.LittleEndian.PutUint32(head[4:], uint32(len(head)-headerSize))
	binary.LittleEndian.PutUint64(head[12:], seq)
	binary.LittleEndian.PutUint32(head[8:], checksum(head))
	return b
}

// checksum is that of a whole record.
func checksum(record []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(record[4:8], table), table, record[12:])
}

// header reads the lengths and number of a record, of which at least headerSize bytes are given.
func header(b []byte) (payload int, seq uint64, ok bool) {
	n := binary.LittleEndian.Uint32(b[4:])
	if string(b[:len(marker)]) != marker || n == 0 || n > maxPayload {
		return 0, 0, false
	}
	return int(n), binary.LittleEndian.Uint64(b[12:]), true
}

// decode checks and reads a whole record, whose byte slices alias b.
func decode(b []byte) (r Record, err error) {
	if checksum(b) != binary.LittleEndian.Uint32(b[8:]) {
		return Record{}, errMalformed
	}
	d := decoder{rest: b[headerSize:]}
	state := d.byte()
	r.State, r.Secret = State(state&^(extended|sealed)), state&sealed != 0
	r.Task.Invocation = d.uvarint()
	index := d.uvarint()
	r.Task.Index = uint32(index) // checked below
	if state&extended != 0 {
		r.Task.Due = d.bounded(1 << 62)
		r.Lane = uint8(d.bounded(math.MaxUint8))
	}
	r.At.Wall = time.UnixMicro(d.varint())
	if r.State.hasRun() {
		r.At.Uptime = time.Duration(d.bounded(1<<53)) * time.Microsecond // 285 years
		r.At.Boot = string(d.take(d.bounded(maxBoot)))
		r.TTL = time.Duration(d.bounded(1<<43)) * time.Millisecond // 278 years
		r.Run = d.rest
	} else {
		r.Result = d.rest
	}
	if d.bad || r.State < Accepted || r.State > Marked || index > 1<<32-1 {
		return Record{}, errMalformed
	}
	return r, nil
}

// decoder reads one value after the other and remembers if one was not there.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) byte() byte {
	b := d.take(1)
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

func (d *decoder) take(n int64) []byte {
	if n > int64(len(d.rest)) {
		d.bad = true
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) bounded(limit uint64) int64 {
	v := d.uvarint()
	if v > limit {
		d.bad = true
		return 0
	}
	return int64(v)
}
