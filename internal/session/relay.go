// Package session relays terminals: a caller's WebSocket, in the framing of the vendor's command line client, on one side, streams to nodes on
// the other. A session goes on while its caller is gone for a moment, and while this process starts again, because both the node and the store
// know of it.
package session

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"errand/internal/api"
	"errand/internal/core"
	"errand/internal/session/wire"
)

// Bus is the way to the nodes.
type Bus interface {
	// SendSession publishes a message for a session on a node and does not wait.
	SendSession(node int64, session uint64, msg []byte) error
	// ListenSession calls fn for each message of a session on a node, one after another, until stop is called.
	ListenSession(node int64, session uint64, fn func(msg []byte)) (stop func(), err error)
}

// Limits are how long sessions may do what; zero values have defaults, which are those of Alibaba where it names any.
type Limits struct {
	Idle    time.Duration // without a frame of the client; through a port, without a byte in either direction
	Hard    time.Duration // in all
	Rejoin  time.Duration // without a client, before the session ends
	Open    time.Duration // for a node to open a session
	Silence time.Duration // without a word of a node
	Tick    time.Duration // between looks at all of this
	Sweep   time.Duration // between looks for sessions that nobody joined
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&l.Idle, 3 * time.Minute},
		{&l.Hard, 3 * time.Hour},
		{&l.Rejoin, time.Minute},
		{&l.Open, 40 * time.Second},
		{&l.Silence, time.Minute},
		{&l.Tick, time.Second},
		{&l.Sweep, 30 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return l
}

// Config is what a Relay is made of.
type Config struct {
	Service *core.Service
	Feed    *core.Feed
	Bus     Bus
	Limits  Limits
	Log     *slog.Logger
}

// Relay has the sessions of this process.
type Relay struct {
	service *core.Service
	bus     Bus
	limits  Limits
	log     *slog.Logger
	ctx     context.Context
	stop    context.CancelFunc
	work    sync.WaitGroup

	mu     sync.Mutex
	rooms  map[core.ID]*room
	closed bool
}

// Start takes up the sessions that were under way when the last process ended, and begins to look after them.
func Start(ctx context.Context, c Config) (*Relay, error) {
	r := &Relay{service: c.Service, bus: c.Bus, limits: c.Limits.withDefaults(), log: c.Log, rooms: map[core.ID]*room{}}
	open, err := c.Service.OpenSessions(ctx)
	if err != nil {
		return nil, err
	}
	r.ctx, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	for i := range open {
		for j := range open[i].Connections {
			if open[i].Connections[j].Status == core.ConnectionConnected {
				r.enter(&open[i])
				r.work.Done() // nobody has come in yet
				break
			}
		}
	}
	c.Feed.Listen(r.heed)
	r.work.Go(r.sweep)
	return r, nil
}

// Close lets go of all callers; their sessions go on for as long as a node waits for the next process.
func (r *Relay) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.stop()
	r.work.Wait()
}

// heed ends what was ended elsewhere.
func (r *Relay) heed(e core.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if room := r.rooms[e.EndedSession]; room != nil {
		room.kick()
	}
	for _, room := range r.rooms {
		for _, l := range room.legs {
			if e.Removed != 0 && l.node == e.Removed {
				go l.finish(endRemoved) // whoever tells may hold locks, and must not wait for the store
			}
		}
	}
}

// enter returns the room of a session, or makes it; nil when the relay is closing. Who leaves the room again says so to work.
func (r *Relay) enter(s *core.Session) *room {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.work.Add(1)
	if room := r.rooms[s.ID]; room != nil {
		return room
	}
	room := newRoom(r, s)
	r.rooms[s.ID] = room
	r.work.Go(func() {
		room.run()
		r.mu.Lock()
		delete(r.rooms, s.ID)
		r.mu.Unlock()
	})
	return room
}

// live reports whether a session is under way here.
func (r *Relay) live(id core.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rooms[id] != nil
}

