package core

import (
	"context"
	"errors"
	"maps"
)

// CommandSpec is an order to store a command.
type CommandSpec struct {
	Region string
	Definition
	Style         ParamStyle
	UniqueName    bool
	ResourceGroup string
	Tags          []Tag
	Extra         map[string]string
	Limits        Limits
}

// CreateCommand stores a command.
func (s *Service) CreateCommand(ctx context.Context, c Caller, spec CommandSpec) (Command, error) {
	if err := c.Allow("command.create", spec.Tags, resource("command", "", nil)); err != nil {
		return Command{}, err
	}
	cmd := Command{
		Account: c.Account, Region: spec.Region, Definition: spec.Definition, ResourceGroup: spec.ResourceGroup,
		Tags: spec.Tags, Extra: spec.Extra,
	}
	if err := checkCommand(&cmd.Definition, spec.Style, &spec.Limits); err != nil {
		return Command{}, err
	}
	if err := CheckTags(spec.Tags, spec.Limits.Tags); err != nil {
		return Command{}, err
	}
	cmd, err := s.insertCommand(ctx, cmd, spec.UniqueName)
	if err == nil {
		c.Trail.note("command/" + cmd.ID.String())
	}
	return cmd, err
}

func checkCommand(d *Definition, st ParamStyle, l *Limits) error {
	if d.Name == "" {
		return invalid(ReasonMissing, "name", "empty")
	}
	if err := d.check(l); err != nil {
		return err
	}
	if !d.ParamsEnabled {
		if len(d.Defaults) > 0 {
			return invalid(ReasonParamsDisabled, "defaults", "the command takes no parameters")
		}
		return nil
	}
	if err := st.checkNames(d.Content, l); err != nil {
		return err
	}
	return checkValues(d.Defaults, &Limits{Params: l.ParamNames, ParamName: l.ParamName})
}

func (s *Service) insertCommand(ctx context.Context, cmd Command, uniqueName bool) (Command, error) {
	if err := s.room(ctx, cmd.Account, QuotaCommands); err != nil {
		return Command{}, err
	}
	for {
		now := s.Now()
		cmd.ID, cmd.CreatedAt, cmd.UpdatedAt = s.ids.Next(now), now, now
		err := s.store.InsertCommand(ctx, cmd, uniqueName)
		if !errors.Is(err, ErrTaken) {
			return cmd, err
		}
		if !uniqueName {
			continue // another replica took this id
		}
		if _, total, err := s.store.ListCommands(ctx, CommandFilter{
			Account: cmd.Account, Name: Pattern{Text: cmd.Name},
		}, Page{Limit: 1, Count: true}); err != nil || total > 0 {
			if err == nil {
				err = nameTaken()
			}
			return Command{}, err
		}
	}
}

// Command returns one stored command.
func (s *Service) Command(ctx context.Context, c Caller, id ID) (Command, error) {
	if err := s.allowObjects(ctx, &c, "command.list", nil, KindCommand, texts(id)); err != nil {
		return Command{}, err
	}
	return s.command(ctx, c.Account, id)
}

func (s *Service) command(ctx context.Context, account AccountID, id ID) (Command, error) {
	cmd, err := s.store.Command(ctx, account, id)
	if errors.Is(err, ErrNotFound) {
		return Command{}, notFound(ReasonCommandNotFound, "no command %s", id)
	}
	return cmd, err
}

// CommandChange holds the fields to change; nil leaves a field as it is.
type CommandChange struct {
	Name, Description *string
	Type              *CommandType
	Content           []byte
	Override
	Defaults   *map[string]string // replaces the whole set
	Extra      map[string]string  // sets these; one that is empty is removed
	UniqueName bool               // refuse a name that is taken
	RefuseOpen bool               // refuse while the command runs somewhere
	Style      ParamStyle
	Limits     Limits
}

