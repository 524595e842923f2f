package session

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"errand/internal/cast"
	"errand/internal/core"
)

const (
	// recordEvery is how often what a terminal printed is stored; more than recordAt bytes are stored at once.
	recordEvery = time.Second
	recordAt    = 32 << 10
	// recordPatience is for how long storing may fail before the session has to end.
	recordPatience = time.Minute
	recordTimeout  = 10 * time.Second
	// maxHeldInput is how many bytes of events may wait to be stored before input is not recorded any more: output waits at the node instead.
	maxHeldInput = 256 << 10
)

// recorder stores what passes through a leg. What is not stored the leg keeps, and so does the node: whatever crashes, the recording goes on where it was.
type recorder struct {
	leg      *leg
	position int
	closing  chan struct{} // closed when the leg is over: what is there is stored, and no more is waited for
	done     chan struct{} // closed when it has ended

	storing sync.Mutex

	mu     sync.Mutex
	row    core.Record
	events []byte // not stored yet
	held   []byte // the beginning of a character, not in events yet
	pos    uint64 // position after held
	last   time.Duration
	cut    bool
	failed time.Time // since when it cannot be stored; zero if it can
}

func newRecorder(l *leg, position int) *recorder {
	return &recorder{leg: l, position: position, closing: make(chan struct{}), done: make(chan struct{})}
}

// run records until the leg is over, or the process goes.
func (r *recorder) run(ctx context.Context) {
	defer close(r.done)
	select {
	case <-r.leg.begun:
	case <-r.closing:
		return // it never came about
	case <-ctx.Done():
		return
	}
	if !r.begin(ctx) {
		return
	}
	reading, stop := context.WithCancel(ctx)
	var ticking sync.WaitGroup
	ticking.Go(func() { r.tick(reading, stop) })
	for reading.Err() == nil {
		at, data, err := r.leg.out.From(reading, r.pos, recordAt)
		if err != nil {
			break
		}
		r.output(at, data)
		if r.size() >= recordAt {
			r.store(context.WithoutCancel(ctx), time.Time{})
		}
		for r.isFailing() && reading.Err() == nil { // there is no room for more before that works again
			select {
			case <-time.After(recordEvery):
			case <-reading.Done():
			}
		}
	}
	if ctx.Err() == nil { // the session may still have something to say after its last byte
		select {
		case <-r.closing:
		case <-ctx.Done():
		}
	}
	stop()
	ticking.Wait()
	if ctx.Err() != nil { // the process goes, the recording does not end
		r.store(context.WithoutCancel(ctx), time.Time{})
		return
	}
	r.rest()
	r.store(context.WithoutCancel(ctx), r.leg.room.relay.service.Now())
}

// finish ends the recording, and returns when it is stored.
func (r *recorder) finish() {
	if r == nil {
		return
	}
	close(r.closing)
	select {
	case <-r.done:
	case <-time.After(recordTimeout):
	}
}

// begin finds out where the recording stands.
func (r *recorder) begin(ctx context.Context) bool {
	relay := r.leg.room.relay
	row, err := relay.service.BeginRecord(ctx, &r.leg.room.was, r.position)
	if err != nil {
		relay.log.Error("begin a recording", "session", r.leg.room.id, "error", err)
		go r.leg.finish(failed("the recording cannot be stored"))
		return false
	}
	start := r.leg.out.Start()
	r.mu.Lock()
	r.row, r.cut, r.last, r.pos = row, row.Cut, row.Length, max(row.Output, start)
	if row.Output < start && row.Bytes > 0 {
		r.add(cast.Event{Kind: cast.Marker, Data: "something is missing here: the agent is too old to repeat it"})
	}
	rows, columns := row.Rows, row.Columns
	r.mu.Unlock()
	r.leg.mu.Lock()
	if r.leg.rows > 0 {
		rows, columns = int(r.leg.rows), int(r.leg.columns)
	}
	r.leg.mu.Unlock()
	if rows != row.Rows || columns != row.Columns {
		r.resize(rows, columns)
	}
	return true
}

