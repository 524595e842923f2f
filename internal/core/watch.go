package core

import (
	"context"
	"iter"
	"sync"
	"time"
)

// Watched is what somebody who follows a task is shown at a time.
type Watched struct {
	TaskView
	Chunks []Chunk // output from the position asked for; the first begins later where the bytes before it are gone
	Next   uint64  // the position after them
}

const (
	// watchPiece is the output in bytes beyond which an answer takes no further segment.
	watchPiece = 1 << 20
	// watchAgain is how often somebody who waits looks at the store, for what another replica stored, and has the node reminded.
	watchAgain = time.Second
)

// Watch returns the merged output of a task from a position on. When there is none yet and the task has not ended, it waits for as long as
// it is told to; meanwhile the node sends what is printed at once instead of now and then.
func (s *Service) Watch(ctx context.Context, c Caller, id TaskID, from uint64, wait time.Duration) (Watched, error) {
	patience := time.NewTimer(wait)
	defer patience.Stop()
	again := time.NewTicker(watchAgain)
	defer again.Stop()
	for {
		changed, leave := s.watch.join(id)
		w, err := s.watched(ctx, c, id, from)
		if err != nil || wait <= 0 || len(w.Chunks) > 0 || w.State.Ended() {
			leave()
			return w, err
		}
		s.feed.tell(Event{Watched: w.ID})
		over := false
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-patience.C:
			over = true
		case <-changed:
		case <-again.C:
		}
		leave()
		if err != nil || over {
			return w, err
		}
	}
}

// watched reads a task and its output from a position on.
func (s *Service) watched(ctx context.Context, c Caller, id TaskID, from uint64) (Watched, error) {
	views, _, err := s.Tasks(ctx, c, TaskFilter{IDs: []TaskID{id}, Output: true}, PageSpec{Limit: 1})
	if err != nil {
		return Watched{}, err
	}
	if len(views) == 0 {
		return Watched{}, notFound(ReasonInvocationNotFound, "no task %s", id)
	}
	w := Watched{TaskView: views[0], Next: from}
	take := func(c Chunk) {
		if c = c.from(w.Next); len(c.Data) > 0 {
			w.Chunks, w.Next = append(w.Chunks, c), c.End()
		}
	}
	for _, seg := range w.Output.Segments {
		if seg.End() <= w.Next {
			continue
		}
		if w.Next-from >= watchPiece {
			return w, nil
		}
		c, err := s.segment(ctx, w.ID, seg)
		if err != nil {
			return w, err
		}
		take(c)
	}
	take(w.Output.Recent)
	return w, nil
}

// watchers are those who wait for news of a task or an invocation in this process.
type watchers[ID comparable] struct {
	mu  sync.Mutex
	ids map[ID]*watcher
}

type watcher struct {
	waiting int
	changed chan struct{}
}

// join returns a channel that is closed at the next news, and what to call when nobody waits for it any more.
func (w *watchers[ID]) join(id ID) (changed <-chan struct{}, leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ids == nil {
		w.ids = map[ID]*watcher{}
	}
	t := w.ids[id]
	if t == nil {
		t = &watcher{changed: make(chan struct{})}
		w.ids[id] = t
	}
	t.waiting++
	return t.changed, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if t.waiting--; t.waiting == 0 && w.ids[id] == t {
			delete(w.ids, id)
		}
	}
}

// wake tells those who wait that something was committed.
func (w *watchers[ID]) wake(ids iter.Seq[ID]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.ids) == 0 {
		return
	}
	for id := range ids {
		if t := w.ids[id]; t != nil {
			close(t.changed)
			delete(w.ids, id)
		}
	}
}
