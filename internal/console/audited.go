package console

import (
	"slices"
	"time"

	"errand/internal/core"
)

// audited is the record of what was done in the account.
func (c *Console) audited(r *request) (answer, error) {
	t, q := r.t.text, r.URL.Query()
	f := core.AuditFilter{Principal: q.Get("user"), KeyID: q.Get("key"), Action: q.Get("action"), Resource: q.Get("resource")}
	fields := []*field{
		{Name: "user", Label: t("audit.who"), Value: f.Principal},
		{Name: "key", Label: t("login.key"), Value: f.KeyID},
		{Name: "action", Label: t("audit.what"), Value: f.Action},
		{Name: "resource", Label: t("audit.about"), Value: f.Resource, Placeholder: "node/web-1"},
		{Name: "since", Label: t("audit.since"), Value: q.Get("since"), Kind: "datetime-local"},
		{Name: "until", Label: t("audit.until"), Value: q.Get("until"), Kind: "datetime-local"},
	}
	s := &sheet{Parts: []section{{Filter: &filter{Fields: fields, Hint: t("audit.zone")}}}}
	for name, into := range map[string]*time.Time{"since": &f.Since, "until": &f.Until} {
		at, ok := readLocal(q.Get(name), time.UTC)
		if *into = at; !ok {
			field := fields[slices.IndexFunc(fields, func(f *field) bool { return f.Name == name })]
			field.Problem = t("form.time")
			a := r.show("audit", t("audit.title"), s)
			a.status = statusOf(core.CodeInvalid)
			return a, nil
		}
	}
	page := r.page()
	page.Count = false
	rows, info, err := c.Service.AuditRecords(r.Context(), r.caller, f, page)
	if err != nil {
		return answer{}, err
	}
	list := &table{
		Caption: t("audit.title"), Columns: columns(t("audit.when"), t("audit.who"), t("audit.what"), t("audit.about"), t("audit.from"), t("audit.result")),
		None: t("audit.none"), NoneWhy: t("audit.none.text"),
	}
	for i := range rows {
		a := &rows[i]
		result := state("done")
		if a.Code != "" {
			result = datum{State: "refused", Sub: a.Code}
		}
		list.row("", datum{When: &a.At, Sub: a.At.UTC().Format(time.DateTime)}, datum{Text: a.Principal, Sub: a.KeyID}, datum{Text: a.Action, Sub: a.Dialect, Main: true, Mono: true}, datum{Chips: a.Resources},
			datum{Text: a.Source, Sub: short(a.UserAgent)}, result)
	}
	s.Parts[0].Table, s.Parts[0].Next = list, info.Next
	return r.show("audit", t("audit.title"), s), nil
}

// short cuts what nobody reads to the end.
func short(s string) string {
	const most = 28
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return s
}

// readLocal reads what a field for a date and a time holds, in a zone; zero for nothing.
func readLocal(text string, zone *time.Location) (time.Time, bool) {
	if text == "" {
		return time.Time{}, true
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04"} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at.UTC(), true
		}
	}
	at, err := time.Parse(time.RFC3339, text)
	return at.UTC(), err == nil
}
