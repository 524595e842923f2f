package native

import (
	"context"
	"time"
	"unicode/utf8"

	"errand/internal/api"
	"errand/internal/core"
)

// Command is a stored command.
type Command struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Type        string            `json:"type"` // shell, powershell or bat
	Content     string            `json:"content,omitempty"`
	ContentRaw  []byte            `json:"content_base64,omitempty"` // instead of content that is not text
	Launcher    string            `json:"launcher,omitempty"`
	User        string            `json:"user,omitempty"`
	WorkDir     string            `json:"work_dir,omitempty"`
	Timeout     int64             `json:"timeout_seconds"`
	TakesParams bool              `json:"takes_params"` // {{name}} in content is filled in
	Defaults    map[string]string `json:"defaults,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	CreatedAt   time.Time         `json:"created_at"`
	UpdatedAt   time.Time         `json:"updated_at"`
	Runs        int               `json:"runs"` // how often it was run; in listings
	LastRunAt   *time.Time        `json:"last_run_at,omitempty"`
}

// Commands is a page of stored commands, the latest first.
type Commands struct {
	Commands []Command `json:"commands"`
	Next     string    `json:"next,omitempty"` // cursor of the next page
}

// commandLimits are what a stored command may be; its content is bounded by that of the request.
func commandLimits() core.Limits {
	return core.Limits{Name: 128, Description: 512, DefaultTimeout: time.Minute, MinTimeout: time.Second, User: 255, WorkDir: 4096, Launcher: 1024, Dense: true}
}

func showCommand(c *core.Command) Command {
	out := Command{
		ID: c.ID.String(), Name: c.Name, Description: c.Description, Type: string(c.Type), Launcher: c.Launcher, User: c.User, WorkDir: c.WorkDir,
		Timeout: int64(c.Timeout / time.Second), TakesParams: c.ParamsEnabled, Defaults: shownDefaults(c), CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
		Runs: c.Invocations, LastRunAt: moment(c.LastInvokedAt),
	}
	if utf8.Valid(c.Content) {
		out.Content = string(c.Content)
	} else {
		out.ContentRaw = c.Content
	}
	for _, t := range c.Tags {
		if out.Tags == nil {
			out.Tags = map[string]string{}
		}
		out.Tags[t.Key] = t.Value
	}
	return out
}

// shownDefaults are the default values of parameters but for the secret ones.
func shownDefaults(c *core.Command) map[string]string {
	hidden := style.HiddenNames(c.Content)
	shown := map[string]string{}
	for name, value := range c.Defaults {
		if !hidden[name] {
			shown[name] = value
		}
	}
	return shown
}

// commandID reads the id of a stored command in a path.
func commandID(text string) (core.ID, error) {
	id, ok := api.CommandID(text)
	if !ok {
		return 0, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonCommandNotFound, Detail: "no such command"}
	}
	return id, nil
}

type listCommands struct {
	Name string   `json:"-" query:"name"` // exact
	Type []string `json:"-" query:"type"` // shell, powershell or bat
	paging
}

func (d *Dialect) listCommands(ctx context.Context, c core.Caller, req *listCommands) (*Commands, error) {
	page, err := req.spec()
	if err != nil {
		return nil, err
	}
	f := core.CommandFilter{Name: core.Pattern{Text: req.Name}}
	for _, t := range req.Type {
		f.Types = append(f.Types, core.CommandType(t))
	}
	rows, info, err := d.env.Service.Commands(ctx, c, f, page)
	out := Commands{Commands: make([]Command, len(rows)), Next: req.next(info)}
	for i := range rows {
		out.Commands[i] = showCommand(&rows[i])
	}
	return &out, err
}

type createCommand struct {
	Name        string            `json:"name"` // unique in the account
	Description string            `json:"description"`
	Type        string            `json:"type"` // shell, powershell or bat; shell if left out
	Content     string            `json:"content"`
	Launcher    string            `json:"launcher"`
	User        string            `json:"user"`
	WorkDir     string            `json:"work_dir"`
	Timeout     *int64            `json:"timeout_seconds"` // 60 if left out
	TakesParams bool              `json:"takes_params"`    // fill in {{name}}; so do defaults
	Defaults    map[string]string `json:"defaults"`
	Tags        any               `json:"tags"` // an object of texts
}

func (d *Dialect) createCommand(ctx context.Context, c core.Caller, req *createCommand) (*Command, error) {
	tags, err := readTags(req.Tags)
	if err != nil {
		return nil, err
	}
	spec := core.CommandSpec{
		Definition: core.Definition{
			Name: req.Name, Description: req.Description, Type: core.CommandType(req.Type), Content: []byte(req.Content), Launcher: req.Launcher,
			User: req.User, WorkDir: req.WorkDir, ParamsEnabled: req.TakesParams || len(req.Defaults) > 0, Defaults: req.Defaults,
		},
		Style: style, UniqueName: true, Tags: tags, Limits: commandLimits(),
	}
	if req.Type == "" {
		spec.Type = core.Shell
	}
	if req.Timeout != nil {
		spec.Timeout = seconds64(*req.Timeout)
	}
	cmd, err := d.env.Service.CreateCommand(ctx, c, spec)
	if err != nil {
		return nil, err
	}
	out := showCommand(&cmd)
	return &out, nil
}

type oneCommand struct {
	ID string `json:"-" path:"id"`
}

func (d *Dialect) getCommand(ctx context.Context, c core.Caller, req *oneCommand) (*Command, error) {
	id, err := commandID(req.ID)
	if err != nil {
		return nil, err
	}
	cmd, err := d.env.Service.Command(ctx, c, id)
	if err != nil {
		return nil, err
	}
	out := showCommand(&cmd)
	return &out, nil
}

type changeCommand struct {
	ID          string             `json:"-" path:"id"`
	Name        *string            `json:"name"`
	Description *string            `json:"description"`
	Type        *string            `json:"type"`
	Content     *string            `json:"content"`
	Launcher    *string            `json:"launcher"`
	User        *string            `json:"user"`
	WorkDir     *string            `json:"work_dir"`
	Timeout     *int64             `json:"timeout_seconds"`
	Defaults    *map[string]string `json:"defaults"` // replaces all of them
}

// changeCommand changes what is given. Runs keep the copy that they were made with.
func (d *Dialect) changeCommand(ctx context.Context, c core.Caller, req *changeCommand) (*Command, error) {
	id, err := commandID(req.ID)
	if err != nil {
		return nil, err
	}
	ch := core.CommandChange{
		Name: req.Name, Description: req.Description, Override: core.Override{WorkDir: req.WorkDir, User: req.User, Launcher: req.Launcher},
		Defaults: req.Defaults, UniqueName: true, Style: style, Limits: commandLimits(),
	}
	if req.Type != nil {
		t := core.CommandType(*req.Type)
		ch.Type = &t
	}
	if req.Content != nil {
		ch.Content = []byte(*req.Content)
	}
	if req.Timeout != nil {
		t := seconds64(*req.Timeout)
		ch.Timeout = &t
	}
	if err := d.env.Service.ModifyCommand(ctx, c, id, ch); err != nil {
		return nil, err
	}
	return d.getCommand(ctx, c, &oneCommand{ID: req.ID})
}

// deleteCommand deletes a stored command that no schedule needs and that runs nowhere.
func (d *Dialect) deleteCommand(ctx context.Context, c core.Caller, req *oneCommand) (*empty, error) {
	id, err := commandID(req.ID)
	if err != nil {
		return nil, err
	}
	return &empty{}, d.env.Service.DeleteCommands(ctx, c, []core.ID{id}, true)
}
