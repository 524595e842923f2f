package console

import (
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"errand/internal/core"
	"errand/internal/handout"
)

// accessTabs are the pages on who may do what.
func (r *request) accessTabs(current string) []link {
	t := r.t.text
	return []link{
		{Href: root + "users", Text: t("users.title"), Current: current == "users"},
		{Href: root + "keys", Text: t("keys.list"), Current: current == "keys"},
		{Href: root + "policies", Text: t("policies.title"), Current: current == "policies"},
		{Href: root + "accounts", Text: t("accounts.title"), Current: current == "accounts"},
		{Href: root + "quotas", Text: t("quotas.title"), Current: current == "quotas"},
	}
}

func onOff(disabled bool) string {
	if disabled {
		return "disabled"
	}
	return "enabled"
}

func userPath(name string) string { return "users/" + url.PathEscape(name) }

// users lists the people and programs of the account.
func (c *Console) users(r *request) (answer, error) {
	t := r.t.text
	rows, err := c.Service.Users(r.Context(), r.caller)
	if err != nil {
		return answer{}, err
	}
	list := &table{
		Caption: t("users.title"), Columns: columns(t("runs.state"), t("users.name"), t("users.kind"), t("users.since")), None: t("users.none"),
		NoneWhy: t("users.none.text"),
	}
	for i := range rows {
		u := &rows[i]
		list.row("", state(onOff(u.Disabled)), title(root+userPath(u.Name), u.Name, u.Description), says(t("users.kind."+string(u.Kind))), instant(u.CreatedAt))
	}
	return r.show("access", t("users.title"), &sheet{
		Tabs: r.accessTabs("users"), Actions: []link{{Href: root + "users/new", Text: t("users.new"), Icon: "plus", Primary: true}},
		Parts: []section{{Table: list}},
	}), nil
}

func (c *Console) newUser(r *request) (answer, error) {
	t := r.t.text
	f := r.newForm("users/new", t("users.create"),
		&field{Name: "name", Label: t("users.name"), Hint: t("users.name.hint"), Required: true},
		&field{Name: "kind", Label: t("users.kind"), Hint: t("users.kind.hint"), Kind: "select", Options: []option{
			{Value: string(core.UserPerson), Text: t("users.kind.user")}, {Value: string(core.UserRole), Text: t("users.kind.role")},
		}},
		&field{Name: "description", Label: t("sheet.description")},
	).back("users")
	page := func() (answer, error) {
		return r.show("access", t("users.new"), &sheet{Crumbs: crumbs(t("users.title"), "users"), Parts: []section{{Form: f}}}), nil
	}
	if r.Method != http.MethodPost {
		return page()
	}
	u, err := c.Service.CreateUser(r.Context(), r.caller, f.get("name"), core.UserKind(f.get("kind")), f.get("description"))
	if err != nil {
		return f.again(r, err, page)
	}
	return done(userPath(u.Name), "saved")
}

