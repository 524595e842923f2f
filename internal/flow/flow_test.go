package flow_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"errand/internal/flow"
)

const (
	window = 1 << 10
	chunk  = 100
)

// wire is a network between the two halves that the test moves by hand.
type wire struct {
	mu   sync.Mutex
	data []func()
	acks []func()
}

func (w *wire) add(queue *[]func(), f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*queue = append(*queue, f)
}

// take empties a queue.
func (w *wire) take(queue *[]func()) []func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := *queue
	*queue = nil
	return all
}

func halves(w *wire, pos uint64) (*flow.Sender, *flow.Receiver) {
	var s *flow.Sender
	r := flow.NewReceiver(pos, window, func(have, kept, limit uint64) { w.add(&w.acks, func() { s.Acked(have, kept, limit) }) })
	s = flow.NewSender(pos, window, chunk, func(at uint64, data []byte) {
		data = bytes.Clone(data)
		w.add(&w.data, func() { r.Put(at, data) })
	})
	return s, r
}

// TestBadNetwork sends a long stream over a network that loses, repeats and reorders a third of everything.
func TestBadNetwork(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		w := &wire{}
		s, r := halves(w, seed<<32)
		rng := rand.New(rand.NewPCG(seed, 1))
		want := make([]byte, 50_000)
		for i := range want {
			want[i] = byte(rng.Uint32())
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			for rest := want; len(rest) > 0; {
				n := min(len(rest), 1+int(rest[0])*3)
				if err := s.Write(ctx, rest[:n]); err != nil {
					t.Errorf("write: %v", err)
					return
				}
				rest = rest[n:]
			}
			if err := r.End(s.End()); err != nil {
				t.Error(err)
			}
		})
		var got []byte
		done := make(chan struct{})
		running.Go(func() {
			defer close(done)
			for {
				piece, err := r.Next(ctx, 77)
				if errors.Is(err, io.EOF) {
					return
				}
				if err != nil {
					t.Errorf("next: %v", err)
					return
				}
				got = append(got, piece...)
				r.Done(len(piece))
			}
		})
		for over := false; !over; {
			select {
			case <-done:
				over = true
			default:
				for _, queue := range []*[]func(){&w.data, &w.acks} {
					batch := w.take(queue)
					rng.Shuffle(len(batch), func(i, j int) {
						if rng.IntN(3) == 0 {
							batch[i], batch[j] = batch[j], batch[i]
						}
					})
					for _, deliver := range batch {
						for range []int{0, 1, 1, 1, 1, 2}[rng.IntN(6)] {
							deliver()
						}
					}
				}
				s.Tick()
				r.Tell()
			}
		}
		cancel()
		running.Wait()
		if !bytes.Equal(got, want) {
			t.Fatalf("seed %d: %d bytes arrived of %d, or others", seed, len(got), len(want))
		}
	}
}

// TestBounds lets nobody have more under way, or in memory, than a window.
func TestBounds(t *testing.T) {
	t.Parallel()
	w := &wire{}
	s, r := halves(w, 0)
	ctx, cancel := context.WithCancelCause(t.Context())
	wrote := make(chan error, 1)
	go func() { wrote <- s.Write(ctx, make([]byte, 3*window)) }()
	for s.End() < window { // it has to wait from there on
		select {
		case err := <-wrote:
			t.Fatalf("wrote everything: %v", err)
		default:
		}
	}
	for _, deliver := range w.take(&w.data) {
		deliver()
	}
	r.Put(window, make([]byte, 10*window)) // a sender that does not keep to it
	if have := r.Have(); have != window {
		t.Errorf("holds %d bytes", have)
	}
	stopped := errors.New("stopped")
	cancel(stopped)
	if err := <-wrote; !errors.Is(err, stopped) {
		t.Errorf("write: %v", err)
	}
	if _, err := flow.NewReceiver(0, window, nil).Next(ctx, 1); !errors.Is(err, stopped) {
		t.Errorf("next: %v", err)
	}
}

// TestLies ignores what cannot be true.
func TestLies(t *testing.T) {
	t.Parallel()
	w := &wire{}
	s, r := halves(w, 0)
	if err := s.Write(t.Context(), []byte("hello")); err != nil {
		t.Fatal(err)
	}
	s.Acked(6, 0, 1<<40)
	s.Acked(5, 6, 1<<40)
	if s.Start() != 0 || s.End() != 5 {
		t.Errorf("keeps %d to %d", s.Start(), s.End())
	}
	r.Put(1, []byte("ello"))
	if r.Have() != 0 {
		t.Error("took a piece after a gap")
	}
	r.Put(0, []byte("hello"))
	if err := r.End(4); !errors.Is(err, flow.ErrBeyond) {
		t.Errorf("end before the data: %v", err)
	}
	s.Acked(5, 0, 1<<40)
	if s.Start() != 5 {
		t.Errorf("keeps from %d", s.Start())
	}
	s.Acked(3, 0, 0) // late
	if s.Start() != 5 {
		t.Errorf("keeps from %d", s.Start())
	}
}

// TestRewind has a receiving half take over from one that is gone: nothing of what that one still kept is lost, and nothing is sent twice to it for
// no reason.
func TestRewind(t *testing.T) {
	t.Parallel()
	w := &wire{}
	s, r := halves(w, 0)
	deliver := func(queue *[]func()) {
		for _, f := range w.take(queue) {
			f()
		}
	}
	if err := s.Write(t.Context(), []byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	deliver(&w.data)
	r.Keep(4)
	deliver(&w.acks)
	s.Tick()
	s.Tick()
	if n := len(w.take(&w.data)); n > 0 {
		t.Errorf("%d pieces sent again that are there", n)
	}
	if s.Start() != 4 || s.Have() != 10 || r.Start() != 4 {
		t.Errorf("keeps from %d and %d, of %d", s.Start(), r.Start(), s.Have())
	}
	again := flow.NewReceiver(s.Start(), window, func(have, kept, limit uint64) { s.Acked(have, kept, limit) })
	s.Rewind() // its pieces are for the receiving half that is gone
	w.take(&w.data)
	again.Tell()
	s.Tick()
	s.Tick() // nobody answered for a whole round
	if n := len(w.take(&w.data)); n == 0 {
		t.Error("nothing is sent again")
	}
	at, data, err := r.From(t.Context(), 2, 3)
	if at != 4 || string(data) != "456" || err != nil {
		t.Errorf("%d %q %v", at, data, err)
	}
	at, data, err = r.From(t.Context(), 8, 30)
	if at != 8 || string(data) != "89" || err != nil {
		t.Errorf("%d %q %v", at, data, err)
	}
	if err := r.End(10); err != nil {
		t.Error(err)
	}
	if at, _, err = r.From(t.Context(), 10, 30); at != 10 || !errors.Is(err, io.EOF) {
		t.Errorf("%d %v", at, err)
	}
	r.Keep(11) // of what is not there
	r.Keep(3)
	if r.Start() != 4 {
		t.Errorf("keeps from %d", r.Start())
	}
}
