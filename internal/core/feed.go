package core

import (
	"slices"
	"sync"
)

// Event is a change that has been committed.
type Event struct {
	// New is an invocation that was accepted, with Tasks to deliver.
	New   *Invocation
	Tasks []Task
	// Revised says that New is not new but changed; Tasks are all its open tasks.
	Revised bool
	// Released says that New is not new, but the turn of Tasks came.
	Released bool
	// Paced is an invocation whose Pace may move.
	Paced ID
	// Stops are tasks that nodes must be told to stop.
	Stops []Task
	// Removed is a node that was removed, with Tasks that were given up because of it.
	Removed NodeKey
	// Rotate is a node that has to replace its key.
	Rotate NodeKey
	// Rescheduled says that a schedule may fire sooner than before.
	Rescheduled bool
	// RolledOut says that a rollout may move.
	RolledOut bool
	// Watched is a running task whose output somebody waits for.
	Watched TaskID
	// EndedSession is a session that is over.
	EndedSession ID
}

// Feed tells listeners in this process what was committed. It is a hint: a listener that is slow or away loses nothing but time,
// because everything it needs is in the store.
type Feed struct {
	mu        sync.Mutex
	listeners []func(Event)
}

// Listen calls fn for every event from now on, in the goroutine that committed it; fn must not block.
func (f *Feed) Listen(fn func(Event)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listeners = append(slices.Clip(f.listeners), fn)
}

func (f *Feed) tell(e Event) {
	f.mu.Lock()
	listeners := f.listeners
	f.mu.Unlock()
	for _, fn := range listeners {
		fn(e)
	}
}
