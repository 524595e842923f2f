package protocol

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Wire types of the protobuf format that are in use.
const (
	wireVarint = 0
	wireBytes  = 2
)

// ErrMalformed is wrapped by every decoding error.
var ErrMalformed = errors.New("malformed message")

func appendUint(b []byte, tag int, v uint64) []byte {
	if v == 0 {
		return b
	}
	b = binary.AppendUvarint(b, uint64(tag)<<3|wireVarint)
	return binary.AppendUvarint(b, v)
}

// appendInt writes signed values zigzag encoded, so that small negative numbers stay short.
func appendInt(b []byte, tag int, v int64) []byte {
	return appendUint(b, tag, uint64(v<<1)^uint64(v>>63))
}

func appendBool(b []byte, tag int, v bool) []byte {
	if v {
		return appendUint(b, tag, 1)
	}
	return b
}

func appendBytes[T string | []byte](b []byte, tag int, v T) []byte {
	if len(v) == 0 {
		return b
	}
	return appendMessage(b, tag, v)
}

// appendMessage writes a nested message, also an empty one: that it is there says something.
func appendMessage[T string | []byte](b []byte, tag int, v T) []byte {
	b = binary.AppendUvarint(b, uint64(tag)<<3|wireBytes)
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

// appendMap writes each pair as a nested message of key (1) and value (2). The order is the map's, which is no order.
func appendMap(b []byte, tag int, m map[string]string) []byte {
	for k, v := range m {
		var pair []byte
		pair = appendBytes(pair, 1, k)
		pair = appendBytes(pair, 2, v)
		if pair == nil {
			continue
		}
		b = appendBytes(b, tag, pair)
	}
	return b
}

// decoder walks the fields of one message. Byte values alias the input.
type decoder struct {
	rest []byte
	tag  int
	num  uint64
	raw  []byte
	err  error
}

func (d *decoder) next() bool {
	if d.err != nil || len(d.rest) == 0 {
		return false
	}
	key, ok := d.uvarint()
	if !ok {
		return false
	}
	d.tag, d.num, d.raw = int(key>>3), 0, nil
	switch key & 7 {
	case wireVarint:
		d.num, ok = d.uvarint()
		return ok
	case wireBytes:
		n, ok := d.uvarint()
		if !ok {
			return false
		}
		if n > uint64(len(d.rest)) {
			d.err = fmt.Errorf("%w: field %d is longer than the message", ErrMalformed, d.tag)
			return false
		}
		d.raw, d.rest = d.rest[:n:n], d.rest[n:]
		return true
	default:
		d.err = fmt.Errorf("%w: field %d has wire type %d", ErrMalformed, d.tag, key&7)
		return false
	}
}

func (d *decoder) uvarint() (uint64, bool) {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.err = fmt.Errorf("%w: bad varint", ErrMalformed)
		return 0, false
	}
	d.rest = d.rest[n:]
	return v, true
}

func (d *decoder) int() int64   { return int64(d.num>>1) ^ -int64(d.num&1) }
func (d *decoder) bool() bool   { return d.num != 0 }
func (d *decoder) text() string { return string(d.raw) }

// maxPairs bounds what a hostile message can make a map allocate.
const maxPairs = 1024

func (d *decoder) pair(m map[string]string) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	if len(m) >= maxPairs {
		d.err = fmt.Errorf("%w: more than %d pairs", ErrMalformed, maxPairs)
		return m
	}
	var k, v string
	p := decoder{rest: d.raw}
	for p.next() {
		switch p.tag {
		case 1:
			k = p.text()
		case 2:
			v = p.text()
		}
	}
	if p.err != nil {
		d.err = p.err
	}
	if k != "" || v != "" {
		m[k] = v
	}
	return m
}