// user shows somebody with keys and policies, and changes the description.
func (c *Console) user(r *request) (answer, error) {
	t, ctx := r.t.text, r.Context()
	u, err := c.Service.User(ctx, r.caller, r.PathValue("name"))
	if err != nil {
		return answer{}, err
	}
	path := userPath(u.Name)
	f := r.newForm(path, t("form.save"), &field{Name: "description", Label: t("sheet.description"), Value: u.Description})
	page := func() (answer, error) {
		keys, err := c.Service.Keys(ctx, r.caller, u.Name, false)
		if err != nil && core.AsError(err).Code != core.CodeDenied {
			return answer{}, err
		}
		attached, err := c.Service.AttachedPolicies(ctx, r.caller, u.Name)
		if err != nil && core.AsError(err).Code != core.CodeDenied {
			return answer{}, err
		}
		known, err := c.Service.Policies(ctx, r.caller)
		if err != nil && core.AsError(err).Code != core.CodeDenied {
			return answer{}, err
		}
		rights := &table{
			Caption: t("policies.title"), Columns: columns(t("policies.name"), ""), None: t("users.no_policies"), NoneWhy: t("users.no_policies.text"),
		}
		has := map[string]bool{}
		for _, name := range attached {
			has[name] = true
			rights.row("", title(root+"policies/"+url.PathEscape(name), name, ""), datum{Acts: []act{
				{Action: root + path + "/detach", Text: t("users.detach"), Fields: [][2]string{{"policy", name}}},
			}})
		}
		var more []option
		for i := range known {
			if !has[known[i].Name] {
				more = append(more, option{Value: known[i].Name, Text: known[i].Name})
			}
		}
		policies := section{Heading: t("policies.title"), Table: rights}
		if len(more) > 0 {
			policies.Form = r.newForm(path+"/attach", t("users.attach"), &field{Name: "policy", Label: t("users.attach.policy"), Kind: "select", Options: more}).named("p")
		}
		toggle := act{Action: root + path + "/disable", Text: t("sheet.disable"), Fields: [][2]string{{"on", "1"}}}
		if u.Disabled {
			toggle = act{Action: root + path + "/disable", Text: t("sheet.enable")}
		}
		return r.show("access", u.Name, &sheet{
			Crumbs: crumbs(t("users.title"), "users"), State: onOff(u.Disabled), Intro: u.Description,
			Actions: []link{{Href: root + path + "/keys/new", Text: t("keys.new"), Icon: "key", Primary: true}},
			Parts: []section{
				{Heading: t("keys.list"), Table: c.keyTable(r, keys)},
				policies,
				{Heading: t("users.edit"), Form: f, Acts: []act{toggle}, Actions: []link{{Href: root + path + "/delete", Text: t("sheet.delete"), Danger: true}}},
			},
		}), nil
	}
	if r.Method != http.MethodPost {
		return page()
	}
	text := f.get("description")
	if _, err := c.Service.ChangeUser(ctx, r.caller, u.Name, core.UserChange{Description: &text}); err != nil {
		return f.again(r, err, page)
	}
	return done(path, "saved")
}

func (c *Console) disableUser(r *request) (answer, error) {
	name, off := r.PathValue("name"), r.PostForm.Get("on") != ""
	if _, err := c.Service.ChangeUser(r.Context(), r.caller, name, core.UserChange{Disabled: &off}); err != nil {
		return answer{}, err
	}
	return done(userPath(name), "saved")
}

func (c *Console) attachPolicy(r *request) (answer, error) {
	name := r.PathValue("name")
	if err := c.Service.AttachPolicy(r.Context(), r.caller, name, r.PostForm.Get("policy")); err != nil {
		return answer{}, err
	}
	return done(userPath(name), "saved")
}

func (c *Console) detachPolicy(r *request) (answer, error) {
	name := r.PathValue("name")
	if err := c.Service.DetachPolicy(r.Context(), r.caller, name, r.PostForm.Get("policy")); err != nil {
		return answer{}, err
	}
	return done(userPath(name), "saved")
}

func (c *Console) askDeleteUser(r *request) (answer, error) {
	t := r.t.text
	u, err := c.Service.User(r.Context(), r.caller, r.PathValue("name"))
	if err != nil {
		return answer{}, err
	}
	return r.confirm("access", t("users.delete", u.Name), t("users.delete.text"), userPath(u.Name)+"/delete", t("sheet.delete"), userPath(u.Name)), nil
}

func (c *Console) deleteUser(r *request) (answer, error) {
	if err := c.Service.DeleteUser(r.Context(), r.caller, r.PathValue("name")); err != nil {
		return answer{}, err
	}
	return done("users", "deleted")
}

// keyTable lists keys; whose they are is told unless they are all one user's.
func (c *Console) keyTable(r *request, keys []core.AccessKey) *table {
	t := r.t.text
	list := &table{
		Caption: t("keys.list"), Columns: columns(t("runs.state"), t("keys.id"), t("keys.owner"), t("keys.kind"), t("keys.from"), t("keys.used"), t("keys.ends")),
		None: t("keys.none"), NoneWhy: t("keys.none.text"),
	}
	for i := range keys {
		k := &keys[i]
		mark := onOff(k.Disabled)
		if !k.ExpiresAt.IsZero() && k.ExpiresAt.Before(c.Now()) {
			mark = "expired"
		}
		list.row("", state(mark), title(root+"keys/"+url.PathEscape(k.ID), k.ID, k.Description), says(k.Principal), says(t("keys.kind."+string(k.Kind))),
			either(networks(k.Networks)), instant(k.UsedAt), instant(k.ExpiresAt))
	}
	return list
}

