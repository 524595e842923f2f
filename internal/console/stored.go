package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"errand/internal/core"
)

// commandLimits are what a stored command may be; its content is bounded by that of a form.
func commandLimits() core.Limits {
	return core.Limits{Name: 128, Description: 512, DefaultTimeout: time.Minute, MinTimeout: time.Second, User: 255, WorkDir: 4096, Launcher: 1024, Dense: true}
}

// commandID reads the id of something that is stored.
func commandID(text string) (core.ID, bool) { return core.ParseID(strings.TrimSpace(text)) }

// commands lists the stored commands.
func (c *Console) commands(r *request) (answer, error) {
	t := r.t.text
	name := strings.TrimSpace(r.URL.Query().Get("q"))
	rows, info, err := c.Service.Commands(r.Context(), r.caller, core.CommandFilter{Name: core.Pattern{Text: name, Prefix: true, Suffix: true, Fold: true}}, r.page())
	if err != nil {
		return answer{}, err
	}
	list := &table{
		Caption: t("commands.title"), Columns: columns(t("commands.name"), t("run.type"), t("commands.runs"), t("commands.last"), t("sheet.changed")),
		None: t("commands.none"), NoneWhy: t("commands.none.text"),
	}
	list.numbers(2)
	for i := range rows {
		cmd := &rows[i]
		list.row("", title(root+"commands/"+cmd.ID.String(), cmd.Name, cmpText(cmd.Description, firstLine(cmd.Content))), says(string(cmd.Type)),
			count(cmd.Invocations), instant(cmd.LastInvokedAt), instant(cmd.UpdatedAt))
	}
	return r.show("commands", t("commands.title"), &sheet{
		Actions: []link{{Href: root + "commands/new", Text: t("commands.new"), Icon: "plus", Primary: true}},
		Parts:   []section{{Filter: &filter{Search: "q", Label: t("commands.filter"), Value: name}, Table: list, Next: info.Next}},
	}), nil
}

// firstLine is the first line of a script that says something.
func firstLine(content []byte) string {
	for _, line := range lines(content) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#!") {
			return short(line)
		}
	}
	return ""
}

func (c *Console) commandForm(r *request, path string, cmd *core.Command) *form {
	t := r.t.text
	types := []option{}
	for _, name := range []core.CommandType{core.Shell, core.PowerShell, core.Bat} {
		types = append(types, option{Value: string(name), Text: string(name)})
	}
	kind, timeout := string(cmd.Type), cmd.Timeout
	if cmd.ID == 0 {
		kind, timeout = string(core.Shell), time.Minute
	}
	hidden := paramStyle.HiddenNames(cmd.Content)
	var defaults []string
	for name, value := range cmd.Defaults {
		if !hidden[name] {
			defaults = append(defaults, name+"="+value)
		}
	}
	slices.Sort(defaults)
	return r.newForm(path, t("form.save"),
		&field{Name: "name", Label: t("commands.name"), Value: cmd.Name, Required: true},
		&field{Name: "description", Label: t("sheet.description"), Value: cmd.Description},
		&field{Name: "type", Label: t("run.type"), Kind: "select", Options: types, Value: kind},
		&field{Name: "content", Label: t("compose.script"), Hint: t("commands.content.hint"), Kind: "code", Value: string(cmd.Content), Required: true},
		&field{Name: "defaults", Label: t("commands.defaults"), Hint: t("form.pairs.hint"), Kind: "area", Value: strings.Join(defaults, "\n"), core: []string{"params", "parameters"}},
		&field{Name: "user", Label: t("compose.user"), Value: cmd.User},
		&field{Name: "work_dir", Label: t("compose.work_dir"), Value: cmd.WorkDir, core: []string{"work-dir", "workdir"}},
		&field{Name: "timeout", Label: t("compose.timeout"), Kind: "number", Value: seconds(timeout)},
	).back("commands")
}

