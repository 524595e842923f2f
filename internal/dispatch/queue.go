package dispatch

import (
	"context"
	"sync"
)

// queue is an unbounded queue whose reader takes everything that has gathered at once: while it works on one batch, the next one
// grows by itself. Writers never block. What bounds it is the sender: nodes repeat what is not answered, slowly.
type queue[T any] struct {
	mu    sync.Mutex
	items []T
	ready chan struct{}
}

func newQueue[T any]() *queue[T] { return &queue[T]{ready: make(chan struct{}, 1)} }

func (q *queue[T]) put(v T) {
	q.mu.Lock()
	q.items = append(q.items, v)
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
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
