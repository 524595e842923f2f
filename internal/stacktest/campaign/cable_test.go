package campaign

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// weather is what a cable does to what goes through it.
type weather uint8

const (
	fair    weather = iota
	cut             // connections are closed, and new ones too
	swallow         // everything disappears without a word; the connections are closed when that is over
	hold            // everything arrives, but only when that is over
	slow            // late, and at a low rate
	tear            // in the middle of whatever comes next the connection is closed
)

func (w weather) String() string {
	return [...]string{"fair", "cut", "swallow", "hold", "slow", "tear"}[w]
}

// cable carries TCP connections to an address, badly if so wanted.
type cable struct {
	lis net.Listener
	to  string

	mu      sync.Mutex
	weather weather
	latency time.Duration
	rate    int // bytes each second
	changed chan struct{}
	lines   map[*line]bool
	running sync.WaitGroup
}

// line is one connection through a cable.
type line struct {
	in, out net.Conn
	spoilt  bool // something of it was swallowed; guarded by the cable's lock
}

func (l *line) close() {
	_ = l.in.Close()
	if l.out != nil {
		_ = l.out.Close()
	}
}

func (c *campaign) newCable(to string) *cable {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	k := &cable{lis: lis, to: to, changed: make(chan struct{}), lines: map[*line]bool{}}
	k.running.Go(k.serve)
	c.t.Cleanup(func() {
		_ = lis.Close()
		k.set(cut, 0, 0)
		k.running.Wait()
	})
	return k
}

func (k *cable) address() string { return k.lis.Addr().String() }

// set changes the weather. The latency and the rate in bytes per second are for slow.
func (k *cable) set(w weather, latency time.Duration, rate int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.weather, k.latency, k.rate = w, latency, rate
	close(k.changed)
	k.changed = make(chan struct{})
	for l := range k.lines {
		if w == cut || l.spoilt && w != swallow {
			l.close()
		}
	}
}

func (k *cable) serve() {
	for {
		in, err := k.lis.Accept()
		if err != nil {
			return
		}
		k.running.Go(func() { k.join(in) })
	}
}

func (k *cable) join(in net.Conn) {
	l := &line{in: in}
	defer l.close()
	out, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(context.Background(), "tcp", k.to)
	if err != nil {
		return
	}
	l.out = out
	k.mu.Lock()
	if k.weather == cut {
		k.mu.Unlock()
		return
	}
	k.lines[l] = true
	k.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { k.pump(l, out, in) })
	both.Go(func() { k.pump(l, in, out) })
	both.Wait()
	k.mu.Lock()
	delete(k.lines, l)
	k.mu.Unlock()
}

// pump carries one direction of a line.
func (k *cable) pump(l *line, dst, src net.Conn) {
	defer l.close()
	buf := make([]byte, 8<<10)
	for {
		n, err := src.Read(buf)
		if n > 0 && !k.carry(l, dst, buf[:n]) || err != nil {
			return
		}
	}
}

// carry brings bytes to the other end as the weather is, and reports whether the line still stands.
func (k *cable) carry(l *line, dst net.Conn, b []byte) bool {
	for {
		k.mu.Lock()
		w, latency, rate, changed := k.weather, k.latency, k.rate, k.changed
		if w == swallow {
			l.spoilt = true
		}
		spoilt := l.spoilt
		k.mu.Unlock()
		switch {
		case w == cut || spoilt && w != swallow:
			return false
		case w == swallow:
			return true
		case w == hold:
			<-changed
			continue
		case w == slow:
			time.Sleep(latency + time.Duration(len(b))*time.Second/time.Duration(rate))
		case w == tear:
			_, _ = dst.Write(b[:rand.IntN(len(b))])
			return false
		}
		_, err := dst.Write(b)
		return err == nil
	}
}
