package console

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"errand/internal/core"
	"errand/internal/schedule"
)

// nextFires is how many moments the pages tell ahead.
const nextFires = 10

// schedules lists what runs by itself: schedules that the server carries out, and standing runs that nodes do.
func (c *Console) schedules(r *request) (answer, error) {
	t, ctx := r.t.text, r.Context()
	rows, info, err := c.Service.Schedules(ctx, r.caller, core.ScheduleFilter{}, r.page())
	if err != nil {
		return answer{}, err
	}
	list := &table{
		Caption: t("schedules.server"), Columns: columns(t("runs.state"), t("schedules.name"), t("schedules.when"), t("runs.tasks"), t("schedules.next"), ""),
		None: t("schedules.none"), NoneWhy: t("schedules.none.text"),
	}
	list.numbers(3)
	for i := range rows {
		s := &rows[i].Schedule
		toggle := act{Action: root + "schedules/" + s.ID.String() + "/pause", Text: t("schedules.pause"), Icon: "pause", Fields: [][2]string{{"on", "1"}}}
		if !s.Enabled {
			toggle = act{Action: root + "schedules/" + s.ID.String() + "/pause", Text: t("schedules.resume"), Icon: "run"}
		}
		list.row("", state(scheduleState(s)), title(root+"schedules/"+s.ID.String(), cmpText(s.Name, s.ID.String()), s.Command.String()), triggerCell(s.Trigger),
			count(len(s.Targets)), instant(s.Next), datum{Acts: []act{toggle}})
	}
	standing := &table{
		Caption: t("schedules.nodes"), Columns: columns(t("runs.state"), t("runs.name"), t("schedules.when"), t("runs.tasks"), t("schedules.next")),
		None: t("schedules.nodes.none"), NoneWhy: t("schedules.nodes.none.text"),
	}
	standing.numbers(3)
	runs, _, err := c.Service.Invocations(ctx, r.caller, core.InvocationFilter{Kinds: []core.InvocationKind{core.KindStanding}}, core.PageSpec{Limit: pageSize})
	if err != nil && core.AsError(err).Code != core.CodeDenied {
		return answer{}, err
	}
	for i := range runs {
		v := &runs[i]
		mark, next := "enabled", time.Time{}
		if v.Counts.Open() == 0 {
			mark = "over"
		} else if fires := standingFires(v, c.Now(), 1); len(fires) > 0 {
			next = fires[0]
		}
		standing.row("", state(mark), title(root+"standing/"+v.ID.String(), runName(v), v.ID.String()), standingWhen(r, v), count(v.Counts.Total()), instant(next))
	}
	return r.show("schedules", t("schedules.title"), &sheet{
		Actions: []link{{Href: root + "schedules/new", Text: t("schedules.new"), Icon: "plus", Primary: true}},
		Parts: []section{
			{Heading: t("schedules.server"), Hint: t("schedules.server.text"), Table: list, Next: info.Next},
			{Heading: t("schedules.nodes"), Hint: t("schedules.nodes.text"), Table: standing},
		},
	}), nil
}

func scheduleState(s *core.Schedule) string {
	switch {
	case !s.Enabled:
		return "paused"
	case s.Next.IsZero():
		return "over"
	}
	return "enabled"
}

func triggerCell(trigger core.Trigger) datum {
	if !trigger.At.IsZero() {
		return instant(trigger.At)
	}
	zone, crontab := trigger.Zoned()
	return datum{Text: crontab, Sub: zone, Mono: true}
}

func standingWhen(r *request, v *core.Invocation) datum {
	if v.Repeat == core.Period {
		return mono(v.Frequency)
	}
	return says(r.t.text("schedules.repeat." + string(v.Repeat)))
}

// standingFires are the next moments of a standing run, by the zone that it names or UTC: each node reads it by its own clock.
func standingFires(v *core.Invocation, now time.Time, most int) (fires []time.Time) {
	plan, err := schedule.Parse(v.Frequency)
	if err != nil || v.Repeat != core.Period {
		return nil
	}
	for at, ok := plan.Next(now, v.CreatedAt, time.UTC); ok && len(fires) < most; at, ok = plan.Next(at, v.CreatedAt, time.UTC) {
		fires = append(fires, at)
	}
	return fires
}

