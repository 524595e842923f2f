package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"errand/internal/core"
)

// releases shows which versions of the agent there are, which of them nodes run, and how changes to them go.
func (c *Console) releases(r *request) (answer, error) {
	t, ctx := r.t.text, r.Context()
	rollouts, err := c.Service.Rollouts(ctx, r.caller)
	if err != nil {
		return answer{}, err
	}
	list := &table{
		Caption: t("agents.rollouts"), Columns: columns(t("runs.state"), t("agents.version"), t("agents.stage"), t("agents.changed"), t("agents.failed"), t("agents.begun")),
		None: t("agents.rollouts.none"), NoneWhy: t("agents.rollouts.none.text"),
	}
	list.numbers(3, 4)
	for i := range rollouts {
		v := &rollouts[i]
		list.row("", state(string(v.State)), title(root+"agents/"+v.ID.String(), v.Version, v.Reason), says(stage(v)),
			datum{Text: t("sets.online", number(v.Count[core.UpgradeDone]), number(v.Nodes)), Num: true}, count(failedNodes(v)), instant(v.CreatedAt))
	}
	releases, err := c.Service.Releases(ctx, r.caller)
	if err != nil && core.AsError(err).Code != core.CodeDenied {
		return answer{}, err
	}
	known := &table{
		Caption: t("agents.releases"), Columns: columns(t("runs.state"), t("agents.version"), t("agents.added"), ""), None: t("agents.releases.none"),
		NoneWhy: t("agents.releases.none.text"),
	}
	for i := range releases {
		rel := &releases[i]
		mark, links := "partial", []link(nil)
		if rel.Complete {
			mark, links = "complete", []link{{Href: root + "agents/new?version=" + url.QueryEscape(rel.Version), Text: t("agents.start")}}
		}
		links = append(links, link{Href: root + "agents/releases/" + url.PathEscape(rel.Version) + "/delete", Text: t("sheet.delete")})
		known.row("", state(mark), datum{Text: rel.Version, Sub: rel.Digest, Mono: true, Main: true}, instant(rel.CreatedAt), datum{Links: links})
	}
	return r.show("agents", t("agents.title"), &sheet{
		Intro: t("agents.intro"), Parts: []section{{Heading: t("agents.rollouts"), Table: list}, {Heading: t("agents.releases"), Table: known}},
	}), nil
}

