package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"errand/internal/session/wire"
)

// Terminal is the caller's end of a session. It goes on after any break of the network that the server waits out, without a lost or repeated byte.
// Write, Resize and End may be called from any goroutine.
type Terminal struct {
	// Watch only looks on: what is written goes nowhere.
	Watch bool
	// Output gets what the node prints, piece by piece.
	Output func([]byte) error
	// Notice gets news that a person may want to read; nil for nobody.
	Notice func(Notice)

	client *Client
	url    string
	token  string

	mu      sync.Mutex
	news    chan struct{} // closed at the next change of what follows
	pending []byte        // input that the node may not have
	base    uint64        // position of pending[0], once started
	sent    uint64        // position after what went to this connection
	window  int
	rows    int
	columns int
	resized bool // the size has to be said
	end     bool // the session has to end
	over    bool // Run has returned
	started bool

	have uint64 // position after the last output; Run's alone
}

// Notice is news about a terminal.
type Notice struct {
	Lost     error // the connection broke for this reason and is made again
	Back     bool  // it is there again
	Online   *bool // whether the node is connected, when that changes
	Watchers *int  // how many look on, when that changes
	Hello    *wire.Message
}

// TerminalEnd is how a session ended.
type TerminalEnd struct {
	Reason   string // "exited" if the program ended by itself
	Message  string
	ExitCode *int32
	Signal   uint8
}

// maxPending is how much input waits here while there is no connection.
const maxPending = 256 << 10

// Intervals of a Terminal.
const (
	terminalPing    = 10 * time.Second // looks whether the connection still lives
	terminalDial    = 10 * time.Second
	terminalPatient = 60 * time.Second // for how long to try again, if the server has not said it
)

// ErrReplaced says that another connection took the session over.
var ErrReplaced = errors.New("another connection has taken the session over")

// Terminal makes the end of a session that was started; its Run does the work.
func (c *Client) Terminal(address, token string) *Terminal {
	return &Terminal{client: c, url: address, token: token, news: make(chan struct{})}
}

// change does something and tells whoever waits for changes.
func (t *Terminal) change(fn func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fn()
	close(t.news)
	t.news = make(chan struct{})
}

// Write sends input. It waits while too much of it is under way.
func (t *Terminal) Write(p []byte) (int, error) {
	for n := 0; ; {
		t.mu.Lock()
		over, news := t.over, t.news
		k := min(len(p)-n, maxPending-len(t.pending))
		t.mu.Unlock()
		if over {
			return n, io.ErrClosedPipe
		}
		t.change(func() { t.pending = append(t.pending, p[n:n+k]...) })
		if n += k; n == len(p) {
			return n, nil
		}
		if k == 0 {
			<-news
		}
	}
}

// Resize says how large the caller's terminal is.
func (t *Terminal) Resize(rows, columns int) {
	t.change(func() { t.rows, t.columns, t.resized = rows, columns, true })
}

// End ends the session, and with it Run.
func (t *Terminal) End() { t.change(func() { t.end = true }) }

// Run moves bytes until the session is over.
func (t *Terminal) Run(ctx context.Context) (end TerminalEnd, err error) {
	defer t.change(func() { t.over = true })
	patience := terminalPatient
	lost := time.Time{} // zero while there is a connection
	for pause := time.Duration(0); ; {
		worked, err := t.connect(ctx, &patience, &end, lost.IsZero())
		switch {
		case ctx.Err() != nil:
			return end, context.Cause(ctx)
		case end.Reason != "":
			return end, nil
		}
		var final *finalError
		if errors.As(err, &final) {
			return end, final.error
		}
		if worked {
			lost, pause = time.Now(), 0
			t.notify(Notice{Lost: err})
		} else if lost.IsZero() {
			return end, err // the first attempt
		}
		if time.Since(lost) > patience {
			return end, fmt.Errorf("no connection for %v: %w", patience, err)
		}
		select {
		case <-time.After(pause + rand.N(100*time.Millisecond)): //nolint:gosec // jitter, not secrecy
		case <-ctx.Done():
		}
		pause = min(2*pause+100*time.Millisecond, 2*time.Second)
	}
}

