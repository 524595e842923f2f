// Package flow carries a stream of bytes over messages that may be lost, repeated or reordered, with a bound on what is under way: the sending
// half keeps what was not acknowledged, the receiving half says how much more it can hold. It is what both ends of a terminal session are made
// of; package protocol has the contract.
package flow

import (
	"context"
	"errors"
	"io"
	"sync"
)

// Sender is the sending half of a stream. One goroutine writes; the other methods may be called from any.
type Sender struct {
	send          func(pos uint64, data []byte)
	window, chunk int

	mu    sync.Mutex
	buf   []byte // what the other half may still ask for, sent or not
	acked uint64 // position of buf[0]
	have  uint64 // what the other half said last that it has
	sent  uint64 // position of the first byte that was not sent
	limit uint64 // position of the first byte that may not be sent
	moved bool   // something was acknowledged since the last Tick
	aged  bool   // something was under way at the last Tick
	room  chan struct{}
}

// NewSender begins a stream at a position. send is called with pieces of at most chunk bytes, under a lock: it must neither wait nor keep
// them.
func NewSender(pos uint64, window, chunk int, send func(pos uint64, data []byte)) *Sender {
	return &Sender{
		send: send, window: window, chunk: chunk, acked: pos, have: pos, sent: pos, limit: pos + uint64(window), room: make(chan struct{}, 1),
	}
}

// Write sends p. It waits while a window of bytes may still be asked for, at most until ctx ends.
func (s *Sender) Write(ctx context.Context, p []byte) error {
	for {
		s.mu.Lock()
		n := min(len(p), s.window-len(s.buf))
		s.buf = append(s.buf, p[:n]...)
		s.push()
		s.mu.Unlock()
		if p = p[n:]; len(p) == 0 {
			return nil
		}
		select {
		case <-s.room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// push sends what may be sent. The caller holds the lock.
func (s *Sender) push() {
	for end := min(s.acked+uint64(len(s.buf)), s.limit); s.sent < end; {
		from := s.sent - s.acked
		piece := s.buf[from:min(from+uint64(s.chunk), end-s.acked)]
		s.send(s.sent, piece)
		s.sent += uint64(len(piece))
	}
}

// Acked takes word from the receiving half: everything before have has arrived, but the last kept bytes of that it could still lose, so they have
// to stay here. What cannot be true is ignored.
func (s *Sender) Acked(have, kept, limit uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have > s.acked+uint64(len(s.buf)) || kept > have {
		return
	}
	s.moved = s.moved || have > s.have
	if done := have - kept; done > s.acked {
		s.buf = s.buf[done-s.acked:]
		s.acked = done
		select {
		case s.room <- struct{}{}:
		default:
		}
	}
	s.have = max(have, s.acked) // the last word holds: a receiving half that began again has less than the one before
	s.sent = max(s.sent, s.have)
	s.limit = max(s.limit, limit)
	s.push()
}

// Rewind sends everything again that is kept, for a receiving half that begins at Start.
func (s *Sender) Rewind() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.have, s.sent = s.acked, s.acked
	s.push()
}

// Have is what the receiving half said last that it has.
func (s *Sender) Have() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.have
}

// Tick is to be called now and then, such as once a second: what was under way for a whole round without an answer is sent again.
func (s *Sender) Tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aged && !s.moved {
		s.sent = s.have
	}
	s.aged, s.moved = s.sent > s.have, false
	s.push()
}

// Start is the position of the oldest byte that is kept, End that after the last byte written.
func (s *Sender) Start() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acked
}

// End is the position after the last byte written.
func (s *Sender) End() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acked + uint64(len(s.buf))
}

// ErrBeyond says that a stream was said to end before what has arrived of it.
var ErrBeyond = errors.New("stream ends before its data")

// Receiver is the receiving half of a stream. Its methods may be called from any goroutine: those that read with From have a place of their own each, and
// somebody who knows them all says with Keep what none of them needs any more; a single one reads with Next and Done.
type Receiver struct {
	ack    func(have, kept, limit uint64)
	window int

	mu    sync.Mutex
	buf   []byte
	read  uint64 // position of buf[0]
	told  uint64 // the last limit that the sending half was told
	ended bool
	end   uint64        // of the stream, if ended
	news  chan struct{} // closed at the next change
}

// NewReceiver expects a stream from a position on. ack says what has arrived, how many bytes of that are kept here, and what may be sent. It is called
// under a lock: it must not wait.
func NewReceiver(pos uint64, window int, ack func(have, kept, limit uint64)) *Receiver {
	return &Receiver{ack: ack, window: window, read: pos, told: pos + uint64(window), news: make(chan struct{})}
}

// Put takes a piece that arrived. What does not follow on what is there, or is more than was asked for, is dropped.
func (r *Receiver) Put(pos uint64, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	have := r.read + uint64(len(r.buf))
	if pos <= have && have-pos < uint64(len(data)) {
		fresh := data[have-pos:]
		r.buf = append(r.buf, fresh[:min(len(fresh), r.window-len(r.buf))]...)
		r.wake()
	}
	r.tell()
}

// End says where the stream ends.
func (r *Receiver) End(pos uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if pos < r.read+uint64(len(r.buf)) {
		return ErrBeyond
	}
	r.ended, r.end = true, pos
	r.wake()
	return nil
}

// Next waits for bytes, at most until ctx ends, and returns up to most of them; io.EOF after the last. They stay until Done takes them away,
// and must not be changed.
func (r *Receiver) Next(ctx context.Context, most int) ([]byte, error) {
	_, data, err := r.From(ctx, 0, most)
	return data, err
}

// From is Next for a reader who has everything before pos. What is not there any more is passed over: at is where data begins. Data stays as it is, and
// must not be changed.
func (r *Receiver) From(ctx context.Context, pos uint64, most int) (at uint64, data []byte, err error) {
	for {
		r.mu.Lock()
		at = max(pos, r.read)
		from := min(at-r.read, uint64(len(r.buf)))
		to := min(from+uint64(most), uint64(len(r.buf)))
		data, news := r.buf[from:to:to], r.news
		over := r.ended && at >= r.end
		r.mu.Unlock()
		switch {
		case len(data) > 0:
			return at, data, nil
		case over:
			return at, nil, io.EOF
		}
		select {
		case <-news:
		case <-ctx.Done():
			return at, nil, context.Cause(ctx)
		}
	}
}

// Keep says that nobody needs what is before pos any more.
func (r *Receiver) Keep(pos uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if pos <= r.read || pos > r.read+uint64(len(r.buf)) {
		return
	}
	r.buf = r.buf[pos-r.read:]
	r.read = pos
	r.tell()
}

// Start is the position of the oldest byte that is there.
func (r *Receiver) Start() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.read
}

// Done takes away the first n bytes that Next returned.
func (r *Receiver) Done(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.buf = r.buf[n:]
	r.read += uint64(n)
	// The other side is not told of every byte, but long before it has to wait.
	if r.read+uint64(r.window)-r.told >= uint64(r.window)/4 {
		r.tell()
	}
}

// Tell repeats where the stream stands.
func (r *Receiver) Tell() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tell()
}

func (r *Receiver) tell() {
	r.told = r.read + uint64(r.window)
	r.ack(r.read+uint64(len(r.buf)), uint64(len(r.buf)), r.told)
}

// wake tells readers that there is something new. The caller holds the lock.
func (r *Receiver) wake() {
	close(r.news)
	r.news = make(chan struct{})
}

// Have is the position after the last byte that arrived.
func (r *Receiver) Have() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.read + uint64(len(r.buf))
}
