package campaign

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// breach is one thing that is done to the installation.
type breach struct {
	at   time.Duration // after the beginning
	long time.Duration // how long it lasts
	do   deed
	node int    // whose; theServer for the server's
	with uint64 // by chance, for what only the moment can decide
}

// theServer stands where a node's number is expected.
const theServer = -1

// deed is what is done.
type deed uint8

const (
	kill           deed = iota // SIGKILL, and a new start after a while
	restart                    // an orderly end, and a new start
	pause                      // SIGSTOP, and SIGCONT after a while
	killSupervisor             // of some running command, SIGKILL
	pauseSupervisor
	cutCable
	swallowCable
	holdCable
	slowCable
	tearCable
	fillDisk
	setTheClock
)

func (d deed) String() string {
	return [...]string{
		"kill", "restart", "pause", "kill supervisor", "pause supervisor", "cut cable", "swallow cable", "hold cable", "slow cable", "tear cable",
		"fill disk", "set clock",
	}[d]
}

func (b breach) String() string {
	who := "server"
	if b.node != theServer {
		who = fmt.Sprintf("i-n%d", b.node)
	}
	text := fmt.Sprintf("%8.3fs %-7s %s for %v", b.at.Seconds(), who, b.do, b.long.Round(time.Millisecond))
	if b.do == setTheClock {
		text = fmt.Sprintf("%8.3fs %-7s %s by %v", b.at.Seconds(), who, b.do, b.clock())
	}
	return text
}

// clock is by how much a setTheClock makes the clock wrong: nothing, seconds, minutes, hours or days, forwards or backwards.
func (b breach) clock() time.Duration {
	r := rand.New(rand.NewPCG(b.with, 1))
	most := []time.Duration{0, 30 * time.Second, 20 * time.Minute, 10 * time.Hour, 20 * 24 * time.Hour}[r.IntN(5)]
	if most == 0 {
		return 0
	}
	return (time.Duration(r.Int64N(2*int64(most))) - most).Truncate(time.Millisecond)
}

// habit is how often one part of the installation is broken, and how.
type habit struct {
	deeds       []deed
	every       time.Duration // between two, at the average
	least, most time.Duration // how long each lasts
}

// The habits. One part has only one trouble at a time; troubles of different parts come together as they like.
var (
	serverHabits = []habit{
		{[]deed{kill, kill, restart, pause}, 14 * time.Second, 50 * time.Millisecond, 5 * time.Second},
		{[]deed{cutCable, swallowCable, holdCable, slowCable, tearCable}, 12 * time.Second, 50 * time.Millisecond, 6 * time.Second},
		{[]deed{fillDisk}, 40 * time.Second, 500 * time.Millisecond, 5 * time.Second},
	}
	nodeHabits = []habit{
		{[]deed{kill, kill, restart, pause}, 12 * time.Second, 10 * time.Millisecond, 5 * time.Second},
		{[]deed{killSupervisor, killSupervisor, pauseSupervisor}, 9 * time.Second, 50 * time.Millisecond, 4 * time.Second},
		{[]deed{cutCable, swallowCable, holdCable, slowCable, tearCable}, 14 * time.Second, 50 * time.Millisecond, 12 * time.Second},
		{[]deed{fillDisk}, 50 * time.Second, 500 * time.Millisecond, 6 * time.Second},
		{[]deed{setTheClock}, 15 * time.Second, 0, 0},
	}
	// steady are the habits that the first node is spared the others for: its schedules must not miss a moment.
	steady = []int{1, 2}
	// awayFor is longer than a command waits for its node. One node is away for so long, sooner or later.
	awayFor = 66 * time.Second
)

// plan draws what is done, in order of time.
func plan(seed uint64, length time.Duration, nodes int, rate float64) []breach {
	r := rand.New(rand.NewPCG(seed, 2))
	var all []breach
	follow := func(node int, h habit, from, to time.Duration) {
		for at := from; ; {
			at += time.Duration(r.ExpFloat64() * float64(h.every) / rate)
			b := breach{at: at, do: h.deeds[r.IntN(len(h.deeds))], node: node, with: r.Uint64()}
			b.long = h.least + time.Duration(r.Float64()*r.Float64()*float64(h.most-h.least)) // more often short than long
			if at+b.long >= to {
				return
			}
			all = append(all, b)
			at += b.long
		}
	}
	for _, h := range serverHabits {
		follow(theServer, h, 0, length)
	}
	for i := range nodes {
		for n, h := range nodeHabits {
			if i == 0 && !slices.Contains(steady, n) {
				continue
			}
			if n == 0 && i == nodes-1 && length > awayFor {
				left := time.Duration(r.Int64N(int64(length - awayFor)))
				all = append(all, breach{at: left, long: awayFor, do: kill, node: i})
				follow(i, h, 0, left)
				follow(i, h, left+awayFor, length)
				continue
			}
			follow(i, h, 0, length)
		}
	}
	slices.SortStableFunc(all, func(a, b breach) int { return cmp.Compare(a.at, b.at) })
	return all
}

func TestPlanFollowsFromItsSeed(t *testing.T) {
	t.Parallel()
	first, again, other := plan(7, time.Minute, 3, 1), plan(7, time.Minute, 3, 1), plan(8, time.Minute, 3, 1)
	if !slices.Equal(first, again) {
		t.Error("one seed, two plans")
	}
	if slices.Equal(first, other) {
		t.Error("two seeds, one plan")
	}
	done := map[deed]bool{}
	for _, b := range plan(7, time.Hour, 5, 1) {
		done[b.do] = true
		if b.at+b.long > time.Hour {
			t.Errorf("%v lasts beyond the end", b)
		}
	}
	for d := kill; d <= setTheClock; d++ {
		if !done[d] {
			t.Errorf("nothing happens like: %s", d)
		}
	}
}
