package container

import (
	"bufio"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // what the protocol asks for; it protects nothing
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"sync"
)

// Kinds of frames, see RFC 6455, section 5.2.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

const (
	finalBit   = 0x80 // in a frame's first byte
	maskedBit  = 0x80 // in its second
	maxControl = 125  // bytes in a control frame
)

var errWebSocket = errors.New("malformed websocket frame")

// newKey returns a challenge for the handshake.
func newKey() string {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails
	return base64.StdEncoding.EncodeToString(nonce[:])
}

// acceptKey returns what a server answers to a challenge.
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // what the protocol asks for
	return base64.StdEncoding.EncodeToString(sum[:])
}

// webSocket is the client's side of a connection after the handshake. One goroutine may read while another sends.
type webSocket struct {
	*connection
	r     *bufio.Reader
	left  uint64 // bytes of the frame that are still to be read
	final bool   // the frame is the message's last

	mu sync.Mutex // held while a frame is sent
}

func newWebSocket(c *connection) *webSocket {
	return &webSocket{connection: c, r: bufio.NewReader(c)}
}

// read returns a piece of a message, in buf, and whether it is the last; io.EOF after the other side's goodbye.
func (w *webSocket) read(buf []byte) (data []byte, last bool, err error) {
	if w.left == 0 {
		if err := w.nextFrame(); err != nil {
			return nil, false, err
		}
	}
	n := int(min(w.left, uint64(len(buf))))
	if _, err := io.ReadFull(w.r, buf[:n]); err != nil {
		return nil, false, unexpected(err)
	}
	w.left -= uint64(n)
	return buf[:n], w.final && w.left == 0, nil
}

// nextFrame reads the header of the next frame of data, and answers those of control before it.
func (w *webSocket) nextFrame() error {
	for {
		var header [2]byte
		if _, err := io.ReadFull(w.r, header[:]); err != nil {
			return unexpected(err)
		}
		op, size := header[0]&0x0f, uint64(header[1])
		if size&maskedBit != 0 || header[0]&0x70 != 0 { // a server does not mask, and no extension was agreed on
			return errWebSocket
		}
		if op >= opClose {
			if err := w.control(op, size); err != nil {
				return err
			}
			continue
		}
		if op > opBinary {
			return errWebSocket
		}
		w.final = header[0]&finalBit != 0
		var err error
		w.left, err = w.length(size)
		return err
	}
}

// length reads the length of a frame where seven bits are not enough.
func (w *webSocket) length(size uint64) (uint64, error) {
	var long [8]byte
	switch size {
	case 126:
		_, err := io.ReadFull(w.r, long[6:])
		return binary.BigEndian.Uint64(long[:]), unexpected(err)
	case 127:
		_, err := io.ReadFull(w.r, long[:])
		return binary.BigEndian.Uint64(long[:]), unexpected(err)
	}
	return size, nil
}

// control deals with a frame that is no data.
func (w *webSocket) control(op byte, size uint64) error {
	if size > maxControl {
		return errWebSocket
	}
	payload := make([]byte, size)
	if _, err := io.ReadFull(w.r, payload); err != nil {
		return unexpected(err)
	}
	switch op {
	case opClose:
		_ = w.send(opClose, payload) // politeness
		return io.EOF
	case opPing:
		return w.send(opPong, payload)
	case opPong:
		return nil
	}
	return errWebSocket
}

// send sends one whole message or control frame.
func (w *webSocket) send(op byte, payload []byte) error {
	frame := []byte{finalBit | op}
	switch n := len(payload); {
	case n <= maxControl:
		frame = append(frame, maskedBit|byte(n))
	case n < 1<<16:
		frame = binary.BigEndian.AppendUint16(append(frame, maskedBit|126), uint16(n))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, maskedBit|127), uint64(n))
	}
	var mask [4]byte
	_, _ = rand.Read(mask[:]) // never fails
	frame = append(frame, mask[:]...)
	for i, b := range payload {
		frame = append(frame, b^mask[i%4])
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.connection.Write(frame)
	return err
}

// unexpected tells a connection that broke from one that was ended properly.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
