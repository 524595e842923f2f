package dispatch

import (
	"context"
	"sync"
)

// queue is a queue whose reader takes everything that has gathered at once: while it works on one batch, the next one grows by itself. Writers
// never block.
type queue[T any] struct {
	most  int // how many items it holds; zero means any number
	mu    sync.Mutex
	items []T
	ready chan struct{}
}

func newQueue[T any](most int) *queue[T] {
	return &queue[T]{most: most, ready: make(chan struct{}, 1)}
}

// put adds an item and reports whether there was room for it.
func (q *queue[T]) put(v T) bool {
	q.mu.Lock()
	room := q.most == 0 || len(q.items) < q.most
	if room {
		q.items = append(q.items, v)
	}
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
	return room
}

// take waits for items and returns at most n of them; nil when ctx ends.
func (q *queue[T]) take(ctx context.Context, n int) []T {
	for {
		q.mu.Lock()
		items := q.items
		if len(items) > n {
			items, q.items = items[:n:n], items[n:]
		} else {
			q.items = nil
		}
		q.mu.Unlock()
		if len(items) > 0 {
			return items
		}
		select {
		case <-q.ready:
		case <-ctx.Done():
			return nil
		}
	}
}