// ModifyCommand changes a stored command; invocations keep the copy they were made with.
func (s *Service) ModifyCommand(ctx context.Context, c Caller, id ID, ch CommandChange) error {
	if err := s.allowObjects(ctx, &c, "command.modify", nil, KindCommand, texts(id)); err != nil {
		return err
	}
	if ch.RefuseOpen {
		if err := s.refuseOpen(ctx, c, id); err != nil {
			return err
		}
	}
	err := s.store.ChangeCommand(ctx, c.Account, id, ch.UniqueName, func(cmd *Command) error {
		ch.Override.Apply(&cmd.Definition)
		if ch.Name != nil {
			cmd.Name = *ch.Name
		}
		if ch.Description != nil {
			cmd.Description = *ch.Description
		}
		if ch.Type != nil {
			cmd.Type = *ch.Type
		}
		if ch.Content != nil {
			cmd.Content = ch.Content
		}
		if ch.Defaults != nil {
			cmd.Defaults = *ch.Defaults
		}
		cmd.Extra = merged(cmd.Extra, ch.Extra)
		cmd.UpdatedAt = s.Now()
		return checkCommand(&cmd.Definition, ch.Style, &ch.Limits)
	})
	switch {
	case errors.Is(err, ErrNotFound):
		return notFound(ReasonCommandNotFound, "no command %s", id)
	case errors.Is(err, ErrTaken):
		return nameTaken()
	default:
		return err
	}
}

// merged is a map with some entries set anew, or removed where they are empty.
func merged(have, set map[string]string) map[string]string {
	if len(set) == 0 {
		return have
	}
	all := maps.Clone(have)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, set)
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	return all
}

func nameTaken() error {
	return &Error{Code: CodeConflict, Reason: ReasonNameTaken, Field: "name", Detail: "another command has this name"}
}

func (s *Service) refuseOpen(ctx context.Context, c Caller, id ID) error {
	rows, _, err := s.store.ListInvocations(ctx, InvocationFilter{Account: c.Account, Commands: []ID{id}, Open: true}, Page{Limit: 1})
	if err == nil && len(rows) > 0 {
		err = inUse(id)
	}
	return err
}

func inUse(id ID) error {
	return &Error{Code: CodeConflict, Reason: ReasonCommandInUse, Field: id.String(), Detail: "the command is running"}
}

// DeleteCommands deletes stored commands, all or none. Invocations made from them keep their copies; schedules that run one of them have
// nothing to run any more. With refuseInUse, a command stays as long as it runs or a schedule runs it.
func (s *Service) DeleteCommands(ctx context.Context, c Caller, ids []ID, refuseInUse bool) error {
	if err := s.allowObjects(ctx, &c, "command.delete", nil, KindCommand, texts(ids...)); err != nil {
		return err
	}
	err := s.store.DeleteCommands(ctx, c.Account, ids, func(id ID, open, schedules int) error {
		switch {
		case refuseInUse && open > 0:
			return inUse(id)
		case refuseInUse && schedules > 0:
			return &Error{Code: CodeConflict, Reason: ReasonCommandScheduled, Field: id.String(), Detail: "a schedule runs the command"}
		default:
			return nil
		}
	})
	if errors.Is(err, ErrNotFound) {
		return notFound(ReasonCommandNotFound, "no such command")
	}
	return err
}

// Commands lists stored commands, newest first.
func (s *Service) Commands(ctx context.Context, c Caller, f CommandFilter, p PageSpec) ([]Command, PageInfo, error) {
	if err := s.allowObjects(ctx, &c, "command.list", nil, KindCommand, texts(f.IDs...)); err != nil {
		return nil, PageInfo{}, err
	}
	f.Account = c.Account
	return list(s.pages, c.Account, "commands", p,
		func(r *Command) Cursor { return Cursor{A: int64(r.ID)} },
		func(p Page) ([]Command, int, error) { return s.store.ListCommands(ctx, f, p) })
}
