package console

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"errand/internal/core"
)

// subscriptionState is how a subscription does.
func subscriptionState(s *core.Subscription) string {
	switch {
	case !s.Enabled:
		return "disabled"
	case s.LastError != "":
		return "failing"
	}
	return "enabled"
}

func (c *Console) subscriptions(r *request) (answer, error) {
	t := r.t.text
	rows, err := c.Service.Subscriptions(r.Context(), r.caller)
	if err != nil {
		return answer{}, err
	}
	list := &table{
		Caption: t("events.title"), Columns: columns(t("runs.state"), t("events.name"), t("events.types"), t("events.delivered"), t("events.dead")),
		None: t("events.none"), NoneWhy: t("events.none.text"),
	}
	list.numbers(4)
	for i := range rows {
		s := &rows[i]
		name := s.Name
		if name == "" {
			name = s.ID.String()
		}
		list.row("", state(subscriptionState(s)), title(root+"events/"+s.ID.String(), name, s.URL), datum{Chips: s.Types}, instant(s.DeliveredAt), count(len(s.Dead)))
	}
	return r.show("events", t("events.title"), &sheet{
		Intro: t("events.intro"), Actions: []link{{Href: root + "events/new", Text: t("events.new"), Icon: "plus", Primary: true}}, Parts: []section{{Table: list}},
	}), nil
}

func (c *Console) subscriptionForm(r *request, path string, s *core.Subscription) *form {
	t := r.t.text
	var commands []string
	for _, id := range s.Commands {
		commands = append(commands, id.String())
	}
	return r.newForm(path, t("form.save"),
		&field{Name: "url", Label: t("events.url"), Hint: t("events.url.hint"), Value: s.URL, Required: true, Wide: true},
		&field{Name: "name", Label: t("events.name"), Value: s.Name},
		&field{Name: "types", Label: t("events.types"), Hint: t("events.types.hint"), Value: joined(s.Types), Placeholder: "errand.task.*", core: []string{"type"}},
		&field{Name: "commands", Label: t("events.commands"), Hint: t("events.commands.hint"), Value: joined(commands)},
		&field{Name: "batch", Label: t("events.batch"), Hint: t("events.batch.hint"), Kind: "number", Value: strconv.Itoa(max(s.Batch, 1))},
	).back("events")
}