// tick stores what there is once a second, and ends reading when the leg is over.
func (r *recorder) tick(ctx context.Context, stop context.CancelFunc) {
	ticker := time.NewTicker(recordEvery)
	defer ticker.Stop()
	for {
		select {
		case <-r.closing:
			stop()
			return
		case <-ctx.Done():
			return
		case <-ticker.C:
			r.store(context.WithoutCancel(ctx), time.Time{})
		}
	}
}

// rest takes what has arrived and was not read yet.
func (r *recorder) rest() {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	for {
		at, data, err := r.leg.out.From(now, r.pos, recordAt)
		if err != nil {
			break
		}
		r.output(at, data)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.held) > 0 {
		r.add(cast.Event{Kind: cast.Output, Data: string(r.held)})
		r.held = nil
	}
}

func (r *recorder) output(at uint64, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pos = at + uint64(len(data))
	if len(r.held) > 0 {
		data = append(r.held, data...)
	}
	n := cast.Whole(data)
	r.held = append([]byte(nil), data[n:]...)
	if n > 0 {
		r.add(cast.Event{Kind: cast.Output, Data: string(data[:n])})
	}
}

// input records what the caller types, if that is wanted.
func (r *recorder) input(data []byte) {
	if r == nil || !r.leg.room.was.RecordInput {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.row.StartedAt.IsZero() && len(r.events) < maxHeldInput {
		r.add(cast.Event{Kind: cast.Input, Data: strings.ToValidUTF8(string(data), "\ufffd")})
	}
}

func (r *recorder) resize(rows, columns int) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.row.StartedAt.IsZero() || rows == r.row.Rows && columns == r.row.Columns {
		return // it has not begun, and will ask
	}
	r.row.Rows, r.row.Columns = rows, columns
	r.add(cast.Event{Kind: cast.Resize, Data: fmt.Sprintf("%dx%d", columns, rows)})
}

// add adds an event that happens now. The caller holds the lock.
func (r *recorder) add(e cast.Event) {
	if r.cut {
		return
	}
	if r.row.Bytes+int64(len(r.events)) > core.MaxRecording {
		r.cut = true
		e.Kind, e.Data = cast.Marker, "the recording is as long as it may become"
	}
	r.last = max(r.last, r.leg.room.relay.service.Now().Sub(r.row.StartedAt))
	e.At = r.last
	r.events = cast.Append(r.events, e)
}

func (r *recorder) size() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.events)
}

func (r *recorder) isFailing() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.failed.IsZero()
}

// store makes durable what there is, and lets the leg know. ended says that it is all.
func (r *recorder) store(ctx context.Context, ended time.Time) {
	r.storing.Lock()
	defer r.storing.Unlock()
	r.mu.Lock()
	events := r.events
	p := core.RecordPart{Length: r.last, Output: r.pos - uint64(len(r.held)), Cut: r.cut, Ended: ended}
	r.mu.Unlock()
	if len(events) == 0 && ended.IsZero() {
		return
	}
	p.Data = events
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	err := r.leg.room.relay.service.AddToRecord(ctx, r.leg.room.id, r.position, p)
	r.mu.Lock()
	switch {
	case err == nil:
		r.row.Bytes += int64(len(events))
		r.row.Output = max(r.row.Output, p.Output)
		r.events = append([]byte(nil), r.events[len(events):]...)
		r.failed = time.Time{}
	case r.failed.IsZero():
		r.failed = time.Now()
	}
	failing := r.failed
	r.mu.Unlock()
	if err == nil {
		r.leg.settle()
		return
	}
	relay := r.leg.room.relay
	if !errors.Is(err, core.ErrNotFound) {
		relay.log.Error("store a recording", "session", r.leg.room.id, "error", err)
	}
	if time.Since(failing) > recordPatience && ended.IsZero() {
		go r.leg.finish(ending{core.ConnectionTerminated, core.ClosedByClient, reasonTimeout, "unrecorded", "the recording cannot be stored"})
	}
}

// saved is the position before which everything is stored; all there is if nothing is recorded any more.
func (r *recorder) saved() uint64 {
	if r == nil {
		return math.MaxUint64
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cut {
		return math.MaxUint64
	}
	return r.row.Output
}
