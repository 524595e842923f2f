package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"errand/internal/target"
)

// NodeGroup is a target expression that was given a name. It has no members of its own: whoever uses it means the nodes that it fits by then.
type NodeGroup struct {
	Account     AccountID
	Name        string
	Expr        string // of package target, as it was written
	Description string
	By          string // who changed it last
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// NodeGroups keeps groups of nodes.
type NodeGroups interface {
	// PutGroup stores a group in the place of the one of its name, whose CreatedAt it keeps. check is called with all groups of the account as
	// they would be, inside the transaction, and may refuse.
	PutGroup(ctx context.Context, g NodeGroup, check func([]NodeGroup) error) (NodeGroup, error)
	// ListGroups returns the groups of an account by name.
	ListGroups(ctx context.Context, account AccountID) ([]NodeGroup, error)
	// DeleteGroup deletes a group; ErrNotFound if there is none. check is called as with PutGroup.
	DeleteGroup(ctx context.Context, account AccountID, name string, check func([]NodeGroup) error) error
}

const (
	maxGroups           = 1000
	maxGroupDescription = 512 // characters
	groupKind           = "group"
)

func noGroup(groups []NodeGroup, name string) error {
	names := make([]string, len(groups))
	for i := range groups {
		names[i] = groups[i].Name
	}
	detail := "no group @" + name
	if near := target.Nearest(name, names); near != "" {
		detail += ": did you mean @" + near + "?"
	}
	return &Error{Code: CodeNotFound, Reason: ReasonTargetNotFound, Field: "@" + name, Detail: detail}
}

// PutNodeGroup saves an expression under a name, in the place of what had the name. It may name other groups, which have to exist and must not come
// back to this one.
func (s *Service) PutNodeGroup(ctx context.Context, c Caller, name, expr, description string) (NodeGroup, error) {
	if err := c.Allow("group.set", nil, resource(groupKind, name, nil)); err != nil {
		return NodeGroup{}, err
	}
	if err := target.CheckGroupName(name); err != nil {
		return NodeGroup{}, invalid(ReasonNameInvalid, "name", "%s", err)
	}
	if len([]rune(description)) > maxGroupDescription || !printable(description) {
		return NodeGroup{}, invalid(ReasonDescriptionTooLong, "description", "more than %d characters, or control characters", maxGroupDescription)
	}
	e, err := target.Parse(expr)
	if err != nil {
		return NodeGroup{}, invalid(ReasonFilter, "target", "%s", err)
	}
	now := s.Now()
	g := NodeGroup{Account: c.Account, Name: name, Expr: expr, Description: description, By: c.Principal, CreatedAt: now, UpdatedAt: now}
	return s.store.PutGroup(ctx, g, func(all []NodeGroup) error {
		if len(all) > maxGroups {
			return limited(ReasonQuotaObjects, "name", "an account has at most %d groups", maxGroups)
		}
		_, err := expandWith(all, "target", target.And{target.Group{Name: name}, e})
		return err
	})
}

// NodeGroups lists the groups of the caller's account, by name.
func (s *Service) NodeGroups(ctx context.Context, c Caller) ([]NodeGroup, error) {
	if err := c.Allow("group.list", nil, resource(groupKind, "", nil)); err != nil {
		return nil, err
	}
	return s.store.ListGroups(ctx, c.Account)
}

// NodeGroup returns one group.
func (s *Service) NodeGroup(ctx context.Context, c Caller, name string) (NodeGroup, error) {
	if err := c.Allow("group.list", nil, resource(groupKind, name, nil)); err != nil {
		return NodeGroup{}, err
	}
	all, err := s.store.ListGroups(ctx, c.Account)
	if err != nil {
		return NodeGroup{}, err
	}
	i := slices.IndexFunc(all, func(g NodeGroup) bool { return g.Name == name })
	if i < 0 {
		return NodeGroup{}, noGroup(all, name)
	}
	return all[i], nil
}

// DeleteNodeGroup deletes a group that no other group names.
func (s *Service) DeleteNodeGroup(ctx context.Context, c Caller, name string) error {
	if err := c.Allow("group.delete", nil, resource(groupKind, name, nil)); err != nil {
		return err
	}
	var before []NodeGroup
	err := s.store.DeleteGroup(ctx, c.Account, name, func(rest []NodeGroup) error {
		before = rest
		for i := range rest {
			e, err := target.Parse(rest[i].Expr)
			if err != nil {
				return fmt.Errorf("stored group %s: %w", rest[i].Name, err)
			}
			if slices.Contains(target.Groups(e), name) {
				return &Error{Code: CodeConflict, Reason: ReasonInvalidValue, Field: "name", Detail: "group @" + rest[i].Name + " is made of it"}
			}
		}
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		if before, err = s.store.ListGroups(ctx, c.Account); err == nil {
			err = noGroup(before, name)
		}
	}
	return err
}