func networks(list []netip.Prefix) string {
	texts := make([]string, len(list))
	for i := range list {
		texts[i] = list[i].String()
	}
	return strings.Join(texts, ", ")
}

func (c *Console) keys(r *request) (answer, error) {
	t := r.t.text
	temporary := r.URL.Query().Get("temporary") != ""
	keys, err := c.Service.Keys(r.Context(), r.caller, "", temporary)
	if err != nil {
		return answer{}, err
	}
	return r.show("access", t("keys.list"), &sheet{
		Tabs: r.accessTabs("keys"), Actions: []link{{Href: root + "keys/new", Text: t("keys.new"), Icon: "plus", Primary: true}},
		Parts: []section{{Filter: &filter{Choice: &choice{Label: t("keys.kind"), Links: []link{
			{Href: root + "keys", Text: t("keys.lasting"), Current: !temporary}, {Href: root + "keys?temporary=1", Text: t("keys.all"), Current: temporary},
		}}}, Table: c.keyTable(r, keys)}},
	}), nil
}

// newKey makes a key: the reader's own, or that of the user in the address.
func (c *Console) newKey(r *request) (answer, error) {
	t := r.t.text
	user, path, back := r.PathValue("name"), "keys/new", "keys"
	heading := t("keys.new.own")
	if user != "" {
		if _, err := c.Service.User(r.Context(), r.caller, user); err != nil {
			return answer{}, err
		}
		path, back, heading = userPath(user)+"/keys/new", userPath(user), t("keys.new.of", user)
	}
	f := r.newForm(path, t("keys.create"),
		&field{Name: "kind", Label: t("keys.kind"), Hint: t("keys.kind.hint"), Kind: "select", Options: []option{
			{Value: string(core.KeyLong), Text: t("keys.kind.long")}, {Value: string(core.KeyBearer), Text: t("keys.kind.bearer")},
		}},
		&field{Name: "description", Label: t("sheet.description"), Hint: t("keys.description.hint")},
		&field{Name: "dialects", Label: t("keys.dialects"), Hint: t("keys.dialects.hint"), Placeholder: "ecs, tat"},
		&field{Name: "networks", Label: t("keys.from"), Hint: t("keys.from.hint"), Placeholder: "10.0.0.0/8"},
		&field{Name: "hours", Label: t("keys.hours"), Hint: t("keys.hours.hint"), Kind: "number"},
	).back(back)
	page := func() (answer, error) {
		return r.show("access", heading, &sheet{Crumbs: crumbs(t("keys.list"), "keys"), Parts: []section{{Form: f}}}), nil
	}
	if r.Method != http.MethodPost {
		return page()
	}
	spec := core.KeySpec{User: user, Kind: core.KeyKind(f.get("kind")), Description: f.get("description"), Dialects: f.words("dialects")}
	hours, err := f.number(r, "hours", 0)
	if err == nil && hours > maxHours {
		err = problem("hours", t("form.number"))
	}
	spec.Lifetime = time.Duration(hours) * time.Hour
	if err == nil {
		spec.Networks, err = readNetworks(r, "networks", f.words("networks"))
	}
	var k core.IssuedKey
	if err == nil {
		k, err = c.Service.IssueKey(r.Context(), r.caller, spec)
	}
	if err != nil {
		return f.again(r, err, page)
	}
	return c.issued(r, t("keys.made"), &k), nil
}

const maxHours = 24 * 36525 // a hundred years: less than a time.Duration holds

func readNetworks(r *request, name string, texts []string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if addr, bare := netip.ParseAddr(text); bare == nil {
			p, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return nil, problem(name, r.t.text("form.network", text))
		}
		list = append(list, p.Masked())
	}
	return list, nil
}

// server is the address by which the reader reaches this server.
func (r *request) server() *url.URL {
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return &url.URL{Scheme: scheme, Host: r.Host}
}

