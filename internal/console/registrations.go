package console

import (
	"net/http"
	"strconv"
	"time"

	"errand/internal/core"
	"errand/internal/handout"
)

// registrations lists the codes by which machines become nodes.
func (c *Console) registrations(r *request) (answer, error) {
	t := r.t.text
	rows, info, err := c.Service.Registrations(r.Context(), r.caller, core.RegistrationFilter{}, r.page())
	if err != nil {
		return answer{}, err
	}
	list := &table{
		Caption: t("codes.title"), Columns: columns(t("runs.state"), t("codes.code"), t("codes.joined"), t("codes.ends"), t("keys.from"), t("nodes.tags"), ""),
		None: t("codes.none"), NoneWhy: t("codes.none.text"),
	}
	list.numbers(2)
	for i := range rows {
		code := &rows[i]
		mark := "usable"
		switch {
		case code.Disabled:
			mark = "revoked"
		case code.Usable(c.Now()):
		case code.Registered >= code.Limit:
			mark = "used_up"
		default:
			mark = "expired"
		}
		var acts []act
		if mark == "usable" {
			acts = []act{{Action: root + "registrations/" + code.ID.String() + "/revoke", Text: t("codes.revoke"), Danger: true}}
		}
		name := datum{Text: code.ID.String(), Sub: code.Description, Mono: true, Main: true}
		list.row("", state(mark), name, datum{Text: t("home.of", number(code.Limit)), Num: true}, instant(code.ExpiresAt), either(networks(code.Networks)),
			datum{Tags: code.Tags}, datum{Acts: acts})
		list.Rows[len(list.Rows)-1].Cells[2].Text = number(code.Registered) + " " + list.Rows[len(list.Rows)-1].Cells[2].Text
	}
	return r.show("registrations", t("codes.title"), &sheet{
		Intro: t("codes.intro"), Actions: []link{{Href: root + "registrations/new", Text: t("codes.new"), Icon: "plus", Primary: true}},
		Parts: []section{{Table: list, Next: info.Next}},
	}), nil
}

// newRegistration makes a code and shows the line to run on machines, this once.
func (c *Console) newRegistration(r *request) (answer, error) {
	t := r.t.text
	f := r.newForm("registrations/new", t("codes.create"),
		&field{Name: "limit", Label: t("codes.limit"), Kind: "number", Value: "1", Required: true},
		&field{Name: "minutes", Label: t("codes.minutes"), Kind: "number", Value: "60", Required: true},
		&field{Name: "name_prefix", Label: t("codes.prefix"), Hint: t("codes.prefix.hint")},
		&field{Name: "tags", Label: t("nodes.tags"), Hint: t("form.pairs.hint"), Kind: "area", Placeholder: "role=web"},
		&field{Name: "networks", Label: t("keys.from"), Hint: t("keys.from.hint"), Placeholder: "10.0.0.0/8"},
		&field{Name: "description", Label: t("sheet.description")},
	).back("registrations")
	page := func() (answer, error) {
		return r.show("registrations", t("codes.new"), &sheet{Crumbs: crumbs(t("codes.title"), "registrations"), Parts: []section{{Form: f}}}), nil
	}
	if r.Method != http.MethodPost {
		return page()
	}
	made, secret, err := c.register(r, f)
	if err != nil {
		return f.again(r, err, page)
	}
	var tags []string
	for _, tag := range made.Tags {
		tags = append(tags, tag.Key+"="+tag.Value)
	}
	line := handout.Install{Server: r.server().String(), ID: made.ID.String(), Code: secret, Tags: tags}
	curl := line.String()
	line.Wget = true
	return r.show("registrations", t("codes.made"), &sheet{
		Crumbs:  crumbs(t("codes.title"), "registrations"),
		Actions: []link{{Href: root + "registrations", Text: t("keys.done"), Icon: "check"}},
		Parts: []section{
			{Warn: t("codes.once"), Hint: t("codes.line"), Code: []code{{ID: "line", Label: t("codes.curl"), Text: curl}, {ID: "line-wget", Label: t("codes.wget"), Text: line.String()}}},
			{Heading: t("codes.code"), Facts: []fact{
				{t("keys.id"), mono(made.ID.String())},
				{t("codes.secret"), mono(secret)},
				{t("codes.limit"), says(strconv.Itoa(made.Limit))},
				{t("codes.ends"), instant(made.ExpiresAt)},
			}},
		},
	}), nil
}

// Bounds of codes, as the API has them.
const (
	maxJoins    = 1_000_000
	maxMinutes  = 365 * 24 * 60
	maxCodeText = 256 // bytes of a prefix or a description
)

func (c *Console) register(r *request, f *form) (made core.RegistrationCode, secret string, err error) {
	limit, err := f.number(r, "limit", 1)
	if err != nil {
		return made, "", err
	}
	minutes, err := f.number(r, "minutes", 60)
	switch {
	case err != nil:
		return made, "", err
	case limit < 1 || limit > maxJoins:
		return made, "", problem("limit", r.t.text("form.between", "1", number(maxJoins)))
	case minutes < 1 || minutes > maxMinutes:
		return made, "", problem("minutes", r.t.text("form.between", "1", number(maxMinutes)))
	case len(f.get("name_prefix")) > maxCodeText/2:
		return made, "", problem("name_prefix", r.t.text("form.long"))
	case len(f.get("description")) > maxCodeText:
		return made, "", problem("description", r.t.text("form.long"))
	}
	spec := core.RegistrationSpec{
		Limit: int(limit), Validity: time.Duration(minutes) * time.Minute, NamePrefix: f.get("name_prefix"), Description: f.get("description"),
	}
	if spec.Tags, err = f.tags(r, "tags"); err != nil {
		return made, "", err
	}
	if spec.Networks, err = readNetworks(r, "networks", f.words("networks")); err != nil {
		return made, "", err
	}
	return c.Service.CreateRegistration(r.Context(), r.caller, spec)
}

func (c *Console) revokeRegistration(r *request) (answer, error) {
	id, ok := core.ParseID(r.PathValue("id"))
	if !ok {
		return c.missing(r)
	}
	if _, err := c.Service.DisableRegistrations(r.Context(), r.caller, []core.ID{id}); err != nil {
		return answer{}, err
	}
	return done("registrations", "revoked")
}
