package container

import (
	"encoding/binary"
	"errors"
)

// Wire types of protocol buffers, see https://protobuf.dev/programming-guides/encoding/. Groups are obsolete.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

var errProtobuf = errors.New("malformed protocol buffer")

// field is one of a message. Only the value that its wire type has is set.
type field struct {
	number uint64
	value  uint64 // of a varint
	data   []byte // of text, bytes or a message
}

// appendBytes appends a field of text, bytes or an encoded message.
func appendBytes[T string | []byte](b []byte, number uint64, data T) []byte {
	b = binary.AppendUvarint(b, number<<3|wireBytes)
	b = binary.AppendUvarint(b, uint64(len(data)))
	return append(b, data...)
}

// appendBool appends a field, which false would be without.
func appendBool(b []byte, number uint64) []byte {
	return append(binary.AppendUvarint(b, number<<3|wireVarint), 1)
}

// fields takes a message apart, in the order of the wire. Fixed-width numbers, which this package has no use for, are left out.
func fields(b []byte) ([]field, error) {
	var list []field
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errProtobuf
		}
		b = b[n:]
		f := field{number: tag >> 3}
		skip := 0
		switch tag & 7 {
		case wireVarint:
			if f.value, n = binary.Uvarint(b); n <= 0 {
				return nil, errProtobuf
			}
			b = b[n:]
		case wireBytes:
			size, n := binary.Uvarint(b)
			if n <= 0 || size > uint64(len(b)-n) {
				return nil, errProtobuf
			}
			f.data, b = b[n:n+int(size)], b[n+int(size):]
		case wireFixed64:
			skip = 8
		case wireFixed32:
			skip = 4
		default:
			return nil, errProtobuf
		}
		if skip > len(b) {
			return nil, errProtobuf
		}
		b = b[skip:]
		if skip == 0 {
			list = append(list, f)
		}
	}
	return list, nil
}