func firesTable(r *request, fires []time.Time) *table {
	t := r.t.text
	list := &table{Caption: t("schedules.fires"), Columns: columns(t("schedules.at"), t("schedules.in")), None: t("schedules.fires.none")}
	for _, at := range fires {
		list.row("", says(at.UTC().Format("Mon 2006-01-02 15:04:05 MST")), instant(at))
	}
	return list
}

func (c *Console) oneSchedule(r *request) (core.ScheduleView, error) {
	id, ok := core.ParseID(r.PathValue("id"))
	if ok {
		rows, _, err := c.Service.Schedules(r.Context(), r.caller, core.ScheduleFilter{IDs: []core.ID{id}}, core.PageSpec{Limit: 1})
		if err != nil || len(rows) > 0 {
			return append(rows, core.ScheduleView{})[0], err
		}
	}
	return core.ScheduleView{}, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonScheduleNotFound, Detail: r.PathValue("id")}
}

// schedule shows a schedule: when it fires next, and what became of its moments.
func (c *Console) schedule(r *request) (answer, error) {
	t, ctx := r.t.text, r.Context()
	s, err := c.oneSchedule(r)
	if err != nil {
		return answer{}, err
	}
	var fires []time.Time
	if s.Enabled && !s.Next.IsZero() {
		if fires, err = c.Service.Moments(ctx, r.caller, s.Trigger, nextFires); err != nil {
			return answer{}, err
		}
	}
	firings, info, err := c.Service.Firings(ctx, r.caller, core.FiringFilter{Schedules: []core.ID{s.ID}}, r.page())
	if err != nil {
		return answer{}, err
	}
	was := &table{Caption: t("schedules.past"), Columns: columns(t("runs.state"), t("schedules.at"), t("runs.name"), t("task.why")), None: t("schedules.past.none")}
	for i := range firings {
		f := &firings[i]
		mark, run := "missed", datum{}
		if f.Invocation != 0 {
			mark, run = "done", datum{Text: f.Invocation.String(), Href: root + "runs/" + f.Invocation.String(), Mono: true}
		}
		if f.Run != nil {
			mark = runState(f.Run)
		}
		was.row("", state(mark), instant(f.Due), run, says(f.Problem))
	}
	var params []string
	for name, value := range s.Params {
		if s.Hidden[name] {
			value = t("run.secret")
		}
		params = append(params, name+"="+value)
	}
	slices.Sort(params)
	path := root + "schedules/" + s.ID.String()
	toggle := act{Action: path + "/pause", Text: t("schedules.pause"), Icon: "pause", Fields: [][2]string{{"on", "1"}}}
	if !s.Enabled {
		toggle = act{Action: path + "/pause", Text: t("schedules.resume"), Icon: "run"}
	}
	when := triggerCell(s.Trigger)
	return r.show("schedules", cmpText(s.Name, s.ID.String()), &sheet{
		Crumbs: crumbs(t("schedules.title"), "schedules"), State: scheduleState(&s.Schedule),
		Parts: []section{
			{Half: true, Heading: t("schedules.what"), Facts: []fact{
				{t("schedules.when"), when},
				{t("commands.command"), datum{Text: s.Command.String(), Href: root + "commands/" + s.Command.String(), Mono: true}},
				{t("runs.tasks"), datum{Chips: s.Targets}},
				{t("commands.params"), datum{Chips: params}},
				{t("compose.user"), either(s.User)},
				{t("sheet.by"), either(s.Principal)},
				{t("sheet.changed"), instant(s.UpdatedAt)},
			}, Acts: []act{toggle}, Actions: []link{{Href: path + "/delete", Text: t("sheet.delete"), Danger: true}}},
			{Half: true, Heading: t("schedules.fires"), Table: firesTable(r, fires)},
			{Heading: t("schedules.past"), Table: was, Next: info.Next},
		},
	}), nil
}

func (c *Console) pauseSchedule(r *request) (answer, error) {
	s, err := c.oneSchedule(r)
	if err == nil {
		err = c.Service.EnableSchedule(r.Context(), r.caller, s.ID, r.PostForm.Get("on") == "")
	}
	if err != nil {
		return answer{}, err
	}
	return done("schedules/"+s.ID.String(), "saved")
}

