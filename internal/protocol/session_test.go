package protocol

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sessionSamples has every field of every message about sessions set.
func sessionSamples() map[string]struct {
	encoded []byte
	msg     any
	decode  func([]byte) (any, error)
} {
	type sample = struct {
		encoded []byte
		msg     any
		decode  func([]byte) (any, error)
	}
	open := SessionOpen{User: "root", Command: "top", Port: 65535, Host: "db", Rows: 24, Columns: 80}
	data := SessionData{Pos: 1 << 40, Data: []byte("ls\n\x00\xff")}
	ack := SessionAck{Have: 1 << 40, Limit: 1<<40 + SessionWindow, Kept: 77}
	size := SessionResize{Rows: 50, Columns: 132}
	state := SessionState{Phase: SessionEnded, In: 7, Out: 8, Cause: SessionNeverBegan, Detail: "no such user", End: 9, Told: true, Code: 0, Signal: 9}
	return map[string]sample{
		"open":   {open.Append(nil), &open, any2(DecodeSessionOpen)},
		"input":  {data.Append(nil, KindSessionInput), &data, dataOf(KindSessionInput)},
		"output": {data.Append(nil, KindSessionOutput), &data, dataOf(KindSessionOutput)},
		"want":   {ack.Append(nil, KindSessionWant), &ack, ackOf(KindSessionWant)},
		"have":   {ack.Append(nil, KindSessionHave), &ack, ackOf(KindSessionHave)},
		"resize": {size.Append(nil), &size, any2(DecodeSessionResize)},
		"state":  {state.Append(nil), &state, any2(DecodeSessionState)},
	}
}

func dataOf(k SessionKind) func([]byte) (any, error) {
	return any2(func(b []byte) (SessionData, error) { return DecodeSessionData(b, k) })
}

func ackOf(k SessionKind) func([]byte) (any, error) {
	return any2(func(b []byte) (SessionAck, error) { return DecodeSessionAck(b, k) })
}

func TestSessionRoundTrip(t *testing.T) {
	t.Parallel()
	for name, s := range sessionSamples() {
		for _, b := range [][]byte{s.encoded, appendBytes(appendUint(bytes.Clone(s.encoded), 200, 7), 201, "later")} {
			got, err := s.decode(b)
			if diff := cmp.Diff(s.msg, got); err != nil || diff != "" {
				t.Errorf("%s: %v\n%s", name, err, diff)
			}
		}
		for n := range s.encoded {
			if _, err := s.decode(s.encoded[:n]); err != nil && !errors.Is(err, ErrMalformed) {
				t.Errorf("%s cut at %d: %v", name, n, err)
			}
		}
	}
}

func TestSessionMalformed(t *testing.T) {
	t.Parallel()
	big := SessionData{Data: make([]byte, SessionChunk+1)}
	for name, tt := range map[string]struct {
		b      []byte
		decode func([]byte) (any, error)
	}{
		"no data":          {(&SessionData{}).Append(nil, KindSessionInput), dataOf(KindSessionInput)},
		"too much data":    {big.Append(nil, KindSessionInput), dataOf(KindSessionInput)},
		"far away":         {(&SessionData{Pos: 1 << 63, Data: []byte("x")}).Append(nil, KindSessionInput), dataOf(KindSessionInput)},
		"other direction":  {(&SessionData{Data: []byte("x")}).Append(nil, KindSessionInput), dataOf(KindSessionOutput)},
		"limit before":     {(&SessionAck{Have: 2, Limit: 1}).Append(nil, KindSessionHave), ackOf(KindSessionHave)},
		"limit far away":   {(&SessionAck{Have: 2, Limit: 1 << 63}).Append(nil, KindSessionHave), ackOf(KindSessionHave)},
		"keeps too much":   {(&SessionAck{Have: 2, Limit: 3, Kept: 3}).Append(nil, KindSessionHave), ackOf(KindSessionHave)},
		"no such code":     {(&SessionState{Phase: SessionEnded, Cause: SessionExited, Told: true, Code: 1 << 31}).Append(nil), any2(DecodeSessionState)},
		"no such signal":   {(&SessionState{Phase: SessionEnded, Cause: SessionExited, Told: true, Signal: 256}).Append(nil), any2(DecodeSessionState)},
		"no phase":         {(&SessionState{}).Append(nil), any2(DecodeSessionState)},
		"end for nothing":  {(&SessionState{Phase: SessionEnded}).Append(nil), any2(DecodeSessionState)},
		"new kind of end":  {(&SessionState{Phase: SessionEnded, Cause: 200}).Append(nil), any2(DecodeSessionState)},
		"nothing to see":   {(&SessionResize{Rows: 24}).Append(nil), any2(DecodeSessionResize)},
		"too much to see":  {(&SessionResize{Rows: 24, Columns: 1 << 20}).Append(nil), any2(DecodeSessionResize)},
		"port of no world": {(&SessionOpen{Port: 65536}).Append(nil), any2(DecodeSessionOpen)},
	} {
		if m, err := tt.decode(tt.b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

func TestSessionSubjects(t *testing.T) {
	t.Parallel()
	subject := SessionIn(7, 1<<56)
	if id, ok := SessionOf(subject); !ok || id != 1<<56 {
		t.Errorf("%s is of session %d, %t", subject, id, ok)
	}
	for _, other := range []string{"", In(7), SessionOut(7, 1), "errand.tin.7", "errand.tin.7.x", "errand.tin.7.0", "errand.tin.7.-1", SessionsIn(7)} {
		if id, ok := SessionOf(other); ok {
			t.Errorf("%q is of session %d", other, id)
		}
	}
	for wide, one := range map[string]string{SessionsIn(7): SessionIn(7, 5), SessionsOut(7): SessionOut(7, 5)} {
		if strings.TrimSuffix(wide, "*")+"5" != one {
			t.Errorf("%s does not cover %s", wide, one)
		}
	}
}

func FuzzSessionMessages(f *testing.F) {
	samples := sessionSamples()
	for _, s := range samples {
		f.Add(s.encoded)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, s := range samples {
			if _, err := s.decode(b); err != nil && !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