func (t *Terminal) notify(n Notice) {
	if t.Notice != nil {
		t.Notice(n)
	}
}

// finalError is one after which no other attempt makes sense.
type finalError struct{ error }

func (e *finalError) Unwrap() error { return e.error }

// connect makes one connection and uses it until it breaks. worked says that it was good for something.
func (t *Terminal) connect(ctx context.Context, patience *time.Duration, end *TerminalEnd, first bool) (worked bool, err error) {
	conn, err := t.dial(ctx)
	if err != nil {
		return false, err
	}
	defer conn.CloseNow() //nolint:errcheck // whoever had something to say has said it
	ctx, cancel := context.WithCancel(ctx)
	var writing sync.WaitGroup
	defer writing.Wait()
	defer cancel()
	for {
		kind, data, err := conn.Read(ctx)
		if err != nil {
			return worked, t.verdict(err)
		}
		if kind == websocket.MessageBinary {
			if err := t.take(ctx, conn, data); err != nil {
				return worked, err
			}
			continue
		}
		var m wire.Message
		if err := json.Unmarshal(data, &m); err != nil {
			return worked, fmt.Errorf("message of the server: %w", err)
		}
		switch m.Type {
		case "hello":
			if worked || m.In == nil || m.Out == nil {
				return worked, &finalError{errors.New("the server greets in a strange way")}
			}
			worked = true
			t.greet(&m, patience)
			t.notify(Notice{Hello: &m, Back: !first})
			writing.Go(func() { t.write(ctx, cancel, conn) })
			writing.Go(func() { ping(ctx, cancel, conn) })
		case "ack":
			if m.Have != nil {
				t.acked(*m.Have)
			}
		case "state":
			t.notify(Notice{Online: m.Online, Watchers: m.Watchers})
		case "replaced":
			return true, &finalError{ErrReplaced}
		case "end":
			*end = TerminalEnd{Reason: m.Reason, Message: m.Message, ExitCode: m.ExitCode, Signal: m.Signal}
			return true, nil
		}
	}
}

// verdict says whether an error of a connection ends more than that.
func (t *Terminal) verdict(err error) error {
	switch websocket.CloseStatus(err) {
	case websocket.StatusUnsupportedData, websocket.StatusTryAgainLater:
		return &finalError{err}
	case websocket.StatusPolicyViolation:
		return &finalError{ErrReplaced}
	}
	return err
}

func (t *Terminal) dial(ctx context.Context) (*websocket.Conn, error) {
	u, err := url.Parse(t.url)
	if err != nil {
		return nil, &finalError{fmt.Errorf("address of the session: %w", err)}
	}
	q := u.Query()
	q.Set("have", strconv.FormatUint(t.have, 10))
	if t.Watch {
		q.Set("watch", "1")
	}
	u.RawQuery = q.Encode()
	if u.Scheme == "ws" && !Loopback(u.Hostname()) {
		return nil, &finalError{fmt.Errorf("%s would carry the terminal in clear: use https", u.Host)}
	}
	ctx, cancel := context.WithTimeout(ctx, terminalDial)
	defer cancel()
	header := http.Header{wire.TokenHeader: {t.token}, "User-Agent": {t.client.config.Agent}}
	conn, resp, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{ //nolint:bodyclose // the library's to close
		HTTPClient: &http.Client{Transport: t.client.http.Transport}, HTTPHeader: header, Subprotocols: []string{wire.Protocol},
	})
	switch {
	case err != nil && resp != nil && resp.StatusCode < http.StatusInternalServerError:
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		return nil, &finalError{&Error{Status: resp.StatusCode, Title: resp.Status, Detail: strings.TrimSpace(string(text))}}
	case err != nil:
		return nil, err
	case conn.Subprotocol() != wire.Protocol:
		_ = conn.CloseNow()
		return nil, &finalError{errors.New("the server does not know this program's terminals: it is too old")}
	}
	conn.SetReadLimit(1 << 20)
	return conn, nil
}

