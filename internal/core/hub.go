package core

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// A follower that has so much waiting for it is read from the store again, at its own pace.
	maxBehind     = 2048    // items
	maxBehindSize = 2 << 20 // bytes
	// gather is how long the hub waits for more events before it reads what was written.
	gather = 5 * time.Millisecond
	// tailAgain is how often the hub looks at the store, for what another replica wrote.
	tailAgain = time.Second
)

// hub tells followers what is written. One goroutine reads the events, however many follow, and there is none while nobody does. An event costs
// only those followers something who want it, or who follow everything in its account.
type hub struct {
	service *Service
	ended   context.Context // the life of the service itself
	end     context.CancelFunc
	last    atomic.Int64 // the event up to which everything was told

	// mu is held while a batch of events is told, so that whoever joins knows exactly from where on it hears everything.
	mu           sync.Mutex
	byInvocation map[ID][]*viewer
	byAccount    map[AccountID][]*viewer
	viewers      int
	tail         *tail

	count struct {
		sync.Mutex
		all int
		own map[AccountID]int
	}
}

// tail is the goroutine that reads.
type tail struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// viewer is a follower while it is told what is written.
type viewer struct {
	*Following
	joined int64         // it hears everything after this event
	news   chan struct{} // has something when there is something to take

	mu     sync.Mutex
	queue  []*Followed
	size   int
	behind bool
}

func (h *hub) init(s *Service) {
	h.service = s
	h.ended, h.end = context.WithCancel(context.Background())
	h.byInvocation, h.byAccount = map[ID][]*viewer{}, map[AccountID][]*viewer{}
	h.count.own = map[AccountID]int{}
}

// EndFollowing ends all followers, also those to come, for a server that stops.
func (s *Service) EndFollowing() { s.stream.end() }

// Followers is how many follow the stream of events.
func (s *Service) Followers() int {
	c := &s.stream.count
	c.Lock()
	defer c.Unlock()
	return c.all
}

// enter counts a follower and refuses too many.
func (h *hub) enter(account AccountID) error {
	c := &h.count
	c.Lock()
	defer c.Unlock()
	if c.all >= maxFollowers || c.own[account] >= maxOwnFollowers {
		return &Error{Code: CodeThrottled, Reason: ReasonThrottled, Detail: "too many follow the stream of events"}
	}
	c.all++
	c.own[account]++
	return nil
}

func (h *hub) exit(account AccountID) {
	c := &h.count
	c.Lock()
	defer c.Unlock()
	c.all--
	if c.own[account]--; c.own[account] == 0 {
		delete(c.own, account)
	}
}

// told is the event up to which everything was told.
func (h *hub) told() int64 { return h.last.Load() }

// join takes a follower in.
func (h *hub) join(ctx context.Context, f *Following) (*viewer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tail == nil {
		newest, err := h.service.store.LastEvent(ctx, time.Time{})
		if err != nil {
			return nil, err
		}
		h.last.Store(newest)
		ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		h.tail = &tail{cancel: cancel, done: make(chan struct{})}
		go h.run(ctx, h.tail)
	}
	v := &viewer{Following: f, joined: h.last.Load(), news: make(chan struct{}, 1)}
	h.viewers++
	if f.spec.Invocation != 0 {
		h.byInvocation[f.spec.Invocation] = append(h.byInvocation[f.spec.Invocation], v)
	}
	if f.spec.Invocation == 0 || f.spec.Kinds&FollowNodes != 0 {
		h.byAccount[f.account] = append(h.byAccount[f.account], v)
	}
	return v, nil
}

// leave lets a follower go. The last one waits for the goroutine that reads.
func (h *hub) leave(v *viewer) {
	h.mu.Lock()
	drop(h.byInvocation, v.spec.Invocation, v)
	drop(h.byAccount, v.account, v)
	h.viewers--
	var last *tail
	if h.viewers == 0 {
		last, h.tail = h.tail, nil
	}
	h.mu.Unlock()
	if last != nil {
		last.cancel()
		<-last.done
	}
}

