package session

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"

	"errand/internal/core"
	"errand/internal/protocol"
)

// room is where a caller meets the nodes of a session.
type room struct {
	relay *Relay
	id    core.ID
	was   core.Session // when the room was made
	start time.Time
	legs  []*leg
	ended chan struct{} // closed when the session was ended elsewhere
	once  sync.Once

	mu       sync.Mutex
	client   *client   // nil while nobody is there
	left     time.Time // when the last one left
	framed   time.Time // when the last frame came that counts as a sign of life
	watchers map[*client]bool
}

func newRoom(r *Relay, s *core.Session) *room {
	now := time.Now()
	room := &room{relay: r, id: s.ID, was: *s, start: now, ended: make(chan struct{}), left: now, framed: now, watchers: map[*client]bool{}}
	if age := r.service.Now().Sub(s.CreatedAt); age > 0 && s.Connections[0].Status != core.ConnectionConnecting {
		room.start = now.Add(-age) // it is taken up, not begun
	}
	for i := range s.Connections {
		l := newLeg(room, s, &s.Connections[i])
		if s.Record && !l.isOver() {
			l.rec = newRecorder(l, i)
		}
		room.legs = append(room.legs, l)
	}
	return room
}

// kick ends the session on behalf of somebody else. It does not wait.
func (r *room) kick() { r.once.Do(func() { close(r.ended) }) }

// run looks after the session until it is over, or the process goes.
func (r *room) run() {
	defer func() {
		for _, l := range r.legs {
			l.stop()
		}
	}()
	var recording sync.WaitGroup
	defer recording.Wait()
	for i, l := range r.legs {
		if l.rec != nil {
			recording.Go(func() { l.rec.run(r.relay.ctx) })
		}
		l.start(r.was.Connections[i].Status)
	}
	ticker := time.NewTicker(r.relay.limits.Tick)
	defer ticker.Stop()
	ended := r.ended
	for n := 0; !r.isOver(); n++ {
		select {
		case <-r.relay.ctx.Done():
			r.dismiss(errClosing)
			return
		case <-ended:
			r.finish(endClosed)
			ended = nil
		case <-ticker.C:
			r.look()
			for _, l := range r.legs {
				l.tick(n%protocol.SessionKeepalive == 0)
			}
		}
	}
}

func (r *room) isOver() bool {
	for _, l := range r.legs {
		if !l.isOver() {
			return false
		}
	}
	return true
}

// look ends the session when one of its limits is reached.
func (r *room) look() {
	limits := r.relay.limits
	if r.was.Idle > 0 {
		limits.Idle = r.was.Idle
	}
	if r.was.Limit > 0 {
		limits.Hard = r.was.Limit
	}
	r.mu.Lock()
	away, idle := r.client == nil && time.Since(r.left) > limits.Rejoin, time.Since(r.framed)
	r.mu.Unlock()
	if r.was.Mode == core.SessionPort {
		idle = min(idle, r.legs[0].idle())
	}
	switch {
	case away:
		r.finish(endAway)
	case idle > limits.Idle:
		r.finish(endIdle)
	case time.Since(r.start) > limits.Hard:
		r.finish(endLimit)
	}
}

func (r *room) finish(e ending) {
	for _, l := range r.legs {
		l.finish(e)
	}
}

// Why a client is let go.
var (
	errReplaced = errors.New("another connection took over")
	errClosing  = errors.New("the server stops")
	errLeft     = errors.New("the client left")
)

// dismiss lets go of whoever is there.
func (r *room) dismiss(why error) {
	r.mu.Lock()
	all := slices.Collect(maps.Keys(r.watchers))
	if r.client != nil {
		all = append(all, r.client)
	}
	r.mu.Unlock()
	for _, c := range all {
		c.leave(why)
	}
}

// alive notes a sign of life of the client.
func (r *room) alive() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.framed = time.Now()
}

// serve connects a caller with the session. Whoever was there before makes room; what that one has not got is written to the new one.
func (r *room) serve(c *client) {
	defer c.drop()
	defer c.leave(errLeft)
	r.mu.Lock()
	before := r.client
	r.client, r.framed = c, time.Now()
	r.mu.Unlock()
	if r.relay.ctx.Err() != nil { // run may have looked for clients before this one came
		c.leave(errClosing)
	}
	if before != nil {
		before.leave(errReplaced)
		<-before.quiet
	}
	c.serve()
	r.mu.Lock()
	if r.client == c {
		r.client, r.left = nil, time.Now()
	}
	r.mu.Unlock()
}

// maxWatchers is how many may look on at a session at a time.
const maxWatchers = 10

// show lets a caller look on.
func (r *room) show(c *client) {
	defer c.drop()
	defer c.leave(errLeft)
	r.mu.Lock()
	if len(r.watchers) >= maxWatchers {
		r.mu.Unlock()
		_ = c.conn.Close(websocket.StatusTryAgainLater, "too many are looking on")
		return
	}
	r.watchers[c] = true
	r.mu.Unlock()
	r.changed()
	if r.relay.ctx.Err() != nil {
		c.leave(errClosing)
	}
	c.serve()
	r.mu.Lock()
	delete(r.watchers, c)
	r.mu.Unlock()
	r.changed()
}

// changed has the client look again at what there is to know.
func (r *room) changed() {
	for _, l := range r.legs {
		l.tell(func() {})
	}
}

// looking is how many are looking on.
func (r *room) looking() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.watchers)
}

// choose returns the legs that a frame is for: that of the instance it names, or all.
func (r *room) choose(instance string) []*leg {
	if instance == "" || len(r.legs) == 1 {
		return r.legs
	}
	for i, l := range r.legs {
		if l.name == instance || l.id == instance {
			return r.legs[i : i+1]
		}
	}
	return nil
}

// leg is the one of a node, or the first if there is none of it.
func (r *room) leg(node string) *leg {
	for _, l := range r.legs {
		if l.id == node {
			return l
		}
	}
	return r.legs[0]
}
