package core

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"
)

const (
	maxName        = 64  // characters of a user's or a policy's name
	maxDescription = 256 // characters
)

// checkName refuses names that users and policies cannot have.
func checkName(name string) error {
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("._-@", r):
		default:
			return invalid(ReasonNameInvalid, "name", "letters, digits, . _ - @ only")
		}
	}
	switch {
	case name == "":
		return invalid(ReasonMissing, "name", "empty")
	case len(name) > maxName:
		return invalid(ReasonNameTooLong, "name", "more than %d characters", maxName)
	}
	return nil
}

func checkText(field, text string, least, most int) error {
	n := utf8.RuneCountInString(text)
	switch {
	case n < least:
		return invalid(ReasonMissing, field, "empty")
	case n > most:
		return invalid(ReasonTooLong, field, "more than %d characters", most)
	case !printable(text):
		return invalid(ReasonInvalidValue, field, "control characters")
	}
	return nil
}

func noUser(name string) error { return notFound(ReasonAccessNotFound, "no user %s", name) }

// CreateUser makes a user, who may do nothing until a policy is attached.
func (s *Service) CreateUser(ctx context.Context, c Caller, name string, kind UserKind, description string) (User, error) {
	if err := c.Allow("user.create", nil, resource("user", name, nil)); err != nil {
		return User{}, err
	}
	if err := checkName(name); err != nil {
		return User{}, err
	}
	switch {
	case name == RootUser:
		return User{}, invalid(ReasonNameInvalid, "name", "%s is not a user", RootUser)
	case kind != UserPerson && kind != UserRole:
		return User{}, invalid(ReasonInvalidValue, "kind", "%q is neither %s nor %s", kind, UserPerson, UserRole)
	}
	if err := checkText("description", description, 0, maxDescription); err != nil {
		return User{}, err
	}
	if err := s.room(ctx, c.Account, QuotaUsers); err != nil {
		return User{}, err
	}
	now := s.Now()
	u := User{Account: c.Account, Name: name, Kind: kind, Description: description, CreatedAt: now, UpdatedAt: now}
	err := s.store.InsertUser(ctx, u)
	if errors.Is(err, ErrTaken) {
		err = &Error{Code: CodeConflict, Reason: ReasonNameTaken, Field: "name", Detail: "there is a user or role of this name"}
	}
	return u, err
}

// Users lists the users of the caller's account, by name.
func (s *Service) Users(ctx context.Context, c Caller) ([]User, error) {
	if err := c.Allow("user.list", nil, resource("user", "", nil)); err != nil {
		return nil, err
	}
	return s.store.ListUsers(ctx, c.Account)
}

// User returns one user.
func (s *Service) User(ctx context.Context, c Caller, name string) (User, error) {
	if err := c.Allow("user.list", nil, resource("user", name, nil)); err != nil {
		return User{}, err
	}
	return s.user(ctx, c.Account, name)
}

func (s *Service) user(ctx context.Context, account AccountID, name string) (User, error) {
	u, err := s.store.User(ctx, account, name)
	if errors.Is(err, ErrNotFound) {
		err = noUser(name)
	}
	return u, err
}

// UserChange holds what to change of a user; nil leaves a field as it is.
type UserChange struct {
	Description *string
	Disabled    *bool
}

// ChangeUser changes a user. While it is disabled, its keys are refused.
func (s *Service) ChangeUser(ctx context.Context, c Caller, name string, ch UserChange) (u User, err error) {
	if err := c.Allow("user.modify", nil, resource("user", name, nil)); err != nil {
		return User{}, err
	}
	if ch.Description != nil {
		if err := checkText("description", *ch.Description, 0, maxDescription); err != nil {
			return User{}, err
		}
	}
	err = s.store.ChangeUser(ctx, c.Account, name, func(row *User) error {
		if ch.Description != nil {
			row.Description = *ch.Description
		}
		if ch.Disabled != nil {
			row.Disabled = *ch.Disabled
		}
		row.UpdatedAt = s.Now()
		u = *row
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		err = noUser(name)
	}
	return u, err
}

// DeleteUser deletes a user with its keys. What it did stays, under its name.
func (s *Service) DeleteUser(ctx context.Context, c Caller, name string) error {
	if err := c.Allow("user.delete", nil, resource("user", name, nil)); err != nil {
		return err
	}
	err := s.store.DeleteUser(ctx, c.Account, name)
	if errors.Is(err, ErrNotFound) {
		err = noUser(name)
	}
	return err
}
