package campaign

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// kind is what an order is about.
type kind uint8

const (
	tiny     kind = iota // prints a few lines at once, to both streams
	medium               // takes seconds
	large                // prints a lot
	daemon               // leaves a process behind
	stopped              // is stopped in the middle
	timedOut             // takes longer than it may
	dying                // ends by a signal
	file                 // is a file that is sent
	repeated             // runs by a schedule
	kinds    = int(iota)
)

func (k kind) String() string {
	return [...]string{"tiny", "medium", "large", "daemon", "stopped", "timed out", "dying", "file", "repeated"}[k]
}

// order is something that is asked of the installation, worked out of the seed and a number.
type order struct {
	id        string // is also its client token
	kind      kind
	nodes     []int
	lines     int // that it prints
	pause     time.Duration
	code      int           // that it ends with
	stop      time.Duration // after which it is stopped
	may       time.Duration // how long it may take
	frequency string        // when it repeats
	every     time.Duration // the same
	impatient time.Duration // after which the caller hangs up and asks again; 0 means never
	twice     bool          // it is ordered again although it was accepted
}

func orderOf(seed uint64, n, nodes int) order {
	r := rand.New(rand.NewPCG(seed, uint64(n)+100))
	o := order{id: fmt.Sprintf("c%06d", n), nodes: []int{r.IntN(nodes)}, may: 10 * time.Minute, twice: r.IntN(20) == 0}
	if r.IntN(20) == 0 {
		o.impatient = time.Duration(r.Int64N(int64(8 * time.Millisecond)))
	}
	switch p := r.IntN(100); {
	case p < 60:
		o.kind, o.lines, o.code = tiny, 1+r.IntN(30), []int{0, 0, 0, 3}[r.IntN(4)]
		if r.IntN(8) == 0 {
			o.nodes = r.Perm(nodes)[:1+r.IntN(nodes)]
		}
	case p < 72:
		o.kind, o.lines, o.pause = medium, 2+r.IntN(5), time.Duration(100+r.IntN(1400))*time.Millisecond
	case p < 80:
		o.kind, o.lines = large, 3_000+r.IntN(30_000)
		if r.IntN(6) == 0 {
			o.lines *= 5
		}
	case p < 85:
		o.kind, o.lines, o.pause = daemon, 3, time.Duration(r.IntN(5000))*time.Millisecond
	case p < 91:
		o.kind, o.lines, o.stop = stopped, 5, time.Duration(r.Float64()*r.Float64()*float64(5*time.Second))
	case p < 93:
		o.kind, o.lines, o.may = timedOut, 4, 10*time.Second
	case p < 95:
		o.kind, o.lines = dying, 4
	default:
		o.kind, o.lines = file, 1+r.IntN(400)
	}
	return o
}

// schedules are the orders that repeat, on all nodes. The runs of the last one take longer than they may, until the next is due.
func schedules(nodes int) (list []order) {
	all := make([]int, nodes)
	for i := range all {
		all[i] = i
	}
	for i, s := range []struct {
		frequency  string
		every      time.Duration
		pause, may time.Duration
	}{
		{"*/10 * * * * ?", 10 * time.Second, time.Second, 10 * time.Second},
		{"rate(1m)", time.Minute, 0, 30 * time.Second},
		{"5-59/10 * * * * ?", 10 * time.Second, 13 * time.Second, 10 * time.Second},
	} {
		list = append(list, order{
			id: fmt.Sprintf("s%06d", i), kind: repeated, nodes: all, lines: 10 + 2000*i, pause: s.pause, frequency: s.frequency, every: s.every, may: s.may,
		})
	}
	return list
}

// stuck is the argument of sleeping processes that somebody has to end.
const stuck = "86399"

// script is what the command does. First of all it notes that it runs, last of all that it ran to its end.
func (o *order) script() string {
	const notes = `"${0%%/disk/*}/notes"` // beside the disk on which the script lies
	note := func(word string) string { return fmt.Sprintf("echo %s %s \"$0\" >>%s\n", word, o.id, notes) }
	lines := fmt.Sprintf("seq -f '%s %%.0f' 1 %d\n", o.id, o.lines)
	sleep := func(d time.Duration) string { return fmt.Sprintf("sleep %.3f\n", d.Seconds()) }
	hang := fmt.Sprintf("setsid sleep %[1]s & sleep %[1]s & sleep %[1]s\n", stuck)
	s := note("began")
	switch o.kind {
	case tiny:
		s += lines + fmt.Sprintf("echo %s error >&2\n", o.id)
	case medium:
		for i := range o.lines {
			s += fmt.Sprintf("echo '%s %d'\n", o.id, i+1) + sleep(o.pause)
		}
	case large:
		s += lines
	case daemon:
		s += lines + fmt.Sprintf("setsid sh -c 'echo daemon %s \"$0\" >>%s; sleep %.3f' \"$0\" &\n", o.id, notes, o.pause.Seconds())
	case stopped, timedOut:
		s += lines + hang
	case dying:
		s += lines + note("ended") + "kill -9 $$\n"
	case repeated:
		s += lines + sleep(o.pause)
	case file:
	}
	return s + note("ended") + fmt.Sprintf("exit %d\n", o.code)
}

