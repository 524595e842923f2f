package console

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"errand/internal/core"
)

// calm is how far two signals of a stream are apart at least, however much happens: what a page that is open costs does not depend on that.
const calm = 250 * time.Millisecond

// followed are the kinds of what pages wait for, by their names.
var followed = map[string]core.FollowKinds{
	"invocation": core.FollowInvocations, "task": core.FollowTasks, "output": core.FollowOutput, "node": core.FollowNodes,
}

// stream tells a page that something has changed, and what kinds of things; the page then asks for the parts of it that show them. It is not told
// what: the pages are the only ones who know how things are shown.
func (c *Console) stream(r *request) (answer, error) {
	q := r.URL.Query()
	spec := core.FollowSpec{Node: q.Get("node"), Now: true}
	if id, ok := core.ParseID(q.Get("invocation")); ok {
		spec.Invocation = id
	}
	if id, ok := core.ParseTaskID(q.Get("task")); ok {
		spec.Task = &id
	}
	for name := range strings.SplitSeq(q.Get("types"), ",") {
		spec.Kinds |= followed[name]
	}
	if last, ok := core.ParsePosition(r.Header.Get("Last-Event-ID")); ok {
		spec.From, spec.Now = last, false
	}
	f, err := c.Service.Follow(r.Context(), r.caller, spec)
	if err != nil {
		return answer{}, err
	}
	return answer{write: func(w http.ResponseWriter) error { return c.signal(w, r, f) }}, nil
}

// pending is what a stream has not said yet.
type pending struct {
	mu    sync.Mutex
	kinds map[string]bool
	at    core.Position
	bell  chan struct{}
}

func (p *pending) note(items []*core.Followed, at core.Position) {
	p.mu.Lock()
	for _, item := range items {
		p.kinds[kindOf(item)] = true
	}
	p.at = at
	p.mu.Unlock()
	select {
	case p.bell <- struct{}{}:
	default: // it rings already
	}
}

func (p *pending) take() (kinds []string, at core.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for kind := range p.kinds {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	clear(p.kinds)
	return kinds, p.at
}

func kindOf(item *core.Followed) string {
	switch {
	case item.Output != nil:
		return "output"
	case item.Event.Kind == core.EventNode:
		return "node"
	case item.Event.Kind == core.EventTask:
		return "task"
	}
	return "invocation"
}

// signal writes the stream until the reader leaves, or has to come again.
func (c *Console) signal(w http.ResponseWriter, r *request, f *core.Following) error {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // proxies shall pass it on as it comes
	control := http.NewResponseController(w)
	p := &pending{kinds: map[string]bool{}, bell: make(chan struct{}, 1)}
	over := make(chan struct{})
	var following sync.WaitGroup
	defer following.Wait()
	ctx, leave := context.WithCancel(r.Context())
	defer leave()
	following.Go(func() {
		defer close(over)
		err := f.Run(ctx, func(items []*core.Followed) error {
			p.note(items, f.At())
			return nil
		})
		if err != nil && ctx.Err() == nil {
			c.Log.Warn("console", "path", r.URL.Path, "error", err)
		}
	})
	if _, err := io.WriteString(w, "retry: 1000\n\n"); err != nil {
		return nil //nolint:nilerr // the reader has gone
	}
	for {
		if err := control.Flush(); err != nil {
			return nil //nolint:nilerr // the same
		}
		select {
		case <-ctx.Done():
			return nil
		case <-over:
			return nil // the reader comes again, and goes on where it was
		case <-p.bell:
		}
		kinds, at := p.take()
		var err error
		if len(kinds) == 0 {
			_, err = fmt.Fprintf(w, ": \nid: %s\n\n", at)
		} else {
			data, _ := json.Marshal(kinds) // texts always encode
			_, err = fmt.Fprintf(w, "id: %s\nevent: change\ndata: %s\n\n", at, data)
		}
		if err != nil {
			return nil //nolint:nilerr // the reader has gone
		}
		if err := control.Flush(); err != nil {
			return nil //nolint:nilerr // the same
		}
		pause := time.NewTimer(calm)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil
		}
	}
}
