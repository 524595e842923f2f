package campaign

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// event is something that happened to a part of the installation.
type event struct {
	from, to time.Time
	part     string // "server" or a node's name
	deed     string
	breach   *breach // nil if nobody planned it
	task     string  // of a supervisor: the folder's name
	clock    time.Duration
}

func (e event) String() string {
	return fmt.Sprintf("%s..%s %-7s %s %s", e.from.Format("15:04:05.000"), e.to.Format("15:04:05.000"), e.part, e.deed, e.task)
}

// history is what happened.
type history struct {
	mu     sync.Mutex
	events []event
}

func (h *history) add(e event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

func (h *history) note(part, format string, args ...any) {
	now := time.Now()
	h.add(event{from: now, to: now, part: part, deed: fmt.Sprintf(format, args...)})
}

func (h *history) all() []event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}

// during returns what happened to some parts between two times.
func (h *history) during(from, to time.Time, parts ...string) (list []event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if slices.Contains(parts, e.part) && !e.from.After(to) && !e.to.Before(from) {
			list = append(list, e)
		}
	}
	return list
}

// carryOut does what is planned, each thing at its time, and returns when all of it is over.
func (c *campaign) carryOut(planned []breach) {
	begun := time.Now()
	var all sync.WaitGroup
	for i := range planned {
		b := &planned[i]
		time.Sleep(time.Until(begun.Add(b.at)))
		all.Go(func() {
			e := event{from: time.Now(), part: c.part(b.node), deed: b.do.String(), breach: b}
			c.commit(b, &e)
			e.to = time.Now()
			c.history.add(e)
		})
	}
	all.Wait()
}

func (c *campaign) part(node int) string {
	if node == theServer {
		return c.server.name
	}
	return c.nodes[node].name
}

// commit does one thing, and undoes it after its time.
func (c *campaign) commit(b *breach, e *event) {
	process, cable, disk := c.server, c.door, c.serverDisk
	if b.node != theServer {
		n := c.nodes[b.node]
		process, cable, disk = n.process, n.cable, n.disk
	}
	chance := rand.New(rand.NewPCG(b.with, 3))
	switch b.do {
	case kill:
		process.again(syscall.SIGKILL, b.long)
	case restart:
		process.again(syscall.SIGTERM, 0)
	case pause:
		process.pause(b.long)
	case killSupervisor, pauseSupervisor:
		c.trouble(b, e, c.nodes[b.node], chance)
	case cutCable, swallowCable, holdCable, slowCable, tearCable:
		w := map[deed]weather{cutCable: cut, swallowCable: swallow, holdCable: hold, slowCable: slow, tearCable: tear}[b.do]
		cable.set(w, time.Duration(chance.Int64N(int64(300*time.Millisecond))), 8_000+chance.IntN(200_000))
		time.Sleep(b.long)
		cable.set(fair, 0, 0)
	case fillDisk:
		if err := disk.fill(); err != nil {
			c.fail("fill disk: %v", err)
		}
		time.Sleep(b.long)
		if err := disk.free(); err != nil {
			c.fail("free disk: %v", err)
		}
	case setTheClock:
		e.clock = b.clock()
		e.deed = fmt.Sprintf("clock wrong by %v", e.clock)
		if err := setClock(c.nodes[b.node].clock, e.clock); err != nil {
			c.fail("set clock: %v", err)
		}
	}
}

// trouble makes trouble for the supervisor of some command that runs.
func (c *campaign) trouble(b *breach, e *event, n *node, chance *rand.Rand) {
	list := supervisors(n)
	if len(list) == 0 {
		e.task = "(none runs)"
		return
	}
	s := list[chance.IntN(len(list))]
	e.task = s.task
	if b.do == killSupervisor {
		_ = syscall.Kill(s.pid, syscall.SIGKILL)
		return
	}
	_ = syscall.Kill(s.pid, syscall.SIGSTOP)
	time.Sleep(b.long)
	_ = syscall.Kill(s.pid, syscall.SIGCONT)
}

// supervisor is a process that supervises a command.
type supervisor struct {
	pid  int
	task string // name of the folder
}

// supervisors finds those of a node, oldest first.
func supervisors(n *node) (list []supervisor) {
	for pid, args := range commandLines() {
		if len(args) == 3 && strings.HasSuffix(args[0], "errand-supervise") && strings.HasPrefix(args[2], n.data+"/") {
			list = append(list, supervisor{pid, filepath.Base(args[2])})
		}
	}
	slices.SortFunc(list, func(a, b supervisor) int { return a.pid - b.pid })
	return list
}

// commandLines reads the arguments of all processes.
func commandLines() map[int][]string {
	found := map[int][]string{}
	list, _ := os.ReadDir("/proc")
	for _, f := range list {
		pid, err := strconv.Atoi(f.Name())
		if err != nil {
			continue
		}
		if b, err := os.ReadFile("/proc/" + f.Name() + "/cmdline"); err == nil {
			found[pid] = strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
		}
	}
	return found
}