func stage(v *core.RolloutView) string {
	var texts []string
	for i, percent := range v.Plan.Stages {
		text := strconv.Itoa(percent) + "%"
		if i == v.Stage {
			text = "[" + text + "]"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, " → ")
}

func failedNodes(v *core.RolloutView) (n int) {
	for s, count := range v.Count {
		if s.Failed() {
			n += count
		}
	}
	return n
}

func (c *Console) newRollout(r *request) (answer, error) {
	t := r.t.text
	plan := core.DefaultRolloutPlan()
	stages := strings.Trim(fmt.Sprint(plan.Stages), "[]")
	f := r.newForm("agents/new", t("agents.start"),
		&field{Name: "version", Label: t("agents.version"), Value: r.URL.Query().Get("version"), Required: true},
		&field{Name: "account", Label: t("agents.account"), Hint: t("agents.account.hint"), Value: r.caller.Account.String()},
		&field{Name: "stages", Label: t("agents.stages"), Hint: t("agents.stages.hint"), Value: strings.ReplaceAll(stages, " ", ", ")},
		&field{Name: "pause", Label: t("agents.pause"), Kind: "number", Value: seconds(plan.Pause)},
		&field{Name: "parallel", Label: t("agents.parallel"), Kind: "number", Value: strconv.Itoa(plan.Parallel)},
		&field{Name: "max_failures", Label: t("agents.failures"), Kind: "number", Value: strconv.Itoa(plan.Failures)},
		&field{Name: "max_failed_percent", Label: t("agents.percent"), Kind: "number", Value: strconv.Itoa(plan.Percent)},
		&field{Name: "trial", Label: t("agents.trial"), Kind: "number", Value: seconds(plan.Trial)},
		&field{Name: "again", Label: t("agents.again"), Kind: "check"},
	).back("agents")
	page := func() (answer, error) {
		if _, err := c.Service.Releases(r.Context(), r.caller); err != nil {
			return answer{}, err
		}
		return r.show("agents", t("agents.start"), &sheet{Crumbs: crumbs(t("agents.title"), "agents"), Parts: []section{{Form: f}}}), nil
	}
	if r.Method != http.MethodPost {
		return page()
	}
	plan, account, err := readPlan(r, f)
	var made core.Rollout
	if err == nil {
		made, err = c.Service.StartRollout(r.Context(), r.caller, account, f.get("version"), plan)
	}
	if err != nil {
		return f.again(r, err, page)
	}
	return done("agents/"+made.ID.String(), "started")
}

func readPlan(r *request, f *form) (plan core.RolloutPlan, account core.AccountID, err error) {
	for _, text := range f.words("stages") {
		n, err := strconv.Atoi(strings.TrimSuffix(text, "%"))
		if err != nil {
			return plan, 0, problem("stages", r.t.text("form.number"))
		}
		plan.Stages = append(plan.Stages, n)
	}
	for name, into := range map[string]*time.Duration{"pause": &plan.Pause, "trial": &plan.Trial} {
		if *into, err = f.seconds(r, name, 0); err != nil {
			return plan, 0, err
		}
	}
	for name, into := range map[string]*int{"parallel": &plan.Parallel, "max_failures": &plan.Failures, "max_failed_percent": &plan.Percent} {
		n, err := f.number(r, name, 0)
		if err != nil {
			return plan, 0, err
		}
		*into = int(min(n, 1<<30))
	}
	plan.Again = f.on("again")
	if text := f.get("account"); text != "" {
		account = accountID(text)
	}
	return plan, account, nil
}

func (c *Console) oneRollout(r *request) (core.RolloutView, error) {
	id, ok := core.ParseID(r.PathValue("id"))
	if !ok {
		return core.RolloutView{}, &core.Error{Code: core.CodeNotFound}
	}
	return c.Service.Rollout(r.Context(), r.caller, id)
}

func (c *Console) rollout(r *request) (answer, error) {
	t := r.t.text
	v, err := c.oneRollout(r)
	if err != nil {
		return answer{}, err
	}
	nodes, err := c.Service.RolloutNodes(r.Context(), r.caller, v.ID)
	if err != nil {
		return answer{}, err
	}
	list := &table{
		Caption: t("nodes.title"), Columns: columns(t("runs.state"), t("node"), t("agents.from"), t("task.why"), t("runs.when")), None: t("agents.nodes.none"),
	}
	for i := range nodes[:min(len(nodes), homeNodes)] {
		n := &nodes[i]
		list.row("", state(strings.ReplaceAll(n.State.String(), "-", "_")), title(root+nodePath(n.NodeID), n.NodeID, ""), mono(n.From), says(n.Detail), instant(n.UpdatedAt))
	}
	path := root + "agents/" + v.ID.String()
	var acts []act
	for _, a := range []struct {
		do  core.RolloutAction
		may bool
	}{
		{core.PauseRollout, v.State == core.RolloutRunning},
		{core.ResumeRollout, v.State == core.RolloutPaused || v.State == core.RolloutFrozen},
		{core.RetryRollout, v.State.Open() && failedNodes(&v) > 0},
	} {
		if a.may {
			acts = append(acts, act{Action: path, Text: t("agents.do." + string(a.do)), Fields: [][2]string{{"do", string(a.do)}}})
		}
	}
	parts := []section{
		{Figures: []figure{
			{Value: number(v.Count[core.UpgradeDone]), Of: t("home.of", number(v.Nodes)), Text: t("agents.changed")},
			{Value: number(v.Count[core.UpgradeTrying] + v.Count[core.UpgradeFetching] + v.Count[core.UpgradeOffered]), Text: t("agents.under_way")},
			{Value: number(failedNodes(&v)), Text: t("agents.failed")},
			{Value: stage(&v), Text: t("agents.stage")},
		}},
		{Acts: acts, Actions: nil},
		{Heading: t("nodes.title"), Table: list},
	}
	if v.Reason != "" {
		parts[1].Warn = v.Reason
	}
	if v.State.Open() {
		parts[1].Actions = []link{{Href: path + "/abort", Text: t("agents.do.abort"), Danger: true}}
	}
	return r.show("agents", v.Version, &sheet{Crumbs: crumbs(t("agents.title"), "agents"), State: string(v.State), Parts: parts}), nil
}

func (c *Console) changeRollout(r *request) (answer, error) {
	v, err := c.oneRollout(r)
	if err == nil {
		_, err = c.Service.ChangeRollout(r.Context(), r.caller, v.ID, core.RolloutAction(r.PostForm.Get("do")))
	}
	if err != nil {
		return answer{}, err
	}
	return done("agents/"+v.ID.String(), "saved")
}

func (c *Console) askAbortRollout(r *request) (answer, error) {
	t := r.t.text
	v, err := c.oneRollout(r)
	if err != nil {
		return answer{}, err
	}
	path := "agents/" + v.ID.String()
	return r.confirm("agents", t("agents.abort", v.Version), t("agents.abort.text"), path+"/abort", t("agents.do.abort"), path), nil
}

func (c *Console) abortRollout(r *request) (answer, error) {
	v, err := c.oneRollout(r)
	if err == nil {
		_, err = c.Service.ChangeRollout(r.Context(), r.caller, v.ID, core.AbortRollout)
	}
	if err != nil {
		return answer{}, err
	}
	return done("agents/"+v.ID.String(), "saved")
}

func (c *Console) askRemoveRelease(r *request) (answer, error) {
	t, version := r.t.text, r.PathValue("version")
	return r.confirm("agents", t("agents.remove", version), t("agents.remove.text"), "agents/releases/"+url.PathEscape(version)+"/delete", t("sheet.delete"), "agents"), nil
}

func (c *Console) removeRelease(r *request) (answer, error) {
	if err := c.Service.RemoveRelease(r.Context(), r.caller, r.PathValue("version")); err != nil {
		return answer{}, err
	}
	return done("agents", "deleted")
}
