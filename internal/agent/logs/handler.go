package logs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strconv"
	"sync"
	"time"
)

// Options say how a log is written.
type Options struct {
	Level  slog.Level
	JSON   bool
	Hidden []string // secrets that are written as [hidden], wherever they turn up
	Now    func() time.Time
}

// New returns a log that goes to w.
func New(w io.Writer, o Options) *slog.Logger {
	w = &scrubber{w: w, hidden: forms(o.Hidden)}
	options := &slog.HandlerOptions{Level: o.Level}
	var h slog.Handler = slog.NewTextHandler(w, options)
	if o.JSON {
		h = slog.NewJSONHandler(w, options)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return slog.New(&limiter{Handler: h, counts: &counts{now: o.Now, by: map[string]*count{}}})
}

// Of one message so many lines are written in so much time; what is beyond is counted. Debugging knows no limit.
const (
	burst     = 20
	window    = time.Minute
	maxCounts = 1024 // messages that are counted at a time
)

// limiter leaves out lines that repeat themselves.
type limiter struct {
	slog.Handler
	counts *counts
}

type counts struct {
	now func() time.Time
	mu  sync.Mutex
	by  map[string]*count // by message
}

type count struct {
	level   slog.Level
	since   time.Time
	written int
	left    int // out
}

// Handle writes a line, unless there were too many like it. What was left out is told with the first line after that, whichever it is.
func (l *limiter) Handle(ctx context.Context, r slog.Record) error {
	late, write := l.counts.admit(r.Level, r.Message)
	for message, c := range late {
		n := slog.NewRecord(r.Time, c.level, "lines left out", 0)
		n.AddAttrs(slog.String("message", message), slog.Int("count", c.left))
		if err := l.Handler.Handle(ctx, n); err != nil {
			return err
		}
	}
	if !write {
		return nil
	}
	return l.Handler.Handle(ctx, r)
}

// WithAttrs returns a handler that counts together with this one.
func (l *limiter) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &limiter{l.Handler.WithAttrs(attrs), l.counts}
}

// WithGroup returns a handler that counts together with this one.
func (l *limiter) WithGroup(name string) slog.Handler {
	return &limiter{l.Handler.WithGroup(name), l.counts}
}

// admit says whether to write a line, and what was left out of others whose time is over.
func (c *counts) admit(level slog.Level, message string) (late map[string]*count, write bool) {
	if level < slog.LevelInfo {
		return nil, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	for m, n := range c.by {
		if now.Sub(n.since) < window && len(c.by) < maxCounts {
			continue
		}
		if n.left > 0 {
			if late == nil {
				late = map[string]*count{}
			}
			late[m] = n
		}
		delete(c.by, m)
	}
	n := c.by[message]
	if n == nil {
		n = &count{level: level, since: now}
		c.by[message] = n
	}
	if n.written == burst {
		n.left++
		return late, false
	}
	n.written++
	return late, true
}

// scrubber hides secrets in what passes through it.
type scrubber struct {
	w      io.Writer
	hidden [][]byte
}

// Write writes a line.
func (s *scrubber) Write(b []byte) (int, error) {
	for _, secret := range s.hidden {
		b = bytes.ReplaceAll(b, secret, []byte("[hidden]"))
	}
	if _, err := s.w.Write(b); err != nil {
		return 0, fmt.Errorf("log: %w", err)
	}
	return len(b), nil
}

// minSecret is the length from which something is hidden. What is shorter could stand in any word.
const minSecret = 4

// forms lists the ways in which secrets may be written in a line.
func forms(secrets []string) (all [][]byte) {
	for _, s := range secrets {
		if len(s) < minSecret {
			continue
		}
		all = append(all, []byte(s))
		if quoted := strconv.Quote(s); quoted != `"`+s+`"` {
			all = append(all, []byte(quoted[1:len(quoted)-1]))
		}
	}
	return all
}

// Panic is what a log tells of a panic. The runtime's own words hold no data, whereas those of others may be about what a task was given.
func Panic(p any) string {
	if err, ok := p.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("a %T", p)
}