// issued shows a new key with its secret, this once. The answer to the form is the page itself: nothing may keep the secret until another one is asked
// for.
func (c *Console) issued(r *request, heading string, k *core.IssuedKey) answer {
	t := r.t.text
	facts := []fact{{t("keys.id"), mono(k.ID)}, {t("keys.owner"), says(k.Principal)}, {t("keys.ends"), instant(k.ExpiresAt)}}
	secret := section{Warn: t("keys.once"), Facts: facts}
	clients := []string{"errand", "aliyun", "tccli", "zenlayer", "terraform"}
	if k.Secret != "" {
		secret.Code = append(secret.Code, code{ID: "secret", Label: t("keys.secret"), Text: k.Secret})
	}
	if k.Token != "" {
		secret.Code = append(secret.Code, code{ID: "token", Label: t("keys.token"), Text: k.Token})
	}
	use := section{Heading: t("keys.use"), Hint: t("keys.use.hint")}
	if k.Kind == core.KeyBearer {
		use.Code = []code{{ID: "env-errand", Label: "errand", Text: "export ERRAND_SERVER=" + r.server().String() + "\nexport ERRAND_TOKEN=" + k.Token + "\nerrand whoami\n"}}
		clients = nil
	}
	for _, client := range clients {
		if text, err := handout.Settings(client, handout.NewAccess(r.server(), k.ID, k.Secret, k.Token)); err == nil {
			use.Code = append(use.Code, code{ID: "env-" + client, Label: client, Text: text})
		}
	}
	return r.show("access", heading, &sheet{
		Crumbs: crumbs(t("keys.list"), "keys"), Parts: []section{secret, use},
		Actions: []link{{Href: root + "keys/" + url.PathEscape(k.ID), Text: t("keys.done"), Icon: "check"}},
	})
}

// oneKey finds a key that the reader may list.
func (c *Console) oneKey(r *request) (core.AccessKey, error) {
	id := r.PathValue("id")
	keys, err := c.Service.Keys(r.Context(), r.caller, "", true)
	if err != nil {
		return core.AccessKey{}, err
	}
	for i := range keys {
		if keys[i].ID == id {
			return keys[i], nil
		}
	}
	return core.AccessKey{}, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonAccessNotFound, Detail: id}
}

func keyPath(id string) string { return "keys/" + url.PathEscape(id) }

func (c *Console) key(r *request) (answer, error) {
	t := r.t.text
	k, err := c.oneKey(r)
	if err != nil {
		return answer{}, err
	}
	path := keyPath(k.ID)
	var froms []string
	for _, p := range k.Networks {
		froms = append(froms, p.String())
	}
	f := r.newForm(path, t("form.save"),
		&field{Name: "description", Label: t("sheet.description"), Value: k.Description},
		&field{Name: "dialects", Label: t("keys.dialects"), Hint: t("keys.dialects.hint"), Value: strings.Join(k.Dialects, ", ")},
		&field{Name: "networks", Label: t("keys.from"), Hint: t("keys.from.hint"), Value: strings.Join(froms, ", ")},
	)
	rotate := r.newForm(path+"/rotate", t("keys.rotate"),
		&field{Name: "overlap", Label: t("keys.overlap"), Hint: t("keys.overlap.hint"), Kind: "number", Value: "86400"}).named("r")
	page := func() (answer, error) {
		toggle := act{Action: root + path + "/disable", Text: t("sheet.disable"), Fields: [][2]string{{"on", "1"}}}
		if k.Disabled {
			toggle = act{Action: root + path + "/disable", Text: t("sheet.enable")}
		}
		facts := []fact{
			{t("keys.owner"), says(k.Principal)},
			{t("keys.kind"), says(t("keys.kind." + string(k.Kind)))},
			{t("users.since"), instant(k.CreatedAt)},
			{t("keys.used"), instant(k.UsedAt)},
			{t("keys.ends"), instant(k.ExpiresAt)},
		}
		if !k.OldUntil.IsZero() {
			facts = append(facts, fact{t("keys.old"), instant(k.OldUntil)})
		}
		parts := []section{{Facts: facts}}
		if k.Kind == core.KeyLong || k.Kind == core.KeyBearer {
			parts = append(parts, section{Heading: t("keys.edit"), Form: f, Half: true}, section{Heading: t("keys.rotate"), Hint: t("keys.rotate.hint"), Form: rotate, Half: true})
		}
		parts = append(parts, section{Heading: t("keys.end"), Acts: []act{toggle}, Actions: []link{{Href: root + path + "/delete", Text: t("sheet.delete"), Danger: true}}})
		return r.show("access", k.ID, &sheet{Crumbs: crumbs(t("keys.list"), "keys"), State: onOff(k.Disabled), Parts: parts}), nil
	}
	switch {
	case r.Method != http.MethodPost:
		return page()
	case rotate.read:
		overlap, err := rotate.seconds(r, "overlap", 0)
		var issued core.IssuedKey
		if err == nil {
			issued, err = c.Service.RotateKey(r.Context(), r.caller, k.ID, overlap)
		}
		if err != nil {
			return rotate.again(r, err, page)
		}
		return c.issued(r, t("keys.rotated"), &issued), nil
	}
	from, err := readNetworks(r, "networks", f.words("networks"))
	if err == nil {
		text, dialects := f.get("description"), f.words("dialects")
		_, err = c.Service.ChangeKey(r.Context(), r.caller, k.ID, core.KeyChange{Description: &text, Dialects: &dialects, Networks: &from})
	}
	if err != nil {
		return f.again(r, err, page)
	}
	return done(path, "saved")
}

