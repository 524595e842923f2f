package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"errand/internal/core"
)

func policyPath(name string) string { return "policies/" + url.PathEscape(name) }

func (c *Console) policies(r *request) (answer, error) {
	t := r.t.text
	rows, err := c.Service.Policies(r.Context(), r.caller)
	if err != nil {
		return answer{}, err
	}
	list := &table{Caption: t("policies.title"), Columns: columns(t("policies.name"), t("policies.origin"), t("sheet.changed"))}
	for i := range rows {
		p := &rows[i]
		origin, changed := t("policies.own"), instant(p.UpdatedAt)
		if p.Account == 0 {
			origin, changed = t("policies.builtin"), says("–")
		}
		list.row("", title(root+policyPath(p.Name), p.Name, p.Description), says(origin), changed)
	}
	return r.show("access", t("policies.title"), &sheet{
		Tabs: r.accessTabs("policies"), Actions: []link{{Href: root + "policies/new", Text: t("policies.new"), Icon: "plus", Primary: true}},
		Parts: []section{{Table: list}, c.testPane(r)},
	}), nil
}

// examplePolicy is where the editor of a new policy begins.
const examplePolicy = `{
  "statements": [
    {"effect": "allow", "actions": ["node.list"], "resources": ["*"]}
  ]
}`

// policy shows a policy, and changes or makes one: its name is in the address or, of a new one, in the form.
func (c *Console) policy(r *request) (answer, error) {
	t, name := r.t.text, r.PathValue("name")
	p := core.Policy{Document: examplePolicy, Account: r.caller.Account}
	path, heading := "policies/new", t("policies.new")
	fields := []*field{{Name: "name", Label: t("policies.name"), Hint: t("users.name.hint"), Required: true}}
	if name != "" {
		var err error
		if p, err = c.Service.Policy(r.Context(), r.caller, name); err != nil {
			return answer{}, err
		}
		path, heading, fields = policyPath(name), name, nil
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, []byte(p.Document), "", "  ") != nil {
		pretty.Reset()
		pretty.WriteString(p.Document)
	}
	f := r.newForm(path, t("form.save"), append(fields,
		&field{Name: "description", Label: t("sheet.description"), Value: p.Description},
		&field{Name: "document", Label: t("policies.document"), Hint: t("policies.document.hint"), Kind: "code", Value: pretty.String(), Required: true, core: []string{"policy"}},
	)...).back("policies")
	page := func() (answer, error) {
		s := &sheet{Crumbs: crumbs(t("policies.title"), "policies"), Intro: p.Description}
		switch {
		case p.Account == 0:
			s.Intro = t("policies.builtin.text")
			s.Parts = []section{{Code: []code{{ID: "document", Text: pretty.String()}}}}
		case name == "":
			s.Parts = []section{{Form: f}}
		default:
			s.Parts = []section{{Form: f}, {Heading: t("sheet.delete"), Actions: []link{{Href: root + path + "/delete", Text: t("sheet.delete"), Danger: true}}}}
		}
		if name != "" {
			s.Parts = append(s.Parts, c.testPane(r))
		}
		return r.show("access", heading, s), nil
	}
	if r.Method != http.MethodPost {
		return page()
	}
	if name == "" {
		name = f.get("name")
		if _, err := c.Service.Policy(r.Context(), r.caller, name); err == nil {
			name = ""
			return f.again(r, problem("name", t("form.taken")), page)
		}
	}
	put, err := c.Service.PutPolicy(r.Context(), r.caller, name, f.get("description"), f.raw("document"))
	if err != nil {
		name = r.PathValue("name")
		return f.again(r, err, page)
	}
	return done(policyPath(put.Name), "saved")
}

func (c *Console) askDeletePolicy(r *request) (answer, error) {
	t := r.t.text
	p, err := c.Service.Policy(r.Context(), r.caller, r.PathValue("name"))
	if err != nil {
		return answer{}, err
	}
	return r.confirm("access", t("policies.delete", p.Name), t("policies.delete.text"), policyPath(p.Name)+"/delete", t("sheet.delete"), policyPath(p.Name)), nil
}

func (c *Console) deletePolicy(r *request) (answer, error) {
	if err := c.Service.DeletePolicy(r.Context(), r.caller, r.PathValue("name")); err != nil {
		return answer{}, err
	}
	return done("policies", "deleted")
}

// testForm asks what would become of a call.
func (c *Console) testForm(r *request) *form {
	t := r.t.text
	return r.newForm("policies/test", t("policies.test.go"),
		&field{Name: "user", Label: t("policies.test.user"), Required: true},
		&field{Name: "action", Label: t("policies.test.action"), Hint: t("policies.test.action.hint"), Placeholder: "invocation.run", Required: true},
		&field{Name: "resources", Label: t("policies.test.resources"), Hint: t("policies.test.resources.hint"), Placeholder: "web-1"},
		&field{Name: "source", Label: t("policies.test.source"), Placeholder: "192.0.2.1"},
	).named("t")
}

func (c *Console) testPane(r *request) section {
	return section{ID: "test", Heading: r.t.text("policies.test"), Hint: r.t.text("policies.test.text"), Form: c.testForm(r)}
}

// testPolicies decides about a call without making it.
func (c *Console) testPolicies(r *request) (answer, error) {
	t := r.t.text
	f := c.testForm(r)
	var parts []section
	page := func() (answer, error) {
		return r.show("access", t("policies.test"), &sheet{
			Crumbs: crumbs(t("policies.title"), "policies"), Parts: append(parts, section{Heading: t("policies.test.again"), Hint: t("policies.test.text"), Form: f}),
		}), nil
	}
	if r.Method != http.MethodPost {
		return page()
	}
	e, err := c.Service.Explain(r.Context(), r.caller, core.Question{
		User: f.get("user"), Action: f.get("action"), Resources: f.words("resources"), Source: f.get("source"), Secure: r.TLS != nil,
	})
	if err != nil {
		return f.again(r, err, page)
	}
	verdict := state("denied")
	if e.Allowed {
		verdict = state("allowed")
	}
	facts := []fact{{t("policies.verdict"), verdict}, {t("policies.verb"), mono(e.Verb)}}
	if e.Policy != "" {
		facts = append(facts, fact{t("policies.decided"), datum{Text: t("policies.statement", e.Policy, e.Statement+1), Href: root + policyPath(e.Policy)}})
	}
	if e.Reason != "" {
		facts = append(facts, fact{t("task.why"), says(e.Reason)})
	}
	list := &table{
		Caption: t("policies.traces"), Columns: columns(t("policies.name"), t("policies.effect"), t("policies.resource"), t("policies.fits"), t("task.why")),
		None: t("policies.traces.none"),
	}
	for _, trace := range e.Traces {
		fits := "passes"
		if trace.Matched {
			fits = "matches"
		}
		list.row("", title(root+policyPath(trace.Policy), trace.Policy, strconv.Itoa(trace.Statement+1)), says(string(trace.Effect)), mono(trace.Resource),
			state(fits), says(trace.Reason))
	}
	parts = []section{{Facts: facts}, {Heading: t("policies.traces"), Table: list}}
	return page()
}

// joined is a list in one line.
func joined(texts []string) string { return strings.Join(texts, ", ") }