// sweep ends sessions that nobody joined in time.
func (r *Relay) sweep() {
	ticker := time.NewTicker(r.limits.Sweep)
	defer ticker.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-ticker.C:
		}
		if _, err := r.service.ExpireSessions(r.ctx); err != nil && r.ctx.Err() == nil {
			r.log.Error("end sessions that nobody joined", "error", err)
		}
	}
}

// credentials are what a request says: the vendor's client writes the name of the id in two ways, and the token in the URL or in a header.
func credentials(r *http.Request) (id core.ID, text, token string, ok bool) {
	q := r.URL.Query()
	if text = q.Get("sessionId"); text == "" {
		text = q.Get("sessionid")
	}
	if token = q.Get("token"); token == "" {
		token = r.Header.Get("X-Acs-Session-Token")
	}
	if token == "" {
		token = r.Header.Get(wire.TokenHeader)
	}
	for _, offered := range strings.Split(strings.Join(r.Header.Values("Sec-Websocket-Protocol"), ","), ",") {
		if t, ok := strings.CutPrefix(strings.TrimSpace(offered), wire.TokenProtocol); ok && token == "" {
			token = t
		}
	}
	id, ok = api.SessionID(text)
	return id, text, token, ok && token != ""
}

// ServeHTTP lets a caller into its session. Whoever comes without the right token learns nothing; pages of other sites are kept out by their
// Origin.
func (r *Relay) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	id, text, token, ok := credentials(hr)
	if !ok {
		http.Error(w, "sessionId and token are needed", http.StatusBadRequest)
		return
	}
	s, err := r.service.JoinSession(hr.Context(), id, token, r.live(id))
	if err != nil {
		r.refuse(w, hr, id, err)
		return
	}
	q := hr.URL.Query()
	have, err := strconv.ParseUint("0"+q.Get("have"), 10, 64)
	if err != nil {
		http.Error(w, "have is a position in the output", http.StatusBadRequest)
		return
	}
	conn, err := websocket.Accept(w, hr, &websocket.AcceptOptions{
		CompressionMode: websocket.CompressionDisabled, Subprotocols: []string{wire.Protocol},
	})
	if err != nil {
		r.log.Warn("session refused", "session", id, "source", hr.RemoteAddr, "error", err)
		return
	}
	defer conn.CloseNow() //nolint:errcheck // whoever had something to say has said it
	conn.SetReadLimit(maxFrame)
	room := r.enter(&s.Session)
	if room == nil {
		return
	}
	defer r.work.Done()
	watch := s.Watch || q.Get("watch") == "1"
	r.log.Info("session joined", "session", id, "source", hr.RemoteAddr, "watch", watch)
	c := newClient(hr.Context(), room, conn)
	switch own := conn.Subprotocol() == wire.Protocol; {
	case own:
		l := room.leg(q.Get("node"))
		c.legs = []*leg{l}
		c.wire = &native{client: c, leg: l, have: have, watch: watch, again: s.Again}
	case watch:
		_ = conn.Close(websocket.StatusPolicyViolation, "whoever looks on speaks "+wire.Protocol)
		return
	default:
		c.wire = &vendor{client: c, name: text}
	}
	if watch {
		room.show(c)
	} else {
		room.serve(c)
	}
	r.log.Info("session left", "session", id, "source", hr.RemoteAddr)
}

func (r *Relay) refuse(w http.ResponseWriter, hr *http.Request, id core.ID, err error) {
	r.log.Warn("session refused", "session", id, "source", hr.RemoteAddr, "error", err)
	if core.AsError(err).Code == core.CodeUnauthenticated {
		http.Error(w, "there is no such session, or it is over", http.StatusForbidden)
		return
	}
	http.Error(w, "try again later", http.StatusInternalServerError)
}

// report tells the service what became of a connection. It does not give up because somebody leaves.
func (r *Relay) report(c core.ConnectionReport) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), 10*time.Second)
	defer cancel()
	err := r.service.ReportConnection(ctx, c)
	if err != nil && !errors.Is(err, core.ErrNotFound) && !core.ReasonSessionNotFound.Is(err) {
		r.log.Error("note what became of a session", "session", c.Session, "node", c.Node, "error", err)
	}
}
