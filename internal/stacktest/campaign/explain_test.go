package campaign

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"errand/internal/core"
)

// mostTold is how many wrongs are told in full.
const mostTold = 12

// wrongWith notes that something is wrong with a task, with its history.
func (c *campaign) wrongWith(f *fact, format string, args ...any) {
	text := fmt.Sprintf("%s: ", f) + fmt.Sprintf(format, args...)
	c.mu.Lock()
	told := len(c.wrong) < mostTold
	c.mu.Unlock()
	if told {
		text += c.story(f)
	}
	c.fail("%s", text)
}

// story is all that is known of a task.
func (c *campaign) story(f *fact) string {
	var b strings.Builder
	t := &f.Task
	clock := func(at time.Time) string {
		if at.IsZero() {
			return "never"
		}
		return at.Local().Format("15:04:05.000")
	}
	fmt.Fprintf(&b, "\n\tserver: %s, cause %q, detail %q, exit code %d, signal %d, late %v, %d+%d bytes", t.State, t.Cause, t.Detail, t.ExitCode, t.Signal, t.Late,
		t.Stdout, t.Stderr)
	fmt.Fprintf(&b, "\n\ttimes: created %s, sent %s (%d tries), received %s, started %s, stop asked %s, ended %s, updated %s", clock(f.Invocation.CreatedAt),
		clock(t.SentAt), t.Tries, clock(t.ReceivedAt), clock(t.StartedAt), clock(t.StopAskedAt), clock(t.EndedAt), clock(t.UpdatedAt))
	fmt.Fprintf(&b, "\n\tnotes of the command: %+v", f.notes)
	if b2, err := os.ReadFile(f.node.process.log); err == nil {
		for line := range strings.Lines(string(b2)) {
			if strings.Contains(line, f.folder) {
				fmt.Fprintf(&b, "\n\tlog of the agent: %s", strings.TrimSpace(line))
			}
		}
	}
	from, to := f.Invocation.CreatedAt.Add(-5*time.Second), f.UpdatedAt.Add(5*time.Second)
	for _, e := range c.history.during(from, to, f.node.name, c.server.name) {
		fmt.Fprintf(&b, "\n\t%s", e)
	}
	return b.String()
}

// summary says what the campaign came to, and looks whether it was one.
func (c *campaign) summary(facts []*fact) {
	ends := map[string]int{}
	executed := 0
	for _, f := range facts {
		end := f.State.String()
		if f.Cause != core.NoCause {
			end += " (" + f.Cause.String() + ")"
		}
		ends[end]++
		if f.State == core.Succeeded || f.State == core.Failed || f.State == core.TimedOut || f.State == core.Terminated {
			executed++
		}
	}
	for _, end := range slices.Sorted(maps.Keys(ends)) {
		c.t.Logf("%6d %s", ends[end], end)
	}
	deeds := map[string]int{}
	hits, ended := 0, 0
	for _, e := range c.history.all() {
		if e.breach == nil {
			continue
		}
		deeds[e.breach.do.String()]++
		if e.breach.do == killSupervisor && dueless(e.task) {
			hits++
		}
		if (e.breach.do == kill || e.breach.do == restart) && e.part != c.server.name {
			ended++
		}
	}
	c.t.Logf("%d orders, %d tasks, %d executed; done to them: %v", len(c.accepted), len(facts), executed, deeds)
	if executed*2 < len(facts) {
		c.fail("only %d of %d tasks were executed", executed, len(facts))
	}
	// An agent is between the journal and the start of a command for some milliseconds, with a few of its sixteen commands.
	gaps := ends["exception (journal_gap)"]
	if most := 6 * (ended + 1); gaps > most {
		c.fail("%d tasks fell into the gap between journal and start; agents ended %d times", gaps, ended)
	}
	if gone, most := ends["exception (supervisor_gone)"], hits+3*ended; gone > most {
		c.fail("%d tasks lost their supervisor; %d were killed, and agents ended %d times", gone, hits, ended)
	}
}

// dueless reports whether a supervisor was there to be killed.
func dueless(task string) bool { return task != "" && task[0] != '(' }

// explain fails the test with what is wrong, and with the plan.
func (c *campaign) explain() {
	c.mu.Lock()
	wrong := slices.Clone(c.wrong)
	c.mu.Unlock()
	if len(wrong) == 0 && !c.t.Failed() && !*planFlag {
		return
	}
	happened := c.history.all()
	slices.SortFunc(happened, func(a, b event) int { return a.from.Compare(b.from) })
	var b strings.Builder
	for _, p := range c.plan {
		fmt.Fprintf(&b, "\n%s", p)
	}
	c.t.Logf("the plan for seed %d:%s", c.seed, b.String())
	if *planFlag {
		for _, e := range happened {
			c.t.Log(e)
		}
	}
	if *keepFlag != "" {
		c.keep()
	}
	for i, text := range wrong {
		if i == 3*mostTold {
			c.t.Errorf("and %d more", len(wrong)-i)
			break
		}
		c.t.Error(text)
	}
}

// keep copies what lies on the disks, which go with the test.
func (c *campaign) keep() {
	for _, d := range append([]*disk{c.serverDisk}, disks(c.nodes)...) {
		to := filepath.Clean(d.dir) + ".kept"
		if out, err := exec.Command("cp", "-a", d.dir, to).CombinedOutput(); err != nil {
			c.t.Logf("keep %s: %v: %s", d.dir, err, out)
		}
	}
}

func disks(nodes []*node) (list []*disk) {
	for _, n := range nodes {
		list = append(list, n.disk)
	}
	return list
}
