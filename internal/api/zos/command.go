package zos

import (
	"context"
	"slices"
	"time"
	"unicode/utf8"

	"errand/internal/api"
	"errand/internal/core"
)

// Limits of the vendor's pages and of the definitions in its command line; where the two differ, the larger.
const (
	maxName         = 64    // characters
	maxContent      = 16384 // characters
	maxDescription  = 255   // characters
	maxTagText      = 64    // characters of a key or a value
	maxTags         = 20
	maxCommandIDs   = 100
	maxCommandsPage = 1000
)

// defaultTimeout is what an invocation gets that asks for none. Commands have no timeout here; one that other dialects show has this.
const defaultTimeout = 30 * time.Second

func (d *Dialect) createCommand(ctx context.Context, c core.Caller, req *createCommandRequest) (*createCommandResponse, error) {
	name, err := required("name", req.Name)
	if err != nil {
		return nil, err
	}
	content, err := required("content", req.Content)
	if err != nil {
		return nil, err
	}
	kind, err := required("type", req.Type)
	if err != nil {
		return nil, err
	}
	commandType, err := parseType("type", kind)
	if err != nil {
		return nil, err
	}
	if err := checkContent(content); err != nil {
		return nil, err
	}
	tags, err := readTags(req.Tags.Tags)
	if err != nil {
		return nil, err
	}
	cmd, err := d.env.Service.CreateCommand(ctx, c, core.CommandSpec{
		Region:        d.region(),
		Definition:    core.Definition{Name: name, Description: req.Description, Type: commandType, Content: []byte(content)},
		ResourceGroup: req.ResourceGroupID,
		Tags:          tags,
		Limits:        core.Limits{Name: maxName, Description: maxDescription, DefaultTimeout: defaultTimeout, Tags: maxTags},
	})
	if err != nil {
		return nil, err
	}
	return &createCommandResponse{CommandID: cmd.ID.String()}, nil
}

// modifyCommand changes what was sent. Limits hold for that alone: a command made through another dialect may have a longer name.
func (d *Dialect) modifyCommand(ctx context.Context, c core.Caller, req *modifyCommandRequest) (*doneResponse, error) {
	id, err := commandID(req.CommandID)
	if err != nil {
		return nil, err
	}
	change := core.CommandChange{Name: req.Name, Description: req.Description, RefuseOpen: true}
	if req.Name != nil {
		if *req.Name == "" {
			return nil, empty("name")
		}
		change.Limits.Name = maxName
	}
	if req.Description != nil {
		change.Limits.Description = maxDescription
	}
	if req.Content != nil {
		if *req.Content == "" {
			return nil, empty("content")
		}
		if err := checkContent(*req.Content); err != nil {
			return nil, err
		}
		change.Content = []byte(*req.Content)
	}
	if err := d.env.Service.ModifyCommand(ctx, c, id, change); err != nil {
		return nil, err
	}
	return &doneResponse{}, nil
}

func (d *Dialect) deleteCommand(ctx context.Context, c core.Caller, req *deleteCommandRequest) (*doneResponse, error) {
	id, err := commandID(req.CommandID)
	if err != nil {
		return nil, err
	}
	if err := d.env.Service.DeleteCommands(ctx, c, []core.ID{id}, true); err != nil {
		return nil, err
	}
	return &doneResponse{}, nil
}

func (d *Dialect) describeCommands(
	ctx context.Context, c core.Caller, req *describeCommandsRequest,
) (*describeCommandsResponse, error) {
	page, err := req.spec(maxCommandsPage)
	if err != nil {
		return nil, err
	}
	f, err := req.filter()
	if err != nil {
		return nil, err
	}
	rows, total, err := d.listCommands(ctx, c, f, page)
	if err != nil {
		return nil, err
	}
	resp := &describeCommandsResponse{DataSet: make([]command, len(rows)), TotalCount: total}
	for i := range rows {
		resp.DataSet[i] = showCommand(&rows[i])
	}
	return resp, nil
}

// filter reads the criteria, which add up. Several values of one list are alternatives.
func (req *describeCommandsRequest) filter() (core.CommandFilter, error) {
	switch {
	case len(req.CommandIDs) > maxCommandIDs:
		return core.CommandFilter{}, refuse(core.ReasonTooLong, "commandIds", "more than %d", maxCommandIDs)
	case len(req.TagKeys) > maxTags:
		return core.CommandFilter{}, refuse(core.ReasonTooLong, "tagKeys", "more than %d", maxTags)
	case len(req.Tags) > maxTags:
		return core.CommandFilter{}, refuse(core.ReasonTooLong, "tags", "more than %d", maxTags)
	}
	f := core.CommandFilter{IDs: filterIDs(req.CommandIDs, api.CommandID), TagKeys: req.TagKeys}
	if req.Name != "" {
		f.Name = core.Pattern{Text: req.Name, Prefix: true, Suffix: true, Fold: true}
	}
	for _, s := range req.Types {
		t, err := parseType("types", s)
		if err != nil {
			return f, err
		}
		f.Types = append(f.Types, t)
	}
	for _, t := range req.Tags {
		f.Tags = append(f.Tags, core.Tag(t))
	}
	return f, nil
}

