package console

import (
	"net/http"
	"net/url"
	"strings"

	"errand/internal/core"
	"errand/internal/nodeset"
)

// groups lists the saved expressions for nodes.
func (c *Console) nodeGroups(r *request) (answer, error) {
	t := r.t.text
	rows, err := c.Service.NodeGroups(r.Context(), r.caller)
	if err != nil {
		return answer{}, err
	}
	list := &table{
		Caption: t("sets.title"), Columns: columns(t("sets.name"), t("sets.target"), t("sets.members"), t("sheet.changed"), t("sheet.by")),
		None: t("sets.none"), NoneWhy: t("sets.none.text"),
	}
	list.numbers(2)
	for i := range rows {
		g := &rows[i]
		members := datum{Text: "–", Num: true}
		if p, err := c.Service.Preview(r.Context(), r.caller, core.Selection{Expr: "@" + g.Name}); err == nil {
			members = datum{Text: t("sets.online", number(p.Online), number(p.Total)), Num: true}
		}
		list.row("", title(groupPath(g.Name), "@"+g.Name, g.Description), mono(g.Expr), members, instant(g.UpdatedAt), either(g.By))
	}
	return r.show("groups", t("sets.title"), &sheet{
		Intro: t("sets.intro"), Actions: []link{{Href: root + "groups/new", Text: t("sets.new"), Icon: "plus", Primary: true}}, Parts: []section{{Table: list}},
	}), nil
}

func groupPath(name string) string { return root + "groups/" + url.PathEscape(name) }

func (c *Console) groupForm(r *request, action string, g *core.NodeGroup) *form {
	t := r.t.text
	fields := []*field{
		{Name: "target", Label: t("sets.target"), Hint: t("sets.target.hint"), Value: g.Expr, Required: true, Wide: true, core: []string{"expr"}},
		{Name: "description", Label: t("sheet.description"), Value: g.Description},
	}
	if g.Name == "" {
		fields = append([]*field{{Name: "name", Label: t("sets.name"), Hint: t("sets.name.hint"), Required: true}}, fields...)
	}
	return r.newForm(action, t("form.save"), fields...).back("groups")
}

// newGroup is the form for a group, and what takes it.
func (c *Console) newGroup(r *request) (answer, error) {
	t := r.t.text
	f := c.groupForm(r, "groups/new", &core.NodeGroup{Expr: r.URL.Query().Get("target")})
	page := func() (answer, error) {
		return r.show("groups", t("sets.new"), &sheet{Crumbs: crumbs(t("sets.title"), "groups"), Parts: []section{{Form: f}}}), nil
	}
	if r.Method != http.MethodPost {
		return page()
	}
	name := strings.TrimPrefix(f.get("name"), "@")
	if groups, err := c.Service.NodeGroups(r.Context(), r.caller); err == nil {
		for i := range groups {
			if groups[i].Name == name {
				return f.again(r, problem("name", t("form.taken")), page)
			}
		}
	}
	g, err := c.Service.PutNodeGroup(r.Context(), r.caller, name, f.get("target"), f.get("description"))
	if err != nil {
		return f.again(r, err, page)
	}
	return done("groups/"+url.PathEscape(g.Name), "saved")
}

func crumbs(text, path string) []link { return []link{{Href: root + path, Text: text}} }

// group shows a group with its members, and changes it.
func (c *Console) nodeGroup(r *request) (answer, error) {
	t := r.t.text
	g, err := c.Service.NodeGroup(r.Context(), r.caller, r.PathValue("name"))
	if err != nil {
		return answer{}, err
	}
	path := "groups/" + url.PathEscape(g.Name)
	f := c.groupForm(r, path, &g)
	page := func() (answer, error) {
		p, err := c.Service.Preview(r.Context(), r.caller, core.Selection{Expr: "@" + g.Name})
		if err != nil && core.AsError(err).Code != core.CodeNotFound {
			return answer{}, err
		}
		list := &table{
			Caption: t("sets.members"), Columns: columns(t("runs.state"), t("node"), t("nodes.os")), None: t("sets.empty"), NoneWhy: t("sets.empty.text"),
		}
		for i := range p.Sample {
			row := c.nodeRow(&p.Sample[i])
			list.row("", state(row.State), title(root+"nodes/"+url.PathEscape(row.ID), row.Name, row.Hostname), says(row.OS))
		}
		hint := ""
		if p.Total > len(p.Sample) {
			hint = t("sets.sample", number(len(p.Sample)), number(p.Total))
		}
		members := section{Heading: t("sets.members"), Hint: hint, Table: list, Figures: []figure{
			{Value: number(p.Total), Text: t("sets.nodes")},
			{Value: number(p.Online), Text: t("home.online")},
			{Value: number(p.Cordoned), Text: t("sets.cordoned")},
		}}
		if len(p.Names) > 0 {
			members.Code = []code{{ID: "names", Text: nodeset.Fold(p.Names)}}
		}
		return r.show("groups", "@"+g.Name, &sheet{
			Crumbs: crumbs(t("sets.title"), "groups"), Intro: g.Description,
			Actions: []link{
				{Href: root + "runs/new?target=" + url.QueryEscape("@"+g.Name), Text: t("sets.run"), Icon: "run", Primary: true},
				{Href: root + "nodes?q=" + url.QueryEscape("@"+g.Name), Text: t("sets.all"), Icon: "node"},
				{Href: root + path + "/delete", Text: t("sheet.delete"), Danger: true},
			},
			Parts: []section{members, {Heading: t("sets.edit"), Form: f}},
		}), nil
	}
	if r.Method != http.MethodPost {
		return page()
	}
	if _, err := c.Service.PutNodeGroup(r.Context(), r.caller, g.Name, f.get("target"), f.get("description")); err != nil {
		return f.again(r, err, page)
	}
	return done(path, "saved")
}

func (c *Console) askDeleteGroup(r *request) (answer, error) {
	t := r.t.text
	g, err := c.Service.NodeGroup(r.Context(), r.caller, r.PathValue("name"))
	if err != nil {
		return answer{}, err
	}
	path := "groups/" + url.PathEscape(g.Name)
	return r.confirm("groups", t("sets.delete", g.Name), t("sets.delete.text"), path+"/delete", t("sheet.delete"), path), nil
}

func (c *Console) deleteGroup(r *request) (answer, error) {
	if err := c.Service.DeleteNodeGroup(r.Context(), r.caller, r.PathValue("name")); err != nil {
		return answer{}, err
	}
	return done("groups", "deleted")
}
