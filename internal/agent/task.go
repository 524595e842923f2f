package agent

import (
	"fmt"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"errand/internal/agent/executor"
	"errand/internal/agent/journal"
	"errand/internal/agent/logs"
	"errand/internal/protocol"
)

// phase is how far a task has come in this process.
type phase uint8

const (
	waiting  phase = iota
	starting       // has a place among the running
	running        // its command runs, under a supervisor
	ended          // its result is known
	planned        // has runs instead of running; see plan
)

// task is a task that the server does not know to be over. Its fields are guarded by the agent's lock, except where a
// loop is named that alone uses them.
type task struct {
	id      protocol.Task
	arrived journal.Moment
	ttl     time.Duration // 0 means no limit
	run     []byte        // the message, while it is at hand; the journal has it too. A run goes by its plan's
	lane    uint8
	secret  bool // the message holds secrets
	begun   bool // the journal knows that it is about to be started

	phase   phase
	stop    bool // was asked for
	tree    bool // a stop ends all descendants
	power   bool // the command may ask for the end of the machine
	wish    wish // and did
	process *executor.Task
	abort   func() // ends what is done without a process, if that is going on
	started time.Time

	result protocol.Finished // without output; once ended
	saved  bool              // the result is on disk, in the journal or as the executor's record
	known  bool              // the journal has the task, so an unsaved result must not be told: a restart could contradict it
	final  bool              // the server has the result, or it is given up
	lean   bool              // the output is given up

	sender
	due   time.Time // when report has to look at it
	place int       // in the agenda, plus one; 0 if report has nothing to do
}

// nameOf returns the name of a task's folder.
func nameOf(t protocol.Task) string {
	if t.Due != 0 {
		return fmt.Sprintf("%d-%d-%d", t.Invocation, t.Index, t.Due)
	}
	return fmt.Sprintf("%d-%d", t.Invocation, t.Index)
}

// taskNamed is the inverse of nameOf.
func taskNamed(name string) (t protocol.Task, ok bool) {
	for i, part := range strings.Split(name, "-") {
		n, err := strconv.ParseUint(part, 10, 64)
		switch {
		case err != nil:
			return t, false
		case i == 0:
			t.Invocation = n
		case i == 1:
			t.Index = uint32(n)
		case i == 2:
			t.Due = int64(n)
		}
	}
	return t, nameOf(t) == name
}

func (a *Agent) tasksDir() string { return filepath.Join(a.cfg.Dir, "tasks") }

func (a *Agent) dirOf(t protocol.Task) string { return filepath.Join(a.tasksDir(), nameOf(t)) }

// expired reports whether a waiting task must not be started any more.
func (t *task) expired(now journal.Moment) bool { return t.ttl > 0 && now.Since(t.arrived) >= t.ttl }

// end gives a task its result, unless it has one, and has it reported. saved says that it is on disk already.
func (a *Agent) end(t *task, result protocol.Finished, saved bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.endLocked(t, result, saved)
}

func (a *Agent) endLocked(t *task, result protocol.Finished, saved bool) {
	if t.phase == ended {
		return
	}
	if result.Ended == 0 {
		result.Ended = a.cfg.Clock().Wall.UnixMicro()
	}
	if result.Received == 0 && !t.arrived.Wall.IsZero() {
		result.Received = t.arrived.Wall.UnixMicro()
	}
	t.phase, t.result, t.saved = ended, result, saved
	t.run, t.process, t.abort = nil, nil, nil
	a.ends.count(result.Outcome)
	if t.id.Due != 0 {
		a.ran(t)
	}
	a.schedule(t, time.Now())
}

// guard calls f and turns a panic into the result of the task it was about.
func (a *Agent) guard(t *task, f func()) {
	defer func() {
		if p := recover(); p != nil {
			a.log.Error("panic", "task", nameOf(t.id), "panic", logs.Panic(p), "stack", string(debug.Stack()))
			a.end(t, protocol.Finished{Task: t.id, Outcome: protocol.OutcomeAgentFault, Detail: clip(fmt.Sprint(p))}, false)
		}
	}()
	f()
}