func readCommands(r *request, f *form) ([]core.ID, error) {
	ids := []core.ID{}
	for _, text := range f.words("commands") {
		id, ok := commandID(text)
		if !ok {
			return nil, problem("commands", r.t.text("form.id", text))
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (c *Console) newSubscription(r *request) (answer, error) {
	t := r.t.text
	f := c.subscriptionForm(r, "events/new", &core.Subscription{})
	page := func() (answer, error) {
		return r.show("events", t("events.new"), &sheet{Crumbs: crumbs(t("events.title"), "events"), Parts: []section{{Form: f}}}), nil
	}
	if r.Method != http.MethodPost {
		return page()
	}
	commands, err := readCommands(r, f)
	batch := int64(0)
	if err == nil {
		batch, err = f.number(r, "batch", 1)
	}
	var sub core.Subscription
	var secret string
	if err == nil {
		sub, secret, err = c.Service.Subscribe(r.Context(), r.caller, core.SubscriptionSpec{
			Name: f.get("name"), URL: f.get("url"), Types: f.words("types"), Commands: commands, Batch: int(min(batch, core.MaxBatch+1)),
		})
	}
	if err != nil {
		return f.again(r, err, page)
	}
	return c.signingSecret(r, t("events.made"), &sub, secret), nil
}

// signingSecret shows the secret of a subscription, this once.
func (c *Console) signingSecret(r *request, heading string, sub *core.Subscription, secret string) answer {
	t := r.t.text
	return r.show("events", heading, &sheet{
		Crumbs:  crumbs(t("events.title"), "events"),
		Actions: []link{{Href: root + "events/" + sub.ID.String(), Text: t("keys.done"), Icon: "check"}},
		Parts:   []section{{Warn: t("events.once"), Hint: t("events.secret.hint"), Code: []code{{ID: "secret", Label: t("events.secret"), Text: secret}}}},
	})
}

func (c *Console) oneSubscription(r *request) (core.Subscription, error) {
	id, ok := core.ParseID(r.PathValue("id"))
	if !ok {
		return core.Subscription{}, &core.Error{Code: core.CodeNotFound}
	}
	return c.Service.Subscription(r.Context(), r.caller, id)
}

// subscription shows a subscription with what it has given up, and changes it.
func (c *Console) subscription(r *request) (answer, error) {
	t := r.t.text
	sub, err := c.oneSubscription(r)
	if err != nil {
		return answer{}, err
	}
	path := "events/" + sub.ID.String()
	f := c.subscriptionForm(r, path, &sub)
	replay := r.newForm(path+"/replay", t("events.replay"),
		&field{Name: "from", Label: t("events.replay.from"), Hint: t("audit.zone"), Kind: "datetime-local", Required: true}).named("r")
	page := func() (answer, error) {
		dead, err := c.Service.DeadLetters(r.Context(), r.caller, sub.ID)
		if err != nil {
			return answer{}, err
		}
		list := &table{
			Caption: t("events.dead"), Columns: columns(t("events.event"), t("events.tries"), t("events.gave_up"), t("task.why"), ""),
			None: t("events.dead.none"), NoneWhy: t("events.dead.none.text"),
		}
		list.numbers(1)
		for i := range dead {
			d := &dead[i]
			acts := []act{{Action: root + path + "/again", Text: t("events.again"), Fields: [][2]string{{"seq", strconv.FormatInt(d.DeadLetter.Seq, 10)}}}}
			if d.Again {
				acts = nil
			}
			list.row("", title(root+"runs/"+d.Invocation.String(), d.Type(), d.Invocation.String()), count(d.Tries), instant(d.DeadLetter.At), says(d.Error), datum{Acts: acts})
		}
		letters := section{ID: "dead", Heading: t("events.dead"), Table: list}
		if len(dead) > 0 {
			letters.Acts = []act{{Action: root + path + "/again", Text: t("events.again.all"), Icon: "retry"}}
		}
		toggle := act{Action: root + path + "/disable", Text: t("sheet.disable"), Fields: [][2]string{{"on", "1"}}}
		if !sub.Enabled {
			toggle = act{Action: root + path + "/disable", Text: t("sheet.enable")}
		}
		facts := []fact{
			{t("events.url"), mono(sub.URL)}, {t("events.delivered"), instant(sub.DeliveredAt)}, {t("users.since"), instant(sub.CreatedAt)},
		}
		if sub.LastError != "" {
			facts = append(facts, fact{t("events.error"), says(sub.LastError)}, fact{t("events.failing"), instant(sub.FailingSince)},
				fact{t("events.next"), instant(sub.NextTry)})
		}
		return r.show("events", cmpText(sub.Name, sub.ID.String()), &sheet{
			Crumbs: crumbs(t("events.title"), "events"), State: subscriptionState(&sub),
			Parts: []section{
				{Facts: facts, Acts: []act{{Action: root + path + "/ping", Text: t("events.ping"), Icon: "pulse"}, {Action: root + path + "/rotate", Text: t("events.rotate"), Icon: "key"}, toggle}},
				letters,
				{Heading: t("events.edit"), Form: f, Half: true},
				{Heading: t("events.replay"), Hint: t("events.replay.text"), Form: replay, Half: true},
				{Heading: t("sheet.delete"), Actions: []link{{Href: root + path + "/delete", Text: t("sheet.delete"), Danger: true}}},
			},
		}), nil
	}
	switch {
	case r.Method != http.MethodPost:
		return page()
	case replay.read:
		from, ok := readLocal(replay.get("from"), time.UTC)
		if !ok || from.IsZero() {
			return replay.again(r, problem("from", t("form.time")), page)
		}
		if _, err := c.Service.Replay(r.Context(), r.caller, sub.ID, core.Moment{At: from}); err != nil {
			return replay.again(r, err, page)
		}
		return done(path, "replayed")
	}
	ch := core.SubscriptionChange{}
	name, address, types := f.get("name"), f.get("url"), f.words("types")
	commands, err := readCommands(r, f)
	if err == nil {
		var batch int64
		if batch, err = f.number(r, "batch", 1); err == nil {
			most := int(min(batch, core.MaxBatch+1))
			ch.Batch = &most
		}
	}
	if err == nil {
		ch.Name, ch.URL, ch.Types, ch.Commands = &name, &address, &types, &commands
		_, _, err = c.Service.ChangeSubscription(r.Context(), r.caller, sub.ID, ch)
	}
	if err != nil {
		return f.again(r, err, page)
	}
	return done(path, "saved")
}

// cmpText is the first of two texts that is not empty.
func cmpText(a, b string) string {
	if strings.TrimSpace(a) == "" {
		return b
	}
	return a
}

// actSubscription does one of the things that a button does.
func (c *Console) actSubscription(r *request) (answer, error) {
	sub, err := c.oneSubscription(r)
	if err != nil {
		return answer{}, err
	}
	ctx, said := r.Context(), "saved"
	switch r.PathValue("do") {
	case "disable":
		on := r.PostForm.Get("on") == ""
		_, _, err = c.Service.ChangeSubscription(ctx, r.caller, sub.ID, core.SubscriptionChange{Enabled: &on})
	case "ping":
		said = "pinged"
		_, err = c.Service.Ping(ctx, r.caller, sub.ID)
	case "again":
		seq, _ := strconv.ParseInt(r.PostForm.Get("seq"), 10, 64) // without a number: all of them
		said = "replayed"
		_, err = c.Service.ReplayDead(ctx, r.caller, sub.ID, seq)
	case "rotate":
		fresh, secret, err := c.Service.ChangeSubscription(ctx, r.caller, sub.ID, core.SubscriptionChange{RotateSecret: true})
		if err != nil {
			return answer{}, err
		}
		return c.signingSecret(r, r.t.text("events.rotated"), &fresh, secret), nil
	default:
		return c.missing(r)
	}
	if err != nil {
		return answer{}, err
	}
	return done("events/"+sub.ID.String(), said)
}

func (c *Console) askUnsubscribe(r *request) (answer, error) {
	t := r.t.text
	sub, err := c.oneSubscription(r)
	if err != nil {
		return answer{}, err
	}
	path := "events/" + sub.ID.String()
	return r.confirm("events", t("events.delete", cmpText(sub.Name, sub.ID.String())), t("events.delete.text"), path+"/delete", t("sheet.delete"), path), nil
}

func (c *Console) unsubscribe(r *request) (answer, error) {
	sub, err := c.oneSubscription(r)
	if err == nil {
		err = c.Service.Unsubscribe(r.Context(), r.caller, sub.ID)
	}
	if err != nil {
		return answer{}, err
	}
	return done("events", "deleted")
}