func (c *Console) askDeleteSchedule(r *request) (answer, error) {
	t := r.t.text
	s, err := c.oneSchedule(r)
	if err != nil {
		return answer{}, err
	}
	path := "schedules/" + s.ID.String()
	return r.confirm("schedules", t("schedules.delete", cmpText(s.Name, s.ID.String())), t("schedules.delete.text"), path+"/delete", t("sheet.delete"), path), nil
}

func (c *Console) deleteSchedule(r *request) (answer, error) {
	s, err := c.oneSchedule(r)
	if err == nil {
		err = c.Service.DeleteSchedule(r.Context(), r.caller, s.ID)
	}
	if err != nil {
		return answer{}, err
	}
	return done("schedules", "deleted")
}

// standing shows a standing run.
func (c *Console) standing(r *request) (answer, error) {
	t := r.t.text
	v, err := c.oneStanding(r)
	if err != nil {
		return answer{}, err
	}
	runs, _, err := c.Service.Invocations(r.Context(), r.caller, core.InvocationFilter{
		Kinds: []core.InvocationKind{core.KindOccurrence}, Schedules: []core.ID{v.ID},
	}, core.PageSpec{Limit: nodeTasks})
	if err != nil {
		return answer{}, err
	}
	was := &table{Caption: t("schedules.past"), Columns: columns(t("runs.state"), t("schedules.at"), t("runs.name"), t("runs.tasks")), None: t("schedules.past.none")}
	was.numbers(3)
	for i := range runs {
		was.row("", state(runState(&runs[i])), instant(runs[i].Due), datum{Text: runs[i].ID.String(), Href: root + "runs/" + runs[i].ID.String(), Mono: true}, count(runs[i].Counts.Total()))
	}
	mark, path := "over", root+"standing/"+v.ID.String()
	what := section{Half: true, Heading: t("schedules.what"), Facts: []fact{
		{t("schedules.when"), standingWhen(r, &v)},
		{t("schedules.overlap"), says(t("schedules.overlap." + v.Policy.Overlap.String()))},
		{t("schedules.missed"), says(v.Policy.Missed.String())},
		{t("schedules.jitter"), took(v.Policy.Jitter)},
		{t("runs.tasks"), count(v.Counts.Total())},
		{t("sheet.by"), either(v.Principal)},
		{t("users.since"), instant(v.CreatedAt)},
	}}
	var fires []time.Time
	if v.Counts.Open() > 0 {
		mark, fires = "enabled", standingFires(&v, c.Now(), nextFires)
		what.Actions = []link{{Href: path + "/end", Text: t("schedules.end"), Danger: true}}
	}
	return r.show("schedules", runName(&v), &sheet{
		Crumbs: crumbs(t("schedules.title"), "schedules"), State: mark, Intro: v.Reason,
		Actions: []link{{Href: root + "runs/" + v.ID.String(), Text: t("schedules.run"), Icon: "list"}},
		Parts: []section{
			what,
			{Half: true, Heading: t("schedules.fires"), Hint: t("schedules.fires.local"), Table: firesTable(r, fires)},
			{Heading: t("schedules.past"), Table: was},
			{Heading: t("compose.script"), Code: []code{{ID: "script", Text: shownText(v.Content)}}},
		},
	}), nil
}

func (c *Console) oneStanding(r *request) (core.Invocation, error) {
	id, ok := core.ParseID(r.PathValue("id"))
	if !ok {
		return core.Invocation{}, &core.Error{Code: core.CodeNotFound}
	}
	v, err := c.Service.Invocation(r.Context(), r.caller, id)
	if err == nil && v.Kind != core.KindStanding {
		err = &core.Error{Code: core.CodeNotFound}
	}
	return v, err
}

func (c *Console) askEndStanding(r *request) (answer, error) {
	t := r.t.text
	v, err := c.oneStanding(r)
	if err != nil {
		return answer{}, err
	}
	path := "standing/" + v.ID.String()
	return r.confirm("schedules", t("schedules.end.title", runName(&v)), t("schedules.end.text"), path+"/end", t("schedules.end"), path), nil
}

func (c *Console) endStanding(r *request) (answer, error) {
	v, err := c.oneStanding(r)
	if err == nil {
		err = c.Service.Stop(r.Context(), r.caller, v.ID, nil)
	}
	if err != nil {
		return answer{}, err
	}
	return done("schedules", "ended")
}

