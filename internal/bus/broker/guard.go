package broker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// What a node's connection may do between two looks, whatever the broker makes of it: what it publishes where it may not costs as well, and
// reaches nobody who could measure it. What reaches the server is measured there, and sooner.
const (
	guardEvery  = 10 * time.Second
	maxMessages = 20_000    // a second
	maxBytes    = 200 << 20 // a second
	// maxNodeSubs is far more than the two subscriptions of an agent. The broker itself allows as many as the server's own connection needs.
	maxNodeSubs = 16
	maxSubs     = 1 << 14
)

// guard ends connections of nodes that do more than they may, until ctx ends.
func (b *Broker) guard(ctx context.Context) {
	tick := time.NewTicker(b.config.Guard)
	defer tick.Stop()
	before := map[uint64]server.ConnInfo{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		list, err := b.ns.Connz(&server.ConnzOptions{Account: b.all.Name, Limit: 1 << 20})
		if err != nil {
			b.config.Log.Error("look at connections", "error", err)
			continue
		}
		now := make(map[uint64]server.ConnInfo, len(list.Conns))
		for _, c := range list.Conns {
			now[c.Cid] = *c
			b.mu.Lock()
			key, node := b.nodes[c.Cid]
			b.mu.Unlock()
			if why := tooMuch(before[c.Cid], *c, b.config.Guard.Seconds()); node && why != "" {
				b.config.Log.Error("node disconnected", "node", key, "source", fmt.Sprintf("%s:%d", c.IP, c.Port), "reason", why)
				_ = b.ns.DisconnectClientByID(c.Cid) // fails when it has ended by itself
			}
		}
		before = now
	}
}

// tooMuch says what a connection did too much of between two looks.
func tooMuch(before, now server.ConnInfo, seconds float64) string {
	switch {
	case float64(now.InMsgs-before.InMsgs) > maxMessages*seconds:
		return "too many messages"
	case float64(now.InBytes-before.InBytes) > maxBytes*seconds:
		return "too many bytes"
	case now.NumSubs > maxNodeSubs:
		return "too many subscriptions"
	}
	return ""
}

// Strangers can make the broker speak. Of what it says, so many lines in so much time get into the log.
const (
	maxWords   = 100
	wordsEvery = 10 * time.Second
)

// logger passes the broker's words on.
type logger struct {
	log *slog.Logger

	mu      sync.Mutex
	began   time.Time
	said    int
	dropped int
}

// room reports whether one more line may be said.
func (l *logger) room() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Sub(l.began) >= wordsEvery {
		if l.dropped > 0 {
			l.log.Warn("the broker said more than is kept", "lines", l.dropped)
		}
		l.began, l.said, l.dropped = now, 0, 0
	}
	if l.said >= maxWords {
		l.dropped++
		return false
	}
	l.said++
	return true
}

func (l *logger) warn(format string, v []any) {
	if l.room() {
		l.log.Warn(fmt.Sprintf(format, v...))
	}
}

func (l *logger) Noticef(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l *logger) Warnf(format string, v ...any)   { l.warn(format, v) }
func (l *logger) Fatalf(format string, v ...any)  { l.log.Error(fmt.Sprintf(format, v...)) }
func (l *logger) Errorf(format string, v ...any)  { l.warn(format, v) }
func (l *logger) Debugf(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l *logger) Tracef(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
