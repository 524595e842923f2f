package core

import (
	"context"
	"errors"
)

// DisableRegistrations lets no further machine join with these codes; those that did stay. All codes or none.
func (s *Service) DisableRegistrations(ctx context.Context, c Caller, ids []ID) ([]RegistrationCode, error) {
	return s.changeRegistrations(ctx, c, "registration.disable", ids, func(r *RegistrationCode) (bool, error) {
		r.Disabled, r.UpdatedAt = true, s.Now()
		return true, nil
	})
}

// DeleteRegistrations deletes codes, all or none, and returns them as they were. With refuseUsed, a code stays as long as a machine that joined
// with it is there.
func (s *Service) DeleteRegistrations(ctx context.Context, c Caller, ids []ID, refuseUsed bool) ([]RegistrationCode, error) {
	return s.changeRegistrations(ctx, c, "registration.delete", ids, func(r *RegistrationCode) (bool, error) {
		if refuseUsed && r.Registered > r.Deregistered {
			return false, &Error{Code: CodeConflict, Reason: ReasonRegistrationInUse, Field: r.ID.String(), Detail: "machines joined with it"}
		}
		return false, nil
	})
}

func (s *Service) changeRegistrations(
	ctx context.Context, c Caller, verb string, ids []ID, change func(*RegistrationCode) (bool, error),
) ([]RegistrationCode, error) {
	if err := s.allowObjects(ctx, &c, verb, nil, KindRegistration, texts(ids...)); err != nil {
		return nil, err
	}
	codes, err := s.store.ChangeRegistrations(ctx, c.Account, ids, change)
	if errors.Is(err, ErrNotFound) {
		err = notFound(ReasonRegistrationNotFound, "no such registration code")
	}
	return codes, err
}

// RenameNode gives a machine another name.
func (s *Service) RenameNode(ctx context.Context, c Caller, id, name string) (Node, error) {
	if err := s.allowObjects(ctx, &c, "node.modify", nil, KindNode, []string{id}); err != nil {
		return Node{}, err
	}
	if err := checkNodeName(name); err != nil {
		return Node{}, err
	}
	return s.changeNode(ctx, c, id, func(n *Node) { n.Name = name })
}

func checkNodeName(name string) error {
	switch {
	case name == "":
		return invalid(ReasonMissing, "name", "empty")
	case len(name) > 4*MaxNodeID || !printable(name):
		return invalid(ReasonNameInvalid, "name", "control characters, or too long")
	}
	return nil
}

func (s *Service) changeNode(ctx context.Context, c Caller, id string, change func(*Node)) (Node, error) {
	return s.tryChangeNode(ctx, c, id, func(n *Node) error {
		change(n)
		return nil
	})
}

// tryChangeNode is changeNode for a change that may be refused.
func (s *Service) tryChangeNode(ctx context.Context, c Caller, id string, change func(*Node) error) (Node, error) {
	found, err := s.nodesByID(ctx, c.Account, []string{id})
	if err != nil {
		return Node{}, err
	}
	n, ok := found[id]
	if !ok {
		return Node{}, notFound(ReasonTargetNotFound, "no node %s", id)
	}
	err = s.store.ChangeNode(ctx, n.Key, func(row *Node) error {
		if !row.RemovedAt.IsZero() {
			return notFound(ReasonTargetNotFound, "no node %s", id)
		}
		if err := change(row); err != nil {
			return err
		}
		row.UpdatedAt = s.Now()
		n = *row
		return nil
	})
	return n, err
}

// RemoveNode takes a machine out of its account: it is disconnected and cannot connect again, what was under way on it is given up, and
// its history stays. Its id is free for another machine.
func (s *Service) RemoveNode(ctx context.Context, c Caller, id string) (Node, error) {
	if err := s.allowObjects(ctx, &c, "node.remove", nil, KindNode, []string{id}); err != nil {
		return Node{}, err
	}
	n, err := s.changeNode(ctx, c, id, func(row *Node) { row.RemovedAt = s.Now() })
	if err != nil {
		return Node{}, err
	}
	return n, s.removed(ctx, &n)
}

// Leave takes a machine out of its account because it asks for it. The caller has checked that it is the machine that asks.
func (s *Service) Leave(ctx context.Context, n Node, source string) error {
	now := s.Now()
	err := s.store.ChangeNode(ctx, n.Key, func(row *Node) error {
		if !row.RemovedAt.IsZero() {
			return ErrNotFound
		}
		row.RemovedAt, row.UpdatedAt = now, now
		return nil
	})
	if err != nil {
		return err
	}
	s.Audit(ctx, AuditRecord{
		Account: n.Account, At: now, Principal: "node/" + n.ID, Dialect: "agent", Action: "Leave", Source: source, Resources: []string{"node/" + n.ID},
	})
	return s.removed(ctx, &n)
}

// removed tidies up after a node that is gone already. A crash in between leaves it to the tasks' own deadlines.
func (s *Service) removed(ctx context.Context, n *Node) error {
	given, err := s.giveUp(ctx, n.Account, n.Key)
	s.feed.tell(Event{Removed: n.Key, Tasks: given})
	if err != nil {
		return err
	}
	_, err = s.store.ChangeRegistrations(ctx, n.Account, []ID{n.Registration}, func(r *RegistrationCode) (bool, error) {
		r.Deregistered++
		return true, nil
	})
	if errors.Is(err, ErrNotFound) {
		err = nil // the code was deleted before its machines
	}
	return err
}

// giveUp ends the open tasks of a node that was removed and returns them.
func (s *Service) giveUp(ctx context.Context, account AccountID, key NodeKey) ([]Task, error) {
	open := []State{Queued, Scheduled, Delivering, Deferred, Running, Stopping}
	rows, _, err := s.store.ListTasks(ctx, TaskFilter{Account: account, Nodes: []NodeKey{key}, States: open}, Page{Limit: MaxTargets})
	if err != nil {
		return nil, err
	}
	ids := make([]TaskID, len(rows))
	for i := range rows {
		ids[i] = rows[i].ID
	}
	now := s.Now()
	given := make([]Task, 0, len(ids))
	err = s.store.ChangeTasks(ctx, ids, func(t *Task) bool {
		end := DeliveryFailed
		if t.State == Running || t.State == Stopping {
			end = Lost
		}
		if !t.reach(end, CauseNodeReleased, now) {
			return false
		}
		given = append(given, *t)
		return true
	})
	return given, err
}

// AskInstall notes that the agent should be installed on these machines. Every machine of an account has an agent, with which it joined, so
// there is nothing to install; what is noted is when somebody asked, for the agent's next start. All machines are looked at before the first is noted.
func (s *Service) AskInstall(ctx context.Context, c Caller, ids []string) error {
	if err := s.allowObjects(ctx, &c, "agent.install", nil, KindNode, ids); err != nil {
		return err
	}
	found, err := s.nodesByID(ctx, c.Account, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		n, ok := found[id]
		switch {
		case !ok:
			return notFound(ReasonTargetNotFound, "no node %s", id)
		case !n.Platform.HasAgent():
			return invalid(ReasonTargetPlatform, id, "there is no agent for %s", n.Platform)
		}
	}
	for _, id := range ids {
		if _, err := s.changeNode(ctx, c, id, func(n *Node) { n.InstallAskedAt = s.Now() }); err != nil {
			return err
		}
	}
	return nil
}