func (c *Console) disableKey(r *request) (answer, error) {
	id, off := r.PathValue("id"), r.PostForm.Get("on") != ""
	if _, err := c.Service.ChangeKey(r.Context(), r.caller, id, core.KeyChange{Disabled: &off}); err != nil {
		return answer{}, err
	}
	return done(keyPath(id), "saved")
}

func (c *Console) askDeleteKey(r *request) (answer, error) {
	t := r.t.text
	k, err := c.oneKey(r)
	if err != nil {
		return answer{}, err
	}
	return r.confirm("access", t("keys.delete", k.ID), t("keys.delete.text"), keyPath(k.ID)+"/delete", t("sheet.delete"), keyPath(k.ID)), nil
}

func (c *Console) deleteKey(r *request) (answer, error) {
	if err := c.Service.DeleteKey(r.Context(), r.caller, r.PathValue("id")); err != nil {
		return answer{}, err
	}
	return done("keys", "deleted")
}

// accounts lists the accounts that the reader may know of.
func (c *Console) accounts(r *request) (answer, error) {
	t := r.t.text
	rows, err := c.Service.Accounts(r.Context(), r.caller)
	if err != nil {
		return answer{}, err
	}
	list := &table{Caption: t("accounts.title"), Columns: columns(t("runs.state"), t("accounts.name"), t("users.since")), None: t("accounts.none")}
	for i := range rows {
		a := &rows[i]
		list.row("", state(onOff(a.Disabled)), title(root+"accounts/"+a.ID.String(), a.Name, a.ID.String()), instant(a.CreatedAt))
	}
	s := &sheet{Tabs: r.accessTabs("accounts"), Intro: t("accounts.intro"), Parts: []section{{Table: list}}}
	if r.caller.Account == core.RootAccount {
		s.Actions = []link{{Href: root + "accounts/new", Text: t("accounts.new"), Icon: "plus", Primary: true}}
	}
	return r.show("access", t("accounts.title"), s), nil
}

func (c *Console) newAccount(r *request) (answer, error) {
	t := r.t.text
	f := r.newForm("accounts/new", t("accounts.create"), &field{Name: "name", Label: t("accounts.name"), Required: true}).back("accounts")
	page := func() (answer, error) {
		return r.show("access", t("accounts.new"), &sheet{Crumbs: crumbs(t("accounts.title"), "accounts"), Intro: t("accounts.new.text"), Parts: []section{{Form: f}}}), nil
	}
	if r.Method != http.MethodPost {
		return page()
	}
	_, k, err := c.Service.AddAccount(r.Context(), r.caller, f.get("name"))
	if err != nil {
		return f.again(r, err, page)
	}
	return c.issued(r, t("accounts.made", f.get("name")), &k), nil
}

// accountID reads the number of an account; what cannot be one is that of no account.
func accountID(text string) core.AccountID {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return core.AccountID(n)
}

func (c *Console) account(r *request) (answer, error) {
	t := r.t.text
	a, err := c.Service.Account(r.Context(), r.caller, accountID(r.PathValue("id")))
	if err != nil {
		return answer{}, err
	}
	path := root + "accounts/" + a.ID.String()
	toggle := act{Action: path + "/disable", Text: t("sheet.disable"), Danger: true, Fields: [][2]string{{"on", "1"}}}
	if a.Disabled {
		toggle = act{Action: path + "/disable", Text: t("sheet.enable")}
	}
	return r.show("access", a.Name, &sheet{
		Crumbs: crumbs(t("accounts.title"), "accounts"), State: onOff(a.Disabled),
		Parts: []section{
			{Facts: []fact{{t("accounts.id"), mono(a.ID.String())}, {t("users.since"), instant(a.CreatedAt)}}},
			{Heading: t("accounts.manage"), Hint: t("accounts.manage.text"), Acts: []act{toggle}, Actions: []link{
				{Href: path + "/key", Text: t("accounts.key"), Icon: "key"}, {Href: root + "quotas?account=" + a.ID.String(), Text: t("quotas.title")},
			}},
		},
	}), nil
}