// newSchedule is the form for what runs by itself. A stored command is run by the server; a script is handed to the nodes, which run it also while the
// server is away.
func (c *Console) newSchedule(r *request) (answer, error) {
	t, q := r.t.text, r.URL.Query()
	commands, _, err := c.Service.Commands(r.Context(), r.caller, core.CommandFilter{}, core.PageSpec{Limit: pageSize})
	if err != nil && core.AsError(err).Code != core.CodeDenied {
		return answer{}, err
	}
	stored := []option{{Value: "", Text: t("schedules.script")}}
	for i := range commands {
		stored = append(stored, option{Value: commands[i].ID.String(), Text: commands[i].Name})
	}
	var how, overlap []option
	for _, name := range []string{"cron", "rate", "at"} {
		how = append(how, option{Value: name, Text: t("schedules.how." + name)})
	}
	for _, name := range []string{"skip", "queue", "allow"} {
		overlap = append(overlap, option{Value: name, Text: t("schedules.overlap." + name)})
	}
	f := r.newForm("schedules/new", t("schedules.create"),
		&field{Name: "name", Label: t("schedules.name")},
		&field{Name: "target", Label: t("compose.target"), Hint: t("sets.target.hint"), Required: true, core: []string{"targets"}, Value: q.Get("target")},
		&field{Name: "command", Label: t("schedules.what"), Hint: t("schedules.what.hint"), Kind: "select", Options: stored, Value: q.Get("command")},
		&field{Name: "content", Label: t("compose.script"), Hint: t("schedules.content.hint"), Kind: "code"},
		&field{Name: "params", Label: t("commands.params"), Hint: t("form.pairs.hint"), Kind: "area"},
		&field{Name: "how", Label: t("schedules.when"), Kind: "select", Options: how, Value: "cron"},
		&field{Name: "expr", Label: t("schedules.expr"), Hint: t("schedules.expr.hint"), Placeholder: "30 3 * * *", core: []string{"crontab", "frequency"}},
		&field{Name: "at", Label: t("schedules.at"), Kind: "datetime-local", core: []string{"schedule"}},
		&field{Name: "zone", Label: t("schedules.zone"), Hint: t("schedules.zone.hint"), Placeholder: "Europe/Berlin"},
		&field{Name: "overlap", Label: t("schedules.overlap"), Hint: t("schedules.policy.hint"), Kind: "select", Options: overlap, Value: "skip"},
		&field{Name: "missed", Label: t("schedules.missed"), Hint: t("schedules.missed.hint"), Value: "skip"},
		&field{Name: "jitter", Label: t("schedules.jitter"), Kind: "number", Value: "0"},
		&field{Name: "timeout", Label: t("compose.timeout"), Kind: "number", Value: "60"},
	).back("schedules")
	var look section
	page := func() (answer, error) {
		parts := []section{{Form: f}}
		if look.Table != nil {
			parts = append([]section{look}, parts...)
		}
		return r.show("schedules", t("schedules.new"), &sheet{Crumbs: crumbs(t("schedules.title"), "schedules"), Intro: t("schedules.new.text"), Parts: parts}), nil
	}
	if r.Method != http.MethodPost {
		return page()
	}
	path, err := c.createSchedule(r, f)
	if err != nil {
		return f.again(r, err, page)
	}
	return done(path, "saved")
}

