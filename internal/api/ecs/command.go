package ecs

import (
	"context"
	"strings"
	"unicode/utf8"

	"errand/internal/api"
	"errand/internal/api/alibaba"
	"errand/internal/core"
)

func (d *Dialect) createCommand(ctx context.Context, c core.Caller, req *createCommandRequest) (*createCommandResponse, error) {
	definition, err := req.Definition(alibaba.Base64)
	if err != nil {
		return nil, err
	}
	definition.Type = commandType(req.Type)
	definition.WorkDir, definition.Launcher = req.WorkingDir, req.Launcher
	if req.Timeout != nil {
		definition.Timeout = alibaba.Seconds(*req.Timeout)
	}
	return alibaba.Once(ctx, d.service, c, "ecs:CreateCommand", req.ClientToken, req.Hash,
		func(ctx context.Context) (*createCommandResponse, error) {
			cmd, err := d.service.CreateCommand(ctx, c, core.CommandSpec{
				Region: req.RegionId, Definition: definition, Style: alibaba.Style(), ResourceGroup: req.ResourceGroupId,
				Tags: alibaba.Tags(req.Tag), Limits: alibaba.Limits(true),
			})
			if err != nil {
				return nil, err
			}
			return &createCommandResponse{CommandId: commandPrefix + cmd.ID.String()}, nil
		})
}

func (d *Dialect) modifyCommand(ctx context.Context, c core.Caller, req *modifyCommandRequest) (*alibaba.Reply, error) {
	id, ok := api.CommandID(req.CommandId)
	if !ok {
		return nil, noCommand(req.CommandId)
	}
	var name, description string
	if req.Name != nil {
		name = *req.Name
	}
	if req.Description != nil {
		description = *req.Description
	}
	if err := alibaba.CheckText(name, description); err != nil {
		return nil, err
	}
	change := core.CommandChange{
		Name: req.Name, Description: req.Description, Override: core.Override{WorkDir: req.WorkingDir, Launcher: req.Launcher},
		Style: alibaba.Style(), Limits: alibaba.Limits(true),
	}
	// The content stays as it is, however long another dialect allowed it to be.
	change.Limits.Content, change.Limits.ParamNames, change.Limits.ParamName = 0, 0, 0
	if req.Timeout != nil {
		t := alibaba.Seconds(*req.Timeout)
		change.Override.Timeout = &t
	}
	return &alibaba.Reply{}, d.service.ModifyCommand(ctx, c, id, change)
}

// deleteCommand refuses while the command is running somewhere.
func (d *Dialect) deleteCommand(ctx context.Context, c core.Caller, req *deleteCommandRequest) (*alibaba.Reply, error) {
	id, ok := api.CommandID(req.CommandId)
	if !ok {
		return nil, noCommand(req.CommandId)
	}
	return &alibaba.Reply{}, d.service.DeleteCommands(ctx, c, []core.ID{id}, true)
}

func noCommand(id string) error {
	return &core.Error{Code: core.CodeNotFound, Reason: core.ReasonCommandNotFound, Field: id, Detail: "not a command's id"}
}

func (d *Dialect) describeCommands(ctx context.Context, c core.Caller, req *describeCommandsRequest) (*describeCommandsResponse, error) {
	page, err := req.paging.spec()
	if err != nil {
		return nil, err
	}
	f, err := req.filter()
	if err != nil {
		return nil, err
	}
	resp := &describeCommandsResponse{Commands: commandSet{Command: []command{}}}
	var info core.PageInfo
	if req.Provider == "" || req.Provider == ownProvider {
		var rows []core.Command
		if rows, info, err = d.service.Commands(ctx, c, f, page); err != nil {
			return nil, err
		}
		encoding := alibaba.ParseEncoding(req.ContentEncoding, alibaba.Base64)
		for i := range rows {
			resp.Commands.Command = append(resp.Commands.Command, showCommand(&rows[i], encoding))
		}
	}
	resp.paged = req.answer(page, info)
	return resp, nil
}