// scanned is how many commands are read at a time when the store cannot choose among them.
const scanned = 500

// listCommands reads a page. Several tags, or several keys, are alternatives here, while the core's filter wants all of them; that
// choice is made row by row.
func (d *Dialect) listCommands(
	ctx context.Context, c core.Caller, f core.CommandFilter, page core.PageSpec,
) (rows []core.Command, total int, err error) {
	if len(f.Tags) <= 1 && len(f.TagKeys) <= 1 {
		rows, info, err := d.env.Service.Commands(ctx, c, f, page)
		return rows, info.Total, err
	}
	tags, keys := f.Tags, f.TagKeys
	f.Tags, f.TagKeys = nil, nil
	for scan := (core.PageSpec{Limit: scanned}); ; {
		batch, info, err := d.env.Service.Commands(ctx, c, f, scan)
		if err != nil {
			return nil, 0, err
		}
		for i := range batch {
			if !tagged(batch[i].Tags, tags, keys) {
				continue
			}
			if total >= page.Offset && len(rows) < page.Limit {
				rows = append(rows, batch[i])
			}
			total++
		}
		if info.Next == "" {
			return rows, total, nil
		}
		scan.Token = info.Next
	}
}

// tagged reports whether an object carries one of the tags, if any is asked for, and a tag with one of the keys, if any is asked for.
func tagged(have, tags []core.Tag, keys []string) bool {
	hasTag := func(t core.Tag) bool { return slices.Contains(tags, t) }
	hasKey := func(t core.Tag) bool { return slices.Contains(keys, t.Key) }
	return (len(tags) == 0 || slices.ContainsFunc(have, hasTag)) && (len(keys) == 0 || slices.ContainsFunc(have, hasKey))
}

func showCommand(c *core.Command) command {
	out := command{
		CommandID: c.ID.String(), Name: c.Name, Description: textOrNull(c.Description), Content: string(c.Content), Type: typeOf(c.Type),
		CreateTime: clock(c.CreatedAt), LatestInvocationTime: clockOrNull(c.LastInvokedAt), Tags: showTags(c.Tags),
	}
	if c.ResourceGroup != "" {
		// Groups have no names of their own here.
		out.ResourceGroup = &resourceGroup{ResourceGroupID: c.ResourceGroup, ResourceGroupName: c.ResourceGroup}
	}
	return out
}

func showTags(tags []core.Tag) tagList {
	out := tagList{Tags: make([]tag, len(tags))}
	for i, t := range tags {
		out.Tags[i] = tag(t)
	}
	return out
}

// readTags checks what the vendor limits more narrowly than the core.
func readTags(tags []tag) ([]core.Tag, error) {
	out := make([]core.Tag, len(tags))
	for i, t := range tags {
		for _, part := range []struct{ field, text string }{{"tags.key", t.Key}, {"tags.value", t.Value}} {
			switch n := utf8.RuneCountInString(part.text); {
			case n == 0:
				return nil, empty(part.field)
			case n > maxTagText:
				return nil, refuse(core.ReasonTooLong, part.field, "more than %d characters", maxTagText)
			}
		}
		out[i] = core.Tag(t)
	}
	return out, nil
}

// checkContent counts characters, where the core's limit counts bytes.
func checkContent(s string) error {
	if utf8.RuneCountInString(s) > maxContent {
		return refuse(core.ReasonContentTooLong, "content", "more than %d characters", maxContent)
	}
	return nil
}

// required refuses a parameter that is missing or empty.
func required(field string, v *string) (string, error) {
	switch {
	case v == nil:
		return "", refuse(core.ReasonMissing, field, "required")
	case *v == "":
		return "", empty(field)
	}
	return *v, nil
}

// commandID reads the id of the command to act on.
func commandID(v *string) (core.ID, error) {
	s, err := required("commandId", v)
	if err != nil {
		return 0, err
	}
	id, ok := api.CommandID(s)
	if !ok {
		return 0, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonCommandNotFound, Detail: "no such command"}
	}
	return id, nil
}

// filterIDs reads ids to filter by. One that cannot be an id becomes zero, which no object has.
func filterIDs(list []string, parse func(string) (core.ID, bool)) []core.ID {
	out := make([]core.ID, len(list))
	for i, s := range list {
		if id, ok := parse(s); ok {
			out[i] = id
		}
	}
	return out
}

// region is where new objects belong; the vendor's API has no word for it.
func (d *Dialect) region() string {
	if len(d.env.Regions) == 0 {
		return ""
	}
	return d.env.Regions[0]
}