// createSchedule makes what the form says, and returns its page.
func (c *Console) createSchedule(r *request, f *form) (path string, err error) {
	ctx, t := r.Context(), r.t.text
	zone, err := readZone(r, f)
	if err != nil {
		return "", err
	}
	params, err := f.pairs(r, "params")
	if err != nil {
		return "", err
	}
	if f.get("target") == "" {
		return "", problem("target", t("form.required"))
	}
	if id := f.get("command"); id != "" {
		command, ok := commandID(id)
		if !ok {
			return "", problem("command", t("form.id", id))
		}
		trigger, err := readTrigger(r, f, zone)
		if err != nil {
			return "", err
		}
		targets, err := c.Service.SelectedIDs(ctx, r.caller, core.Selection{Expr: f.get("target")})
		if err != nil {
			return "", asField(err, "target")
		}
		made, err := c.Service.CreateSchedule(ctx, r.caller, core.ScheduleSpec{
			Origin: core.OriginNative, Name: f.get("name"), Command: command, Trigger: trigger, Targets: targets, Params: params, Style: paramStyle, KillTree: true,
			Limits: core.Limits{Name: 128, User: 255},
		})
		return "schedules/" + made.ID.String(), err
	}
	if strings.TrimSpace(f.raw("content")) == "" {
		return "", problem("content", t("form.required"))
	}
	spec := core.RunSpec{
		Origin: core.OriginNative, Select: core.Selection{Expr: f.get("target")}, Repeat: core.Period, Params: params, Style: paramStyle, KillTree: true,
		Definition: core.Definition{Name: f.get("name"), Type: core.Shell, Content: []byte(f.raw("content")), ParamsEnabled: len(params) > 0},
		Limits:     commandLimits(),
	}
	if spec.Frequency, err = readFrequency(r, f, zone); err != nil {
		return "", err
	}
	if spec.Timeout, err = f.seconds(r, "timeout", time.Minute); err != nil {
		return "", err
	}
	if spec.Policy.Overlap, err = schedule.ParseOverlap(f.get("overlap")); err != nil {
		return "", problem("overlap", err.Error())
	}
	if spec.Policy.Missed, err = schedule.ParseMissed(f.get("missed")); err != nil {
		return "", problem("missed", err.Error())
	}
	if spec.Policy.Jitter, err = f.seconds(r, "jitter", 0); err != nil {
		return "", err
	}
	v, err := c.Service.Run(ctx, r.caller, spec)
	return "standing/" + v.ID.String(), err
}

// asField lets a refusal be about a field of the form.
func asField(err error, name string) error {
	e := *core.AsError(err)
	if e.Code == core.CodeInternal || e.Code == core.CodeDenied {
		return err
	}
	e.Field = name
	return &e
}

func readZone(r *request, f *form) (*time.Location, error) {
	name := f.get("zone")
	if name == "" {
		return time.UTC, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, problem("zone", r.t.text("schedules.zone.unknown", name))
	}
	return zone, nil
}

// readTrigger reads when a schedule of the server fires: by a crontab, or once.
func readTrigger(r *request, f *form, zone *time.Location) (core.Trigger, error) {
	switch f.get("how") {
	case "at":
		at, err := readAt(r, f, zone)
		return core.Trigger{At: at.Truncate(time.Second)}, err
	case "rate":
		return core.Trigger{}, problem("how", r.t.text("schedules.rate.script"))
	}
	if f.get("expr") == "" {
		return core.Trigger{}, problem("expr", r.t.text("form.required"))
	}
	trigger, err := core.ZonedTrigger(f.get("zone"), f.get("expr"))
	if err != nil {
		err = asField(err, "expr")
	}
	return trigger, err
}

func readAt(r *request, f *form, zone *time.Location) (time.Time, error) {
	at, ok := readLocal(f.get("at"), zone)
	if !ok || at.IsZero() {
		return at, problem("at", r.t.text("form.time"))
	}
	return at, nil
}

// readFrequency writes when a standing run is due as nodes read it.
func readFrequency(r *request, f *form, zone *time.Location) (string, error) {
	text := ""
	switch f.get("how") {
	case "at":
		at, err := readAt(r, f, zone)
		if err != nil {
			return "", err
		}
		return "at(" + at.UTC().Format(time.DateTime) + ")", nil
	case "rate":
		text = f.get("expr")
		if !strings.HasPrefix(text, "rate(") {
			text = "rate(" + text + ")"
		}
	default:
		parts := strings.Fields(f.get("expr"))
		if len(parts) == crontabFields {
			parts = sixFields(parts)
		}
		text = strings.Join(parts, " ")
		if name := f.get("zone"); name != "" && len(parts) == 6 {
			text += " " + name
		}
	}
	if _, err := schedule.Parse(text); err != nil {
		return "", problem("expr", err.Error())
	}
	return text, nil
}

// crontabFields is how many fields a crontab has.
const crontabFields = 5

// sixFields writes a crontab as nodes read it: with seconds, a mark for the day that does not count, and Sunday as 7.
func sixFields(crontab []string) []string {
	parts := append([]string{"0"}, crontab...)
	const monthDay, weekday = 3, 5
	days := strings.Split(parts[weekday], ",")
	for i := range days {
		if days[i] == "0" {
			days[i] = "7"
		}
	}
	parts[weekday] = strings.Join(days, ",")
	switch {
	case parts[weekday] == "*":
		parts[weekday] = "?"
	case parts[monthDay] == "*":
		parts[monthDay] = "?"
	}
	return parts
}
