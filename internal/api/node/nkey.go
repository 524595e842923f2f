package node

import (
	"crypto/ed25519"
	"encoding/base32"
	"encoding/binary"
	"errors"
)

// userPrefix is the first byte of a user's nkey; it makes the text begin with "U".
const userPrefix = 20 << 3

var errNkey = &malformedError{errors.New("public_key: not the nkey of a user")}

// parsePublicKey reads the public nkey of a user: a prefix byte, an ed25519 public key and a CRC-16, in base32. It stands here because
// the library that knows the form also knows private keys, which have no business on this side.
// https://github.com/nats-io/nkeys
func parsePublicKey(s string) (ed25519.PublicKey, error) {
	b, err := base32.StdEncoding.DecodeString(s)
	if err != nil || len(b) != 1+ed25519.PublicKeySize+2 || b[0] != userPrefix {
		return nil, errNkey
	}
	body, sum := b[:len(b)-2], b[len(b)-2:]
	if binary.LittleEndian.Uint16(sum) != crc16(body) {
		return nil, errNkey
	}
	return body[1:], nil
}

// crc16 is the variant known as XMODEM: polynomial 0x1021, from zero.
func crc16(b []byte) uint16 {
	var crc uint16
	for _, c := range b {
		crc ^= uint16(c) << 8
		for range 8 {
			carry := crc&0x8000 != 0
			crc <<= 1
			if carry {
				crc ^= 0x1021
			}
		}
	}
	return crc
}