// output is what the command prints, if it comes to its end.
func (o *order) output() (stdout, stderr string) {
	b := make([]byte, 0, 16*o.lines)
	for i := range o.lines {
		b = append(append(b, o.id...), ' ')
		b = append(strconv.AppendInt(b, int64(i+1), 10), '\n')
	}
	if o.kind == tiny {
		stderr = o.id + " error\n"
	}
	return string(b), stderr
}

// fileContent is what a file that is sent holds.
func (o *order) fileContent() string { return strings.Repeat(o.id+" is in this line\n", o.lines) }

func (o *order) fileOn(n *node) string { return filepath.Join(n.files, o.id) }

// request is the order as an ECS client would put it.
func (o *order) request(c *campaign) (action string, p url.Values) {
	p = url.Values{"ClientToken": {o.id}, "Name": {o.id}}
	for i, n := range o.nodes {
		p.Set("InstanceId."+strconv.Itoa(i+1), c.nodes[n].name)
	}
	if o.kind == file {
		p.Set("TargetDir", c.nodes[o.nodes[0]].files)
		p.Set("Content", o.fileContent())
		p.Set("ContentType", "PlainText")
		return "SendFile", p
	}
	p.Set("Type", "RunShellScript")
	p.Set("CommandContent", o.script())
	p.Set("WorkingDir", c.work)
	p.Set("Timeout", strconv.Itoa(int(o.may/time.Second)))
	if o.kind == repeated {
		p.Set("RepeatMode", "Period")
		p.Set("Frequency", o.frequency)
	}
	return "RunCommand", p
}

// accepted is an order that the installation has accepted.
type accepted struct {
	order
	invocation string // as the answer names it
	at         time.Time
}

// breakAndWork breaks what is planned, while orders are given at the wanted rate. It returns when all is whole again and no order is open.
func (c *campaign) breakAndWork() {
	over := make(chan struct{})
	var all sync.WaitGroup
	for _, o := range schedules(len(c.nodes)) {
		all.Go(func() { c.give(o) })
	}
	all.Go(func() {
		defer close(over)
		c.carryOut(c.plan)
		for _, n := range c.nodes {
			if err := setClock(n.clock, 0); err != nil {
				c.fail("set clock: %v", err)
			}
			c.history.add(event{from: time.Now(), to: time.Now(), part: n.name, deed: "clock right"})
		}
	})
	tick := time.NewTicker(time.Duration(float64(time.Second) / *workFlag))
	defer tick.Stop()
	places := make(chan struct{}, 64) // callers at a time
	for n, open := 0, true; open; n++ {
		select {
		case <-over:
			open = false
			continue
		case <-tick.C:
		}
		o := orderOf(c.seed, n, len(c.nodes))
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			c.give(o)
		})
	}
	all.Wait()
}

// give gives one order, and stops what is to be stopped.
func (c *campaign) give(o order) {
	action, p := o.request(c)
	id, err := c.caller.order(c.t.Context(), action, p, o.impatient)
	if err != nil {
		c.fail("%s %s was refused: %v", o.kind, o.id, err)
		return
	}
	c.mu.Lock()
	c.accepted = append(c.accepted, accepted{o, id, time.Now()})
	c.mu.Unlock()
	if o.twice {
		again, err := c.caller.order(c.t.Context(), action, p, 0)
		if err != nil || again != id {
			c.fail("%s %s was accepted as %s; ordered again it was %s, %v", o.kind, o.id, id, again, err)
		}
	}
	if o.kind == stopped {
		time.Sleep(o.stop)
		c.stopOrder(id)
	}
}

func (c *campaign) stopOrder(id string) {
	if err := c.caller.insist(c.t.Context(), "StopInvocation", url.Values{"InvokeId": {id}}, nil, 0); err != nil {
		c.history.note(c.server.name, "stop of %s refused: %v", id, err) // it has ended
	}
}