func (c *Console) newCommand(r *request) (answer, error) {
	t := r.t.text
	f := c.commandForm(r, "commands/new", &core.Command{})
	page := func() (answer, error) {
		return r.show("commands", t("commands.new"), &sheet{Crumbs: crumbs(t("commands.title"), "commands"), Parts: []section{{Form: f}}}), nil
	}
	if r.Method != http.MethodPost {
		return page()
	}
	defaults, err := f.pairs(r, "defaults")
	timeout := time.Duration(0)
	if err == nil {
		timeout, err = f.seconds(r, "timeout", time.Minute)
	}
	var cmd core.Command
	if err == nil {
		content := []byte(f.raw("content"))
		cmd, err = c.Service.CreateCommand(r.Context(), r.caller, core.CommandSpec{
			Definition: core.Definition{
				Name: f.get("name"), Description: f.get("description"), Type: core.CommandType(f.get("type")), Content: content, User: f.get("user"),
				WorkDir: f.get("work_dir"), Timeout: timeout, Defaults: defaults, ParamsEnabled: len(defaults) > 0 || len(paramStyle.ParamNames(content)) > 0,
			},
			Style: paramStyle, UniqueName: true, Limits: commandLimits(),
		})
	}
	if err != nil {
		return f.again(r, err, page)
	}
	return done("commands/"+cmd.ID.String(), "saved")
}

func (c *Console) oneCommand(r *request) (core.Command, error) {
	id, ok := commandID(r.PathValue("id"))
	if !ok {
		return core.Command{}, &core.Error{Code: core.CodeNotFound}
	}
	return c.Service.Command(r.Context(), r.caller, id)
}

// command shows a stored command with its runs, runs it, and leads to its form.
func (c *Console) command(r *request) (answer, error) {
	t := r.t.text
	cmd, err := c.oneCommand(r)
	if err != nil {
		return answer{}, err
	}
	path := "commands/" + cmd.ID.String()
	names := paramStyle.ParamNames(cmd.Content)
	fields := []*field{
		{Name: "target", Label: t("compose.target"), Hint: t("sets.target.hint"), Required: true, core: []string{"targets"}},
		{Name: "reason", Label: t("compose.reason"), Hint: t("compose.reason.hint")},
	}
	hidden := paramStyle.HiddenNames(cmd.Content)
	for _, name := range names {
		param := &field{Name: "p-" + name, Label: name, Value: cmd.Defaults[name], core: []string{name}}
		if hidden[name] {
			param.Kind, param.Value, param.Hint = "password", "", t("run.secret")
		}
		fields = append(fields, param)
	}
	f := r.newForm(path, t("compose.go"), fields...).named("run")
	f.Icon = "run"
	page := func() (answer, error) {
		runs, _, err := c.Service.Invocations(r.Context(), r.caller, core.InvocationFilter{Commands: []core.ID{cmd.ID}}, core.PageSpec{Limit: nodeTasks})
		if err != nil && core.AsError(err).Code != core.CodeDenied {
			return answer{}, err
		}
		list := &table{Caption: t("runs.title"), Columns: columns(t("runs.state"), t("runs.name"), t("runs.tasks"), t("runs.when")), None: t("runs.none"), NoneWhy: t("node.idle.text")}
		list.numbers(2)
		for i := range runs {
			list.row("", state(runState(&runs[i])), title(root+"runs/"+runs[i].ID.String(), runName(&runs[i]), runs[i].ID.String()), count(runs[i].Counts.Total()), instant(runs[i].CreatedAt))
		}
		facts := []fact{
			{t("run.type"), says(string(cmd.Type))},
			{t("compose.user"), either(cmd.User)},
			{t("compose.work_dir"), either(cmd.WorkDir)},
			{t("compose.timeout"), took(cmd.Timeout)},
			{t("commands.params"), datum{Chips: names}},
			{t("sheet.changed"), instant(cmd.UpdatedAt)},
		}
		return r.show("commands", cmd.Name, &sheet{
			Crumbs: crumbs(t("commands.title"), "commands"), Intro: cmd.Description, Tags: cmd.Tags,
			Actions: []link{
				{Href: root + path + "/edit", Text: t("commands.edit")},
				{Href: root + "schedules/new?command=" + url.QueryEscape(cmd.ID.String()), Text: t("schedules.new"), Icon: "clock"},
				{Href: root + path + "/delete", Text: t("sheet.delete"), Danger: true},
			},
			Parts: []section{
				{Heading: t("compose.script"), Code: []code{{ID: "script", Text: shownText(cmd.Content)}}, Half: true},
				{Heading: t("commands.run"), Form: f, Half: true},
				{Heading: t("run.how"), Facts: facts},
				{Heading: t("runs.title"), Table: list},
			},
		}), nil
	}
	if r.Method != http.MethodPost {
		return page()
	}
	params := map[string]string{}
	for _, name := range names {
		if value := f.raw("p-" + name); value != "" || !hidden[name] {
			params[name] = value
		}
	}
	v, err := c.Service.Run(r.Context(), r.caller, core.RunSpec{
		Origin: core.OriginNative, Command: cmd.ID, Select: core.Selection{Expr: f.get("target")}, Reason: f.get("reason"), Params: params, Style: paramStyle,
		KillTree: true, Limits: core.Limits{Dense: true},
	})
	if err != nil {
		return f.again(r, err, page)
	}
	return answer{redirect: root + "runs/" + v.ID.String()}, nil
}

