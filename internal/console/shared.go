package console

import (
	"sync"
	"time"

	"errand/internal/core"
)

// shared keeps what many readers of the same run ask for at the same time, so that it is read once for all of them.
type shared[T any] struct {
	mu   sync.Mutex
	runs map[core.ID]*sharedOf[T]
}

type sharedOf[T any] struct {
	mu      sync.Mutex
	at      time.Time
	updated time.Time // of the run, when it was read
	value   T
}

// What is kept of a run that goes on may be so old, and so many runs are kept at most.
const (
	sharedAge  = 500 * time.Millisecond
	mostShared = 16
)

// get returns what is kept of a run if the run has not changed since, or not for long, and reads it otherwise. Whether a reader may see it is
// for the caller to ask.
func (s *shared[T]) get(v *core.Invocation, now time.Time, read func() (T, error)) (T, error) {
	s.mu.Lock()
	if s.runs == nil {
		s.runs = map[core.ID]*sharedOf[T]{}
	}
	e := s.runs[v.ID]
	if e == nil {
		if len(s.runs) >= mostShared {
			clear(s.runs)
		}
		e = &sharedOf[T]{}
		s.runs[v.ID] = e
	}
	s.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	good := e.updated.Equal(v.UpdatedAt) // nothing follows the end of a run that would have an old picture of it replaced
	if v.Counts.Open() > 0 {
		good = now.Sub(e.at) < sharedAge
	}
	if !e.at.IsZero() && good {
		return e.value, nil
	}
	value, err := read()
	if err == nil {
		e.value, e.at, e.updated = value, now, v.UpdatedAt
	}
	return value, err
}
