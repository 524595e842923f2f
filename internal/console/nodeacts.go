package console

import (
	"net/url"
	"strings"

	"errand/internal/core"
	"errand/internal/nodeset"
)

// changeNodes does something with the nodes that were picked in the list.
func (c *Console) changeNodes(r *request) (answer, error) {
	ids := r.PostForm["node"]
	back := "nodes"
	if q := r.PostForm.Get("q"); q != "" {
		back += "?q=" + url.QueryEscape(q)
	}
	if len(ids) == 0 {
		return done(back, "nothing")
	}
	var change core.NodeChange
	switch what := r.PostForm.Get("do"); what {
	case "run":
		return answer{redirect: root + "runs/new?target=" + url.QueryEscape(idsExpr(ids))}, nil
	case "cordon", "uncordon":
		on := what == "cordon"
		change.Cordoned, change.Reason = &on, strings.TrimSpace(r.PostForm.Get("reason"))
	case "tag":
		for _, text := range strings.FieldsFunc(r.PostForm.Get("tags"), func(r rune) bool { return r == ',' || r == ' ' }) {
			if key, gone := strings.CutPrefix(text, "-"); gone {
				change.Untag = append(change.Untag, key)
				continue
			}
			key, value, _ := strings.Cut(text, "=")
			change.Tags = append(change.Tags, core.Tag{Key: key, Value: value})
		}
		if len(change.Tags)+len(change.Untag) == 0 {
			return answer{}, problem("tags", r.t.text("nodes.bulk.tags.hint"))
		}
	default:
		return answer{}, problem("do", what)
	}
	for _, id := range ids {
		if _, err := c.Service.ModifyNode(r.Context(), r.caller, id, change); err != nil {
			return answer{}, err
		}
	}
	return done(back, "saved")
}

// idsExpr is an expression for nodes by their ids.
func idsExpr(ids []string) string {
	if len(ids) == 1 {
		return "id=" + nodeset.Quote(ids[0])
	}
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = nodeset.Quote(id)
	}
	return "id in (" + strings.Join(list, ",") + ")"
}

// cordonNode keeps a node from new work, or lets it have some again.
func (c *Console) cordonNode(r *request) (answer, error) {
	on := r.PostForm.Get("on") != ""
	id := r.PathValue("id")
	if _, err := c.Service.ModifyNode(r.Context(), r.caller, id, core.NodeChange{Cordoned: &on, Reason: strings.TrimSpace(r.PostForm.Get("reason"))}); err != nil {
		return answer{}, err
	}
	return done(nodePath(id), "saved")
}

func nodePath(id string) string { return "nodes/" + url.PathEscape(id) }

func (c *Console) nodeForm(r *request, n *core.Node) *form {
	t := r.t.text
	var lines []string
	for _, tag := range n.Tags {
		lines = append(lines, tag.Key+"="+tag.Value)
	}
	return r.newForm(nodePath(n.ID)+"/tags", t("form.save"),
		&field{Name: "name", Label: t("node.name"), Value: n.Name},
		&field{Name: "tags", Label: t("nodes.tags"), Hint: t("form.pairs.hint"), Kind: "area", Value: strings.Join(lines, "\n"), core: []string{"tag", "key", "value"}},
	).named("edit")
}

// tagNode gives a node its name and its tags.
func (c *Console) tagNode(r *request) (answer, error) {
	id := r.PathValue("id")
	n, err := c.oneNode(r, id)
	if err != nil {
		return answer{}, err
	}
	f := c.nodeForm(r, &n)
	tags, err := f.tags(r, "tags")
	if err == nil {
		change := core.NodeChange{Tags: tags}
		if name := f.get("name"); name != n.Name {
			change.Name = &name
		}
		kept := map[string]bool{}
		for _, tag := range tags {
			kept[tag.Key] = true
		}
		for _, tag := range n.Tags {
			if !kept[tag.Key] {
				change.Untag = append(change.Untag, tag.Key)
			}
		}
		_, err = c.Service.ModifyNode(r.Context(), r.caller, id, change)
	}
	if err != nil {
		return f.again(r, err, func() (answer, error) { return c.nodePage(r, &n, f) })
	}
	return done(nodePath(id), "saved")
}

func (c *Console) oneNode(r *request, id string) (core.Node, error) {
	found, err := c.Service.NodesByID(r.Context(), r.caller, []string{id})
	if err != nil {
		return core.Node{}, err
	}
	n, ok := found[id]
	if !ok {
		return n, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonTargetNotFound, Detail: id}
	}
	return n, nil
}

func (c *Console) askRemoveNode(r *request) (answer, error) {
	t := r.t.text
	n, err := c.oneNode(r, r.PathValue("id"))
	if err != nil {
		return answer{}, err
	}
	return r.confirm("nodes", t("node.remove.title", n.Label()), t("node.remove.text"), nodePath(n.ID)+"/remove", t("node.remove"), nodePath(n.ID)), nil
}

func (c *Console) removeNode(r *request) (answer, error) {
	if _, err := c.Service.RemoveNode(r.Context(), r.caller, r.PathValue("id")); err != nil {
		return answer{}, err
	}
	return done("nodes", "removed")
}

func (c *Console) askRotateNode(r *request) (answer, error) {
	t := r.t.text
	n, err := c.oneNode(r, r.PathValue("id"))
	if err != nil {
		return answer{}, err
	}
	return r.confirm("nodes", t("node.rotate.title", n.Label()), t("node.rotate.text"), nodePath(n.ID)+"/rotate", t("node.rotate"), nodePath(n.ID)), nil
}

func (c *Console) rotateNode(r *request) (answer, error) {
	id := r.PathValue("id")
	if _, err := c.Service.RotateNodeKey(r.Context(), r.caller, id); err != nil {
		return answer{}, err
	}
	return done(nodePath(id), "rotating")
}

// cancelBacklog cancels what waits for a node.
func (c *Console) cancelBacklog(r *request) (answer, error) {
	id := r.PathValue("id")
	if _, err := c.Service.CancelBacklog(r.Context(), r.caller, id); err != nil {
		return answer{}, err
	}
	return done(nodePath(id), "backlog")
}