// greet finds out where both directions go on.
func (t *Terminal) greet(m *wire.Message, patience *time.Duration) {
	if m.Again != "" {
		t.token = m.Again
	}
	if m.Rejoin > 0 {
		*patience = time.Duration(m.Rejoin) * time.Second
	}
	t.have = *m.Out
	t.change(func() {
		switch next := *m.In; {
		case !t.started: // what was typed before the first connection belongs to its beginning
		case next < t.base || next > t.base+uint64(len(t.pending)): // somebody else typed meanwhile
			t.pending = nil
		default:
			t.pending = t.pending[next-t.base:]
		}
		t.base, t.sent, t.started = *m.In, *m.In, true
		t.window, t.resized = max(m.Window, 1<<10), t.rows > 0
	})
}

func (t *Terminal) acked(have uint64) {
	t.change(func() {
		if have > t.base && have <= t.base+uint64(len(t.pending)) {
			t.pending, t.base = t.pending[have-t.base:], have
		}
	})
}

// take brings output to its place and says that it is there.
func (t *Terminal) take(ctx context.Context, conn *websocket.Conn, message []byte) error {
	pos, data, ok := wire.ParseData(message)
	switch {
	case !ok || pos > t.have && !t.Watch:
		return errors.New("output of the server that does not follow on what came before")
	case pos > t.have:
		t.have = pos // whoever looks on too slowly misses something
	}
	if skip := t.have - pos; skip < uint64(len(data)) {
		if err := t.Output(data[skip:]); err != nil {
			return &finalError{err}
		}
		t.have = pos + uint64(len(data))
	}
	if t.Watch {
		return nil
	}
	return say(ctx, conn, &wire.Message{Type: "ack", Have: &t.have})
}

func say(ctx context.Context, conn *websocket.Conn, m *wire.Message) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return conn.Write(ctx, websocket.MessageText, text)
}

// write sends what there is to send, until the connection is over.
func (t *Terminal) write(ctx context.Context, cancel context.CancelFunc, conn *websocket.Conn) {
	defer cancel()
	for {
		t.mu.Lock()
		news, at := t.news, t.sent
		from := t.sent - t.base
		if t.sent < t.base { // the node had more than this connection sent: it is from the one before
			at, from = t.base, 0
		}
		piece := t.pending[min(from, uint64(len(t.pending))):]
		piece = append([]byte(nil), piece[:min(len(piece), max(0, t.window-int(from)), 16<<10)]...)
		t.sent = at + uint64(len(piece))
		resized, rows, columns, end := t.resized, t.rows, t.columns, t.end
		t.resized = false
		t.mu.Unlock()
		var err error
		if resized {
			err = say(ctx, conn, &wire.Message{Type: "resize", Rows: rows, Columns: columns})
		}
		if len(piece) > 0 && err == nil && !t.Watch {
			err = conn.Write(ctx, websocket.MessageBinary, wire.Data(at, piece))
		}
		if end && err == nil {
			err = say(ctx, conn, &wire.Message{Type: "end"})
		}
		if err != nil {
			return
		}
		if len(piece) > 0 {
			continue
		}
		select {
		case <-news:
		case <-ctx.Done():
			return
		}
	}
}

// ping finds out whether the connection still lives.
func ping(ctx context.Context, cancel context.CancelFunc, conn *websocket.Conn) {
	defer cancel()
	ticker := time.NewTicker(terminalPing)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		pong, done := context.WithTimeout(ctx, terminalPing)
		err := conn.Ping(pong)
		done()
		if err != nil {
			return
		}
	}
}