func (c *Console) disableAccount(r *request) (answer, error) {
	id := accountID(r.PathValue("id"))
	if _, err := c.Service.DisableAccount(r.Context(), r.caller, id, r.PostForm.Get("on") != ""); err != nil {
		return answer{}, err
	}
	return done("accounts/"+id.String(), "saved")
}

func (c *Console) askRootKey(r *request) (answer, error) {
	t := r.t.text
	a, err := c.Service.Account(r.Context(), r.caller, accountID(r.PathValue("id")))
	if err != nil {
		return answer{}, err
	}
	path := "accounts/" + a.ID.String()
	return r.confirm("access", t("accounts.key.title", a.Name), t("accounts.key.text"), path+"/key", t("accounts.key"), path), nil
}

func (c *Console) makeRootKey(r *request) (answer, error) {
	k, err := c.Service.IssueRootKey(r.Context(), r.caller, accountID(r.PathValue("id")))
	if err != nil {
		return answer{}, err
	}
	return c.issued(r, r.t.text("keys.made"), &k), nil
}

// quotas shows what an account may have, and how much of it there is.
func (c *Console) quotas(r *request) (answer, error) {
	t := r.t.text
	of := r.caller.Account
	given := r.FormValue("account")
	if given == "default" {
		of = 0
	} else if given != "" {
		of = accountID(given)
	}
	path := "quotas"
	f := r.newForm(path, t("quotas.set"),
		&field{Name: "account", Kind: "hidden", Value: given},
		&field{Name: "name", Label: t("quotas.name"), Kind: "select", core: []string{"quota"}},
		&field{Name: "limit", Label: t("quotas.limit"), Hint: t("quotas.limit.hint"), Kind: "number"},
	).named("q")
	page := func() (answer, error) {
		rows, err := c.Service.Quotas(r.Context(), r.caller, of)
		if err != nil {
			return answer{}, err
		}
		list := &table{Caption: t("quotas.title"), Columns: columns(t("quotas.name"), t("quotas.used"), t("quotas.limit"), "", t("quotas.origin")), None: t("quotas.none")}
		list.numbers(1, 2)
		for _, q := range rows {
			used, limit, origin := datum{Text: "–", Num: true}, datum{Text: t("quotas.unlimited"), Num: true}, t("quotas.default")
			if q.Used >= 0 {
				used = count(int(q.Used))
			}
			var bar *float64
			if q.Limit >= 0 {
				limit, bar = count(int(q.Limit)), percent(q.Used, q.Limit)
			}
			if q.Own {
				origin = t("quotas.own")
			}
			list.row("", title("", q.Name, ""), used, limit, datum{Bar: bar}, says(origin))
			f.Fields[1].Options = append(f.Fields[1].Options, option{Value: q.Name, Text: q.Name, On: f.get("name") == q.Name})
		}
		s := &sheet{Tabs: r.accessTabs("quotas"), Parts: []section{{Table: list}}}
		if r.caller.Account == core.RootAccount {
			s.Parts = append(s.Parts, section{Heading: t("quotas.set"), Form: f})
			s.Parts[0].Filter = &filter{Choice: &choice{Label: t("accounts.title"), Links: []link{
				{Href: root + "quotas", Text: t("quotas.mine"), Current: given == ""},
				{Href: root + "quotas?account=default", Text: t("quotas.all"), Current: given == "default"},
			}}}
		}
		return r.show("access", t("quotas.title"), s), nil
	}
	if r.Method != http.MethodPost {
		return page()
	}
	var most *int64
	var err error
	if f.get("limit") != "" {
		var n int64
		n, err = f.number(r, "limit", 0)
		most = &n
	}
	if err == nil {
		err = c.Service.SetQuota(r.Context(), r.caller, of, f.get("name"), most)
	}
	if err != nil {
		return f.again(r, err, page)
	}
	return done(withQuery(path, "account", given), "saved")
}
