package agent

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"errand/internal/protocol"
)

// A task that kills the agent again and again would keep it from all others. So the agent notes in a file what it has in its own hands; commands
// under their supervisors are not. The next agent finds there what the one before it held when it died, and a task that was
// held in the same way at two deaths in a row is not touched a third time. If the agent died of its own fault, which leaves a crash report, a task
// held in any way counts, and so does the plan that a run belongs to; a kill may be bad luck, and has to hit exactly the same thing twice.

// step is what the agent does with a task itself.
type step string

// The steps.
const (
	receiving step = "receiving"
	beginning step = "starting"
	takingUp  step = "taking-up" // what an earlier agent has started
	reporting step = "reporting" // its output
	anything  step = "crash"     // stands for each of them
)

// Files in the data folder.
const (
	handsFile    = "hands"      // what the agent holds, one slot for each
	suspectsFile = "suspects"   // what the agent before it held at its death, one line for each
	asideDir     = "quarantine" // folders of tasks that are not touched any more
)

const (
	slotSize = 128
	maxSlots = 64 // held at a time; more are not noted
)

// hands is the record of what this agent holds.
type hands struct {
	hook func(step, protocol.Task) // told of everything that is taken, in tests

	mu   sync.Mutex
	file *os.File // nil if it cannot be written
	used [maxSlots]bool
}

// openHands begins a new record and returns the tasks that the old ones convict. crashed says that the agent before this one died of its own
// fault.
func openHands(dir string, crashed bool, log *slog.Logger) (*hands, map[protocol.Task]step) {
	h := &hands{}
	path := filepath.Join(dir, handsFile)
	old, _ := os.ReadFile(path)
	held := suspicions(old, crashed)
	before, _ := os.ReadFile(filepath.Join(dir, suspectsFile))
	guilty := map[protocol.Task]step{}
	for _, s := range held {
		if !slices.Contains(strings.Fields(string(before)), s) {
			continue
		}
		how, name, _ := strings.Cut(s, ":")
		if t, ok := taskNamed(name); ok {
			guilty[t] = step(how)
			log.Error("task is not touched any more: the agent died of it twice", "task", name, "step", how)
		}
	}
	err := os.WriteFile(filepath.Join(dir, suspectsFile), []byte(strings.Join(held, "\n")), 0o600)
	if err == nil {
		h.file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	}
	if err != nil {
		log.Warn("what the agent does is not noted", "error", err)
	}
	return h, guilty
}

// suspicions reads what an agent held when it ended.
func suspicions(slots []byte, crashed bool) (found []string) {
	for slot := range slices.Chunk(slots, slotSize) {
		how, name, ok := strings.Cut(string(bytes.TrimRight(slot, "\x00")), ":")
		t, valid := taskNamed(name)
		if !ok || !valid {
			continue
		}
		found = append(found, how+":"+name)
		if crashed {
			found = append(found, string(anything)+":"+nameOf(t), string(anything)+":"+nameOf(t.Planned()))
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// take notes that a task is in the agent's hands until the returned function is called. Nothing is waited for: it counts what a killed process
// wrote, whether it is on disk or not.
func (h *hands) take(s step, t protocol.Task) (letGo func()) {
	h.mu.Lock()
	slot := slices.Index(h.used[:], false)
	if slot >= 0 {
		h.used[slot] = true
	}
	h.mu.Unlock()
	if slot < 0 {
		return func() {}
	}
	h.write(slot, string(s)+":"+nameOf(t))
	if h.hook != nil {
		h.hook(s, t)
	}
	return func() {
		h.write(slot, "")
		h.mu.Lock()
		h.used[slot] = false
		h.mu.Unlock()
	}
}

func (h *hands) write(slot int, text string) {
	if h.file != nil {
		b := make([]byte, slotSize)
		copy(b, text)
		_, _ = h.file.WriteAt(b, int64(slot)*slotSize) // on a full disk there is no note of it
	}
}

// close ends the record of an agent that ends in peace.
func (h *hands) close() {
	if h.file != nil {
		h.file.Close()
	}
}

// setAside puts the folder of a task that killed the agent twice where nothing looks for it, and reports whether it is one.
func (a *Agent) setAside(t protocol.Task) bool {
	if a.guilty[t] == "" {
		return false
	}
	aside := filepath.Join(a.cfg.Dir, asideDir)
	err := os.MkdirAll(aside, 0o700)
	if err == nil {
		err = os.Rename(a.dirOf(t), filepath.Join(aside, nameOf(t)))
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		a.log.Warn("folder of a task in quarantine not moved", "task", nameOf(t), "error", err)
	}
	return true
}

// verdict is the result of a task in quarantine.
func (a *Agent) verdict(t protocol.Task) protocol.Finished {
	how := string(a.guilty[t]) + " it"
	if a.guilty[t] == anything {
		how = "handling it"
	}
	return protocol.Finished{
		Task: t, Outcome: protocol.OutcomeAgentFault, Detail: "in quarantine: the agent died twice in a row while " + how,
	}
}
