package core

import (
	"context"
	"time"
)

// Clone is a process that came with the key of a node while the node itself was connected and alive.
type Clone struct {
	Node      NodeKey
	StartID   string // of the agent's process
	Machine   string // its fingerprint
	Incumbent string // the fingerprint of the machine that is connected
	Source    string // address it came from
}

const (
	// cloneMemory is how long a clone is known as one after it was refused.
	cloneMemory = 30 * time.Minute
	// maxClones is how many clones of one node are known at a time. Who has more makes them up.
	maxClones = 64
	// cloneRecords is how often the audit log says that a node has clones.
	cloneRecords = 10 * time.Minute
)

// clones are those of one node.
type clones struct {
	refused  map[string]refusal // by StartID
	recorded time.Time
}

type refusal struct {
	machine string
	at      time.Time
}

// Cloned notes that a clone was refused, for the clone, which may ask, and for the operator, in the log and the audit records.
func (s *Service) Cloned(ctx context.Context, c Clone) error {
	now := s.Now()
	s.mu.Lock()
	of := s.clones[c.Node]
	if of == nil {
		of = &clones{refused: map[string]refusal{}}
		s.clones[c.Node] = of
	}
	of.forget(now)
	if len(of.refused) < maxClones {
		of.refused[c.StartID] = refusal{c.Machine, now}
	}
	record := now.Sub(of.recorded) >= cloneRecords
	if record {
		of.recorded = now
	}
	s.mu.Unlock()
	if !record {
		return nil
	}
	n, err := s.store.Node(ctx, c.Node)
	if err != nil {
		return err
	}
	s.log.Error("MACHINE WITH THE IDENTITY OF ANOTHER REFUSED", "account", n.Account.String(), "node", n.ID, "source", c.Source,
		"fingerprint", c.Machine, "connected_fingerprint", c.Incumbent)
	s.Audit(ctx, AuditRecord{
		Account: n.Account, At: now, Principal: "node/" + n.ID, Dialect: "agent", Action: "ConnectClone", RequestID: c.StartID, Source: c.Source,
		UserAgent: "machine " + c.Machine, Resources: []string{"node/" + n.ID}, Code: "Refused",
	})
	return nil
}

// forget drops what is too old to matter.
func (c *clones) forget(now time.Time) {
	for start, r := range c.refused {
		if now.Sub(r.at) > cloneMemory {
			delete(c.refused, start)
		}
	}
}

// IsClone reports whether a process was refused lately because its node was connected elsewhere.
func (s *Service) IsClone(key NodeKey, startID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.clones[key]
	if of == nil {
		return false
	}
	of.forget(s.Now())
	_, ok := of.refused[startID]
	return ok
}
