package core

import (
	"context"
	"errors"
	"net/netip"
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

// MayReenroll reports whether a clone of a node can become a node of its own: by the registration code that the node joined with.
func (s *Service) MayReenroll(ctx context.Context, n *Node, source netip.Addr) (bool, error) {
	code, err := s.store.Registration(ctx, n.Registration)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil && code.Account == n.Account && code.Usable(s.Now()) && allowed(code.Networks, source), err
}

// Reenroll makes a clone a node of its own. The caller has checked that the process holds both keys. e's id, name, code and secret do not
// matter: the registration code of the other node has to let one more machine in.
func (s *Service) Reenroll(ctx context.Context, of *Node, startID string, e Enrolment) (Node, error) {
	if known, err := s.store.NodeByPublicKey(ctx, e.PublicKey); err == nil && known.Account == of.Account && known.Key != of.Key {
		return known, nil // asked again
	}
	if !s.IsClone(of.Key, startID) {
		return Node{}, &Error{Code: CodeDenied, Reason: ReasonRegistrationRefused, Detail: "nothing is known of another machine with this key"}
	}
	code, err := s.store.Registration(ctx, of.Registration)
	if errors.Is(err, ErrNotFound) || err == nil && code.Account != of.Account {
		return Node{}, unregistered("the registration code of the node is gone")
	}
	if err != nil {
		return Node{}, err
	}
	e.NodeID, e.Name, e.Tags = "", "", of.Tags
	n, err := s.join(ctx, &code, e)
	if err != nil {
		return Node{}, err
	}
	s.Audit(ctx, AuditRecord{
		Account: n.Account, At: s.Now(), Principal: "node/" + of.ID, Dialect: "agent", Action: "Reenroll", RequestID: startID,
		Source: e.Source.String(), UserAgent: e.Hostname, Resources: []string{"node/" + of.ID, "node/" + n.ID},
	})
	return n, nil
}
