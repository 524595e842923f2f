package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/protocol"
)

const piece = protocol.OutputChunk

func TestWindow(t *testing.T) {
	t.Parallel()
	tempo := usualTempo()
	s := sender{}
	if got := s.room(); got != piece {
		t.Errorf("before the first answer: room for %d", got)
	}
	s.sent = piece
	if got := s.room(); got != 0 {
		t.Errorf("one piece on its way: room for %d", got)
	}
	if !s.acknowledge(piece, tempo) || s.room() != window {
		t.Errorf("after the first answer: room for %d", s.room())
	}
	s.sent = piece + window + 1
	if got := s.room(); got != 0 {
		t.Errorf("more than the window on its way: room for %d", got)
	}
}

func TestAcknowledge(t *testing.T) {
	t.Parallel()
	tempo := usualTempo()
	type answer struct {
		have     uint64
		wantMore bool
		wantSent uint64
	}
	for name, c := range map[string]struct {
		sent    uint64
		answers []answer
	}{
		"in order":                   {3 * piece, []answer{{piece, true, 3 * piece}, {2 * piece, true, 3 * piece}, {3 * piece, true, 3 * piece}}},
		"said to an earlier agent":   {piece, []answer{{9 * piece, true, 9 * piece}}},
		"old answer":                 {3 * piece, []answer{{2 * piece, true, 3 * piece}, {piece, false, 3 * piece}}},
		"a piece was lost":           {3 * piece, []answer{{piece, true, 3 * piece}, {piece, true, piece}, {piece, false, piece}}},
		"the first piece was lost":   {3 * piece, []answer{{0, true, 0}}},
		"everything is there, still": {piece, []answer{{piece, true, piece}, {piece, false, piece}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sender{sent: c.sent}
			for i, a := range c.answers {
				if more := s.acknowledge(a.have, tempo); more != a.wantMore || s.sent != a.wantSent {
					t.Errorf("answer %d: more %v, sent %d; want %v and %d", i, more, s.sent, a.wantMore, a.wantSent)
				}
			}
		})
	}
}

func TestPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tempo := usualTempo()
		s := sender{have: 5, asked: 5}
		var pauses []time.Duration
		for range 8 {
			s.sent, s.all = 10, true
			s.wait(time.Now(), tempo)
			begin := time.Now()
			if s.overdue(begin, tempo) {
				t.Error("overdue at once")
			}
			time.Sleep(time.Until(s.deadline))
			if !s.overdue(time.Now(), tempo) || s.sent != 5 || s.all {
				t.Errorf("after the deadline: sent %d, all %v", s.sent, s.all)
			}
			pauses = append(pauses, time.Since(begin))
		}
		want := time.Second
		for i, got := range pauses {
			if got < want || got > want+want/4+1 {
				t.Errorf("pause %d was %v, want %v and up to a quarter more", i, got, want)
			}
			want = min(2*want, 30*time.Second)
		}
		s.asked = 2 // the server came back with less
		s.sent = 10
		s.wait(time.Now(), tempo)
		time.Sleep(time.Until(s.deadline))
		if !s.overdue(time.Now(), tempo) || s.sent != 2 || s.have != 2 {
			t.Errorf("sent %d, have %d", s.sent, s.have)
		}
		if s.reconnected(tempo); s.pause != time.Second {
			t.Errorf("pause %v after a reconnection", s.pause)
		}
	})
}