func drop[K comparable](m map[K][]*viewer, key K, v *viewer) {
	if m[key] = slices.DeleteFunc(m[key], func(w *viewer) bool { return w == v }); len(m[key]) == 0 {
		delete(m, key)
	}
}

// run tells events as they are written, until it is not wanted any more.
func (h *hub) run(ctx context.Context, t *tail) {
	defer close(t.done)
	again := time.NewTicker(tailAgain)
	defer again.Stop()
	pause := time.NewTimer(gather)
	defer pause.Stop()
	for {
		written := h.service.store.EventsWritten()
		for more := true; more; {
			var err error
			if more, err = h.batch(ctx, t); err != nil && ctx.Err() == nil {
				h.service.log.Error("read events for followers", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-written:
		case <-again.C:
		}
		pause.Reset(gather)
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}

// batch tells some events, and reports whether there may be more.
func (h *hub) batch(ctx context.Context, t *tail) (more bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tail != t {
		return false, nil
	}
	looked := 0
	rows, last, err := h.service.store.ScanEvents(ctx, h.last.Load(), pageOfEvents, func(e *StateEvent) bool {
		looked++
		return h.wanted(e)
	})
	if err != nil {
		return false, err
	}
	x := expansion{service: h.service}
	if err := x.prepare(ctx, rows, h.wantedOutput); err != nil {
		return false, err
	}
	for i := range rows {
		if err := h.tell(ctx, &x, &rows[i]); err != nil {
			return false, err // they are told again; followers pass over what they have
		}
	}
	h.last.Store(last)
	return looked == pageOfEvents, nil
}

// each calls visit for the followers that may want an event, until it returns false.
func (h *hub) each(e *StateEvent, visit func(*viewer) bool) {
	for _, v := range h.byAccount[e.Account] {
		if (v.spec.Invocation == 0 || e.Kind == EventNode) && !visit(v) {
			return
		}
	}
	if e.Invocation == 0 {
		return
	}
	for _, v := range h.byInvocation[e.Invocation] {
		if !visit(v) {
			return
		}
	}
}

func (h *hub) wanted(e *StateEvent) (wanted bool) {
	h.each(e, func(v *viewer) bool {
		wanted = v.wants(e)
		return !wanted
	})
	return wanted
}

func (h *hub) wantedOutput(e *StateEvent) (wanted bool) {
	h.each(e, func(v *viewer) bool {
		wanted = v.wantsOutput(e)
		return !wanted
	})
	return wanted
}

// tell passes an event on to those who want it. Its output is read once for all.
func (h *hub) tell(ctx context.Context, x *expansion, e *StateEvent) (err error) {
	var output []*Followed
	read := false
	state := &Followed{At: Position{Seq: e.Seq}, Event: e}
	h.each(e, func(v *viewer) bool {
		if v.wantsOutput(e) {
			if !read {
				read = true
				err = x.output(ctx, e, e.OutFrom, func(o *Followed) error { output = append(output, o); return nil })
			}
			v.push(output...)
		}
		if err == nil && v.wantsEvent(e) {
			v.push(state)
		}
		return err == nil
	})
	return err
}

// push adds items for a follower, unless too many wait for it already.
func (v *viewer) push(items ...*Followed) {
	if len(items) == 0 {
		return
	}
	v.mu.Lock()
	for _, i := range items {
		v.size += i.size()
	}
	v.queue = append(v.queue, items...)
	if len(v.queue) > maxBehind || v.size > maxBehindSize {
		v.behind = true
	}
	if v.behind {
		v.queue = nil
	}
	v.mu.Unlock()
	select {
	case v.news <- struct{}{}:
	default:
	}
}

// take returns what waits for the follower. behind says that something could not wait.
func (v *viewer) take() (items []*Followed, behind bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	items, v.queue, v.size = v.queue, nil, 0
	return items, v.behind
}