// shownText is what somebody wrote, as far as it is text.
func shownText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

func (c *Console) editCommand(r *request) (answer, error) {
	t := r.t.text
	cmd, err := c.oneCommand(r)
	if err != nil {
		return answer{}, err
	}
	path := "commands/" + cmd.ID.String()
	f := c.commandForm(r, path+"/edit", &cmd).back(path)
	page := func() (answer, error) {
		return r.show("commands", t("commands.edit.of", cmd.Name), &sheet{
			Crumbs: append(crumbs(t("commands.title"), "commands"), link{Href: root + path, Text: cmd.Name}), Parts: []section{{Form: f}},
		}), nil
	}
	if r.Method != http.MethodPost {
		return page()
	}
	defaults, err := f.pairs(r, "defaults")
	timeout := time.Duration(0)
	if err == nil {
		timeout, err = f.seconds(r, "timeout", time.Minute)
	}
	if err == nil {
		for name := range paramStyle.HiddenNames(cmd.Content) { // they were not shown, and stay unless others are typed
			if _, ok := defaults[name]; !ok && cmd.Defaults[name] != "" {
				defaults[name] = cmd.Defaults[name]
			}
		}
		name, text, kind := f.get("name"), f.get("description"), core.CommandType(f.get("type"))
		user, dir := f.get("user"), f.get("work_dir")
		err = c.Service.ModifyCommand(r.Context(), r.caller, cmd.ID, core.CommandChange{
			Name: &name, Description: &text, Type: &kind, Content: []byte(f.raw("content")), Defaults: &defaults, UniqueName: true, Style: paramStyle,
			Override: core.Override{User: &user, WorkDir: &dir, Timeout: &timeout}, Limits: commandLimits(),
		})
	}
	if err != nil {
		return f.again(r, err, page)
	}
	return done(path, "saved")
}

func (c *Console) askDeleteCommand(r *request) (answer, error) {
	t := r.t.text
	cmd, err := c.oneCommand(r)
	if err != nil {
		return answer{}, err
	}
	path := "commands/" + cmd.ID.String()
	return r.confirm("commands", t("commands.delete", cmd.Name), t("commands.delete.text"), path+"/delete", t("sheet.delete"), path), nil
}

func (c *Console) deleteCommand(r *request) (answer, error) {
	cmd, err := c.oneCommand(r)
	if err == nil {
		err = c.Service.DeleteCommands(r.Context(), r.caller, []core.ID{cmd.ID}, true)
	}
	if err != nil {
		return answer{}, err
	}
	return done("commands", "deleted")
}