// ownProvider marks the commands that callers made themselves. There are no public ones, so any other provider has none.
const ownProvider = "User"

func (req *describeCommandsRequest) filter() (core.CommandFilter, error) {
	f := core.CommandFilter{
		Name: pattern(req.Name), Description: pattern(req.Description), ResourceGroup: req.ResourceGroupId, Tags: alibaba.Tags(req.Tag),
	}
	limits := alibaba.Limits(true)
	switch {
	case utf8.RuneCountInString(req.Name) > limits.Name:
		return f, alibaba.Invalid(core.ReasonNameTooLong, "Name", "too long")
	case utf8.RuneCountInString(req.Description) > limits.Description:
		return f, alibaba.Invalid(core.ReasonDescriptionTooLong, "Description", "too long")
	case req.Type != "" && commandType(req.Type) == "":
		return f, alibaba.Invalid(core.ReasonTypeUnknown, "Type", "unknown type")
	case req.Type != "":
		f.Types = []core.CommandType{commandType(req.Type)}
	}
	if req.CommandId != "" {
		f.IDs = []core.ID{commandID(req.CommandId)}
	}
	return f, core.CheckTags(f.Tags, alibaba.MaxTags)
}

// commandID reads an id for a filter. What cannot be an id becomes zero, which nothing has.
func commandID(s string) core.ID {
	id, _ := api.CommandID(s)
	return id
}

// pattern reads a name with the wildcard * at its ends.
func pattern(s string) core.Pattern {
	text, prefix := strings.CutSuffix(s, "*")
	text, suffix := strings.CutPrefix(text, "*")
	if text == "" {
		return core.Pattern{}
	}
	return core.Pattern{Text: text, Prefix: prefix, Suffix: suffix}
}

func showCommand(cmd *core.Command, encoding alibaba.Encoding) command {
	names, definitions := []string{}, []parameterDefinition{}
	if cmd.ParamsEnabled {
		names = append(names, alibaba.Style().ParamNames(cmd.Content)...)
	}
	for _, name := range names {
		if value, ok := alibaba.Masked(cmd.Content, cmd.Defaults)[name]; ok {
			definitions = append(definitions, parameterDefinition{
				ParameterName: name, DefaultValue: value, PossibleValues: possibleValues{[]string{}},
			})
		}
	}
	return command{
		CommandId: commandPrefix + cmd.ID.String(), Name: cmd.Name, Type: commandTypes[cmd.Type], Description: cmd.Description,
		CommandContent: encoding.Text(cmd.Content), WorkingDir: cmd.WorkDir, Launcher: cmd.Launcher,
		Timeout: int64(cmd.Timeout.Seconds()), EnableParameter: cmd.ParamsEnabled,
		ParameterNames:       parameterNames{names},
		ParameterDefinitions: parameterDefinitions{definitions},
		InvokeTimes:          int64(cmd.Invocations), CreationTime: alibaba.Time(cmd.CreatedAt),
		Provider: ownProvider, Category: ownProvider, ResourceGroupId: cmd.ResourceGroup, Tags: tagSet{showTags(cmd.Tags)},
	}
}

// commandTypes is the vendor's word for each type.
var commandTypes = map[core.CommandType]string{
	core.Shell:      "RunShellScript",
	core.PowerShell: "RunPowerShellScript",
	core.Bat:        "RunBatScript",
}

// commandType reads the vendor's word; empty if there is no such type.
func commandType(word string) core.CommandType {
	for t, w := range commandTypes {
		if w == word {
			return t
		}
	}
	return ""
}

func showTags(tags []core.Tag) []tag {
	shown := make([]tag, len(tags))
	for i, t := range tags {
		shown[i] = tag{TagKey: t.Key, TagValue: t.Value}
	}
	return shown
}
