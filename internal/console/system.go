package console

import (
	"cmp"
	"runtime/debug"
	"slices"

	"errand/internal/core"
)

// system shows the living program, and what the nodes run.
func (c *Console) system(r *request) (answer, error) {
	t := r.t.text
	s := c.Status()
	nodes, err := c.count(r, false)
	if err != nil {
		return answer{}, err
	}
	online, err := c.count(r, true)
	if err != nil {
		return answer{}, err
	}
	checks := &table{Caption: t("system.checks"), Columns: columns(t("runs.state"), t("system.part"), t("runs.took"), t("task.why"))}
	checks.numbers(2)
	row := func(name string, bad error, took datum) {
		mark, why := "ready", ""
		if bad != nil {
			mark, why = "failing", bad.Error()
		}
		checks.row("", state(mark), says(t("system.check."+name)), took, says(why))
	}
	for _, check := range s.Checks {
		took := datum{Num: true}
		if check.Took > 0 {
			took.Took = &check.Took
		}
		row(check.Name, check.Err, took)
	}
	var stopped error
	if !s.Loops {
		stopped = &core.Error{Detail: t("system.stopped")}
	}
	row("loops", stopped, datum{Num: true})
	row("broker", nil, datum{Text: number(s.Connected), Num: true})
	versions, err := c.agentVersions(r)
	if err != nil {
		return answer{}, err
	}
	facts := []fact{{t("system.since"), datum{When: &s.Since}}, {t("system.version"), mono(cmpText(s.Version, "–"))}}
	if info, ok := debug.ReadBuildInfo(); ok {
		facts = append(facts, fact{t("system.go"), mono(info.GoVersion)})
	}
	if s.Store >= 0 {
		facts = append(facts, fact{t("system.store"), datum{Text: r.t.bytes(uint64(s.Store))}})
	}
	keep := t("system.forever")
	if s.Keep.Age > 0 {
		keep = r.t.duration(s.Keep.Age)
	}
	facts = append(facts, fact{t("system.keep"), says(keep)})
	return r.show("system", t("system.title"), &sheet{
		Actions: []link{{Href: "/metrics", Text: t("system.metrics"), Icon: "pulse"}, {Href: "/readyz", Text: t("system.ready")}},
		Parts: []section{
			{Figures: []figure{
				{Value: number(s.Connected), Text: t("system.connected")},
				{Value: number(s.Open), Text: t("system.open")},
				{Value: number(online), Of: t("home.of", number(nodes)), Text: t("home.online")},
				{Value: r.t.duration(c.Now().Sub(s.Since)), Text: t("system.up")},
			}},
			{Heading: t("system.checks"), Table: checks},
			{Heading: t("system.server"), Half: true, Facts: facts},
			{Heading: t("system.agents"), Half: true, Table: versions},
		},
	}), nil
}

// agentVersions counts the nodes by the version of their agent. It looks at so many nodes at most that the page costs the same whatever there is.
func (c *Console) agentVersions(r *request) (*table, error) {
	t := r.t.text
	rows, _, err := c.Service.Nodes(r.Context(), r.caller, core.NodeFilter{}, core.PageSpec{Limit: homeNodes})
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for i := range rows {
		counts[cmpText(rows[i].Agent, "–")]++
	}
	var shares []share
	for name, n := range counts {
		shares = append(shares, share{name, n})
	}
	slices.SortFunc(shares, func(a, b share) int { return cmp.Or(b.Count-a.Count, cmp.Compare(a.Name, b.Name)) })
	list := &table{Caption: t("system.agents"), Columns: columns(t("agents.version"), t("nodes.title"), ""), None: t("nodes.none")}
	list.numbers(1)
	for _, s := range shares {
		list.row("", mono(s.Name), count(s.Count), datum{Bar: percent(int64(s.Count), int64(len(rows)))})
	}
	return list, nil
}
