package core

import (
	"context"
	"errors"
	"sync"
	"time"
)

// FollowKinds are kinds of what a follower may be told.
type FollowKinds uint8

// The kinds.
const (
	FollowInvocations FollowKinds = 1 << iota
	FollowTasks
	FollowOutput
	FollowNodes
)

const (
	// heartbeat is how often a follower hears something even if nothing happens.
	heartbeat = 15 * time.Second
	// followFor is how long one call follows; then the caller has to prove itself again.
	followFor = time.Hour
	// maxFollowers is how many follow at the same time in this process, and maxOwnFollowers in one account.
	maxFollowers    = 4096
	maxOwnFollowers = 1024
	// pageOfEvents is how many events somebody who catches up looks at together.
	pageOfEvents = 500
	// outputPiece is the output in one item, in bytes.
	outputPiece = 32 << 10
	// leeway is how far the times of events may be out of order.
	leeway = time.Minute
)

// FollowSpec is what a caller wants to be told. Zero fields select everything.
type FollowSpec struct {
	Invocation ID
	Task       *TaskID
	Node       string // its id
	Kinds      FollowKinds
	From       Position
	Now        bool // instead of From: only what happens from now on
}

// Followed is an item of the stream. Items are shared between followers and must not be changed.
type Followed struct {
	At     Position    // where to go on after it
	Event  *StateEvent // what happened; of output, what printed it
	Output *Chunk      // what was printed, if it is that
	// Before is how many bytes of output were gone before Output.
	Before uint64

	once sync.Once
	text []byte
}

// Text returns what encode made of the item, which is called once however many followers it goes to. All of them have to encode alike.
func (f *Followed) Text(encode func(*Followed) []byte) []byte {
	f.once.Do(func() { f.text = encode(f) })
	return f.text
}

func (f *Followed) size() int {
	if f.Output != nil {
		return len(f.Output.Data) + 300
	}
	return 300
}

// Following is a caller's view of the stream of events.
type Following struct {
	service *Service
	account AccountID
	spec    FollowSpec
	node    NodeKey
	at      Position

	// Lost says that events after From are not kept any more.
	Lost bool
}

