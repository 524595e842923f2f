package agent

import (
	"os"
	"path/filepath"
	"runtime"
	"time"

	"errand/internal/agent/crash"
	"errand/internal/agent/identity"
)

// Status is what a running agent says about itself to somebody on its machine.
type Status struct {
	Version string    `json:"version"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	StartID string    `json:"start_id"`

	NodeID       string `json:"node_id"`
	Server       string `json:"server"`        // that enrolled the node
	IdentityFile string `json:"identity_file"` // that counts
	IdentityWhy  string `json:"identity_why"`  // why it does

	Connected   bool      `json:"connected"`
	Bus         string    `json:"bus,omitempty"`      // where to
	Since       time.Time `json:"since,omitzero"`     // of the latest connection
	Connections int64     `json:"connections"`        // since the start
	Heartbeat   time.Time `json:"heartbeat,omitzero"` // the last one that arrived
	Stuck       []string  `json:"stuck,omitempty"`    // loops that do not pass any more

	Tasks   TaskCounts `json:"tasks"`
	Journal int64      `json:"journal_bytes"`
	Memory  Memory     `json:"memory"`

	Starts crash.Starts  `json:"starts"`
	Crash  *crash.Report `json:"last_crash,omitempty"`
}

// TaskCounts counts the tasks of a node by how far they have come.
type TaskCounts struct {
	Waiting    int `json:"waiting"`
	Running    int `json:"running"`
	Unreported int `json:"unreported"` // ended, and the server does not have the result yet
	Plans      int `json:"plans"`
}

// Memory is in bytes.
type Memory struct {
	Resident uint64 `json:"resident"` // 0 where the system does not tell
	Heap     uint64 `json:"heap"`
}

// Connection is what a link may tell about its connection.
type Connection interface {
	// Peer is where the connection goes to, and false while there is none.
	Peer() (address string, connected bool)
	// Confirm waits until all that was published has arrived at the other end.
	Confirm(within time.Duration) error
}

// Status tells how the agent is. It may be called while Run does its work, and not before.
func (a *Agent) Status() Status {
	file, why := identity.Where(a.cfg.Dir)
	s := Status{
		Version: a.cfg.Version, PID: os.Getpid(), Started: a.began, StartID: a.startID,
		NodeID: a.id.NodeID, Server: a.id.ServerURL, IdentityFile: file, IdentityWhy: why,
		Stuck: a.stuck(), Memory: memoryInUse(),
	}
	if info, err := os.Stat(filepath.Join(a.cfg.Dir, "journal", "journal")); err == nil {
		s.Journal = info.Size()
	}
	if r := a.recorder; r != nil {
		s.Starts, s.Crash = r.Starts, r.Last
	}
	a.mu.Lock()
	link := a.link
	s.Since, s.Connections, s.Heartbeat = a.since, a.connections.Load(), a.heard
	s.Tasks = a.countTasks()
	a.mu.Unlock()
	if c, ok := link.(Connection); ok {
		s.Bus, s.Connected = c.Peer()
	}
	if !s.Connected {
		s.Since = time.Time{}
	}
	return s
}

// countTasks is called with the lock held.
func (a *Agent) countTasks() (n TaskCounts) {
	for _, t := range a.tasks {
		switch t.phase {
		case waiting:
			n.Waiting++
		case starting, running:
			n.Running++
		case planned:
			n.Plans++
		case ended:
			if !t.final {
				n.Unreported++
			}
		}
	}
	return n
}

func memoryInUse() Memory {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Memory{Resident: resident(), Heap: m.HeapAlloc}
}