// Follow prepares to tell a caller what happens, from a position on: history and what happens now are one sequence, and each item in it comes once.
// Run does it.
func (s *Service) Follow(ctx context.Context, c Caller, spec FollowSpec) (*Following, error) {
	f := &Following{service: s, account: c.Account, spec: spec, at: spec.From}
	if err := f.authorise(ctx, &c); err != nil {
		return nil, err
	}
	newest, err := s.store.LastEvent(ctx, time.Time{})
	if err != nil {
		return nil, err
	}
	switch {
	case spec.Now:
		f.at = Position{Seq: newest}
	case f.at.Seq > newest:
		return nil, invalid(ReasonFilter, "from", "the last event so far is %d", newest)
	case f.at.Seq > 0:
		var first int64
		_, _, err := s.store.ScanEvents(ctx, f.at.done(), 1, func(e *StateEvent) bool { first = e.Seq; return false })
		if err != nil {
			return nil, err
		}
		f.Lost = first > f.at.done()+1
	case spec.Invocation != 0:
		if f.at.Seq, err = s.store.LastEvent(ctx, spec.Invocation.Time().Add(-leeway)); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// authorise judges the call and completes the filter.
func (f *Following) authorise(ctx context.Context, c *Caller) error {
	s := f.service
	if f.spec.Kinds == 0 {
		return invalid(ReasonFilter, "types", "nothing to follow")
	}
	if t := f.spec.Task; t != nil {
		if f.spec.Invocation != 0 && f.spec.Invocation != t.Invocation {
			return invalid(ReasonFilter, "task", "a task of another invocation")
		}
		f.spec.Invocation = t.Invocation
	}
	if f.spec.Node != "" {
		if err := s.allowObjects(ctx, c, "node.list", nil, KindNode, []string{f.spec.Node}); err != nil {
			return err
		}
		nodes, err := s.nodesByID(ctx, c.Account, []string{f.spec.Node})
		if err != nil {
			return err
		}
		n, ok := nodes[f.spec.Node]
		if !ok {
			return notFound(ReasonInvocationNotFound, "no node %s", f.spec.Node)
		}
		f.node = n.Key
	} else if f.spec.Kinds&FollowNodes != 0 {
		if err := s.allowObjects(ctx, c, "node.list", nil, KindNode, nil); err != nil {
			return err
		}
	}
	var invocations []ID
	var nodes []NodeKey
	if f.spec.Invocation != 0 {
		invocations = []ID{f.spec.Invocation}
	}
	if f.node != 0 {
		nodes = []NodeKey{f.node}
	}
	if f.spec.Kinds&^FollowNodes != 0 {
		if err := s.allowHistory(ctx, c, "task.list", invocations, nil, nodes); err != nil {
			return err
		}
	}
	if f.spec.Invocation == 0 && f.node == 0 {
		return c.Allow("event.watch", nil)
	}
	if f.spec.Invocation == 0 {
		return nil
	}
	v, err := s.invocation(ctx, c.Account, f.spec.Invocation)
	if err == nil && f.spec.Task != nil && int(f.spec.Task.Index) >= v.Counts.Total() {
		err = notFound(ReasonInvocationNotFound, "no task %s", f.spec.Task)
	}
	return err
}

// wants reports whether an event is followed, itself or for the output that came with it.
func (f *Following) wants(e *StateEvent) bool { return f.wantsEvent(e) || f.wantsOutput(e) }

func (f *Following) wantsEvent(e *StateEvent) bool {
	if e.Account != f.account {
		return false
	}
	switch e.Kind {
	case EventNode:
		return f.spec.Kinds&FollowNodes != 0 && (f.node == 0 || f.node == e.Node)
	case EventTask:
		return f.spec.Kinds&FollowTasks != 0 && f.about(e)
	case EventAccepted, EventStarted, EventEnded, EventPaced:
		return f.spec.Kinds&FollowInvocations != 0 && f.spec.Task == nil && f.node == 0 && (f.spec.Invocation == 0 || f.spec.Invocation == e.Invocation)
	case EventOutput, EventPing:
	}
	return false
}

func (f *Following) wantsOutput(e *StateEvent) bool {
	return f.spec.Kinds&FollowOutput != 0 && e.OutTo > e.OutFrom && e.Account == f.account && f.about(e)
}

// about reports whether the task of an event is followed.
func (f *Following) about(e *StateEvent) bool {
	return (f.spec.Invocation == 0 || f.spec.Invocation == e.Invocation) && (f.node == 0 || f.node == e.Node) &&
		(f.spec.Task == nil || *f.spec.Task == e.Task())
}

// At is where Run goes on.
func (f *Following) At() Position { return f.at }

// Run calls emit with what happened and happens, in order, until emit returns an error, ctx ends, an hour is over or the server stops; the latter two
// return nil. emit is also called now and then without items, when At has moved or nothing happens. It may take as long as it needs to: nobody waits
// for it, and what it misses meanwhile is read again from the store.
func (f *Following) Run(ctx context.Context, emit func([]*Followed) error) error {
	h := &f.service.stream
	if err := h.enter(f.account); err != nil {
		return err
	}
	defer h.exit(f.account)
	ctx, cancel := context.WithTimeout(ctx, followFor)
	defer cancel()
	stop := context.AfterFunc(h.ended, cancel)
	defer stop()
	err := f.run(ctx, emit)
	if ctx.Err() != nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded) || h.ended.Err() != nil {
		return nil
	}
	return err
}

func (f *Following) run(ctx context.Context, emit func([]*Followed) error) error {
	if err := emit(nil); err != nil {
		return err
	}
	for {
		if err := f.catchUp(ctx, emit); err != nil {
			return err
		}
		if err := f.live(ctx, emit); err != nil {
			return err
		}
	}
}

// catchUp reads events from the store until there are no more.
func (f *Following) catchUp(ctx context.Context, emit func([]*Followed) error) error {
	end, err := f.lastOwn(ctx)
	if err != nil {
		return err
	}
	for {
		more, err := f.page(ctx, emit)
		if err != nil || !more {
			return err
		}
		if end.stop > 0 && f.at.done() >= end.stop {
			f.at = Position{Seq: max(f.at.Seq, end.newest)}
			end.stop = 0
		}
	}
}

// own is up to where there can be events of an invocation that has ended, among those up to newest. Zero means that nothing is known.
type own struct{ stop, newest int64 }

func (f *Following) lastOwn(ctx context.Context) (end own, err error) {
	s := f.service
	if f.spec.Invocation == 0 || f.spec.Kinds&FollowNodes != 0 {
		return end, nil
	}
	if end.newest, err = s.store.LastEvent(ctx, time.Time{}); err != nil {
		return end, err
	}
	v, err := s.invocation(ctx, f.account, f.spec.Invocation)
	// A task that is only presumed to have ended may still print.
	if err != nil || v.Counts.Open() > 0 || v.Counts.Of(Lost, DeliveryFailed) > 0 {
		return own{}, err
	}
	end.stop, err = s.store.LastEvent(ctx, v.UpdatedAt.Add(leeway))
	return end, err
}

// page emits what a page of events comes to, and reports whether there may be more.
func (f *Following) page(ctx context.Context, emit func([]*Followed) error) (more bool, err error) {
	looked := 0
	after := f.at.done()
	rows, last, err := f.service.store.ScanEvents(ctx, after, pageOfEvents, func(e *StateEvent) bool { looked++; return f.wants(e) })
	if err != nil {
		return false, err
	}
	x := expansion{service: f.service}
	if err := x.prepare(ctx, rows, f.wantsOutput); err != nil {
		return false, err
	}
	for i := range rows {
		e := &rows[i]
		from := e.OutFrom
		if e.Seq == f.at.Seq {
			from = max(from, f.at.Out)
		}
		var items []*Followed
		if f.wantsOutput(e) {
			if err := x.output(ctx, e, from, func(o *Followed) error { return f.emit(emit, o) }); err != nil {
				return false, err
			}
		}
		if f.wantsEvent(e) {
			items = append(items, &Followed{At: Position{Seq: e.Seq}, Event: e})
		}
		if err := f.emit(emit, items...); err != nil {
			return false, err
		}
	}
	if last > after {
		f.at = Position{Seq: last}
	}
	return looked == pageOfEvents, ctx.Err()
}

// emit passes on those items that come after where the follower is.
func (f *Following) emit(emit func([]*Followed) error, items ...*Followed) error {
	fresh := items[:0:0]
	at := f.at
	for _, i := range items {
		if i.At.after(at) {
			fresh, at = append(fresh, i), i.At
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	f.at = at
	return emit(fresh)
}

// after reports whether a position comes after another one. The end of an event comes after all places within it.
func (p Position) after(q Position) bool {
	if p.Seq != q.Seq {
		return p.Seq > q.Seq
	}
	return q.Out > 0 && (p.Out == 0 || p.Out > q.Out)
}

// live passes on what the hub tells, until it tells faster than emit takes it.
func (f *Following) live(ctx context.Context, emit func([]*Followed) error) error {
	h := &f.service.stream
	v, err := h.join(ctx, f)
	if err != nil {
		return err
	}
	defer h.leave(v)
	// What happened before the hub took this follower in.
	for f.at.done() < v.joined {
		before := f.at
		if _, err := f.page(ctx, emit); err != nil {
			return err
		}
		if f.at == before { // those events were removed
			f.at = Position{Seq: v.joined}
		}
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		told := h.told()
		items, behind := v.take()
		switch {
		case behind:
			return nil
		case len(items) > 0:
			if err := f.emit(emit, items...); err != nil {
				return err
			}
			continue
		case told > f.at.Seq:
			f.at = Position{Seq: told} // none of it was for this follower
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-v.news:
		case <-beat.C:
			if err := emit(nil); err != nil {
				return err
			}
		}
	}
}

// expansion reads output for events that are looked at together.
type expansion struct {
	service *Service
	tasks   map[TaskID]*Task // with their output; nil if one is gone
	of      TaskID           // whose segment was read last
	segment Chunk
}

// prepare reads the tasks whose output is wanted, together.
func (x *expansion) prepare(ctx context.Context, events []StateEvent, wants func(*StateEvent) bool) error {
	ids := map[AccountID][]TaskID{}
	x.tasks = map[TaskID]*Task{}
	for i := range events {
		e := &events[i]
		if _, twice := x.tasks[e.Task()]; !twice && wants(e) {
			x.tasks[e.Task()] = nil
			ids[e.Account] = append(ids[e.Account], e.Task())
		}
	}
	for account, list := range ids {
		rows, _, err := x.service.store.ListTasks(ctx, TaskFilter{Account: account, IDs: list, Output: true}, Page{Limit: len(list)})
		if err != nil {
			return err
		}
		for i := range rows {
			x.tasks[rows[i].ID] = &rows[i]
		}
	}
	return nil
}

// task reads a task again if what is known of it does not reach as far as it should.
func (x *expansion) task(ctx context.Context, id TaskID, account AccountID, to uint64) (*Task, error) {
	if t, ok := x.tasks[id]; ok && (t == nil || t.Output.Have() >= to) {
		return t, nil
	}
	rows, _, err := x.service.store.ListTasks(ctx, TaskFilter{Account: account, IDs: []TaskID{id}, Output: true}, Page{Limit: 1})
	if err != nil {
		return nil, err
	}
	x.tasks[id] = nil
	if len(rows) == 1 {
		x.tasks[id] = &rows[0]
	}
	return x.tasks[id], nil
}

// output emits the output that came with an event, from a position on. Of a task that was removed nothing is left.
func (x *expansion) output(ctx context.Context, e *StateEvent, from uint64, emit func(*Followed) error) error {
	t, err := x.task(ctx, e.Task(), e.Account, e.OutTo)
	if err != nil || t == nil {
		return err
	}
	var last *Followed
	flush := func() error {
		if last == nil {
			return nil
		}
		o := last
		last = nil
		return emit(o)
	}
	take := func(c Chunk) error {
		c = c.from(from)
		c = c.until(e.OutTo)
		for len(c.Data) > 0 {
			if err := flush(); err != nil {
				return err
			}
			piece := c.until(c.Off + outputPiece)
			last = &Followed{At: Position{e.Seq, piece.End()}, Event: e, Output: &piece, Before: piece.Off - from}
			from = piece.End()
			c = c.from(from)
		}
		return nil
	}
	for _, seg := range t.Output.Segments {
		if seg.End() <= from || seg.Off >= e.OutTo {
			continue
		}
		if x.of != t.ID || x.segment.Off != seg.Off || len(x.segment.Data) == 0 {
			if x.segment, err = x.service.segment(ctx, t.ID, seg); err != nil {
				if ctx.Err() != nil {
					return err
				}
				// Whoever follows shall not be kept by it for ever.
				x.service.log.Error("output passed over", "task", t.ID, "error", err)
				continue
			}
			x.of = t.ID
		}
		if err := take(x.segment); err != nil {
			return err
		}
	}
	if err := take(t.Output.Recent); err != nil {
		return err
	}
	if last != nil && e.Kind == EventOutput {
		last.At = Position{Seq: e.Seq} // nothing else comes with it
	}
	return flush()
}

// until returns the part of the chunk before position off.
func (c *Chunk) until(off uint64) Chunk {
	if off >= c.End() {
		return *c
	}
	if off <= c.Off {
		return Chunk{Off: c.Off}
	}
	keep := off - c.Off
	out := Chunk{Off: c.Off, Gap: c.Gap, Data: c.Data[:keep:keep]}
	for _, s := range c.Spans {
		if keep == 0 {
			break
		}
		n := min(keep, uint64(s.Len))
		out.Spans = append(out.Spans, Span{s.Stream, uint32(n)})
		keep -= n
	}
	return out
}
